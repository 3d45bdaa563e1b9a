//! Merkle trees over any [`Hasher`]: grown leaf by leaf, proven and verified by ranges.
//!
//! A [`Rule`] says how leaves and nodes are digested, and what becomes of a node without a right neighbour:
//!
//! | rule | leaf | node | alone | who has it |
//! | --- | --- | --- | --- | --- |
//! | [`Prefixed`] | `H(0x00 ‖ bytes)` | `H(0x01 ‖ left ‖ right)` | goes up as it is | THEX (Tiger trees of Gnutella), RFC 9162 |
//! | [`Padded`] | `H(bytes)` | `H(left ‖ right)` | is joined with padding, which is zeros at the leaves | BitTorrent v2 (BEP 52) |
//!
//! [`Leaves`] cuts a stream of bytes into leaves, [`Peaks`] has the root of many leaves in little memory, [`Tree`]
//! keeps every node, for proofs and for comparing two trees from the root down (the anti-entropy of a replicated
//! store), and [`Shape`] verifies what a stranger says of a tree of which only the root is known.

use crate::hash::Hasher;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use core::ops::Range;

/// The digest that a rule's trees are made of.
pub type Node<R> = <<R as Rule>::Hasher as Hasher>::Digest;

/// How leaves and nodes are digested.
pub trait Rule: 'static {
    /// The hash function.
    type Hasher: Hasher;

    /// A running digest for the bytes of one leaf.
    fn leaf() -> Self::Hasher;

    /// The node above two others.
    fn node(left: &Node<Self>, right: &Node<Self>) -> Node<Self>;

    /// The leaf that stands for a missing one; `None` if a node without a right neighbour goes up as it is.
    fn padding() -> Option<Node<Self>>;
}

/// Leaves and nodes begin with a byte that tells them apart, and a node without a right neighbour goes up as it is: THEX
/// (Tree Hash EXchange format, 2003; with Tiger and leaves of 1,024 bytes) and RFC 9162, section 2.1.
#[derive(Debug, Clone, Copy)]
pub struct Prefixed<H>(PhantomData<fn() -> H>);

impl<H: Hasher + 'static> Rule for Prefixed<H> {
    type Hasher = H;

    fn leaf() -> H {
        let mut hasher = H::default();
        hasher.update(&[0]);
        hasher
    }

    fn node(left: &H::Digest, right: &H::Digest) -> H::Digest {
        let mut hasher = H::default();
        hasher.update(&[1]);
        hasher.update(left.as_ref());
        hasher.update(right.as_ref());
        hasher.finish()
    }

    fn padding() -> Option<H::Digest> {
        None
    }
}

/// No prefixes, and the leaves are filled up with zeros to a power of two: BEP 52 (with SHA-256 and leaves of 16 KiB).
#[derive(Debug, Clone, Copy)]
pub struct Padded<H>(PhantomData<fn() -> H>);

impl<H: Hasher + 'static> Rule for Padded<H> {
    type Hasher = H;

    fn leaf() -> H {
        H::default()
    }

    fn node(left: &H::Digest, right: &H::Digest) -> H::Digest {
        let mut hasher = H::default();
        hasher.update(left.as_ref());
        hasher.update(right.as_ref());
        hasher.finish()
    }

    fn padding() -> Option<H::Digest> {
        Some(H::Digest::default())
    }
}

/// Cuts a stream of bytes into leaves; the last one may be short.
pub struct Leaves<R: Rule> {
    leaf_len: u32,
    open: R::Hasher,
    filled: u32,
    any: bool,
}

impl<R: Rule> Clone for Leaves<R> {
    fn clone(&self) -> Self {
        Self { leaf_len: self.leaf_len, open: self.open.clone(), filled: self.filled, any: self.any }
    }
}

impl<R: Rule> fmt::Debug for Leaves<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaves").field("leaf_len", &self.leaf_len).field("filled", &self.filled).finish()
    }
}

impl<R: Rule> Leaves<R> {
    /// Leaves of so many bytes.
    #[must_use]
    pub fn new(leaf_len: NonZeroU32) -> Self {
        Self { leaf_len: leaf_len.get(), open: R::leaf(), filled: 0, any: false }
    }

    /// Takes the next bytes, and hands every leaf that they complete to `each`.
    pub fn update(&mut self, mut bytes: &[u8], mut each: impl FnMut(Node<R>)) {
        while !bytes.is_empty() {
            let room = (self.leaf_len - self.filled) as usize;
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.open.update(now);
            // At most the room that is left, which is 32 bits.
            self.filled += now.len() as u32;
            self.any = true;
            if self.filled == self.leaf_len {
                each(core::mem::replace(&mut self.open, R::leaf()).finish());
                self.filled = 0;
            }
            bytes = rest;
        }
    }

    /// The last leaf, if it is not complete. A stream of no bytes is one empty leaf by a rule without padding (THEX
    /// says so), and none by one with padding.
    #[must_use]
    pub fn finish(self) -> Option<Node<R>> {
        let empty = !self.any && R::padding().is_none();
        (self.filled > 0 || empty).then(|| self.open.finish())
    }
}

/// The digest of padding at every height, made when first needed.
struct Padding<R: Rule>(Vec<Node<R>>);

impl<R: Rule> Padding<R> {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn at(&mut self, height: u32) -> Option<Node<R>> {
        let leaf = R::padding()?;
        while self.0.len() <= height as usize {
            let next = self.0.last().map_or(leaf, |below| R::node(below, below));
            self.0.push(next);
        }
        self.0.get(height as usize).copied()
    }

    /// The node above one at `height` that has no right neighbour.
    fn above_lone(&mut self, node: Node<R>, height: u32) -> Node<R> {
        match self.at(height) {
            Some(padding) => R::node(&node, &padding),
            None => node,
        }
    }
}

/// The root of any number of leaves in the memory of at most 64 digests: appending costs one node on average.
pub struct Peaks<R: Rule> {
    base: u32,
    len: u64,
    /// The roots of the complete trees that the leaves make, largest first: one for every bit of `len`.
    peaks: Vec<Node<R>>,
}

impl<R: Rule> Default for Peaks<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Rule> Clone for Peaks<R> {
    fn clone(&self) -> Self {
        Self { base: self.base, len: self.len, peaks: self.peaks.clone() }
    }
}

impl<R: Rule> fmt::Debug for Peaks<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peaks").field("base", &self.base).field("len", &self.len).finish_non_exhaustive()
    }
}

impl<R: Rule> Peaks<R> {
    /// No leaves yet.
    #[must_use]
    pub const fn new() -> Self {
        Self::at_height(0)
    }

    /// The same, of what are nodes at this height of a larger tree: a piece layer of BitTorrent v2. Only padding
    /// depends on it. At most 64 counts.
    #[must_use]
    pub const fn at_height(base: u32) -> Self {
        Self { base: if base > 64 { 64 } else { base }, len: 0, peaks: Vec::new() }
    }

    /// How many leaves were appended.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Node<R>) {
        let mut node = leaf;
        for _ in 0..self.len.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = R::node(&left, &node);
            }
        }
        self.peaks.push(node);
        self.len += 1;
    }

    /// The root; `None` of no leaves.
    #[must_use]
    pub fn root(&self) -> Option<Node<R>> {
        self.root_at(0)
    }

    /// The root of the leaves padded to a tree of at least this height: the piece of a piece layer that the last blocks
    /// of a file are. Without padding the same as [`root`](Self::root). At most 64 counts.
    #[must_use]
    pub fn root_at(&self, height: u32) -> Option<Node<R>> {
        let mut padding = Padding::<R>::new();
        let mut peaks = self.peaks.iter().rev();
        let mut node = *peaks.next()?;
        let mut at = self.len.trailing_zeros();
        let mut left = self.len & (self.len - 1);
        for peak in peaks {
            let meet = left.trailing_zeros();
            left &= left - 1;
            // Without padding it goes up as it is, which `above_lone` does as well.
            for height in at..meet {
                node = padding.above_lone(node, self.base + height);
            }
            node = R::node(peak, &node);
            at = meet + 1;
        }
        for height in at..height.min(64) {
            node = padding.above_lone(node, self.base + height);
        }
        Some(node)
    }
}

impl<R: Rule> Extend<Node<R>> for Peaks<R> {
    fn extend<T: IntoIterator<Item = Node<R>>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

/// A tree has as many leaves as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tree has as many leaves as it may")]
pub struct Full;

/// A tree with all of its nodes, about two digests for each leaf.
pub struct Tree<R: Rule> {
    base: u32,
    limit: usize,
    /// The leaves, then the nodes above them, and so on up to the root. Padding is not kept.
    layers: Vec<Vec<Node<R>>>,
    padding: Padding<R>,
}

impl<R: Rule> Default for Tree<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Rule> fmt::Debug for Tree<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("shape", &self.shape()).finish_non_exhaustive()
    }
}

impl<R: Rule> Tree<R> {
    /// No leaves yet, and as many as there is memory for.
    #[must_use]
    pub const fn new() -> Self {
        Self { base: 0, limit: usize::MAX, layers: Vec::new(), padding: Padding::new() }
    }

    /// The same, with at most so many leaves.
    #[must_use]
    pub fn limited(self, leaves: usize) -> Self {
        Self { limit: leaves, ..self }
    }

    /// A tree of these leaves.
    #[must_use]
    pub fn from_leaves(leaves: Vec<Node<R>>) -> Self {
        Self::from_layer(0, leaves)
    }

    /// A tree of what are nodes at this height of a larger one, which has the same root: a piece layer of BitTorrent
    /// v2. Only padding depends on the height; at most 64 counts.
    #[must_use]
    pub fn from_layer(base: u32, layer: Vec<Node<R>>) -> Self {
        let mut tree = Self { base: base.min(64), ..Self::new() };
        if layer.is_empty() {
            return tree;
        }
        let mut row = layer;
        while row.len() > 1 {
            let height = tree.base + tree.layers.len() as u32;
            let above = row
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => R::node(left, right),
                    [lone, ..] => tree.padding.above_lone(*lone, height),
                    [] => Node::<R>::default(),
                })
                .collect();
            tree.layers.push(core::mem::replace(&mut row, above));
        }
        tree.layers.push(row);
        tree
    }

    /// How many leaves it has and at which height they are: all that it takes to verify a proof of it.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let leaves = self.layers.first().map_or(0, Vec::len) as u64;
        Shape { leaves, base: self.base }
    }

    /// The root; `None` of no leaves.
    #[must_use]
    pub fn root(&self) -> Option<Node<R>> {
        self.layers.last()?.first().copied()
    }

    /// The nodes of a layer, 0 being the leaves, without padding; empty above the root.
    #[must_use]
    pub fn layer(&self, height: u32) -> &[Node<R>] {
        self.layers.get(height as usize).map_or(&[], |layer| layer.as_slice())
    }

    /// A node of a layer, 0 being the leaves. Where the rule pads, nodes of padding are there as well (messages of BEP
    /// 52 carry them).
    pub fn node(&mut self, height: u32, index: u64) -> Option<Node<R>> {
        let top = self.shape().height();
        if self.layers.is_empty() || height > top || index >> (top - height).min(63) > 0 {
            return None;
        }
        let kept = usize::try_from(index).ok().and_then(|index| self.layer(height).get(index).copied());
        kept.or_else(|| self.padding.at(self.base + height))
    }

    /// Appends a leaf, at the cost of the nodes above it.
    ///
    /// # Errors
    /// If the tree has as many leaves as it may.
    pub fn push(&mut self, leaf: Node<R>) -> Result<(), Full> {
        if self.layers.is_empty() {
            self.layers.push(Vec::new());
        }
        let Some(leaves) = self.layers.first_mut() else { return Err(Full) };
        if leaves.len() >= self.limit {
            return Err(Full);
        }
        leaves.push(leaf);
        let last = leaves.len() - 1;
        self.repair(last);
        Ok(())
    }

    /// Puts another leaf in place of one, at the cost of the nodes above it. Whether there was one.
    pub fn set(&mut self, index: usize, leaf: Node<R>) -> bool {
        let Some(slot) = self.layers.first_mut().and_then(|leaves| leaves.get_mut(index)) else {
            return false;
        };
        *slot = leaf;
        self.repair(index);
        true
    }

    /// Makes the nodes above a leaf anew.
    fn repair(&mut self, leaf: usize) {
        let mut index = leaf;
        for height in 0.. {
            let Some(row) = self.layers.get(height).filter(|row| row.len() > 1) else { return };
            index /= 2;
            let above = match row.get(index * 2..) {
                Some([left, right, ..]) => R::node(left, right),
                Some([lone]) => self.padding.above_lone(*lone, self.base + height as u32),
                _ => return,
            };
            match self.layers.get_mut(height + 1) {
                None => self.layers.push(alloc::vec![above]),
                Some(row) => match row.get_mut(index) {
                    Some(slot) => *slot = above,
                    // One more than the row has: a leaf was appended.
                    None => row.push(above),
                },
            }
        }
    }

    /// What proves that a range of the leaves is in the tree: the nodes beside it from the leaves up, of each layer the
    /// left one first. `None` if the range is empty or not in the tree.
    #[must_use]
    pub fn proof(&self, range: Range<u64>) -> Option<Vec<Node<R>>> {
        let node = |(height, index)| self.layer(height).get(usize::try_from(index).ok()?).copied();
        self.shape().uncles(range)?.map(node).collect()
    }

    /// Of the nodes of a layer that somebody else has from `first` on, the indexes of those that differ here. Ask for
    /// the root, then for the two nodes below each that differs, and so on: equal parts are never looked at.
    pub fn differing<'a>(
        &'a self,
        height: u32,
        first: u64,
        theirs: &'a [Node<R>],
    ) -> impl Iterator<Item = u64> + 'a {
        let from = usize::try_from(first).ok().and_then(|first| self.layer(height).get(first..));
        let mut ours = from.unwrap_or_default().iter();
        (first..).zip(theirs).filter(move |(_, node)| ours.next() != Some(node)).map(|(index, _)| index)
    }
}

/// How many leaves a tree has, and at which height of a larger tree they are (0 unless the rule pads): what it takes
/// beside the root to verify a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    leaves: u64,
    base: u32,
}

/// Why something is not proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The range is empty, or goes past the last leaf.
    #[error("no such range of leaves")]
    Range,
    /// The proof has more or fewer digests than the range needs.
    #[error("proof of a wrong length")]
    Length,
    /// It leads to another root.
    #[error("proof of another tree")]
    Root,
}

impl Shape {
    /// A tree of so many leaves.
    #[must_use]
    pub const fn new(leaves: u64) -> Self {
        Self { leaves, base: 0 }
    }

    /// The same, of nodes at this height of a larger tree. At most 64 counts.
    #[must_use]
    pub const fn at_height(self, base: u32) -> Self {
        Self { base: if base > 64 { 64 } else { base }, ..self }
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn leaves(&self) -> u64 {
        self.leaves
    }

    /// How many layers there are above the leaves.
    #[must_use]
    pub const fn height(&self) -> u32 {
        if self.leaves < 2 { 0 } else { u64::BITS - (self.leaves - 1).leading_zeros() }
    }

    /// How many nodes a layer has, 0 being the leaves, without padding.
    #[must_use]
    pub const fn width(&self, height: u32) -> u64 {
        match self.leaves {
            0 => 0,
            _ if height >= u64::BITS => 1,
            leaves => ((leaves - 1) >> height) + 1,
        }
    }

    /// How many digests prove a range: at most two for each layer. `None` if it is empty or not in the tree.
    #[must_use]
    pub fn proof_len(&self, range: Range<u64>) -> Option<usize> {
        self.uncles(range).map(Iterator::count)
    }

    fn uncles(&self, range: Range<u64>) -> Option<Uncles> {
        let sound = range.start < range.end && range.end <= self.leaves;
        sound.then_some(Uncles { shape: *self, height: 0, range, left_done: false })
    }

    /// Whether `leaves`, the leaves from `first` on, are in the tree with this root: [`Tree::proof`] says what `proof`
    /// must be. Takes as many steps as there are leaves in the range and layers above.
    ///
    /// # Errors
    /// If they are not proven to be.
    pub fn verify<R: Rule>(
        &self,
        root: &Node<R>,
        first: u64,
        leaves: &[Node<R>],
        proof: &[Node<R>],
    ) -> Result<(), ProofError> {
        let end = first.checked_add(leaves.len() as u64).ok_or(ProofError::Range)?;
        let needed = self.proof_len(first..end).ok_or(ProofError::Range)?;
        if needed != proof.len() {
            return Err(ProofError::Length);
        }
        let mut padding = Padding::<R>::new();
        let mut uncles = self.uncles(first..end).into_iter().flatten().zip(proof).peekable();
        let mut row = leaves.to_vec();
        let mut start = first;
        for height in 0..self.height() {
            let left = uncles.next_if(|((at, index), _)| *at == height && *index < start);
            let right = uncles.next_if(|((at, _), _)| *at == height);
            let mut nodes =
                left.map(|(_, node)| node).into_iter().chain(&row).chain(right.map(|(_, node)| node));
            let mut above = Vec::with_capacity(row.len() / 2 + 1);
            while let Some(left) = nodes.next() {
                above.push(match nodes.next() {
                    Some(right) => R::node(left, right),
                    None => padding.above_lone(*left, self.base + height),
                });
            }
            row = above;
            start /= 2;
        }
        if row == [*root] { Ok(()) } else { Err(ProofError::Root) }
    }
}

/// The places of the nodes beside a range, from the leaves up, of each layer the left one first.
struct Uncles {
    shape: Shape,
    height: u32,
    range: Range<u64>,
    left_done: bool,
}

impl Iterator for Uncles {
    type Item = (u32, u64);

    fn next(&mut self) -> Option<(u32, u64)> {
        while self.height < self.shape.height() {
            let (height, Range { start, end }) = (self.height, self.range.clone());
            if !self.left_done {
                self.left_done = true;
                if start % 2 == 1 {
                    return Some((height, start - 1));
                }
            }
            self.left_done = false;
            self.height += 1;
            self.range = start / 2..end.div_ceil(2);
            if end % 2 == 1 && end < self.shape.width(height) {
                return Some((height, end));
            }
        }
        None
    }
}
