//! How a stream is cut for its trees: [`Shape`].

/// Symbols of a generation at most: what a bitmap of 64 bits tells apart.
pub const MOST_SYMBOLS: u8 = 64;

/// Bytes of a packet of the stream at most: seven packets of an MPEG transport stream (188 bytes each). With every head
/// around it, it passes where 1,500 bytes pass, tunnels included.
pub const LARGEST_PACKET: usize = 7 * 188;

/// How a stream is cut for its trees.
///
/// The packets of a stream are taken in *generations* of `data` packets. Each generation gets `parity` symbols more (a
/// systematic Reed-Solomon code), so that any `data` symbols of it give its packets back. Symbol *i* goes down tree
/// *i* modulo `trees`.
///
/// | shape | trees | data | parity | bytes sent for one | trees that may fail |
/// | --- | --- | --- | --- | --- | --- |
/// | [`Shape::SINGLE`] | 1 | 16 | 0 | 1 | 0 |
/// | [`Shape::SIX_OF_FOUR`] | 6 | 4 | 2 | 1.5 | 2 |
/// | 16+4 | 5 | 16 | 4 | 1.25 | 1 |
///
/// Parity stands in for multiple description coding, with which each tree more gives a better picture: here a
/// generation is whole, or it is what came of its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    trees: u8,
    data: u8,
    parity: u8,
}

/// Why a stream cannot be cut so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// No trees, or no packets.
    #[error("a stream needs a tree, and a generation a packet")]
    Nothing,
    /// More than [`MOST_SYMBOLS`].
    #[error("more than {MOST_SYMBOLS} symbols in a generation")]
    TooManySymbols,
    /// Trees that no symbol goes down.
    #[error("more trees than symbols in a generation")]
    TooManyTrees,
}

impl Shape {
    /// One tree and no parity: what is lost is asked for again.
    pub const SINGLE: Self = Self { trees: 1, data: 16, parity: 0 };

    /// Six trees, of which any four give the stream.
    pub const SIX_OF_FOUR: Self = Self { trees: 6, data: 4, parity: 2 };

    /// Generations of `data` packets and `parity` symbols more, down `trees` trees.
    ///
    /// # Errors
    /// If there would be nothing to send, or more than a generation or its trees can be.
    pub const fn new(trees: u8, data: u8, parity: u8) -> Result<Self, ShapeError> {
        if trees == 0 || data == 0 {
            return Err(ShapeError::Nothing);
        }
        // Neither is above 255, so a u16 holds the sum.
        let symbols = data as u16 + parity as u16;
        if symbols > MOST_SYMBOLS as u16 {
            return Err(ShapeError::TooManySymbols);
        }
        if trees as u16 > symbols {
            return Err(ShapeError::TooManyTrees);
        }
        Ok(Self { trees, data, parity })
    }

    /// How many trees.
    #[must_use]
    pub const fn trees(self) -> u8 {
        self.trees
    }

    /// Packets of the stream in a generation; fewer in one that was closed early.
    #[must_use]
    pub const fn data(self) -> u8 {
        self.data
    }

    /// Symbols that a generation has beside its packets.
    #[must_use]
    pub const fn parity(self) -> u8 {
        self.parity
    }

    /// All symbols of a generation. The packets are numbered from 0, the parity symbols from [`Self::data`], also in a
    /// generation that was closed early.
    #[must_use]
    pub const fn symbols(self) -> u8 {
        self.data + self.parity
    }

    /// The tree that a symbol goes down.
    #[must_use]
    pub const fn tree(self, symbol: u8) -> u8 {
        symbol % self.trees
    }

    /// Bytes sent for each byte of the stream, heads not counted.
    #[must_use]
    pub fn expansion(self) -> f64 {
        f64::from(self.symbols()) / f64::from(self.data)
    }

    /// How many trees may fail at a time without a loss.
    #[must_use]
    pub const fn spare_trees(self) -> u8 {
        self.parity / self.symbols().div_ceil(self.trees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_that_may_fail() {
        assert_eq!(Shape::SINGLE.spare_trees(), 0);
        assert_eq!(Shape::SIX_OF_FOUR.spare_trees(), 2);
        assert_eq!(Shape::new(5, 16, 4).unwrap().spare_trees(), 1);
        assert_eq!(Shape::new(6, 16, 4).unwrap().spare_trees(), 1);
        // Each tree has four symbols, parity is three.
        assert_eq!(Shape::new(4, 13, 3).unwrap().spare_trees(), 0);
    }

    #[test]
    fn what_cannot_be() {
        assert_eq!(Shape::new(0, 1, 0), Err(ShapeError::Nothing));
        assert_eq!(Shape::new(1, 0, 1), Err(ShapeError::Nothing));
        assert_eq!(Shape::new(1, 255, 255), Err(ShapeError::TooManySymbols));
        assert_eq!(Shape::new(3, 1, 1), Err(ShapeError::TooManyTrees));
        assert!(Shape::new(64, 32, 32).is_ok());
    }
}
