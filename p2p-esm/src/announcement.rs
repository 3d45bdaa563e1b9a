//! What a source says of its broadcast, signed, so that whoever is asked can pass it on: [`Announcement`].

use crate::group::{Broadcast, GroupKey};
use crate::seal::SharedKey;
use crate::shape::Shape;
use crate::verified::Verified;
use alloc::vec::Vec;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What its signature begins with.
const CONTEXT: &[u8] = b"p2p-esm announcement 2";

/// A broadcast, as its source describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Drawn when the source started. Who holds the group's key and starts again draws another one.
    pub run: [u8; 16],
    /// When it started: seconds since 1970 by its clock. The later one of two runs counts.
    pub started: u64,
    /// Bytes of the stream in a second, about: what a member's upload is measured against.
    pub rate: u32,
    /// Trees, packets and parity symbols of a generation.
    pub shape: [u8; 3],
    /// If the group is closed: by which a member tells that it has its key in this run.
    pub sealed: Option<[u8; 8]>,
    /// The signature of all of it, by the group's key, in two halves.
    signature: [[u8; 32]; 2],
}

impl Announcement {
    /// Signs one.
    #[must_use]
    pub fn sign(
        key: &SigningKey,
        run: [u8; 16],
        started: u64,
        rate: u32,
        shape: Shape,
        shared: Option<&SharedKey>,
    ) -> Self {
        let shape = [shape.trees(), shape.data(), shape.parity()];
        let sealed = shared.map(|shared| shared.mark(&run));
        let mut new = Self { run, started, rate, shape, sealed, signature: Default::default() };
        let signature = key.sign(&new.signed()).to_bytes();
        let (halves, _) = signature.as_chunks::<32>();
        new.signature = [halves[0], halves[1]];
        new
    }

    fn signed(&self) -> Vec<u8> {
        let (started, rate) = (self.started.to_be_bytes(), self.rate.to_be_bytes());
        let sealed = self.sealed.as_ref().map_or(&[][..], |mark| mark);
        [CONTEXT, &self.run, &started, &rate, &self.shape, sealed].concat()
    }

    /// The broadcast it is of, if the group's source signed it.
    #[must_use]
    pub fn broadcast(&self, group: GroupKey) -> Option<Broadcast> {
        Some(self.checked(group, None)?.0)
    }

    /// The same with the key that checks what it signs; what others have verified counts.
    pub(crate) fn checked(
        &self,
        group: GroupKey,
        verified: Option<&Verified>,
    ) -> Option<(Broadcast, VerifyingKey)> {
        let [trees, data, parity] = self.shape;
        let shape = Shape::new(trees, data, parity).ok()?;
        let (key, signed) = (group.verifier()?, self.signed());
        let bytes: &[u8; 64] = self.signature.as_flattened().try_into().ok()?;
        let is_signed = || key.verify_strict(&signed, &Signature::from_bytes(bytes)).is_ok();
        Verified::once(verified, [&group.0, &signed, bytes], is_signed)
            .then_some((Broadcast { group, run: self.run, shape }, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_as_the_source_said_it() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let good = Announcement::sign(&key, [1; 16], 1_700_000_000, 125_000, Shape::SIX_OF_FOUR, None);
        let group = GroupKey::from(&key);
        assert_eq!(good.broadcast(group).map(|broadcast| broadcast.shape), Some(Shape::SIX_OF_FOUR));
        for bad in [
            Announcement { rate: 1, ..good },
            Announcement { run: [2; 16], ..good },
            Announcement { started: 0, ..good },
            Announcement { shape: [3, 4, 2], ..good },
            Announcement { sealed: Some([0; 8]), ..good },
            Announcement { shape: [0, 0, 0], ..good },
        ] {
            assert_eq!(bad.broadcast(group), None);
        }
        assert_eq!(good.broadcast((&SigningKey::from_bytes(&[6; 32])).into()), None);
    }

    /// What others have verified is verified once; what they have not, or of another group, is not taken for it.
    #[test]
    fn what_others_have_verified_counts() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let good = Announcement::sign(&key, [1; 16], 1_700_000_000, 125_000, Shape::SIX_OF_FOUR, None);
        let (group, verified) = (GroupKey::from(&key), Verified::default());
        for _ in 0..2 {
            assert!(good.checked(group, Some(&verified)).is_some());
            assert!(Announcement { rate: 1, ..good }.checked(group, Some(&verified)).is_none());
            assert!(good.checked((&SigningKey::from_bytes(&[6; 32])).into(), Some(&verified)).is_none());
        }
    }
}
