//! Which blocks to ask of which peer: rarest first (Cohen 2003, Legout et al. 2006) for one incomplete torrent.
//!
//! The order of preference for a peer that may be asked: pieces with a deadline; the piece that it has to itself;
//! pieces that somebody began and left; a new piece, the rarest of the highest priority (the first four pieces at
//! random, so that there is soon something to trade); the far end of a piece that another peer has to itself. A fast
//! peer gets a piece to itself, in order, so that its digest can run along; slow peers share pieces. When every block
//! that is wanted has been asked for, the end game begins: blocks are asked of a second peer, and
//! [`Received::Wanted`] says whom to send a cancel.
//!
//! Costs: eight bytes and two bits per piece; five bytes per block of the pieces begun. A call to
//! [`pick`](Picker::pick) looks at the blocks it returns and a bounded number of candidates, and at 1/64 of the
//! torrent's pieces at worst (a peer that has nothing of what is rare).

mod order;
mod partial;
mod probe;
mod status;
mod trust;

use crate::client::HandleMap;
use crate::peer::Block;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::ops::Bound;
use order::{Class, Order};
use p2p_core::chunk::BLOCK;
use p2p_core::{Bitfield, Instant, Pieces, Rng};
use partial::{End, NOBODY, Partial, State};
use probe::Probe;
use trust::{Standing, Trust};

pub use status::Copies;

/// The name of a peer, given by the caller; `u32::MAX` is not to be used.
pub type PeerKey = u32;

/// The priority of every piece at first.
pub const NORMAL: u8 = 4;

/// Pieces that are chosen at random before rarest first begins (Cohen 2003: the first; all clients take some more).
const RANDOM_FIRST: u32 = 4;
/// Pieces that are looked at in vain, from the rarest on, before the peer's own pieces are walked instead.
const MISSES: usize = 256;
/// Pieces of the peer's own among which the rarest is then taken.
const SAMPLE: u32 = 64;
/// Partial or urgent pieces that are looked at per choice.
const LOOK: usize = 64;
/// Peers that may be asked for one block in the end game.
const ASKERS: usize = 2;
/// Blocks that are looked at per call in the end game.
const END_LOOK: u32 = 1024;
/// Requests that were taken back and may still be answered, remembered per peer: as many as a pipeline is long.
const LATE: usize = 512;
/// Suggestions that are remembered per peer: a pipeline of small pieces.
const SUGGESTED: usize = 64;
/// A slow peer is not given what is due so soon.
const DUE_SOON: p2p_core::Duration = p2p_core::Duration::from_secs(10);

/// The order in which new pieces are begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// By priority, then the piece that the fewest peers have, ties at random.
    #[default]
    RarestFirst,
    /// By index, whatever the priority: for media that are played while they come.
    Sequential,
    /// By priority, then at random: for measuring what rarest first is worth.
    Random,
}

/// What a peer has.
#[derive(Clone, Copy, Debug)]
pub enum Has<'a> {
    /// Every piece. Only of peers that were announced by [`Picker::peer_has_all`].
    All,
    /// These.
    Some(&'a Bitfield),
}

impl<'a> From<&'a Bitfield> for Has<'a> {
    fn from(bits: &'a Bitfield) -> Self {
        Self::Some(bits)
    }
}

impl Has<'_> {
    fn get(self, piece: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits.get(piece),
        }
    }

    fn word(self, at: usize) -> u64 {
        match self {
            Self::All => u64::MAX,
            Self::Some(bits) => word(bits, at),
        }
    }
}

/// Bits `64 * at` and on, the first of them the most significant; zeros past the end.
fn word(bits: &Bitfield, at: usize) -> u64 {
    let rest = bits.as_bytes().get(at * 8..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return u64::from_be_bytes(*whole);
    }
    let mut part = [0; 8];
    part.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(part)
}

/// How a peer's rate compares with the length of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerSpeed {
    /// Needs more than two minutes for a piece: it shares pieces with others.
    Slow,
    /// Not measured yet, or needs more than half a minute: it gets a piece to itself.
    Medium,
    /// It gets a piece to itself.
    Fast,
}

impl PeerSpeed {
    /// The speed of a peer that sends so many bytes per second (0: not measured yet).
    #[must_use]
    pub const fn of(bytes_per_second: u64, piece_len: u32) -> Self {
        if bytes_per_second == 0 {
            Self::Medium
        } else if bytes_per_second.saturating_mul(30) >= piece_len as u64 {
            Self::Fast
        } else if bytes_per_second.saturating_mul(120) >= piece_len as u64 {
            Self::Medium
        } else {
            Self::Slow
        }
    }
}

/// What a block that came is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// It is to be kept.
    Wanted {
        /// It was the last one: the piece can be verified.
        piece_complete: bool,
        /// Who else was asked for it, in the end game: they are to be sent a cancel.
        others: Vec<PeerKey>,
    },
    /// It was asked for, but came from someone else before.
    Duplicate,
    /// It was asked for by [`Picker::probe`] and is to be compared with the verified piece.
    Probe,
    /// This peer was never asked for it, or not lately, or it is no block of this torrent.
    Unasked,
}

/// The requests of one peer.
#[derive(Debug)]
struct Asker {
    /// Asked and not answered, oldest first: piece and number of the block.
    outstanding: VecDeque<(u32, u32)>,
    /// Taken back, but an answer may be on its way.
    late: VecDeque<(u32, u32)>,
    /// The piece it has to itself, while that has free blocks.
    own: Option<u32>,
    /// What its blocks were worth so far.
    standing: Standing,
    /// What it answers about a piece that we have.
    probe: Probe,
    /// It gave blocks of a piece that failed in which everybody else was trusted: nothing is asked of it until they are
    /// known.
    accused: bool,
    /// Trusted peers gave, but did not complete its piece: it may give the rest.
    alone: bool,
    /// Pieces that it suggested, oldest first.
    suggested: VecDeque<u32>,
    /// Blocks that it gave since it was last proved, and that are not verified.
    unproven: u32,
    /// The piece that it was asked of last, and when.
    last: (u32, Instant),
}

impl Default for Asker {
    fn default() -> Self {
        Self {
            outstanding: VecDeque::new(),
            late: VecDeque::new(),
            own: None,
            suggested: VecDeque::new(),
            standing: Standing::Stranger,
            probe: Probe::Due,
            accused: false,
            alone: false,
            unproven: 0,
            last: (u32::MAX, Instant::ZERO),
        }
    }
}

impl Asker {
    /// Strikes a request that was answered; whether there was one.
    fn strike(&mut self, request: (u32, u32)) -> bool {
        take_out(&mut self.outstanding, request) || take_out(&mut self.late, request)
    }

    fn remember(&mut self, request: (u32, u32)) {
        if self.late.len() >= LATE {
            self.late.pop_front();
        }
        self.late.push_back(request);
    }
}

fn take_out(queue: &mut VecDeque<(u32, u32)>, request: (u32, u32)) -> bool {
    // Answers come in the order of the requests, so the first one is nearly always it.
    let Some(at) = queue.iter().position(|&asked| asked == request) else { return false };
    queue.remove(at);
    true
}

/// The pieces of one incomplete torrent: what is wanted, who has it, what was asked of whom.
#[derive(Debug)]
pub struct Picker {
    pieces: Pieces,
    order: Order,
    /// Wanted and not verified.
    wanted: Bitfield,
    /// Wanted and not begun.
    fresh: Bitfield,
    /// No word of `fresh` before this one has a bit.
    fresh_front: usize,
    mode: Mode,
    seeds: u32,
    had: u32,
    partials: BTreeMap<u32, Partial>,
    /// Partial pieces with free blocks that no peer has to itself ...
    loose: BTreeSet<u32>,
    /// ... and those that one has.
    owned: BTreeSet<u32>,
    /// Looked up for every block; nothing depends on its order.
    askers: HandleMap<PeerKey, Asker>,
    /// Further peers asked for a block in the end game.
    extra: BTreeMap<(u32, u32), Vec<PeerKey>>,
    deadlines: BTreeMap<u32, Instant>,
    urgent: BTreeSet<(Instant, u32)>,
    /// Pieces that only one peer may be asked for.
    reserved: BTreeMap<u32, PeerKey>,
    trust: Trust,
}

impl Picker {
    /// A picker for a torrent of which `have` is verified. All other pieces are wanted with priority [`NORMAL`].
    #[must_use]
    pub fn new(pieces: Pieces, have: &Bitfield, rng: &mut Rng) -> Self {
        let count = pieces.count();
        let mut wanted = Bitfield::full(count);
        have.ones().for_each(|piece| {
            wanted.clear(piece);
        });
        Self {
            pieces,
            order: Order::new(count, have, rng),
            fresh: wanted.clone(),
            had: count - wanted.count(),
            wanted,
            fresh_front: 0,
            mode: Mode::RarestFirst,
            seeds: 0,
            partials: BTreeMap::new(),
            loose: BTreeSet::new(),
            owned: BTreeSet::new(),
            askers: HandleMap::default(),
            extra: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            urgent: BTreeSet::new(),
            reserved: BTreeMap::new(),
            trust: Trust::default(),
        }
    }

    /// The order of new pieces from now on.
    pub const fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// How much a piece is wanted: 0 not at all, 1 to 7 (more is taken as 7). A partial piece that is no longer wanted
    /// keeps its blocks, and what is on its way still counts.
    pub fn set_priority(&mut self, piece: u32, priority: u8) {
        let priority = priority.min(7);
        match self.order.find(piece) {
            None | Some((Class::Had, _)) => return,
            Some((Class::Partial, _)) => {
                if let Some(partial) = self.partials.get_mut(&piece) {
                    partial.priority = priority;
                }
                self.file(piece);
            }
            Some((Class::Open(_), _)) => {
                self.order.set_class(piece, Class::Open(priority));
                self.set_fresh(piece, priority > 0);
            }
        }
        if priority > 0 {
            self.wanted.set(piece);
        } else {
            self.wanted.clear(piece);
        }
    }

    /// How much a piece is wanted; 0 also of verified ones.
    #[must_use]
    pub fn priority(&self, piece: u32) -> u8 {
        match self.order.find(piece) {
            Some((Class::Open(priority), _)) => priority,
            Some((Class::Partial, _)) => self.partials.get(&piece).map_or(0, |partial| partial.priority),
            Some((Class::Had, _)) | None => 0,
        }
    }

    /// Makes a piece urgent: of those with a deadline the one due first is asked for before anything else.
    pub fn set_deadline(&mut self, piece: u32, due: Option<Instant>) {
        if let Some(old) = self.deadlines.remove(&piece) {
            self.urgent.remove(&(old, piece));
        }
        if let Some(due) = due.filter(|_| piece < self.pieces.count() && !self.had(piece)) {
            self.deadlines.insert(piece, due);
            self.urgent.insert((due, piece));
        }
    }

    /// Asks only this peer for a piece, until the piece is verified or the peer is choked, rejects or leaves it: of a
    /// piece that one peer gave alone it is known who is to blame.
    pub fn reserve(&mut self, piece: u32, peer: PeerKey) {
        if self.begin(piece) {
            self.reserved.insert(piece, peer);
            self.askers.entry(peer).or_default();
            if self.owned.contains(&piece) || self.loose.contains(&piece) {
                self.give(piece, peer, PeerSpeed::Medium);
            }
        }
    }

    /// Lets others be asked for what was reserved for this peer.
    pub fn unreserve(&mut self, peer: PeerKey) {
        self.reserved.retain(|_, of| *of != peer);
    }

    /// Whether this peer may be asked for the piece.
    fn may_ask(&self, piece: u32, peer: PeerKey) -> bool {
        self.reserved.get(&piece).is_none_or(|of| *of == peer)
    }

    /// A peer said that it has one more piece. To be called once per peer and piece.
    pub fn peer_has(&mut self, piece: u32) {
        self.order.raise(piece);
    }

    /// A peer lost a piece that it had (`lt_donthave`, BEP 54).
    pub fn peer_lost(&mut self, piece: u32) {
        self.order.lower(piece);
    }

    /// A seed joined: one counter, whatever the number of pieces.
    pub const fn peer_has_all(&mut self) {
        self.seeds = self.seeds.saturating_add(1);
    }

    /// A peer joined with these pieces.
    pub fn peer_bitfield(&mut self, has: &Bitfield) {
        self.order.shift(has, true);
    }

    /// A peer that was counted piece by piece has them all now: from here on it is [`Has::All`], and its bitfield need
    /// not be kept.
    pub fn peer_completed(&mut self) {
        self.order.lower_all();
        self.peer_has_all();
    }

    /// A peer left, having had `has`: its pieces are counted down and its requests released.
    pub fn peer_gone(&mut self, peer: PeerKey, has: Has<'_>) {
        match has {
            Has::All => self.seeds = self.seeds.saturating_sub(1),
            Has::Some(bits) => self.order.shift(bits, false),
        }
        self.choked(peer);
        if self.askers.remove(&peer).is_some_and(|asker| asker.standing == Standing::Proven) {
            self.trust.left(peer);
        }
    }

    /// Appends up to `n` blocks to ask of a peer that has `has` and does not choke us, and notes them as asked.
    #[expect(clippy::too_many_arguments, reason = "one call per decision, all of which it depends on")]
    pub fn pick(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        n: usize,
        now: Instant,
        speed: PeerSpeed,
        rng: &mut Rng,
        out: &mut Vec<Block>,
    ) {
        let n = n.min(self.allowance(peer, now));
        if self.wanted.none() || n == 0 {
            return;
        }
        let end = out.len().saturating_add(n);
        self.pick_urgent(peer, has, end, now, speed, out);
        while out.len() < end {
            let Some((piece, side)) = self.choose(peer, has, now, speed, rng) else { break };
            let before = out.len();
            self.take(peer, piece, side, end, now, out);
            if out.len() == before {
                break;
            }
        }
        // Whoever still owes us blocks is not asked for those of others, and who owes none for a few at a time: what
        // comes twice is lost to everybody.
        if out.len() < end && self.in_end_game() && self.outstanding(peer) == 0 {
            let end = end.min(out.len() + (n / 4).max(1));
            self.pick_again(peer, has, end, now, rng, out);
        }
    }

    /// The same of a peer that chokes us: only among the pieces that it allows all the same (BEP 6).
    pub fn pick_allowed(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        allowed: &[u32],
        n: usize,
        now: Instant,
        out: &mut Vec<Block>,
    ) {
        let end = out.len().saturating_add(n.min(self.allowance(peer, now)));
        for &piece in allowed {
            if out.len() >= end {
                break;
            }
            self.hurry(peer, has, piece, end, now, out);
        }
    }

    /// Appends blocks of a piece that is not chosen for its rarity, if it is of use.
    fn hurry(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        piece: u32,
        end: usize,
        now: Instant,
        out: &mut Vec<Block>,
    ) {
        if has.get(piece) && self.wanted.get(piece) && self.may_hurry(peer, piece) && self.begin(piece) {
            self.take(peer, piece, End::Front, end, now, out);
        }
    }

    fn pick_urgent(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        end: usize,
        now: Instant,
        speed: PeerSpeed,
        out: &mut Vec<Block>,
    ) {
        let mut after = Bound::Unbounded;
        for _ in 0..LOOK {
            if out.len() >= end {
                break;
            }
            let Some(&(due, piece)) = self.urgent.range((after, Bound::Unbounded)).next() else { break };
            after = Bound::Excluded((due, piece));
            if speed == PeerSpeed::Slow && due < now + DUE_SOON {
                continue;
            }
            self.hurry(peer, has, piece, end, now, out);
        }
    }

    /// The piece of which this peer is to be asked next, begun and with a free block.
    fn choose(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        now: Instant,
        speed: PeerSpeed,
        rng: &mut Rng,
    ) -> Option<(u32, End)> {
        let own = self.askers.entry(peer).or_default().own;
        if let Some(piece) = own.filter(|&piece| has.get(piece) && self.owned.contains(&piece)) {
            return Some((piece, End::Front));
        }
        if !self.trusts(peer) {
            return self.choose_for_stranger(peer, has, now, rng);
        }
        if let Some(piece) = self.take_suggestion(peer, has) {
            return Some((piece, End::Front));
        }
        let loose =
            self.loose.iter().take(LOOK).copied().find(|&piece| has.get(piece) && self.may_ask(piece, peer));
        if let Some(piece) = loose {
            self.give(piece, peer, speed);
            return Some((piece, End::Front));
        }
        // Pieces begun are worth nothing to others: no more of them than one and a half per peer.
        let crowded = self.loose.len() + self.owned.len() > self.askers.len() * 3 / 2;
        if crowded && let Some(piece) = self.helped(peer, has, rng) {
            return Some((piece, End::Back));
        }
        if let Some(piece) = self.fresh_for(has, rng) {
            self.begin(piece);
            self.give(piece, peer, speed);
            return Some((piece, End::Front));
        }
        self.helped(peer, has, rng).map(|piece| (piece, End::Back))
    }

    /// A peer suggests that it be asked for this piece (BEP 6): it gets it to itself once it has no other, and has given
    /// what it suggested before. False if that is no news, or of no use.
    pub fn suggested(&mut self, peer: PeerKey, piece: u32) -> bool {
        if !self.wants(piece) {
            return false;
        }
        let suggested = &mut self.askers.entry(peer).or_default().suggested;
        let new = suggested.len() < SUGGESTED && !suggested.contains(&piece);
        if new {
            suggested.push_back(piece);
        }
        new
    }

    /// What a peer suggested is not to be had any more: it chokes us, and may give that to others.
    pub fn unsuggest(&mut self, peer: PeerKey) {
        if let Some(asker) = self.askers.get_mut(&peer) {
            asker.suggested.clear();
        }
    }

    /// The first piece that a peer suggested and that is of use, begun.
    fn take_suggestion(&mut self, peer: PeerKey, has: Has<'_>) -> Option<u32> {
        let piece = self.suggestion(peer, has)?;
        self.begin(piece);
        self.give(piece, peer, PeerSpeed::Fast);
        Some(piece)
    }

    /// The first of what a peer suggested that is of use: a new piece, or one that somebody left.
    fn suggestion(&mut self, peer: PeerKey, has: Has<'_>) -> Option<u32> {
        while let Some(piece) = self.askers.get_mut(&peer)?.suggested.pop_front() {
            let open = self.fresh.get(piece) || self.loose.contains(&piece);
            let wanted = self.mode == Mode::RarestFirst && has.get(piece) && self.may_ask(piece, peer);
            if open && wanted && self.may_join(peer, piece) {
                return Some(piece);
            }
        }
        None
    }

    /// Gives a partial piece to one peer alone, if that is fast enough.
    fn give(&mut self, piece: u32, peer: PeerKey, speed: PeerSpeed) {
        if speed == PeerSpeed::Slow {
            return;
        }
        let (Some(partial), Some(asker)) = (self.partials.get_mut(&piece), self.askers.get_mut(&peer)) else {
            return;
        };
        partial.owner = Some(peer);
        let before = asker.own.replace(piece);
        self.file(piece);
        if let Some(before) = before {
            self.file(before);
        }
    }

    /// A piece that another peer has to itself and this one could help with.
    fn helped(&self, peer: PeerKey, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        if self.owned.is_empty() {
            return None;
        }
        let from = rng.below(u64::from(self.pieces.count())) as u32;
        self.owned
            .range(from..)
            .chain(self.owned.range(..from))
            .take(LOOK)
            .copied()
            .find(|&piece| has.get(piece) && self.may_ask(piece, peer))
    }

    /// A piece to begin.
    fn fresh_for(&mut self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        if self.fresh.none() {
            return None;
        }
        match self.mode {
            Mode::Sequential => self.first_fresh(has),
            Mode::RarestFirst | Mode::Random => self.rarest_fresh(has, rng),
        }
    }

    fn first_fresh(&mut self, has: Has<'_>) -> Option<u32> {
        let words = self.words();
        while self.fresh_front < words && word(&self.fresh, self.fresh_front) == 0 {
            self.fresh_front += 1;
        }
        (self.fresh_front..words).find_map(|at| first_bit(at, word(&self.fresh, at) & has.word(at)))
    }

    fn rarest_fresh(&self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        let mut misses = MISSES;
        let random = self.mode == Mode::Random || self.had < RANDOM_FIRST;
        // Nobody has what lies on level 0, unless there is a seed.
        let lowest = usize::from(self.seeds == 0);
        for priority in (1..=7).rev() {
            let class = Class::Open(priority);
            let all = self.order.class(class);
            if all.is_empty() {
                continue;
            }
            let skipped = if lowest == 0 { 0 } else { self.order.at(class, 0).len() };
            if random {
                match search(all.get(skipped..).unwrap_or_default(), has, rng, &mut misses) {
                    Search::Found(piece) => return Some(piece),
                    Search::GaveUp => return self.sampled_fresh(has, rng),
                    Search::None => continue,
                }
            }
            let mut left = all.len() - skipped;
            for level in lowest..self.order.levels() {
                if left == 0 {
                    break;
                }
                let bucket = self.order.at(class, level);
                left -= bucket.len();
                match search(bucket, has, rng, &mut misses) {
                    Search::Found(piece) => return Some(piece),
                    Search::GaveUp => return self.sampled_fresh(has, rng),
                    Search::None => {}
                }
            }
        }
        None
    }

    /// A piece to begin that as many peers as possible have.
    fn commonest_fresh(&self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        let mut misses = MISSES;
        for class in (1..=7).rev().map(Class::Open) {
            for level in (1..self.order.levels()).rev() {
                match search(self.order.at(class, level), has, rng, &mut misses) {
                    Search::Found(piece) => return Some(piece),
                    Search::GaveUp => return None,
                    Search::None => {}
                }
            }
        }
        None
    }

    /// The rarest among some of the peer's own pieces: for peers that lack what is rare.
    fn sampled_fresh(&self, has: Has<'_>, rng: &mut Rng) -> Option<u32> {
        let words = self.words();
        let start = rng.index(words);
        let mut seen = 0;
        let mut best: Option<((u8, usize), u32)> = None;
        for step in 0..words {
            let at = (start + step) % words;
            let mut bits = word(&self.fresh, at) & has.word(at);
            while let Some(piece) = first_bit(at, bits) {
                bits &= !(1 << (63 - piece % 64));
                if let Some((Class::Open(priority), level)) = self.order.find(piece) {
                    let rank = (7 - priority.min(7), level);
                    if best.is_none_or(|(least, _)| rank < least) {
                        best = Some((rank, piece));
                    }
                    seen += 1;
                }
            }
            if seen >= SAMPLE {
                break;
            }
        }
        best.map(|(_, piece)| piece)
    }

    const fn words(&self) -> usize {
        self.pieces.count().div_ceil(64) as usize
    }

    /// Appends free blocks of a partial piece up to `end` and notes them as asked of the peer.
    fn take(&mut self, peer: PeerKey, piece: u32, side: End, end: usize, now: Instant, out: &mut Vec<Block>) {
        if !self.may_ask(piece, peer) {
            return;
        }
        let asker = self.askers.entry(peer).or_default();
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        asker.last = (piece, now);
        while out.len() < end {
            let Some(block) = partial.next_free(side) else { break };
            partial.set(block, State::Asked, peer);
            asker.outstanding.push_back((piece, block));
            let len = self.pieces.block_len(piece, block);
            out.push(Block { piece, begin: block * BLOCK, len });
        }
        if partial.free() == 0 {
            self.file(piece);
        }
    }

    /// The end game: blocks that others were asked for.
    fn pick_again(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        end: usize,
        now: Instant,
        rng: &mut Rng,
        out: &mut Vec<Block>,
    ) {
        let from = rng.below(u64::from(self.pieces.count())) as u32;
        let mut left = END_LOOK;
        for (&piece, partial) in self.partials.range(from..).chain(self.partials.range(..from)) {
            if left == 0 || out.len() >= end {
                break;
            }
            let open = partial.priority > 0 && partial.is_asked() && has.get(piece);
            if !open || !self.may_ask(piece, peer) || !self.may_hurry(peer, piece) {
                left -= 1;
                continue;
            }
            for block in 0..partial.blocks() {
                if left == 0 || out.len() >= end {
                    break;
                }
                left -= 1;
                if partial.state(block) != Some(State::Asked) || partial.from(block) == peer {
                    continue;
                }
                let extra = self.extra.entry((piece, block)).or_default();
                if extra.len() + 1 < ASKERS && !extra.contains(&peer) {
                    extra.push(peer);
                    let asker = self.askers.entry(peer).or_default();
                    asker.last = (piece, now);
                    asker.outstanding.push_back((piece, block));
                    let len = self.pieces.block_len(piece, block);
                    out.push(Block { piece, begin: block * BLOCK, len });
                }
            }
        }
    }

    /// The number of a block inside its piece; `None` if it is no block of this torrent.
    fn number(&self, block: Block) -> Option<(u32, u32)> {
        let number = block.begin / BLOCK;
        let right = block.begin.is_multiple_of(BLOCK)
            && block.len > 0
            && block.len == self.pieces.block_len(block.piece, number);
        right.then_some((block.piece, number))
    }

    /// A block came from a peer. Its piece is not verified by that: see [`Picker::verified`] and [`Picker::failed`].
    pub fn received(&mut self, peer: PeerKey, block: Block) -> Received {
        let Some((piece, number)) = self.number(block) else { return Received::Unasked };
        if !self.askers.get_mut(&peer).is_some_and(|asker| asker.strike((piece, number))) {
            return Received::Unasked;
        }
        if self.had(piece) {
            let probe = self.askers.get_mut(&peer).is_some_and(|asker| asker.is_probe((piece, number)));
            return if probe { Received::Probe } else { Received::Duplicate };
        }
        self.begin(piece);
        let Some(partial) = self.partials.get_mut(&piece) else { return Received::Duplicate };
        let mut others = Vec::new();
        match partial.state(number) {
            None | Some(State::Received) => return Received::Duplicate,
            Some(State::Free) => {}
            Some(State::Asked) => {
                if let Some(extra) = self.extra.remove(&(piece, number)) {
                    others = extra;
                }
                others.retain(|&other| other != peer);
                if partial.from(number) != peer {
                    others.push(partial.from(number));
                }
            }
        }
        partial.set(number, State::Received, peer);
        if let Some(asker) = self.askers.get_mut(&peer).filter(|asker| asker.standing != Standing::Proven) {
            asker.unproven += 1;
        }
        let (piece_complete, filed) = (partial.is_complete(), partial.free() > 0);
        for other in &others {
            if let Some(asker) = self.askers.get_mut(other)
                && take_out(&mut asker.outstanding, (piece, number))
            {
                asker.remember((piece, number));
            }
        }
        if !filed {
            self.file(piece);
        }
        Received::Wanted { piece_complete, others }
    }

    /// A peer will not answer this request (BEP 6).
    pub fn rejected(&mut self, peer: PeerKey, block: Block) {
        let Some(request) = self.number(block) else { return };
        if let Some(asker) = self.askers.get_mut(&peer)
            && take_out(&mut asker.outstanding, request)
        {
            asker.not_answered(request);
            self.unreserve_piece(request.0, peer);
            self.release(peer, request);
        }
    }

    /// One request is not waited for any longer, or a cancel was sent; if its answer comes all the same, it is taken.
    pub fn timed_out(&mut self, peer: PeerKey, block: Block) {
        let Some(request) = self.number(block) else { return };
        if let Some(asker) = self.askers.get_mut(&peer)
            && take_out(&mut asker.outstanding, request)
        {
            asker.remember(request);
            asker.not_answered(request);
            self.unreserve_piece(request.0, peer);
            self.release(peer, request);
        }
    }

    fn unreserve_piece(&mut self, piece: u32, peer: PeerKey) {
        if self.reserved.get(&piece) == Some(&peer) {
            self.reserved.remove(&piece);
        }
    }

    /// A peer choked us: all its requests are released. With the fast extension, call [`Picker::rejected`] for each
    /// reject that follows instead.
    pub fn choked(&mut self, peer: PeerKey) {
        self.unreserve(peer);
        let Some(asker) = self.askers.get_mut(&peer) else { return };
        asker.suggested.clear();
        if matches!(asker.probe, Probe::Asked(_)) {
            asker.probe = Probe::Due;
        }
        if let Some(own) = asker.own.take() {
            self.file(own);
        }
        while let Some(asker) = self.askers.get_mut(&peer)
            && let Some(request) = asker.outstanding.pop_front()
        {
            asker.remember(request);
            self.release(peer, request);
        }
    }

    /// Requests of this peer that are not answered.
    #[must_use]
    pub fn outstanding(&self, peer: PeerKey) -> usize {
        self.askers.get(&peer).map_or(0, |asker| asker.outstanding.len())
    }

    /// The peer is no longer expected to send this block.
    fn release(&mut self, peer: PeerKey, (piece, block): (u32, u32)) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        if partial.state(block) != Some(State::Asked) {
            return;
        }
        let extra = self.extra.get_mut(&(piece, block));
        if partial.from(block) != peer {
            if let Some(extra) = extra {
                extra.retain(|&other| other != peer);
            }
            return;
        }
        if let Some(next) = extra.and_then(Vec::pop) {
            partial.set(block, State::Asked, next);
            return;
        }
        self.extra.remove(&(piece, block));
        partial.set(block, State::Free, NOBODY);
        if partial.is_untouched() {
            self.abandon(piece);
        } else {
            self.file(piece);
        }
    }

    /// The digest of a piece is right: it is had from now on.
    pub fn verified(&mut self, piece: u32) {
        if piece >= self.pieces.count() || self.had(piece) {
            return;
        }
        self.trust_givers(piece);
        self.abandon(piece);
        self.reserved.remove(&piece);
        self.order.set_class(piece, Class::Had);
        self.set_fresh(piece, false);
        self.wanted.clear(piece);
        self.had += 1;
        self.set_deadline(piece, None);
    }

    /// The digest of a piece is wrong: it is to be fetched again. Says of whom each of its blocks came.
    pub fn failed(&mut self, piece: u32) -> Vec<(u32, PeerKey)> {
        let Some(partial) = self.partials.get(&piece) else { return Vec::new() };
        let received = (0..partial.blocks()).filter(|&block| partial.state(block) == Some(State::Received));
        let from = received.map(|block| (block, partial.from(block))).filter(|&(_, peer)| peer != NOBODY);
        let contributors: Vec<(u32, PeerKey)> = from.collect();
        self.distrust(&contributors);
        self.write_failed(piece);
        contributors
    }

    /// What was received of a piece is lost, by no peer's fault; it is to be fetched again.
    pub fn write_failed(&mut self, piece: u32) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        for block in 0..partial.blocks() {
            if partial.state(block) == Some(State::Received) {
                if let Some(asker) = self.askers.get_mut(&partial.from(block)) {
                    asker.unproven = asker.unproven.saturating_sub(1);
                }
                partial.set(block, State::Free, NOBODY);
            }
        }
        partial.accused.clear();
        if partial.is_untouched() {
            self.abandon(piece);
        } else {
            self.file(piece);
        }
    }

    /// Makes a piece partial if it is not; whether it is then.
    fn begin(&mut self, piece: u32) -> bool {
        match self.order.find(piece) {
            Some((Class::Partial, _)) => true,
            Some((Class::Open(priority), _)) => {
                self.order.set_class(piece, Class::Partial);
                self.set_fresh(piece, false);
                self.partials.insert(piece, Partial::new(self.pieces.blocks_in(piece), priority));
                self.file(piece);
                true
            }
            Some((Class::Had, _)) | None => false,
        }
    }

    /// Forgets all blocks of a partial piece; requests that are out for it are no longer waited for.
    fn abandon(&mut self, piece: u32) {
        let Some(partial) = self.partials.remove(&piece) else { return };
        self.loose.remove(&piece);
        self.owned.remove(&piece);
        self.disown(piece, partial.owner);
        for block in 0..partial.blocks() {
            if partial.state(block) == Some(State::Asked) {
                let extra = self.extra.remove(&(piece, block)).unwrap_or_default();
                for peer in extra.into_iter().chain([partial.from(block)]) {
                    if let Some(asker) = self.askers.get_mut(&peer)
                        && take_out(&mut asker.outstanding, (piece, block))
                    {
                        asker.remember((piece, block));
                    }
                }
            }
        }
        self.order.set_class(piece, Class::Open(partial.priority));
        self.set_fresh(piece, partial.priority > 0);
    }

    fn disown(&mut self, piece: u32, owner: Option<PeerKey>) {
        if let Some(asker) = owner.and_then(|owner| self.askers.get_mut(&owner))
            && asker.own == Some(piece)
        {
            asker.own = None;
        }
    }

    /// Puts a partial piece among the loose, the owned, or those without a free block.
    fn file(&mut self, piece: u32) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        let open = partial.free() > 0 && partial.priority > 0;
        let owner = partial.owner;
        let holds =
            owner.and_then(|owner| self.askers.get(&owner)).is_some_and(|asker| asker.own == Some(piece));
        if !(open && holds) {
            partial.owner = None;
            self.disown(piece, owner);
        }
        if open && !holds {
            self.loose.insert(piece);
        } else {
            self.loose.remove(&piece);
        }
        if open && holds {
            self.owned.insert(piece);
        } else {
            self.owned.remove(&piece);
        }
    }

    fn set_fresh(&mut self, piece: u32, on: bool) {
        if on {
            self.fresh.set(piece);
            self.fresh_front = self.fresh_front.min(piece as usize / 64);
        } else {
            self.fresh.clear(piece);
        }
    }
}

enum Search {
    Found(u32),
    None,
    GaveUp,
}

/// Looks for a piece that the peer has, from a random place on: all are equally rare.
fn search(among: &[u32], has: Has<'_>, rng: &mut Rng, misses: &mut usize) -> Search {
    if among.is_empty() {
        return Search::None;
    }
    let (before, after) = among.split_at(rng.index(among.len()));
    for &piece in after.iter().chain(before) {
        if has.get(piece) {
            return Search::Found(piece);
        }
        if *misses == 0 {
            return Search::GaveUp;
        }
        *misses -= 1;
    }
    Search::None
}

fn first_bit(at: usize, bits: u64) -> Option<u32> {
    (bits != 0).then(|| at as u32 * 64 + bits.leading_zeros())
}
