//! Which stream: [`GroupKey`], and one broadcast of it: [`Broadcast`].

use crate::shape::Shape;
use core::fmt;
use ed25519_dalek::VerifyingKey;
use p2p_core::hash::{Hasher, Sha256};

/// The public key (ed25519) of a group's source. It names the group: who knows it can tell the source's packets from
/// anybody else's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(pub [u8; 32]);

impl GroupKey {
    /// Four bytes that stand for the group in each datagram, so that what strays is dropped at once. No proof of anything.
    #[must_use]
    pub fn tag(self) -> [u8; 4] {
        let digest = Sha256::digest(&self.0);
        let bytes = digest.as_ref();
        [bytes[0], bytes[1], bytes[2], bytes[3]]
    }

    pub(crate) fn verifier(self) -> Option<VerifyingKey> {
        // A weak key verifies what its owner never signed.
        VerifyingKey::from_bytes(&self.0).ok().filter(|key| !key.is_weak())
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKey({self})")
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One run of a source. It numbers generations from 0, so what was signed in another run must not be taken for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// Whose.
    pub group: GroupKey,
    /// Drawn by the source when it starts.
    pub run: [u8; 16],
    /// How the stream is cut.
    pub shape: Shape,
}
