//! Which child gives way to which where a parent has no room for both.
//!
//! In a tree the members that pass it on go before those that do not: room comes of the former only. Of the former the
//! nearer ones go before the farther ones, by a margin: a short hop is all that who is sent away for one loses, while
//! the near would be far from the source behind the far. Of those that pass nothing on in the tree, where some find no
//! parent at all, who gives more for each tree that it gets goes first.

use super::{Context, Esm};
use crate::api::Event;
use crate::member::hand_over::behind;
use crate::member::questions::Purpose;
use crate::member::tree::{Child, Seek, Tree};
use crate::wire::{AsChild, Known};
use core::net::SocketAddr;
use p2p_core::Duration;

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
    pub(super) fn gives_way(&self, new: AsChild) -> Option<SocketAddr> {
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

/// A parent that gave our place away is not asked again for so long.
const SHUNNED: Duration = Duration::from_secs(2);
/// What it sent before is under way for so long at most.
const UNDER_WAY: Duration = Duration::from_secs(1);

impl Esm {
    /// The parent gave our place to another member: it sends no more.
    pub(super) fn replaced(&mut self, peer: SocketAddr, tree: u8, to: Option<Known>, cx: &mut Context<'_>) {
        let (me, now) = (self.me, cx.now());
        let Some(live) = self.live() else { return };
        let shape = live.broadcast.shape;
        let Some(at) = live.trees.get_mut(usize::from(tree)) else { return };
        if at.parent.take_if(|parent| parent.addr == peer).is_none() {
            return;
        }
        at.leaves(peer, now + UNDER_WAY);
        (at.above, at.behind) = (None, Some(behind(at.newest, shape)));
        let to = to.filter(|to| to.id != me && to.addr != peer);
        at.seek = Some(Seek { asked: to.iter().map(|to| to.addr).collect(), ..Seek::new(now) });
        let reserve = at.reserve.take();
        self.counts.replaced += 1;
        if let Some(known) = self.view.get_mut(peer) {
            known.shunned = now + SHUNNED;
        }
        cx.tell(Event::Parent { tree, parent: None });
        self.tell_lan(cx);
        if let Some((id, addr, place)) = reserve {
            self.adopted(tree, (id, addr), (place, None), false, cx);
            return;
        }
        if let Some(to) = to {
            self.view.note(to.id, to.addr, now);
            let ask = self.adopt_me(to.addr, tree, now);
            self.ask(to.addr, ask, Purpose::Adopt(tree), cx);
        }
        self.seek(tree, cx);
    }
}
