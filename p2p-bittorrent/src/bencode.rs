//! Bencode (BEP 3): [`Doc`] reads it without recursion or copies, [`Encoder`] writes it.

mod encode;
mod parse;
mod value;

pub use encode::{Dict, Encoder, List};
pub use parse::{Error, What};
pub use value::{Entries, Items, Kind, Value};

use alloc::vec::Vec;

/// How much a document may ask of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest document in bytes; never more than `u32::MAX`. 32 MiB: ten times the largest .torrent of daily use.
    pub bytes: usize,
    /// How deep lists and dictionaries may nest. 100: nothing that is spoken nests deeper than ten.
    pub depth: u32,
    /// How many values and keys there may be, at 12 bytes each. 2,000,000: a torrent of some 300,000 files.
    pub tokens: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 100, tokens: 2_000_000 }
    }
}

/// How closely a document must keep to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Canonical: the keys of every dictionary are sorted and unique, as BEP 3 demands.
    Strict,
    /// Keys may come in any order and more than once; of equal keys the first one counts. Everything else is as strict.
    #[default]
    Lenient,
}

/// One value or key: where its text lies, and which node comes after it and all that it holds.
#[derive(Debug, Clone, Copy)]
struct Node {
    start: u32,
    end: u32,
    next: u32,
}

/// A bencoded document: its bytes, and a flat table of what is where in them.
///
/// The table has 12 bytes per value or key. None is shorter than two bytes, so it is at most six times the document.
#[derive(Debug, Clone)]
pub struct Doc<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
}

impl<'a> Doc<'a> {
    /// Reads `bytes`, all of it.
    ///
    /// # Errors
    /// If it is not bencode, is past a limit, or something follows the first value.
    pub fn parse(bytes: &'a [u8], limits: &Limits, mode: Mode) -> Result<Self, Error> {
        let doc = Self::parse_prefix(bytes, limits, mode)?;
        if doc.bytes.len() < bytes.len() {
            return Err(Error { at: doc.bytes.len(), what: What::Trailing });
        }
        Ok(doc)
    }

    /// Reads the one value at the beginning of `bytes`; what follows it is not looked at, [`Doc::bytes`] tells where
    /// it begins. (Metadata messages of BEP 9 have a payload behind their dictionary.)
    ///
    /// # Errors
    /// If it is not bencode or is past a limit. The limit of bytes is for the value alone.
    pub fn parse_prefix(bytes: &'a [u8], limits: &Limits, mode: Mode) -> Result<Self, Error> {
        let (nodes, used) = parse::parse(bytes, limits, mode)?;
        Ok(Self { bytes: bytes.get(..used).unwrap_or_default(), nodes })
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value::new(self.bytes, &self.nodes, 0)
    }

    /// The bytes of the document.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the table of this document takes of the heap, in bytes.
    #[must_use]
    pub const fn heap(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }
}
