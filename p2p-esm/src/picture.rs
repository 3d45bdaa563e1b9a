//! How a member is placed, for people to look at: [`Picture`].

use crate::member::Counts;
use crate::wire::MemberId;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How a member is placed, and how it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Picture {
    /// Itself.
    pub me: MemberId,
    /// Whether it is the source.
    pub is_source: bool,
    /// Bytes of the stream in a second, as its source announced it.
    pub rate: u32,
    /// Its trees.
    pub trees: Vec<Branch>,
    /// Members that it knows.
    pub known: usize,
    /// Generations that it is behind what it has heard of.
    pub behind: u64,
    /// Packets that did not come in time.
    pub lost: u64,
    /// What it counted.
    pub counts: Counts,
}

/// How a member is placed in a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Branch {
    /// Who passes the stream on to it, the source first, its parent last.
    pub path: Vec<MemberId>,
    /// Where its parent is reached.
    pub parent: Option<SocketAddr>,
    /// It gets this tree from another host of its LAN; its parent stands by.
    pub by_group: bool,
    /// Milliseconds from the source to it, by its parent.
    pub delay: Option<u16>,
    /// Where its children are reached.
    pub children: Vec<SocketAddr>,
    /// Symbols of the tree that came, of the generations that are kept behind the output.
    pub came: u32,
    /// Symbols that there are of these.
    pub sent: u32,
}
