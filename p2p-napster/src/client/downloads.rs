//! Files wanted: whom to ask, how often, and what came of it.
//!
//! ```text
//!  looking ── recalling ──┬─ offline ◄─────── the server is gone
//!  (what is here of it)   ▼    │ login
//!                       asked ─┴─ 204 ─┬─ port ──── connected ──┐
//!                         ▲            └─ none ── pushed ───────┴─ receiving ── finishing ── done
//!                         │ after a while                           │
//!                       resting ◄── 620, refused, silent, short ◄───┘
//! ```

use super::ask::{Source, Wanted};
use super::event::{Event, Progress, State};
use super::ranges::{Range, Ranges};
use super::{Client, Context, Error, SourceError, Timer};
use crate::transfer::address;
use crate::transfer::intake::{Intake, Known};
use crate::transfer::name;
use crate::transfer::part::Part;
use crate::wire::message::{Offer, ToServer};
use crate::wire::text::{same_nick, shown};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use p2p_core::{ConnId, Duration, FileId, Instant, OpId, RelPath};

/// How long a holder that failed is left alone, times its failures.
pub(super) const REST: Duration = Duration::from_secs(1);

/// A file that is wanted, or a range of one that another holder gives meanwhile.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) op: OpId,
    pub(super) sources: Vec<Source>,
    /// Which of them is asked.
    pub(super) at: usize,
    /// Attempts at it without a new byte.
    pub(super) attempts: u32,
    pub(super) size: Option<u64>,
    pub(super) sink: Sink,
    pub(super) known: Known,
    pub(super) stage: Stage,
    pub(super) intake: Option<Intake>,
    /// The holder is not read for now.
    pub(super) paused: bool,
    /// The reader of the answers does not keep up.
    pub(super) reader_full: bool,
    /// When the last byte came.
    pub(super) heard: Instant,
    pub(super) report_at: Instant,
    /// How much of it was safe when it was begun, as the mark says.
    pub(super) marked: Option<u64>,
    /// Of which download this is a range.
    pub(super) range: Option<Range>,
    pub(super) ranges: Ranges,
}

impl Download {
    /// A download of which nothing is had and nobody is asked yet.
    pub(super) fn new(op: OpId, size: Option<u64>, sink: Sink, now: Instant) -> Self {
        Self {
            op,
            sources: Vec::new(),
            at: 0,
            attempts: 0,
            size,
            sink,
            known: Known::nothing(),
            stage: Stage::Looking,
            intake: None,
            paused: false,
            reader_full: false,
            heard: now,
            report_at: now,
            marked: None,
            range: None,
            ranges: Ranges::default(),
        }
    }
}

/// A part of which nothing is known yet.
pub(super) fn new_part(file: FileId) -> Part {
    let mark = FileId::new(file.root(), name::mark(file.path()));
    Part::new(file, mark, 0)
}

/// Where the content goes.
#[derive(Debug)]
pub(super) enum Sink {
    /// To the reader of the operation only.
    Stream,
    Disk {
        target: RelPath,
        part: Part,
    },
}

#[derive(Debug)]
pub(super) enum Stage {
    /// How much is here of an earlier attempt?
    Looking,
    /// How does it begin and end?
    Recalling,
    /// Until a server lets us in.
    Offline,
    /// 203 was sent.
    Asked,
    /// 500 was sent.
    Pushed,
    /// The holder is being dialled, or was, or has.
    Connected(ConnId),
    /// Until the timer.
    Resting,
    /// A range, which nobody gives now.
    Idle,
    /// The next range begins where this ends: what is here of it is taken over, once nobody adds to it.
    Joining,
    /// Everything is here; it is brought to its place.
    Finishing(u32),
    /// What came is being written, then it ends like this.
    Ending(Result<(), Error>),
}

impl Stage {
    pub(super) const fn needs_server(&self) -> bool {
        matches!(self, Self::Asked | Self::Pushed | Self::Resting)
    }
}

impl Download {
    pub(super) fn source(&self) -> Option<&Source> {
        self.sources.get(self.at)
    }

    pub(super) const fn unwritten(&self) -> u64 {
        match &self.sink {
            Sink::Stream => 0,
            Sink::Disk { part, .. } => part.unwritten(),
        }
    }

    /// Where in the file it begins.
    pub(super) fn base(&self) -> u64 {
        self.range.as_ref().map_or(0, |range| range.base)
    }

    /// Up to where the file is here from its beginning on.
    pub(super) fn position(&self) -> u64 {
        self.base() + self.known.len
    }

    /// A new byte came: the holder is worth another attempt.
    pub(super) const fn gained(&mut self, now: Instant) {
        self.attempts = 0;
        self.heard = now;
    }
}

impl Client {
    pub(super) fn download(&mut self, op: OpId, mut wanted: Wanted, to_disk: bool, cx: &mut Context<'_>) {
        if self.downloads.len() >= self.config.limits.downloads {
            return cx.finish(op, Err(Error::Limit { what: "downloads" }));
        }
        wanted.sources.retain(|source| !self.is_self(&source.nick));
        wanted.sources.truncate(self.config.limits.sources);
        let Some(first) = wanted.sources.first() else {
            return cx.finish(op, Err(SourceError::Refused.into()));
        };
        let sink = if to_disk {
            let target =
                wanted.to.unwrap_or_else(|| name::target(&first.name, |name| shown(name).to_string()));
            let file = FileId::new(self.config.downloads, name::part(&target, wanted.size));
            if self.is_being_written(&file) {
                return cx.finish(op, Err(Error::Downloading));
            }
            Sink::Disk { target, part: new_part(file) }
        } else {
            Sink::Stream
        };
        let key = self.next_download;
        self.next_download += 1;
        let sources = wanted.sources;
        let download = Download { sources, ..Download::new(op, wanted.size, sink, cx.now()) };
        let to_disk = matches!(download.sink, Sink::Disk { .. });
        self.downloads.insert(key, download);
        self.download_ops.insert(op, key);
        if to_disk {
            self.look_for_ranges(key, cx);
            self.look(key, cx);
        } else {
            self.ask_source(key, cx);
        }
    }

    /// Whether some download writes this file; on some disks names that differ in case are one.
    fn is_being_written(&self, file: &FileId) -> bool {
        let name = file.path().as_str().to_lowercase();
        self.downloads.values().any(|download| match &download.sink {
            Sink::Disk { part, .. } => part.file().path().as_str().to_lowercase() == name,
            Sink::Stream => false,
        })
    }

    pub(super) fn downloads_in(&self, is: impl Fn(&Stage) -> bool) -> Vec<u32> {
        self.downloads.iter().filter(|(_, download)| is(&download.stage)).map(|(key, _)| *key).collect()
    }

    pub(super) fn set_stage(&mut self, key: u32, stage: Stage, cx: &mut Context<'_>) {
        if let Some(download) = self.downloads.get_mut(&key) {
            download.stage = stage;
            cx.clear_timer(Timer::Download(key));
        }
    }

    pub(super) fn progress(&mut self, key: u32, state: State, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let nick = download.source().map(|source| source.nick.clone()).unwrap_or_default();
        download.report_at = cx.now() + self.config.report_every;
        let (op, size) = (download.op, download.size);
        if download.range.is_some() && !matches!(state, State::Trying(_)) {
            return;
        }
        let progress = Progress { have: self.have(key), size, nick, state };
        cx.answer(op, Event::Progress(progress));
    }

    /// Asks the holder whose turn it is.
    pub(super) fn ask_source(&mut self, key: u32, cx: &mut Context<'_>) {
        if !self.is_online() {
            return self.set_stage(key, Stage::Offline, cx);
        }
        if !self.turn_to_spare_source(key) {
            // All holders give ranges: the first that is done goes on here.
            self.set_stage(key, Stage::Resting, cx);
            return cx.set_timer(Timer::Download(key), REST);
        }
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Some(source) = download.source().cloned() else { return };
        download.stage = Stage::Asked;
        self.say(&ToServer::Download { nick: &source.nick, file: &source.name }, cx);
        cx.set_timer(Timer::Download(key), self.config.limits.answer);
        self.progress(key, State::Asking, cx);
    }

    /// The download that asked this user for this file and waits.
    pub(super) fn asked_of(&self, nick: &[u8], name: &[u8]) -> Option<u32> {
        self.waiting_for(nick, |known| known == name, |stage| matches!(stage, Stage::Asked | Stage::Pushed))
    }

    /// The download in such a stage whose turn it is at this user, and whose name for the file is such.
    pub(super) fn waiting_for(
        &self,
        nick: &[u8],
        is_name: impl Fn(&[u8]) -> bool,
        is_stage: impl Fn(&Stage) -> bool,
    ) -> Option<u32> {
        let mut downloads = self.downloads.iter();
        let found = downloads.find(|(_, download)| {
            is_stage(&download.stage)
                && download
                    .source()
                    .is_some_and(|source| same_nick(&source.nick, nick) && is_name(&source.name))
        });
        found.map(|(key, _)| *key)
    }

    /// 204: where the holder is.
    pub(super) fn offered(&mut self, offer: &Offer<'_>, cx: &mut Context<'_>) {
        let asked = |stage: &Stage| matches!(stage, Stage::Asked);
        let Some(key) = self.waiting_for(offer.nick, |name| name == offer.file, asked) else { return };
        if offer.port == 0 {
            return self.push_wanted(key, cx);
        }
        match self.checked_address(offer.addr.into(), offer.port) {
            Ok(at) => {
                let conn = cx.connect(at);
                self.set_stage(key, Stage::Connected(conn), cx);
                self.dial_for_file(conn, key);
            }
            Err(why) => self.source_failed(key, why.into(), cx),
        }
    }

    /// An address that the server gave, if it may be dialled.
    pub(super) fn checked_address(
        &self,
        ip: Ipv4Addr,
        port: u16,
    ) -> Result<core::net::SocketAddr, address::BadAddress> {
        let server = self.session.server().ok_or(address::BadAddress::Unset)?;
        let at = address::check(ip, port, server, self.config.low_ports)?;
        // Our own data port would only talk to itself.
        let own = |own: core::net::SocketAddr| {
            own.port() == port && (ip.is_loopback() || own.ip() == core::net::IpAddr::V4(ip))
        };
        if self.listening.is_some_and(own) { Err(address::BadAddress::Own) } else { Ok(at) }
    }

    /// The holder cannot be dialled, and is asked to dial.
    fn push_wanted(&mut self, key: u32, cx: &mut Context<'_>) {
        if self.port() == 0 {
            return self.source_failed(key, SourceError::Firewalled, cx);
        }
        let Some(source) = self.downloads.get(&key).and_then(|download| download.source()).cloned() else {
            return;
        };
        self.set_stage(key, Stage::Pushed, cx);
        cx.set_timer(Timer::Download(key), self.config.limits.greeting * 2);
        self.say(&ToServer::DownloadFirewalled { nick: &source.nick, file: &source.name }, cx);
        self.progress(key, State::Pushed, cx);
    }

    /// 620: the holder's places are taken. Another holder is tried; if there is none, this one again after a while.
    pub(super) fn queued(&mut self, nick: &[u8], name: &[u8], limit: u64, cx: &mut Context<'_>) {
        let Some(key) = self.asked_of(nick, name) else { return };
        self.progress(key, State::Queued(limit), cx);
        if self.is_range(key) {
            return self.range_failed(key, cx);
        }
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.at = (download.at + 1) % download.sources.len().max(1);
        download.stage = Stage::Resting;
        let wait = if download.at == 0 { self.config.queue_retry } else { REST };
        cx.set_timer(Timer::Download(key), wait);
    }

    pub(super) fn download_late(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        match &download.stage {
            Stage::Asked | Stage::Pushed => self.source_failed(key, SourceError::Silent, cx),
            Stage::Resting => self.ask_source(key, cx),
            Stage::Connected(conn) => {
                let (conn, late) = (*conn, download.heard + self.config.limits.silence);
                if download.paused || cx.now() < late {
                    let at = if download.paused { cx.now() + self.config.limits.silence } else { late };
                    return cx.set_timer_at(Timer::Download(key), at);
                }
                self.drop_stream(conn, cx);
                self.source_failed(key, SourceError::Silent, cx);
            }
            _ => {}
        }
    }

    /// What came of the holder whose turn it is. The next one is tried, or the same once more.
    pub(super) fn source_failed(&mut self, key: u32, why: SourceError, cx: &mut Context<'_>) {
        self.progress(key, State::Trying(why.clone()), cx);
        self.write_part(key, true, cx);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        download.intake = None;
        download.paused = false;
        if download.range.is_some() {
            return self.range_failed(key, cx);
        }
        download.attempts += 1;
        let hopeless = !matches!(
            why,
            SourceError::Silent
                | SourceError::Connection(_)
                | SourceError::Short { .. }
                | SourceError::Offline
        );
        let attempts = download.attempts;
        if hopeless || attempts >= self.config.limits.attempts {
            download.sources.remove(download.at.min(download.sources.len() - 1));
            download.attempts = 0;
        } else {
            download.at += 1;
        }
        if download.sources.is_empty() {
            return self.end_download(key, Err(why.into()), cx);
        }
        download.at %= download.sources.len();
        download.stage = Stage::Resting;
        cx.set_timer(Timer::Download(key), REST * attempts);
    }

    /// Ends a download once what came is written.
    pub(super) fn end_download(&mut self, key: u32, result: Result<(), Error>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        if let Stage::Connected(conn) = download.stage {
            self.drop_stream(conn, cx);
        }
        self.ranges_end(key, cx);
        self.set_stage(key, Stage::Ending(result), cx);
        self.write_part(key, true, cx);
        self.check_ended(key, cx);
    }

    /// Whether a download that is ending has ended.
    pub(super) fn check_ended(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        let Stage::Ending(result) = &download.stage else { return };
        if download.unwritten() > 0 || self.ranges_unwritten(key) {
            return;
        }
        let (op, result) = (download.op, result.clone());
        self.forget_ranges(key);
        self.downloads.remove(&key);
        self.download_ops.remove(&op);
        cx.clear_timer(Timer::Download(key));
        cx.finish(op, result);
    }
}
