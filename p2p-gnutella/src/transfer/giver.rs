//! [`GiverStream`]: the conversation with a source.
//!
//! ```text
//!  opening ── idle ──┬─ HEAD ── what is it like? ──┬── idle
//!              ▲     ├─ N2X ── tree ───────────────┤
//!              │     └─ N2R, a range ── data ──────┤
//!              └── queue, in a while ◄── 503 ──────┘
//! ```

use super::download::Phase;
use super::event::SourceError;
use super::http::{self, Place};
use super::slices::Giver;
use super::source::{Locator, Stage};
use super::{Context, Stream, Timer, Transfers};
use crate::Urn;
use crate::head::{Head, HeadReader};
use crate::thex::{LIST_MAX, TigerTree};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use core::ops::Range;
use p2p_core::http::{BodyLen, ByteRange, ContentRange, Request, Response, percent_encode};
use p2p_core::{ConnId, Duration, Instant};

/// The longest message with a tree: its layers, and some lines.
const TREE_MAX: u64 = LIST_MAX as u64 + 4_096;
/// How long a source is left alone that has nothing of what is missing.
const NOTHING_FOR_US: Duration = Duration::from_secs(30);
/// The longest wait that a source can impose.
const WAIT_MAX: Duration = Duration::from_hours(1);
/// Bytes a second below which a source is none: those of the slowest modems gave more.
const RATE_MIN: u64 = 512;
/// The target rate: a range takes about so many seconds.
const RANGE_SECS: u64 = 4;

/// What a source was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Head,
    Tree,
    Range(Range<u64>),
}

#[derive(Debug)]
enum Step {
    Opening,
    Idle,
    Answer(Asked),
    Tree {
        left: u64,
        data: Vec<u8>,
    },
    Data {
        left: u64,
    },
    /// Bytes of a body that is not wanted.
    Skip(u64),
}

/// A stream to a source, or from one that was told to connect.
#[derive(Debug)]
pub(super) struct GiverStream {
    key: u32,
    giver: Giver,
    pub(super) head: HeadReader,
    step: Step,
    pub(super) heard: Instant,
    /// When the range was asked for, and what came of it.
    began: Instant,
    got: u64,
    keep: bool,
    peer: Option<SocketAddr>,
    /// It has said what its file is like.
    headed: bool,
    queued: Option<String>,
}

impl GiverStream {
    pub(super) fn new(key: u32, giver: Giver, now: Instant) -> Self {
        Self {
            key,
            giver,
            head: HeadReader::default(),
            step: Step::Opening,
            heard: now,
            began: now,
            got: 0,
            keep: true,
            peer: None,
            headed: false,
            queued: None,
        }
    }

    pub(super) fn opened(&mut self, peer: SocketAddr) {
        self.peer = Some(peer);
        self.step = Step::Idle;
    }

    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.step, Step::Idle)
    }

    /// Whether it says nothing, or so little that it only keeps others from giving it.
    pub(super) fn is_silent(&self, now: Instant, silence: Duration) -> bool {
        let trickles = matches!(self.step, Step::Data { .. } | Step::Tree { .. } | Step::Skip(_))
            && now.since(self.began) >= silence
            && self.got < RATE_MIN * now.since(self.began).as_secs();
        now.since(self.heard) >= silence || trickles
    }
}

impl Transfers {
    fn giver(&mut self, conn: ConnId) -> Option<&mut GiverStream> {
        match self.streams.get_mut(&conn) {
            Some(Stream::Giver(giver)) => Some(giver),
            _ => None,
        }
    }

    pub(super) fn giver_opened(&mut self, conn: ConnId, peer: SocketAddr, cx: &mut Context<'_>) {
        cx.clear_timer(Timer::Stream(conn));
        if let Some(giver) = self.giver(conn) {
            giver.opened(peer);
        }
        self.ask_giver(conn, cx);
    }

    /// Asks a source that waits for the next thing that is missing.
    pub(super) fn ask_giver(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn).filter(|stream| stream.is_idle()) else { return };
        let (key, giver) = (stream.key, stream.giver);
        let Some(asked) = self.choose(conn, cx) else {
            // It has nothing for us, and its slot is another's.
            let at = cx.now() + NOTHING_FOR_US;
            return self.rest(key, giver, at, cx);
        };
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let Some(source) = download.source(giver) {
            source.stage = Stage::Connected(conn);
        }
        let urn = Urn::Sha1(download.sha1);
        let (have, has_tree, sha1) = (download.have(), download.tree.is_some(), download.sha1);
        let bad: Vec<String> = download.bad.iter().map(http::address_text).collect();
        let numbered = download.numbered.clone();
        let target = match &numbered {
            Some(name) => {
                let number = download.source(giver).and_then(|source| source.at.number).unwrap_or_default();
                let mut target = format!("/get/{number}/");
                percent_encode(name, &mut target);
                target
            }
            None => format!("/uri-res/{}?{urn}", if asked == Asked::Tree { "N2X" } else { "N2R" }),
        };
        let mut request = Request::get(target);
        if asked == Asked::Head {
            request.method = "HEAD".into();
        }
        let own = self.config.address;
        let features = self.features();
        let agent = self.config.agent.clone();
        let share = self.config.share_partial;
        let Some(stream) = self.giver(conn) else { return };
        let host = stream.peer.map_or_else(String::new, |peer| peer.to_string());
        let headers = &mut request.headers;
        headers.push("Host", host);
        headers.push("User-Agent", agent);
        if let Asked::Range(range) = &asked {
            headers.push("Range", ByteRange::FromTo(range.start, range.end.saturating_sub(1)).to_string());
            headers.push("X-Queue", "0.1");
            if let Some(id) = &stream.queued {
                headers.push("X-Queued", format!("ID={id}"));
            }
            headers.push("X-Features", features);
            headers.push("X-Downloaded", format!("{have}"));
        }
        let peer_ip = stream.peer.map(|peer| peer.ip());
        stream.began = cx.now();
        stream.heard = cx.now();
        stream.got = 0;
        let is_range = matches!(asked, Asked::Range(_));
        stream.step = Step::Answer(asked);
        if let Some(own) = own {
            headers.push("X-Node", own.to_string());
        }
        if is_range && numbered.is_none() {
            let mut told: Vec<String> = Vec::new();
            if let (Some(own), true) = (own, share && has_tree && have > 0) {
                told.push(http::address_text(&own));
            }
            let nobody = core::net::IpAddr::from([0, 0, 0, 0]);
            let ipv6 = peer_ip.is_some_and(|ip| ip.to_canonical().is_ipv6());
            told.extend(
                self.mesh.tell(&sha1, peer_ip.unwrap_or(nobody), 8, ipv6).iter().map(http::address_text),
            );
            if !told.is_empty() {
                headers.push("X-Alt", told.join(","));
            }
            if !bad.is_empty() {
                headers.push("X-NAlt", bad.join(","));
            }
        }
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes);
        cx.send(conn, bytes);
    }

    /// What a source is asked for next; `None` if it has nothing that is missing.
    fn choose(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Option<Asked> {
        let Some(Stream::Giver(stream)) = self.streams.get(&conn) else { return None };
        let (key, giver, headed) = (stream.key, stream.giver, stream.headed);
        let limits = &self.config.limits;
        let (range_min, range_max) = (limits.range_min, limits.range_max);
        let download = self.downloads.get_mut(&key).filter(|download| download.phase == Phase::Fetching)?;
        if download.slices.is_none() {
            let knows = download.size.is_some() && (download.tth.is_some() || download.plain);
            if !knows && !headed {
                return Some(Asked::Head);
            }
            let gave = download.source(giver)?.gave_tree;
            if download.tth.is_some() && download.tree.is_none() && !download.plain && !gave {
                download.source(giver)?.gave_tree = true;
                return Some(Asked::Tree);
            }
            download.size?;
            if download.tree.is_none() {
                // Others that are there may have one.
                let others = self.streams.values().any(|stream| match stream {
                    Stream::Giver(other) => {
                        other.key == key
                            && other.giver != giver
                            && matches!(other.step, Step::Opening | Step::Answer(_) | Step::Tree { .. })
                    }
                    _ => false,
                });
                let download = self.downloads.get_mut(&key)?;
                let untried = download.sources.iter().any(|source| {
                    !source.gave_tree && matches!(source.stage, Stage::Connected(is) if is != conn)
                });
                if !download.plain && others && untried {
                    return None;
                }
                download.plain = true;
            }
            self.lay_out(key);
        }
        let download = self.downloads.get_mut(&key)?;
        // One source gives from the beginning on; of many, others who fetch may be some.
        let from = match &download.slices {
            Some(slices) if download.sources.len() > 1 => cx.rng().index(slices.count().max(1)),
            _ => 0,
        };
        let source = download.source(giver)?;
        if source.available.is_some() && !headed {
            // What it had when it was asked last is no more all that it has.
            return Some(Asked::Head);
        }
        let most = (source.rate * RANGE_SECS).clamp(range_min, range_max.max(range_min));
        let available = source.available.clone();
        let whole_only = source.whole_only;
        let slices = download.slices.as_mut()?;
        let claim = slices
            .claim(giver, most, available.as_deref(), if whole_only { 0 } else { from })
            .or_else(|| {
                // Everything is asked of somebody: a faster one takes over a half.
                slices.split(giver, range_min / 4, available.as_deref()).map(|(_, range)| range)
            })?;
        if whole_only && claim.start > 0 {
            slices.release(giver);
            return None;
        }
        Some(Asked::Range(claim))
    }

    pub(super) fn giver_said(&mut self, conn: ConnId, mut data: Bytes, cx: &mut Context<'_>) {
        while !data.is_empty() {
            let now = cx.now();
            let Some(stream) = self.giver(conn) else { return };
            stream.heard = now;
            let (key, giver) = (stream.key, stream.giver);
            match &mut stream.step {
                Step::Opening | Step::Idle => {
                    // A line end behind the last body is no answer.
                    if data.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                        return;
                    }
                    return self.failed(key, giver, SourceError::Malformed("unasked"), cx);
                }
                Step::Answer(asked) => {
                    let asked = asked.clone();
                    match stream
                        .head
                        .read(&mut data)
                        .and_then(|head| head.map(Head::into_response).transpose())
                    {
                        Ok(None) => {}
                        Ok(Some(answer)) => self.answered(conn, asked, &answer, cx),
                        Err(_) => return self.failed(key, giver, SourceError::Malformed("head"), cx),
                    }
                }
                Step::Tree { left, data: tree } => {
                    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                    tree.extend_from_slice(&data.split_to(len));
                    *left -= len as u64;
                    if *left == 0 {
                        let tree = core::mem::take(tree);
                        self.tree_came(conn, &tree, cx);
                    }
                }
                Step::Data { left } => {
                    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                    *left -= len as u64;
                    let (rest, part) = (*left, data.split_to(len));
                    stream.got += len as u64;
                    self.data_came(conn, part, rest, cx);
                }
                Step::Skip(left) => {
                    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                    *left -= len as u64;
                    let over = *left == 0;
                    let _ = data.split_to(len);
                    if over {
                        self.over(conn, cx);
                    }
                }
            }
        }
    }

    /// An answer is done with: the next request, if the stream is still open.
    fn over(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver, keep) = (stream.key, stream.giver, stream.keep);
        stream.step = Step::Idle;
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let stage = download.source(giver).map(|source| source.stage);
        match stage {
            // It is asked again when it is time.
            Some(Stage::Queued(..)) if keep => {}
            Some(Stage::Queued(_, at)) => self.rest(key, giver, at, cx),
            _ if keep => self.ask_giver(conn, cx),
            _ => {
                self.rest(key, giver, now, cx);
                self.tend(key, cx);
            }
        }
    }

    fn answered(&mut self, conn: ConnId, asked: Asked, answer: &Response, cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver) = (stream.key, stream.giver);
        stream.keep = answer.keeps_alive();
        let headers = &answer.headers;
        for addr in http::alternates(headers, "x-alt") {
            self.add_source(key, Locator::at(addr), cx);
        }
        if let Some(source) = self.downloads.get_mut(&key).and_then(|download| download.source(giver)) {
            source.head_at = None;
        }
        if let Err(why) = self.facts(key, giver, &asked, answer) {
            return self.failed(key, giver, why, cx);
        }
        let body = answer.body();
        match (answer.status, asked) {
            (200 | 206, Asked::Head) => {
                if let Some(stream) = self.giver(conn) {
                    stream.headed = true;
                }
                self.over(conn, cx);
            }
            // It has no HEAD. What it is like is told with its first range.
            (400 | 405 | 501, Asked::Head) if self.is_sized(key) => {
                if let Some(stream) = self.giver(conn) {
                    stream.headed = true;
                    stream.keep = false;
                }
                self.over(conn, cx);
            }
            (200, Asked::Tree) => match body {
                Ok(BodyLen::Sized(left)) if (1..=TREE_MAX).contains(&left) => {
                    if let Some(stream) = self.giver(conn) {
                        stream.step = Step::Tree { left, data: Vec::new() };
                    }
                }
                _ => self.refused(conn, answer, cx),
            },
            // It has no tree, and can give the file all the same.
            (_, Asked::Tree) => self.refused(conn, answer, cx),
            (200 | 206, Asked::Range(range)) => match self.part_of(key, answer, &range) {
                Ok(part) => {
                    if part.start > range.start || part.end < range.end {
                        let slices =
                            self.downloads.get_mut(&key).and_then(|download| download.slices.as_mut());
                        if let Some(slices) = slices {
                            slices.narrow(giver, part.start, part.end);
                        }
                    }
                    let queued = Place::of(headers).and_then(|place| place.id);
                    if let Some(stream) = self.giver(conn) {
                        stream.queued = queued.or_else(|| stream.queued.take());
                        stream.step = Step::Data { left: part.end - part.start };
                    }
                }
                Err(why) => {
                    if let Some(source) =
                        self.downloads.get_mut(&key).and_then(|download| download.source(giver))
                    {
                        source.whole_only |= answer.status == 200;
                    }
                    self.failed(key, giver, why, cx);
                }
            },
            (503 | 429 | 416, asked) => self.wait_for(conn, &asked, answer, cx),
            (status, _) => self.failed(key, giver, SourceError::Status(status), cx),
        }
    }

    /// Whether it is known how long a file is, or somebody else may say it.
    fn is_sized(&self, key: u32) -> bool {
        let download = self.downloads.get(&key);
        download.is_some_and(|download| download.size.is_some() || download.numbered.is_none())
    }

    /// What an answer says of the file, whatever was asked for.
    fn facts(&mut self, key: u32, giver: Giver, asked: &Asked, answer: &Response) -> Result<(), SourceError> {
        let headers = &answer.headers;
        let Some(download) = self.downloads.get_mut(&key) else { return Ok(()) };
        if let Some(available) = http::available_ranges(headers)
            && let Some(source) = download.source(giver)
        {
            source.available = Some(available);
        }
        if *asked == Asked::Tree || !matches!(answer.status, 200 | 206) {
            return Ok(());
        }
        let range = headers.get("content-range").and_then(ContentRange::parse);
        let len = match answer.body() {
            Ok(BodyLen::Sized(len)) if answer.status == 200 => Some(len),
            _ => None,
        };
        if let Some(size) = range.and_then(|range| range.total).or(len) {
            let known = *download.size.get_or_insert(size);
            if known != size {
                return Err(SourceError::Size(size));
            }
        }
        if download.numbered.is_some() {
            let names = ["x-gnutella-content-urn", "x-content-urn"];
            let told = names.iter().find_map(|name| headers.get(name)?.parse::<Urn>().ok()?.sha1());
            download.told = download.told.or(told);
        }
        if let Some(root) = http::tree_root(headers) {
            let believed = download.tree_believed() || download.tth_given;
            match download.tth {
                None if !download.plain => {
                    download.tth = Some(root);
                    download.tree_from = Some(giver);
                }
                Some(known) if known != root && believed => return Err(SourceError::Tree),
                _ => {}
            }
        }
        Ok(())
    }

    /// Which part of the file an answer gives: nothing that was not asked for, whatever it says.
    fn part_of(&self, key: u32, answer: &Response, asked: &Range<u64>) -> Result<Range<u64>, SourceError> {
        let Some(size) = self.downloads.get(&key).and_then(|download| download.size) else {
            return Err(SourceError::Range);
        };
        let len = match answer.body() {
            Ok(BodyLen::Sized(len)) => Some(len),
            Ok(BodyLen::UntilClose) => None,
            Ok(BodyLen::Chunked) | Err(_) => return Err(SourceError::Malformed("length")),
        };
        let said =
            answer.headers.get("content-range").and_then(ContentRange::parse).and_then(|range| range.part);
        let part = match (answer.status, said) {
            (206, Some((first, last))) => first..last + 1,
            (206, None) => return Err(SourceError::Range),
            // The whole, whatever was asked for.
            _ => 0..len.ok_or(SourceError::Malformed("length"))?,
        };
        if len.is_some_and(|len| len != part.end - part.start) {
            return Err(SourceError::Malformed("length"));
        }
        let slice_len =
            self.downloads.get(&key).and_then(|of| of.slices.as_ref()).map_or(1, |slices| slices.slice_len());
        // A part of what was asked for will do, unless it starts in the middle of a slice whose beginning is missing then.
        let starts =
            part.start == asked.start || asked.contains(&part.start) && part.start.is_multiple_of(slice_len);
        if part.end > size || part.is_empty() || !starts {
            return Err(SourceError::Range);
        }
        Ok(part)
    }

    /// No tree, or no such answer: its body is skipped if it is short.
    fn refused(&mut self, conn: ConnId, answer: &Response, cx: &mut Context<'_>) {
        let skip = self.config.limits.skip;
        let Some(stream) = self.giver(conn) else { return };
        match answer.body() {
            Ok(BodyLen::Sized(0)) => {}
            Ok(BodyLen::Sized(len)) if len <= skip => {
                stream.step = Step::Skip(len);
                return;
            }
            _ => stream.keep = false,
        }
        self.over(conn, cx);
    }

    /// A source is busy: we wait in its queue, or come again.
    fn wait_for(&mut self, conn: ConnId, asked: &Asked, answer: &Response, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver, keep) = (stream.key, stream.giver, stream.keep);
        let headers = &answer.headers;
        let place = Place::of(headers).filter(|_| answer.status == 503);
        let retry = http::retry_after(headers);
        if let Some(id) = place.as_ref().and_then(|place| place.id.clone()) {
            stream.queued = Some(id);
        }
        if let Some(slices) = self.downloads.get_mut(&key).and_then(|download| download.slices.as_mut()) {
            slices.release(giver);
        }
        let has_some = self
            .downloads
            .get_mut(&key)
            .and_then(|download| download.source(giver))
            .and_then(|source| source.available.as_ref())
            .is_some_and(|ranges| !ranges.is_empty());
        if answer.status == 416
            && has_some
            && let Some(stream) = self.giver(conn)
            && !core::mem::replace(&mut stream.headed, true)
        {
            // Now it is known what it has.
            return self.refused(conn, answer, cx);
        }
        let fallback = self.config.retry;
        match place {
            Some(place) if keep && matches!(asked, Asked::Range(_)) => {
                // A little later than the earliest, for their clock is not ours.
                let wait =
                    place.poll_min.or(retry).unwrap_or(fallback).min(WAIT_MAX) + Duration::from_secs(1);
                let latest = place.poll_max.map_or(wait, |latest| latest.max(Duration::from_secs(1)));
                let at = now + wait.min(latest);
                if let Some(source) = self.downloads.get_mut(&key).and_then(|download| download.source(giver))
                {
                    source.stage = Stage::Queued(conn, at);
                    source.failures = 0;
                }
                self.refused(conn, answer, cx);
                self.tend(key, cx);
            }
            _ => {
                let wait = retry.unwrap_or(fallback).clamp(fallback, WAIT_MAX);
                self.rest(key, giver, now + wait, cx);
                self.tend(key, cx);
            }
        }
    }

    fn tree_came(&mut self, conn: ConnId, message: &[u8], cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver) = (stream.key, stream.giver);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let (Some(size), Some(root), None, true) =
            (download.size, download.tth, &download.tree, download.slices.is_none())
        {
            match TigerTree::from_dime(size, &root, message) {
                Ok(tree) => {
                    download.tree = Some(tree);
                    self.lay_out(key);
                }
                Err(_) if download.tth_given || download.tree_from == Some(giver) => {
                    return self.failed(key, giver, SourceError::Tree, cx);
                }
                // It may have another root, which may be the right one.
                Err(_) => {}
            }
        }
        self.over(conn, cx);
        self.tend(key, cx);
    }

    fn data_came(&mut self, conn: ConnId, part: Bytes, left: u64, cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver) = (stream.key, stream.giver);
        let (len, (began, got)) = (part.len(), (stream.began, stream.got));
        let stored = self.store(key, giver, part, cx);
        self.hold_back(key, cx);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let claimed = download.slices.as_ref().and_then(|slices| slices.claimed(giver));
        let more = claimed.is_some_and(|claim| !claim.is_empty());
        let elapsed = cx.now().since(began).as_millis().max(1);
        if (left == 0 || !more)
            && let Some(source) = download.source(giver)
        {
            source.rate = u64::try_from(u128::from(got) * 1_000 / elapsed).unwrap_or(u64::MAX).min(1 << 40);
            if stored > 0 {
                source.failures = 0;
            }
        }
        let Some(stream) = self.giver(conn) else { return };
        if left == 0 {
            return self.over(conn, cx);
        }
        if stored < len || !more {
            // The rest was given to another, or is more than was asked for.
            let skip = self.config.limits.skip;
            let Some(stream) = self.giver(conn) else { return };
            if left <= skip {
                stream.step = Step::Skip(left);
            } else {
                let now = cx.now();
                self.rest(key, giver, now, cx);
                self.tend(key, cx);
            }
        } else {
            stream.step = Step::Data { left };
        }
    }

    /// Stops reading sources that are faster than the disk, and goes on with them.
    pub(super) fn hold_back(&mut self, key: u32, cx: &mut Context<'_>) {
        let limit = self.config.limits.unwritten;
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let held = download.unwritten > if download.held { limit / 2 } else { limit };
        if held == download.held {
            return;
        }
        download.held = held;
        let conns: Vec<ConnId> = download.sources.iter().filter_map(super::source::Source::conn).collect();
        for conn in conns {
            if let Some(stream) = self.giver(conn).filter(|stream| !matches!(stream.step, Step::Opening)) {
                stream.heard = cx.now();
                cx.pause(conn, held);
            }
        }
    }

    /// The stream of a source ended.
    pub(super) fn giver_gone(&mut self, stream: &GiverStream, why: SourceError, cx: &mut Context<'_>) {
        let (key, giver) = (stream.key, stream.giver);
        let now = cx.now();
        let Some(source) = self.downloads.get_mut(&key).and_then(|download| download.source(giver)) else {
            return;
        };
        let stage = source.stage;
        if source.is_lost() || source.conn().is_none() {
            return;
        }
        match stage {
            // The place is lost; it may be had again.
            Stage::Queued(_, at) => {
                source.stage = Stage::Resting(at.max(now));
            }
            Stage::Connected(_) => {
                let opening = matches!(stream.step, Step::Opening);
                let idle = stream.is_idle();
                source.stage = Stage::Resting(now);
                if let Some(slices) =
                    self.downloads.get_mut(&key).and_then(|download| download.slices.as_mut())
                {
                    slices.release(giver);
                }
                if !idle {
                    let source = self.downloads.get_mut(&key).and_then(|download| download.source(giver));
                    if source.is_some_and(|source| opening && source.unreached()) {
                        return self.tend(key, cx);
                    }
                    return self.failed(key, giver, why, cx);
                }
            }
            _ => {}
        }
        self.tend(key, cx);
    }

    /// A source cannot be reached in time.
    pub(super) fn giver_late(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(Stream::Giver(stream)) = self.drop_stream(conn, true, cx) else { return };
        self.giver_gone(&stream, SourceError::Connection(p2p_core::IoError::TimedOut), cx);
    }
}
