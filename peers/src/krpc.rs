//! BitTorrent's hash table as the crate `mainline` has it: a thread and a socket for each node.

use crate::figures::{Figures, Idle, Watch};
use mainline::Testnet;
use p2p_core::Rng;
use std::error::Error;
use std::time::Duration;

/// Fewer than of the others: a put takes a tenth of a second or more.
const OPS: usize = 60;

#[expect(deprecated, reason = "each call is waited for, so nothing would be won by the async ones")]
pub fn over_udp(count: usize) -> Result<Figures, Box<dyn Error>> {
    let net = Testnet::builder(count).seeded(false).build()?;
    for node in &net.nodes {
        node.bootstrapped();
    }
    let (mut rng, mut dice) = (Rng::fast_from(1), Rng::fast_from(2));
    // Its threads look for work all the time; that is not what is asked about.
    let rest = Watch::new(Idle::default());
    std::thread::sleep(Duration::from_secs(3));
    let idle = rest.idle();
    let values: Vec<[u8; 100]> = (0..OPS).map(|_| dice.bytes()).collect();
    let (watch, mut keys, mut failed) = (Watch::new(idle), Vec::new(), 0);
    for value in &values {
        match net.nodes[rng.index(count)].put_immutable(value) {
            Ok(key) => keys.push(key),
            Err(_) => failed += 1,
        }
    }
    let put = watch.stop(OPS, failed, None);
    let (watch, mut failed) = (Watch::new(idle), 0);
    for key in &keys {
        failed += usize::from(net.nodes[rng.index(count)].get_immutable(*key).is_none());
    }
    let get = watch.stop(keys.len().max(1), failed, None);
    Ok(Figures { put, get })
}
