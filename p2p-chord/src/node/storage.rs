//! What a node stores for others, and how it answers those who ask for it.

use super::answers::Asked;
use super::disk::Waiting;
use super::hand_over::Copies;
use super::placing::Placing;
use super::republish::Published;
use super::tasks::Task;
use super::{Chord, Context};
use crate::id::RingId;
use crate::record::{Kind, Record};
use crate::store::{Held, Journal, Limits, Name, Prefix, Refusal, Store};
use crate::wire::{Answer, LARGEST};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::FileId;
use p2p_core::limit::PerKey;

/// Providers named at a time: as many as fit into a datagram.
const PROVIDERS: usize = 12;
/// What a datagram with records has beside them, at most.
const AROUND: usize = 32;
/// The longest record that goes by datagram, as it is written.
pub(super) const DATAGRAM: usize = LARGEST - AROUND;
/// Replicas away from a place within which a node takes copies for it: it only guesses where those before it are, by
/// how close those behind it lie to each other. What is refused wrongly is made later; with 8 replicas somebody may so
/// place copies on up to half of a ring of 256.
const NEAR: u64 = 16;

/// Blocks of addresses of which a node knows how much they handed over.
const BLOCKS: usize = 4_096;

/// What a node stores, and what is under way about it.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) store: Store,
    pub(super) tasks: BTreeMap<u32, Box<Task>>,
    pub(super) placings: BTreeMap<u32, Box<Placing>>,
    pub(super) copies: Copies,
    /// How much more each block of addresses may hand over.
    handed: Option<Box<PerKey<Prefix>>>,
    pub(super) published: Published,
    /// If what it stores is to be on the disk.
    pub(super) journal: Option<Box<Journal<Waiting>>>,
    /// It halts once everything is on the disk.
    pub(super) stopping: bool,
    /// Numbers tasks and placings.
    next: u32,
}

/// What somebody wants stored.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) record: Record,
    /// Seconds.
    pub(super) ttl: u32,
    pub(super) swap: Option<u64>,
    pub(super) heir: bool,
}

impl Storage {
    pub(super) fn new(limits: Limits, file: Option<FileId>) -> Self {
        Self {
            handed: None,
            store: Store::new(limits),
            tasks: BTreeMap::new(),
            placings: BTreeMap::new(),
            copies: Copies::default(),
            published: Published::default(),
            journal: file.map(|file| Box::new(Journal::new(Some(file)))),
            stopping: false,
            next: 0,
        }
    }

    /// Bytes on the heap, about.
    pub(super) fn memory(&self) -> usize {
        self.store.bytes()
            + self.copies.memory()
            + super::memory::of_map(&self.tasks)
            + self.tasks.len() * size_of::<Task>()
            + super::memory::of_map(&self.placings)
            + self.placings.len() * size_of::<Placing>()
    }

    pub(super) const fn draw(&mut self) -> u32 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        number
    }
}

impl Chord {
    /// The records that it holds for others.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.storage.store
    }

    /// What is asked for, if it is here; else, on the way, who is nearer to it.
    pub(super) fn held(
        &mut self,
        asked: &Asked,
        (key, kind): (RingId, Kind),
        routed: bool,
        cx: &mut Context<'_>,
    ) -> Answer {
        let Some(ring) = self.ring() else { return Answer::Absent };
        // Who is not responsible may have an old version.
        let may_be_old = routed && kind != Kind::Value && !ring.owns(key);
        if !may_be_old {
            let records = self.records(key, kind, cx);
            if !records.is_empty() {
                let len: usize = records.iter().map(|(record, _)| record.wire_len() + 5).sum();
                let is_large = asked.conn.is_none() && len > DATAGRAM;
                return if is_large { Answer::Large } else { Answer::Records(records) };
            }
        }
        if routed { self.step(key) } else { Answer::Records(Vec::new()) }
    }

    /// What is stored under a key, and for how many seconds.
    pub(super) fn records(&self, key: RingId, kind: Kind, cx: &mut Context<'_>) -> Vec<(Record, u32)> {
        let now = cx.unix_now();
        let mut held: Vec<&Held> = self.storage.store.find(key, kind, now).collect();
        if held.len() > PROVIDERS {
            // Whoever publishes first is not named first.
            cx.rng().shuffle(&mut held);
            held.truncate(PROVIDERS);
        }
        let left =
            |held: &Held| u32::try_from(held.expires.saturating_sub(now.as_secs())).unwrap_or(u32::MAX);
        held.into_iter().map(|held| (held.record.clone(), left(held))).collect()
    }

    /// Somebody wants a record stored.
    pub(super) fn asked_to_put(&mut self, asked: Asked, wish: Wish, cx: &mut Context<'_>) {
        let key = wish.record.key();
        let is_ours = match self.ring() {
            None => return self.reply(asked, Answer::Absent, cx),
            Some(_) if !asked.is_proven => return self.reply(asked, Answer::Prove, cx),
            Some(ring) => ring.owns(key) || wish.heir && self.is_near(key),
        };
        if self.is_placing(&asked) {
            return;
        }
        let held = if is_ours { self.take(wish, asked.from, cx) } else { Err(Refusal::NotResponsible) };
        match held {
            Ok(held) => self.place(held, super::placing::Client::Remote(asked), cx),
            Err(refusal) => self.reply(asked, Answer::Refused(refusal), cx),
        }
    }

    /// Stores what somebody at this address wants stored.
    pub(super) fn take(
        &mut self,
        wish: Wish,
        from: SocketAddr,
        cx: &mut Context<'_>,
    ) -> Result<Held, Refusal> {
        let record = wish.record;
        if let Record::Provider(provider) = &record
            && SocketAddr::from(provider.at).ip() != from.ip().to_canonical()
        {
            return Err(Refusal::Address);
        }
        let expires = cx.unix_now().as_secs() + u64::from(wish.ttl);
        let held = Held { record, expires, publisher: Prefix::of(from.ip()) };
        self.keep(held.clone(), wish.swap, from, cx)?;
        Ok(held)
    }

    fn keep(
        &mut self,
        held: Held,
        swap: Option<u64>,
        from: SocketAddr,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        held.record.check().map_err(|_| Refusal::Invalid)?;
        if !(self.config.wants)(&held.record, from) {
            return Err(Refusal::Unwanted);
        }
        let name = Name::of(&held.record);
        let taken = self.storage.store.put(held, swap, cx.unix_now())?;
        self.write_down(&name, taken);
        Ok(())
    }

    /// Keeps a copy that was found out about, if there is room; the others have it.
    pub(super) fn keep_copy(&mut self, held: Held, cx: &mut Context<'_>) {
        let name = Name::of(&held.record);
        if let Ok(taken) = self.storage.store.put(held, None, cx.unix_now()) {
            self.write_down(&name, taken);
            self.write_store(cx);
        }
    }

    /// Somebody hands over copies.
    pub(super) fn asked_to_keep(&mut self, asked: Asked, copies: Vec<Held>, cx: &mut Context<'_>) {
        if !self.is_member() {
            return self.reply(asked, Answer::Absent, cx);
        }
        if !asked.is_proven {
            return self.reply(asked, Answer::Prove, cx);
        }
        let from = Prefix::of(asked.from.ip());
        let limits = &self.config.limits;
        let rate = limits.copies_bytes as u64 / limits.copies_time.as_secs().max(1);
        let new = || Box::new(PerKey::new(BLOCKS, rate, limits.copies_bytes as u64));
        // Away while the records are looked at.
        let mut handed = self.storage.handed.take().unwrap_or_else(new);
        let mut keep = |held: Held| {
            let cost = held.cost() as u64;
            if !self.is_near(held.record.key()) {
                return Some(Refusal::NotResponsible);
            }
            // What is here already costs nothing.
            if !self.storage.store.has(&held) && !handed.take(cx.now(), &from, cost) {
                return Some(Refusal::Quota);
            }
            self.keep(held, None, asked.from, cx).err()
        };
        let kept = copies.into_iter().map(&mut keep).collect();
        self.storage.handed = Some(handed);
        self.when_safe(Waiting::Kept(asked, kept), cx);
    }

    /// Whether this node may be among the replicas of a place, as far as it can tell.
    pub(super) fn is_near(&self, key: RingId) -> bool {
        let Some(ring) = self.ring() else { return false };
        let Some(last) = ring.successors().last().filter(|_| !ring.is_small() && !ring.owns(key)) else {
            return true;
        };
        let high = |distance: RingId| {
            let [a, b, c, d, e, f, g, h, ..] = *distance.as_bytes();
            u64::from_be_bytes([a, b, c, d, e, f, g, h])
        };
        let me = ring.me().id();
        let gap = high(me.distance_to(last.peer.id())) / ring.successors().len() as u64;
        let reach = gap.saturating_mul(NEAR * self.config.replicas as u64);
        high(key.distance_to(me)) <= reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A simulation has a million of them.
    #[test]
    fn what_stores_nothing_is_small() {
        let size = size_of::<Storage>();
        assert!(size <= 512, "{size} bytes");
    }
}
