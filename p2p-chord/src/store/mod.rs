//! What a node holds of the ring's records: [`Store`], in memory, within [`Limits`].
//!
//! A record has a publisher, which is the address block it was put from, and a time at which it is forgotten. When there
//! is no room, what is past its time goes first; then, of the block that holds most, what would go soonest, if that
//! block holds more than twice what the newcomer's does. So a flood crowds out itself, and never those who store little.

mod account;
mod arcs;
mod cache;
mod journal;
mod limits;
mod name;
mod refusal;
mod usage;

pub use arcs::Digest;
pub use limits::Limits;
pub use name::Prefix;
pub use refusal::Refusal;

pub(crate) use account::Account;
pub(crate) use arcs::fingerprint;
pub(crate) use cache::Cache;
pub(crate) use journal::{Entry, Journal, Progress, entries, piece};
pub(crate) use name::Name;

use crate::config::Config;
use crate::id::RingId;
use crate::record::{Kind, Record};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use p2p_core::{Rng, UnixTime};
use serde::{Deserialize, Serialize};
use usage::Usages;

/// A record with what a node notes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The record.
    pub record: Record,
    /// When it is forgotten, in seconds since 1970.
    pub expires: u64,
    /// Where it was put from.
    pub publisher: Prefix,
}

/// The records that a node holds.
#[derive(Clone, Debug, Default)]
pub struct Store {
    limits: Given,
    /// What is in it; most nodes of a large ring hold nothing.
    shelf: Option<Box<Shelf>>,
    /// If the limits are those of several stores: what they hold together.
    pub(crate) shared: Option<Box<Account>>,
}

/// Where the limits of a store stand.
#[derive(Clone, Debug)]
enum Given {
    Alone(Arc<Limits>),
    In(Arc<Config>),
}

impl Default for Given {
    fn default() -> Self {
        Self::Alone(Arc::default())
    }
}

impl core::ops::Deref for Given {
    type Target = Limits;

    fn deref(&self) -> &Limits {
        match self {
            Self::Alone(limits) => limits,
            Self::In(config) => &config.limits,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    entries: BTreeMap<Name, Held>,
    /// All of them, by when they are forgotten.
    expiring: BTreeSet<(u64, Name)>,
    usages: Usages,
    bytes: usize,
    /// How many of them are pointers.
    pointers: usize,
}

static EMPTY: Shelf = Shelf {
    entries: BTreeMap::new(),
    expiring: BTreeSet::new(),
    usages: Usages::new(),
    bytes: 0,
    pointers: 0,
};

/// What became of a record that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new, or in place of an older version.
    New,
    /// It was there, and stays longer now.
    Longer,
    /// It was there.
    Again,
}

/// What a record counts for beside its bytes: names and times in the store's indexes.
pub(crate) const OVERHEAD: usize = 320;

impl Held {
    pub(crate) fn cost(&self) -> usize {
        self.record.wire_len() + OVERHEAD
    }
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits: Given::Alone(limits.into()), shelf: None, shared: None }
    }

    /// An empty store with the limits of a node.
    pub(crate) const fn of(config: Arc<Config>) -> Self {
        Self { limits: Given::In(config), shelf: None, shared: None }
    }

    fn shelf(&self) -> &Shelf {
        self.shelf.as_deref().unwrap_or(&EMPTY)
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelf().entries.len()
    }

    pub(crate) fn pointers(&self) -> usize {
        self.shelf().pointers
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shelf().entries.is_empty()
    }

    /// Bytes of all records, with 320 for each one's place in the indexes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shelf().bytes
    }

    /// All records, in order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.shelf().entries.values()
    }

    /// All behind a name, in order.
    fn behind(&self, name: Option<Name>) -> impl Iterator<Item = (&Name, &Held)> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.shelf().entries.range((from, Bound::Unbounded))
    }

    /// Whether the same record is here.
    pub(crate) fn has(&self, held: &Held) -> bool {
        self.get(&Name::of(&held.record)).is_some_and(|has| has.record == held.record)
    }

    pub(crate) fn get(&self, name: &Name) -> Option<&Held> {
        self.shelf().entries.get(name)
    }

    /// Whether there is anything from one name to another.
    pub(crate) fn has_between(&self, from: &Name, to: &Name) -> bool {
        self.shelf().entries.range((Bound::Included(*from), Bound::Included(*to))).next().is_some()
    }

    /// The records of a key and kind that are not past their time: one, or all providers.
    pub fn find(&self, key: RingId, kind: Kind, now: UnixTime) -> impl Iterator<Item = &Held> {
        let (from, to) = Name::range(key, kind);
        let range = self.shelf().entries.range((Bound::Included(from), Bound::Included(to)));
        range.map(|(_, held)| held).filter(move |held| held.expires > now.as_secs())
    }

    /// The first key behind a place, around the ring.
    pub(crate) fn first_behind(&self, place: RingId) -> Option<RingId> {
        let behind = (Bound::Excluded(Name::last_of(place)), Bound::Unbounded);
        let next =
            self.shelf().entries.range(behind).next().or_else(|| self.shelf().entries.first_key_value());
        next.map(|(name, _)| name.key())
    }

    /// At most so many providers of a key, chosen by dice: whoever publishes most often is not named first.
    pub fn providers(&self, key: RingId, most: usize, now: UnixTime, rng: &mut Rng) -> Vec<Record> {
        let mut all: Vec<&Held> = self.find(key, Kind::Provider, now).collect();
        if all.len() > most {
            rng.shuffle(&mut all);
            all.truncate(most);
        }
        all.into_iter().map(|held| held.record.clone()).collect()
    }

    /// Takes a record that stood [`Record::check`], if it is not older than what is there and there is room.
    ///
    /// `swap` is the sequence number that a signed record is to replace (BEP 44's compare-and-swap).
    ///
    /// # Errors
    /// Why it is not taken. Nothing is changed then.
    pub fn put(&mut self, held: Held, swap: Option<u64>, now: UnixTime) -> Result<Taken, Refusal> {
        let most = now.as_secs().saturating_add(self.limits.ttl.as_secs());
        // What is kept in fragments is not kept whole.
        if matches!(held.record, Record::Coded(_)) {
            return Err(Refusal::Invalid);
        }
        if held.expires <= now.as_secs() {
            return Err(Refusal::Expired);
        }
        let mut held = Held { expires: held.expires.min(most), ..held };
        self.check_version(&held.record, swap, now)?;
        let name = Name::of(&held.record);
        let old = self.shelf().entries.get(&name).filter(|old| old.expires > now.as_secs());
        if let Some(old) = old {
            if old.record == held.record {
                if old.expires >= held.expires {
                    return Ok(Taken::Again);
                }
                let expires = held.expires;
                self.extend(name, expires);
                return Ok(Taken::Longer);
            }
        } else if name.kind() == Kind::Provider {
            self.check_providers(&name, &held)?;
        }
        // Whoever replaces a record keeps its publisher's account: else an update could be refused by a quota.
        if let Some(old) = old {
            held.publisher = old.publisher;
        }
        self.make_room(&name, &held, now)?;
        self.remove(&name);
        if let Some(shared) = &mut self.shared {
            shared.add(held.publisher, held.cost());
        }
        let shelf = self.shelf.get_or_insert_default();
        shelf.bytes += held.cost();
        shelf.pointers += usize::from(matches!(held.record, Record::Pointer(_)));
        shelf.usages.add(held.publisher, held.cost(), (held.expires, name));
        shelf.expiring.insert((held.expires, name));
        shelf.entries.insert(name, held);
        Ok(Taken::New)
    }

    /// Whether a record is not older than what is there, which costs less to know than whether it is sound.
    pub(crate) fn check_version(
        &self,
        record: &Record,
        swap: Option<u64>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let old = self.get(&Name::of(record)).filter(|old| old.expires > now.as_secs());
        match (record, old.map(|old| &old.record)) {
            (Record::Signed(new), Some(Record::Signed(old))) => {
                if new.seq < old.seq || new.seq == old.seq && new.value != old.value {
                    return Err(Refusal::Older { has: old.seq });
                }
                if swap.is_some_and(|swap| swap != old.seq) && new.seq != old.seq {
                    return Err(Refusal::Swap { has: Some(old.seq) });
                }
            }
            (Record::Signed(_), _) if swap.is_some() => return Err(Refusal::Swap { has: None }),
            (Record::Pointer(new), Some(Record::Pointer(old)))
                if new.version() < old.version() || new.version() == old.version() && new.at != old.at =>
            {
                return Err(Refusal::Older { has: old.seq });
            }
            _ => {}
        }
        Ok(())
    }

    fn extend(&mut self, name: Name, expires: u64) {
        let Some(shelf) = self.shelf.as_deref_mut() else { return };
        let Some(held) = shelf.entries.get_mut(&name) else { return };
        shelf.expiring.remove(&(held.expires, name));
        shelf.usages.postpone(held.publisher, (held.expires, name), expires);
        held.expires = expires;
        shelf.expiring.insert((expires, name));
    }

    /// A key has so many providers at most, and so many of one block of addresses.
    fn check_providers(&self, name: &Name, held: &Held) -> Result<(), Refusal> {
        let (from, to) = Name::range(name.key(), Kind::Provider);
        let others = self.shelf().entries.range((Bound::Included(from), Bound::Included(to)));
        let (mut all, mut alike) = (0, 0);
        for (_, other) in others {
            all += 1;
            alike += usize::from(other.publisher == held.publisher);
        }
        let limits = &self.limits;
        if alike >= limits.providers_alike {
            return Err(Refusal::Quota);
        }
        if all >= limits.providers { Err(Refusal::Full) } else { Ok(()) }
    }

    /// Makes room for a record, or says that there is none.
    fn make_room(&mut self, name: &Name, held: &Held, now: UnixTime) -> Result<(), Refusal> {
        self.expire(now);
        let old = self.shelf().entries.get(name).map_or((0, 0), |old| (1, old.cost()));
        let cost = held.cost();
        let (records, bytes) = match &self.shared {
            Some(shared) => shared.of(held.publisher),
            None => self.shelf().usages.of(held.publisher),
        };
        let limits = self.limits.clone();
        if records + 1 - old.0 > limits.publisher_records || bytes + cost - old.1 > limits.publisher_bytes {
            return Err(Refusal::Quota);
        }
        let all = |store: &Self| match &store.shared {
            Some(shared) => (shared.records, shared.bytes),
            None => (store.len(), store.bytes()),
        };
        while all(self).1 + cost - old.1 > limits.bytes || all(self).0 + 1 - old.0 > limits.records {
            let Some((heaviest, most)) = self.shelf().usages.heaviest() else { return Err(Refusal::Full) };
            if heaviest == held.publisher || most / 2 < bytes + cost {
                return Err(Refusal::Full);
            }
            let Some(victim) = self.shelf().usages.first_of(heaviest) else { return Err(Refusal::Full) };
            self.remove(&victim);
        }
        Ok(())
    }

    /// Forgets what is past its time; how many records that were.
    pub fn expire(&mut self, now: UnixTime) -> usize {
        let mut gone = 0;
        while let Some(&(expires, name)) = self.shelf().expiring.first()
            && expires <= now.as_secs()
        {
            self.remove(&name);
            gone += 1;
        }
        gone
    }

    /// Forgets all records of a key and kind.
    pub(crate) fn remove_key(&mut self, key: RingId, kind: Kind) {
        let (from, to) = Name::range(key, kind);
        let range = self.shelf().entries.range((Bound::Included(from), Bound::Included(to)));
        let names: Vec<Name> = range.map(|(name, _)| *name).collect();
        for name in names {
            self.remove(&name);
        }
    }

    pub(crate) fn remove(&mut self, name: &Name) -> Option<Held> {
        let shelf = self.shelf.as_deref_mut()?;
        let held = shelf.entries.remove(name)?;
        shelf.bytes -= held.cost();
        shelf.pointers -= usize::from(matches!(held.record, Record::Pointer(_)));
        shelf.expiring.remove(&(held.expires, *name));
        shelf.usages.take(held.publisher, held.cost(), (held.expires, *name));
        if shelf.entries.is_empty() {
            self.shelf = None;
        }
        if let Some(shared) = &mut self.shared {
            shared.take(held.publisher, held.cost());
        }
        Some(held)
    }
}
