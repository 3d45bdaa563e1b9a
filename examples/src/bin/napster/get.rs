//! `napster get`: a file of whoever has it, into a folder.

use crate::args::Get;
use crate::session::Session;
use crate::{INTERRUPTED, hits, search, text};
use p2p_core::Bytes;
use p2p_core::node::OpError;
use p2p_examples::fetching::Fetching;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_napster::Client;
use p2p_napster::client::{Command, Error, Event, Hit, Progress, SourceError, State, Wanted};
use p2p_napster::transfer::name::base;
use p2p_napster::wire::text::shown;
use std::process::ExitCode;

pub(crate) async fn run(args: &Get, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut session = Session::fetching(&args.login, Some(&args.to), out).await?;
    let result = fetch(&mut session, args, out, stop).await;
    session.stop().await;
    result
}

async fn fetch(
    session: &mut Session,
    args: &Get,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    if !session.log_in(&args.login, out, stop, Session::tell).await? {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let wanted = match &args.from {
        Some(nick) => of_user(session, nick, &args.words.join(" "), stop).await?,
        None => searched(session, args, out, stop).await?,
    };
    let Some(wanted) = wanted else { return Ok(ExitCode::from(INTERRUPTED)) };
    Transfer::new(args, out).run(session, wanted, stop).await
}

/// The file that most of those have whom a search finds.
async fn searched(
    session: &Session,
    args: &Get,
    out: &mut Output,
    stop: &Stop,
) -> Result<Option<Wanted>, Failure> {
    let query = search::query(&args.words, &args.bounds)?;
    let Some(found) = search::find(session, query, stop).await? else { return Ok(None) };
    let holders = hits::most_held(&found);
    let Some((first, others)) = holders.split_first() else {
        return Err(Failure::new(format_args!("nothing found for {}", escape::name(&args.words.join(" ")))));
    };
    out.event(Line::new("found").number("hits", found.len() as u64).number("holders", holders.len() as u64));
    let mut wanted = Wanted::from(*first);
    for other in others {
        wanted = wanted.or(other.nick.clone(), other.name.clone());
    }
    Ok(Some(wanted))
}

/// A file of one user, whose list says its name byte for byte and its size.
async fn of_user(session: &Session, nick: &str, file: &str, stop: &Stop) -> Result<Option<Wanted>, Failure> {
    use p2p_core::Search as _;
    let nick = Bytes::copy_from_slice(nick.as_bytes());
    let Some(list) = session.answers(Command::Browse(nick.clone()), stop, Client::hit).await? else {
        return Ok(None);
    };
    match named(&list, file) {
        Some(hit) => Ok(Some(Wanted::from(hit))),
        None => Err(Failure::new(format_args!("{} has no file {}", text::name(&nick), escape::name(file)))),
    }
}

/// The file of this name, or the only one whose name ends in it.
fn named<'a>(list: &'a [Hit], file: &str) -> Option<&'a Hit> {
    let is = |name: &[u8]| name == file.as_bytes() || shown(name).to_string() == file;
    if let Some(hit) = list.iter().find(|hit| is(&hit.name)) {
        return Some(hit);
    }
    let mut same = list.iter().filter(|hit| is(base(&hit.name)));
    same.next().filter(|_| same.next().is_none())
}

struct Transfer<'a> {
    out: &'a mut Output,
    fetching: Fetching,
}

impl<'a> Transfer<'a> {
    fn new(args: &'a Get, out: &'a mut Output) -> Self {
        Self { out, fetching: Fetching::new(&args.to) }
    }

    async fn run(&mut self, session: &mut Session, wanted: Wanted, stop: &Stop) -> Result<ExitCode, Failure> {
        let name = wanted.sources.first().map(|source| source.name.clone()).unwrap_or_default();
        self.out.event(
            Line::new("getting")
                .text("name", text::whole(&name))
                .texts("nicks", wanted.sources.iter().map(|source| text::whole(&source.nick))),
        );
        let size = wanted.size;
        let (node, news) = session.parts();
        let mut asked = node.ask(Command::Download(Box::new(wanted)));
        loop {
            tokio::select! {
                biased;
                () = stop.asked() => break,
                // What is said meanwhile is of no use here, but would fill the queue.
                told = news.next() => if told.is_none() {
                    return Err(Failure::new("the client stopped"));
                },
                answer = asked.next() => match answer {
                    Some(Ok(Event::Progress(progress))) => self.progress(&progress),
                    Some(Ok(Event::Saved { file, len })) => {
                        self.fetching.saved(file.path().as_str(), len, self.out);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(self.failed(&error)),
                    None => return Ok(ExitCode::SUCCESS),
                },
            }
        }
        Ok(self.fetching.interrupted(size, self.out))
    }

    fn progress(&mut self, progress: &Progress) {
        self.fetching.set_have(progress.have);
        let line = Line::new("progress")
            .text("state", word(&progress.state))
            .text("nick", text::whole(&progress.nick))
            .number("have", progress.have);
        let line = match progress.size {
            Some(size) => line.number("size", size),
            None => line,
        };
        self.out.event(match &progress.state {
            State::Queued(place) => line.number("place", *place),
            State::Trying(why) => line.text("why", why),
            _ => line,
        });
        let nick = text::name(&progress.nick);
        match &progress.state {
            State::Receiving => self.fetching.draw(progress.size, None, self.out),
            State::Queued(limit) => {
                self.out.note(format_args!("{nick} lets {limit} fetch at once; waiting in the queue"));
            }
            State::Pushed => self.out.note(format_args!("{nick} is behind a firewall, and is asked to dial")),
            State::Trying(why) => self.out.note(Failure::new(format_args!("{nick}: {why}"))),
            _ => {}
        }
    }

    fn failed(&self, error: &OpError<Error>) -> Failure {
        let kept = match error {
            OpError::Failed(Error::Source(SourceError::Short { .. })) => "; what came is kept",
            _ if self.fetching.have() > 0 => "; what came is kept",
            _ => "",
        };
        Failure::new(format_args!("{error}{kept}"))
    }
}

const fn word(state: &State) -> &'static str {
    match state {
        State::Checking => "checking",
        State::Asking => "asking",
        State::Queued(_) => "queued",
        State::Pushed => "pushed",
        State::Receiving => "receiving",
        State::Trying(_) => "trying",
        _ => "busy",
    }
}
