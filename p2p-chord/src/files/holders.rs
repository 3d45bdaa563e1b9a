//! Asking the holders of a file for its chunks: [`Holder`], and [`Link`], a connection to one.

use super::api::{Event, Fault, Timer};
use super::fetching::{Fetching, Phase};
use super::wire::{Answered, ask, read_answer};
use super::{Context, Error, Files};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::http::MAX_HEAD;
use p2p_core::{ConnId, Duration, Frames, Instant, IoError, OpId, StreamInput};

/// How long a busy holder is left alone, and how often.
const REST: Duration = Duration::from_secs(5);
const RESTS: u8 = 24;

/// Who has a file.
#[derive(Debug)]
pub(super) struct Holder {
    at: SocketAddr,
    state: State,
    rests: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Linked,
    /// It has too much to do until then.
    Resting(Instant),
    Dropped,
}

impl Holder {
    pub(super) const fn new(at: SocketAddr) -> Self {
        Self { at, state: State::Free, rests: 0 }
    }

    pub(super) const fn is_dropped(&self) -> bool {
        matches!(self.state, State::Dropped)
    }
}

/// A connection to a holder.
#[derive(Debug)]
pub(super) struct Link {
    holder: u16,
    is_open: bool,
    /// It gave a chunk already.
    gave: bool,
    chunk: Option<u32>,
    /// What it is asked for behind that, so that it need not wait for the question.
    next: Option<u32>,
    frames: Frames,
    /// How much of the chunk's bytes are outstanding, once its head is here.
    body: Option<u64>,
    keeps_alive: bool,
    got: Vec<Bytes>,
    /// Bytes since its pace was last looked at.
    recent: u64,
}

impl Link {
    /// Bytes of its chunk that are here.
    pub(super) fn received(&self) -> u64 {
        self.got.iter().map(|data| data.len() as u64).sum()
    }

    /// The chunks that it is asked for.
    fn asked(&self) -> impl Iterator<Item = u32> {
        self.chunk.into_iter().chain(self.next)
    }

    fn is_asked(&self, chunk: u32) -> bool {
        self.asked().any(|asked| asked == chunk)
    }
}

/// What a link's bytes came to.
enum Came {
    More,
    Chunk(u32, Vec<Bytes>),
    Busy,
}

impl Fetching {
    /// Whether a holder may be asked in this attempt.
    fn is_eligible(&self, number: u16) -> bool {
        self.trial.is_none_or(|trial| trial == number)
    }

    /// What a link is to ask for: a chunk that nobody is asked for, or, at the end, one that only one other is.
    fn chunk_for(&mut self, conn: ConnId) -> Option<u32> {
        self.chunks.next().or_else(|| {
            let asked: Vec<u32> = self.links.values().flat_map(Link::asked).collect();
            let is_alone = |chunk: &&u32| asked.iter().filter(|other| other == chunk).count() == 1;
            let is_mine = |chunk: &u32| self.links.get(&conn).is_some_and(|link| link.is_asked(*chunk));
            asked.iter().find(|chunk| is_alone(chunk) && !is_mine(chunk)).copied()
        })
    }

    /// A link asks for its chunk no more.
    fn give_back(&mut self, chunk: u32) {
        if !self.links.values().any(|link| link.is_asked(chunk)) {
            self.chunks.give_back(chunk);
        }
    }
}

impl Files {
    /// Dials holders as far as they are of use, and gives links that wait something to do.
    pub(super) fn ask_holders(&mut self, op: OpId, cx: &mut Context<'_>) {
        let most = self.config.limits.holders;
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        if fetching.phase != Phase::Getting {
            return;
        }
        let idle = fetching.links.iter().filter(|(_, link)| link.is_open && link.chunk.is_none());
        for conn in idle.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.ask_chunk(op, conn, cx);
        }
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        // A second one, even for one chunk: the first may be slow.
        let most = match fetching.links.len() < most {
            true => most.min(2 * fetching.chunks.wanted()),
            false => 0,
        };
        for number in 0..fetching.holders.len() {
            let is_eligible = fetching.is_eligible(number as u16);
            let holder = &mut fetching.holders[number];
            let is_rested = matches!(holder.state, State::Resting(until) if until <= cx.now());
            if fetching.links.len() >= most || !is_eligible || !(holder.state == State::Free || is_rested) {
                continue;
            }
            holder.state = State::Linked;
            let conn = cx.connect(holder.at);
            let link = Link {
                holder: number as u16,
                is_open: false,
                gave: false,
                chunk: None,
                next: None,
                frames: Frames::new(),
                body: None,
                keeps_alive: true,
                got: Vec::new(),
                recent: 0,
            };
            fetching.links.insert(conn, link);
            self.links.insert(conn, op);
            cx.set_timer(Timer::Holder(conn), self.config.limits.pace);
        }
        self.see_if_stuck(op, cx);
    }

    /// Nobody is asked, and nobody can be?
    fn see_if_stuck(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        if !fetching.links.is_empty() || fetching.writes > 0 {
            return;
        }
        let resting = (0u16..).zip(&fetching.holders).filter_map(|(number, holder)| match holder.state {
            State::Resting(until) if fetching.is_eligible(number) => Some(until),
            _ => None,
        });
        if let Some(until) = resting.min() {
            return cx.set_timer_at(Timer::Rest(op), until);
        }
        if fetching.trial.take().is_some() && fetching.holders.iter().any(|holder| !holder.is_dropped()) {
            return self.try_next(op, cx);
        }
        self.end_fetch(op, Err(Error::NoHolder), cx);
    }

    /// Asks a holder for the next chunk; without one, the connection is of no use.
    fn ask_chunk(&mut self, op: OpId, conn: ConnId, cx: &mut Context<'_>) {
        let limits = &self.config.limits;
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        if fetching.writes > 2 * limits.holders {
            // The disk is slower than the network; this one waits.
            cx.clear_timer(Timer::Holder(conn));
            return;
        }
        let is_idle = fetching.links.get(&conn).is_some_and(|link| link.chunk.is_none());
        let first = if is_idle { fetching.chunk_for(conn) } else { None };
        if is_idle && first.is_none() {
            return self.let_go(op, conn, cx);
        }
        let next = fetching.links.get(&conn).is_some_and(|link| link.next.is_none());
        let next = if next { fetching.chunks.next() } else { None };
        let Some(link) = fetching.links.get_mut(&conn) else { return };
        (link.chunk, link.next) = (first.or(link.chunk), next.or(link.next));
        let at = fetching.holders[usize::from(link.holder)].at;
        for chunk in first.into_iter().chain(next) {
            cx.send(conn, ask(&fetching.fetch.sha256, at, &fetching.chunks.range(chunk)));
        }
        link.recent = 0;
        cx.set_timer(Timer::Holder(conn), limits.pace);
    }

    /// Closes a connection; its holder may be asked again.
    fn let_go(&mut self, op: OpId, conn: ConnId, cx: &mut Context<'_>) {
        self.links.remove(&conn);
        cx.clear_timer(Timer::Holder(conn));
        cx.abort(conn);
        self.unlink(op, conn);
    }

    fn unlink(&mut self, op: OpId, conn: ConnId) -> Option<Link> {
        let fetching = self.fetches.get_mut(&op)?;
        let link = fetching.links.remove(&conn)?;
        let holder = &mut fetching.holders[usize::from(link.holder)];
        if holder.state == State::Linked {
            holder.state = State::Free;
        }
        for chunk in link.asked() {
            fetching.give_back(chunk);
        }
        Some(link)
    }

    /// Closes all connections of a fetch.
    pub(super) fn hang_up(&mut self, op: OpId, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get(&op) else { return };
        for conn in fetching.links.keys().copied().collect::<Vec<_>>() {
            self.let_go(op, conn, cx);
        }
    }

    pub(super) fn holder_stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        let Some(&op) = self.links.get(&conn) else { return };
        match input {
            StreamInput::Open { .. } => {
                if let Some(link) = self.fetches.get_mut(&op).and_then(|fetch| fetch.links.get_mut(&conn)) {
                    link.is_open = true;
                    self.ask_chunk(op, conn, cx);
                    self.see_if_stuck(op, cx);
                }
            }
            StreamInput::Data(data) => {
                if let Some(link) = self.fetches.get_mut(&op).and_then(|fetch| fetch.links.get_mut(&conn)) {
                    link.recent += data.len() as u64;
                    link.frames.push(data);
                    self.take_bytes(op, conn, cx);
                }
            }
            StreamInput::Closed(why) => {
                self.links.remove(&conn);
                cx.clear_timer(Timer::Holder(conn));
                let why = why.err().unwrap_or(IoError::Reset);
                let Some(link) = self.unlink(op, conn) else { return };
                // Who gave something over this connection may be dialled again: it closes what rests, say.
                if !link.gave {
                    self.drop_holder(op, link.holder, Fault::Unreachable(why), cx);
                }
                self.ask_holders(op, cx);
            }
            StreamInput::Full | StreamInput::Ready | StreamInput::Secured(_) => {}
        }
    }

    fn take_bytes(&mut self, op: OpId, conn: ConnId, cx: &mut Context<'_>) {
        loop {
            let Some(fetching) = self.fetches.get_mut(&op) else { return };
            let size = fetching.fetch.size;
            let Some(link) = fetching.links.get_mut(&conn) else { return };
            let came = match link.chunk {
                Some(chunk) => link.read(chunk, fetching.chunks.range(chunk), size),
                // Nothing was asked.
                None if link.frames.is_empty() => return,
                None => Err(Fault::Malformed),
            };
            let number = link.holder;
            match came {
                Ok(Came::More) => return,
                Ok(Came::Chunk(chunk, data)) => {
                    (link.chunk, link.body, link.gave) = (link.next.take(), None, true);
                    let keeps_alive = link.keeps_alive;
                    if fetching.chunks.came(chunk, Some(number)) {
                        self.recall(op, chunk, cx);
                        self.write_chunk(op, chunk, data, cx);
                    }
                    if keeps_alive {
                        self.ask_chunk(op, conn, cx);
                    } else {
                        self.let_go(op, conn, cx);
                        return self.ask_holders(op, cx);
                    }
                }
                Ok(Came::Busy) => {
                    self.let_go(op, conn, cx);
                    self.rest(op, number, cx);
                    return self.ask_holders(op, cx);
                }
                Err(fault) => {
                    self.let_go(op, conn, cx);
                    self.drop_holder(op, number, fault, cx);
                    return self.ask_holders(op, cx);
                }
            }
        }
    }

    /// A chunk is here: whoever else is asked for it is so in vain.
    fn recall(&mut self, op: OpId, chunk: u32, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get(&op) else { return };
        let others = fetching.links.iter().filter(|(_, link)| link.is_asked(chunk));
        for conn in others.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.let_go(op, conn, cx);
        }
    }

    fn rest(&mut self, op: OpId, number: u16, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let holder = &mut fetching.holders[usize::from(number)];
        if holder.rests >= RESTS {
            return self.drop_holder(op, number, Fault::Refused(503), cx);
        }
        holder.rests += 1;
        let until = cx.now() + REST;
        holder.state = State::Resting(until);
        cx.set_timer_at(Timer::Rest(op), until);
    }

    /// A holder is not asked any more.
    pub(super) fn drop_holder(&mut self, op: OpId, number: u16, why: Fault, cx: &mut Context<'_>) {
        let Some(fetching) = self.fetches.get_mut(&op) else { return };
        let Some(holder) = fetching.holders.get_mut(usize::from(number)) else { return };
        if holder.state != State::Dropped {
            holder.state = State::Dropped;
            cx.answer(op, Event::Dropped { holder: holder.at, why });
        }
    }

    /// Time to look how fast a holder is.
    pub(super) fn look_at_pace(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let limits = self.config.limits.clone();
        let Some(&op) = self.links.get(&conn) else { return };
        let Some(link) = self.fetches.get_mut(&op).and_then(|fetch| fetch.links.get_mut(&conn)) else {
            return;
        };
        let least = limits.least_rate.saturating_mul(limits.pace.as_secs().max(1));
        if link.recent >= least {
            link.recent = 0;
            return cx.set_timer(Timer::Holder(conn), limits.pace);
        }
        let number = link.holder;
        let fault = if link.is_open { Fault::Slow } else { Fault::Unreachable(IoError::TimedOut) };
        self.let_go(op, conn, cx);
        self.drop_holder(op, number, fault, cx);
        self.ask_holders(op, cx);
    }
}

impl Link {
    /// Takes what is here of the answer that brings a chunk.
    fn read(&mut self, chunk: u32, part: core::ops::Range<u64>, size: u64) -> Result<Came, Fault> {
        let left = match self.body {
            Some(left) => left,
            None => match read_answer(self.frames.peek_up_to(MAX_HEAD), &part, size)? {
                None => return Ok(Came::More),
                Some((Answered::Busy, _)) => return Ok(Came::Busy),
                Some((Answered::Part { keeps_alive }, used)) => {
                    self.frames.skip(used);
                    self.keeps_alive = keeps_alive;
                    part.end - part.start
                }
            },
        };
        let mut left = left;
        while left > 0 {
            let data = self.frames.take_front(usize::try_from(left).unwrap_or(usize::MAX));
            if data.is_empty() {
                break;
            }
            left -= data.len() as u64;
            self.got.push(data);
        }
        self.body = Some(left);
        if left > 0 {
            return Ok(Came::More);
        }
        Ok(Came::Chunk(chunk, core::mem::take(&mut self.got)))
    }
}
