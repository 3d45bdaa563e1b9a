//! Who is to have copies of what this node holds, as nodes come and go: [`Copies`].
//!
//! A node compares what it is responsible for with the nodes behind it: with a new one at once, with the others in turn.
//! A new predecessor is given what it is to hold. Who leaves first sees to it that there are enough copies without it.

use super::reconcile::{Session, Why};
use super::{Chord, Context, Purpose};
use crate::api::Timer;
use crate::contact::Contact;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::record::FRAGMENTS;
use crate::store::{Held, Name};
use crate::wire::{Ask, LARGEST};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use p2p_core::{Duration, Instant, OpId};

/// Messages with copies that may be on their way to one node.
const WINDOW: usize = 4;
/// Bytes of records in a datagram of copies; one record may be longer.
const DATAGRAM: usize = LARGEST - 200;
/// And in a stream, which is used when more than this many records wait.
const STREAM: usize = 48 * 1024;
const MANY: usize = 64;
/// Records that may wait for one node. What is more is found by the next comparison.
const WAITING: usize = 65_536;
/// How long a node that leaves waits for its copies to be taken.
const PARTING: Duration = Duration::from_secs(5);

/// What is on its way from replica to replica.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    pub(super) sessions: BTreeMap<u32, Box<Session>>,
    hands: BTreeMap<Peer, Box<Hand>>,
    /// Who had copies when that was last looked at: the beginnings of their places.
    replicas: Vec<u64>,
    /// Which of them is compared with next, and when.
    turn: usize,
    next: Instant,
    leaving: Option<Leaving>,
    handed: Handed,
}

impl Copies {
    /// Bytes on the heap, about.
    pub(super) fn memory(&self) -> usize {
        super::memory::of_map(&self.sessions)
            + self.sessions.len() * size_of::<Session>()
            + super::memory::of_map(&self.hands)
            + self
                .hands
                .values()
                .map(|hand| size_of::<Hand>() + hand.names.capacity() * size_of::<Name>())
                .sum::<usize>()
            + self.replicas.capacity() * size_of::<u64>()
    }
}

/// What a node gave to others to make copies the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Records that wait for a node to take copies.
#[derive(Clone, Debug)]
struct Hand {
    to: Contact,
    names: VecDeque<Name>,
    outstanding: usize,
}

/// Why a node goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    Op(OpId),
    Stop,
}

impl Chord {
    /// What it gave to others so far to make copies the same, beside what was put.
    #[must_use]
    pub const fn handed_over(&self) -> Handed {
        self.storage.copies.handed
    }

    /// Time to see who is to have copies.
    pub(super) fn look_after_copies(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        self.storage.store.expire(cx.unix_now());
        self.bring_home(cx);
        let replicas = self.config.replicas.saturating_sub(1);
        let Some(ring) = self.ring() else { return };
        let Some(before) = ring.predecessor().copied() else { return };
        let (from, to) = (before.peer.id(), ring.me().id());
        // Values in fragments have more nodes.
        let has_coded = self.storage.store.arc(from, to, true, cx.unix_now()).next().is_some();
        let nodes = if has_coded { replicas.max(FRAGMENTS - 1) } else { replicas };
        let targets: Vec<Contact> = ring.successors().iter().take(nodes).copied().collect();
        let copies = &mut self.storage.copies;
        let mut due: Vec<Contact> = targets
            .iter()
            .filter(|target| !copies.replicas.contains(&target.peer.id().beginning()))
            .copied()
            .collect();
        copies.replicas = targets.iter().map(|target| target.peer.id().beginning()).collect();
        if due.is_empty() && copies.next <= now && !targets.is_empty() {
            copies.next = now + self.config.compare;
            copies.turn = (copies.turn + 1) % targets.len();
            due.push(targets[copies.turn]);
        }
        self.sweep(cx);
        self.look_after_lodgings(cx);
        for target in due {
            let place = targets.iter().position(|other| other.peer == target.peer);
            let why = if place.is_some_and(|place| place >= replicas) { Why::Fragments } else { Why::Own };
            self.reconcile(target, (from, to), why, cx);
        }
    }

    /// If another node is before us now, it is to hold what we hold of those before it.
    pub(super) fn notice_predecessor(&mut self, cx: &mut Context<'_>) {
        let before = self.ring().and_then(|ring| ring.predecessor()).copied();
        let peer = before.map(|before| before.peer);
        // Nearly always it is the same, and what is stored is far away in memory.
        let begin = peer.map_or(0, |peer| peer.id().beginning());
        if begin == self.noticed {
            return;
        }
        self.noticed = begin;
        // Who is responsible for more than before has all replicas look whether they have it.
        self.storage.copies.replicas.clear();
        self.begin_homing(cx);
        if let Some(before) = before
            && let Some(me) = self.peer()
            && !self.storage.store.is_empty()
        {
            self.reconcile(before, (me.id(), before.peer.id()), Why::Newcomer, cx);
        }
    }

    /// Gives copies to a node, a few at a time.
    pub(super) fn hand(&mut self, to: Contact, names: Vec<Name>, cx: &mut Context<'_>) {
        if names.is_empty() {
            return;
        }
        let new = || Box::new(Hand { to, names: VecDeque::new(), outstanding: 0 });
        let hand = self.storage.copies.hands.entry(to.peer).or_insert_with(new);
        let room = WAITING.saturating_sub(hand.names.len());
        hand.names.extend(names.into_iter().take(room));
        self.hand_on(to.peer, cx);
    }

    fn hand_on(&mut self, peer: Peer, cx: &mut Context<'_>) {
        let now = cx.unix_now().as_secs();
        while let Some(hand) = self.storage.copies.hands.get_mut(&peer) {
            if hand.outstanding >= WINDOW {
                return;
            }
            let most = if hand.names.len() > MANY { STREAM } else { DATAGRAM };
            let (mut held, mut bytes): (Vec<Held>, usize) = (Vec::new(), 0);
            while let Some(name) = hand.names.pop_front() {
                let Some(next) = self.storage.store.get(&name).filter(|held| held.expires > now) else {
                    continue;
                };
                let len = next.record.wire_len() + 20;
                if bytes > 0 && bytes + len > most {
                    hand.names.push_front(name);
                    break;
                }
                bytes += len;
                held.push(next.clone());
            }
            if held.is_empty() {
                if hand.outstanding == 0 {
                    self.storage.copies.hands.remove(&peer);
                    self.depart_if_handed(cx);
                }
                return;
            }
            hand.outstanding += 1;
            let to = hand.to;
            self.count_handed(&held);
            self.ask_or_dial(to, Ask::Keep(held), Insistence::Thrice, Purpose::Hand, cx);
        }
    }

    pub(super) fn handed(&mut self, peer: Peer, cx: &mut Context<'_>) {
        if let Some(hand) = self.storage.copies.hands.get_mut(&peer) {
            hand.outstanding = hand.outstanding.saturating_sub(1);
            self.hand_on(peer, cx);
        }
    }

    pub(super) fn not_handed(&mut self, peer: Peer, cx: &mut Context<'_>) {
        self.storage.copies.hands.remove(&peer);
        self.depart_if_handed(cx);
    }

    /// Sees to it that there are enough copies without this node. Whether there is nothing to be done for that.
    pub(super) fn begin_to_leave(&mut self, leaving: Leaving, cx: &mut Context<'_>) -> bool {
        if self.storage.copies.leaving == Some(Leaving::Stop) {
            return false;
        }
        if let Some(Leaving::Op(op)) = self.storage.copies.leaving.replace(leaving) {
            cx.finish(op, Ok(()));
        }
        let replicas = self.config.replicas;
        let Some(ring) = self.ring().filter(|_| !self.storage.store.is_empty()) else { return true };
        let me = ring.me().id();
        let before = ring.predecessor().map_or(me, |before| before.peer.id());
        // Our successor is responsible then, and one more node behind the others has copies.
        let successors = ring.successors();
        let first = successors.first().copied();
        let last = successors.get(replicas.saturating_sub(1)).copied();
        for target in first.into_iter().chain(last.filter(|last| Some(*last) != first)) {
            self.reconcile(target, (before, me), Why::Leaving, cx);
        }
        cx.set_timer(Timer::Leave, PARTING);
        self.has_handed()
    }

    fn has_handed(&self) -> bool {
        let copies = &self.storage.copies;
        copies.sessions.is_empty() && copies.hands.is_empty() && !self.is_mending()
    }

    /// Counts what is given to somebody.
    pub(super) fn count_handed(&mut self, held: &[Held]) {
        let handed = &mut self.storage.copies.handed;
        handed.records += held.len() as u64;
        handed.bytes += held.iter().map(|held| held.record.wire_len() as u64 + 20).sum::<u64>();
    }

    pub(super) fn depart_if_handed(&mut self, cx: &mut Context<'_>) {
        if self.storage.copies.leaving.is_some() && self.has_handed() {
            self.depart(cx);
        }
    }

    /// Goes, as it was asked to.
    pub(super) fn depart(&mut self, cx: &mut Context<'_>) {
        let Some(leaving) = self.storage.copies.leaving.take() else { return };
        cx.clear_timer(Timer::Leave);
        self.go(cx);
        match leaving {
            Leaving::Op(op) => cx.finish(op, Ok(())),
            Leaving::Stop => {
                self.storage.stopping = true;
                self.halt_when_stored(cx);
            }
        }
    }
}
