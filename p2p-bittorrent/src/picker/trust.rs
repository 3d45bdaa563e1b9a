//! Whom to believe: what may be asked of a peer that nothing is known of, and who is to blame for a piece that failed.
//!
//! A block cannot be verified, only a whole piece. Until a piece fails everybody is trusted, and an honest swarm pays
//! nothing. From then on, for [`CALM`] pieces, only peers are trusted that had a part in a piece that verified since they
//! last had one in a piece that failed; the others are on probation:
//!
//! - A piece has blocks of at most one of them. If it fails, that one is accused, its blocks alone are fetched again,
//!   and the others' are kept.
//! - While trusted peers give, one gives [`TRIAL`] block of a piece that they have nearly completed, or of a new one that
//!   they can complete, and nothing more is asked of it until that is verified. So a liar costs a block.
//! - If nobody does complete it, or no trusted peer gives anything, which is so at the start, one gives a whole piece,
//!   little by little, and several race: past [`RACE`] blocks that are not verified only the foremost goes on. So the
//!   start costs a piece or so per liar met, one liar at a time, and none that stalls holds the others up.
//! - Once we have a piece, such a one is first asked for a block of it ([`probe`](super::probe)): then a liar costs a
//!   block here too, and as much as above only if it answers probes and lies later.

use super::choose::LOOK;
use super::partial::{End, NOBODY, State};
use super::probe::Probe;
use super::{Asker, Has, PeerKey, Picker};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use p2p_core::{Duration, Instant, Rng};

/// Blocks whose proof a peer on probation may owe while trusted ones give.
const TRIAL: usize = 1;
/// Blocks that are asked of it at a time while it gives a piece alone: more than one, so that its link does not rest.
const WINDOW: usize = 2;
/// Blocks that all of those may owe before only the foremost is asked for more.
const RACE: usize = 16;
/// Whoever was asked longer ago and did not answer gives nothing.
const PATIENCE: Duration = Duration::from_secs(20);
/// A block that waits longer to be proved waits in vain: some pieces of 256 KiB at 10 kB/s, which is what one of five
/// slots of a small uplink gives. A liar's next fifteen blocks are bought by patience that ends too soon.
const IN_VAIN: Duration = Duration::from_secs(150);
/// Pieces verified after the last one that failed until strangers are trusted again: what the next liar costs then is
/// little beside them.
const CALM: u32 = 512;
/// Trusted peers remembered after they left: pieces may still have blocks of theirs.
const LEFT: usize = 64;

/// Accused of one piece, one after another, before all of it is fetched again.
const ACCUSED: usize = 8;

/// What a peer's blocks were worth so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It had no part yet in a piece that was verified or failed.
    Stranger,
    /// It had a part in a piece that verified.
    Proven,
    /// It had a part in a piece that failed, and since then in none that verified.
    Suspect,
}

/// What is known of all peers together.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Pieces still to be verified until strangers are trusted again; 0 as long as no piece failed.
    wary: u32,
    /// Trusted peers that left, the last ones.
    left: VecDeque<PeerKey>,
}

impl Trust {
    pub(super) fn left(&mut self, peer: PeerKey) {
        if self.left.len() >= LEFT {
            self.left.pop_front();
        }
        self.left.push_back(peer);
    }
}

impl Asker {
    /// Blocks whose proof it owes, or will.
    fn owed(&self) -> usize {
        self.outstanding.len() + self.unproven as usize
    }

    /// Whether blocks of it are likely to come.
    fn gives(&self, now: Instant) -> bool {
        !self.outstanding.is_empty() && now.since(self.last.1) < PATIENCE
    }
}

impl Picker {
    /// Whether a piece failed not long ago, so that strangers are not trusted.
    #[must_use]
    pub const fn is_wary(&self) -> bool {
        self.trust.wary > 0
    }

    /// Whether a peer may be asked for anything: it had a part in a piece that verified, or no piece failed lately.
    #[must_use]
    pub fn trusts(&self, peer: PeerKey) -> bool {
        match self.askers.get(&peer).map(|asker| asker.standing) {
            Some(Standing::Proven) => true,
            Some(Standing::Suspect) => false,
            Some(Standing::Stranger) => !self.is_wary(),
            None => !self.is_wary() || peer == NOBODY || self.trust.left.contains(&peer),
        }
    }

    /// Blocks that a peer gave or was asked for since it was last proved.
    #[must_use]
    pub fn unproven(&self, peer: PeerKey) -> usize {
        self.askers.get(&peer).map_or(0, Asker::owed)
    }

    fn trusted_give(&self, now: Instant) -> bool {
        self.askers.iter().any(|(&key, asker)| asker.gives(now) && self.trusts(key))
    }

    /// How many blocks may be asked of a peer now, as far as trust goes.
    pub(super) fn allowance(&mut self, peer: PeerKey, now: Instant) -> usize {
        let trusted = self.trusts(peer);
        let (accused, owed, waits, since, alone) = match self.askers.get(&peer) {
            Some(a) => (a.accused, a.owed(), a.outstanding.is_empty(), a.last.1, a.alone),
            None => (false, 0, false, now, false),
        };
        // Better of a liar than of nobody.
        if accused && self.askers.iter().any(|(&key, other)| key != peer && other.gives(now)) {
            return 0;
        }
        if trusted {
            return usize::MAX;
        }
        if self.askers.get(&peer).is_some_and(|asker| asker.probe.is_open()) {
            return 0;
        }
        if alone || self.reserved.values().any(|&of| of == peer) || !self.trusted_give(now) {
            return self.race(peer, now);
        }
        if owed == 0 {
            return TRIAL;
        }
        if !waits || now.since(since) < IN_VAIN {
            return 0;
        }
        // Nobody else completes its piece, so it may.
        if let Some(asker) = self.askers.get_mut(&peer) {
            asker.alone = true;
        }
        self.race(peer, now)
    }

    /// Whether one that is not trusted gives a piece alone if it is asked for anything now.
    pub(super) fn goes_alone(&self, peer: PeerKey, now: Instant) -> bool {
        self.askers.get(&peer).is_some_and(|asker| asker.alone || asker.owed() > 0)
            || self.reserved.values().any(|&of| of == peer)
            || !self.trusted_give(now)
    }

    /// How many blocks may be asked of one of those that give pieces alone.
    fn race(&self, peer: PeerKey, now: Instant) -> usize {
        let (asked, owed) =
            self.askers.get(&peer).map_or((0, 0), |asker| (asker.outstanding.len(), asker.owed()));
        let (mut sum, mut ahead) = (0, false);
        for (&key, other) in &self.askers {
            if key != peer && other.gives(now) && !self.trusts(key) {
                sum += other.owed();
                ahead |= (other.owed(), peer) > (owed, key);
            }
        }
        if ahead && sum >= RACE { 0 } else { WINDOW.saturating_sub(asked) }
    }

    /// Whether a peer may give blocks of a piece: it is trusted, or all others are that have a part in it.
    pub(super) fn may_join(&self, peer: PeerKey, piece: u32) -> bool {
        self.trusts(peer)
            || self
                .partials
                .get(&piece)
                .is_none_or(|partial| partial.givers().all(|other| other == peer || self.trusts(other)))
    }

    /// The same where pieces are not chosen for what they prove, as those due soon: one that owes blocks of another piece
    /// does not give any of this one.
    pub(super) fn may_hurry(&self, peer: PeerKey, piece: u32) -> bool {
        let free = || self.askers.get(&peer).is_none_or(|asker| asker.owed() == 0 || asker.last.0 == piece);
        self.trusts(peer) || free() && self.may_join(peer, piece)
    }

    /// The piece of which a peer on probation is to be asked.
    pub(super) fn choose_for_stranger(
        &mut self,
        peer: PeerKey,
        has: Has<'_>,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<(u32, End)> {
        let open = |piece: &u32| has.get(*piece) && self.may_ask(*piece, peer);
        let reserved = self.reserved.iter().find(|(_, of)| **of == peer).map(|(piece, _)| *piece);
        if let Some(piece) = reserved.filter(|piece| self.is_open(*piece) && has.get(*piece)) {
            return Some((piece, End::Front));
        }
        let others = self.trusted_give(now);
        if self.unproven(peer) > 0 {
            let of = |partial: &super::Partial| partial.givers().any(|giver| giver == peer);
            let last = self.askers.get(&peer).map(|asker| asker.last.0);
            let last = last.filter(|piece| self.is_open(*piece) && open(piece));
            let own = last
                .or_else(|| self.begun().filter(open).find(|piece| self.partials.get(piece).is_some_and(of)));
            if own.is_some() {
                return own.map(|piece| (piece, End::Front));
            }
            // What is complete will soon be known, what others were asked for will come or be free again. Only of pieces
            // that are no longer wanted no proof is to be had.
            if others || self.partials.values().any(|partial| partial.priority > 0 && of(partial)) {
                return None;
            }
        }
        // What trusted peers have nearly completed shows soonest what its block is worth.
        let joined = self.begun().filter(open).filter(|&piece| self.may_join(peer, piece));
        if let Some(piece) =
            joined.min_by_key(|piece| self.partials.get(piece).map_or(u32::MAX, |p| p.free()))
        {
            return Some((piece, End::Back));
        }
        if !others && let Some(piece) = self.suggestion(peer, has) {
            self.begin(piece);
            return Some((piece, End::Front));
        }
        // A new one that many have, so that trusted peers can complete it: a liar says that it has what nobody has.
        let common = if others { self.commonest_fresh(has, rng) } else { None };
        if let Some(piece) = common.or_else(|| self.fresh_for(has, rng)) {
            self.begin(piece);
            return Some((piece, End::Front));
        }
        // Better with a stranger too many than not at all.
        let any = self.begun().find(|piece| has.get(*piece) && self.may_ask(*piece, peer));
        any.filter(|_| !others).map(|piece| (piece, End::Back))
    }

    /// Pieces that were begun and have blocks that nobody was asked for, those that nobody has alone first; not too many.
    fn begun(&self) -> impl Iterator<Item = u32> + '_ {
        self.loose.iter().take(LOOK).chain(self.owned.iter().take(LOOK)).copied()
    }

    /// Whether a piece was begun and has blocks that nobody was asked for.
    fn is_open(&self, piece: u32) -> bool {
        self.loose.contains(&piece) || self.owned.contains(&piece)
    }

    /// A piece verified: whoever gave a part of it told the truth.
    pub(super) fn trust_givers(&mut self, piece: u32) {
        self.trust.wary = self.trust.wary.saturating_sub(1);
        let givers: Vec<PeerKey> = self.contributors(piece).map(|(_, peer)| peer).collect();
        for peer in givers {
            self.acquitted(peer);
        }
    }

    /// A piece failed of which these blocks came from these peers.
    pub(super) fn distrust(&mut self, contributors: &[(u32, PeerKey)]) {
        for (_, peer) in contributors {
            if let Some(asker) = self.askers.get_mut(peer) {
                asker.standing = Standing::Suspect;
                asker.probe = Probe::Due;
                asker.unproven = 0;
                asker.alone = false;
            }
            self.trust.left.retain(|left| left != peer);
        }
        self.beware();
    }

    /// Strangers are not trusted from here on, nor is any piece theirs alone: trusted peers are to complete it.
    fn beware(&mut self) {
        self.trust.wary = CALM;
        let strangers: Vec<u32> = self
            .askers
            .values_mut()
            .filter(|asker| asker.standing != Standing::Proven)
            .filter_map(|asker| asker.own.take_if(|own| !self.reserved.contains_key(own)))
            .collect();
        strangers.into_iter().for_each(|piece| self.file(piece));
    }

    /// The digest of a piece is wrong: the peers to be accused of it, those that are not trusted, if others had a part in
    /// it. Nothing more is asked of them until [`acquitted`](Self::acquitted). Empty if nobody stands out, or one was
    /// accused of the same piece before.
    pub fn accuse(&mut self, piece: u32) -> Vec<PeerKey> {
        self.beware();
        let mut givers: Vec<PeerKey> = self.contributors(piece).map(|(_, peer)| peer).collect();
        givers.sort_unstable();
        givers.dedup();
        let all = givers.len();
        givers.retain(|peer| !self.trusts(*peer));
        let Some(partial) = self.partials.get_mut(&piece) else { return Vec::new() };
        // Who gave its blocks anew, and the piece fails again, is not to blame, or not alone.
        let again =
            partial.accused.len() >= ACCUSED || givers.iter().any(|peer| partial.accused.contains(peer));
        if again || givers.len() == all && all > 1 {
            return Vec::new();
        }
        partial.accused.extend_from_slice(&givers);
        for peer in &givers {
            if let Some(asker) = self.askers.get_mut(peer) {
                asker.accused = true;
            }
        }
        givers
    }

    /// The blocks of a failed piece that accused peers gave are to be fetched again, the others are kept. Returns how
    /// many bytes that is.
    pub fn fetch_again(&mut self, piece: u32, accused: &[PeerKey]) -> u32 {
        let pieces = self.pieces;
        let Some(partial) = self.partials.get_mut(&piece) else { return 0 };
        let mut bytes = 0;
        for block in 0..partial.blocks() {
            let from = partial.from(block);
            if partial.state(block) == Some(State::Received) && accused.contains(&from) {
                partial.set(block, State::Free, NOBODY);
                bytes += pieces.block_len(piece, block);
                if let Some(asker) = self.askers.get_mut(&from) {
                    asker.unproven = asker.unproven.saturating_sub(1);
                }
            }
        }
        if partial.is_untouched() {
            self.abandon(piece);
        } else {
            self.file(piece);
        }
        bytes
    }

    /// A peer told the truth, it turned out.
    pub fn acquitted(&mut self, peer: PeerKey) {
        if let Some(asker) = self.askers.get_mut(&peer) {
            asker.standing = Standing::Proven;
            asker.accused = false;
            asker.alone = false;
            asker.unproven = 0;
        }
    }
}
