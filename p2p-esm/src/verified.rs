//! What others in the process have verified already: [`Verified`].

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use p2p_core::hash::{Hasher, Sha256};

/// Signatures that are remembered.
const MOST: usize = 1_024;

/// Signatures that members of one process have verified: each counts for all of them. A verification is most of what a
/// member of a slow stream computes, and in a simulation all members verify the same.
///
/// 64 bits of a hash stand for what was verified, so whoever can try 2^64 forgeries can have one taken: for simulations
/// and tests, not for members that strangers reach.
#[derive(Clone)]
pub struct Verified(Arc<[AtomicU64; MOST]>);

impl Default for Verified {
    fn default() -> Self {
        Self(Arc::new([const { AtomicU64::new(0) }; MOST]))
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified")
    }
}

impl Verified {
    fn place(&self, hash: u64) -> &AtomicU64 {
        &self.0[(hash % MOST as u64) as usize]
    }

    /// Whether this is signed: it is verified, unless somebody that `verified` is of has.
    pub(crate) fn once(
        verified: Option<&Self>,
        [group, signed, signature]: [&[u8]; 3],
        is_signed: impl FnOnce() -> bool,
    ) -> bool {
        let Some(verified) = verified else { return is_signed() };
        let mut hash = Sha256::default();
        for part in [group, signed, signature] {
            hash.update(part);
        }
        let hash = hash.finish().as_ref().first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let place = verified.place(hash);
        if place.load(Ordering::Relaxed) == hash {
            return true;
        }
        let is_signed = is_signed();
        if is_signed {
            place.store(hash, Ordering::Relaxed);
        }
        is_signed
    }
}
