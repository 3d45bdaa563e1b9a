//! [`GiverStream`]: the conversation with a source.
//!
//! ```text
//!  opening ── idle ──┬─ HEAD ── what is it like? ──┬── idle
//!              ▲     ├─ N2X ── tree ───────────────┤
//!              │     └─ N2R, a range ── data ──────┤
//!              └── queue, in a while ◄── 503 ──────┘
//! ```

mod answer;
mod ask;
mod body;
mod wait;

use super::event::SourceError;
use super::slices::Giver;
use super::source::Stage;
use super::{Context, Stream, Timer, Transfers};
use crate::head::{Head, HeadReader};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::ops::Range;
use p2p_core::{ConnId, Duration, Instant};

/// Bytes a second below which a source is none: those of the slowest modems gave more.
const RATE_MIN: u64 = 512;
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
