//! Bounded loads: what is put is kept by whoever of a node's list has least, and its place has a pointer to it.
//!
//! ```text
//!             Put              Lodge (if you have no more than …)      Keep (a pointer)
//!  who puts ──────► owner ─────────────────────────────────────► … ─────────────────► replicas
//!             Get              a pointer                     Get
//!  who gets ──────► owner ───────────────────► who gets ──────────► who has it
//! ```
//!
//! Consistent hashing alone gives the node with most ten times the mean (1.7 times with twenty places for each machine).
//! The bound of Mirrokni et al. 2016, a capacity of so many times the mean, needs the mean, which nobody knows; the least
//! laden of twenty neighbours does without, and the neighbourhoods overlap, so that load flows off a crowded stretch of the
//! ring. Three of four records are not at their place then, and a get of one costs two messages more.

use super::answers::Asked;
use super::disk::Waiting;
use super::placing::Client;
use super::{Chord, Context, Purpose};
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::{Peer, Place};
use crate::pending::Insistence;
use crate::record::{Kind, Pointer, Record};
use crate::store::{Held, Prefix, Refusal, Store};
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Records for which somebody is looked for at a time. More are refused: whoever puts tries again.
const MOST: usize = 1_024;
/// Nodes of which it is known how laden they are.
const KNOWN: usize = 256;
/// How long a load is good for; then it is asked for again.
const GOOD: Duration = Duration::from_secs(60);
/// Nodes that may say that they have too much before somebody is asked who has to keep it all the same.
const TRIES: usize = 2;
/// How much more than the next best somebody may have, for what is known of loads is old.
const SLACK: u32 = 2;
/// Pointers whose records are looked for at a time, when somebody is gone who had them.
const MENDED: usize = 8;

/// The least laden of these, the first of several: who is to keep what is put next. Loads are in order of the ring, from
/// the node that is responsible on.
#[must_use]
pub fn least_laden(loads: impl IntoIterator<Item = u32>) -> Option<usize> {
    // The first of the smallest, as `min_by_key` has it.
    loads.into_iter().enumerate().min_by_key(|(_, load)| *load).map(|(place, _)| place)
}

/// What a node keeps in the stead of others, and what it knows of how laden they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Lodgings {
    /// What it keeps for others.
    pub(super) kept: Store,
    under_way: BTreeMap<u32, Box<Lodging>>,
    /// And since when.
    loads: BTreeMap<Peer, (u32, Instant)>,
    /// Up to where pointers were looked at.
    looked_at: Option<RingId>,
}

/// A record for which somebody is looked for.
#[derive(Clone, Debug)]
struct Lodging {
    client: Option<Client>,
    held: Held,
    /// How many are to keep it.
    want: usize,
    /// Who does.
    at: Vec<Place>,
    /// Who has an older version, or this one already: they are asked first, however laden.
    before: Vec<Peer>,
    asked: Vec<Peer>,
    /// Who said how laden it is just now.
    heard: Vec<Peer>,
    /// Who keeps it, or will not.
    settled: Vec<Peer>,
    refusal: Option<Refusal>,
}

/// What nodes have that are known, on average.
fn all_known(loads: &BTreeMap<Peer, (u32, Instant)>, own: u32) -> u32 {
    let sum: u64 = loads.values().map(|(load, _)| u64::from(*load)).sum();
    ((sum + u64::from(own)) / (loads.len() as u64 + 1)) as u32
}

impl Chord {
    /// How many records it has, pointers apart.
    #[must_use]
    pub fn load(&self) -> u32 {
        let lodged = self.storage.lodgings.as_ref().map_or(0, |lodgings| lodgings.kept.len());
        (self.storage.store.len() - self.storage.store.pointers() + lodged) as u32
    }

    /// The records that it keeps in the stead of others, where loads are bounded.
    pub fn lodged(&self) -> impl Iterator<Item = &Held> {
        self.storage.lodgings.iter().flat_map(|lodgings| lodgings.kept.iter())
    }

    /// Whether who keeps a record is chosen by its load.
    pub(super) fn is_bounded(&self, kind: Kind) -> bool {
        self.config.bounded && matches!(kind, Kind::Value | Kind::Signed)
    }

    fn pointer(&self, key: RingId, kind: Kind, cx: &Context<'_>) -> Option<&Pointer> {
        self.storage.store.find(key, kind, cx.unix_now()).find_map(|held| match &held.record {
            Record::Pointer(pointer) => Some(pointer),
            _ => None,
        })
    }

    /// Whether somebody is being looked for, for what this one asked to be stored.
    pub(super) fn is_lodging(&self, asked: &Asked) -> bool {
        let is_its = |lodging: &Lodging| lodging.client == Some(Client::Remote(*asked));
        self.storage
            .lodgings
            .iter()
            .any(|lodgings| lodgings.under_way.values().any(|lodging| is_its(lodging)))
    }

    /// Has a record kept that somebody at this address wants stored.
    pub(super) fn take_bounded(
        &mut self,
        held: Held,
        swap: Option<u64>,
        from: SocketAddr,
        client: Client,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        if let Record::Signed(new) = &held.record {
            let has = self.pointer(new.key(), Kind::Signed, cx).map(|pointer| pointer.seq);
            if let Some(has) = has.filter(|has| *has > new.seq) {
                return Err(Refusal::Older { has });
            }
            if swap.is_some() && swap != has && has != Some(new.seq) {
                return Err(Refusal::Swap { has });
            }
        }
        held.record.check().map_err(|_| Refusal::Invalid)?;
        if !(self.config.wants)(&held.record, from) {
            return Err(Refusal::Unwanted);
        }
        self.lodge(held, Some(client), cx)
    }

    /// Has a record kept by those who have least, or who have it already.
    fn lodge(&mut self, held: Held, client: Option<Client>, cx: &mut Context<'_>) -> Result<(), Refusal> {
        let (key, kind, network) = (held.record.key(), held.record.kind(), self.config.network);
        let most = cx.unix_now().as_secs() + self.config.limits.ttl.as_secs();
        let held = Held { expires: held.expires.min(most), ..held };
        let places = self.pointer(key, kind, cx).map(|pointer| pointer.at.clone()).unwrap_or_default();
        let mut before: Vec<Peer> = places.into_iter().filter_map(|place| place.peer(network)).collect();
        before.retain(|peer| !self.is_gone(*peer));
        let number = self.storage.draw();
        let want = self.config.replicas.min(crate::record::POINTED);
        let lodging = Lodging {
            client,
            held,
            want,
            at: Vec::new(),
            before,
            asked: Vec::new(),
            heard: Vec::new(),
            settled: Vec::new(),
            refusal: None,
        };
        self.with_lodged(|_| ());
        let Some(lodgings) = &mut self.storage.lodgings else { return Err(Refusal::Busy) };
        if lodgings.under_way.len() >= MOST {
            return Err(Refusal::Busy);
        }
        lodgings.under_way.insert(number, Box::new(lodging));
        self.lodge_on(number, cx);
        Ok(())
    }

    /// Whether a node lies where this one knows everybody, and is not there any more.
    fn is_gone(&self, peer: Peer) -> bool {
        let Some(ring) = self.ring() else { return false };
        let (me, list) = (ring.me(), ring.successors());
        let is_known = peer == me || list.iter().any(|contact| contact.peer == peer);
        let reaches = list.last().is_some_and(|last| peer.id().between(me.id(), last.peer.id()));
        // Who was responsible before may have died: nobody else lives where this node is responsible now.
        !is_known && (reaches || ring.owns(peer.id()) || ring.is_small())
    }

    /// Asks as many as are still needed.
    fn lodge_on(&mut self, number: u32, cx: &mut Context<'_>) {
        loop {
            let Some(me) = self.peer() else { return };
            let own = self.load();
            let Some((list, _)) = self.replicas_behind(usize::MAX) else { return };
            let Some(lodgings) = &mut self.storage.lodgings else { return };
            let Some(lodging) = lodgings.under_way.get_mut(&number) else { return };
            // Who has a newer version knows better than we do.
            let is_old = matches!(lodging.refusal, Some(Refusal::Older { .. }));
            if is_old || lodging.at.len() + lodging.asked.len() >= lodging.want {
                break;
            }
            let all = core::iter::once(Contact::unmet(me)).chain(list);
            let is_free = |peer: &Peer| !lodging.asked.contains(peer) && !lodging.settled.contains(peer);
            let free: Vec<Contact> = all.filter(|contact| is_free(&contact.peer)).collect();
            // Of whom nothing is known yet is no better or worse than others.
            let known = || all_known(&lodgings.loads, own);
            let load = |peer: &Peer| match *peer == me {
                true => own,
                false => lodgings.loads.get(peer).map_or_else(known, |(load, _)| *load),
            };
            let old = lodging.before.pop().filter(is_free);
            let (to, most) = if let Some(peer) = old {
                let known = free.iter().find(|contact| contact.peer == peer).copied();
                (known.unwrap_or_else(|| Contact::unmet(peer)), u32::MAX)
            } else if !lodging.before.is_empty() {
                continue;
            } else {
                let loads: Vec<u32> = free.iter().map(|contact| load(&contact.peer)).collect();
                let Some(place) = least_laden(loads.iter().copied()) else { break };
                let others = loads.iter().enumerate().filter(|(other, _)| *other != place);
                let next = others.map(|(_, load)| *load).min().unwrap_or(u32::MAX);
                // Who just said what it has is asked whatever it has by now.
                let is_sure = lodging.heard.contains(&free[place].peer) || lodging.heard.len() >= TRIES;
                (free[place], if is_sure { u32::MAX } else { next.saturating_add(SLACK) })
            };
            let held = lodging.held.clone();
            if to.peer == me {
                lodging.settled.push(me);
                match self.keep_lodged(held, cx) {
                    Ok(()) => self.is_lodged(number, me),
                    Err(refusal) => self.is_not_lodged(number, refusal),
                }
                continue;
            }
            lodging.asked.push(to.peer);
            let ask = Ask::Lodge { held, most };
            self.ask_or_dial(to, ask, Insistence::Thrice, Purpose::Lodge(number), cx);
        }
        self.end_lodging(number, cx);
    }

    fn is_lodged(&mut self, number: u32, peer: Peer) {
        if let Some(lodgings) = &mut self.storage.lodgings
            && let Some(lodging) = lodgings.under_way.get_mut(&number)
        {
            lodging.at.push(peer.place());
        }
    }

    fn is_not_lodged(&mut self, number: u32, refusal: Refusal) {
        if let Some(lodgings) = &mut self.storage.lodgings
            && let Some(lodging) = lodgings.under_way.get_mut(&number)
        {
            let knows_better = matches!(lodging.refusal, Some(Refusal::Older { .. }));
            lodging.refusal = lodging.refusal.filter(|_| knows_better).or(Some(refusal));
        }
    }

    /// A node keeps it, or says why not.
    pub(super) fn lodge_answered(&mut self, number: u32, peer: Peer, answer: Answer, cx: &mut Context<'_>) {
        let Answer::Lodged { load, refusal } = answer else { return self.lodge_unanswered(number, peer, cx) };
        self.is_so_laden(peer, load, cx.now());
        let Some(lodgings) = &mut self.storage.lodgings else { return };
        let Some(lodging) = lodgings.under_way.get_mut(&number) else { return };
        lodging.asked.retain(|asked| *asked != peer);
        lodging.heard.push(peer);
        if refusal != Some(Refusal::Laden) {
            lodging.settled.push(peer);
        }
        match refusal {
            None => self.is_lodged(number, peer),
            Some(refusal) => self.is_not_lodged(number, refusal),
        }
        self.lodge_on(number, cx);
    }

    fn is_so_laden(&mut self, peer: Peer, load: u32, now: Instant) {
        let Some(lodgings) = &mut self.storage.lodgings else { return };
        if lodgings.loads.len() >= KNOWN {
            lodgings.loads.clear();
        }
        lodgings.loads.insert(peer, (load, now));
    }

    /// A node says how laden it is.
    pub(super) fn load_answered(&mut self, peer: Peer, answer: &Answer, cx: &Context<'_>) {
        if let Answer::Lodged { load, .. } = answer {
            self.is_so_laden(peer, *load, cx.now());
        }
    }

    pub(super) fn lodge_unanswered(&mut self, number: u32, peer: Peer, cx: &mut Context<'_>) {
        let Some(lodgings) = &mut self.storage.lodgings else { return };
        let Some(lodging) = lodgings.under_way.get_mut(&number) else { return };
        lodging.asked.retain(|asked| *asked != peer);
        lodging.settled.push(peer);
        self.lodge_on(number, cx);
    }

    /// Once nobody is to be heard any more, the pointer is stored as any record is.
    fn end_lodging(&mut self, number: u32, cx: &mut Context<'_>) {
        let Some(lodgings) = &mut self.storage.lodgings else { return };
        if lodgings.under_way.get(&number).is_none_or(|lodging| !lodging.asked.is_empty()) {
            return;
        }
        let Some(lodging) = lodgings.under_way.remove(&number) else { return };
        let need = self.config.quorum.clamp(1, lodging.want);
        let newer = lodging.refusal.filter(|why| matches!(why, Refusal::Older { .. }));
        let result = match newer {
            Some(newer) => Err(newer),
            None if lodging.at.is_empty() => Err(lodging.refusal.unwrap_or(Refusal::TooFew { copies: 0 })),
            None => self.keep_pointer(&lodging, cx),
        };
        match (result, lodging.client) {
            (Err(refusal), Some(client)) => self.refuse_client(client, refusal, cx),
            (Err(_), None) => {}
            // In a ring too small for it, it is kept by all there are.
            (Ok(_), Some(client)) if lodging.at.len() < need.min(self.successors().count() + 1) => {
                let copies = lodging.at.len() as u8;
                self.refuse_client(client, Refusal::TooFew { copies }, cx);
            }
            (Ok(pointer), client) => self.place(pointer, client.unwrap_or(Client::Nobody), cx),
        }
    }

    fn keep_pointer(&mut self, lodging: &Lodging, cx: &mut Context<'_>) -> Result<Held, Refusal> {
        let record = &lodging.held.record;
        let seq = if let Record::Signed(signed) = record { signed.seq } else { 0 };
        let (key, kind) = (record.key(), record.kind());
        let written =
            self.pointer(key, kind, cx).map_or(0, |old| old.written + 1).max(cx.unix_now().as_secs());
        let pointer = Pointer { key, kind, seq, written, at: lodging.at.clone() };
        let held = Held { record: Record::Pointer(pointer), ..lodging.held.clone() };
        let me = self.me.map(|me| me.addr()).ok_or(Refusal::NotResponsible)?;
        self.keep(held.clone(), None, me, cx)?;
        Ok(held)
    }

    /// Keeps something in the stead of others.
    fn keep_lodged(&mut self, held: Held, cx: &mut Context<'_>) -> Result<(), Refusal> {
        let now = cx.unix_now();
        let taken = self.with_lodged(|kept| kept.put(held.clone(), None, now))?;
        self.write_lodged(&held, taken);
        Ok(())
    }

    /// What is kept in the stead of others counts with all else that is stored here.
    pub(super) fn with_lodged<R>(&mut self, with: impl FnOnce(&mut Store) -> R) -> R {
        let config = &self.config;
        let new = || Box::new(Lodgings { kept: Store::of(config.clone()), ..Lodgings::default() });
        let kept = &mut self.storage.lodgings.get_or_insert_with(new).kept;
        let store = &mut self.storage.store;
        core::mem::swap(&mut store.shared, &mut kept.shared);
        let result = with(kept);
        core::mem::swap(&mut store.shared, &mut kept.shared);
        result
    }

    /// Another node is responsible for more than this one.
    pub(super) fn asked_to_lodge(&mut self, asked: Asked, held: Held, most: u32, cx: &mut Context<'_>) {
        if !self.is_member() {
            return self.reply(asked, Answer::Absent, cx);
        }
        if !asked.is_proven {
            return self.reply(asked, Answer::Prove, cx);
        }
        let load = self.load();
        let refusal =
            if load > most { Some(Refusal::Laden) } else { self.take_lodged(&asked, held, cx).err() };
        self.when_safe(Waiting::Lodged(asked, self.load(), refusal), cx);
    }

    fn take_lodged(&mut self, asked: &Asked, held: Held, cx: &mut Context<'_>) -> Result<(), Refusal> {
        let kind = held.record.kind();
        // Anybody of the list of who is responsible.
        let list = self.ring().map_or(0, |ring| ring.successors().len());
        if !self.is_bounded(kind) || !self.is_within(held.record.key(), list) {
            return Err(Refusal::NotResponsible);
        }
        if matches!(held.record, Record::Pointer(_)) {
            return Err(Refusal::Invalid);
        }
        let is_here = self.storage.lodgings.as_ref().is_some_and(|lodgings| lodgings.kept.has(&held));
        if !is_here {
            self.may_hand_over(Prefix::of(asked.from.ip()), held.cost() as u64, cx)?;
            held.record.check().map_err(|_| Refusal::Invalid)?;
        }
        if !(self.config.wants)(&held.record, asked.from) {
            return Err(Refusal::Unwanted);
        }
        self.keep_lodged(held, cx)
    }

    /// Asks those of the list whose loads are not known any more.
    fn ask_for_loads(&mut self, cx: &mut Context<'_>) {
        let Some((mut list, _)) = self.replicas_behind(usize::MAX) else { return };
        if let Some(lodgings) = &mut self.storage.lodgings {
            let now = cx.now();
            lodgings.loads.retain(|peer, (_, since)| {
                now.since(*since) < GOOD || list.iter().any(|contact| contact.peer == *peer)
            });
            list.retain(|contact| {
                lodgings.loads.get(&contact.peer).is_none_or(|(_, since)| now.since(*since) >= GOOD)
            });
        }
        for contact in list {
            self.ask(contact, Ask::Load, Insistence::Once, Purpose::Load, cx);
        }
    }

    /// Looks for records that somebody had who is gone: they are kept by one more.
    pub(super) fn look_after_lodgings(&mut self, cx: &mut Context<'_>) {
        let now = cx.unix_now();
        if !self.config.bounded {
            return;
        }
        self.ask_for_loads(cx);
        self.with_lodged(|kept| kept.expire(now));
        let Some(ring) = self.ring() else { return };
        let (Some(before), me) = (ring.predecessor().map(|before| before.peer.id()), ring.me().id()) else {
            return;
        };
        let from = self
            .storage
            .lodgings
            .as_ref()
            .and_then(|lodgings| lodgings.looked_at)
            .filter(|at| at.between(before, me));
        let network = self.config.network;
        let (mut lost, mut last) = (Vec::new(), None);
        for (name, held) in self.storage.store.arc(from.unwrap_or(before), me, false, now) {
            let Record::Pointer(pointer) = &held.record else { continue };
            let is_gone = |place: &Place| place.peer(network).is_none_or(|peer| self.is_gone(peer));
            if pointer.at.iter().any(is_gone) {
                if lost.len() >= MENDED {
                    last = Some(name.key());
                    break;
                }
                lost.push((name.key(), name.kind()));
            }
        }
        if let Some(lodgings) = &mut self.storage.lodgings {
            lodgings.looked_at = last;
        }
        for (key, kind) in lost {
            self.get_to_lodge(key, kind, cx);
        }
    }

    /// What somebody else has of it was fetched.
    pub(super) fn lodge_again(&mut self, record: Record, left: u32, cx: &mut Context<'_>) {
        let (key, kind) = (record.key(), record.kind());
        let found = self.storage.store.find(key, kind, cx.unix_now());
        let publisher = found.map(|held| held.publisher).next();
        let Some(publisher) = publisher.filter(|_| self.owns(key)) else { return };
        let expires = cx.unix_now().as_secs() + u64::from(left);
        // Should nobody have room, the next round tries again.
        let _ = self.lodge(Held { record, expires, publisher }, None, cx);
    }
}
