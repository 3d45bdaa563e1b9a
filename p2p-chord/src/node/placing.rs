//! Copies of a record on their way to the nodes behind the one that is responsible: [`Placing`].

use super::answers::Asked;
use super::disk::Waiting;
use super::storage::DATAGRAM;
use super::{Chord, Context, Purpose};
use crate::contact::Contact;
use crate::peer::Peer;
use crate::pending::Insistence;
use crate::store::{Held, Refusal};
use crate::wire::{Answer, Ask};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Records that may be on their way to replicas at a time. More are refused: whoever puts tries again.
const MOST: usize = 1_024;

/// Whom to tell when there are enough copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Remote(Asked),
    Task(u32),
    /// It is done for the record's sake.
    Nobody,
}

/// What one node is to keep of a record: a copy, or its fragments.
type Parcel = Vec<Held>;

/// A record that is being copied.
#[derive(Clone, Debug)]
pub(super) struct Placing {
    client: Client,
    is_told: bool,
    /// Who was asked to keep what.
    parcels: Vec<(Peer, Parcel)>,
    /// Copies, or fragments, that are to be kept before it counts as stored.
    need: usize,
    copies: usize,
    outstanding: usize,
    messages: u16,
    /// Nodes further behind, should some not answer. The next is the last.
    spare: Vec<Contact>,
    refusal: Option<Refusal>,
}

impl Placing {
    /// What this node was asked to keep, if it was.
    fn take_parcel(&mut self, peer: Peer) -> Option<Parcel> {
        let at = self.parcels.iter().position(|(to, _)| *to == peer)?;
        self.outstanding -= 1;
        Some(self.parcels.swap_remove(at).1)
    }
}

impl Chord {
    pub(super) fn is_placing(&self, asked: &Asked) -> bool {
        self.storage.placings.values().any(|placing| placing.client == Client::Remote(*asked))
    }

    /// Has copies made of a record that was stored here.
    pub(super) fn place(&mut self, held: Held, client: Client, cx: &mut Context<'_>) {
        let copies = self.config.replicas.saturating_sub(1);
        let Some((targets, spare)) = self.replicas_behind(copies) else { return };
        let need = self.config.quorum.clamp(1, targets.len() + 1);
        let parcels = targets.into_iter().map(|contact| (contact, Vec::from([held.clone()]))).collect();
        self.place_parcels(parcels, spare, (need, 1), client, cx);
    }

    /// The next so many nodes, and those behind them, the last first.
    pub(super) fn replicas_behind(&self, count: usize) -> Option<(Vec<Contact>, Vec<Contact>)> {
        let mut targets: Vec<Contact> = self.ring()?.successors().to_vec();
        let mut spare = targets.split_off(count.min(targets.len()));
        spare.reverse();
        Some((targets, spare))
    }

    /// Has something kept by others that was stored here: `need` of it in all, of which `own` are here.
    pub(super) fn place_parcels(
        &mut self,
        parcels: Vec<(Contact, Parcel)>,
        spare: Vec<Contact>,
        (need, own): (usize, usize),
        client: Client,
        cx: &mut Context<'_>,
    ) {
        let number = self.storage.draw();
        let placing = Placing {
            client,
            is_told: false,
            parcels: Vec::new(),
            need,
            copies: 0,
            // Our own, until it is on the disk.
            outstanding: 1,
            messages: 0,
            spare,
            refusal: None,
        };
        if self.storage.placings.len() >= MOST {
            return self.refuse_client(client, Refusal::Busy, cx);
        }
        self.storage.placings.insert(number, Box::new(placing));
        for (contact, parcel) in parcels {
            self.copy_to(contact, parcel, number, cx);
        }
        self.when_safe(Waiting::Placing(number, own), cx);
    }

    /// What is ours to keep is safe, or cannot be.
    pub(super) fn own_copy(&mut self, number: u32, safe: usize, cx: &mut Context<'_>) {
        let Some(placing) = self.storage.placings.get_mut(&number) else { return };
        placing.outstanding -= 1;
        placing.copies += safe;
        self.placed(number, cx);
    }

    fn copy_to(&mut self, contact: Contact, parcel: Parcel, number: u32, cx: &mut Context<'_>) {
        let Some(placing) = self.storage.placings.get_mut(&number) else { return };
        placing.outstanding += 1;
        placing.messages += 1;
        let ask = Ask::Keep(parcel.clone());
        placing.parcels.push((contact.peer, parcel));
        self.ask_or_dial(contact, ask, Insistence::Thrice, Purpose::Keep(number), cx);
    }

    /// A node keeps a copy, or says why not.
    pub(super) fn copied_to(&mut self, number: u32, peer: Peer, answer: Answer, cx: &mut Context<'_>) {
        let Some(placing) = self.storage.placings.get_mut(&number) else { return };
        let Some(parcel) = placing.take_parcel(peer) else { return };
        placing.messages += 1;
        let Answer::Kept(kept) = answer else { return self.not_kept(number, parcel, cx) };
        placing.copies += kept.iter().take(parcel.len()).filter(|refusal| refusal.is_none()).count();
        placing.refusal = kept.into_iter().flatten().next().or(placing.refusal);
        self.placed(number, cx);
    }

    pub(super) fn not_copied(&mut self, number: u32, peer: Peer, cx: &mut Context<'_>) {
        if let Some(placing) = self.storage.placings.get_mut(&number)
            && let Some(parcel) = placing.take_parcel(peer)
        {
            self.not_kept(number, parcel, cx);
        }
    }

    /// A node is of no use: the next one is asked.
    fn not_kept(&mut self, number: u32, parcel: Parcel, cx: &mut Context<'_>) {
        let spare = self.storage.placings.get_mut(&number).and_then(|placing| placing.spare.pop());
        if let Some(contact) = spare {
            self.copy_to(contact, parcel, number, cx);
        }
        self.placed(number, cx);
    }

    /// Tells whoever waits once there are enough copies, or cannot be.
    fn placed(&mut self, number: u32, cx: &mut Context<'_>) {
        let Some(mut placing) = self.storage.placings.remove(&number) else { return };
        if !placing.is_told && placing.copies >= placing.need {
            placing.is_told = true;
            let copies = u8::try_from(placing.copies).unwrap_or(u8::MAX);
            let stored = Answer::Stored { copies, messages: placing.messages };
            self.tell_client(placing.client, stored, cx);
        }
        if placing.outstanding > 0 {
            self.storage.placings.insert(number, placing);
        } else if !placing.is_told {
            let too_few = Refusal::TooFew { copies: u8::try_from(placing.copies).unwrap_or(u8::MAX) };
            // A replica that has a newer version knows better than we do.
            let newer = placing.refusal.filter(|why| matches!(why, Refusal::Older { .. }));
            self.refuse_client(placing.client, newer.unwrap_or(too_few), cx);
        }
    }

    pub(super) fn refuse_client(&mut self, client: Client, why: Refusal, cx: &mut Context<'_>) {
        self.tell_client(client, Answer::Refused(why), cx);
    }

    fn tell_client(&mut self, client: Client, answer: Answer, cx: &mut Context<'_>) {
        match client {
            Client::Remote(asked) => self.reply(asked, answer, cx),
            Client::Task(task) => self.put_done(task, answer, cx),
            Client::Nobody => {}
        }
    }

    /// Asks by datagram, or by a stream if the question is too long for one.
    pub(super) fn ask_or_dial(
        &mut self,
        to: Contact,
        ask: Ask,
        insistence: Insistence,
        purpose: Purpose,
        cx: &mut Context<'_>,
    ) {
        let len = match &ask {
            Ask::Put { record, .. } => record.wire_len() + 18,
            Ask::Lodge { held, .. } => held.record.wire_len() + 25,
            Ask::Keep(copies) => copies.iter().map(|held| held.record.wire_len() + 20).sum(),
            _ => 0,
        };
        if len <= DATAGRAM {
            self.ask(to, ask, insistence, purpose, cx);
        } else {
            self.dial(to, ask, purpose, cx);
        }
    }
}
