//! What the source signs: a [`Manifest`] of the symbols of a batch.
//!
//! A signature for each packet would cost a node 100 us a packet to check. So the source signs once for a batch of some
//! generations, 16 packets at least unless the stream pauses: a list of the digests of all their symbols. A list costs 12
//! bytes a symbol on the wire; a Merkle path in each packet, as PPSPP has it (RFC 7574, section 5), would cost four times
//! as much, and let a node check a packet only after the batch is closed all the same.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | [`KIND`] |
//! | 4 | the group's [tag](GroupKey::tag) |
//! | 8 | the number of the batch's first generation, big-endian |
//! | 8 | when the source closed the batch: microseconds since 1970, big-endian |
//! | 1 | 1 if the stream ends behind it, else 0 |
//! | 1 | how many generations, at most [`MOST_GENERATIONS`]; 0 only where the stream ends |
//! | | for each: 1 byte that says how many packets it has; [`DIGEST`] bytes for each of these, and for each parity symbol |
//! | 64 | the signature (ed25519) of [`CONTEXT`], the [run](Broadcast::run), the shape (3 bytes: trees, packets, parity), and all of the above behind the tag |

use crate::group::{Broadcast, GroupKey};
use crate::shape::Shape;
use crate::symbol::{DIGEST, SymbolDigest};
use crate::verified::Verified;
use alloc::vec::Vec;
use bytes::{Buf, BufMut, BytesMut};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// The first byte of a manifest's datagram.
pub const KIND: u8 = 0xe2;

/// What every signature begins with.
pub const CONTEXT: &[u8] = b"p2p-esm manifest 1";

/// Packets that a batch has at least, unless the stream pauses.
pub const BATCH: usize = 16;

/// Generations in a batch at most.
pub const MOST_GENERATIONS: u8 = 16;

const SIGNATURE: usize = 64;
const HEAD: usize = 1 + 4;
/// Number, time, end and generations.
const FIXED: usize = 8 + 8 + 1 + 1;

/// No manifest is longer.
pub const LARGEST: usize = 1_400;

/// The symbols of some generations that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The number of the first one.
    pub first: u64,
    /// When the source closed the batch, in microseconds since 1970 by its clock.
    pub closed: u64,
    /// Whether the stream ends behind it.
    pub last: bool,
    /// The generations.
    pub generations: Vec<Listed>,
}

/// The symbols of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Packets that it has, at least one.
    pub count: u8,
    /// The digests of these, then of its parity symbols.
    pub digests: Vec<SymbolDigest>,
}

impl Listed {
    /// The numbers of its symbols, bit by bit.
    #[must_use]
    pub fn numbers(&self, shape: Shape) -> u64 {
        let bits = |count: u8| u64::MAX.checked_shr(64 - u32::from(count)).unwrap_or(0);
        bits(shape.symbols()) & !(bits(shape.data()) & !bits(self.count))
    }

    /// The digest of symbol `index`; `None` if the generation has none of that number.
    #[must_use]
    pub fn digest(&self, shape: Shape, index: u8) -> Option<&SymbolDigest> {
        let place = if index < self.count {
            index
        } else {
            index.checked_sub(shape.data())?.checked_add(self.count)?
        };
        self.digests.get(usize::from(place)).filter(|_| index < self.count || index >= shape.data())
    }
}

/// Why a datagram is no manifest of this broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Shorter than its head, or longer than [`LARGEST`].
    #[error("no manifest is that long")]
    Length,
    /// Of another kind.
    #[error("not a manifest")]
    Kind,
    /// Of another group.
    #[error("of another group")]
    Group,
    /// Not as the format has it.
    #[error("not as a manifest is written")]
    Malformed,
    /// Not signed by the source, or in another run of it.
    #[error("not signed by the source of this broadcast")]
    Unsigned,
}

/// Checks the manifests of a broadcast.
#[derive(Clone, Debug)]
pub struct Checker {
    broadcast: Broadcast,
    tag: [u8; 4],
    key: VerifyingKey,
    signed: Vec<u8>,
    verified: Option<Verified>,
}

impl Checker {
    /// Of this broadcast; `None` if its key is none.
    #[must_use]
    pub fn new(broadcast: Broadcast) -> Option<Self> {
        Some(Self::with(broadcast, broadcast.group.verifier()?))
    }

    /// The same with the key of its group.
    pub(crate) fn with(broadcast: Broadcast, key: VerifyingKey) -> Self {
        Self { broadcast, tag: broadcast.group.tag(), key, signed: Vec::new(), verified: None }
    }

    /// The same; what others have verified counts.
    #[must_use]
    pub fn sharing(mut self, verified: Option<Verified>) -> Self {
        self.verified = verified;
        self
    }

    /// The manifest in a datagram. Costs a verification (about 50 to 100 us) if it is well-formed.
    ///
    /// # Errors
    /// If it is none of this broadcast.
    pub fn check(&mut self, datagram: &[u8]) -> Result<Manifest, ManifestError> {
        let (manifest, body, signature) = parse(datagram, self.tag, self.broadcast.shape)?;
        signed(&self.broadcast, body, &mut self.signed);
        let is_signed = || self.key.verify_strict(&self.signed, &Signature::from_bytes(signature)).is_ok();
        let parts = [&self.broadcast.group.0[..], &self.signed, signature];
        if Verified::once(self.verified.as_ref(), parts, is_signed) {
            Ok(manifest)
        } else {
            Err(ManifestError::Unsigned)
        }
    }
}

/// What a datagram says, the bytes that are signed, and the signature.
fn parse(
    datagram: &[u8],
    tag: [u8; 4],
    shape: Shape,
) -> Result<(Manifest, &[u8], &[u8; SIGNATURE]), ManifestError> {
    if datagram.len() > LARGEST {
        return Err(ManifestError::Length);
    }
    let (head, rest) = datagram.split_first_chunk::<HEAD>().ok_or(ManifestError::Length)?;
    if head[0] != KIND {
        return Err(ManifestError::Kind);
    }
    if head[1..] != tag {
        return Err(ManifestError::Group);
    }
    let (body, signature) = rest.split_last_chunk::<SIGNATURE>().ok_or(ManifestError::Length)?;
    if body.len() < FIXED {
        return Err(ManifestError::Length);
    }
    let mut at = body;
    let (first, closed, last, generations) = (at.get_u64(), at.get_u64(), at.get_u8(), at.get_u8());
    // The numbers behind the last generation's must be numbers too.
    let sound = last <= 1
        && (generations > 0 || last == 1)
        && generations <= MOST_GENERATIONS
        && first.checked_add(u64::from(MOST_GENERATIONS)).is_some();
    if !sound {
        return Err(ManifestError::Malformed);
    }
    let mut listed = Vec::with_capacity(generations.into());
    for _ in 0..generations {
        let count = at.try_get_u8().map_err(|_| ManifestError::Malformed)?;
        if count == 0 || count > shape.data() {
            return Err(ManifestError::Malformed);
        }
        let symbols = usize::from(count) + usize::from(shape.parity());
        let (digests, behind) = at.split_at_checked(symbols * DIGEST).ok_or(ManifestError::Malformed)?;
        let (digests, _) = digests.as_chunks::<DIGEST>();
        listed.push(Listed { count, digests: digests.to_vec() });
        at = behind;
    }
    if !at.is_empty() {
        return Err(ManifestError::Malformed);
    }
    Ok((Manifest { first, closed, last: last == 1, generations: listed }, body, signature))
}

fn signed(broadcast: &Broadcast, body: &[u8], to: &mut Vec<u8>) {
    let shape = broadcast.shape;
    to.clear();
    to.extend_from_slice(CONTEXT);
    to.extend_from_slice(&broadcast.run);
    to.extend_from_slice(&[shape.trees(), shape.data(), shape.parity()]);
    to.extend_from_slice(body);
}

impl Manifest {
    /// Writes its datagram, signed. The key is that of the broadcast's group.
    pub fn encode(&self, broadcast: &Broadcast, key: &SigningKey, to: &mut BytesMut) {
        to.put_u8(KIND);
        to.put_slice(&broadcast.group.tag());
        let begin = to.len();
        to.put_u64(self.first);
        to.put_u64(self.closed);
        to.put_u8(self.last.into());
        // No more than sixteen.
        to.put_u8(self.generations.len() as u8);
        for listed in &self.generations {
            to.put_u8(listed.count);
            listed.digests.iter().for_each(|digest| to.put_slice(digest));
        }
        let mut bytes = Vec::new();
        signed(broadcast, &to[begin..], &mut bytes);
        to.put_slice(&key.sign(&bytes).to_bytes());
    }

    /// Bytes of its datagram.
    #[must_use]
    pub fn len(&self) -> usize {
        let listed = |listed: &Listed| 1 + DIGEST * listed.digests.len();
        HEAD + FIXED + self.generations.iter().map(listed).sum::<usize>() + SIGNATURE
    }

    /// Whether it lists nothing; such a one only says that the stream ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }
}

/// Collects the generations of a batch until there are enough of them.
#[derive(Debug)]
pub struct Batch {
    shape: Shape,
    first: u64,
    packets: usize,
    generations: Vec<Listed>,
}

impl Batch {
    /// Batches of a stream of this shape, from its beginning on.
    #[must_use]
    pub const fn new(shape: Shape) -> Self {
        Self::starting(shape, 0)
    }

    /// The same, from another generation on.
    pub(crate) const fn starting(shape: Shape, first: u64) -> Self {
        Self { shape, first, packets: 0, generations: Vec::new() }
    }

    /// Takes the digests of the next generation: of its `count` packets, then of its parity.
    pub fn push(&mut self, count: u8, digests: Vec<SymbolDigest>) {
        self.packets += usize::from(count);
        self.generations.push(Listed { count, digests });
    }

    /// Whether there are enough packets for a signature, or as many generations as a datagram has room for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.packets >= BATCH || !self.has_room()
    }

    /// Whether a datagram has room for another generation: packets that are sent at once share a signature.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let largest = 1 + DIGEST * usize::from(self.shape.symbols());
        let rows: usize = self.generations.iter().map(|listed| 1 + DIGEST * listed.digests.len()).sum();
        self.generations.len() < usize::from(MOST_GENERATIONS)
            && HEAD + FIXED + rows + largest + SIGNATURE <= LARGEST
    }

    /// Whether there is nothing to sign.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }

    /// The manifest of what there is; the next batch begins behind it.
    pub fn close(&mut self, closed: u64, last: bool) -> Manifest {
        let generations = core::mem::take(&mut self.generations);
        let first = self.first;
        // Sixteen at most.
        self.first += generations.len() as u64;
        self.packets = 0;
        Manifest { first, closed, last, generations }
    }
}

impl From<&SigningKey> for GroupKey {
    fn from(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbol::Symbol;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn broadcast(shape: Shape) -> Broadcast {
        Broadcast { group: (&key()).into(), run: [3; 16], shape }
    }

    fn manifest(shape: Shape, first: u64, counts: &[u8]) -> Manifest {
        let listed = |(at, &count): (usize, &u8)| {
            let digest = |index: u8| Symbol::digest(first + at as u64, index, &[index]);
            let numbers = (0..count).chain(shape.data()..shape.symbols());
            Listed { count, digests: numbers.map(digest).collect() }
        };
        let generations = counts.iter().enumerate().map(listed).collect();
        Manifest { first, closed: 1_700_000_000_000_000, last: counts.is_empty(), generations }
    }

    fn wire(manifest: &Manifest, broadcast: &Broadcast) -> BytesMut {
        let mut wire = BytesMut::new();
        manifest.encode(broadcast, &key(), &mut wire);
        wire
    }

    #[test]
    fn comes_back_signed() {
        let six = broadcast(Shape::SIX_OF_FOUR);
        let mut checker = Checker::new(six).unwrap();
        for counts in [&[4, 4, 4, 4][..], &[1], &[4, 2], &[]] {
            let manifest = manifest(six.shape, 1 << 40, counts);
            let wire = wire(&manifest, &six);
            assert_eq!(wire.len(), manifest.len());
            assert_eq!(checker.check(&wire), Ok(manifest));
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let six = broadcast(Shape::SIX_OF_FOUR);
        let mut checker = Checker::new(six).unwrap();
        let good = wire(&manifest(six.shape, 9, &[4, 4]), &six);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(checker.check(&bad).is_err(), "byte {at}");
            assert!(checker.check(&good[..at]).is_err(), "cut at {at}");
        }
        let mut longer = good.clone();
        longer.put_u8(0);
        assert!(checker.check(&longer).is_err());
    }

    #[test]
    fn of_another_run_or_shape_or_group() {
        let six = broadcast(Shape::SIX_OF_FOUR);
        let good = wire(&manifest(six.shape, 9, &[4]), &six);
        let other_run = Broadcast { run: [4; 16], ..six };
        assert_eq!(Checker::new(other_run).unwrap().check(&good), Err(ManifestError::Unsigned));
        let other_shape = Broadcast { shape: Shape::new(3, 4, 2).unwrap(), ..six };
        assert_eq!(Checker::new(other_shape).unwrap().check(&good), Err(ManifestError::Unsigned));
        let other = Broadcast { group: (&SigningKey::from_bytes(&[8; 32])).into(), ..six };
        assert_eq!(Checker::new(other).unwrap().check(&good), Err(ManifestError::Group));
        // The neutral point: it verifies what nobody signed.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let no_key = Broadcast { group: GroupKey(neutral), ..six };
        assert!(Checker::new(no_key).is_none());
    }

    #[test]
    fn digests_by_number() {
        let shape = Shape::SIX_OF_FOUR;
        let listed = &manifest(shape, 5, &[2]).generations[0];
        let known = |index| listed.digest(shape, index).copied();
        for index in [0, 1, 4, 5] {
            assert_eq!(known(index), Some(Symbol::digest(5, index, &[index])), "{index}");
        }
        for index in [2, 3, 6, 255] {
            assert_eq!(known(index), None, "{index}");
        }
        assert_eq!(listed.numbers(shape), 0b11_0011);
        let all = Shape::new(1, 64, 0).unwrap();
        assert_eq!(manifest(all, 5, &[64]).generations[0].numbers(all), u64::MAX);
    }

    #[test]
    fn batches() {
        for (shape, generations) in [
            (Shape::SIX_OF_FOUR, 4),
            (Shape::SINGLE, 1),
            (Shape::new(1, 1, 0).unwrap(), 16),
            (Shape::new(2, 1, 63).unwrap(), 1),
        ] {
            let mut batch = Batch::new(shape);
            for turn in 0..3 {
                let mut pushed = 0;
                while !batch.is_full() {
                    batch.push(shape.data(), alloc::vec![[0; DIGEST]; shape.symbols().into()]);
                    pushed += 1;
                }
                assert_eq!(pushed, generations, "{shape:?}");
                let manifest = batch.close(0, false);
                assert_eq!(manifest.first, turn * generations);
                assert!(manifest.len() <= LARGEST, "{shape:?}");
                assert!(batch.is_empty());
            }
        }
    }

    proptest! {
        /// What is not well-formed is told before anything is verified, and takes no more memory than it has bytes.
        #[test]
        fn junk(mut junk in proptest::collection::vec(any::<u8>(), 0..1_500), head: bool) {
            let six = broadcast(Shape::SIX_OF_FOUR);
            if head && junk.len() > 24 {
                junk[0] = KIND;
                junk[1..5].copy_from_slice(&six.group.tag());
                junk[21] &= 1;
                junk[22] &= 15;
            }
            prop_assert!(Checker::new(six).unwrap().check(&junk).is_err());
        }
    }
}
