//! The member's own [`Picture`].

use super::{Context, Esm, State};
use crate::api::Event;
use crate::error::Error;
use crate::picture::{Branch, Picture};
use p2p_core::OpId;

impl Esm {
    /// Tells how it is placed.
    pub(super) fn look(&self, op: OpId, cx: &mut Context<'_>) {
        let State::Live(live) = &self.state else {
            cx.finish(op, Err(Error::NotJoined));
            return;
        };
        let (now, shape) = (cx.now(), live.broadcast.shape);
        let branch = |(at, tree): (usize, &super::Tree)| {
            let parent = tree.parent.as_ref();
            let of_tree = (0..shape.symbols()).filter(|index| usize::from(shape.tree(*index)) == at);
            let (came, sent) = of_tree.fold((0, 0), |(came, sent), index| {
                let of_it = live.playout.came(index);
                (came + of_it.0, sent + of_it.1)
            });
            Branch {
                path: parent.map(|parent| parent.place.path.clone()).unwrap_or_default(),
                parent: parent.map(|parent| parent.addr),
                by_group: self.is_fed_by_group(at, now),
                delay: parent.map(super::tree::Parent::delay),
                children: tree.children.iter().filter(|child| !child.rests).map(|child| child.addr).collect(),
                came,
                sent,
            }
        };
        let picture = Picture {
            me: self.me,
            is_source: live.source.is_some(),
            rate: live.announcement.rate,
            trees: live.trees.iter().enumerate().map(branch).collect(),
            known: self.view.iter().count(),
            behind: live.playout.heard().saturating_sub(live.playout.position()),
            lost: live.playout.lost(),
            counts: self.counts,
        };
        cx.answer(op, Event::Picture(picture.into()));
        cx.finish(op, Ok(()));
    }
}
