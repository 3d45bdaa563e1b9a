//! What others in the process have verified already: [`Verified`].

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

/// Manifests that are remembered.
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

    pub(crate) fn has(&self, hash: u64) -> bool {
        self.place(hash).load(Ordering::Relaxed) == hash
    }

    pub(crate) fn note(&self, hash: u64) {
        self.place(hash).store(hash, Ordering::Relaxed);
    }
}
