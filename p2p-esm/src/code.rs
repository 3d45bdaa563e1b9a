//! Parity of a generation, and its packets back from what arrived: [`Encoder`], [`Decoder`].
//!
//! The code is that of [`p2p_core::erasure`]. Generations are small (4 to 16 packets), so what counts is a low fixed cost: it
//! decodes 500 to 1,000 MB/s of them on one core, where codes made for thousands of symbols take 200 us to begin with. A
//! packet stands in it as its length (2 bytes, big-endian), then the packet, then zeros.

use crate::shape::{LARGEST_PACKET, Shape};
use crate::symbol::TAG;
use alloc::vec;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use p2p_core::erasure::Code;

/// Bytes that stand before a packet in the code.
const LENGTH: usize = 2;
/// The longest packet in the code.
const LONGEST: usize = LENGTH + LARGEST_PACKET + TAG;

/// Makes the parity of one generation after the other.
#[derive(Debug)]
pub struct Encoder {
    shape: Shape,
    code: Code,
    /// Packets so far.
    count: u8,
    /// The longest of them in the code.
    longest: usize,
    packet: Vec<u8>,
    parity: Vec<Vec<u8>>,
}

impl Encoder {
    /// Of streams of this shape.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            code: code(shape),
            count: 0,
            longest: 0,
            packet: Vec::with_capacity(LONGEST),
            parity: vec![vec![0; LONGEST]; shape.parity().into()],
        }
    }

    /// Takes the next packet; it is symbol number [`Self::count`] of its generation. `None`, and nothing is taken, if
    /// the generation is full or the packet longer than any.
    pub fn push(&mut self, packet: &[u8]) -> Option<u8> {
        let index = self.count;
        if index == self.shape.data() || packet.len() > LONGEST - LENGTH {
            return None;
        }
        self.packet.clear();
        // A packet is no longer than 1,332 bytes.
        self.packet.put_u16(packet.len() as u16);
        self.packet.extend_from_slice(packet);
        self.longest = self.longest.max(self.packet.len());
        self.code.add(index.into(), &self.packet, &mut self.parity);
        self.count += 1;
        Some(index)
    }

    /// Packets in the generation so far.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// Ends the generation: the bodies of its parity symbols, whose numbers go from [`Shape::data`] on.
    pub fn close(&mut self) -> impl Iterator<Item = Bytes> {
        let (count, longest) = (core::mem::take(&mut self.count), core::mem::take(&mut self.longest));
        self.parity.iter_mut().map(move |row| {
            let mut body = BytesMut::with_capacity(1 + longest);
            body.put_u8(count);
            body.put_slice(&row[..longest]);
            row[..longest].fill(0);
            body.freeze()
        })
    }
}

/// Gets packets back.
#[derive(Debug)]
pub struct Decoder {
    shape: Shape,
    code: Code,
    /// Packets as they stand in the code.
    shards: Vec<Vec<u8>>,
}

impl Decoder {
    /// Of streams of this shape.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape, code: code(shape), shards: vec![Vec::new(); shape.data().into()] }
    }

    /// Fills in the missing packets of a generation that has `count`, of its symbols by number. Whoever calls has
    /// verified what is there. False, and nothing is changed, if that is too little, or no code of such packets.
    pub fn recover(&mut self, count: u8, symbols: &mut [Option<Bytes>]) -> bool {
        let (data, count) = (usize::from(self.shape.data()), usize::from(count));
        if symbols.len() != usize::from(self.shape.symbols()) || !(1..=data).contains(&count) {
            return false;
        }
        // Parity is as long as the longest packet, behind a byte that is none of it.
        let Some(longest) = symbols[data..].iter().flatten().map(|body| body.len().saturating_sub(1)).max()
        else {
            return false;
        };
        for (index, (shard, symbol)) in self.shards.iter_mut().zip(symbols.iter()).enumerate() {
            shard.clear();
            match symbol {
                Some(body) if index < count && LENGTH + body.len() <= longest => {
                    shard.put_u16(body.len() as u16);
                    shard.extend_from_slice(body);
                }
                // A packet that would not fit in the code, or is none: the source is not sound.
                Some(_) => return false,
                None => {}
            }
            shard.resize(longest, 0);
        }
        // Those that a short generation lacks are zeros.
        let packets =
            self.shards.iter().enumerate().filter(|(index, _)| *index >= count || symbols[*index].is_some());
        let parity = symbols[data..]
            .iter()
            .enumerate()
            .filter_map(|(row, body)| Some((data + row, body.as_deref()?.get(1..)?)));
        let there: Vec<(usize, &[u8])> =
            packets.map(|(index, shard)| (index, &shard[..])).chain(parity).collect();
        let Ok(rebuilt) = self.code.rebuild(&there) else { return false };
        let packet = |shard: &[u8]| {
            let (length, rest) = shard.split_first_chunk::<LENGTH>()?;
            rest.get(..usize::from(u16::from_be_bytes(*length))).map(Bytes::copy_from_slice)
        };
        let lost = (0..count).filter(|&index| symbols[index].is_none());
        let found: Option<Vec<_>> = lost.map(|index| Some((index, packet(&rebuilt[index])?))).collect();
        let Some(found) = found else { return false };
        for (index, body) in found {
            symbols[index] = Some(body);
        }
        true
    }
}

fn code(shape: Shape) -> Code {
    match Code::new(shape.data().into(), shape.symbols().into()) {
        Some(code) => code,
        None => unreachable!("a shape has a packet, and 64 symbols at most"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    fn symbols(shape: Shape, encoder: &mut Encoder, packets: &[Vec<u8>]) -> Vec<Option<Bytes>> {
        let mut symbols = vec![None; usize::from(shape.symbols())];
        for packet in packets {
            let index = encoder.push(packet).unwrap();
            symbols[usize::from(index)] = Some(Bytes::copy_from_slice(packet));
        }
        for (index, body) in encoder.close().enumerate() {
            symbols[usize::from(shape.data()) + index] = Some(body);
        }
        symbols
    }

    fn packets(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..=LARGEST_PACKET), 1..=most)
    }

    /// Two generations after each other, of which each loses as many symbols as it may.
    fn survives(shape: Shape, generations: &[Vec<Vec<u8>>], lost: &[usize]) {
        let (mut encoder, mut code) = (Encoder::new(shape), Decoder::new(shape));
        for packets in generations {
            let mut all = symbols(shape, &mut encoder, packets);
            for &index in lost {
                all[index] = None;
            }
            // What a short generation lacks is no loss.
            let enough = all.iter().flatten().count() >= packets.len();
            let whole = all[..packets.len()].iter().all(Option::is_some);
            if whole || enough {
                let parity = all[usize::from(shape.data())..].iter().any(Option::is_some);
                assert!(code.recover(packets.len() as u8, &mut all) || (whole && !parity));
                for (packet, symbol) in packets.iter().zip(&all) {
                    assert_eq!(symbol.as_deref(), Some(&packet[..]));
                }
            }
        }
    }

    /// Every way to lose as many symbols as there is parity, of all small shapes.
    #[test]
    fn every_loss_of_small_generations() {
        let packets: Vec<Vec<u8>> =
            (1..=8).map(|n: u8| vec![n.wrapping_mul(37); usize::from(n) * 11]).collect();
        for data in 1..=8_u8 {
            for parity in 1..=3_u8 {
                let shape = Shape::new(1, data, parity).unwrap();
                let all = shape.symbols();
                for pattern in (0_u32..1 << all).filter(|pattern| pattern.count_ones() == parity.into()) {
                    let lost: Vec<_> =
                        (0..usize::from(all)).filter(|&index| pattern >> index & 1 == 1).collect();
                    survives(shape, &[packets[..usize::from(data)].to_vec()], &lost);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn sixteen_and_four(
            generations in proptest::collection::vec(packets(16), 2),
            lost in subsequence((0..20_usize).collect::<Vec<_>>(), 4),
        ) {
            survives(Shape::new(5, 16, 4).unwrap(), &generations, &lost);
        }

        #[test]
        fn six_of_four(
            generations in proptest::collection::vec(packets(4), 3),
            lost in subsequence((0..6_usize).collect::<Vec<_>>(), 2),
        ) {
            survives(Shape::SIX_OF_FOUR, &generations, &lost);
        }

        /// A source that is not sound: whatever it says is no panic.
        #[test]
        fn junk(
            count: u8,
            mut all in proptest::collection::vec(
                proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)), 0..8),
        ) {
            let _ = Decoder::new(Shape::SIX_OF_FOUR).recover(count, &mut all);
        }
    }

    #[test]
    fn a_generation_has_an_end() {
        let mut encoder = Encoder::new(Shape::SIX_OF_FOUR);
        assert_eq!(encoder.push(&[0; LARGEST_PACKET + TAG + 1]), None, "too long");
        for index in 0..4 {
            assert_eq!(encoder.push(&[1]), Some(index));
        }
        assert_eq!(encoder.push(&[1]), None, "full");
        assert_eq!(encoder.close().count(), 2);
        assert_eq!(encoder.push(&[1]), Some(0));
    }

    #[test]
    fn too_little_stays_as_it_is() {
        let shape = Shape::SIX_OF_FOUR;
        let mut all = symbols(shape, &mut Encoder::new(shape), &vec![vec![7; 100]; 4]);
        (all[0], all[2], all[5]) = (None, None, None);
        let before = all.clone();
        assert!(!Decoder::new(shape).recover(4, &mut all));
        assert_eq!(all, before);
    }
}
