//! What this node puts again and again, so that the ring does not forget it: [`Published`].

use super::{Chord, Context};
use crate::api::{Event, Provide, Put, Timer};
use crate::error::Error;
use crate::id::RingId;
use crate::peer::Place;
use crate::record::{Kind, Provider, Record};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::SocketAddr;
use p2p_core::{Duration, Instant, OpId};

/// Puts that are begun at a time; the rest waits for a second.
const AT_A_TIME: usize = 32;
const PAUSE: Duration = Duration::from_secs(1);
/// How long after a put that failed it is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// No node keeps anything longer than this, or a little longer, however long it is to be kept.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

type Name = (RingId, Kind);

/// How long after a put the next one is due.
fn half(ttl: Duration) -> Duration {
    (ttl.min(LONGEST) / 2).max(PAUSE)
}

/// What is put again, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Published(Option<Box<Puts>>);

#[derive(Clone, Debug, Default)]
struct Puts {
    records: BTreeMap<Name, (Put, Instant)>,
    due: BTreeSet<(Instant, Name)>,
}

impl Published {
    fn set(&mut self, name: Name, put: Put, due: Instant) {
        self.remove(name);
        let puts = self.0.get_or_insert_default();
        puts.due.insert((due, name));
        puts.records.insert(name, (put, due));
    }

    fn remove(&mut self, name: Name) -> Option<Put> {
        let puts = self.0.as_mut()?;
        let (put, due) = puts.records.remove(&name)?;
        puts.due.remove(&(due, name));
        Some(put)
    }

    /// What is due first.
    fn first(&self) -> Option<(Instant, Name)> {
        self.0.as_ref()?.due.first().copied()
    }
}

impl Chord {
    /// Says that something can be had here.
    pub(super) fn provide(&mut self, op: OpId, provide: Provide, cx: &mut Context<'_>) {
        let Some(addr) = self.me.map(|me| me.addr()) else { return cx.finish(op, Err(Error::NoAddress)) };
        let Provide { key, port, sha256, size } = provide;
        let at = Place::from(SocketAddr::new(addr.ip(), port));
        let record = Record::Provider(Provider { key, at, sha256, size });
        let put = Put { ttl: self.config.provide, again: true, ..Put::new(record) };
        self.put(op, put, cx);
    }

    /// Whether it puts this again and again.
    pub(crate) fn publishes(&self, key: RingId, kind: Kind) -> bool {
        self.storage.published.0.as_ref().is_some_and(|puts| puts.records.contains_key(&(key, kind)))
    }

    pub(super) fn withdraw(&mut self, op: OpId, key: RingId, kind: Kind, cx: &mut Context<'_>) {
        let had = self.storage.published.remove((key, kind)).is_some();
        cx.finish(op, if had { Ok(()) } else { Err(Error::Absent) });
    }

    /// Something was put: it is put again when half of its time is over.
    pub(super) fn put_again_later(&mut self, put: &Put, cx: &mut Context<'_>) {
        if put.again {
            // The version to be replaced was replaced.
            let put = Put { swap: None, ..put.clone() };
            let name = (put.record.key(), put.record.kind());
            let due = cx.now() + half(put.ttl);
            self.storage.published.set(name, put, due);
            self.wake_to_republish(cx);
        }
    }

    /// Something could not be put again.
    pub(super) fn not_again(&mut self, key: RingId, error: Error, cx: &mut Context<'_>) {
        let soon = cx.now() + RETRY;
        let published = &mut self.storage.published;
        for kind in [Kind::Value, Kind::Signed, Kind::Provider, Kind::Coded] {
            if let Some(put) = published.remove((key, kind)) {
                published.set((key, kind), put, soon);
            }
        }
        cx.tell(Event::NotAgain { key, error });
        self.wake_to_republish(cx);
    }

    fn wake_to_republish(&self, cx: &mut Context<'_>) {
        if let Some((due, _)) = self.storage.published.first() {
            cx.set_timer_at(Timer::Republish, due);
        }
    }

    /// Time to put something again.
    pub(super) fn republish(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        for _ in 0..AT_A_TIME {
            let published = &mut self.storage.published;
            let Some((_, name)) = published.first().filter(|(due, _)| *due <= now) else { break };
            let Some(put) = published.remove(name) else { break };
            published.set(name, put.clone(), now + half(put.ttl));
            self.begin_put(None, put, cx);
        }
        let Some((due, _)) = self.storage.published.first() else { return };
        cx.set_timer_at(Timer::Republish, due.max(now + PAUSE));
    }
}
