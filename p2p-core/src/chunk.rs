//! The arithmetic of pieces and blocks, both with a short last one: [`Pieces`].

/// The size of a block, the unit in which BitTorrent's pieces are asked for (BEP 3 in practice: larger requests are
/// refused): 16 KiB.
pub const BLOCK: u32 = 16_384;

/// A run of bytes cut into pieces of one length, the last of which may be shorter.
///
/// Pure arithmetic: nothing outside of the range ever panics, it is 0 or clamped as each method says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pieces {
    total: u64,
    piece_len: u32,
    count: u32,
}

/// Why bytes cannot be cut so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PiecesError {
    /// Pieces of no length.
    #[error("the piece length is 0")]
    NoLength,
    /// More pieces than 32 bits number.
    #[error("more than 4,294,967,295 pieces")]
    TooMany,
}

impl Pieces {
    /// `total` bytes in pieces of `piece_len`.
    ///
    /// # Errors
    /// If `piece_len` is 0, or there would be more pieces than 32 bits number.
    pub const fn new(total: u64, piece_len: u32) -> Result<Self, PiecesError> {
        if piece_len == 0 {
            return Err(PiecesError::NoLength);
        }
        let count = total.div_ceil(piece_len as u64);
        if count > u32::MAX as u64 {
            return Err(PiecesError::TooMany);
        }
        Ok(Self { total, piece_len, count: count as u32 })
    }

    /// How many bytes there are in all.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How long every piece but the last is, in bytes.
    #[must_use]
    pub const fn piece_len(&self) -> u32 {
        self.piece_len
    }

    /// How many pieces there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How long a piece is, in bytes; 0 if there is no such piece.
    #[must_use]
    pub const fn len_of(&self, piece: u32) -> u32 {
        if piece >= self.count {
            return 0;
        }
        let left = self.total - self.offset_of(piece);
        if left < self.piece_len as u64 { left as u32 } else { self.piece_len }
    }

    /// Where a piece begins, in bytes; where all ends, if there is no such piece.
    #[must_use]
    pub const fn offset_of(&self, piece: u32) -> u64 {
        // Two 32-bit factors cannot overflow 64 bits.
        let offset = piece as u64 * self.piece_len as u64;
        if offset < self.total { offset } else { self.total }
    }

    /// The piece that holds the byte at `offset`; the number of pieces, if that is past the end.
    #[must_use]
    pub const fn piece_at(&self, offset: u64) -> u32 {
        if offset >= self.total {
            return self.count;
        }
        (offset / self.piece_len as u64) as u32
    }

    /// How many blocks a piece has; 0 if there is no such piece.
    #[must_use]
    pub const fn blocks_in(&self, piece: u32) -> u32 {
        self.len_of(piece).div_ceil(BLOCK)
    }

    /// How long the block number `block` of a piece is, in bytes; 0 if there is no such block.
    #[must_use]
    pub const fn block_len(&self, piece: u32, block: u32) -> u32 {
        let len = self.len_of(piece);
        let begin = block as u64 * BLOCK as u64;
        if begin >= len as u64 {
            return 0;
        }
        let left = len - begin as u32;
        if left < BLOCK { left } else { BLOCK }
    }

    /// Whether `begin..begin + len` lies in a piece and is not empty: what every request of a stranger must pass.
    #[must_use]
    pub const fn holds(&self, piece: u32, begin: u32, len: u32) -> bool {
        len > 0 && begin as u64 + len as u64 <= self.len_of(piece) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_last_piece_with_a_short_last_block() {
        let pieces = Pieces::new(100_000, 32_768).unwrap();
        assert_eq!(pieces.count(), 4);
        assert_eq!([0, 2, 3, 4].map(|i| pieces.len_of(i)), [32_768, 32_768, 1_696, 0]);
        assert_eq!([0, 3, 4, u32::MAX].map(|i| pieces.offset_of(i)), [0, 98_304, 100_000, 100_000]);
        assert_eq!([0, 32_767, 32_768, 99_999, 100_000].map(|at| pieces.piece_at(at)), [0, 0, 1, 3, 4]);
        assert_eq!([0, 3, 4].map(|i| pieces.blocks_in(i)), [2, 1, 0]);
        assert_eq!(
            (pieces.block_len(0, 1), pieces.block_len(3, 0), pieces.block_len(3, 1)),
            (BLOCK, 1_696, 0)
        );
        assert!(pieces.holds(3, 0, 1_696) && !pieces.holds(3, 1, 1_696) && !pieces.holds(3, 5, 0));
        assert!(!pieces.holds(0, u32::MAX, u32::MAX) && !pieces.holds(4, 0, 1));
    }

    #[test]
    fn the_edges() {
        assert_eq!(Pieces::new(1, 0), Err(PiecesError::NoLength));
        assert_eq!(Pieces::new(u64::from(u32::MAX) + 1, 1), Err(PiecesError::TooMany));
        assert_eq!(Pieces::new(u64::MAX, u32::MAX), Err(PiecesError::TooMany));
        let nothing = Pieces::new(0, 16).unwrap();
        assert_eq!((nothing.count(), nothing.len_of(0), nothing.piece_at(0)), (0, 0, 0));
        let most = Pieces::new(u64::from(u32::MAX) * u64::from(u32::MAX), u32::MAX).unwrap();
        assert_eq!((most.count(), most.len_of(u32::MAX - 1)), (u32::MAX, u32::MAX));
        assert_eq!(most.block_len(0, u32::MAX), 0);
    }

    proptest! {
        #[test]
        fn pieces_and_blocks_tile_the_whole(total in 0u64..3_000_000, piece_len in 1u32..200_000) {
            let pieces = Pieces::new(total, piece_len).unwrap();
            let mut at = 0;
            for piece in 0..pieces.count().min(500) {
                prop_assert_eq!(pieces.offset_of(piece), at);
                prop_assert_eq!(pieces.piece_at(at), piece);
                let len = pieces.len_of(piece);
                prop_assert!(len > 0);
                let blocks = pieces.blocks_in(piece);
                prop_assert_eq!((0..blocks).map(|b| pieces.block_len(piece, b)).sum::<u32>(), len);
                prop_assert_eq!(pieces.block_len(piece, blocks), 0);
                at += u64::from(len);
                prop_assert_eq!(pieces.piece_at(at - 1), piece);
            }
            if pieces.count() <= 500 {
                prop_assert_eq!(at, total);
            }
        }

        #[test]
        fn nothing_overflows(total: u64, piece_len: u32, i: u32, j: u32, at: u64) {
            if let Ok(pieces) = Pieces::new(total, piece_len) {
                prop_assert!(pieces.len_of(i) <= piece_len && pieces.offset_of(i) <= total);
                prop_assert!(pieces.block_len(i, j) <= BLOCK && pieces.piece_at(at) <= pieces.count());
                prop_assert!(!pieces.holds(i, j, u32::MAX) || piece_len == u32::MAX);
            }
        }
    }
}
