//! Small rings, of which everybody knows everybody: no list can lose its last live entry there.

use super::{Chord, Context, Purpose, answers::Asked, peers};
use crate::contact::Contact;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::wire::{Answer, Ask};

impl Chord {
    /// Asks two members whom they know: the next one, and one at random.
    pub(super) fn meet_members(&mut self, cx: &mut Context<'_>) {
        let Some(ring) = self.ring() else { return };
        let members = ring.successors();
        let any = cx.rng().choose(members).copied();
        for contact in
            members.first().copied().into_iter().chain(any.filter(|any| any.peer != members[0].peer))
        {
            let ask = Ask::Neighbours { notify: false, known: 0 };
            self.ask(contact, ask, Insistence::Thrice, Purpose::Stabilise(0), cx);
        }
    }

    /// A member said whom it knows.
    pub(super) fn member_told(&mut self, answer: Answer, cx: &mut Context<'_>) {
        let Answer::Neighbours { small, successors, .. } = answer else { return };
        let list = peers(self.config.network, successors.unwrap_or_default());
        if !small && let Some(ring) = self.ring_mut() {
            ring.become_large();
        }
        self.meet(&list, cx);
    }

    /// Asks those of a list that we do not know whether they are there.
    pub(super) fn meet(&mut self, list: &[Peer], cx: &mut Context<'_>) {
        for peer in list {
            let Some(ring) = self.ring().filter(|ring| ring.is_small()) else { return };
            let is_known =
                *peer == ring.me() || ring.successors().iter().any(|contact| contact.peer == *peer);
            let is_asked = |question: &_| self.is_meeting(question, *peer);
            if !is_known && !self.pending.iter().any(is_asked) {
                self.ask_member(Contact::unmet(*peer), Purpose::Member, cx);
            }
        }
    }

    fn is_meeting(&self, question: &crate::pending::Question<Purpose>, peer: Peer) -> bool {
        question.to == peer && question.purpose == Purpose::Member
    }

    /// Who others hold for a member answers.
    pub(super) fn member_answered(&mut self, contact: Contact) {
        if let Some(ring) = self.ring_mut() {
            ring.enter(contact);
        }
    }

    /// Somebody would be a member, and has shown that it hears us: it is one.
    pub(super) fn enters(&mut self, asked: Asked) -> Answer {
        let peer = Peer::new(self.config.network, asked.from);
        if !self.has_room_beside(peer) {
            return Answer::Absent;
        }
        match self.ring_mut() {
            Some(ring) => ring.enter(Contact::unmet(peer)),
            None => self.knocks(peer),
        }
        self.neighbours(0)
    }

    /// Asks a member of a small ring to be let in.
    pub(super) fn ask_to_enter(&mut self, peer: Peer, cx: &mut Context<'_>) {
        self.ask(Contact::unmet(peer), Ask::Enter, Insistence::Thrice, Purpose::Enter, cx);
    }
}
