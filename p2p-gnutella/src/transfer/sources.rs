//! The sources of a file: who is asked, when, and how it is reached.

use super::download::Phase;
use super::event::SourceError;
use super::giver::GiverStream;
use super::slices::Giver;
use super::source::{Locator, PROXIES_MAX, Source, Stage, is_final};
use super::{Ask, Context, Event, Stream, Timer, Transfers, http};
use crate::head::HeadReader;
use crate::{Guid, Urn};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::http::Request;
use p2p_core::{ConnId, Duration, Instant};

/// How long after a search for more sources the next one may follow.
const SEARCH_EVERY: Duration = Duration::from_mins(5);
/// How long before it is looked again whether there is an address to push to.
const ADDRESS_WITHIN: Duration = Duration::from_secs(2);
/// Failures after which the wait does not grow any more.
const WAIT_GROWS: u32 = 6;

/// A push proxy that is asked to tell a source to connect.
#[derive(Debug)]
pub(super) struct ProxyAsked {
    pub(super) key: u32,
    giver: Giver,
    servent: Guid,
    number: u32,
    proxy: SocketAddr,
    pub(super) head: HeadReader,
}

impl Transfers {
    /// Adds a source, unless it is known, given up, or one too many.
    pub(super) fn add_source(&mut self, key: u32, mut at: Locator, cx: &Context<'_>) {
        at.proxies.truncate(PROXIES_MAX);
        at.addr = at.addr.filter(http::is_plausible);
        at.other = at.other.filter(http::is_plausible);
        let own = self.config.address;
        let limit = self.config.limits.sources;
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let useless = at.addr.is_none() && at.servent.is_none() || at.addr.is_some() && at.addr == own;
        if useless || at.servent.is_some_and(|servent| servent == self.config.servent && !servent.is_zero()) {
            return;
        }
        if download.numbered.is_some() && at.number.is_none() {
            return;
        }
        if let Some(known) = download.sources.iter_mut().find(|source| source.at.is_same(&at)) {
            return known.at.add(at);
        }
        if download.sources.len() < limit {
            download.sources.push(Source::new(at, cx.now()));
        } else if let Some(source) = download.sources.iter_mut().find(|source| {
            // Numbers of sources are kept by slices: only one that never gave anything makes room.
            source.is_lost() && source.good == 0 && source.strikes == 0
        }) {
            *source = Source::new(at, cx.now());
        }
    }

    /// Looks after a download: connects to sources, asks those that are idle, gives up those that are silent, and tells.
    pub(super) fn tend(&mut self, key: u32, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if download.phase == Phase::Fetching {
            self.check_complete(key, cx);
            self.look_at_givers(key, cx);
            self.connect_more(key, cx);
            self.ask_heads(key, cx);
        }
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if now < download.report_at {
            return;
        }
        download.report_at = now + self.config.report_every;
        let (op, progress, phase) = (download.op, download.progress(), download.phase.clone());
        if !matches!(phase, Phase::Ending(_)) {
            cx.answer(op, Event::Progress(progress));
        }
        if phase == Phase::Fetching {
            let alive = progress.giving + progress.queued > 0;
            if !alive && now >= download.search_at && download.numbered.is_none() {
                download.search_at = now + SEARCH_EVERY;
                let urn = Urn::Sha1(download.sha1);
                self.ask_overlay(Ask::Search(urn));
            }
            self.save(key, cx);
        }
        // While nobody gives, nothing changes but by waits of seconds.
        let next = if progress.giving > 0 { self.config.report_every } else { self.config.report_every * 4 };
        cx.set_timer(Timer::Download(key), next);
    }

    fn look_at_givers(&mut self, key: u32, cx: &mut Context<'_>) {
        let now = cx.now();
        let silence = self.config.limits.silence;
        let Some(download) = self.downloads.get(&key) else { return };
        let held = download.held;
        let stages: Vec<(Giver, Stage)> =
            (0..).zip(download.sources.iter().map(|source| source.stage)).collect();
        for (giver, stage) in stages {
            match stage {
                Stage::Pushed(until) if now >= until => self.failed(key, giver, SourceError::Push, cx),
                Stage::Queued(conn, at) if now >= at => self.ask_giver(conn, cx),
                Stage::Connected(conn) => match self.streams.get(&conn) {
                    Some(Stream::Giver(stream)) if stream.is_idle() => self.ask_giver(conn, cx),
                    Some(Stream::Giver(stream)) if !held && stream.is_silent(now, silence) => {
                        self.failed(key, giver, SourceError::Silent, cx);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// How many sources are connected or on their way, but for those in whose queues we wait.
    fn connect_more(&mut self, key: u32, cx: &mut Context<'_>) {
        let now = cx.now();
        loop {
            let Some(download) = self.downloads.get(&key) else { return };
            if download.phase != Phase::Fetching {
                return;
            }
            let busy = |source: &&Source| matches!(source.stage, Stage::Connected(_) | Stage::Pushed(_));
            let most = if download.alone && download.tree.is_none() { 1 } else { self.config.limits.givers };
            if download.sources.iter().filter(busy).count() >= most {
                return;
            }
            // The first to ask says what the file is like; the others have something to do then.
            let wanted = download.slices.as_ref().is_none_or(super::slices::Slices::has_free);
            let due = |source: &Source| matches!(source.stage, Stage::Resting(at) if at <= now);
            let candidates = download.sources.iter().enumerate().filter(|(_, source)| due(source));
            let best = candidates.max_by_key(|(at, source)| {
                let doubt = core::cmp::Reverse((source.failures, source.strikes, *at));
                (source.good, source.has_it, doubt)
            });
            let Some((giver, _)) = best.filter(|_| wanted) else { return };
            let others_gave = download.contributors.iter().any(|other| *other != giver as Giver);
            if download.alone && download.tree.is_none() && others_gave {
                // What one gave and another goes on with says nothing of either.
                return self.begin_anew(key, cx);
            }
            self.reach(key, giver as Giver, cx);
        }
    }

    /// Dials a source, or has it told to connect.
    fn reach(&mut self, key: u32, giver: Giver, cx: &mut Context<'_>) {
        let connect = self.config.limits.connect;
        let until = cx.now() + connect;
        let Some(source) = self.downloads.get_mut(&key).and_then(|download| download.source(giver)) else {
            return;
        };
        let addr = if source.at_other { source.at.other } else { source.at.addr };
        if let Some(addr) = addr.filter(|_| !source.push) {
            let conn = cx.connect(addr);
            source.stage = Stage::Connected(conn);
            self.streams.insert(conn, Stream::Giver(GiverStream::new(key, giver, cx.now())));
            return cx.set_timer(Timer::Stream(conn), connect);
        }
        let Some(servent) = source.at.servent else {
            return self.failed(key, giver, SourceError::Push, cx);
        };
        if self.config.address.is_none() {
            // Nobody can be told where to connect: perhaps it is known soon, with the first neighbour.
            source.stage = Stage::Resting(cx.now() + ADDRESS_WITHIN);
            return;
        }
        source.push = false;
        source.stage = Stage::Pushed(until);
        let (number, proxies) = (source.at.number.unwrap_or_default(), source.at.proxies.clone());
        self.ask_overlay(Ask::Push { servent, number });
        for proxy in proxies.into_iter().filter(http::is_plausible) {
            let conn = cx.connect(proxy);
            let asked = ProxyAsked { key, giver, servent, number, proxy, head: HeadReader::default() };
            self.streams.insert(conn, Stream::Proxy(asked));
            cx.set_timer(Timer::Stream(conn), connect);
        }
    }

    pub(super) fn proxy_opened(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(Stream::Proxy(asked)) = self.streams.get(&conn) else { return };
        let Some(own) = self.config.address else { return };
        // The name that gtk-gnutella takes a GUID in base32 by, of this path and no other, in this case.
        let target =
            format!("/gnutella/push-proxy?ServerId={}&file={}", asked.servent.to_base32(), asked.number);
        let request = Request::get(target)
            .header("Host", asked.proxy.to_string())
            .header("User-Agent", &self.config.agent)
            .header("X-Node", own.to_string())
            .header("Connection", "close");
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes);
        cx.send(conn, bytes);
    }

    pub(super) fn proxy_said(&mut self, conn: ConnId, mut data: Bytes, cx: &mut Context<'_>) {
        let Some(Stream::Proxy(asked)) = self.streams.get_mut(&conn) else { return };
        let answer = match asked.head.read(&mut data) {
            Ok(None) => return,
            Ok(Some(head)) => head.into_response().ok(),
            Err(_) => None,
        };
        let sent = answer.is_some_and(|answer| matches!(answer.status, 200..=299));
        if let Some(Stream::Proxy(asked)) = self.drop_stream(conn, true, cx)
            && !sent
        {
            self.proxy_gone(&asked, cx);
        }
    }

    /// A proxy is of no use: it is not asked again.
    pub(super) fn proxy_gone(&mut self, asked: &ProxyAsked, _cx: &Context<'_>) {
        let source = self.downloads.get_mut(&asked.key).and_then(|download| download.source(asked.giver));
        if let Some(source) = source {
            source.at.proxies.retain(|proxy| *proxy != asked.proxy);
        }
    }

    /// A servent connects because it was told to: it becomes a giver of the file that waits for it, if there is one.
    pub(super) fn take_giver(
        &mut self,
        conn: ConnId,
        peer: SocketAddr,
        servent: Guid,
        cx: &mut Context<'_>,
    ) -> bool {
        let waits =
            |source: &Source| matches!(source.stage, Stage::Pushed(_)) && source.at.servent == Some(servent);
        let found = self.downloads.iter().find_map(|(key, download)| {
            download.sources.iter().position(waits).map(|giver| (*key, giver as Giver))
        });
        let Some((key, giver)) = found else { return false };
        let source = self.downloads.get_mut(&key).and_then(|download| download.source(giver));
        let Some(source) = source else { return false };
        source.stage = Stage::Connected(conn);
        let mut stream = GiverStream::new(key, giver, cx.now());
        stream.opened(peer);
        self.streams.insert(conn, Stream::Giver(stream));
        cx.clear_timer(Timer::Stream(conn));
        self.ask_giver(conn, cx);
        true
    }

    /// A source failed: it rests, the longer the more often, or is given up.
    pub(super) fn failed(&mut self, key: u32, giver: Giver, why: SourceError, cx: &mut Context<'_>) {
        let failures = self.config.limits.failures;
        let Some(source) = self.downloads.get_mut(&key).and_then(|download| download.source(giver)) else {
            return;
        };
        if source.is_lost() {
            return;
        }
        source.failures += 1;
        let (times, good) = (source.failures, source.good);
        // Who has given much is not given up for a bad minute.
        let patience = if good > 0 { failures * 4 } else { failures };
        if is_final(&why) || times >= patience {
            self.lose(key, giver, why, cx);
        } else {
            let at = cx.now() + self.config.retry * times.min(WAIT_GROWS);
            self.rest(key, giver, at, cx);
        }
        self.tend(key, cx);
    }

    /// A source is left alone until then; what it was to give is for others.
    pub(super) fn rest(&mut self, key: u32, giver: Giver, until: Instant, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let Some(slices) = &mut download.slices {
            slices.release(giver);
        }
        let Some(source) = download.source(giver).filter(|source| !source.is_lost()) else { return };
        let conn = source.conn();
        source.stage = Stage::Resting(until);
        if let Some(conn) = conn {
            self.drop_stream(conn, true, cx);
        }
    }
}
