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
        question.to == peer && matches!(question.purpose, Purpose::Member | Purpose::Newcomer { .. })
    }

    /// Who others hold for a member answers.
    pub(super) fn member_answered(&mut self, contact: Contact) {
        if let Some(ring) = self.ring_mut() {
            ring.enter(contact);
        }
    }

    /// Somebody would be a member: it is one once it has answered us.
    pub(super) fn enters(&mut self, asked: Asked, cx: &mut Context<'_>) {
        let peer = Peer::new(self.config.network, asked.from);
        let is_new = self.ring().is_some_and(|ring| {
            ring.is_small() && !ring.successors().iter().any(|contact| contact.peer == peer)
        });
        let transaction = asked.transaction;
        let newcomer = Purpose::Newcomer { transaction };
        if !is_new {
            self.knocks(peer);
            let answer = self.neighbours(0);
            self.answer(asked.from, transaction, answer, cx);
        } else if !self.is_asking(|purpose| *purpose == newcomer)
            && peer != self.ring().map_or(peer, |ring| ring.me())
        {
            self.ping(Contact::unmet(peer), newcomer, cx);
        }
    }

    pub(super) fn newcomer_answered(&mut self, contact: Contact, transaction: u32, cx: &mut Context<'_>) {
        self.member_answered(contact);
        let answer = self.neighbours(0);
        self.answer(contact.peer.addr(), transaction, answer, cx);
    }

    /// Asks a member of a small ring to be let in.
    pub(super) fn ask_to_enter(&mut self, peer: Peer, cx: &mut Context<'_>) {
        self.ask(Contact::unmet(peer), Ask::Enter, Insistence::Thrice, Purpose::Enter, cx);
    }
}
