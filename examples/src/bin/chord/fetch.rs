//! `chord fetch`: a file from all who have it, into a folder.

use crate::args::Fetch;
use crate::{INTERRUPTED, guest};
use p2p_chord::archive::{Command, Event, Obtain, What};
use p2p_chord::files::{self, Files};
use p2p_chord::{Archive, Chord};
use p2p_core::node::Node;
use p2p_core::{FileId, Id, RelPath, Root};
use p2p_examples::progress::Figures;
use p2p_examples::units::{Size, Span};
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

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
    started: Instant,
    /// When it was first told how it goes, and what was there then.
    first: Option<(Instant, u64)>,
    have: u64,
    holders: BTreeSet<std::net::SocketAddr>,
}

impl<'a> Transfer<'a> {
    fn new(args: &'a Fetch, out: &'a mut Output) -> Self {
        Self { args, out, started: Instant::now(), first: None, have: 0, holders: BTreeSet::new() }
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
                        let kept = if self.have > 0 { "; what came is kept" } else { "" };
                        let name = escape::name(&self.args.name);
                        return Err(Failure::new(format_args!("{name}: {why}{kept}")));
                    }
                    None => return Ok(ExitCode::SUCCESS),
                },
            }
        }
        self.out.event(Line::new("interrupted").number("have", self.have));
        self.out.note(format_args!("stopped with {}; the same command goes on from there", Size(self.have)));
        Ok(ExitCode::from(INTERRUPTED))
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
            Event::Files(files::Event::Saved { file, size }) => self.saved(file.path().as_str(), size),
            _ => {}
        }
    }

    fn progress(&mut self, have: u64, size: u64, holders: usize) {
        self.have = have;
        let line = Line::new("progress").number("have", have).number("bytes", size);
        self.out.event(line.number("holders", holders as u64));
        let now = Instant::now();
        let (since, before) = *self.first.get_or_insert((now, have));
        let rate = have.saturating_sub(before) as f64 / (now - since).as_secs_f64();
        let figures = Figures {
            doing: "fetching",
            done: have,
            all: size,
            rate_in: if rate.is_finite() { rate as u64 } else { 0 },
            peers: Some(holders as u32),
            ..Figures::default()
        };
        self.out.progress(&figures, |_| false);
    }

    fn saved(&mut self, file: &str, size: u64) {
        let path = self.args.to.join(file).display().to_string();
        let took = self.started.elapsed();
        let line = Line::new("saved").text("file", &path).number("bytes", size);
        self.out.event(line.number("milliseconds", took.as_millis() as u64));
        let rate = Size((size as f64 / took.max(Duration::from_millis(1)).as_secs_f64()) as u64);
        let path = escape::text_of(&path, 1_000);
        self.out.say(format_args!("{path}: {} in {}, {rate}/s", Size(size), Span(took)));
    }
}
