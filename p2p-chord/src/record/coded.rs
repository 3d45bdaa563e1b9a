//! Values kept in parts: [`Coded`], cut into 14 [`Fragment`]s of which any 7 are enough.
//!
//! Eight whole copies cost eight times the bytes and are lost once eight nodes are; fourteen fragments cost twice the bytes,
//! and are lost once eight of fourteen nodes are (DHash++, Dabek et al. 2004). A fragment has 170 bytes beside its part of
//! the value, so this pays from a few kilobytes on.
//!
//! A value is filled up with zeros to seven shards of the same length, [`p2p_core::erasure::Code`] makes seven more, and the
//! fourteen are the leaves of a Merkle tree ([`Prefixed`], SHA-256). The key is the hash of the tree's root and the value's
//! length: it follows from the value and names all fragments at once, so that each of them is checked by itself, by whoever
//! is to keep it and by whoever fetches it. Who gives a wrong one is found out at once, and nobody can store one under the
//! key of somebody else's value.

use super::{MAX_VALUE, RecordError};
use crate::id::RingId;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use p2p_core::erasure::Code;
use p2p_core::hash::{Hasher as _, Sha256, Sha256Hash};
use p2p_core::merkle::{Prefixed, Rule as _, Shape, Tree};
use serde::{Deserialize, Serialize};

/// How many fragments a value has.
pub const FRAGMENTS: usize = 14;
/// How many of them are enough to have it back.
pub const ENOUGH: usize = 7;

const CODE: Code = match Code::new(ENOUGH, FRAGMENTS) {
    Some(code) => code,
    None => panic!("at most 256 shards"),
};

type Rule = Prefixed<Sha256>;

/// Digests in a proof, at most.
const PROOF: usize = 4;

/// A value that is kept in fragments. Nodes send it whole to the one that is responsible, which cuts it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coded {
    root: [u8; 32],
    value: Bytes,
}

/// One of the fragments of a value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    root: [u8; 32],
    /// Bytes of the value.
    len: u32,
    number: u8,
    data: Bytes,
    proof: Vec<[u8; 32]>,
}

/// How long each shard of a value is.
const fn shard_len(len: usize) -> usize {
    if len == 0 { 1 } else { len.div_ceil(ENOUGH) }
}

fn place(root: &[u8; 32], len: u32) -> RingId {
    let mut input = [0; 51];
    input[..15].copy_from_slice(b"p2p-chord coded");
    input[15..19].copy_from_slice(&len.to_be_bytes());
    input[19..].copy_from_slice(root);
    RingId::of(&input)
}

fn leaf(shard: &[u8]) -> Sha256Hash {
    let mut leaf = Rule::leaf();
    leaf.update(shard);
    leaf.finish()
}

/// All shards of a value, one after the other, and the tree above them.
fn cut(value: &[u8]) -> (Vec<u8>, Tree<Rule>) {
    let len = shard_len(value.len());
    let mut all = vec![0; FRAGMENTS * len];
    all[..value.len()].copy_from_slice(value);
    let (data, rest) = all.split_at_mut(ENOUGH * len);
    let parity = CODE.parity(&data.chunks(len).collect::<Vec<_>>());
    for (to, shard) in rest.chunks_mut(len).zip(parity) {
        to.copy_from_slice(&shard);
    }
    let tree = Tree::from_leaves(all.chunks(len).map(leaf).collect());
    (all, tree)
}

impl Coded {
    /// A value to be kept in fragments.
    ///
    /// # Errors
    /// If it is longer than [`MAX_VALUE`].
    pub fn new(value: impl Into<Bytes>) -> Result<Self, RecordError> {
        let value = value.into();
        if value.len() > MAX_VALUE {
            return Err(RecordError::TooLarge(value.len()));
        }
        let (_, tree) = cut(&value);
        Ok(Self { root: tree.root().unwrap_or_default().0, value })
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &Bytes {
        &self.value
    }

    /// Its place on the ring: SHA-256 over `"p2p-chord coded"`, the value's length (4 bytes, big-endian) and the root of the
    /// tree over its shards.
    #[must_use]
    pub fn key(&self) -> RingId {
        place(&self.root, self.value.len() as u32)
    }

    /// Its fragments in order; none if the root is not that of this value.
    #[must_use]
    pub fn fragments(&self) -> Vec<Fragment> {
        let (all, tree) = cut(&self.value);
        if tree.root().unwrap_or_default().0 != self.root {
            return Vec::new();
        }
        let len = shard_len(self.value.len());
        let fragment = |number: usize| {
            let proof = tree.proof(number as u64..number as u64 + 1).unwrap_or_default();
            Fragment {
                root: self.root,
                len: self.value.len() as u32,
                number: number as u8,
                // Of its own: who keeps one does not keep them all in memory.
                data: Bytes::copy_from_slice(&all[number * len..(number + 1) * len]),
                proof: proof.into_iter().map(|node| node.0).collect(),
            }
        };
        (0..FRAGMENTS).map(fragment).collect()
    }

    pub(super) fn check(&self) -> Result<(), RecordError> {
        let right = Self::new(self.value.clone())?;
        if right.root == self.root { Ok(()) } else { Err(RecordError::Fragment) }
    }

    /// A value of its fragments, each of which stood [`Record::check`](super::Record::check).
    ///
    /// # Errors
    /// If they are of several values, there are fewer than [`ENOUGH`] different ones, or who published the value made
    /// fragments of which different ones give different values.
    pub fn rebuild<'a>(fragments: impl IntoIterator<Item = &'a Fragment>) -> Result<Self, RecordError> {
        let fragments: Vec<&Fragment> = fragments.into_iter().collect();
        let first = fragments.first().ok_or(RecordError::Fragment)?;
        if fragments.iter().any(|other| other.root != first.root || other.len != first.len) {
            return Err(RecordError::Fragment);
        }
        let shard = |fragment: &&'a Fragment| (usize::from(fragment.number), &fragment.data[..]);
        let shards: Vec<(usize, &[u8])> = fragments.iter().map(shard).collect();
        let mut value = CODE.rebuild(&shards).map_err(|_| RecordError::Fragment)?.concat();
        value.truncate(first.len as usize);
        let coded = Self::new(value)?;
        if coded.root == first.root { Ok(coded) } else { Err(RecordError::Fragment) }
    }
}

impl Fragment {
    /// Which of the value's fragments it is, below [`FRAGMENTS`].
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number as usize
    }

    /// The key of its value.
    #[must_use]
    pub fn key(&self) -> RingId {
        place(&self.root, self.len)
    }

    pub(super) fn wire_len(&self) -> usize {
        32 + 5 + 1 + 3 + self.data.len() + 1 + 32 * self.proof.len()
    }

    /// Checks that it is what its key says.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        if len > MAX_VALUE {
            return Err(RecordError::TooLarge(len));
        }
        if self.data.len() != shard_len(len) || self.proof.len() > PROOF {
            return Err(RecordError::Fragment);
        }
        let proof: Vec<Sha256Hash> = self.proof.iter().map(|node| Sha256Hash(*node)).collect();
        let shape = Shape::new(FRAGMENTS as u64);
        let leaves = [leaf(&self.data)];
        let root = Sha256Hash(self.root);
        shape
            .verify::<Rule>(&root, u64::from(self.number), &leaves, &proof)
            .map_err(|_| RecordError::Fragment)
    }
}

impl fmt::Debug for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coded({:?}, {} bytes)", self.key(), self.value.len())
    }
}

impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fragment({:?}, {} of {FRAGMENTS})", self.key(), self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_seven_are_enough_and_a_wrong_one_is_found_out(
            value in prop::collection::vec(any::<u8>(), 0..400),
            order in Just((0..FRAGMENTS).collect::<Vec<_>>()).prop_shuffle(),
            flip in any::<prop::sample::Index>(),
        ) {
            let coded = Coded::new(value).unwrap();
            let all = coded.fragments();
            prop_assert!(all.iter().all(|fragment| fragment.check().is_ok() && fragment.key() == coded.key()));
            let some: Vec<&Fragment> = order.iter().take(ENOUGH).map(|number| &all[*number]).collect();
            prop_assert_eq!(&Coded::rebuild(some.iter().copied()).unwrap(), &coded);
            prop_assert_eq!(Coded::rebuild(some[1..].iter().copied()), Err(RecordError::Fragment));
            let mut wrong = postcard::to_allocvec(&all[order[0]]).unwrap();
            let bit = flip.index(8 * wrong.len());
            wrong[bit / 8] ^= 1 << (bit % 8);
            if let Ok(wrong) = postcard::from_bytes::<Fragment>(&wrong) {
                prop_assert!(wrong.check().is_err() || wrong.key() != coded.key());
            }
        }
    }

    /// Of a publisher who makes a tree over shards that do not belong together: all who rebuild find out.
    #[test]
    fn shards_that_do_not_belong_together_are_found_out() {
        let (all, _) = cut(b"fourteen bytes");
        let mut shards: Vec<Vec<u8>> = all.chunks(2).map(<[u8]>::to_vec).collect();
        shards[9] = vec![1, 2];
        let tree: Tree<Rule> = Tree::from_leaves(shards.iter().map(|shard| leaf(shard)).collect());
        let fragment = |number: usize| Fragment {
            root: tree.root().unwrap().0,
            len: 14,
            number: number as u8,
            data: shards[number].clone().into(),
            proof: tree.proof(number as u64..number as u64 + 1).unwrap().iter().map(|node| node.0).collect(),
        };
        let fragments: Vec<Fragment> = (0..FRAGMENTS).map(fragment).collect();
        assert!(fragments.iter().all(|fragment| fragment.check().is_ok()));
        for some in [&fragments[..7], &fragments[7..], &fragments[3..10]] {
            assert_eq!(Coded::rebuild(some), Err(RecordError::Fragment));
        }
    }
}
