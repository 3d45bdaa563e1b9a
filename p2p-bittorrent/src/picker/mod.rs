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

mod answers;
mod asker;
mod choose;
mod fresh;
mod has;
mod order;
mod partial;
mod probe;
mod speed;
mod status;
mod trust;

use crate::client::HandleMap;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use asker::{Asker, take_out};
use order::{Class, Order};
use p2p_core::{Bitfield, Instant, Pieces, Rng};
use partial::{Partial, State};
use trust::{Standing, Trust};

pub use has::Has;
pub use speed::PeerSpeed;
pub use status::Copies;

/// The name of a peer, given by the caller; `u32::MAX` is not to be used.
pub type PeerKey = u32;

/// The priority of every piece at first.
pub const NORMAL: u8 = 4;

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
}
