//! The pieces that a peer may ask for while it is choked (BEP 6, "allowed fast set generation").

use crate::InfoHash;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use p2p_core::hash::{Hasher, Sha1};

/// Sets are not made larger than this, whatever is asked for: a newcomer needs about ten pieces to begin to trade.
const MOST: u32 = 64;

/// The first `k` pieces of the set for a peer at `ip`, in order; fewer if there are fewer pieces.
///
/// The set follows from the torrent and the peer's network of 256 addresses, so that reconnecting, or another address
/// next to it, gains nothing.
#[must_use]
pub fn allowed_fast(info_hash: &InfoHash, ip: Ipv4Addr, k: u32, pieces: u32) -> Vec<u32> {
    let wanted = k.min(pieces).min(MOST) as usize;
    let [a, b, c, _] = ip.octets();
    let mut seed = [0; 24];
    for (to, from) in seed.iter_mut().zip([a, b, c, 0].iter().chain(&info_hash.0)) {
        *to = *from;
    }
    let mut set = Vec::with_capacity(wanted);
    if wanted == 0 {
        return set;
    }
    let mut hash = Sha1::digest(&seed).0;
    loop {
        for four in hash.as_chunks::<4>().0 {
            let piece = u32::from_be_bytes(*four) % pieces;
            if !set.contains(&piece) {
                set.push(piece);
            }
            if set.len() == wanted {
                return set;
            }
        }
        hash = Sha1::digest(&hash).0;
    }
}
