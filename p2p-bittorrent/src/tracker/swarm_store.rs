//! Who takes part in what: [`SwarmStore`], with announces, picks and removals in constant time.

use super::{Event, Scraped};
use crate::compact::{self, Compact, V4_LEN, V6_LEN};
use crate::{InfoHash, PeerId};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::Hasher as _;
use core::net::SocketAddr;
use hashbrown::HashTable;
use p2p_core::Rng;
use siphasher::sip::SipHasher13;

/// Keyed hashing of what strangers choose: without the key nobody can make entries collide.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HashKey(u64, u64);

impl HashKey {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        Self(rng.bits(), rng.bits())
    }

    pub(super) fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// A list this short is searched from end to end: faster than an index, and most swarms are so small.
const SCAN_MOST: usize = 16;
/// Swarms that are looked at to find a small one to forget.
const TRIES: usize = 8;

/// An address in its wire form.
trait WireAddr: Copy + Eq + AsRef<[u8]> {
    fn socket_addr(self) -> SocketAddr;
}

impl WireAddr for [u8; V4_LEN] {
    fn socket_addr(self) -> SocketAddr {
        compact::v4(self)
    }
}

impl WireAddr for [u8; V6_LEN] {
    fn socket_addr(self) -> SocketAddr {
        compact::v6(self)
    }
}

/// A peer: 32 bytes with an IPv4 address, 44 with an IPv6 one.
#[derive(Debug, Clone, Copy)]
struct Peer<A> {
    addr: A,
    id: PeerId,
    seen: u32,
}

/// The peers of one address family in one swarm: seeds first, then those that lack something.
#[derive(Debug)]
struct Peers<A> {
    list: Vec<Peer<A>>,
    /// Places in `list` by address, once it is longer than [`SCAN_MOST`].
    index: Option<Box<HashTable<u32>>>,
    seeds: u32,
}

impl<A> Default for Peers<A> {
    fn default() -> Self {
        Self { list: Vec::new(), index: None, seeds: 0 }
    }
}

impl<A: WireAddr> Peers<A> {
    fn find(&self, addr: A, key: HashKey) -> Option<usize> {
        match &self.index {
            None => self.list.iter().position(|peer| peer.addr == addr),
            Some(index) => index
                .find(key.hash(addr.as_ref()), |&at| {
                    self.list.get(at as usize).is_some_and(|peer| peer.addr == addr)
                })
                .map(|&at| at as usize),
        }
    }

    fn is_seed(&self, at: usize) -> bool {
        at < self.seeds as usize
    }

    /// Swaps two peers, and says so to the index.
    fn swap(&mut self, a: usize, b: usize, key: HashKey) {
        if a == b {
            return;
        }
        if let Some(index) = &mut self.index {
            // Both are looked up before either is written, for each hides behind the other's place afterwards.
            for (from, to) in [(a, u32::MAX), (b, a as u32), (u32::MAX as usize, b as u32)] {
                let addr =
                    self.list.get(if from == u32::MAX as usize { a } else { from }).map(|peer| peer.addr);
                if let Some(addr) = addr
                    && let Some(place) = index.find_mut(key.hash(addr.as_ref()), |&at| at as usize == from)
                {
                    *place = to;
                }
            }
        }
        self.list.swap(a, b);
    }

    /// Puts a peer among the seeds, or among the others.
    fn set_seed(&mut self, at: usize, seed: bool, key: HashKey) {
        match (self.is_seed(at), seed) {
            (false, true) => {
                self.swap(at, self.seeds as usize, key);
                self.seeds += 1;
            }
            (true, false) => {
                self.seeds -= 1;
                self.swap(at, self.seeds as usize, key);
            }
            _ => {}
        }
    }

    fn insert(&mut self, peer: Peer<A>, seed: bool, key: HashKey) {
        if self.list.len() == self.list.capacity() {
            // By a quarter rather than by doubling: a peer is to cost what it is, and most swarms have one.
            self.list.reserve_exact((self.list.len() / 4).max(1));
        }
        let at = self.list.len();
        self.list.push(peer);
        let list = &self.list;
        let hash_at = |at: &u32| list.get(*at as usize).map_or(0, |peer| key.hash(peer.addr.as_ref()));
        match &mut self.index {
            Some(index) => {
                index.insert_unique(key.hash(peer.addr.as_ref()), at as u32, hash_at);
            }
            None if list.len() > SCAN_MOST => {
                let mut index = HashTable::with_capacity(2 * SCAN_MOST);
                for at in 0..list.len() as u32 {
                    index.insert_unique(hash_at(&at), at, hash_at);
                }
                self.index = Some(Box::new(index));
            }
            None => {}
        }
        self.set_seed(at, seed, key);
    }

    fn remove(&mut self, at: usize, key: HashKey) {
        self.set_seed(at, false, key);
        // As a seed it has moved to the border.
        let at = at.max(self.seeds as usize);
        self.remove_other(at, key);
    }

    /// Removes one that is not among the seeds.
    fn remove_other(&mut self, at: usize, key: HashKey) {
        let Some(last) = self.list.len().checked_sub(1) else { return };
        self.swap(at, last, key);
        let Some(gone) = self.list.pop() else { return };
        if self.list.len() <= SCAN_MOST / 2 {
            self.index = None;
        } else if let Some(index) = &mut self.index
            && let Ok(entry) = index.find_entry(key.hash(gone.addr.as_ref()), |&at| at as usize == last)
        {
            entry.remove();
        }
        if self.list.capacity() > 4 && self.list.capacity() / 2 > self.list.len() {
            self.list.shrink_to(self.list.len() + self.list.len() / 4);
        }
    }

    /// Adds or refreshes a peer. Whether there is one more, and whether it became a seed by this.
    fn upsert(
        &mut self,
        peer: Peer<A>,
        seed: bool,
        most: usize,
        key: HashKey,
        rng: &mut Rng,
    ) -> (bool, bool) {
        if let Some(at) = self.find(peer.addr, key) {
            let was_seed = self.is_seed(at);
            if let Some(known) = self.list.get_mut(at) {
                *known = peer;
            }
            self.set_seed(at, seed, key);
            return (false, seed && !was_seed);
        }
        let full = self.list.len() >= most;
        if full {
            // Anyone may go, so that who floods a swarm mostly pushes out his own entries once he has the most.
            self.remove(rng.index(self.list.len()), key);
        }
        self.insert(peer, seed, key);
        (!full, false)
    }

    /// Gives up to `most` peers to `take`, each once: all if there are not more, else a random choice. Seeds are left
    /// out if `for_seed`, and `asker` always.
    fn pick(
        &self,
        asker: Option<A>,
        for_seed: bool,
        most: usize,
        key: HashKey,
        rng: &mut Rng,
        mut take: impl FnMut(&Peer<A>),
    ) {
        let from = if for_seed { self.seeds as usize } else { 0 };
        let Some(pool) = self.list.get(from..).filter(|pool| !pool.is_empty() && most > 0) else { return };
        let own = asker.and_then(|addr| self.find(addr, key)).and_then(|at| at.checked_sub(from));
        let len = pool.len();
        // Steps of a length that has no divisor in common with the number of peers meet each of them once, from any
        // beginning: a choice without a list of what was chosen.
        let (mut at, step) = (rng.index(len), stride(len, rng));
        let mut left = most;
        for _ in 0..len {
            if Some(at) != own
                && let Some(peer) = pool.get(at)
            {
                take(peer);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            at = (at + step) % len;
        }
    }

    /// Drops who was last seen before `before`; how many.
    fn expire(&mut self, before: u32, key: HashKey) -> usize {
        let had = self.list.len();
        let mut at = had;
        // From the end: what takes the place of a dropped one was looked at already.
        while let Some(next) = at.checked_sub(1) {
            at = next;
            if self.list.get(at).is_some_and(|peer| peer.seen < before) {
                self.remove(at, key);
            }
        }
        had - self.list.len()
    }

    fn heap(&self) -> usize {
        let index =
            self.index.as_ref().map_or(0, |index| size_of::<HashTable<u32>>() + index.allocation_size());
        self.list.capacity() * size_of::<Peer<A>>() + index
    }
}

fn stride(len: usize, rng: &mut Rng) -> usize {
    // Of all numbers about 61 % are coprime to a given one, so sixteen tries hardly ever fail; 1 always serves.
    for _ in 0..16 {
        let step = 1 + rng.index(len.saturating_sub(1));
        let (mut a, mut b) = (len, step);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        if a == 1 {
            return step;
        }
    }
    1
}

/// Who takes part in one torrent.
#[derive(Debug)]
struct Swarm {
    hash: InfoHash,
    downloaded: u32,
    v4: Peers<[u8; V4_LEN]>,
    v6: Option<Box<Peers<[u8; V6_LEN]>>>,
}

impl Swarm {
    fn v6_len(&self) -> usize {
        self.v6.as_ref().map_or(0, |peers| peers.list.len())
    }

    fn len(&self) -> usize {
        self.v4.list.len() + self.v6_len()
    }

    fn counts(&self) -> Scraped {
        let seeds = u64::from(self.v4.seeds) + self.v6.as_ref().map_or(0, |peers| u64::from(peers.seeds));
        Scraped {
            complete: seeds,
            downloaded: self.downloaded.into(),
            incomplete: (self.len() as u64).saturating_sub(seeds),
        }
    }
}

/// One announce, as the store sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) hash: InfoHash,
    pub(super) id: PeerId,
    pub(super) addr: SocketAddr,
    pub(super) event: Event,
    pub(super) seed: bool,
    /// Seconds since the store was made.
    pub(super) at: u32,
}

/// Which peers to pick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) hash: InfoHash,
    pub(super) asker: SocketAddr,
    /// Whether the asker is a seed, which has no use for others.
    pub(super) for_seed: bool,
    pub(super) v4: bool,
    pub(super) v6: bool,
    pub(super) most: usize,
}

/// All swarms. Nothing here depends on the order of a hash table, so the same seed gives the same answers.
#[derive(Debug)]
pub(super) struct SwarmStore {
    key: HashKey,
    /// Places in `swarms` by info-hash.
    table: HashTable<u32>,
    swarms: Vec<Swarm>,
    peers: usize,
    evicted: u64,
    /// Where the sweep goes on.
    cursor: usize,
    /// How many swarms this round of looking has still to look at, and how many of them at once.
    left: usize,
    share: usize,
    torrents_most: usize,
    peers_most: usize,
    swarm_most: usize,
}

impl SwarmStore {
    /// An empty store of at most `torrents_most` swarms of at most `swarm_most` peers (of each address family), and at
    /// most `peers_most` peers in all.
    pub(super) fn new(key: HashKey, torrents_most: usize, peers_most: usize, swarm_most: usize) -> Self {
        Self {
            key,
            table: HashTable::new(),
            swarms: Vec::new(),
            peers: 0,
            evicted: 0,
            cursor: 0,
            left: 0,
            share: 0,
            // Places are 32 bits.
            torrents_most: torrents_most.clamp(1, u32::MAX as usize),
            peers_most: peers_most.max(1),
            swarm_most: swarm_most.clamp(1, u32::MAX as usize),
        }
    }

    pub(super) const fn torrents(&self) -> usize {
        self.swarms.len()
    }

    pub(super) const fn peers(&self) -> usize {
        self.peers
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn place(&self, hash: &InfoHash) -> Option<usize> {
        self.table
            .find(self.key.hash(&hash.0), |&at| {
                self.swarms.get(at as usize).is_some_and(|swarm| swarm.hash == *hash)
            })
            .map(|&at| at as usize)
    }

    /// The numbers of a torrent; zeros of an unknown one.
    pub(super) fn counts(&self, hash: &InfoHash) -> Scraped {
        self.place(hash).and_then(|at| self.swarms.get(at)).map(Swarm::counts).unwrap_or_default()
    }

    /// Takes an announce.
    pub(super) fn announce(&mut self, seen: &Seen, rng: &mut Rng) {
        let addr = Compact::new(seen.addr);
        if seen.event == Event::Stopped {
            self.leave(seen, addr);
            return;
        }
        if !compact::is_dialable(seen.addr) {
            return;
        }
        let at = self.place(&seen.hash).unwrap_or_else(|| self.open(seen.hash, rng));
        if self.peers >= self.peers_most {
            self.make_room(at, rng);
        }
        // Making room may have moved it.
        let Some(at) = self.place(&seen.hash) else { return };
        let (key, most) = (self.key, self.swarm_most);
        let Some(swarm) = self.swarms.get_mut(at) else { return };
        let (more, became_seed) = match addr {
            Compact::V4(addr) => {
                let peer = Peer { addr, id: seen.id, seen: seen.at };
                swarm.v4.upsert(peer, seen.seed, most, key, rng)
            }
            Compact::V6(addr) => {
                let peer = Peer { addr, id: seen.id, seen: seen.at };
                swarm.v6.get_or_insert_default().upsert(peer, seen.seed, most, key, rng)
            }
        };
        if more {
            self.peers += 1;
        }
        // Counted once per peer and only of one that was seen downloading: the word alone is for anyone to say.
        if seen.event == Event::Completed && became_seed {
            swarm.downloaded = swarm.downloaded.saturating_add(1);
        }
    }

    /// Removes a peer that says good-bye; only under the peer id by which it is known, so that nobody says it for
    /// others behind the same address.
    fn leave(&mut self, seen: &Seen, addr: Compact) {
        let Some(at) = self.place(&seen.hash) else { return };
        let key = self.key;
        let Some(swarm) = self.swarms.get_mut(at) else { return };
        let left = match addr {
            Compact::V4(addr) => leave(&mut swarm.v4, addr, seen.id, key),
            Compact::V6(addr) => swarm.v6.as_mut().is_some_and(|peers| leave(peers, addr, seen.id, key)),
        };
        if left {
            self.peers -= 1;
            if swarm.len() == 0 {
                self.close(at);
            }
        }
    }

    /// A new swarm's place.
    fn open(&mut self, hash: InfoHash, rng: &mut Rng) -> usize {
        if self.swarms.len() >= self.torrents_most
            && let Some(smallest) = self.small_one(None, rng)
        {
            self.evict(smallest);
        }
        let at = self.swarms.len();
        self.swarms.push(Swarm { hash, downloaded: 0, v4: Peers::default(), v6: None });
        let (key, swarms) = (self.key, &self.swarms);
        self.table.insert_unique(key.hash(&hash.0), at as u32, |&at| {
            swarms.get(at as usize).map_or(0, |swarm| key.hash(&swarm.hash.0))
        });
        at
    }

    /// A place with few peers, of some looked at by chance. Whoever floods the store with torrents of one peer each
    /// thus loses those.
    fn small_one(&self, but: Option<usize>, rng: &mut Rng) -> Option<usize> {
        (0..TRIES)
            .map(|_| rng.index(self.swarms.len()))
            .filter(|at| Some(*at) != but)
            .min_by_key(|at| self.swarms.get(*at).map_or(usize::MAX, Swarm::len))
    }

    /// Forgets at least one peer to make room in the swarm at `at`: a small other swarm, or else one peer of this.
    fn make_room(&mut self, at: usize, rng: &mut Rng) {
        if let Some(small) = self.small_one(Some(at), rng) {
            self.evict(small);
            return;
        }
        let key = self.key;
        let Some(swarm) = self.swarms.get_mut(at) else { return };
        if !swarm.v4.list.is_empty() {
            swarm.v4.remove(rng.index(swarm.v4.list.len()), key);
        } else if let Some(v6) = swarm.v6.as_mut().filter(|v6| !v6.list.is_empty()) {
            v6.remove(rng.index(v6.list.len()), key);
        } else {
            return;
        }
        self.peers -= 1;
        self.evicted += 1;
    }

    fn evict(&mut self, at: usize) {
        let peers = self.swarms.get(at).map_or(0, Swarm::len);
        self.peers -= peers;
        self.evicted += peers as u64;
        self.close(at);
    }

    /// Forgets the swarm at this place; the last one takes it.
    fn close(&mut self, at: usize) {
        let key = self.key;
        let Some(last) = self.swarms.len().checked_sub(1) else { return };
        let place_of = |swarms: &[Swarm], at: usize| swarms.get(at).map(|swarm| key.hash(&swarm.hash.0));
        if let Some(hash) = place_of(&self.swarms, at)
            && let Ok(entry) = self.table.find_entry(hash, |&place| place as usize == at)
        {
            entry.remove();
        }
        if last != at
            && let Some(hash) = place_of(&self.swarms, last)
            && let Some(place) = self.table.find_mut(hash, |&place| place as usize == last)
        {
            *place = at as u32;
        }
        self.swarms.swap_remove(at);
    }

    /// Forgets a torrent and all its peers.
    pub(super) fn forget(&mut self, hash: &InfoHash) {
        if let Some(at) = self.place(hash) {
            self.peers -= self.swarms.get(at).map_or(0, Swarm::len);
            self.close(at);
        }
    }

    /// Looks at some of the swarms (`parts` calls look at all) and drops who was last seen before `before`, and swarms
    /// that are empty then.
    pub(super) fn sweep(&mut self, before: u32, parts: usize) {
        if self.cursor >= self.swarms.len() || self.left == 0 {
            // The share of a round is fixed at its start: swarms that go meanwhile must not make it longer.
            (self.cursor, self.left) = (0, self.swarms.len());
            self.share = self.left.div_ceil(parts.max(1));
        }
        for _ in 0..self.share.min(self.left) {
            self.left -= 1;
            let key = self.key;
            let Some(swarm) = self.swarms.get_mut(self.cursor) else { break };
            let mut gone = swarm.v4.expire(before, key);
            if let Some(v6) = &mut swarm.v6 {
                gone += v6.expire(before, key);
                if v6.list.is_empty() {
                    swarm.v6 = None;
                }
            }
            self.peers -= gone;
            if swarm.len() == 0 {
                // Another one takes this place and is looked at next.
                self.close(self.cursor);
            } else {
                self.cursor += 1;
            }
        }
        if self.swarms.capacity() > 64 && self.swarms.capacity() / 4 > self.swarms.len() {
            self.swarms.shrink_to(self.swarms.len() * 2);
        }
    }

    /// Gives the peers that a wish asks for: address in wire form, peer id.
    pub(super) fn pick(&self, wish: &Wish, rng: &mut Rng, mut take: impl FnMut(&[u8], PeerId, SocketAddr)) {
        let Some(swarm) = self.place(&wish.hash).and_then(|at| self.swarms.get(at)) else { return };
        let v4_len = if wish.v4 { swarm.v4.list.len() } else { 0 };
        let v6_len = if wish.v6 { swarm.v6_len() } else { 0 };
        // Half for each family, and what one has no use for to the other.
        let v6_most = v6_len.min(wish.most.saturating_sub(v4_len).max(wish.most / 2));
        let v4_most = v4_len.min(wish.most - v6_most);
        let (own4, own6) = match Compact::new(wish.asker) {
            Compact::V4(addr) => (Some(addr), None),
            Compact::V6(addr) => (None, Some(addr)),
        };
        swarm.v4.pick(own4, wish.for_seed, v4_most, self.key, rng, |peer| {
            take(&peer.addr, peer.id, peer.addr.socket_addr());
        });
        if let Some(v6) = &swarm.v6 {
            v6.pick(own6, wish.for_seed, v6_most, self.key, rng, |peer| {
                take(&peer.addr, peer.id, peer.addr.socket_addr());
            });
        }
    }

    /// What the store takes of the heap, in bytes, walking all swarms.
    pub(super) fn heap(&self) -> usize {
        let swarms = self.swarms.iter().map(|swarm| {
            let v6 = swarm.v6.as_ref().map_or(0, |v6| size_of_val(&**v6) + v6.heap());
            swarm.v4.heap() + v6
        });
        swarms.sum::<usize>() + self.swarms.capacity() * size_of::<Swarm>() + self.table.allocation_size()
    }
}

fn leave<A: WireAddr>(peers: &mut Peers<A>, addr: A, id: PeerId, key: HashKey) -> bool {
    let found = peers.find(addr, key).filter(|at| peers.list.get(*at).is_some_and(|peer| peer.id == id));
    if let Some(at) = found {
        peers.remove(at, key);
    }
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::{BTreeMap, BTreeSet};
    use p2p_core::Rng;
    use proptest::prelude::*;

    const HASH: InfoHash = InfoHash([1; 20]);

    fn store(torrents: usize, peers: usize, swarm: usize) -> (SwarmStore, Rng) {
        let mut rng = Rng::fast_from(1);
        (SwarmStore::new(HashKey::draw(&mut rng), torrents, peers, swarm), rng)
    }

    fn v4(n: u32) -> SocketAddr {
        SocketAddr::from(((0x0100_0000 + n).to_be_bytes(), 6881))
    }

    fn v6(n: u16) -> SocketAddr {
        SocketAddr::from(([0x2001, 0, 0, 0, 0, 0, 0, n], 6881))
    }

    fn seen(addr: SocketAddr, seed: bool, event: Event) -> Seen {
        Seen { hash: HASH, id: PeerId([7; 20]), addr, event, seed, at: 100 }
    }

    fn wish(asker: SocketAddr, for_seed: bool, most: usize) -> Wish {
        Wish { hash: HASH, asker, for_seed, v4: true, v6: true, most }
    }

    fn picked(store: &SwarmStore, wish: &Wish, rng: &mut Rng) -> Vec<SocketAddr> {
        let mut all = Vec::new();
        store.pick(wish, rng, |bytes, _, addr| {
            assert_eq!(Compact::new(addr).as_bytes(), bytes);
            all.push(addr);
        });
        all
    }

    #[test]
    fn a_choice_is_fair_without_doubles_and_without_the_asker() {
        let (mut store, mut rng) = store(9, 10_000, 10_000);
        (0..500).for_each(|n| store.announce(&seen(v4(n), n < 100, Event::Started), &mut rng));
        let mut times = BTreeMap::<SocketAddr, u32>::new();
        for _ in 0..2_000 {
            let peers = picked(&store, &wish(v4(200), false, 50), &mut rng);
            let unique: BTreeSet<_> = peers.iter().copied().collect();
            assert_eq!((peers.len(), unique.len(), unique.contains(&v4(200))), (50, 50, false));
            peers.into_iter().for_each(|peer| *times.entry(peer).or_default() += 1);
        }
        assert_eq!(times.len(), 499);
        assert!(times.values().all(|n| (120..300).contains(n)), "expected 200 each: {times:?}");
        let for_seed = picked(&store, &wish(v4(1), true, 1_000), &mut rng);
        assert_eq!(for_seed.len(), 400);
        assert!(!for_seed.contains(&v4(99)));
    }

    #[test]
    fn both_families_share_an_answer() {
        let (mut store, mut rng) = store(9, 10_000, 10_000);
        (0..100).for_each(|n| store.announce(&seen(v4(n), false, Event::Started), &mut rng));
        (1..101).for_each(|n| store.announce(&seen(v6(n), false, Event::Started), &mut rng));
        let peers = picked(&store, &wish(v4(5_000), false, 50), &mut rng);
        assert_eq!((peers.len(), peers.iter().filter(|peer| peer.is_ipv6()).count()), (50, 25));
        let only = Wish { v6: false, ..wish(v4(5_000), false, 50) };
        assert!(picked(&store, &only, &mut rng).iter().all(SocketAddr::is_ipv4));
        assert_eq!(store.counts(&HASH), Scraped { complete: 0, downloaded: 0, incomplete: 200 });
    }

    #[test]
    fn only_who_was_seen_downloading_completes_and_once() {
        let (mut store, mut rng) = store(9, 100, 100);
        store.announce(&seen(v4(1), true, Event::Completed), &mut rng);
        assert_eq!(store.counts(&HASH).downloaded, 0);
        store.announce(&seen(v4(2), false, Event::Started), &mut rng);
        for _ in 0..3 {
            store.announce(&seen(v4(2), true, Event::Completed), &mut rng);
        }
        assert_eq!(store.counts(&HASH), Scraped { complete: 2, downloaded: 1, incomplete: 0 });
    }

    #[test]
    fn a_swarm_without_peers_is_forgotten_at_once() {
        let (mut store, mut rng) = store(9, 100, 100);
        store.announce(&seen(v4(1), true, Event::Started), &mut rng);
        let other = Seen { id: PeerId([8; 20]), ..seen(v4(1), true, Event::Stopped) };
        store.announce(&other, &mut rng);
        assert_eq!(store.peers(), 1, "nobody says good-bye for others");
        store.announce(&seen(v4(1), true, Event::Stopped), &mut rng);
        assert_eq!((store.peers(), store.torrents()), (0, 0));
        store.announce(&seen(v4(2), true, Event::Stopped), &mut rng);
        store.announce(&seen("0.0.0.0:1".parse().unwrap(), true, Event::Started), &mut rng);
        store.announce(&seen("1.2.3.4:0".parse().unwrap(), true, Event::Started), &mut rng);
        assert_eq!((store.peers(), store.torrents()), (0, 0), "who cannot be dialled is not kept");
    }

    #[test]
    fn expiry_drops_peers_and_empty_swarms() {
        let (mut store, mut rng) = store(1_000, 10_000, 100);
        for n in 0..100u8 {
            let at = if n < 60 { 100 } else { 200 };
            store.announce(
                &Seen { hash: InfoHash([n; 20]), at, ..seen(v4(n.into()), false, Event::Started) },
                &mut rng,
            );
        }
        (0..4).for_each(|_| store.sweep(150, 4));
        assert_eq!((store.peers(), store.torrents()), (40, 40));
        assert_eq!(store.counts(&InfoHash([60; 20])).incomplete, 1);
        assert_eq!(store.counts(&InfoHash([59; 20])).incomplete, 0);
    }

    #[test]
    fn every_cap_holds_under_a_flood() {
        let (mut store, mut rng) = store(50, 300, 40);
        (0..40).for_each(|n| store.announce(&seen(v4(n), false, Event::Started), &mut rng));
        for n in 0..5_000u32 {
            let mut hash = [2; 20];
            hash[..4].copy_from_slice(&n.to_be_bytes());
            store.announce(&Seen { hash: InfoHash(hash), ..seen(v4(n), false, Event::Started) }, &mut rng);
            assert!(store.torrents() <= 50 && store.peers() <= 300);
        }
        assert_eq!(store.counts(&HASH).incomplete, 40, "the large swarm outlives a flood of small ones");
        for n in 0..5_000 {
            store.announce(&seen(v4(n), n % 2 == 0, Event::Started), &mut rng);
            assert!(store.counts(&HASH).complete + store.counts(&HASH).incomplete <= 40);
        }
        let (mut store, mut rng) = self::store(1, 3, 40);
        (0..9).for_each(|n| store.announce(&seen(v4(n), false, Event::Started), &mut rng));
        assert_eq!((store.peers(), store.evicted()), (3, 6));
    }

    #[test]
    fn a_peer_costs_no_more_than_64_bytes_and_a_small_torrent_no_more_than_200() {
        let (mut store, mut rng) = store(1_000_000, 1_000_000, 100_000);
        (0..60_000).for_each(|n| store.announce(&seen(v4(n), n % 3 == 0, Event::Started), &mut rng));
        let each = store.heap() / store.peers();
        assert!(each <= 64, "{each} bytes per peer");
        let (mut store, mut rng) = self::store(1_000_000, 1_000_000, 100_000);
        for n in 0..50_000u32 {
            let mut hash = [2; 20];
            hash[..4].copy_from_slice(&n.to_be_bytes());
            store.announce(&Seen { hash: InfoHash(hash), ..seen(v4(n), false, Event::Started) }, &mut rng);
        }
        let each = store.heap() / store.torrents();
        assert!(each <= 200, "{each} bytes per torrent of one peer");
    }

    proptest! {
        /// Against a plain map: the same peers, seeds and numbers after any sequence of announces.
        #[test]
        fn behaves_as_a_plain_map(steps in proptest::collection::vec((0u16..60, 0u8..3, any::<bool>(), 0u8..10, any::<bool>()), 0..400)) {
            let (mut store, mut rng) = store(100, 10_000, 10_000);
            let mut model = BTreeMap::<(InfoHash, SocketAddr), (bool, u32)>::new();
            for (step, (n, hash, seed, kind, six)) in steps.into_iter().enumerate() {
                let addr = if six { v6(n) } else { v4(n.into()) };
                let hash = InfoHash([hash; 20]);
                let at = step as u32;
                match kind {
                    0..=6 => {
                        store.announce(&Seen { hash, at, ..seen(addr, seed, Event::Regular) }, &mut rng);
                        model.insert((hash, addr), (seed, at));
                    }
                    7 | 8 => {
                        store.announce(&Seen { hash, at, ..seen(addr, seed, Event::Stopped) }, &mut rng);
                        model.remove(&(hash, addr));
                    }
                    _ => {
                        let before = at.saturating_sub(40);
                        // A swarm that takes an emptied one's place may be looked at twice, another not at all.
                        (0..4).for_each(|_| store.sweep(before, 1));
                        model.retain(|_, (_, seen)| *seen >= before);
                    }
                }
            }
            prop_assert_eq!(store.peers(), model.len());
            for hash in (0..3).map(|n| InfoHash([n; 20])) {
                let expected: BTreeSet<_> = model.keys().filter(|(of, _)| *of == hash).map(|(_, addr)| *addr).collect();
                let seeds = model.iter().filter(|((of, _), (seed, _))| *of == hash && *seed).count() as u64;
                let all = picked(&store, &Wish { hash, ..wish(v4(9_999), false, 1_000) }, &mut rng);
                prop_assert_eq!(all.len(), expected.len());
                prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), expected);
                prop_assert_eq!(store.counts(&hash).complete, seeds);
            }
        }
    }
}
