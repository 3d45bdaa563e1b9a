//! `torrent get` and `torrent seed`: one client, one torrent.

use crate::args::{Get, Peers, Seed};
use crate::{INTERRUPTED, load, session};
use p2p_bittorrent::picker::Mode;
use p2p_bittorrent::{Client, Command, Config, Event, InfoHash, Metainfo, Progress, State, Status, Torrent};
use p2p_core::node::{News, Node, Operation};
use p2p_examples::progress::Figures;
use p2p_examples::units::{Size, Span};
use p2p_examples::{Failure, Line, Output, Stop, escape};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a seed's figures are looked at while they change.
const LOOK: Duration = Duration::from_secs(1);
/// How often at the least: a seed that nobody asks for anything sleeps.
const RARELY: Duration = Duration::from_secs(16);

pub(crate) async fn get(args: Get, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let metainfo = load::torrent(&args.torrent)?;
    let mut torrent = Torrent::new(Arc::clone(&metainfo)).with_peers(args.peers.known.iter().copied());
    torrent.select = load::select(&metainfo.info, &args.select)?;
    if args.sequential {
        torrent.order = Mode::Sequential;
    }
    let mut config = Config::default();
    config.download_rate = args.download_rate;
    let command = Command::Download(Box::new(torrent));
    let mut transfer = Transfer::new(&metainfo, out, stop);
    transfer.run(config, &args.to, &args.peers, command, args.seed).await
}

pub(crate) async fn seed(args: Seed, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let metainfo = load::torrent(&args.torrent)?;
    if !args.from.is_dir() {
        return Err(Failure::new(format_args!("{} is no folder", args.from.display())));
    }
    let torrent = Torrent::new(Arc::clone(&metainfo)).with_peers(args.peers.known.iter().copied());
    let command = Command::Seed(Box::new(torrent));
    let mut transfer = Transfer::new(&metainfo, out, stop);
    transfer.run(Config::default(), &args.from, &args.peers, command, true).await
}

/// How the wait for a torrent ended.
enum End {
    Complete,
    Interrupted,
}

struct Transfer<'a> {
    metainfo: &'a Metainfo,
    info_hash: InfoHash,
    out: &'a mut Output,
    stop: &'a Stop,
    started: Instant,
    /// What had been received before this run.
    before: u64,
    /// Trackers that were complained of.
    complained: BTreeSet<Arc<str>>,
    told: Option<Progress>,
}

impl<'a> Transfer<'a> {
    fn new(metainfo: &'a Metainfo, out: &'a mut Output, stop: &'a Stop) -> Self {
        Self {
            metainfo,
            info_hash: metainfo.info.info_hash(),
            out,
            stop,
            started: Instant::now(),
            before: 0,
            complained: BTreeSet::new(),
            told: None,
        }
    }

    async fn run(
        &mut self,
        mut config: Config,
        dir: &Path,
        peers: &Peers,
        command: Command,
        seed: bool,
    ) -> Result<ExitCode, Failure> {
        config.upload_rate = peers.upload_rate;
        let (mut running, at) = session::start(&config, dir, peers.listen).await?;
        self.out.event(Line::new("listening").text("addr", at).text("info_hash", self.info_hash));
        self.out.note(format_args!("{}, listening on {at}", escape::name(self.metainfo.info.name())));
        #[cfg(feature = "metrics")]
        if let Some(metrics) = peers.metrics {
            let source = crate::metrics::Source::Client(running.node.clone(), self.info_hash);
            crate::metrics::serve(metrics, source, self.out).await?;
        }
        let operation = running.node.ask(command);
        let mut result = self.wait(operation, &running.node, &mut running.news).await;
        if matches!(result, Ok(End::Complete)) {
            self.complete(&running.node, seed).await;
            if seed {
                result = self.seeding(&running.node, &mut running.news).await;
            }
        }
        let last = session::status(&running.node, self.info_hash).await;
        running.stop().await;
        match result? {
            End::Complete => Ok(ExitCode::SUCCESS),
            End::Interrupted => Ok(self.interrupted(last.as_deref())),
        }
    }

    /// Waits until an operation ends.
    async fn wait(
        &mut self,
        mut operation: Operation<Client, Event>,
        node: &Node<Client>,
        news: &mut News<Event>,
    ) -> Result<End, Failure> {
        loop {
            tokio::select! {
                biased;
                () = self.stop.asked() => return Ok(End::Interrupted),
                told = news.next() => match told {
                    Some(event) => self.news(event)?,
                    None => return Err(Failure::new("the client stopped")),
                },
                answer = operation.next() => match answer {
                    Some(Ok(event)) => self.answer(event, node).await,
                    Some(Err(error)) => return Err(Failure::new(error)),
                    None => return Ok(End::Complete),
                },
            }
        }
    }

    async fn answer(&mut self, event: Event, node: &Node<Client>) {
        match event {
            Event::Checked { have, pieces, digested, .. } => {
                self.out.event(
                    Line::new("checked")
                        .number("have", have)
                        .number("pieces", pieces)
                        .number("digested", digested),
                );
                self.before = session::status(node, self.info_hash)
                    .await
                    .map_or(0, |status| status.progress.downloaded);
            }
            Event::Progress(progress) => {
                self.tell(&progress);
                if !self.out.is_json() {
                    let status = session::status(node, self.info_hash).await;
                    self.draw(&progress, status.as_deref());
                }
            }
            _ => {}
        }
    }

    fn news(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Stopped(info_hash, error) if info_hash == self.info_hash => {
                return Err(Failure::new(error));
            }
            Event::NotListening(error) => self.out.note(format_args!("{error}; going on without")),
            Event::Announced { tracker, result, .. } => {
                let line = Line::new("announced").text("tracker", &tracker);
                match result {
                    Ok(peers) => self.out.event(line.number("peers", peers)),
                    Err(why) => {
                        if self.complained.insert(Arc::clone(&tracker)) {
                            let (tracker, why) = (escape::name(&tracker), escape::name(&why));
                            self.out.note(format_args!("tracker {tracker}: {why}"));
                        }
                        self.out.event(line.text("why", why));
                    }
                }
            }
            Event::Dropped { peer, why, .. } => {
                self.out.event(Line::new("dropped").text("peer", peer).text("why", why));
            }
            Event::Banned { peer, why } => {
                self.out.note(format_args!("banned {peer}: {why}"));
                self.out.event(Line::new("banned").text("peer", peer).text("why", why));
            }
            _ => {}
        }
        Ok(())
    }

    fn tell(&mut self, progress: &Progress) {
        self.out.event(
            Line::new("progress")
                .text("state", word(progress.state))
                .number("verified", progress.wanted_verified)
                .number("wanted", progress.wanted)
                .number("downloaded", progress.downloaded)
                .number("uploaded", progress.uploaded)
                .number("wasted", progress.wasted)
                .number("rate_in", progress.rate_in)
                .number("rate_out", progress.rate_out)
                .number("peers", progress.peers)
                .number("seeds", progress.seeds)
                .number("availability", progress.availability),
        );
        self.told = Some(progress.clone());
    }

    fn draw(&mut self, progress: &Progress, status: Option<&Status>) {
        let figures = Figures {
            doing: word(progress.state),
            done: progress.wanted_verified,
            all: progress.wanted,
            rate_in: progress.rate_in,
            rate_out: progress.rate_out,
            sent: progress.uploaded,
            peers: Some(progress.peers),
            pieces: self.metainfo.info.pieces().count(),
        };
        self.out.progress(&figures, |piece| status.is_some_and(|status| status.have.get(piece)));
    }

    async fn complete(&mut self, node: &Node<Client>, seed: bool) {
        let Some(status) = session::status(node, self.info_hash).await else { return };
        let progress = &status.progress;
        let fetched = progress.downloaded.saturating_sub(self.before);
        let took = self.started.elapsed();
        self.out.event(
            Line::new("complete")
                .text("info_hash", self.info_hash)
                .number("bytes", progress.wanted_verified)
                .number("fetched", fetched)
                .number("wasted", progress.wasted)
                .number("milliseconds", took.as_millis() as u64),
        );
        let name = escape::name(self.metainfo.info.name());
        if fetched == 0 && seed {
            self.out.say(format_args!("{name}: seeding {}", Size(progress.wanted_verified)));
        } else if fetched == 0 {
            self.out
                .say(format_args!("{name}: complete, nothing to fetch ({})", Size(progress.wanted_verified)));
        } else {
            let rate = Size((fetched as f64 / took.as_secs_f64().max(0.001)) as u64);
            let (all, took) = (Size(progress.wanted_verified), Span(took));
            self.out.say(format_args!(
                "{name}: complete, {all}, of which {} fetched in {took}, {rate}/s",
                Size(fetched)
            ));
        }
    }

    /// Seeds until somebody interrupts.
    async fn seeding(&mut self, node: &Node<Client>, news: &mut News<Event>) -> Result<End, Failure> {
        let mut pause = LOOK;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = self.stop.asked() => return Ok(End::Complete),
                told = news.next() => match told {
                    Some(event) => self.news(event)?,
                    None => return Err(Failure::new("the client stopped")),
                },
                () = tokio::time::sleep_until(next) => {
                    pause = (pause * 2).min(RARELY);
                    next = Instant::now() + pause;
                    let Some(status) = session::status(node, self.info_hash).await else { continue };
                    if let Some(error) = &status.error {
                        return Err(Failure::new(error));
                    }
                    // Programs are told what changed, no more.
                    if self.told.as_ref() != Some(&status.progress) {
                        self.tell(&status.progress);
                        self.draw(&status.progress, Some(&status));
                        pause = LOOK;
                        next = Instant::now() + LOOK;
                    }
                }
            }
        }
    }

    fn interrupted(&mut self, last: Option<&Status>) -> ExitCode {
        let (verified, wanted) =
            last.map_or((0, 0), |last| (last.progress.wanted_verified, last.progress.wanted));
        self.out.event(Line::new("interrupted").number("verified", verified).number("wanted", wanted));
        self.out.note(format_args!(
            "stopped with {} of {}; the same command goes on from there",
            Size(verified),
            Size(wanted)
        ));
        ExitCode::from(INTERRUPTED)
    }
}

const fn word(state: State) -> &'static str {
    match state {
        State::Checking => "checking",
        State::Downloading => "fetching",
        State::Seeding => "seeding",
        State::Paused => "paused",
        State::Failed => "failed",
        _ => "busy",
    }
}
