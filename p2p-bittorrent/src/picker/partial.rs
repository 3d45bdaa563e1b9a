//! A piece that was begun: which of its blocks are free, asked for or received, and of whom.

use super::PeerKey;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Whoever restored a block from resume data.
pub(super) const NOBODY: PeerKey = PeerKey::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    Free,
    Asked,
    Received,
}

/// From which end blocks are taken: its owner takes a piece in order, helpers take from the end and leave it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Front,
    Back,
}

/// Five bytes per block, only while the piece is partial.
#[derive(Debug)]
pub(super) struct Partial {
    /// The one peer that is to have it to itself, if it is fast enough.
    pub(super) owner: Option<PeerKey>,
    pub(super) priority: u8,
    /// Who was accused of it, when it failed.
    pub(super) accused: Vec<PeerKey>,
    states: Box<[State]>,
    /// Of whom each block was asked or received; means nothing for free ones.
    from: Box<[PeerKey]>,
    free: u32,
    received: u32,
    /// No block below is free ...
    low: u32,
    /// ... and none from here on.
    high: u32,
}

impl Partial {
    pub(super) fn new(blocks: u32, priority: u8) -> Self {
        Self {
            owner: None,
            priority,
            accused: Vec::new(),
            states: vec![State::Free; blocks as usize].into(),
            from: vec![NOBODY; blocks as usize].into(),
            free: blocks,
            received: 0,
            low: 0,
            high: blocks,
        }
    }

    pub(super) const fn blocks(&self) -> u32 {
        self.states.len() as u32
    }

    pub(super) const fn free(&self) -> u32 {
        self.free
    }

    pub(super) const fn received(&self) -> u32 {
        self.received
    }

    pub(super) const fn is_untouched(&self) -> bool {
        self.free == self.blocks()
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.received == self.blocks()
    }

    /// Whether any block is on its way.
    pub(super) const fn is_asked(&self) -> bool {
        self.free + self.received < self.blocks()
    }

    pub(super) fn state(&self, block: u32) -> Option<State> {
        self.states.get(block as usize).copied()
    }

    pub(super) fn from(&self, block: u32) -> PeerKey {
        self.from.get(block as usize).copied().unwrap_or(NOBODY)
    }

    /// Of whom blocks were asked or received; neighbours that are equal are named once.
    pub(super) fn givers(&self) -> impl Iterator<Item = PeerKey> + '_ {
        let taken = self.states.iter().zip(&self.from).filter(|(state, _)| **state != State::Free);
        let mut last = NOBODY;
        taken.map(|(_, from)| *from).filter(move |from| core::mem::replace(&mut last, *from) != *from)
    }

    /// Puts a block into a state.
    pub(super) fn set(&mut self, block: u32, state: State, from: PeerKey) {
        let (Some(was), Some(whose)) =
            (self.states.get_mut(block as usize), self.from.get_mut(block as usize))
        else {
            return;
        };
        match *was {
            State::Free => self.free -= 1,
            State::Asked => {}
            State::Received => self.received -= 1,
        }
        match state {
            State::Free => {
                self.free += 1;
                self.low = self.low.min(block);
                self.high = self.high.max(block + 1);
            }
            State::Asked => {}
            State::Received => self.received += 1,
        }
        *was = state;
        *whose = from;
    }

    /// The next free block from one end.
    pub(super) fn next_free(&mut self, end: End) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let range = self.low as usize..self.high as usize;
        let between = self.states.get(range).unwrap_or_default();
        match end {
            End::Front => self.low += between.iter().position(|&state| state == State::Free)? as u32,
            End::Back => {
                self.high = self.low + between.iter().rposition(|&state| state == State::Free)? as u32 + 1
            }
        }
        Some(if end == End::Front { self.low } else { self.high - 1 })
    }
}
