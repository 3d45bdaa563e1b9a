//! What a picker can be asked: interest, progress, availability, and what is to be saved for a resume.

use super::has::word;
use super::partial::{NOBODY, State};
use super::{Class, Has, PeerKey, Picker};
use p2p_core::{Bitfield, Pieces};

/// How many whole copies of a torrent there are among the peers and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copies {
    /// How often the rarest piece is there; 0 if the torrent cannot be completed now.
    pub whole: u32,
    /// How many pieces of 1,000 are there more often than that.
    pub more: u32,
}

impl Picker {
    /// The division into pieces.
    #[must_use]
    pub const fn pieces(&self) -> Pieces {
        self.pieces
    }

    /// Whether a piece is still to be fetched, wholly or in part.
    #[must_use]
    pub fn wants(&self, piece: u32) -> bool {
        self.wanted.get(piece)
    }

    /// Whether a peer that has this is of interest; 64 pieces are looked at in one step.
    #[must_use]
    pub fn wants_any<'a>(&self, has: impl Into<Has<'a>>) -> bool {
        let has = has.into();
        match has {
            Has::All => !self.wanted.none(),
            Has::Some(bits) => {
                !bits.none() && (0..self.words()).any(|at| word(&self.wanted, at) & has.word(at) != 0)
            }
        }
    }

    /// Whether a piece is verified.
    #[must_use]
    pub fn had(&self, piece: u32) -> bool {
        matches!(self.order.find(piece), Some((Class::Had, _)))
    }

    /// How many pieces are verified.
    #[must_use]
    pub const fn had_count(&self) -> u32 {
        self.had
    }

    /// How many pieces are wanted and not verified.
    #[must_use]
    pub const fn missing(&self) -> u32 {
        self.wanted.count()
    }

    /// How many pieces were begun and are not verified.
    #[must_use]
    pub fn partial_count(&self) -> usize {
        self.partials.len()
    }

    /// How many blocks were received of pieces that are not verified.
    #[must_use]
    pub fn received_blocks(&self) -> u32 {
        self.partials.values().map(super::Partial::received).sum()
    }

    /// Whether it knows nothing that one made anew would not know, as long as no peer is here: nothing is begun, nothing
    /// is urgent.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.partials.is_empty() && self.deadlines.is_empty()
    }

    /// Whether every piece that is wanted is verified.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.wanted.none()
    }

    /// Whether every block that is wanted was asked for.
    #[must_use]
    pub fn in_end_game(&self) -> bool {
        !self.wanted.none() && self.fresh.none() && self.loose.is_empty() && self.owned.is_empty()
    }

    /// How many peers have a piece, seeds included.
    #[must_use]
    pub fn availability(&self, piece: u32) -> u32 {
        self.order.find(piece).map_or(0, |(_, level)| level as u32 + self.seeds)
    }

    /// The copies among the peers and us.
    #[must_use]
    pub fn copies(&self) -> Copies {
        let count = self.pieces.count() as usize;
        let at = |copies: usize| {
            let own = copies.checked_sub(1).map_or(0, |others| self.order.at_level(others, true));
            own + self.order.at_level(copies, false)
        };
        let least = (0..=self.order.levels()).find(|&copies| at(copies) > 0).unwrap_or(0);
        let more = (count - at(least).min(count)) * 1000;
        Copies { whole: least as u32 + self.seeds, more: more.checked_div(count).unwrap_or(0) as u32 }
    }

    /// The pieces begun and the blocks received of each, to be saved for a resume.
    pub fn partial(&self) -> impl Iterator<Item = (u32, Bitfield)> + '_ {
        self.partials.iter().filter(|(_, partial)| partial.received() > 0).map(|(&piece, partial)| {
            let mut blocks = Bitfield::new(partial.blocks());
            for block in 0..partial.blocks() {
                if partial.state(block) == Some(State::Received) {
                    blocks.set(block);
                }
            }
            (piece, blocks)
        })
    }

    /// Takes up a piece of which these blocks are on disk. True if it is complete by that and can be verified.
    pub fn restore_partial(&mut self, piece: u32, blocks: &Bitfield) -> bool {
        if blocks.none() || !self.begin(piece) {
            return false;
        }
        let Some(partial) = self.partials.get_mut(&piece) else { return false };
        let count = partial.blocks();
        for block in blocks.ones().take_while(|&block| block < count) {
            if partial.state(block) == Some(State::Free) {
                partial.set(block, State::Received, NOBODY);
            }
        }
        let complete = partial.is_complete();
        self.file(piece);
        complete
    }

    /// The blocks received of a piece, and of whom each came.
    pub fn contributors(&self, piece: u32) -> impl Iterator<Item = (u32, PeerKey)> + '_ {
        let blocks = self.partials.get(&piece).into_iter().flat_map(|partial| {
            (0..partial.blocks())
                .filter(|&block| partial.state(block) == Some(State::Received))
                .map(|block| (block, partial.from(block)))
        });
        blocks.filter(|&(_, peer)| peer != NOBODY)
    }

    /// A verified piece turned out to be gone or damaged: it is to be fetched again, with normal priority.
    pub fn lost(&mut self, piece: u32) {
        if self.had(piece) {
            self.order.set_class(piece, Class::Open(super::NORMAL));
            self.set_fresh(piece, true);
            self.wanted.set(piece);
            self.had -= 1;
        }
    }
}
