//! Which places a node has to do with, and what becomes of copies of others: [`Sweep`].
//!
//! A node knows who is behind it, not who is before it, so whether it is among the replicas of a place is a guess
//! ([`Chord::is_near`]): enough to refuse what is far away. What was right once and is not any more, because nodes came in
//! between, is found from time to time:
//!
//! ```text
//!            the first record behind us, which is the farthest before us
//!  Sweep ──► lookup ──► its owner's list ──► we are in it: all is well
//!                                        └─► we are not: compare with the owner, forget what it has ──► the next arc
//! ```

use super::lookups::Goal;
use super::reconcile::Why;
use super::{Chord, Context, Purpose, peers};
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::record::{FRAGMENTS, Kind};
use crate::ring::Ring;
use crate::store::{Digest, Name, fingerprint};
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::vec::Vec;
use p2p_core::Instant;

/// What was found to be here without need is looked for so often, in times of [`Config::compare`](crate::Config::compare).
const ROUND: u32 = 8;

/// Looking for copies that are nobody's business here.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    /// When the next round begins.
    next: Instant,
    round: Option<Box<Round>>,
}

/// A round.
#[derive(Clone, Debug)]
struct Round {
    /// Up to where it has come.
    at: RingId,
    /// Who is responsible for what is looked at.
    owner: Option<Peer>,
}

/// The first eight bytes of a distance.
fn high(distance: RingId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *distance.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Chord {
    /// Nodes that have something of a record of a kind.
    pub(super) fn replicas(&self, kind: Kind) -> usize {
        if kind == Kind::Coded { FRAGMENTS } else { self.config.replicas }
    }

    /// How far it is from node to node, by those behind this one; `None` if it knows everybody.
    fn gap(&self, ring: &Ring) -> Option<u64> {
        let last = ring.successors().last().filter(|_| !ring.is_small())?;
        Some(high(ring.me().id().distance_to(last.peer.id())) / ring.successors().len() as u64)
    }

    /// Whether this node may be among the replicas of a place, as far as it can tell: it only guesses where those before
    /// it are, by how close those behind it lie to each other.
    ///
    /// Of two sums of eight exponential distances one is twelve times the other once in 300,000 times, and of four sixteen
    /// times once in 2,000; that is how often the last replica refuses wrongly, and the record has one copy less. Somebody
    /// may so place copies on three eighths of a ring of 256; what he may place at all is limited by
    /// [`Limits::copies_bytes`](crate::store::Limits::copies_bytes).
    pub(super) fn is_near(&self, key: RingId, kind: Kind) -> bool {
        self.is_within(key, self.replicas(kind))
    }

    /// Whether this node may be among so many from a place on.
    pub(super) fn is_within(&self, key: RingId, nodes: usize) -> bool {
        let Some(ring) = self.ring() else { return false };
        let Some(gap) = self.gap(ring).filter(|_| !ring.owns(key)) else { return true };
        let width = 8 + 32 / ring.successors().len() as u64;
        let reach = gap.saturating_mul(width * nodes as u64);
        high(key.distance_to(ring.me().id())) <= reach
    }

    /// Whether this node may not be among the replicas of a place, as far as it can tell. Nobody can make it forget what is
    /// nearer, whoever he says is responsible.
    fn may_be_far(&self, key: RingId) -> bool {
        let Some(ring) = self.ring() else { return false };
        if ring.owns(key) {
            return false;
        }
        let Some(gap) = self.gap(ring) else { return true };
        high(key.distance_to(ring.me().id())) > gap.saturating_mul(self.config.replicas as u64)
    }

    /// Begins a round, if it is time to.
    pub(super) fn sweep(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        if self.storage.sweep.next > now || self.storage.store.is_empty() {
            return;
        }
        let every = self.config.compare * ROUND;
        // Not all nodes at the same time.
        let phase = cx.rng().phase(every);
        let round = self.peer().map(|me| Box::new(Round { at: me.id(), owner: None }));
        self.storage.sweep = Sweep { next: now + every / 2 + phase, round };
        self.sweep_on(cx);
    }

    /// Looks at the next arc of which something is here.
    pub(super) fn sweep_on(&mut self, cx: &mut Context<'_>) {
        let Some(ring) = self.ring() else { return self.sweep_ends() };
        let me = ring.me().id();
        let Some(at) = self.storage.sweep.round.as_ref().map(|round| round.at) else { return };
        let first = self.storage.store.arc(at, me, false, cx.unix_now()).next().map(|(name, _)| name.key());
        let Some(key) = first.filter(|key| self.may_be_far(*key)) else { return self.sweep_ends() };
        if ring.is_small() {
            let mut members: Vec<Peer> = ring.successors().iter().map(|contact| contact.peer).collect();
            members.push(ring.me());
            members.sort_by_key(|member| key.distance_to(member.id()));
            let Some(before) = members.last().map(Peer::id) else { return self.sweep_ends() };
            return self.sweep_arc(before, &members, cx);
        }
        self.look_up(key, Goal::Sweep, cx);
    }

    /// Who is responsible is found: who is behind it?
    pub(super) fn sweep_found(&mut self, owners: &[Peer], cx: &mut Context<'_>) {
        let me = self.peer();
        let Some(owner) = owners.first().copied().filter(|owner| Some(*owner) != me) else {
            return self.sweep_ends();
        };
        let Some(round) = &mut self.storage.sweep.round else { return };
        round.owner = Some(owner);
        let ask = Ask::Neighbours { notify: false, known: 0 };
        self.ask(Contact::unmet(owner), ask, Insistence::Twice, Purpose::Sweep, cx);
    }

    pub(super) fn sweep_answered(&mut self, answer: Answer, cx: &mut Context<'_>) {
        let network = self.config.network;
        let Answer::Neighbours { predecessor: Some(before), successors: Some(list), .. } = answer else {
            return self.sweep_ends();
        };
        let owner = self.storage.sweep.round.as_ref().and_then(|round| round.owner);
        let (Some(owner), Some(before)) = (owner, before.peer(network)) else {
            return self.sweep_ends();
        };
        let mut members = Vec::from([owner]);
        members.extend(peers(network, list));
        self.sweep_arc(before.id(), &members, cx);
    }

    /// The nodes that have copies of an arc, which ends at the first of them, are known.
    fn sweep_arc(&mut self, before: RingId, members: &[Peer], cx: &mut Context<'_>) {
        let (Some(me), Some(owner)) = (self.peer(), members.first().copied()) else {
            return self.sweep_ends();
        };
        let place = members.iter().position(|member| *member == me);
        if owner == me || place.is_some_and(|place| place < self.config.replicas) {
            // Of what is nearer it is to have copies too.
            return self.sweep_ends();
        }
        let Some(round) = &mut self.storage.sweep.round else { return };
        round.at = owner.id();
        let coded = place.is_none_or(|place| place >= FRAGMENTS);
        if !self.reconcile(Contact::unmet(owner), (before, owner.id()), Why::Sweep { coded }, cx) {
            self.sweep_ends();
        }
    }

    pub(super) fn sweep_ends(&mut self) {
        self.storage.sweep.round = None;
    }

    /// The other node has all that is in an arc, and it was this: it goes, if it is that still.
    pub(super) fn drop_arc(
        &mut self,
        key: u64,
        (from, to): (RingId, RingId),
        digest: Digest,
        coded: bool,
        cx: &Context<'_>,
    ) {
        let (store, now) = (&self.storage.store, cx.unix_now());
        if store.digest(key, (from, to), false, now) != digest {
            return;
        }
        let names: Vec<(Name, [u8; 8])> = store
            .arc(from, to, false, now)
            .map(|(name, held)| (*name, fingerprint(key, name, held).to_le_bytes()))
            .collect();
        self.drop_names(key, names.into_iter(), coded);
    }

    /// The other node has these, in these versions: they go, if they are the same still.
    pub(super) fn drop_names(&mut self, key: u64, names: impl Iterator<Item = (Name, [u8; 8])>, coded: bool) {
        for (name, version) in names {
            let store = &mut self.storage.store;
            let is_same =
                store.get(&name).is_some_and(|held| fingerprint(key, &name, held).to_le_bytes() == version);
            if !is_same || self.ring().is_none_or(|ring| ring.owns(name.key())) {
                continue;
            }
            if name.kind() != Kind::Coded {
                self.storage.store.remove(&name);
            } else if coded {
                self.storage.store.remove_key(name.key(), Kind::Coded);
            }
        }
    }
}
