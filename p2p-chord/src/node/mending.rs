//! Values in fragments: cutting them, and making again the fragments that get lost: [`Mending`].
//!
//! ```text
//!  compare ──► a node lacks its fragment of a key ──► Numbers? ──────────────► Get, Get ─────────► Keep
//!                                                     who has which fragments   seven of them      one that nobody has
//! ```
//!
//! Who is responsible for the key sees to it, for itself too. Making one fragment takes six others; that is the price of a
//! code whose fragments are small.

use super::placing::Client;
use super::{Chord, Context, Purpose};
use crate::contact::Contact;
use crate::id::RingId;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::record::{Coded, ENOUGH, FRAGMENTS, Fragment, Kind, Record};
use crate::store::{Held, Name, Prefix, Refusal};
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Fragments after which a put is done: as many as are enough, and more than half of the others.
const NEED: usize = ENOUGH + (FRAGMENTS - ENOUGH).div_ceil(2);
/// Fragments that may wait to be made. What is more is found by the next comparison.
const WAITING: usize = 4_096;
/// All fragments, a bit for each.
const ALL: u16 = (1 << FRAGMENTS) - 1;

/// Fragments to be made, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Mending {
    waiting: VecDeque<(Contact, RingId)>,
    now: Mend,
}

/// One that is being made.
#[derive(Clone, Debug)]
struct Mend {
    key: RingId,
    to: Contact,
    /// Who else is to have fragments, in order of the ring, and which they have.
    others: Vec<(Contact, u16)>,
    asked: Vec<Peer>,
    /// They were asked which they have, and are asked for them now.
    gathers: bool,
    parts: BTreeMap<usize, Fragment>,
    expires: u64,
    publisher: Prefix,
}

impl Mend {
    fn numbers(&self) -> u16 {
        self.others.iter().fold(0, |all, (_, has)| all | has)
    }
}

/// The bits of fragments.
fn bits<'a>(fragments: impl Iterator<Item = &'a Held>) -> u16 {
    let bit = |held: &Held| match &held.record {
        Record::Fragment(fragment) => 1 << fragment.number(),
        _ => 0,
    };
    fragments.map(bit).fold(0, |all, bit: u16| all | bit)
}

impl Chord {
    /// Cuts a value that somebody at this address wants stored, keeps a fragment and has the others kept.
    pub(super) fn take_coded(
        &mut self,
        held: Held,
        from: SocketAddr,
        client: Client,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let Record::Coded(coded) = &held.record else { return Err(Refusal::Invalid) };
        if !(self.config.wants)(&held.record, from) {
            return Err(Refusal::Unwanted);
        }
        let fragments = coded.fragments();
        let Some((targets, spare)) = self.replicas_behind(FRAGMENTS - 1).filter(|_| !fragments.is_empty())
        else {
            return Err(Refusal::Invalid);
        };
        let nodes = targets.len() + 1;
        let mut parcels: Vec<Vec<Held>> = core::iter::repeat_with(Vec::new).take(nodes).collect();
        for (number, fragment) in fragments.into_iter().enumerate() {
            // Where there are not enough nodes some have several.
            let record = Record::Fragment(fragment);
            parcels[number % nodes].push(Held { record, ..held });
        }
        let mut parcels = parcels.into_iter();
        let own = parcels.next().unwrap_or_default();
        let count = own.len();
        for held in own {
            self.keep(held, None, from, cx)?;
        }
        self.place_parcels(targets.into_iter().zip(parcels).collect(), spare, (NEED, count), client, cx);
        Ok(())
    }

    /// Whether this is a fragment of a key that this node is responsible for and has nothing of.
    pub(super) fn lacks_own_fragment(&self, record: &Record) -> bool {
        let Record::Fragment(fragment) = record else { return false };
        let key = fragment.key();
        let (from, to) = Name::range(key, Kind::Coded);
        self.owns(key) && !self.storage.store.has_between(&from, &to)
    }

    /// Which fragments of a key this node has.
    pub(super) fn fragments_of(&self, key: RingId, cx: &Context<'_>) -> u16 {
        bits(self.storage.store.find(key, Kind::Coded, cx.unix_now()))
    }

    /// Makes fragments of these keys for a node that lacks them, which may be this one.
    pub(super) fn mend(&mut self, to: Contact, keys: Vec<RingId>, cx: &mut Context<'_>) {
        let waiting = keys.into_iter().map(|key| (to, key));
        match &mut self.storage.mending {
            Some(mending) => {
                let room = WAITING.saturating_sub(mending.waiting.len());
                mending.waiting.extend(waiting.take(room));
            }
            None => self.mend_next(waiting.take(WAITING).collect(), cx),
        }
    }

    /// Whether fragments are being made.
    pub(super) const fn is_mending(&self) -> bool {
        self.storage.mending.is_some()
    }

    fn mend_next(&mut self, mut waiting: VecDeque<(Contact, RingId)>, cx: &mut Context<'_>) {
        self.storage.mending = None;
        while let Some((to, key)) = waiting.pop_front() {
            let Some(me) = self.peer() else { return };
            let Some((targets, _)) = self.replicas_behind(FRAGMENTS - 1) else { return };
            let now = cx.unix_now();
            let Some(own) = self.storage.store.find(key, Kind::Coded, now).next() else { continue };
            let (expires, publisher) = (own.expires, own.publisher);
            let mut others = Vec::from([(Contact::unmet(me), self.fragments_of(key, cx))]);
            others.extend(targets.into_iter().map(|contact| (contact, 0)));
            // What a node has itself was given to it for want of a better one.
            others.retain(|(contact, _)| contact.peer != to.peer);
            let mut asked: Vec<Contact> = others.iter().map(|(contact, _)| *contact).collect();
            asked.retain(|contact| contact.peer != me);
            let mend = Mend {
                key,
                to,
                others,
                asked: asked.iter().map(|contact| contact.peer).collect(),
                gathers: false,
                parts: BTreeMap::new(),
                expires,
                publisher,
            };
            self.storage.mending = Some(Box::new(Mending { waiting, now: mend }));
            for contact in asked {
                self.ask(contact, Ask::Numbers(key), Insistence::Twice, Purpose::Mend, cx);
            }
            return self.mend_on(cx);
        }
        self.depart_if_handed(cx);
    }

    pub(super) fn mend_answered(&mut self, contact: Contact, answer: Answer, cx: &mut Context<'_>) {
        let Some(mending) = &mut self.storage.mending else { return };
        let mend = &mut mending.now;
        let Some(at) = mend.asked.iter().position(|peer| *peer == contact.peer) else { return };
        match answer {
            Answer::Numbers(key, numbers) if !mend.gathers && key == mend.key => {
                if let Some((_, has)) = mend.others.iter_mut().find(|(other, _)| other.peer == contact.peer) {
                    *has = numbers & ALL;
                }
            }
            Answer::Large if mend.gathers => {
                let ask = Ask::Get { key: mend.key, kind: Kind::Coded, routed: false };
                return self.dial(contact, ask, Purpose::Mend, cx);
            }
            Answer::Records(records) if mend.gathers => {
                for (record, _) in records {
                    if let Record::Fragment(fragment) = record
                        && fragment.key() == mend.key
                        && Record::Fragment(fragment.clone()).check().is_ok()
                    {
                        mend.parts.insert(fragment.number(), fragment);
                    }
                }
            }
            _ => {}
        }
        mend.asked.swap_remove(at);
        self.mend_on(cx);
    }

    pub(super) fn mend_unanswered(&mut self, peer: Peer, cx: &mut Context<'_>) {
        let Some(mending) = &mut self.storage.mending else { return };
        if let Some(at) = mending.now.asked.iter().position(|asked| *asked == peer) {
            mending.now.asked.swap_remove(at);
            self.mend_on(cx);
        }
    }

    /// All were heard of whom something was asked.
    fn mend_on(&mut self, cx: &mut Context<'_>) {
        let now = cx.unix_now();
        let Some(mending) = &mut self.storage.mending else { return };
        let mend = &mut mending.now;
        if !mend.asked.is_empty() {
            return;
        }
        if !mend.gathers {
            mend.gathers = true;
            for held in self.storage.store.find(mend.key, Kind::Coded, now) {
                if let Record::Fragment(fragment) = &held.record {
                    mend.parts.insert(fragment.number(), fragment.clone());
                }
            }
            let mut have = mend.parts.keys().fold(0_u16, |all, number| all | 1 << number);
            let mut sources = Vec::new();
            for (contact, has) in &mend.others {
                if (have.count_ones() as usize) < ENOUGH && has & !have != 0 {
                    have |= has;
                    sources.push(*contact);
                }
            }
            mend.asked = sources.iter().map(|contact| contact.peer).collect();
            let key = mend.key;
            for contact in sources {
                let ask = Ask::Get { key, kind: Kind::Coded, routed: false };
                self.ask(contact, ask, Insistence::Twice, Purpose::Mend, cx);
            }
            if self.storage.mending.as_ref().is_some_and(|mending| !mending.now.asked.is_empty()) {
                return;
            }
        }
        let Some(mending) = self.storage.mending.take() else { return };
        let Mending { waiting, now: mend } = *mending;
        self.give_fragment(&mend, cx);
        self.mend_next(waiting, cx);
    }

    /// Makes the fragments and gives them, if there are enough of the others.
    fn give_fragment(&mut self, mend: &Mend, cx: &mut Context<'_>) {
        // Fewer nodes than fragments: each has its share.
        let share = FRAGMENTS.div_ceil(mend.others.len() + 1);
        let numbers = mend.numbers();
        let mut missing: Vec<usize> = (0..FRAGMENTS).filter(|number| numbers >> number & 1 == 0).collect();
        missing.truncate(share);
        if missing.is_empty() {
            // Everybody has one more than is needed: the last has it no more for long.
            missing.extend(
                mend.others.iter().rev().find_map(|(_, has)| has.checked_ilog2()).map(|bit| bit as usize),
            );
        }
        let Ok(coded) = Coded::rebuild(mend.parts.values()) else { return };
        let fragments = coded.fragments().into_iter().filter(|fragment| missing.contains(&fragment.number()));
        let held = |fragment| Held {
            record: Record::Fragment(fragment),
            expires: mend.expires,
            publisher: mend.publisher,
        };
        let held: Vec<Held> = fragments.map(held).collect();
        if Some(mend.to.peer) == self.peer() {
            held.into_iter().for_each(|held| self.keep_copy(held, cx));
        } else {
            self.count_handed(&held);
            self.ask_or_dial(mend.to, Ask::Keep(held), Insistence::Thrice, Purpose::Repair, cx);
        }
    }
}
