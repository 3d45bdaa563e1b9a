//! What a first seed offers: pieces that nobody has, each to one peer.
//!
//! Two peers that both fetch what is rarest from the only seed cannot see that they choose the same piece. The seed can:
//! it names another one to each whom it unchokes (`Suggest Piece`, BEP 6), until every piece was given once. This is what
//! Bharambe, Herley and Padmanabhan 2006 call a smart seed, without hiding pieces as BEP 16 does.

use alloc::boxed::Box;
use alloc::vec::Vec;
use p2p_core::Rng;

/// The pieces not offered yet, in random order; four bytes per piece while there are any.
#[derive(Debug)]
pub(crate) struct Offers {
    left: Vec<u32>,
}

impl Offers {
    pub(crate) fn new(pieces: u32, rng: &mut Rng) -> Box<Self> {
        let mut left: Vec<u32> = (0..pieces).collect();
        rng.shuffle(&mut left);
        Box::new(Self { left })
    }

    /// A piece to offer. Pieces that somebody `has` are struck from the list.
    pub(crate) fn next(&mut self, has: impl Fn(u32) -> bool) -> Option<u32> {
        while let Some(piece) = self.left.pop() {
            if !has(piece) {
                return Some(piece);
            }
        }
        None
    }

    /// An offer was not taken: another peer gets it.
    pub(crate) fn declined(&mut self, piece: u32) {
        self.left.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_offered_once_unless_it_is_declined() {
        let mut offers = Offers::new(10, &mut Rng::fast_from(1));
        let mut seen: Vec<u32> = core::iter::from_fn(|| offers.next(|piece| piece == 3)).collect();
        offers.declined(seen[0]);
        assert_eq!(offers.next(|_| false), Some(seen[0]));
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
        assert_eq!(offers.next(|_| false), None);
    }
}
