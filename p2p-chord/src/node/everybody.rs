//! Knowing everybody, where a ring is not too large for it: a lookup then takes one hop.
//!
//! Who comes or goes is noticed by whoever is behind it, and told to all as D1HT does it (Monnerat and Amorim 2006,
//! "D1HT: a distributed one hop hash table"). News has a *level*: a node that has news of level `l` passes it on, in its
//! next round, to the nodes that are 1, 2, 4, … 2^(l-1) places behind it, as news of levels 0, 1, 2, … l-1. Whoever
//! notices it begins with the level that goes around the whole ring. So everybody hears of it once, in half as many
//! rounds as the level on average; all news of a round for a node goes in one message; and nobody has to do more of
//! this than others. What goes no farther than to whom it is about does not go around twice.
//!
//! What is lost on the way, because somebody crashes who was to pass it on, is found by comparing: from time to time a
//! node asks another one whether both have the same members in some arc. In that way a new one learns of everybody, too.

use super::answers::Asked;
use super::{Chord, Context, Purpose, peers};
use crate::api::Timer;
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::{Peer, Place};
use crate::pending::{Insistence, Question};
use crate::roster::Roster;
use crate::wire::{Answer, Ask, Packet, fingerprint};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Pieces of news that wait for the next round: more than a ring of ten thousand, of whom each stays for an hour, has
/// in one. What is more is dropped, and found by comparing.
const NEWS: usize = 512;
/// Pieces of news in a message, of at most 20 bytes each.
const TOLD: usize = 50;
/// Members that an arc has which is compared.
const COMPARED: usize = 50;
/// Bytes of members in an answer.
const ANSWERED: usize = 1_000;
/// Members that one of two lacks which are asked at a time whether they are there.
const DOUBTED: usize = 8;

/// Rounds of asking for everybody after which there are as many as there are, however close our successors lie.
const ROUNDS: u8 = 8;

/// Somebody came, or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct News {
    about: Peer,
    gone: bool,
    level: u8,
}

/// What a node that knows everybody keeps.
#[derive(Clone, Debug, Hash)]
pub(super) struct Everybody {
    pub(super) roster: Roster,
    news: Vec<News>,
    /// Who was before us when we looked last.
    before: Option<Peer>,
    /// It has been told of everybody.
    is_told: bool,
    /// How many it knew when it last began to ask for everybody.
    knew: usize,
    /// How often it was through with that.
    rounds: u8,
}

impl Everybody {
    pub(super) fn new(most: usize) -> Option<Box<Self>> {
        let everybody = Self {
            roster: Roster::new(most),
            news: Vec::new(),
            before: None,
            is_told: false,
            knew: 0,
            rounds: 0,
        };
        (most > 0).then(|| Box::new(everybody))
    }

    fn note(&mut self, about: Peer, gone: bool, level: u8) {
        if gone {
            self.roster.remove(about);
        } else {
            self.roster.add(about);
        }
        if level > 0 {
            self.pass_on(News { about, gone, level });
        }
    }

    fn pass_on(&mut self, new: News) {
        let has_room = self.news.len() < NEWS;
        match self.news.iter_mut().find(|news| news.about == new.about) {
            Some(news) if news.gone == new.gone => news.level = news.level.max(new.level),
            Some(news) => *news = new,
            None if has_room => self.news.push(new),
            None => {}
        }
    }

    /// The level of what goes around the whole ring.
    fn top(&self) -> u8 {
        (usize::BITS - self.roster.len().leading_zeros()) as u8
    }
}

impl Chord {
    /// How many members it knows of, where it is to know all ([`Config::everybody`](crate::Config::everybody)); itself
    /// is none of them.
    #[must_use]
    pub fn members_known(&self) -> usize {
        self.everybody.as_ref().map_or(0, |everybody| everybody.roster.len())
    }

    /// If another node is before us, somebody came or went.
    pub(super) fn notice_members(&mut self) {
        if self.everybody.is_none() {
            return;
        }
        let (me, now) = match self.ring() {
            Some(ring) => (ring.me(), ring.predecessor().map(|before| before.peer)),
            None => return,
        };
        let Some(everybody) = &mut self.everybody else { return };
        let was = core::mem::replace(&mut everybody.before, now);
        if was == now {
            return;
        }
        let top = everybody.top();
        if let Some(now) = now {
            match was {
                // We have just come ourselves.
                None => {}
                Some(was) if now.id().between(was.id(), me.id()) => everybody.note(now, false, top),
                // With those between, whose going nobody noticed who was behind them.
                Some(was) => {
                    let between: Vec<Peer> = everybody.roster.arc(now.id(), me.id()).copied().collect();
                    for gone in between.into_iter().chain([was]).filter(|gone| *gone != me) {
                        everybody.note(gone, true, top);
                    }
                }
            }
            everybody.roster.add(now);
        }
    }

    /// Somebody does not answer.
    pub(super) fn miss(&mut self, peer: Peer) {
        if let Some(everybody) = &mut self.everybody {
            everybody.roster.remove(peer);
        }
    }

    /// Somebody is a member, and answered.
    pub(super) fn meet_one(&mut self, peer: Peer) {
        let me = self.me;
        if let Some(everybody) = &mut self.everybody
            && Some(peer) != me
            && everybody.before.is_some()
        {
            everybody.roster.add(peer);
        }
    }

    /// Time to tell what is new.
    pub(super) fn tell_news(&mut self, cx: &mut Context<'_>) {
        let every = self.config.stabilise;
        let after = every / 2 + cx.rng().phase(every);
        cx.set_timer(Timer::News, after);
        let Some(me) = self.peer().filter(|_| self.is_member()) else { return };
        let successor = self.successors().next();
        let place = RingId::random(cx.rng());
        let Some(everybody) = &mut self.everybody else { return };
        let news = core::mem::take(&mut everybody.news);
        let (is_told, top) = (everybody.is_told, everybody.top());
        for level in 0..top {
            let Some(to) = self.behind(me, 1 << level) else { break };
            // What would reach whom it is about has been around.
            let is_for = |news: &&News| news.level > level && !news.about.id().in_arc_to(me.id(), to.id());
            let all: Vec<News> = news.iter().filter(is_for).copied().collect();
            for some in all.chunks(TOLD) {
                let of = |gone| some.iter().filter(move |news| news.gone == gone);
                let places = |gone| of(gone).map(|news| news.about.place()).collect();
                let ask = Ask::News { level, came: places(false), gone: places(true) };
                self.ask(Contact::unmet(to), ask, Insistence::Twice, Purpose::News, cx);
            }
        }
        let Some(everybody) = self.everybody.as_mut().filter(|_| !is_told) else { return };
        let is_first = core::mem::replace(&mut everybody.knew, everybody.roster.len()) == 0;
        // First our successor, then anybody: where all are new, nobody knows everybody yet.
        let any = everybody.roster.from(place).next().copied().filter(|_| !is_first);
        if let Some(of) = any.or(successor) {
            self.learn_members(of, me.id(), cx);
        }
    }

    fn behind(&self, me: Peer, count: usize) -> Option<Peer> {
        self.everybody.as_ref()?.roster.nth_behind(me.id(), count)
    }

    /// Whoever was to pass news on is silent: the next one behind it is told.
    pub(super) fn news_failed(&mut self, question: &Question<Purpose>, cx: &mut Context<'_>) {
        let Ok(Packet::Ask { ask, .. }) = Packet::decode(question.sent.packet(), self.config.network) else {
            return;
        };
        if let Some(next) = self.behind(question.to, 1).filter(|next| Some(*next) != self.peer()) {
            self.ask(Contact::unmet(next), ask, Insistence::Once, Purpose::News, cx);
        }
    }

    /// A member tells what is new.
    pub(super) fn told_news(
        &mut self,
        asked: Asked,
        level: u8,
        (came, gone): (Vec<Place>, Vec<Place>),
        cx: &mut Context<'_>,
    ) {
        if !asked.is_proven || !asked.member {
            return self.reply(asked, Answer::Prove, cx);
        }
        self.reply(asked, Answer::Passed, cx);
        let (network, me) = (self.config.network, self.peer());
        let Some(everybody) = &mut self.everybody else { return };
        // Nobody knows of a ring as large as this.
        let level = level.min(everybody.top());
        for (list, gone) in [(came, false), (gone, true)] {
            for peer in peers(network, list).into_iter().take(TOLD) {
                match Some(peer) == me {
                    false => everybody.note(peer, gone, level),
                    // We are here, whatever others say.
                    true if gone => {
                        let level = everybody.top();
                        everybody.pass_on(News { about: peer, gone: false, level });
                    }
                    true => {}
                }
            }
        }
    }

    /// Time to compare what we know with somebody else.
    pub(super) fn compare_members(&mut self, cx: &mut Context<'_>) {
        let Some(me) = self.peer() else { return };
        let Some(everybody) = self.everybody.as_ref().filter(|everybody| everybody.is_told) else { return };
        let roster = &everybody.roster;
        let with = roster.from(RingId::random(cx.rng())).next().copied();
        let from = RingId::random(cx.rng());
        let to = roster.from(from.plus_power(0)).nth(COMPARED - 1).map_or(from, Peer::id);
        let known = fingerprint(roster.arc(from, to).map(Peer::id).filter(|id| *id != me.id()));
        if let Some(with) = with {
            let ask = Ask::Members { from, to, known };
            self.ask(Contact::unmet(with), ask, Insistence::Once, Purpose::Members, cx);
        }
    }

    /// Asks somebody for everybody behind a place, up to ourselves.
    fn learn_members(&mut self, of: Peer, from: RingId, cx: &mut Context<'_>) {
        let Some(me) = self.peer() else { return };
        let ask = Ask::Members { from, to: me.id(), known: 0 };
        self.ask(Contact::unmet(of), ask, Insistence::Twice, Purpose::Members, cx);
    }

    /// Whom we know in an arc, as far as they fit; nobody is named if that is what the asker knows, itself apart.
    pub(super) fn members(&self, asker: Peer, (from, to): (RingId, RingId), known: u32) -> Answer {
        let Some(me) = self.peer().filter(|_| self.is_member()) else { return Answer::Absent };
        let empty = Roster::new(0);
        let roster = self.everybody.as_ref().map_or(&empty, |everybody| &everybody.roster);
        let behind = |id: RingId| from.plus_power(0).distance_to(id);
        let mut all: Vec<Peer> = roster.arc(from, to).copied().collect();
        // Somebody new does not know even its neighbours from hearsay.
        let near = self.successors().chain(self.predecessor());
        all.extend(near.filter(|peer| peer.id().in_arc_to(from, to)));
        if me.id().in_arc_to(from, to) {
            all.push(me);
        }
        all.retain(|peer| *peer != asker);
        all.sort_unstable_by_key(|peer| behind(peer.id()));
        all.dedup();
        if fingerprint(all.iter().map(Peer::id)) == known {
            return Answer::Members(None);
        }
        let mut room = ANSWERED;
        let fits = |place: &Place| {
            let bytes = if matches!(place, Place::V4(..)) { 8 } else { 20 };
            room = room.saturating_sub(bytes);
            room > 0
        };
        Answer::Members(Some(all.iter().map(Peer::place).take_while(fits).collect()))
    }

    /// Somebody said whom it knows.
    pub(super) fn told_members(
        &mut self,
        question: &Question<Purpose>,
        answer: Answer,
        cx: &mut Context<'_>,
    ) {
        let (network, me) = (self.config.network, self.peer());
        let Ok(Packet::Ask { ask: Ask::Members { from, to, known }, .. }) =
            Packet::decode(question.sent.packet(), network)
        else {
            return;
        };
        let Answer::Members(Some(list)) = answer else { return };
        let likely = self.likely_members();
        let mut list = peers(network, list);
        list.retain(|peer| Some(*peer) != me && peer.id().in_arc_to(from, to));
        let Some(everybody) = &mut self.everybody else { return };
        let has_more = list.last().map(Peer::id);
        if known == 0 {
            list.iter().for_each(|peer| everybody.roster.add(*peer));
            match has_more.filter(|last| *last != to) {
                Some(last) => self.learn_members(question.to, last, cx),
                // Once hardly anybody was new, and there are not far fewer than there should be, if that can be told.
                None => {
                    let (knew, knows) = (everybody.knew, everybody.roster.len());
                    everybody.rounds = everybody.rounds.saturating_add(1);
                    let is_most = knows.saturating_mul(4) >= likely || knows >= self.config.everybody;
                    let is_enough = is_most || everybody.rounds >= ROUNDS;
                    everybody.is_told = knew > 0 && is_enough && knows.saturating_sub(knew) <= knows / 16;
                }
            }
            return;
        }
        // As far as the list reaches, whom we know and it does not name may be gone. Whom it names and we do not know may
        // be gone, too: the dead would else be handed to and fro for ever.
        let until = has_more.unwrap_or(to);
        let known: Vec<Peer> = everybody.roster.arc(from, until).copied().collect();
        let others = known.iter().filter(|peer| !list.contains(peer) && **peer != question.to);
        let new = list.iter().filter(|peer| !known.contains(peer));
        let doubted: Vec<Peer> = others.take(DOUBTED).chain(new.take(DOUBTED)).copied().collect();
        for peer in doubted {
            self.ask_member(Contact::unmet(peer), Purpose::Finger, cx);
        }
    }

    /// How many members there are, as far as the stretch lets guess that our successors lie in.
    fn likely_members(&self) -> usize {
        let Some(ring) = self.ring() else { return 0 };
        let Some(last) = ring.successors().last().filter(|_| !ring.is_small()) else {
            return ring.successors().len();
        };
        let [a, b, c, d, ..] = *ring.me().id().distance_to(last.peer.id()).as_bytes();
        let stretch = u64::from(u32::from_be_bytes([a, b, c, d])).max(1);
        usize::try_from((ring.successors().len() as u64) * (1 << 32) / stretch).unwrap_or(usize::MAX)
    }

    /// Who is responsible for a place as far as the roster says, where it is as good as whole.
    pub(super) fn guess(&self, target: RingId) -> Option<Contact> {
        let everybody = self.everybody.as_ref().filter(|everybody| everybody.is_told)?;
        everybody.roster.from(target).next().map(|peer| Contact::unmet(*peer))
    }

    /// Members before a place, the nearest first; none if it does not know everybody.
    pub(super) fn members_before(&self, target: RingId, count: usize) -> impl Iterator<Item = Peer> {
        let roster = self.everybody.as_ref().map(|everybody| everybody.roster.before(target));
        roster.into_iter().flatten().take(count).copied()
    }
}
