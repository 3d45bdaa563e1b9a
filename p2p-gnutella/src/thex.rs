//! Tiger trees (THEX, 2003): a digest for each part of a file, so that a bad part is found and its sender named.
//!
//! The tree of a file has leaves of 1,024 bytes. Servents keep and send a part of it: the root, and the layers below it down
//! to some depth, as one list ([`breadth first`](TigerTree::from_list)). So each node of the lowest layer is the root of a
//! *slice* of the file, which [`p2p_core::DigestKind::TigerTree`] gives of its bytes.
//!
//! Over HTTP (`GET /uri-res/N2X?urn:sha1:…`) it comes as a [DIME](crate::dime) message of two records: a description in XML
//! ([`Description`]), and the list.

mod xml;

pub use xml::Description;

use crate::dime::{self, DimeError, TypeFormat};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::fmt::Write as _;
use core::ops::Range;
use p2p_core::hash::{Hasher as _, Tiger, TigerHash, Tth};
use p2p_core::merkle::{Prefixed, Shape, Tree};

/// Bytes of a leaf.
pub const LEAF_LEN: u64 = 1_024;
/// Layers below the root that are kept at most: 512 slices, 24 kB with all that is above them.
pub const DEPTH_MAX: u32 = 9;
/// The longest list of digests that is taken: twice what [`DEPTH_MAX`] needs, for servents that keep one layer more.
pub const LIST_MAX: usize = 24 * 2_048;
/// The type of the second record.
pub const TREE_TYPE: &str = "http://open-content.net/spec/thex/breadthfirst";

const DIGEST_LEN: usize = 24;

type Rule = Prefixed<Tiger>;

/// A file's tree down to its slices.
#[derive(Debug)]
pub struct TigerTree {
    size: u64,
    slice_len: u64,
    tree: Tree<Rule>,
}

/// Why a list is not the tree that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// It is no DIME message.
    #[error("no DIME message: {0}")]
    Dime(#[from] DimeError),
    /// A record is missing, or of another type.
    #[error("no tree in the message")]
    Missing,
    /// The description is of another file, hash or leaf.
    #[error("a tree of something else")]
    Description,
    /// Not as many digests as the file's size says, or more than [`LIST_MAX`] bytes.
    #[error("a list of {0} bytes")]
    Length(usize),
    /// Another root than is known of the file.
    #[error("a tree with another root")]
    Root,
    /// A node that is not the digest of those below it.
    #[error("a tree that contradicts itself")]
    Inner,
}

/// The root of a file that was digested whole.
#[must_use]
pub fn root(bytes: &[u8]) -> Tth {
    p2p_core::hash::TigerTree::digest(bytes)
}

/// The leaves of a file of this size: one at least.
const fn leaves(size: u64) -> u64 {
    match size.div_ceil(LEAF_LEN) {
        0 => 1,
        leaves => leaves,
    }
}

/// The length of the slices of a file of this size: as short as [`DEPTH_MAX`] allows.
#[must_use]
pub const fn slice_len(size: u64) -> u64 {
    let height = Shape::new(leaves(size)).height();
    LEAF_LEN << height.saturating_sub(DEPTH_MAX)
}

impl TigerTree {
    /// The tree of a file of this size, of the roots of its [slices](slice_len); `None` if they are not as many as there
    /// have to be.
    #[must_use]
    pub fn from_slices(size: u64, slices: Vec<Tth>) -> Option<Self> {
        let slice_len = slice_len(size);
        let tree =
            Self::with_layer(size, slice_len, slices.into_iter().map(|root| TigerHash(root.0)).collect());
        (tree.tree.shape().leaves() == tree.count()).then_some(tree)
    }

    fn with_layer(size: u64, slice_len: u64, layer: Vec<TigerHash>) -> Self {
        Self { size, slice_len, tree: Tree::from_leaves(layer) }
    }

    /// How many slices there have to be.
    const fn count(&self) -> u64 {
        match self.size.div_ceil(self.slice_len) {
            0 => 1,
            count => count,
        }
    }

    /// Reads the layers of a file's tree, the root first, each from left to right. How deep they go tells their number. All
    /// nodes are checked against those below them, so that the lowest layer is as good as the root.
    ///
    /// # Errors
    /// If it is not the tree of a file of this size with this root.
    pub fn from_list(size: u64, root: &Tth, list: &[u8]) -> Result<Self, TreeError> {
        let (digests, odd) = list.as_chunks::<DIGEST_LEN>();
        if !odd.is_empty() || list.len() > LIST_MAX {
            return Err(TreeError::Length(list.len()));
        }
        let shape = Shape::new(leaves(size));
        let mut upper = 0usize;
        for height in (0..=shape.height()).rev() {
            // A layer is at most as wide as the list is long, or the list does not end here.
            let width = usize::try_from(shape.width(height)).unwrap_or(usize::MAX);
            let end = upper.saturating_add(width);
            if end == digests.len() {
                let layer = digests[upper..].iter().map(|digest| TigerHash(*digest)).collect();
                let tree = Self::with_layer(size, LEAF_LEN << height, layer);
                return tree.checked(root, digests);
            }
            if end > digests.len() {
                break;
            }
            upper = end;
        }
        Err(TreeError::Length(list.len()))
    }

    fn checked(self, root: &Tth, digests: &[[u8; DIGEST_LEN]]) -> Result<Self, TreeError> {
        if self.root() != *root {
            // Either the root is another, or the lowest layer is not what it was made of.
            let said = digests.first().is_some_and(|said| *said == root.0);
            return Err(if said { TreeError::Inner } else { TreeError::Root });
        }
        let same = self.nodes().zip(digests).all(|(node, said)| node.0 == *said);
        if same { Ok(self) } else { Err(TreeError::Inner) }
    }

    /// All nodes, the root first, each layer from left to right.
    fn nodes(&self) -> impl Iterator<Item = &TigerHash> {
        let height = self.tree.shape().height();
        (0..=height).rev().flat_map(|at| self.tree.layer(at))
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Tth {
        Tth(self.tree.root().unwrap_or_default().0)
    }

    /// The file's size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of a slice; the last one may be shorter.
    #[must_use]
    pub const fn slice_len(&self) -> u64 {
        self.slice_len
    }

    /// Where a slice is, and the root that its bytes have to have.
    #[must_use]
    pub fn slice(&self, index: u64) -> Option<(Range<u64>, Tth)> {
        let root = self.tree.layer(0).get(usize::try_from(index).ok()?)?;
        let start = index * self.slice_len;
        Some((start..self.size.min(start + self.slice_len), Tth(root.0)))
    }

    /// The layers as they are sent.
    #[must_use]
    pub fn to_list(&self) -> Vec<u8> {
        self.nodes().flat_map(|node| node.0).collect()
    }

    /// The message that is sent for it.
    #[must_use]
    pub fn to_dime(&self) -> BytesMut {
        let id = self.id();
        let description = Description { size: self.size, depth: self.tree.shape().height(), uri: id.clone() };
        let (xml, list) = (description.to_xml(), self.to_list());
        let mut message = BytesMut::new();
        let text = dime::Record { format: TypeFormat::Media, id: b"", of: b"text/xml", data: xml.as_bytes() };
        let tree = dime::Record {
            format: TypeFormat::Uri,
            id: id.as_bytes(),
            of: TREE_TYPE.as_bytes(),
            data: &list,
        };
        dime::encode(&[text, tree], &mut message);
        message
    }

    /// What links the two records: a UUID, which is the root's first bytes as servents write it.
    fn id(&self) -> String {
        let root = self.root().0;
        let mut id = String::from("uuid:");
        for (at, byte) in root.iter().take(16).enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            // Writing to a string does not fail.
            let _ = write!(id, "{dash}{byte:02x}");
        }
        id
    }

    /// Reads a message that was asked for: the tree of a file of this size with this root.
    ///
    /// # Errors
    /// If it is another, or malformed.
    pub fn from_dime(size: u64, root: &Tth, message: &[u8]) -> Result<Self, TreeError> {
        let records = dime::parse(message)?;
        let of = |of: &str| records.iter().find(|record| record.of.eq_ignore_ascii_case(of.as_bytes()));
        let (text, tree) = (of("text/xml"), of(TREE_TYPE).ok_or(TreeError::Missing)?);
        let description = text.and_then(|text| Description::parse(text.data)).ok_or(TreeError::Missing)?;
        if description.size != size {
            return Err(TreeError::Description);
        }
        Self::from_list(size, root, tree.data)
    }
}
