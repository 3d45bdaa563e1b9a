//! How evenly records are spread over machines, by the rules that nodes follow (Stoica et al. 2003, figures 8 and 9).

use super::spread::Spread;
use p2p_chord::{NetworkId, Peer, RingId, least_laden};
use p2p_core::Rng;
use std::net::SocketAddr;

/// How a ring is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Machines.
    pub machines: usize,
    /// Places of each on the ring: ports that follow each other, as a [`Host`](p2p_chord::Host)'s.
    pub places: usize,
    /// If loads are bounded, how many nodes a list has.
    pub bounded: Option<usize>,
}

/// Records of each machine, in multiples of the mean.
#[must_use]
pub fn load(seed: u64, placement: &Placement, keys: usize) -> Spread {
    let network = NetworkId::named("p2p-chord");
    let mut rng = Rng::fast_from(seed);
    let mut ring: Vec<(RingId, u32)> = Vec::with_capacity(placement.machines * placement.places);
    for machine in 0..placement.machines {
        let ip: [u8; 4] = rng.bytes();
        for place in 0..placement.places {
            let addr = SocketAddr::from((ip, 4_000 + place as u16));
            ring.push((Peer::new(network, addr).id(), machine as u32));
        }
    }
    ring.sort_unstable();
    let mut loads = vec![0_u32; ring.len()];
    for _ in 0..keys {
        // What is stored has a hash for its key.
        let key = RingId::random(&mut rng);
        let owner = ring.partition_point(|(id, _)| *id < key) % ring.len();
        let keeper = match placement.bounded {
            Some(list) => {
                let some = (0..=list).map(|step| loads[(owner + step) % loads.len()]);
                (owner + least_laden(some).unwrap_or(0)) % loads.len()
            }
            None => owner,
        };
        loads[keeper] += 1;
    }
    let mut machines = vec![0_u32; placement.machines];
    for ((_, machine), load) in ring.iter().zip(&loads) {
        machines[*machine as usize] += load;
    }
    let mean = keys as f64 / placement.machines as f64;
    machines.into_iter().map(|load| f64::from(load) / mean).collect()
}
