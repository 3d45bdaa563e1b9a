//! A member's place in one tree: its parent, its children, and the way from the source ([`Tree`]).

use crate::member::hand_over::HandOver;
use crate::member::stamps::Stamps;
use crate::member::witness::Brought;
use crate::wire::{AsChild, Known, MemberId, Place};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// A child that says nothing for so long is gone.
const SILENT_CHILD: Duration = Duration::from_secs(10);

/// Who sends us a tree's symbols.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    pub(super) id: MemberId,
    pub(super) addr: SocketAddr,
    /// Where it is itself, as it said last.
    pub(super) place: Place,
    /// How long an answer of it takes.
    pub(super) round_trip: Duration,
    /// When anything of this tree came from it, or it said that it is there.
    pub(super) heard: Instant,
    /// When a symbol of this tree came from it.
    pub(super) fed: Option<Instant>,
    /// It was asked whether it is there, because it is silent.
    pub(super) doubted: bool,
    /// How often in a row it answered that it is, and sent nothing: the stream has paused.
    pub(super) answered: u32,
    /// It sends nothing until it is asked to: another host of our LAN gets this tree.
    pub(super) rests: bool,
    /// What it brought of late.
    pub(super) brought: Brought,
    /// Whether what it sends is known by a stamp.
    pub(super) stamps: Stamps,
    /// It wants us to find another one, and goes on meanwhile.
    pub(super) moves: bool,
    /// When it is to get another token from us: they are good for a while only.
    pub(super) renews: Instant,
}

impl Parent {
    /// Milliseconds from the source to us, by it.
    pub(super) fn delay(&self) -> u16 {
        let half = self.round_trip.as_millis() / 2;
        self.place.delay.saturating_add(u16::try_from(half).unwrap_or(u16::MAX))
    }
}

/// Whom we send a tree's symbols.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) id: MemberId,
    pub(super) addr: SocketAddr,
    /// To prove our address to it with.
    pub(super) token: u32,
    pub(super) heard: Instant,
    /// Who goes before it, and before whom it goes.
    pub(super) like: AsChild,
    /// It was asked whether it is there.
    pub(super) doubted: bool,
    /// It is sent nothing until it asks again.
    pub(super) rests: bool,
    /// It was told to find another parent; until then, or until this time, it is sent symbols.
    pub(super) moves: Option<Instant>,
    /// It is sent symbols from this generation on,
    pub(super) from: u64,
    /// and before this one.
    pub(super) until: u64,
}

impl Child {
    /// Whether it is sent symbols of this generation.
    pub(super) const fn takes(&self, generation: u64) -> bool {
        !self.rests && self.from <= generation && generation < self.until
    }

    /// Whether another one is its parent, and it has only what is left of some generations from us.
    pub(super) const fn is_handed_over(&self) -> bool {
        self.until != u64::MAX
    }

    /// As others are told of it.
    pub(super) const fn known(&self) -> Known {
        Known { id: self.id, addr: self.addr, age: 0 }
    }
}

/// What is under way to get a parent.
#[derive(Clone, Debug)]
pub(super) struct Seek {
    /// Who was asked and has not answered.
    pub(super) asked: Vec<SocketAddr>,
    /// When to try again.
    pub(super) next: Instant,
    /// How often it was tried.
    pub(super) rounds: u8,
    /// Those who refused named these: they have room, as far as they know.
    pub(super) named: Vec<SocketAddr>,
    /// Whoever has upload left is asked, in any tree.
    pub(super) urgent: bool,
    /// There was a parent, and it is gone.
    pub(super) was_fed: bool,
}

impl Seek {
    pub(super) const fn new(now: Instant) -> Self {
        Self { asked: Vec::new(), next: now, rounds: 0, named: Vec::new(), urgent: false, was_fed: false }
    }
}

/// One tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) parent: Option<Parent>,
    /// Who was a parent before, or would have been, and until when: what it sent is still under way until then.
    pub(super) former: Vec<(SocketAddr, Instant)>,
    pub(super) children: Vec<Child>,
    pub(super) seek: Option<Seek>,
    /// Where the parent's parent was reached when the parent was lost.
    pub(super) above: Option<SocketAddr>,
    /// Who would be the parent, should the one that is doubted not answer.
    pub(super) reserve: Option<(MemberId, SocketAddr, Place)>,
    /// A better parent was asked, and has not answered.
    pub(super) bettering: Option<SocketAddr>,
    /// The newest generation of which a symbol came down this tree.
    pub(super) newest: u64,
    /// When the first one of it came.
    pub(super) turned: Option<Instant>,
    /// How long a generation takes.
    pub(super) every: Duration,
    /// How the parent and the one before it share the stream.
    pub(super) hand_over: Option<HandOver>,
    /// The longest silence between two symbols of it, forgotten little by little.
    pub(super) pause: Duration,
    /// The parent gave our place to another member: from this generation on symbols miss, of whoever is the next one.
    pub(super) behind: Option<u64>,
}

/// So much longer than twice the pauses of before one may be to be taken for what is usual.
const PAUSE: Duration = Duration::from_millis(50);

/// Former parents that are remembered.
const FORMER: usize = 4;

impl Tree {
    /// We are no child of it any more: what it sent is under way until then.
    pub(super) fn leaves(&mut self, parent: SocketAddr, until: Instant) {
        self.former.retain(|(former, _)| *former != parent);
        self.former.truncate(FORMER - 1);
        self.former.insert(0, (parent, until));
    }

    /// Who passes the stream on to us, ourselves included; nobody knows if we have no parent.
    pub(super) fn path(&self, me: MemberId, is_source: bool) -> Option<Vec<MemberId>> {
        if is_source {
            return Some([me].into());
        }
        // What we have of a tree whose parent rests did not come by it.
        let above = &self.parent.as_ref().filter(|parent| !parent.rests)?.place.path;
        let mut path = Vec::with_capacity(above.len() + 1);
        path.extend_from_slice(above);
        path.push(me);
        Some(path)
    }

    /// A symbol came from the parent.
    pub(super) fn fed(&mut self, generation: u64, now: Instant) {
        self.turn(generation, now);
        self.behind = None;
        if let Some(parent) = &mut self.parent {
            let pause = parent.fed.map_or(Duration::ZERO, |fed| now.since(fed));
            // A hundred symbols later, a third of a pause is left of it. A stream that pauses for long does so again; a
            // failure somewhere above is not to make us slow to see the next one.
            let learned = pause.min(2 * self.pause + PAUSE);
            self.pause = learned.max(self.pause - self.pause / 100);
            parent.fed = Some(now);
            parent.heard = now;
            parent.doubted = false;
            parent.answered = 0;
        }
    }

    pub(super) fn child(&mut self, addr: SocketAddr) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.addr == addr)
    }

    /// Whether a parent is to be looked for.
    pub(super) const fn is_unsettled(&self) -> bool {
        match &self.parent {
            None => true,
            Some(parent) => parent.moves,
        }
    }

    /// Children that count: those that are told to move make room by that.
    pub(super) fn staying(&self) -> usize {
        self.children.iter().filter(|child| child.moves.is_none() && !child.rests).count()
    }

    /// Children that are sent symbols, those that are told to move among them.
    pub(super) fn fed_children(&self) -> usize {
        self.children.iter().filter(|child| !child.rests && child.until > self.newest).count()
    }

    /// When the first of its children may be forgotten.
    pub(super) fn tidy_at(&self) -> Option<Instant> {
        let gone = |child: &Child| child.moves.unwrap_or(child.heard + SILENT_CHILD);
        self.children.iter().map(gone).min()
    }

    /// Forgets children that are gone. True if any was.
    pub(super) fn tidy(&mut self, now: Instant) -> bool {
        let (before, newest) = (self.children.len(), self.newest);
        let is_gone = |child: &Child| {
            let is_over = child.until <= newest || child.moves.is_some_and(|until| until <= now);
            is_over || now.since(child.heard) >= SILENT_CHILD
        };
        self.children.retain(|child| !is_gone(child));
        self.children.len() < before
    }
}
