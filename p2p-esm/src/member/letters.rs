//! What members say to each other beside the stream: questions, their answers, and what needs none.

use super::{Context, Esm, SLACK};
use crate::api::Timer;
use crate::manifest;
use crate::member::questions::{Purpose, Question, UNKNOWN};
use crate::symbol;
use crate::wire::{
    self, Answer, Ask, FIRST_WORD, Flow, Kind, MemberId, Packet, Refusal, Tell, TreeStatus, first_probe,
};
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Datagram, Duration};

/// Questions under way at most.
const MOST_QUESTIONS: usize = 256;

impl Esm {
    fn send(&mut self, to: SocketAddr, kind: Kind, datagram: Bytes, cx: &mut Context<'_>) {
        if let Some(socket) = self.socket {
            self.counts.control.says(kind, datagram.len());
            cx.send_to(socket, to, datagram);
        }
    }

    /// Asks, with what is known of the one that is asked. Gives nothing back: what comes of it is an input.
    pub(super) fn ask(&mut self, to: SocketAddr, ask: Ask, purpose: Purpose, cx: &mut Context<'_>) {
        self.ask_within(to, ask, purpose, None, cx);
    }

    pub(super) fn ask_within(
        &mut self,
        to: SocketAddr,
        ask: Ask,
        purpose: Purpose,
        patience: Option<Duration>,
        cx: &mut Context<'_>,
    ) {
        let Some(tag) = self.tag() else { return };
        if self.questions.len() >= MOST_QUESTIONS {
            return;
        }
        let known = self.view.get(to);
        let token = known.map_or(0, |known| known.token);
        let usual = known.and_then(|known| known.round_trip).map_or(UNKNOWN, |took| took * 2 + SLACK);
        let now = cx.now();
        // Any number will do that nobody can guess.
        let transaction = cx.rng().bits() as u32;
        let due = now + patience.unwrap_or(usual);
        let from = if let Ask::Adopt { flow: Flow::From(from), .. } = &ask { Some(*from) } else { None };
        self.questions.push(Question { transaction, to, asked: now, due, purpose, from, proved: token != 0 });
        let padding = match ask {
            _ if token != 0 => 0,
            // An answer that tells of more trees than we know of is asked for again.
            Ask::Probe => first_probe(to, self.live().map_or(0, |live| live.trees.len())),
            Ask::Hello => FIRST_WORD,
            // What is asked for without a token is the token, and that is shorter.
            Ask::Adopt { .. } | Ask::Link { .. } | Ask::Routes(_) => 0,
        };
        let packet = Packet::Ask { transaction, token, from: self.me, ask };
        self.send(to, packet.kind(), packet.encode(tag, padding), cx);
        self.wake(cx);
    }

    pub(super) fn wake(&self, cx: &mut Context<'_>) {
        if let Some(due) = self.questions.due() {
            cx.set_timer_at(Timer::Overdue, due);
        }
    }

    pub(super) fn tell(&mut self, to: SocketAddr, token: u32, tell: Tell, cx: &mut Context<'_>) {
        let Some(tag) = self.tag() else { return };
        let packet = Packet::Tell { token, from: self.me, tell };
        self.send(to, packet.kind(), packet.encode(tag, 0), cx);
    }

    /// Tells a member whose token we have from its answers.
    pub(super) fn tell_known(&mut self, to: SocketAddr, tell: Tell, cx: &mut Context<'_>) {
        let token = self.view.get(to).map_or(0, |known| known.token);
        self.tell(to, token, tell, cx);
    }

    pub(super) fn datagram(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        match datagram.data.first() {
            Some(&symbol::KIND) => self.symbol(datagram, false, cx),
            Some(&symbol::STAMPED) => self.stamped_symbol(datagram, cx),
            Some(&manifest::KIND) => {
                self.manifest(datagram, false, cx);
            }
            Some(&wire::KIND) => {
                self.packet(datagram, cx);
                self.pace(cx);
            }
            _ => self.counts.bad += 1,
        }
    }

    pub(super) fn packet(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        let Some(tag) = self.tag() else { return };
        let Ok(packet) = Packet::decode(&datagram.data, tag) else {
            self.counts.bad += 1;
            return;
        };
        let peer = datagram.peer;
        match packet {
            Packet::Ask { transaction, token, from, ask } => {
                if from == self.me {
                    return;
                }
                let now = cx.now();
                let proved = self.tokens.is_of(token, peer, now);
                let answer = if proved || matches!(ask, Ask::Hello | Ask::Probe) {
                    self.answer(peer, from, ask, cx)
                } else {
                    Answer::Prove
                };
                let reply = |answer| Packet::Answer {
                    transaction,
                    token: self.tokens.of(peer, now),
                    from: self.me,
                    answer,
                };
                let mut packet = reply(answer);
                let mut wire = packet.encode(tag, 0);
                if !proved && wire.len() > datagram.data.len() {
                    packet = reply(Answer::Prove);
                    wire = packet.encode(tag, 0);
                }
                // What is shorter than an answer can be is no question of ours.
                if proved || wire.len() <= datagram.data.len() {
                    self.send(peer, packet.kind(), wire, cx);
                }
                if proved {
                    self.view.note(from, peer, now);
                }
            }
            Packet::Answer { transaction, token, from, answer } => {
                let Some(question) = self.questions.answered(transaction, peer) else {
                    self.counts.unasked += 1;
                    return;
                };
                self.wake(cx);
                let now = cx.now();
                if self.questions.ends_silence() {
                    self.seek_anew(now);
                }
                let took = now.since(question.asked);
                self.view.note(from, peer, now);
                if let Some(known) = self.view.get_mut(peer) {
                    known.token = token;
                    known.silent = 0;
                    known.round_trip = Some(known.round_trip.map_or(took, |mean| (mean * 7 + took) / 8));
                }
                self.answered(question, from, answer, cx);
            }
            Packet::Tell { token, from, tell } => {
                if self.tokens.is_of(token, peer, cx.now()) {
                    // Whose token is needed every few seconds is not to give way to others.
                    self.view.note(from, peer, cx.now());
                    self.told(peer, from, tell, cx);
                } else {
                    self.counts.bad += 1;
                }
            }
        }
    }

    fn answer(&mut self, peer: SocketAddr, from: MemberId, ask: Ask, cx: &mut Context<'_>) -> Answer {
        match ask {
            Ask::Hello => self.describe(peer, cx),
            Ask::Probe => self.status(peer, cx),
            Ask::Adopt { tree, token, as_child, flow } => {
                self.adopt((from, peer), (tree, flow), token, as_child, cx)
            }
            Ask::Link { token, astray } => self.link_asked((from, peer), token, astray, cx),
            Ask::Routes(after) => self.routes_asked(after),
        }
    }

    fn answered(&mut self, question: Question, from: MemberId, answer: Answer, cx: &mut Context<'_>) {
        let to = question.to;
        match (answer, question.purpose) {
            (Answer::Prove, _) if !question.proved => self.ask_again(question, cx),
            (Answer::Broadcast { announcement, heard, oldest, sample }, Purpose::Hello) => {
                self.view.learn(&sample, cx.now());
                self.greeted(&announcement, (heard, oldest), cx);
            }
            (Answer::Status { heard, trees, sample }, purpose) => {
                self.ask_for_newer(to, heard, cx);
                let now = cx.now();
                self.view.learn(&sample, now);
                // Who is in no tree time and again, as most hosts of a LAN, is nobody's parent: others need not be told of
                // it.
                let is_outside = |trees: &[TreeStatus]| trees.iter().all(|tree| tree.depth == u8::MAX);
                let mut is_of_use = true;
                if let Some(known) = self.view.get(to) {
                    let was_outside = known.status.as_ref().is_some_and(|(_, trees)| is_outside(trees));
                    is_of_use = !(was_outside && is_outside(&trees));
                    self.view.said(to, now, trees);
                }
                if !is_of_use && purpose == Purpose::Probe && !self.is_near(to, now) {
                    self.view.forget(to, now);
                }
                match purpose {
                    Purpose::Child(_) => self.child_answered(to, now),
                    Purpose::Probe => self.seek_all(cx),
                    Purpose::Adopt(tree) | Purpose::Better(tree) => self.turned_down(tree, to, cx),
                    _ => self.unanswered(question, cx),
                }
            }
            (Answer::Adopted(place), Purpose::Doubt(tree) | Purpose::Renew(tree)) => {
                self.stays(tree, to, cx);
                self.placed(to, tree, place, cx);
            }
            (
                Answer::Refused { why: Refusal::Unsettled, .. },
                Purpose::Doubt(tree) | Purpose::Renew(tree),
            ) => self.is_cut_off_too(tree, to, cx),
            (Answer::Refused { why: _, instead }, Purpose::Doubt(tree) | Purpose::Renew(tree)) => {
                self.view.learn(&instead, cx.now());
                self.lost(tree, to, cx);
            }
            (Answer::Adopted(place), Purpose::Adopt(tree)) => {
                self.adopted(tree, (from, to), (place, question.from), false, cx)
            }
            (Answer::Adopted(place), Purpose::Better(tree)) => {
                self.adopted(tree, (from, to), (place, question.from), true, cx)
            }
            (Answer::Refused { why, instead }, Purpose::Adopt(tree) | Purpose::Better(tree)) => {
                self.refused(tree, to, why, &instead, cx);
            }
            (Answer::Linked, Purpose::Link) => self.linked((from, to), cx),
            (Answer::Routes(page), Purpose::Survey) => self.surveyed(to, &page, cx),
            (Answer::Refused { instead, .. }, Purpose::Link) => self.not_linked(&instead, cx.now()),
            _ => self.unanswered(question, cx),
        }
    }

    /// The first time it was asked without a token; now there is one.
    fn ask_again(&mut self, question: Question, cx: &mut Context<'_>) {
        let ask = match question.purpose {
            Purpose::Hello => Ask::Hello,
            Purpose::Probe | Purpose::Child(_) => Ask::Probe,
            Purpose::Adopt(tree) | Purpose::Better(tree) | Purpose::Doubt(tree) | Purpose::Renew(tree) => {
                self.adopt_me(question.to, tree, cx.now())
            }
            Purpose::Link => self.link_me(question.to, cx.now()),
            Purpose::Survey => self.survey_next(),
        };
        self.ask(question.to, ask, question.purpose, cx);
    }

    /// Nobody answered, or not what was asked.
    pub(super) fn unanswered(&mut self, question: Question, cx: &mut Context<'_>) {
        match question.purpose {
            Purpose::Hello => self.greet_next(cx),
            Purpose::Probe | Purpose::Link | Purpose::Survey => {
                self.view.unanswered(question.to, cx.now() + SLACK);
                self.is_silent(question.to, cx);
            }
            Purpose::Child(tree) => self.child_is_silent(question.to, tree, cx),
            // It is asked again.
            Purpose::Renew(_) => {}
            // It sent something meanwhile: the answer was lost, or is late.
            Purpose::Doubt(tree) if self.was_fed(tree, question.to, question.asked) => {
                self.trusted(tree, question.to, cx);
            }
            Purpose::Doubt(tree) => {
                self.view.forget(question.to, cx.now());
                if self.is_parent(question.to, tree) {
                    // Should it be there after all, it is not to send to us what another one does.
                    self.tell_known(question.to, Tell::Gone { trees: 1 << tree }, cx);
                }
                self.lost(tree, question.to, cx);
            }
            Purpose::Adopt(tree) | Purpose::Better(tree) => {
                self.view.unanswered(question.to, cx.now() + SLACK);
                self.turned_down(tree, question.to, cx);
            }
        }
    }

    fn told(&mut self, peer: SocketAddr, from: MemberId, tell: Tell, cx: &mut Context<'_>) {
        match tell {
            Tell::Place { tree, place, heard } => {
                if self.is_parent(peer, tree) {
                    self.ask_for_newer(peer, heard, cx);
                }
                self.placed(peer, tree, place, cx);
            }
            Tell::Still { tree, delay, path, heard } => {
                if self.is_parent(peer, tree) {
                    self.ask_for_newer(peer, heard, cx);
                }
                self.is_still(peer, tree, (delay, path), cx);
            }
            Tell::Where { tree } => self.asked_where(peer, tree, cx),
            Tell::Move { tree, to } => self.sent_away(peer, tree, to, cx),
            Tell::Replaced { tree, to } => self.replaced(peer, tree, to, cx),
            Tell::Here { trees, claim } => self.child_is_here((peer, from), trees, claim, cx.now()),
            Tell::Gone { trees } => self.child_is_gone(peer, trees),
            Tell::Until { tree, generation } => self.child_is_handed_over(peer, tree, generation, cx.now()),
            Tell::Miss(wants) => self.missed(peer, &wants, cx),
            Tell::Routes { source, uses, routes } => self.routes_told(peer, (source, uses), &routes, cx),
            Tell::Unlink => self.unlinked(peer, cx),
        }
    }
}
