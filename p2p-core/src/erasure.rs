//! Erasure codes: [`Code`], which makes of `k` shards `n`, of which any `k` give back all others.
//!
//! A systematic Cauchy-Reed-Solomon code (Blömer et al. 1995) over GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1:
//! shards below `k` are the data as they are, and a byte of shard `i` from `k` on is the sum, over all data shards `j`, of
//! the byte there times 1 / (i xor j). That is all that another implementation has to know.
//!
//! ```
//! use p2p_core::erasure::Code;
//!
//! let code = Code::new(2, 3).expect("at most 256 shards");
//! let data: [&[u8]; 2] = [b"half", b"rest"];
//! let parity = code.parity(&data);
//! let rebuilt = code.rebuild(&[(1, data[1]), (2, &parity[0])])?;
//! assert_eq!(rebuilt, data);
//! # Ok::<(), p2p_core::erasure::TooFew>(())
//! ```
//!
//! Why not a crate: those for thousands of shards (`reed-solomon-simd`) keep 10 MiB of tables in each process, take 23 ms to
//! make them and 370 µs to rebuild seven shards however short they are; here a shard of a hundred bytes takes a few. The one
//! for few shards (`reed-solomon-erasure`, no release since 2022) is half as fast again without its C (16 and 4 shards of
//! 1,316 bytes: it rebuilds 860 MB/s of data, this one 540, on one slow core), brings five packages, and its matrix takes an
//! inversion to write down.

use alloc::vec;
use alloc::vec::Vec;

/// x^8 without the carry.
const REDUCE: u8 = 0x1d;

const fn double(a: u8) -> u8 {
    a << 1 ^ if a & 0x80 == 0 { 0 } else { REDUCE }
}

/// Powers of 2, twice around, so that a sum of two logarithms need not be reduced.
const POWERS: [u8; 510] = {
    let mut powers = [1; 510];
    let mut at = 1;
    while at < 510 {
        powers[at] = double(powers[at - 1]);
        at += 1;
    }
    powers
};

/// Logarithms to base 2; that of zero is none.
const LOGS: [u8; 256] = {
    let mut logs = [0; 256];
    let mut at = 0;
    while at < 255 {
        logs[POWERS[at] as usize] = at as u8;
        at += 1;
    }
    logs
};

fn times(a: u8, b: u8) -> u8 {
    let log = |a: u8| usize::from(LOGS[usize::from(a)]);
    if a == 0 || b == 0 { 0 } else { POWERS[log(a) + log(b)] }
}

/// Of what is not zero.
fn inverse(a: u8) -> u8 {
    POWERS[255 - usize::from(LOGS[usize::from(a)])]
}

/// Adds `factor` times `from` to `to`.
fn add(to: &mut [u8], factor: u8, from: &[u8]) {
    // What each byte becomes: one look instead of three for each byte of a shard.
    let mut becomes = [0; 256];
    let (mut bit, mut product) = (1, factor);
    while bit < 256 {
        for low in 0..bit {
            becomes[bit | low] = becomes[low] ^ product;
        }
        (bit, product) = (bit << 1, double(product));
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= becomes[usize::from(*from)];
    }
}

/// Too few different shards to rebuild the data, or shards that are not equally long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too few shards of one length")]
pub struct TooFew;

/// A code of so many shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    data: usize,
    shards: usize,
}

impl Code {
    /// A code of `shards` shards in all, of which any `data` give back the others. `None` if there are more than 256, or
    /// not at least one of data, or fewer than of data.
    #[must_use]
    pub const fn new(data: usize, shards: usize) -> Option<Self> {
        if data == 0 || data > shards || shards > 256 { None } else { Some(Self { data, shards }) }
    }

    /// How many shards are needed.
    #[must_use]
    pub const fn data(&self) -> usize {
        self.data
    }

    /// How many shards there are.
    #[must_use]
    pub const fn shards(&self) -> usize {
        self.shards
    }

    /// What of data shard `column` goes into parity shard `row`.
    fn factor(row: usize, column: usize) -> u8 {
        // Different numbers below 256: their sum is a byte, and not zero.
        inverse((row ^ column) as u8)
    }

    /// The shards beside the data: those from number [`data`](Self::data) on. All shards of data are to be equally long.
    #[must_use]
    pub fn parity(&self, data: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
        let len = data.first().map_or(0, |shard| shard.as_ref().len());
        let mut parity = vec![vec![0; len]; self.shards - self.data];
        for (column, shard) in data.iter().take(self.data).enumerate() {
            self.add(column, shard.as_ref(), &mut parity);
        }
        parity
    }

    /// Adds data shard `number` to parity that begins as zeros: all shards of data, in any order, make it that of
    /// [`Self::parity`]. A shard counts as filled up with zeros to the length of the parity.
    pub fn add(&self, number: usize, shard: &[u8], parity: &mut [impl AsMut<[u8]>]) {
        for (row, parity) in (self.data..self.shards).zip(parity) {
            add(parity.as_mut(), Self::factor(row, number), shard);
        }
    }

    /// The data shards, of any [`data`](Self::data) shards with their numbers; more, and repeated ones, are passed over.
    ///
    /// # Errors
    /// If there are too few, or not all are equally long.
    pub fn rebuild(&self, shards: &[(usize, &[u8])]) -> Result<Vec<Vec<u8>>, TooFew> {
        let len = shards.first().ok_or(TooFew)?.1.len();
        if shards.iter().any(|(number, shard)| shard.len() != len || *number >= self.shards) {
            return Err(TooFew);
        }
        let mut data: Vec<Option<Vec<u8>>> = vec![None; self.data];
        let mut parity: Vec<(usize, &[u8])> = Vec::new();
        for (number, shard) in shards {
            match data.get_mut(*number) {
                Some(data) => *data = Some(shard.to_vec()),
                None if parity.iter().all(|(other, _)| other != number) => parity.push((*number, shard)),
                None => {}
            }
        }
        let lost: Vec<usize> = (0..self.data).filter(|column| data[*column].is_none()).collect();
        if parity.len() < lost.len() {
            return Err(TooFew);
        }
        parity.truncate(lost.len());
        // What is left of each parity shard without the data that is there is a sum of what is lost.
        let sum = |(row, shard): &(usize, &[u8])| {
            let mut sum = shard.to_vec();
            for (column, shard) in data.iter().enumerate() {
                if let Some(shard) = shard {
                    add(&mut sum, Self::factor(*row, column), shard);
                }
            }
            sum
        };
        let sums: Vec<Vec<u8>> = parity.iter().map(sum).collect();
        let factors = parity.iter().map(|(row, _)| lost.iter().map(|column| Self::factor(*row, *column)));
        let solution = inverted(factors.map(Iterator::collect).collect());
        for (column, factors) in lost.iter().zip(solution) {
            let mut shard = vec![0; len];
            for (factor, sum) in factors.into_iter().zip(&sums) {
                add(&mut shard, factor, sum);
            }
            data[*column] = Some(shard);
        }
        Ok(data.into_iter().flatten().collect())
    }
}

/// The inverse of a square part of a Cauchy matrix, which always has one (Gauss and Jordan).
fn inverted(mut matrix: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let size = matrix.len();
    for (at, row) in matrix.iter_mut().enumerate() {
        row.extend((0..size).map(|column| u8::from(column == at)));
    }
    for at in 0..size {
        let Some(pivot) = (at..size).find(|row| matrix[*row][at] != 0) else { continue };
        matrix.swap(at, pivot);
        let factor = inverse(matrix[at][at]);
        matrix[at].iter_mut().for_each(|number| *number = times(*number, factor));
        let pivot = matrix[at].clone();
        for row in (0..size).filter(|row| *row != at) {
            let factor = matrix[row][at];
            add(&mut matrix[row], factor, &pivot);
        }
    }
    matrix.into_iter().map(|mut row| row.split_off(size)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiplication as the polynomial has it, bit by bit.
    fn product(mut a: u8, mut b: u8) -> u8 {
        let mut sum = 0;
        while b > 0 {
            if b & 1 == 1 {
                sum ^= a;
            }
            (a, b) = (double(a), b >> 1);
        }
        sum
    }

    #[test]
    fn tables_are_those_of_the_field() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(times(a, b), product(a, b), "{a} * {b}");
            }
            if a > 0 {
                assert_eq!(product(a, inverse(a)), 1);
            }
        }
        // 2^8 and the order of 2, as in every table of this field.
        assert_eq!((POWERS[8], POWERS[254], POWERS[255]), (0x1d, 0x8e, 1));
    }

    /// All 3,432 choices of seven of fourteen.
    #[test]
    fn any_seven_of_fourteen_rebuild_the_data() {
        let code = Code::new(7, 14).unwrap();
        let data: Vec<Vec<u8>> = (0..7_u8).map(|shard| vec![shard, 255 - 31 * shard, 7]).collect();
        let mut all = data.clone();
        all.extend(code.parity(&data));
        assert_eq!(all.len(), 14);
        let mut choices = 0;
        for chosen in (0_u32..1 << 14).filter(|chosen| chosen.count_ones() == 7) {
            let some = (0..14).filter(|number| chosen >> number & 1 == 1);
            let some: Vec<(usize, &[u8])> = some.map(|number| (number, &all[number][..])).collect();
            assert_eq!(code.rebuild(&some).unwrap(), data, "{chosen:b}");
            assert_eq!(code.rebuild(&some[1..]), Err(TooFew));
            choices += 1;
        }
        assert_eq!(choices, 3_432);
    }

    #[test]
    fn large_codes_work_too() {
        let code = Code::new(128, 256).unwrap();
        let data: Vec<[u8; 2]> = (0..128_u8).map(|shard| [shard, shard.wrapping_mul(77)]).collect();
        let parity = code.parity(&data);
        let some: Vec<(usize, &[u8])> = (128..).zip(parity.iter().map(Vec::as_slice)).collect();
        assert_eq!(code.rebuild(&some).unwrap(), data);
        assert_eq!(Code::new(128, 257), None);
        assert_eq!(Code::new(0, 1), None);
        assert_eq!(Code::new(3, 2), None);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let code = Code::new(2, 4).unwrap();
        assert_eq!(code.rebuild(&[]), Err(TooFew));
        assert_eq!(code.rebuild(&[(2, &[1]), (2, &[1])]), Err(TooFew), "one shard twice");
        assert_eq!(code.rebuild(&[(0, &[1]), (2, &[1, 2])]), Err(TooFew));
        assert_eq!(code.rebuild(&[(0, &[1]), (4, &[1])]), Err(TooFew));
    }
}
