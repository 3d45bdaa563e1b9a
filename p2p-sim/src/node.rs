//! What the simulator keeps for one node beside its machine, made small for a million of them.

use crate::few::Few;
use crate::pipes::NO_PIPE;
use crate::storage::Disk;
use core::net::{IpAddr, Ipv4Addr};
use p2p_core::{ConnId, Instant, ListenerId, Machine, OpId, SocketId, Source};
use std::collections::BTreeMap;

/// 10.0.0.1.
pub(crate) const FIRST_ADDR: u32 = 0x0a00_0001;

/// Which node of a simulation: they are numbered from 0 in the order of their adding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(u32);

impl NodeIx {
    /// The node with this number.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its number, as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The address that it gets if its [`Setup`](crate::Setup) says nothing else: 10.0.0.1 and on.
    #[must_use]
    pub fn usual_addr(self) -> IpAddr {
        Ipv4Addr::from(FIRST_ADDR.wrapping_add(self.0)).into()
    }

    pub(crate) const fn raw(self) -> u32 {
        self.0
    }
}

/// Something a machine told.
#[derive(Debug)]
pub struct Told<E> {
    /// When.
    pub at: Instant,
    /// Which operation it answers; `None` for news.
    pub op: Option<OpId>,
    /// What.
    pub event: E,
}

pub(crate) struct Node<M: Machine> {
    pub(crate) machine: M,
    pub(crate) source: Source,
    pub(crate) timers: Timers<M::Timer>,
    /// Stream handles: the wire's slot times two, plus the side.
    pub(crate) conns: Handles,
    pub(crate) sockets: Few<Socket>,
    pub(crate) listeners: Vec<Port>,
    pub(crate) told: Vec<Told<M::Event>>,
    pub(crate) disk: Option<Box<Disk>>,
    /// Nanoseconds that the civil clock is ahead.
    pub(crate) clock: i64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) addr: IpAddr,
    /// How many times it was started: answers to an earlier life are dropped.
    pub(crate) life: u32,
    pub(crate) pipe: u32,
    pub(crate) lan: u32,
    pub(crate) next_port: u16,
    pub(crate) alive: bool,
    /// It gets no inputs for a while.
    pub(crate) frozen: bool,
}

impl<M: Machine> Node<M> {
    pub(crate) fn new(machine: M, source: Source, addr: IpAddr) -> Self {
        Self {
            machine,
            source,
            timers: Timers::new(),
            conns: Handles::new(),
            sockets: Few::default(),
            listeners: Vec::new(),
            told: Vec::new(),
            disk: None,
            clock: 0,
            sent: 0,
            received: 0,
            addr,
            life: 0,
            pipe: NO_PIPE,
            lan: NO_LAN,
            next_port: FIRST_PORT,
            alive: true,
            frozen: false,
        }
    }

    /// Reads something of each line of memory that an input needs.
    pub(crate) fn touch(&self) -> u64 {
        u64::from(self.alive) ^ self.sockets.len() as u64 ^ self.timers.touch() ^ self.source.next()
    }

    /// A port that the system chooses.
    pub(crate) fn free_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = if port == u16::MAX { FIRST_PORT } else { port + 1 };
            let taken = self.sockets.iter().any(|socket| socket.port == port)
                || self.listeners.iter().any(|listener| listener.port == port);
            if !taken || self.sockets.len() + self.listeners.len() > 8_000 {
                return port;
            }
        }
    }
}

/// The first of the ports that a system gives out itself (RFC 6335).
const FIRST_PORT: u16 = 49_152;
/// In no local network but its own.
pub(crate) const NO_LAN: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Socket {
    pub(crate) id: SocketId,
    pub(crate) port: u16,
    /// Heard by this node alone.
    pub(crate) local: bool,
    /// The hop limit of what it sends to groups.
    pub(crate) ttl: u8,
    /// Whether this node hears what it sends to groups.
    pub(crate) looped: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Port {
    pub(crate) id: ListenerId,
    pub(crate) port: u16,
    pub(crate) local: bool,
    pub(crate) secured: bool,
}

/// What stream handles point to: a hash table with linear probing (Knuth volume 3, section 6.4, algorithm L), in which a
/// look-up nearly always needs one line of memory. Handles are numbers that a node counts up, so none is `u64::MAX`.
#[derive(Debug)]
pub(crate) struct Handles {
    /// None, or a power of two of places, of which a quarter at least is free.
    table: Box<[(u64, u32)]>,
    /// Places that are not free; those of handles that are gone are among them until the table is made anew.
    used: u32,
    gone: u32,
}

const GONE: u32 = u32::MAX;
const FREE: (u64, u32) = (u64::MAX, GONE);

impl Handles {
    fn new() -> Self {
        Self { table: Box::new([]), used: 0, gone: 0 }
    }

    /// Where a handle is, or would be put.
    fn position(&self, id: ConnId) -> Option<usize> {
        let mask = self.table.len().checked_sub(1)?;
        let mut at = (id.raw().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while self.table[at].0 != id.raw() && self.table[at] != FREE {
            at = (at + 1) & mask;
        }
        Some(at)
    }

    pub(crate) fn insert(&mut self, id: ConnId, value: u32) {
        if (self.used as usize + 1) * 4 > self.table.len() * 3 {
            self.renew();
        }
        let Some(at) = self.position(id) else { return };
        let place = self.table[at];
        self.used += u32::from(place == FREE);
        self.gone -= u32::from(place != FREE && place.1 == GONE);
        self.table[at] = (id.raw(), value);
    }

    /// Makes the table anew, with room for one more and without those that are gone.
    fn renew(&mut self) {
        let room = (self.len() + 1) * 4 / 3 + 1;
        let old = std::mem::replace(&mut self.table, vec![FREE; room.next_power_of_two()].into());
        (self.used, self.gone) = (0, 0);
        for (id, value) in old.into_iter().filter(|(_, value)| *value != GONE) {
            self.insert(ConnId::from_raw(id), value);
        }
    }

    pub(crate) fn find(&self, id: ConnId) -> Option<u32> {
        Some(self.table[self.position(id)?].1).filter(|value| *value != GONE)
    }

    pub(crate) fn remove(&mut self, id: ConnId) {
        let Some(at) = self.position(id).filter(|at| self.table[*at].1 != GONE) else { return };
        self.table[at].1 = GONE;
        self.gone += 1;
        if self.gone * 2 > self.used {
            self.renew();
        }
    }

    /// All of them, in the order of their numbers.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = u32> + use<> {
        let mut all = std::mem::replace(self, Self::new()).table.into_vec();
        all.retain(|(_, value)| *value != GONE);
        all.sort_unstable();
        all.into_iter().map(|(_, value)| value)
    }

    /// Their numbers, in order.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        let held = self.table.iter().filter(|(_, value)| *value != GONE);
        let mut ids: Vec<ConnId> = held.map(|(id, _)| ConnId::from_raw(*id)).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) const fn len(&self) -> usize {
        (self.used - self.gone) as usize
    }
}

/// A timer: when it is due, and when the agenda will look at it.
#[derive(Debug, Clone, Copy)]
struct Due {
    /// `Instant::MAX` if it was cleared.
    at: Instant,
    queued: Instant,
    mark: u32,
}

/// The timers of a node. At most one event per name waits in the agenda, however often the timer is set later or
/// cleared: the event finds out what became of it.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    list: Vec<(T, Due)>,
    #[expect(clippy::box_collection, reason = "hardly any node has one, and a million nodes have the field")]
    tree: Option<Box<BTreeMap<T, Due>>>,
    marks: u32,
}

/// Up to here a sorted list beats a tree, in time and in space.
const LIST: usize = 32;

/// What became of a timer when its event came up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fired {
    /// Due.
    Now,
    /// Set later meanwhile: look again then.
    Later(Instant),
    /// Cleared, or set anew with an event of its own.
    Stale,
}

impl<T: Copy + Ord> Timers<T> {
    const fn new() -> Self {
        Self { list: Vec::new(), tree: None, marks: 0 }
    }

    fn entry(&mut self, name: &T) -> Option<&mut Due> {
        if let Some(tree) = &mut self.tree {
            return tree.get_mut(name);
        }
        let at = self.list.binary_search_by(|(key, _)| key.cmp(name)).ok()?;
        Some(&mut self.list[at].1)
    }

    fn touch(&self) -> u64 {
        self.list.first().map_or(0, |(_, due)| due.at.as_nanos())
    }

    /// Sets a timer. `Some(mark)` if an event with this mark is to be put into the agenda.
    pub(crate) fn set(&mut self, name: T, at: Instant) -> Option<u32> {
        if at == Instant::MAX {
            self.clear(&name);
            return None;
        }
        let mark = self.marks.wrapping_add(1);
        if let Some(due) = self.entry(&name) {
            due.at = at;
            if at >= due.queued {
                return None;
            }
            due.queued = at;
            due.mark = mark;
        } else {
            self.insert(name, Due { at, queued: at, mark });
        }
        self.marks = mark;
        Some(mark)
    }

    fn insert(&mut self, name: T, due: Due) {
        if self.tree.is_none() && self.list.len() == LIST {
            self.tree = Some(Box::new(std::mem::take(&mut self.list).into_iter().collect()));
        }
        if let Some(tree) = &mut self.tree {
            tree.insert(name, due);
            return;
        }
        let at = self.list.partition_point(|(key, _)| *key < name);
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact(if self.list.len() < 4 { 1 } else { self.list.len() });
        }
        self.list.insert(at, (name, due));
    }

    fn remove(&mut self, name: &T) {
        if let Some(tree) = &mut self.tree {
            tree.remove(name);
            if tree.is_empty() {
                self.tree = None;
            }
        } else if let Ok(at) = self.list.binary_search_by(|(key, _)| key.cmp(name)) {
            self.list.remove(at);
        }
    }

    pub(crate) fn clear(&mut self, name: &T) {
        if let Some(due) = self.entry(name) {
            due.at = Instant::MAX;
        }
    }

    pub(crate) fn clear_all(&mut self) {
        self.list = Vec::new();
        self.tree = None;
    }

    pub(crate) fn fire(&mut self, name: &T, mark: u32, now: Instant) -> Fired {
        let Some(due) = self.entry(name) else { return Fired::Stale };
        if due.mark != mark {
            return Fired::Stale;
        }
        if due.at > now && due.at != Instant::MAX {
            due.queued = due.at;
            return Fired::Later(due.at);
        }
        let fired = if due.at == Instant::MAX { Fired::Stale } else { Fired::Now };
        self.remove(name);
        fired
    }

    /// The timers that are set, in order of their names.
    pub(crate) fn pending(&self) -> Vec<(T, Instant)> {
        let list = self.list.iter().map(|(name, due)| (*name, due.at));
        let tree = self.tree.iter().flat_map(|tree| tree.iter().map(|(name, due)| (*name, due.at)));
        list.chain(tree).filter(|(_, at)| *at != Instant::MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u64) -> Instant {
        Instant::from_nanos(n)
    }

    #[test]
    fn a_timer_set_later_again_and_again_keeps_one_event() {
        let mut timers = Timers::new();
        let mark = timers.set('a', at(10)).unwrap();
        assert_eq!(timers.set('a', at(20)), None);
        assert_eq!(timers.set('a', at(30)), None);
        assert_eq!(timers.fire(&'a', mark, at(10)), Fired::Later(at(30)));
        timers.clear(&'a');
        assert_eq!(timers.set('a', at(40)), None, "the event that waits is used again");
        assert_eq!(timers.fire(&'a', mark, at(30)), Fired::Later(at(40)));
        assert_eq!(timers.fire(&'a', mark, at(40)), Fired::Now);
        assert_eq!(timers.fire(&'a', mark, at(50)), Fired::Stale);
    }

    #[test]
    fn a_timer_set_earlier_makes_the_old_event_stale() {
        let mut timers = Timers::new();
        let old = timers.set('a', at(30)).unwrap();
        let new = timers.set('a', at(10)).unwrap();
        assert_eq!(timers.fire(&'a', new, at(10)), Fired::Now);
        assert_eq!(timers.fire(&'a', old, at(30)), Fired::Stale);
    }

    #[test]
    fn many_timers_become_a_tree_and_none_is_lost() {
        let mut timers = Timers::new();
        let marks: Vec<_> = (0..100u32).map(|n| timers.set(n, at(u64::from(n))).unwrap()).collect();
        assert!(timers.tree.is_some());
        assert_eq!(timers.pending().len(), 100);
        for n in (0..100u32).rev() {
            assert_eq!(timers.fire(&n, marks[n as usize], at(100)), Fired::Now);
        }
        assert!(timers.tree.is_none());
    }

    #[test]
    fn handles_survive_their_neighbours() {
        let mut handles = Handles::new();
        for n in 0..100 {
            handles.insert(ConnId::from_raw(n), n as u32);
        }
        for n in 0..99 {
            handles.remove(ConnId::from_raw(n));
            handles.remove(ConnId::from_raw(n));
        }
        assert_eq!(handles.len(), 1);
        assert_eq!(handles.find(ConnId::from_raw(99)), Some(99));
        assert_eq!(handles.find(ConnId::from_raw(5)), None);
        assert_eq!(handles.take().collect::<Vec<_>>(), [99]);
        assert_eq!(handles.len(), 0);
    }

    #[test]
    fn handles_agree_with_a_map() {
        let mut rng = p2p_core::Rng::fast_from(9);
        let (mut handles, mut map) = (Handles::new(), BTreeMap::new());
        for step in 0..20_000u32 {
            let id = rng.below(400);
            if rng.chance(0.3) {
                // As many stay in the second half as in the first, but other ones.
                handles.insert(ConnId::from_raw(id + u64::from(step / 1000)), step);
                map.insert(id + u64::from(step / 1000), step);
            } else {
                handles.remove(ConnId::from_raw(id));
                map.remove(&id);
            }
            let id = rng.below(420);
            assert_eq!(handles.find(ConnId::from_raw(id)), map.get(&id).copied());
            assert_eq!(handles.len(), map.len());
            assert!(handles.table.len() <= 2048);
        }
        assert!(handles.ids().iter().map(|id| id.raw()).eq(map.keys().copied()));
        assert_eq!(handles.take().collect::<Vec<_>>(), map.into_values().collect::<Vec<_>>());
    }
}
