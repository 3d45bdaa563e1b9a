//! A search for who is responsible for a place: [`Lookup`], which asks ever nearer nodes, several at a time.
//!
//! Nobody nearer is believed without being asked in turn, and an answer only counts for nodes strictly nearer than who
//! gave it: a node that would lead a lookup astray can only end its own branch (the progress check of Sit and Morris
//! 2002).

use crate::block::Block;
use crate::contact::Contact;
use crate::id::RingId;
use crate::node::View;
use crate::peer::Peer;
use alloc::vec::Vec;
use core::hash::{Hash as _, Hasher};

/// Candidates that are kept: the nearest.
const CANDIDATES: usize = 48;
/// For so many more room is made at a time: a million lookups may be simulated at once, and most stay short.
const MORE: usize = 8;

/// What a lookup cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Nodes on the path, the one responsible included; 0 if this node is.
    pub hops: u16,
    /// Questions sent and answers received.
    pub messages: u16,
    /// Questions that were not answered in time.
    pub timeouts: u16,
    /// Times at which nothing but waiting for a late answer was left to do, and it did not come.
    pub stalls: u16,
}

impl Report {
    /// Adds what was spent on a question that was passed on, where each waits in turn.
    pub(crate) const fn routed(&mut self, hops: u8, messages: u16, timeouts: u8) {
        self.hops = hops as u16;
        self.messages = self.messages.saturating_add(messages);
        self.timeouts = self.timeouts.saturating_add(timeouts as u16);
        self.stalls = self.stalls.saturating_add(timeouts as u16);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    New,
    Asked,
    Answered,
    /// It is asked for all whom it knows, or was.
    Widened,
    Failed,
}

#[derive(Clone, Debug)]
struct Candidate {
    contact: Contact,
    depth: u16,
    state: State,
    /// It is likely to be responsible, and so comes before all others.
    is_guess: bool,
}

impl Candidate {
    /// From there clockwise to the target.
    fn distance(&self, target: RingId) -> RingId {
        if self.is_guess { RingId::new([0; 20]) } else { self.contact.peer.id().distance_to(target) }
    }
}

/// A lookup under way.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    target: RingId,
    /// Nearest last: those that are named are nearer than all before, and so are put at the end.
    candidates: Vec<Candidate>,
    parallel: usize,
    /// Who is asked may well be responsible: nobody else is until it has answered.
    is_guessed: bool,
    /// Of one block of addresses, so many that are yet to be asked; 0: any number.
    alike: usize,
    /// Those that were named as responsible and are dead.
    dead: Vec<Peer>,
    pub(crate) report: Report,
}

impl Lookup {
    /// A lookup that begins with these nodes, best nearest first, and asks so many at a time.
    pub(crate) fn new(target: RingId, parallel: usize, seeds: &[Contact]) -> Self {
        let mut lookup = Self {
            target,
            candidates: Vec::with_capacity(seeds.len() + MORE),
            parallel,
            is_guessed: false,
            alike: 0,
            dead: Vec::new(),
            report: Report::default(),
        };
        for contact in seeds.iter().rev() {
            lookup.add(*contact, 1);
        }
        lookup
    }

    /// Keeps so many of one block of addresses in mind, the nearest; 0: any number.
    pub(crate) const fn alike(mut self, most: usize) -> Self {
        self.alike = most;
        self
    }

    /// Makes room for one more of its block, at so great a distance, or says that there is none: others are nearer.
    fn make_room(&mut self, contact: Contact, distance: RingId) -> bool {
        let Some(block) = Block::of(contact.peer.addr()).filter(|_| self.alike > 0) else { return true };
        let is_alike =
            |at: &Candidate| at.state == State::New && Block::of(at.contact.peer.addr()) == Some(block);
        if self.candidates.iter().filter(|at| is_alike(at)).count() < self.alike {
            return true;
        }
        match self.candidates.iter().position(is_alike) {
            Some(at) if self.candidates[at].distance(self.target) > distance => {
                self.candidates.remove(at);
                true
            }
            _ => false,
        }
    }

    /// See [`Chord::touch`](crate::Chord::touch): those that are asked next, and where nearer ones are put.
    pub(crate) fn touch(&self) -> u64 {
        self.candidates.iter().rev().take(8).fold(0, |sum, candidate| sum ^ u64::from(candidate.depth))
    }

    pub(crate) const fn target(&self) -> RingId {
        self.target
    }

    fn add(&mut self, contact: Contact, depth: u16) {
        let distance = contact.peer.id().distance_to(self.target);
        let target = self.target;
        let place = match self.candidates.last() {
            Some(nearest) if nearest.distance(target) <= distance => {
                self.candidates.binary_search_by(|candidate| distance.cmp(&candidate.distance(target)))
            }
            _ => Err(self.candidates.len()),
        };
        let Err(mut at) = place else { return };
        let nearer = self.candidates.len() - at;
        if nearer >= CANDIDATES {
            return;
        }
        let before = self.candidates.len();
        if !self.make_room(contact, distance) {
            return;
        }
        // Who gave way was farther away.
        at -= before - self.candidates.len();
        if self.candidates.len() >= CANDIDATES {
            self.candidates.remove(0);
            at -= 1;
        }
        self.insert(at, Candidate { contact, depth, state: State::New, is_guess: false });
    }

    /// This one is likely to be responsible, and is asked before anybody else.
    pub(crate) fn guess(&mut self, contact: Contact) {
        let candidate = Candidate { contact, depth: 1, state: State::New, is_guess: true };
        self.insert(self.candidates.len(), candidate);
        self.is_guessed = true;
    }

    fn insert(&mut self, at: usize, candidate: Candidate) {
        if self.candidates.len() == self.candidates.capacity() {
            self.candidates.reserve_exact(MORE);
        }
        self.candidates.insert(at, candidate);
    }

    /// All that its later course depends on.
    pub(crate) fn essence(&self, view: View, into: &mut impl Hasher) {
        (self.target, &self.dead).hash(into);
        for candidate in self.candidates.iter().rev() {
            view.hash_contacts([&candidate.contact], into);
            candidate.state.hash(into);
        }
    }

    fn asked(&self) -> usize {
        self.candidates.iter().filter(|candidate| candidate.state == State::Asked).count()
    }

    /// Of those that are yet to be asked the nearest, if not too many of its block of addresses were; else the nearest.
    fn foremost(&self) -> Option<usize> {
        let is_new = |candidate: &&Candidate| candidate.state == State::New;
        let block = |candidate: &Candidate| Block::of(candidate.contact.peer.addr());
        let has_room = |new: &Candidate| {
            let Some(of) = block(new).filter(|_| self.alike > 0) else { return true };
            let asked = self.candidates.iter().filter(|at| !is_new(at) && block(at) == Some(of));
            asked.count() < self.alike
        };
        let mut new = self.candidates.iter().enumerate().rev().filter(|(_, candidate)| is_new(candidate));
        let first = new.clone().next().map(|(at, _)| at);
        new.find(|(_, candidate)| has_room(candidate)).map(|(at, _)| at).or(first)
    }

    /// The next node to ask, if it is time to ask one.
    pub(crate) fn next(&mut self) -> Option<Contact> {
        let parallel = if self.is_guessed { 1 } else { self.parallel };
        if self.asked() >= parallel {
            return None;
        }
        let next = self.foremost()?;
        let next = self.candidates.get_mut(next)?;
        next.state = State::Asked;
        self.report.messages += 1;
        Some(next.contact)
    }

    /// Whether nobody is left to ask or to wait for.
    pub(crate) fn is_over(&self) -> bool {
        !self.candidates.iter().any(|candidate| matches!(candidate.state, State::New | State::Asked))
    }

    /// Whether somebody nearer than this one has yet to answer.
    pub(crate) fn awaits_nearer(&self, peer: Peer) -> bool {
        let distance = peer.id().distance_to(self.target);
        self.candidates.iter().any(|candidate| {
            matches!(candidate.state, State::New | State::Asked) && candidate.distance(self.target) < distance
        })
    }

    /// Nobody waits any more for the answers that are outstanding.
    pub(crate) fn recall(&mut self) {
        for candidate in self.candidates.iter_mut().filter(|candidate| candidate.state == State::Asked) {
            candidate.state = State::New;
        }
    }

    /// Nobody nearer is left: the nearest one that answered and was not asked yet for all that it knows.
    pub(crate) fn widen(&mut self) -> Option<Contact> {
        let nearest =
            self.candidates.iter_mut().rev().find(|candidate| candidate.state == State::Answered)?;
        nearest.state = State::Widened;
        self.report.messages += 1;
        Some(nearest.contact)
    }

    /// Nobody at all answered: one more to ask, if it was not yet. Tells whether it will be.
    pub(crate) fn fall_back(&mut self, contact: Contact) -> bool {
        self.add(contact, 1);
        !self.is_over()
    }

    /// Bytes on the heap.
    pub(crate) const fn memory(&self) -> usize {
        self.candidates.capacity() * size_of::<Candidate>() + self.dead.capacity() * size_of::<Peer>()
    }

    /// Who was asked answered, or will not.
    fn find(&mut self, peer: Peer) -> Option<&mut Candidate> {
        self.is_guessed = false;
        self.candidates.iter_mut().rev().find(|candidate| candidate.contact.peer == peer)
    }

    /// A node named nearer ones, best the farthest first.
    pub(crate) fn closer(&mut self, peer: Peer, closer: impl Iterator<Item = Contact>) {
        self.report.messages += 1;
        let target = self.target;
        let Some(candidate) = self.find(peer) else { return };
        if candidate.state != State::Widened {
            candidate.state = State::Answered;
        }
        let (distance, depth) = (candidate.distance(target), candidate.depth);
        for contact in closer {
            if contact.peer.id().distance_to(self.target) < distance {
                self.add(contact, depth + 1);
            }
        }
    }

    /// A node named who is responsible: whether it can be believed, for they must lie behind it.
    pub(crate) fn owners(&mut self, peer: Peer, owners: &[Peer]) -> bool {
        self.report.messages += 1;
        let target = self.target;
        let Some(candidate) = self.find(peer) else { return false };
        candidate.state = State::Answered;
        let depth = candidate.depth;
        let Some(first) = owners.first() else { return false };
        let is_itself = *first == peer;
        if !is_itself && !target.in_arc_to(peer.id(), first.id()) {
            return false;
        }
        self.report.hops = if is_itself { depth } else { depth + 1 };
        true
    }

    /// A node has what is looked for.
    pub(crate) fn holder(&mut self, peer: Peer) {
        self.report.messages += 1;
        if let Some(candidate) = self.find(peer) {
            candidate.state = State::Answered;
            let depth = candidate.depth;
            self.report.hops = depth;
        }
    }

    /// Who was named as responsible does not answer.
    pub(crate) fn buried(&mut self, peer: Peer) {
        self.dead.push(peer);
        self.report.timeouts += 1;
    }

    /// Whether somebody was named as responsible and is dead.
    pub(crate) const fn has_buried(&self) -> bool {
        !self.dead.is_empty()
    }

    /// Whether this one was named before, and is dead.
    pub(crate) fn is_buried(&self, peer: Peer) -> bool {
        self.dead.contains(&peer)
    }

    /// A node is no help: it is not in the ring, say.
    pub(crate) fn refused(&mut self, peer: Peer) {
        self.report.messages += 1;
        if let Some(candidate) = self.find(peer) {
            candidate.state = State::Failed;
        }
    }

    /// A node did not answer in time.
    pub(crate) fn failed(&mut self, peer: Peer) {
        self.report.timeouts += 1;
        if let Some(candidate) = self.find(peer) {
            candidate.state = State::Failed;
        }
        if self.asked() == 0 {
            self.report.stalls += 1;
        }
    }
}
