//! The hosts of a LAN that are heard on its group ([`Peers`]): who hears us too, who goes first, who is not believed.

use super::beacon::{Beacon, MOST_HEARD};
use crate::wire::MemberId;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Hosts that are known at most: a beacon lists 64 at a time, so all of them within four.
const MOST: usize = 256;
/// Who was not heard for so long is gone: three beacons.
const GONE: Duration = Duration::from_millis(3_500);
/// Who did not list us for so long does not hear us. With 256 hosts each is in every fourth beacon.
const UNHEARD: Duration = Duration::from_secs(6);
/// What a host says that it sends counts for so long: whoever sends says so four times in a second.
const CLAIM: Duration = Duration::from_millis(600);
/// A symbol that the source signed vouches for its sender for so long.
const PROVEN: Duration = Duration::from_secs(3);
/// Symbols that the source did not sign after which their sender is not listened to.
const FORGED: u8 = 8;
/// For how long then.
const DISTRUST: Duration = Duration::from_secs(30);
/// Who said that it sends, and did not, is not believed in that tree for so long; then for twice as long.
const DISBELIEF: Duration = Duration::from_secs(5);

/// A host that is heard.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) id: MemberId,
    pub(crate) addr: SocketAddr,
    uplink: u32,
    willing: bool,
    heard: Instant,
    lists_us: Option<Instant>,
    /// What it sends: the tree, and its newest generation.
    claims: Vec<(u8, u64)>,
    /// When a symbol of it was found to be signed.
    proven: Option<Instant>,
    forged: u8,
    distrusted: Instant,
    /// In which tree it is not believed until when, and how often it was not.
    disbelieved: Vec<(u8, Instant, u8)>,
}

/// Where a host stands among those that may forward a tree: the least goes first. Of hosts with the same uplink those go
/// first whose tree it is, for they pass symbols on outside as well, and then each tree has others.
pub(crate) type Rank = (Reverse<u32>, bool, u64, MemberId);

pub(crate) fn rank(uplink: u32, id: MemberId, tree: u8, trees: u64) -> Rank {
    let is_foreign = id.0 % trees.max(1) != u64::from(tree);
    // Any mixture will do that is the same for everybody (the finish of splitmix64).
    let mut mixed = id.0 ^ (u64::from(tree) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 31;
    (Reverse(uplink), is_foreign, mixed, id)
}

impl Peer {
    /// It is there, and each hears the other.
    pub(crate) fn is_mutual(&self, now: Instant) -> bool {
        now.since(self.heard) < GONE && self.lists_us.is_some_and(|at| now.since(at) < UNHEARD)
    }

    /// It forwards if its turn comes, as far as it is believed.
    fn is_eligible(&self, now: Instant) -> bool {
        self.willing && self.is_mutual(now) && self.distrusted <= now
    }

    fn is_believed(&self, tree: u8, now: Instant) -> bool {
        self.disbelieved.iter().all(|(of, until, _)| *of != tree || *until <= now)
    }

    /// What it sends of a tree, if it said so of late.
    pub(crate) fn claim(&self, tree: u8, now: Instant) -> Option<u64> {
        let of_late = now.since(self.heard) < CLAIM;
        self.claims.iter().find(|(of, _)| *of == tree && of_late).map(|(_, newest)| *newest)
    }

    /// Whether its symbols were signed by the source, of late.
    pub(crate) fn is_proven(&self, now: Instant) -> bool {
        self.proven.is_some_and(|at| now.since(at) < PROVEN)
    }
}

/// Hosts by their addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers {
    known: Vec<Peer>,
    /// Where the next list of those that are heard begins.
    turn: usize,
}

impl Peers {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.known.iter()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Takes a beacon. True if the host was not known.
    pub(crate) fn note(
        &mut self,
        beacon: &Beacon,
        addr: SocketAddr,
        claims: Vec<(u8, u64)>,
        me: MemberId,
        now: Instant,
    ) -> bool {
        let lists_us = beacon.heard.contains(&me).then_some(now);
        let known = self.known.iter_mut().find(|peer| peer.addr == addr && peer.id == beacon.from);
        if let Some(peer) = known {
            (peer.uplink, peer.willing, peer.heard, peer.claims) =
                (beacon.uplink, beacon.willing, now, claims);
            peer.lists_us = lists_us.or(peer.lists_us);
            return false;
        }
        // It started again, or another one has its address.
        self.known.retain(|peer| peer.addr != addr && now.since(peer.heard) < GONE);
        if self.known.len() >= MOST {
            return false;
        }
        self.known.push(Peer {
            id: beacon.from,
            addr,
            uplink: beacon.uplink,
            willing: beacon.willing,
            heard: now,
            lists_us,
            claims,
            proven: None,
            forged: 0,
            distrusted: Instant::ZERO,
            disbelieved: Vec::new(),
        });
        true
    }

    /// Forgets who is gone.
    pub(crate) fn tidy(&mut self, now: Instant) {
        self.known.retain(|peer| now.since(peer.heard) < GONE || peer.distrusted > now);
    }

    /// Some of those that are heard, others each time.
    pub(crate) fn heard(&mut self, now: Instant) -> Vec<MemberId> {
        let all: Vec<_> =
            self.known.iter().filter(|peer| now.since(peer.heard) < GONE).map(|peer| peer.id).collect();
        if all.len() <= MOST_HEARD {
            return all;
        }
        self.turn = (self.turn + MOST_HEARD) % all.len();
        all.iter().cycle().skip(self.turn).take(MOST_HEARD).copied().collect()
    }

    /// Whether anybody is there that each hears the other.
    pub(crate) fn any_mutual(&self, now: Instant) -> bool {
        self.known.iter().any(|peer| peer.is_mutual(now))
    }

    /// Whether it is one of us: each hears the other.
    pub(crate) fn has(&self, id: MemberId, now: Instant) -> bool {
        self.known.iter().any(|peer| peer.id == id && peer.is_mutual(now))
    }

    /// The same by its address.
    pub(crate) fn is_at(&self, addr: SocketAddr, now: Instant) -> bool {
        self.known.iter().any(|peer| peer.addr == addr && peer.is_mutual(now))
    }

    /// Whose symbols are taken.
    pub(crate) fn sender(&self, addr: SocketAddr, now: Instant) -> Option<&Peer> {
        self.known.iter().find(|peer| peer.addr == addr && peer.is_eligible(now))
    }

    /// Who may forward a tree, and goes before `mine`.
    pub(crate) fn before(
        &self,
        mine: Rank,
        tree: u8,
        trees: u64,
        now: Instant,
    ) -> impl Iterator<Item = &Peer> {
        self.forwarders(tree, now).filter(move |peer| rank(peer.uplink, peer.id, tree, trees) < mine)
    }

    /// Who may forward a tree.
    pub(crate) fn forwarders(&self, tree: u8, now: Instant) -> impl Iterator<Item = &Peer> {
        self.known
            .iter()
            .filter(move |peer| peer.uplink > 0 && peer.is_eligible(now) && peer.is_believed(tree, now))
    }

    /// A symbol of it was found to be signed.
    pub(crate) fn prove(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(peer) = self.known.iter_mut().find(|peer| peer.addr == addr) {
            peer.proven = Some(now);
        }
    }

    /// A symbol, or a manifest, was not signed that came from there.
    pub(crate) fn blame(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(peer) = self.known.iter_mut().find(|peer| peer.addr == addr) {
            (peer.forged, peer.proven) = (peer.forged + 1, None);
            if peer.forged >= FORGED {
                (peer.forged, peer.distrusted) = (0, now + DISTRUST);
            }
        }
    }

    /// It said that it sends, and did not.
    pub(crate) fn disbelieve(&mut self, addr: SocketAddr, tree: u8, now: Instant) {
        let Some(peer) = self.known.iter_mut().find(|peer| peer.addr == addr) else { return };
        match peer.disbelieved.iter_mut().find(|(of, ..)| *of == tree) {
            Some((_, until, times)) => {
                *times = (*times + 1).min(6);
                *until = now + DISBELIEF * (1 << *times);
            }
            // At most one for each tree.
            None => peer.disbelieved.push((tree, now + DISBELIEF, 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beacon(id: u64, uplink: u32, heard: &[u64]) -> Beacon {
        let heard = heard.iter().map(|id| MemberId(*id)).collect();
        Beacon { from: MemberId(id), uplink, willing: true, sends: Vec::new(), heard }
    }

    fn addr(n: u32) -> SocketAddr {
        SocketAddr::from((core::net::Ipv4Addr::from(0x0a00_0000 + n), 4_000))
    }

    #[test]
    fn each_hears_the_other_or_it_does_not_count() {
        let (me, mut peers, start) = (MemberId(7), Peers::default(), Instant::from_nanos(1));
        assert!(peers.note(&beacon(1, 5, &[]), addr(1), Vec::new(), me, start));
        assert!(!peers.any_mutual(start), "it does not hear us");
        assert!(!peers.note(&beacon(1, 5, &[3, 7]), addr(1), Vec::new(), me, start));
        assert!(peers.has(MemberId(1), start) && peers.is_at(addr(1), start));
        assert!(!peers.any_mutual(start + GONE), "it is gone");
        let mut now = start;
        while now.since(start) < UNHEARD {
            now += Duration::from_secs(1);
            peers.note(&beacon(1, 5, &[3]), addr(1), Vec::new(), me, now);
        }
        assert!(!peers.any_mutual(now), "it hears us no more");
    }

    #[test]
    fn uplink_first_and_then_whose_tree_it_is() {
        let (trees, mine) = (6, MemberId(6));
        assert!(rank(2, MemberId(1), 0, trees) < rank(1, mine, 0, trees));
        assert!(rank(1, mine, 0, trees) < rank(1, MemberId(1), 0, trees));
        let first =
            |tree| (0..6_u64).filter(|id| id % 6 > 2).min_by_key(|id| rank(1, MemberId(*id), tree, 6));
        assert_eq!((first(3), first(4), first(5)), (Some(3), Some(4), Some(5)));
    }

    #[test]
    fn strangers_grow_nothing_and_displace_nobody() {
        let (me, mut peers, now) = (MemberId(7), Peers::default(), Instant::from_nanos(1));
        peers.note(&beacon(1, 5, &[7]), addr(1), Vec::new(), me, now);
        for n in 2..2_000 {
            peers.note(&beacon(u64::from(n), u32::MAX, &[7]), addr(n), Vec::new(), me, now);
        }
        assert_eq!(peers.len(), MOST);
        assert!(peers.has(MemberId(1), now));
        let later = now + GONE;
        peers.note(&beacon(3_000, 5, &[7]), addr(3_000), Vec::new(), me, later);
        assert_eq!(peers.len(), 1, "who is gone makes room");
    }

    #[test]
    fn who_forges_or_boasts() {
        let (me, mut peers, now) = (MemberId(7), Peers::default(), Instant::from_nanos(1));
        peers.note(&beacon(1, 5, &[7]), addr(1), Vec::new(), me, now);
        peers.disbelieve(addr(1), 2, now);
        let may = |peers: &Peers, tree, now| peers.forwarders(tree, now).count();
        assert_eq!((may(&peers, 2, now), may(&peers, 3, now)), (0, 1));
        let later = now + Duration::from_secs(3);
        (0..FORGED).for_each(|_| peers.blame(addr(1), later));
        assert_eq!(may(&peers, 3, later), 0);
        assert!(peers.sender(addr(1), later).is_none());
        peers.tidy(later + GONE);
        assert_eq!(peers.len(), 1, "it is not forgotten as long as it is not trusted");
    }
}
