//! Which child gives way to which where a parent has no room for both.
//!
//! In a tree the members that pass it on go before those that do not: room comes of the former only. Of the former the
//! nearer ones go before the farther ones, by a margin: a short hop is all that who is sent away for one loses, while
//! the near would be far from the source behind the far. Of those that pass nothing on in the tree, where some find no
//! parent at all, who gives more for each tree that it gets goes first.

use crate::member::tree::{Child, Tree};
use crate::wire::AsChild;

/// A child is not sent away for one that is nearer by less than this, in milliseconds there and back, or a fifth.
const NEARER: u16 = 16;

/// How near one is to be for whom a child this far is sent away.
const fn limit(distance: u16) -> u16 {
    let (share, less) = ((distance as u32 * 4 / 5) as u16, distance.saturating_sub(NEARER));
    if share < less { share } else { less }
}

/// Whether what it claims is a quarter more.
const fn claims_more(new: AsChild, old: AsChild) -> bool {
    new.claim as u32 > old.claim as u32 * 5 / 4
}

impl Tree {
    fn that_stay(&self) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(|child| child.moves.is_none() && !child.rests)
    }

    /// Who is sent away for a new child.
    pub(super) fn gives_way(&self, new: AsChild) -> Option<core::net::SocketAddr> {
        let last = self.that_stay().filter(|child| !child.like.native).min_by_key(|child| child.like.claim);
        let gives_way = match last {
            Some(last) if new.native || new.urgent && claims_more(new, last.like) => Some(last),
            _ => {
                let natives = self.that_stay().filter(|child| child.like.native);
                let farthest = natives.max_by_key(|child| child.like.distance);
                farthest.filter(|child| new.native && new.distance < limit(child.like.distance))
            }
        };
        gives_way.map(|child| child.addr)
    }

    /// How near who passes the tree on is to be to be taken in place of another one.
    pub(super) fn far(&self) -> u16 {
        let far = |child: &Child| if child.like.native { limit(child.like.distance) } else { u16::MAX };
        self.that_stay().map(far).max().unwrap_or(0)
    }
}

/// What somebody who can have so many children, and has, or would have, so many trees, claims.
pub(super) fn claim(copies: u16, trees: usize) -> u16 {
    let each = 64 * (u32::from(copies) + 1) / u32::try_from(trees.max(1)).unwrap_or(u32::MAX);
    u16::try_from(each).unwrap_or(u16::MAX)
}
