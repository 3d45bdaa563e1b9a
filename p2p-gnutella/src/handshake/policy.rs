//! Whom a servent links to: [`Policy::judge`].

use super::{Introduction, Peer, Role};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Why a link is refused: a code, a sentence, and others to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 403 for what the other side is, 409 for what it has already, 503 for want of a place.
    pub code: u16,
    /// For people.
    pub reason: String,
    /// Ultrapeers to try.
    pub ultrapeers: Vec<SocketAddr>,
}

impl Refusal {
    /// A refusal with this code and sentence.
    #[must_use]
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), ultrapeers: Vec::new() }
    }
}

/// What a servent asks of those that it links to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Servents without roles are refused. They relay all pings.
    pub roles: bool,
    /// Those that do not [behave as since 2003](Peer::is_good) are refused. LimeWire does so.
    pub good: bool,
    /// Those that read no compressed stream are refused. gtk-gnutella does so.
    pub deflate: bool,
}

impl Default for Policy {
    /// Roles are asked for and nothing else: who behaves badly is noticed by what it does.
    fn default() -> Self {
        Self { roles: true, good: false, deflate: false }
    }
}

/// Where a servent stands while it judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Whether there is a place for a leaf.
    pub leaf_place: bool,
    /// Whether there is a place for an ultrapeer.
    pub ultrapeer_place: bool,
    /// Whether there is a link to the same servent.
    pub linked: bool,
}

/// What becomes of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on; the other side is this from here on.
    Agree(Role),
    /// Go on, as a leaf of the other side, which asked for that (leaf guidance).
    BecomeLeaf,
    /// Tell the neighbours and close.
    Crawl,
    /// Refuse.
    Refuse(Refusal),
}

impl Policy {
    /// What becomes of a handshake with this servent, which `us` was introduced to, if `dialled` by dialling it. A role that
    /// the other side does not tell is an ultrapeer's: it relays as one.
    #[must_use]
    pub fn judge(&self, us: &Introduction, peer: &Peer, situation: Situation, dialled: bool) -> Verdict {
        let refuse = |code, reason: &str| Verdict::Refuse(Refusal::new(code, reason));
        if peer.crawler.is_some() && !dialled {
            return Verdict::Crawl;
        }
        if peer.guid == Some(us.guid) {
            return refuse(409, "Connected to itself");
        }
        if situation.linked {
            return refuse(409, "Already connected");
        }
        let role = match peer.ultrapeer {
            Some(true) => Role::Ultrapeer,
            Some(false) => Role::Leaf,
            None if self.roles => return refuse(403, "Normal nodes refused"),
            None => Role::Ultrapeer,
        };
        if self.deflate && !peer.accepts_deflate {
            return refuse(403, "Gnet connection not compressed");
        }
        if self.good && !peer.is_good() {
            return refuse(403, "Lacks query routing, dynamic querying, or a degree of 15");
        }
        if role == Role::Leaf && peer.query_routing.is_none() {
            return refuse(403, "Leaf without query routing");
        }
        match (us.role, role) {
            (Role::Leaf, Role::Leaf) => refuse(503, "I am a shielded leaf node"),
            (Role::Leaf, Role::Ultrapeer) if !dialled => refuse(503, "I am a shielded leaf node"),
            (Role::Ultrapeer, Role::Leaf) if !situation.leaf_place => refuse(503, "Too many leaves"),
            (Role::Ultrapeer, Role::Ultrapeer) if dialled && peer.ultrapeer_needed == Some(false) => {
                // It has places for leaves only. Whoever has leaves of its own cannot become one: its owner decides.
                Verdict::BecomeLeaf
            }
            (_, Role::Ultrapeer) if !situation.ultrapeer_place => refuse(503, "Too many ultrapeers"),
            _ => Verdict::Agree(role),
        }
    }
}
