//! `chord fetch`: a file from all who have it, into a folder.

use crate::args::Fetch;
use crate::{INTERRUPTED, guest};
use p2p_chord::archive::{Command, Event, Obtain, What};
use p2p_chord::files::{self, Files};
use p2p_chord::{Archive, Chord};
use p2p_core::node::Node;
use p2p_core::{FileId, Id, RelPath, Root};
use p2p_examples::fetching::Fetching;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::collections::BTreeSet;
use std::process::ExitCode;

pub(crate) async fn run(args: &Fetch, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let Ok(what) = args.name.parse::<What>();
    let name = RelPath::sanitised([args.name.as_bytes()]).map_err(Failure::during("the name"))?;
    let storage = Folder::new(&args.to).map_err(Failure::during(args.to.display()))?;
    let archive = Archive::new(Chord::new(guest::config(&args.via)), Files::new(files::Config::default()));
    let running = spawn(archive, Options::default().with_storage(storage));
    let sha256 = args.sha256.map(|Id(sha256)| sha256);
    let obtain = Obtain { what, sha256, to: FileId::new(Root(0), name), read: false };
    let result = match guest::join(&running.node, &args.via, stop).await {
        Ok(true) => Transfer::new(args, out).run(&running.node, obtain, stop).await,
        Ok(false) => Ok(ExitCode::from(INTERRUPTED)),
        Err(why) => Err(why),
    };
    running.stop().await;
    result
}

struct Transfer<'a> {
    args: &'a Fetch,
    out: &'a mut Output,
    fetching: Fetching,
    holders: BTreeSet<std::net::SocketAddr>,
}

impl<'a> Transfer<'a> {
    fn new(args: &'a Fetch, out: &'a mut Output) -> Self {
        Self { args, out, fetching: Fetching::new(&args.to), holders: BTreeSet::new() }
    }

    async fn run(&mut self, node: &Node<Archive>, obtain: Obtain, stop: &Stop) -> Result<ExitCode, Failure> {
        let mut asked = node.ask(Command::Obtain(obtain));
        loop {
            tokio::select! {
                biased;
                () = stop.asked() => break,
                answer = asked.next() => match answer {
                    Some(Ok(event)) => self.tell(event),
                    Some(Err(why)) => {
                        let kept = if self.fetching.have() > 0 { "; what came is kept" } else { "" };
                        let name = escape::name(&self.args.name);
                        return Err(Failure::new(format_args!("{name}: {why}{kept}")));
                    }
                    None => return Ok(ExitCode::SUCCESS),
                },
            }
        }
        Ok(self.fetching.interrupted(None, self.out))
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Holders { sha256, size, holders } => {
                let line = Line::new("found").text("sha256", Id(sha256)).number("bytes", size);
                self.out.event(line.texts("holders", &holders));
                self.holders.extend(holders);
            }
            Event::Files(files::Event::Progress { have, size, holders }) => {
                self.progress(have, size, holders);
            }
            Event::Files(files::Event::Dropped { holder, why }) => {
                self.out.event(Line::new("dropped").text("holder", holder).text("why", why));
                self.out.note(format_args!("{holder}: {why}"));
            }
            Event::Files(files::Event::Saved { file, size }) => {
                self.fetching.saved(file.path().as_str(), size, self.out);
            }
            _ => {}
        }
    }

    fn progress(&mut self, have: u64, size: u64, holders: usize) {
        self.fetching.set_have(have);
        let line = Line::new("progress").number("have", have).number("bytes", size);
        self.out.event(line.number("holders", holders as u64));
        self.fetching.draw(Some(size), Some(holders as u32), self.out);
    }
}
