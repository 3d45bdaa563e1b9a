//! The root of a tiger tree as a running digest: THEX with leaves of 1,024 bytes.

use crate::hash::{Tiger, TigerHash};
use crate::merkle::{Leaves, Peaks, Prefixed};
use core::num::NonZeroU32;

/// Bytes of a leaf: all that was ever used with Tiger.
const LEAF_LEN: NonZeroU32 = NonZeroU32::new(1_024).unwrap();

/// The root so far: one digest for each bit of the number of leaves, and the open leaf.
#[derive(Clone)]
pub(crate) struct Root {
    leaves: Leaves<Prefixed<Tiger>>,
    peaks: Peaks<Prefixed<Tiger>>,
}

impl Default for Root {
    fn default() -> Self {
        Self { leaves: Leaves::new(LEAF_LEN), peaks: Peaks::new() }
    }
}

impl Root {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let peaks = &mut self.peaks;
        self.leaves.update(bytes, |leaf| peaks.push(leaf));
    }

    pub(crate) fn finish(mut self) -> TigerHash {
        if let Some(last) = self.leaves.finish() {
            self.peaks.push(last);
        }
        // There is a leaf: that of no bytes is one.
        self.peaks.root().unwrap_or_default()
    }
}
