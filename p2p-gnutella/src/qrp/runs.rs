//! [`deflate_runs`]: zlib streams of what is mostly runs of one byte, as patches of tables are.

use alloc::vec;
use alloc::vec::Vec;

/// Lengths of runs that one symbol stands for.
const RUN: core::ops::RangeInclusive<usize> = 3..=258;
/// The first symbol of a run.
const RUNS: usize = 257;
const END: usize = 256;
const SYMBOLS: usize = 286;
/// The longest codes of symbols, and of their lengths.
const BITS_MAX: u8 = 15;
const LENGTH_BITS_MAX: u8 = 7;
/// The order in which lengths of codes of lengths stand in a block (RFC 1951, section 3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// A stream of 32 KiB of window, and of the usual level.
const HEADER: [u8; 2] = [0x78, 0x9c];
const ADLER: u64 = 65_521;
/// Bytes that are looked at together.
const STRIDE: usize = 32;

/// A zlib stream of one block, in which nothing but runs of one byte is made shorter. That is nearly all that there is to
/// gain in a patch, and a compressor that looks for more clears 320 kB before it begins.
pub(super) fn deflate_runs(input: &[u8]) -> Vec<u8> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut check = (1, 0);
    let mut rest = input;
    while let Some(&byte) = rest.first() {
        let len = run_len(byte, rest);
        rest = rest.get(len..).unwrap_or_default();
        check = adler(check, byte, len as u64);
        tokens.push(Token::Byte(byte));
        let mut left = len - 1;
        while left >= *RUN.start() {
            let run = left.min(*RUN.end());
            tokens.push(Token::Run(run as u16));
            left -= run;
        }
        tokens.extend((0..left).map(|_| Token::Byte(byte)));
    }
    let mut bits = Writer { out: HEADER.to_vec(), held: 0, count: 0 };
    block(&tokens, &mut bits);
    let mut out = bits.finish();
    out.extend_from_slice(&((check.1 << 16 | check.0) as u32).to_be_bytes());
    out
}

#[derive(Clone, Copy)]
enum Token {
    Byte(u8),
    /// The byte before, so many times more.
    Run(u16),
}

impl Token {
    /// Its symbol, and how many bits of what follow that (RFC 1951, section 3.2.5).
    const fn symbol(self) -> (usize, u32, u32) {
        match self {
            Self::Byte(byte) => (byte as usize, 0, 0),
            Self::Run(258) => (SYMBOLS - 1, 0, 0),
            Self::Run(len) => {
                let more = len as u32 - *RUN.start() as u32;
                let bits = if more < 8 { 0 } else { more.ilog2() - 2 };
                (RUNS + (4 * bits + (more >> bits)) as usize, bits, more & ((1 << bits) - 1))
            }
        }
    }
}

/// How often the first byte is repeated, itself among them.
fn run_len(byte: u8, bytes: &[u8]) -> usize {
    let strides = bytes.chunks_exact(STRIDE);
    let whole = strides.take_while(|stride| stride.iter().fold(0, |all, is| all | (is ^ byte)) == 0).count();
    let rest = bytes.get(whole * STRIDE..).unwrap_or_default();
    whole * STRIDE + rest.iter().take_while(|is| **is == byte).count()
}

/// Adler-32 (RFC 1950, section 8) after so many times the same byte.
const fn adler((a, b): (u64, u64), byte: u8, len: u64) -> (u64, u64) {
    let (byte, steps) = (byte as u64, len * (len + 1) / 2 % ADLER);
    ((a + byte * len) % ADLER, (b + a * len + byte * steps) % ADLER)
}

/// The last block of a stream, with codes of its own (RFC 1951, section 3.2.7).
fn block(tokens: &[Token], bits: &mut Writer) {
    let mut counts = [0; SYMBOLS];
    counts[END] = 1;
    tokens.iter().for_each(|token| counts[token.symbol().0] += 1);
    let mut lengths = code_lengths(&counts, BITS_MAX);
    let symbols = RUNS.max(lengths.iter().rposition(|len| *len > 0).map_or(0, |last| last + 1));
    let codes = codes(&lengths);
    lengths.truncate(symbols);
    // The one distance: the byte before.
    lengths.push(1);
    bits.put(0b101, 3);
    bits.put(symbols as u32 - RUNS as u32, 5);
    bits.put(0, 5);
    put_lengths(&lengths, bits);
    let put_symbol = |symbol: usize, bits: &mut Writer| {
        let (code, len) = codes[symbol];
        bits.put(code, len);
    };
    for token in tokens {
        let (symbol, len, more) = token.symbol();
        put_symbol(symbol, bits);
        bits.put(more, len);
        if symbol >= RUNS {
            bits.put(0, 1);
        }
    }
    put_symbol(END, bits);
}

/// The lengths of codes, themselves in a code.
fn put_lengths(lengths: &[u8], bits: &mut Writer) {
    // Symbols with how many bits of what: 17 and 18 stand for many zeros.
    let mut symbols: Vec<(usize, u32, u32)> = Vec::new();
    let mut rest = lengths;
    while let Some(&len) = rest.first() {
        let zeros = rest.iter().take(138).take_while(|len| **len == 0).count();
        let (symbol, taken) = match zeros {
            0..3 => ((len.into(), 0, 0), 1),
            3..11 => ((17, 3, zeros as u32 - 3), zeros),
            _ => ((18, 7, zeros as u32 - 11), zeros),
        };
        symbols.push(symbol);
        rest = rest.get(taken..).unwrap_or_default();
    }
    let mut counts = [0; ORDER.len()];
    symbols.iter().for_each(|(symbol, ..)| counts[*symbol] += 1);
    let lengths = code_lengths(&counts, LENGTH_BITS_MAX);
    let codes = codes(&lengths);
    let told = ORDER.iter().rposition(|symbol| lengths[*symbol] > 0).map_or(4, |last| (last + 1).max(4));
    bits.put(told as u32 - 4, 4);
    ORDER.iter().take(told).for_each(|symbol| bits.put(lengths[*symbol].into(), 3));
    for (symbol, len, more) in symbols {
        bits.put(codes[symbol].0, codes[symbol].1);
        bits.put(more, len);
    }
}

/// The lengths of Huffman's codes, none longer than `max`: counts are made more alike until that is so.
fn code_lengths(counts: &[u32], max: u8) -> Vec<u8> {
    let mut lengths = vec![0; counts.len()];
    let mut leaves: Vec<(u32, usize)> =
        counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(at, count)| (*count, at)).collect();
    leaves.sort_unstable();
    if let [(_, only)] = leaves[..] {
        lengths[only] = 1;
        return lengths;
    }
    loop {
        // Leaves, and behind them what two of the least are together: both in order.
        let mut weights: Vec<u32> = leaves.iter().map(|(count, _)| *count).collect();
        let mut parents = vec![0; leaves.len() * 2];
        let (mut leaf, mut inner) = (0, leaves.len());
        for at in leaves.len()..(leaves.len() * 2).saturating_sub(1) {
            let mut weight = 0;
            for _ in 0..2 {
                let is_leaf = leaf < leaves.len() && (inner >= at || weights[leaf] <= weights[inner]);
                let least = if is_leaf { &mut leaf } else { &mut inner };
                weight += weights[*least];
                parents[*least] = at;
                *least += 1;
            }
            weights.push(weight);
        }
        let mut depths = vec![0u8; weights.len()];
        for at in (0..weights.len().saturating_sub(1)).rev() {
            depths[at] = depths[parents[at]] + 1;
        }
        if depths.iter().all(|depth| *depth <= max) {
            leaves.iter().zip(depths).for_each(|((_, at), depth)| lengths[*at] = depth);
            return lengths;
        }
        leaves.iter_mut().for_each(|(count, _)| *count = count.div_ceil(2));
    }
}

/// The codes that lengths stand for (RFC 1951, section 3.2.2), each turned round as it is written, and its length.
fn codes(lengths: &[u8]) -> Vec<(u32, u32)> {
    let mut next = [0u32; BITS_MAX as usize + 2];
    lengths.iter().filter(|len| **len > 0).for_each(|len| next[usize::from(*len) + 1] += 1);
    for len in 1..next.len() {
        next[len] += next[len - 1];
        next[len] <<= 1;
    }
    let code = |len: &u8| {
        let (bits, code) = (u32::from(*len), next[usize::from(*len)]);
        next[usize::from(*len)] += u32::from(bits > 0);
        (code.reverse_bits().checked_shr(32 - bits).unwrap_or(0), bits)
    };
    lengths.iter().map(code).collect()
}

/// Bits, the first in the lowest of a byte.
struct Writer {
    out: Vec<u8>,
    held: u64,
    count: u32,
}

impl Writer {
    fn put(&mut self, bits: u32, count: u32) {
        self.held |= u64::from(bits) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.put(0, self.count.wrapping_neg() % 8);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2p_core::Rng;
    use p2p_core::deflate::{deflate, inflate};

    #[test]
    fn whatever_it_is_comes_out_again() {
        let mut rng = Rng::fast_from(7);
        for round in 0..2_000usize {
            let mut plain = Vec::new();
            // From noise to one run, of every length that has a symbol.
            let values = 1 + rng.below(if round % 3 == 0 { 256 } else { 3 });
            for _ in 0..rng.below(200) {
                let most = 1 << rng.below(12);
                let len = if rng.chance(0.5) { 1 } else { rng.index(most) };
                plain.resize(plain.len() + len, rng.below(values) as u8);
            }
            plain.push(round as u8);
            assert_eq!(inflate(&deflate_runs(&plain), plain.len()).as_ref(), Ok(&plain), "{round}");
        }
    }

    /// Counts as those of Fibonacci make the longest codes: of 29 bits.
    #[test]
    fn no_code_is_longer_than_it_may_be() {
        let (mut a, mut b) = (1, 1);
        let counts: Vec<u32> = (0..30)
            .map(|_| {
                (a, b) = (b, a + b);
                a
            })
            .collect();
        for max in [BITS_MAX, LENGTH_BITS_MAX] {
            let lengths = code_lengths(&counts, max);
            assert!(lengths.iter().all(|len| (1..=max).contains(len)), "{lengths:?}");
            // As many codes as there can be: none is left out, none is there twice.
            assert_eq!(lengths.iter().map(|len| 1u32 << (max - len)).sum::<u32>(), 1 << max);
        }
    }

    /// A patch is as short as what a compressor makes that looks for more, or hardly longer.
    #[test]
    fn patches_are_short() {
        let mut rng = Rng::fast_from(8);
        let mut plain = vec![0; 1 << 16];
        for _ in 0..200 {
            plain[rng.index(1 << 16)] = if rng.chance(0.5) { 0xf0 } else { 0x0f };
        }
        let (ours, usual) = (deflate_runs(&plain).len(), deflate(&plain).len());
        assert!(ours * 10 <= usual * 11, "{ours} against {usual}");
    }
}
