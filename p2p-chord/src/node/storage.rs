//! What a node stores for others, and how it answers those who ask for it.

use super::answers::Asked;
use super::disk::Waiting;
use super::hand_over::Copies;
use super::lodging::Lodgings;
use super::mending::Mending;
use super::placing::{Client, Placing};
use super::republish::Published;
use super::sweep::Sweep;
use super::tasks::Task;
use super::{Chord, Context};
use crate::config::Config;
use crate::contact::Contact;
use crate::id::RingId;
use crate::record::{ENOUGH, Kind, Record};
use crate::store::{Account, Cache, Held, Journal, Name, Prefix, Refusal, Store};
use crate::wire::{Answer, LARGEST};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::limit::PerKey;

/// Providers named at a time: as many as fit into a datagram.
const PROVIDERS: usize = 12;
/// What a datagram with records has beside them, at most.
const AROUND: usize = 32;
/// The longest record that goes by datagram, as it is written.
pub(super) const DATAGRAM: usize = LARGEST - AROUND;
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
    pub(super) cache: Option<Box<Cache>>,
    pub(super) mending: Option<Box<Mending>>,
    pub(super) sweep: Sweep,
    pub(super) lodgings: Option<Box<Lodgings>>,
    /// If what it stores is to be on the disk.
    pub(super) journal: Option<Box<Journal<Waiting>>>,
    /// It halts once everything is on the disk.
    pub(super) stopping: bool,
    /// Numbers tasks and placings.
    next: u32,
}

/// What several nodes on one machine hold together, and may.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    account: Option<Box<Account>>,
    handed: Option<Box<PerKey<Prefix>>>,
}

impl Shared {
    /// Of a node that shares nothing.
    pub(crate) const fn none() -> Self {
        Self { account: None, handed: None }
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self { account: Some(Box::default()), handed: None }
    }
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
    pub(super) fn new(config: &Arc<Config>) -> Self {
        let mut store = Store::of(config.clone());
        // It has two stores.
        store.shared = config.bounded.then(Box::default);
        let file = config.store.clone();
        Self {
            handed: None,
            store,
            tasks: BTreeMap::new(),
            placings: BTreeMap::new(),
            copies: Copies::default(),
            published: Published::default(),
            cache: None,
            mending: None,
            sweep: Sweep::default(),
            lodgings: None,
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

    /// Bytes of records that it has because many ask it for them on their way.
    #[must_use]
    pub fn cached_bytes(&self) -> usize {
        self.storage.cache.as_ref().map_or(0, |cache| cache.bytes())
    }

    /// Takes what it shares with other nodes on the same machine, or gives it back.
    pub(crate) const fn share(&mut self, shared: &mut Shared) {
        core::mem::swap(&mut self.storage.store.shared, &mut shared.account);
        core::mem::swap(&mut self.storage.handed, &mut shared.handed);
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
        let may_be_old = routed && kind != Kind::Value && !ring.owns(key) || routed && kind == Kind::Coded;
        if !may_be_old {
            let records = self.records(key, kind, cx);
            if !records.is_empty() {
                let is_large = asked.conn.is_none() && is_large(&records);
                return if is_large { Answer::Large } else { Answer::Records(records) };
            }
        }
        if (routed || asked.conn.is_some())
            && let Some(answer) = self.cached(asked, (key, kind), cx)
        {
            return answer;
        }
        if routed { self.step(key) } else { Answer::Records(Vec::new()) }
    }

    /// What is asked for, if many ask for it here and it was fetched for them.
    fn cached(&mut self, asked: &Asked, (key, kind): (RingId, Kind), cx: &mut Context<'_>) -> Option<Answer> {
        let now = cx.now();
        if self.config.limits.cache_bytes == 0 || kind == Kind::Coded || self.owns(key) {
            return None;
        }
        let cache = self.storage.cache.get_or_insert_default();
        let records = cache.find((key, kind), now);
        if !records.is_empty() {
            let is_large = asked.conn.is_none() && is_large(&records);
            return Some(if is_large { Answer::Large } else { Answer::Cached(records) });
        }
        if asked.conn.is_none() && cache.is_hot((key, kind), now) {
            self.get_to_cache(key, kind, cx);
        }
        None
    }

    /// What is stored under a key, and for how many seconds.
    pub(super) fn records(&self, key: RingId, kind: Kind, cx: &mut Context<'_>) -> Vec<(Record, u32)> {
        let now = cx.unix_now();
        let mut held: Vec<&Held> = self.storage.store.find(key, kind, now).collect();
        if let Some(lodgings) = &self.storage.lodgings {
            held.extend(lodgings.kept.find(key, kind, now));
        }
        if self.is_bounded(kind) && held.len() > 1 {
            // The record itself, unless it is known that there is a newer one.
            let newest = held.iter().map(|held| super::getting::version(&held.record)).max();
            held.retain(|held| Some(super::getting::version(&held.record)) == newest);
            held.sort_by_key(|held| matches!(held.record, Record::Pointer(_)));
            held.truncate(1);
        } else if kind == Kind::Coded {
            held.truncate(ENOUGH);
        } else if held.len() > PROVIDERS {
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
            Some(ring) => ring.owns(key) || wish.heir && self.is_near(key, wish.record.kind()),
        };
        if self.is_placing(&asked) || self.is_lodging(&asked) {
            return;
        }
        let taken = match is_ours {
            true => self.take(wish, asked.from, Client::Remote(asked), cx),
            false => Err(Refusal::NotResponsible),
        };
        if let Err(refusal) = taken {
            self.reply(asked, Answer::Refused(refusal), cx);
        }
    }

    /// Stores what somebody at this address wants stored, and has copies made.
    pub(super) fn take(
        &mut self,
        wish: Wish,
        from: SocketAddr,
        client: Client,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let expires = cx.unix_now().as_secs() + u64::from(wish.ttl);
        let held = Held { record: wish.record, expires, publisher: Prefix::of(from.ip()) };
        match &held.record {
            Record::Provider(provider) if SocketAddr::from(provider.at).ip() != from.ip().to_canonical() => {
                return Err(Refusal::Address);
            }
            // Nodes hand them to each other; who puts says the value.
            Record::Fragment(_) | Record::Pointer(_) => return Err(Refusal::Invalid),
            Record::Coded(_) => return self.take_coded(held, from, client, cx),
            _ => {}
        }
        if self.is_bounded(held.record.kind()) {
            return self.take_bounded(held, wish.swap, from, client, cx);
        }
        self.keep(held.clone(), wish.swap, from, cx)?;
        self.place(held, client, cx);
        Ok(())
    }

    pub(super) fn keep(
        &mut self,
        held: Held,
        swap: Option<u64>,
        from: SocketAddr,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        // A signature takes longer to check than all else: not of what is refused anyway, or was checked when it came.
        let store = &self.storage.store;
        store.check_version(&held.record, swap, cx.unix_now())?;
        if !store.has(&held) {
            held.record.check().map_err(|_| Refusal::Invalid)?;
        }
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

    /// Whether a block of addresses may hand over so many bytes more.
    pub(super) fn may_hand_over(
        &mut self,
        from: Prefix,
        bytes: u64,
        cx: &Context<'_>,
    ) -> Result<(), Refusal> {
        let limits = &self.config.limits;
        let rate = limits.copies_bytes as u64 / limits.copies_time.as_secs().max(1);
        let new = || Box::new(PerKey::new(BLOCKS, rate, limits.copies_bytes as u64));
        let handed = self.storage.handed.get_or_insert_with(new);
        if handed.take(cx.now(), &from, bytes) { Ok(()) } else { Err(Refusal::Quota) }
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
        let mut lacking = Vec::new();
        let mut keep = |held: Held| {
            let (key, kind) = (held.record.key(), held.record.kind());
            if !self.is_near(key, kind) {
                return Err(Refusal::NotResponsible);
            }
            let lacked = self.lacks_own_fragment(&held.record);
            // What is here already costs nothing.
            if !self.storage.store.has(&held) {
                self.may_hand_over(from, held.cost() as u64, cx)?;
            }
            self.keep(held, None, asked.from, cx)?;
            if lacked {
                lacking.push(key);
            }
            Ok(())
        };
        let kept = copies.into_iter().map(|held| keep(held).err()).collect();
        if let Some(me) = self.peer().filter(|_| !lacking.is_empty()) {
            self.mend(Contact::unmet(me), lacking, cx);
        }
        self.when_safe(Waiting::Kept(asked, kept), cx);
    }
}

/// Whether these go by a stream only.
fn is_large(records: &[(Record, u32)]) -> bool {
    records.iter().map(|(record, _)| record.wire_len() + 5).sum::<usize>() > DATAGRAM
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A simulation has a million of them.
    #[test]
    fn what_stores_nothing_is_small() {
        let size = size_of::<Storage>();
        assert!(size <= 320, "{size} bytes");
    }
}
