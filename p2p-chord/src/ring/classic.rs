//! The steps as they were published in 2001, wrong as they are, to show that what looks for such faults finds them.

use super::Ring;
use crate::contact::Contact;
use crate::peer::Peer;
use alloc::vec;
use alloc::vec::Vec;

impl Ring {
    /// Any view of a large ring, right or not.
    pub(crate) fn classic(me: Peer, r: usize, predecessor: Option<Peer>, successors: &[Peer]) -> Self {
        let successors = successors.iter().map(|peer| Contact::unmet(*peer)).collect();
        let predecessor = predecessor.map(Contact::unmet);
        Self { me, r, small: false, ordered: false, heard: 0, predecessor, rumour: None, successors }
    }

    /// Joins, or begins as its own successor: the list is filled with copies.
    pub(crate) fn classic_joined(me: Peer, r: usize, successor: Peer) -> Self {
        Self::classic(me, r, None, &vec![successor; r])
    }

    /// Takes over a successor's list, however short, and whoever it says is before it, asked or not. Tells who that is.
    pub(crate) fn classic_follow(
        &mut self,
        head: Contact,
        list: &[Peer],
        between: Option<Peer>,
    ) -> Option<Contact> {
        let nearer =
            between.filter(|peer| peer.id().between(self.me.id(), head.peer.id())).map(Contact::unmet);
        let rest = list.iter().map(|peer| Contact::unmet(*peer));
        self.successors =
            nearer.into_iter().chain(core::iter::once(head)).chain(rest).take(self.r).collect::<Vec<_>>();
        nearer
    }

    /// A successor is dead: the list is as much shorter.
    pub(crate) fn classic_lose_head(&mut self, dead: Peer) {
        if self.successors.first().is_some_and(|head| head.peer == dead) {
            self.successors.remove(0);
        }
    }

    /// Forgets a predecessor that does not answer.
    pub(crate) fn classic_forget_predecessor(&mut self, dead: Peer) {
        self.predecessor = self.predecessor.take().filter(|before| before.peer != dead);
    }
}
