//! What a member counts ([`Counts`]).

use super::said::Said;

/// What a member counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Symbols that were new.
    pub symbols: u64,
    /// Symbols that were here already, or came when their generation was forgotten: those that came down a tree.
    pub twice: u64,
    /// The same of those that may have been asked for: they came from who is no parent in their tree.
    pub asked_twice: u64,
    /// Manifests that were here already.
    pub signed_twice: u64,
    /// Datagrams that are of no use: symbols and manifests that the source did not sign, or nobody expects; what has no
    /// valid token, and what is no packet of the group.
    pub bad: u64,
    /// Answers that nobody asked for, or that came too late.
    pub unasked: u64,
    /// Symbols sent on, or sent again.
    pub sent: u64,
    /// Their bytes, and those of manifests, heads of UDP and IP not counted.
    pub sent_bytes: u64,
    /// Everything else that was sent, by its kind.
    pub control: Said,
    /// Parents that were lost.
    pub lost_parents: u64,
    /// Parents that were left because of what they sent.
    pub liars: u64,
    /// How often a parent was asked to stamp what it sends: somebody sent symbols in its name that the source did not sign.
    pub stamps: u64,
    /// Parents that were left because they brought too little.
    pub poor: u64,
    /// Places that it had to give to other members.
    pub replaced: u64,
    /// How often it took another tree for its own.
    pub recoloured: u64,
    /// Symbols and manifests sent to the group of the LAN.
    pub multicast: u64,
    /// Symbols that came by the group of the LAN.
    pub group: u64,
    /// Those of them that were here already.
    pub group_twice: u64,
    /// Beacons sent.
    pub beacons: u64,
    /// What came to the group from farther away than the LAN, or by another interface.
    pub far: u64,
}

impl Counts {
    pub(super) fn sends(&mut self, copies: u64, len: usize) {
        self.sent += copies;
        self.sent_bytes += copies * len as u64;
    }
}
