//! What was lost is asked for again, of whoever may have it ([`Repair`]).
//!
//! A symbol is taken for lost when its tree delivered a later generation, or when its generation is old enough. What
//! misses is asked for of another member each time, across all trees: whoever feeds us in one has most likely what is
//! missing in another.

use super::{Context, Esm, Live, State};
use crate::api::Timer;
use crate::playout::Missing;
use crate::shape::Shape;
use crate::symbol::Symbol;
use crate::wire::{MOST_WANTS, Tell, Want};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// It is looked at what misses no more often. What overtook others on its way is no sign of a loss before that.
const LOOK: Duration = Duration::from_millis(50);
/// A symbol may be so late, though those behind it are here.
const LATE: Duration = Duration::from_millis(300);
/// Manifests after which a longer wait for one is half forgotten, about.
const FORGETS: u32 = 32;
/// What was asked for is asked for again after so long.
const AGAIN: Duration = Duration::from_millis(200);
/// Members that are expected to answer at a time.
const HELPERS: usize = 8;
/// Symbols sent for one question at most.
const MOST_SYMBOLS: usize = 64;

/// What is under way to get what was lost, and what is kept for others.
#[derive(Clone, Debug, Default)]
pub(super) struct Repair {
    /// When each generation may be asked for again, and how often it was.
    asked: BTreeMap<u64, (Instant, u8)>,
    /// Who was asked of late.
    helpers: Vec<SocketAddr>,
    /// The manifests, by the first generation of each.
    manifests: BTreeMap<u64, (u64, Bytes)>,
    /// When the timer fires.
    looks_at: Option<Instant>,
    /// When it was looked last, something missed that is signed, or that a later batch left behind.
    wants: bool,
    /// How long a generation waits for its manifest, at most and of late: the source signs no more often. Not known at
    /// first.
    signing: Option<Duration>,
    /// The manifest that ends the stream is here.
    pub(super) ended: bool,
}

impl Repair {
    /// Whether this member was asked of late.
    pub(super) fn asked(&self, addr: SocketAddr) -> bool {
        self.helpers.contains(&addr)
    }

    /// Whether this manifest is here.
    pub(super) fn is_known(&self, wire: &[u8]) -> bool {
        let first = wire.get(5..13).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        first.and_then(|first| self.manifests.get(&first)).is_some_and(|(_, here)| here == wire)
    }

    /// Keeps a manifest; those of before `oldest` are forgotten.
    pub(super) fn note(&mut self, first: u64, generations: usize, wire: &Bytes, oldest: u64) {
        self.manifests.insert(first, (first + generations as u64, wire.clone()));
        while let Some(entry) = self.manifests.first_entry() {
            if entry.get().0 > oldest {
                break;
            }
            entry.remove();
        }
    }

    /// Its manifest; behind the end of the stream the one that says so.
    fn manifest_of(&self, generation: u64) -> Option<&Bytes> {
        let (_, (behind, wire)) = self.manifests.range(..=generation).next_back()?;
        (*behind > generation || self.ended).then_some(wire)
    }

    /// How long the source collected the batch that begins with `first`, if the one before is here too.
    fn collected(&self, first: u64) -> Option<Duration> {
        let (_, (behind, before)) = self.manifests.range(..first).next_back()?;
        let (_, this) = self.manifests.get(&first).filter(|_| *behind == first)?;
        Some(Duration::from_micros(closed(this).saturating_sub(closed(before))))
    }

    /// The first generation of the batch that the source closed so long before the newest one.
    pub(super) fn closed_before(&self, past: Duration) -> Option<u64> {
        let (_, (_, newest)) = self.manifests.last_key_value()?;
        let since = closed(newest).saturating_sub(u64::try_from(past.as_micros()).unwrap_or(u64::MAX));
        self.manifests.iter().find(|(_, (_, wire))| closed(wire) >= since).map(|(first, _)| *first)
    }

    /// The manifests of this generation, and of later ones.
    pub(super) fn manifests_from(&self, generation: u64) -> impl Iterator<Item = &Bytes> {
        let behind = self.manifests.values().filter(move |(behind, _)| *behind > generation);
        behind.map(|(_, wire)| wire)
    }

    fn help(&mut self, addr: SocketAddr) {
        self.helpers.retain(|helper| *helper != addr);
        if self.helpers.len() == HELPERS {
            self.helpers.remove(0);
        }
        self.helpers.push(addr);
    }
}

/// When the source closed a batch, in microseconds since 1970.
fn closed(wire: &Bytes) -> u64 {
    wire.get(13..21).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

impl Live {
    /// One behind the newest generation that it heard of, or two if it knows that nothing follows: its low 32 bits.
    pub(super) fn known_of(&self) -> u32 {
        (self.playout.heard() + u64::from(self.repair.ended)) as u32
    }

    /// A manifest of generations from `first` on is here, and not taken yet: how long those waited for it.
    pub(super) fn waited_for_manifest(&mut self, first: u64, behind: u64, now: Instant) {
        let oldest = self.playout.missing().find(|missing| missing.wanted.is_none());
        let waited = oldest.filter(|missing| (first..behind).contains(&missing.generation));
        // If it was lost and came late, that says nothing of how often the source signs.
        if let Some(missing) = waited
            && let Some(collected) = self.repair.collected(first)
        {
            let took = now.since(missing.since).min(collected);
            let signing = self.repair.signing.map_or(took, |signing| took.max(signing - signing / FORGETS));
            self.repair.signing = Some(signing);
        }
    }

    /// Whether nobody may have signed it yet, as far as is known here.
    fn is_open(&self, missing: &Missing) -> bool {
        missing.wanted.is_none() && missing.generation >= self.signed.max(self.playout.past())
    }

    /// When what misses is late. What is not signed by anybody yet is not, however long ago it came.
    fn late_at(&self, missing: &Missing) -> Instant {
        let most = self.playout.patience() / 2;
        let signing = if self.is_open(missing) {
            self.repair.signing.map_or(most, |signing| most.min(signing * 3 / 2))
        } else {
            Duration::ZERO
        };
        missing.since + signing.max(LATE)
    }

    /// The symbols that may be on their way, bit by bit; `feeds` says which trees bring any.
    fn coming(&self, missing: &Missing, feeds: u64, now: Instant) -> u64 {
        let shape = self.broadcast.shape;
        // Of each tree, symbols come in their order.
        let overtaken = |index: u8| {
            let tree = shape.tree(index);
            let behind = (index + 1..shape.symbols()).filter(|later| shape.tree(*later) == tree);
            behind.fold(0, |bits, later| bits | 1 << later) & missing.here != 0
        };
        (0..shape.symbols())
            .filter(|&index| (missing.all & !missing.here) >> index & 1 == 1)
            .filter(|&index| {
                let tree = usize::from(shape.tree(index));
                feeds >> tree & 1 == 1
                    && self.trees[tree].is_newest(missing.generation, now)
                    && !overtaken(index)
            })
            .fold(0, |bits, index| bits | 1 << index)
    }

    /// What is to be asked for of a generation that was asked for so often, if what misses will hardly come by itself.
    fn want(&self, missing: &Missing, tries: u8, feeds: u64, now: Instant) -> Option<Want> {
        let is_late = now >= self.late_at(missing);
        if self.is_open(missing) && !is_late {
            return None;
        }
        let coming = self.coming(missing, feeds, now);
        let (count, but) = match missing.wanted {
            Some(wanted) if is_late => (wanted, 0),
            Some(wanted) => (wanted.saturating_sub(coming.count_ones() as u8), coming),
            // A later batch that is signed left it behind, or it waited for longer than the source ever took to sign.
            None => {
                // Who does not know how many packets it has asks for as many as there can be.
                let but = if tries == 0 { coming } else { 0 };
                let most = self.broadcast.shape.data().saturating_sub(missing.here.count_ones() as u8);
                let absent = (missing.all & !missing.here & !but).count_ones() as u8;
                (most.min(absent), but)
            }
        };
        let manifest = missing.wanted.is_none();
        // The low 32 bits are what the wire has.
        let generation = missing.generation as u32;
        (count > 0 || manifest).then_some(Want { generation, here: missing.here | but, count, manifest })
    }
}

impl Esm {
    /// A symbol came: sees to it that what misses will be looked at.
    pub(super) fn mind_the_gaps(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        match live.repair.looks_at {
            // What came behind it may show that something is lost, sooner than time does.
            Some(at) if live.repair.wants && at > now + LOOK => self.look_at(now + LOOK, cx),
            Some(_) => {}
            None => self.mind_all_gaps(cx),
        }
    }

    /// The same, of everything that misses.
    pub(super) fn mind_all_gaps(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let is_wanted = |missing: &Missing| missing.wanted.is_some() || missing.generation < live.signed;
        let mut missing = live.playout.missing();
        // The oldest is late first.
        let oldest = missing.next();
        let late = oldest.map(|oldest| live.late_at(&oldest));
        let wants =
            oldest.is_some_and(|oldest| is_wanted(&oldest)) || missing.any(|missing| is_wanted(&missing));
        drop(missing);
        live.repair.wants = wants;
        if let Some(late) = late {
            self.look_at(if wants { now + LOOK } else { late.max(now + LOOK) }, cx);
        }
    }

    fn look_at(&mut self, at: Instant, cx: &mut Context<'_>) {
        // Where many lost the same, one asks, and the others hear it.
        let spread = if self.lan.is_some() { cx.rng().phase(LOOK) } else { Duration::ZERO };
        let Some(live) = self.live() else { return };
        if live.repair.looks_at.is_none_or(|looks_at| looks_at > at + LOOK) {
            live.repair.looks_at = Some(at + spread);
            cx.set_timer_at(Timer::Repair, at + spread);
        }
    }

    /// Asks for what is lost.
    pub(super) fn repair(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let feeds = self.feeds(now);
        let State::Live(live) = &mut self.state else { return };
        live.repair.looks_at = None;
        if live.source.is_some() {
            return;
        }
        let position = live.playout.position();
        while live.repair.asked.first_entry().is_some_and(|entry| *entry.key() < position) {
            live.repair.asked.pop_first();
        }
        let mut wants: Vec<(u64, u8, Want)> = Vec::new();
        for missing in live.playout.missing() {
            if wants.len() == MOST_WANTS {
                break;
            }
            let (again, tries) = live.repair.asked.get(&missing.generation).copied().unwrap_or((now, 0));
            if again <= now
                && let Some(want) = live.want(&missing, tries, feeds, now)
            {
                wants.push((missing.generation, tries, want));
            }
        }
        if let Some(tries) = wants.iter().map(|(_, tries, _)| *tries).max()
            && let Some(helper) = self.helper(usize::from(tries), cx)
        {
            // Whoever is far away takes longer.
            let took = self.view.get(helper).and_then(|known| known.round_trip).unwrap_or_default();
            let again = now + AGAIN.max(took * 3 / 2 + LOOK);
            if let Some(live) = self.live() {
                live.repair.help(helper);
                live.repair
                    .asked
                    .extend(wants.iter().map(|(of, tries, _)| (*of, (again, tries.saturating_add(1)))));
            }
            self.tell_known(helper, Tell::Miss(wants.into_iter().map(|(.., want)| want).collect()), cx);
        }
        self.mind_all_gaps(cx);
    }

    /// Another member has heard of a generation that we know nothing of: its manifest is asked for. What is not signed is
    /// not believed, so one that lies is asked for nothing but a datagram.
    pub(super) fn ask_for_newer(&mut self, peer: SocketAddr, heard: u32, cx: &mut Context<'_>) {
        let State::Live(live) = &mut self.state else { return };
        let newest = live.playout.number(heard);
        let ours = live.playout.heard() + u64::from(live.repair.ended);
        if live.source.is_some() || newest <= ours {
            return;
        }
        live.repair.help(peer);
        let want = Want { generation: heard.wrapping_sub(1), here: 0, count: 0, manifest: true };
        self.tell_known(peer, Tell::Miss([want].into()), cx);
    }

    pub(super) fn is_parent(&self, peer: SocketAddr, tree: u8) -> bool {
        let State::Live(live) = &self.state else { return false };
        let parent = live.trees.get(usize::from(tree)).and_then(|at| at.parent.as_ref());
        parent.is_some_and(|parent| parent.addr == peer && !parent.rests)
    }

    /// Which trees bring us symbols, bit by bit.
    pub(super) fn feeds(&self, now: Instant) -> u64 {
        let State::Live(live) = &self.state else { return 0 };
        let by_parent = |tree: &super::Tree| tree.parent.as_ref().is_some_and(|parent| !parent.rests);
        let feeds = |at: usize, tree| by_parent(tree) || self.is_fed_by_group(at, now);
        // No more than 64.
        live.trees.iter().enumerate().fold(0, |bits, (at, tree)| bits | u64::from(feeds(at, tree)) << at)
    }

    /// Whom to ask: parents first, then anybody who has given us a token, another one each time.
    fn helper(&self, tries: usize, cx: &mut Context<'_>) -> Option<SocketAddr> {
        let now = cx.now();
        let State::Live(live) = &self.state else { return None };
        let mut parents: Vec<_> =
            live.trees.iter().filter_map(|tree| Some(tree.parent.as_ref()?.addr)).collect();
        parents.sort_unstable();
        parents.dedup();
        // What is lost in the whole LAN has somebody outside.
        let others = self.view.iter().filter(|known| known.token != 0 && !self.is_near(known.addr, now));
        let others: Vec<_> = others.map(|known| known.addr).collect();
        let near = self.forwarders(now);
        // Who sends to our LAN, and our parents, in turn; every third time somebody else: all of them may have lost it by
        // the same link.
        let first = if near.is_empty() { [&parents, &parents, &others] } else { [&near, &parents, &others] };
        let turns = [first[tries % 3], &near, &parents, &others];
        let from = turns.into_iter().find(|from| !from.is_empty())?;
        cx.rng().choose(from).copied()
    }

    /// Another member misses symbols.
    pub(super) fn missed(&mut self, peer: SocketAddr, wants: &[Want], cx: &mut Context<'_>) {
        let (Some(socket), State::Live(live)) = (self.socket, &mut self.state) else { return };
        let shape: Shape = live.broadcast.shape;
        let mut sent = 0;
        for want in wants {
            let generation = live.playout.number(want.generation);
            if want.manifest
                && let Some(wire) = live.repair.manifest_of(generation)
            {
                self.counts.sends(1, wire.len());
                cx.send_to(socket, peer, wire.clone());
                sent += 1;
            }
            let missing = (0..shape.symbols()).filter(|&index| want.here >> index & 1 == 0);
            let bodies = missing.filter_map(|index| Some((index, live.playout.symbol(generation, index)?)));
            for (index, body) in bodies.take(want.count.into()) {
                if sent >= MOST_SYMBOLS {
                    return;
                }
                let mut wire = BytesMut::new();
                Symbol { generation: want.generation, index, body: body.clone() }.encode(live.tag, &mut wire);
                self.counts.sends(1, wire.len());
                cx.send_to(socket, peer, wire.freeze());
                sent += 1;
            }
        }
    }
}
