//! Copies of a record on their way to the nodes behind the one that is responsible: [`Placing`].

use super::answers::Asked;
use super::disk::Waiting;
use super::storage::DATAGRAM;
use super::{Chord, Context, Purpose};
use crate::contact::Contact;
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
}

/// A record that is being copied.
#[derive(Clone, Debug)]
pub(super) struct Placing {
    client: Client,
    is_told: bool,
    held: Held,
    need: usize,
    copies: usize,
    outstanding: usize,
    messages: u16,
    /// Nodes further behind, should some not answer. The next is the last.
    spare: Vec<Contact>,
    refusal: Option<Refusal>,
}

impl Chord {
    pub(super) fn is_placing(&self, asked: &Asked) -> bool {
        self.storage.placings.values().any(|placing| placing.client == Client::Remote(*asked))
    }

    /// Has copies made of a record that was stored here.
    pub(super) fn place(&mut self, held: Held, client: Client, cx: &mut Context<'_>) {
        let Some(ring) = self.ring() else { return };
        let mut targets: Vec<Contact> = ring.successors().to_vec();
        let copies = targets.len().min(self.config.replicas.saturating_sub(1));
        let mut spare = targets.split_off(copies);
        spare.reverse();
        let number = self.storage.draw();
        let placing = Placing {
            client,
            is_told: false,
            held,
            need: self.config.quorum.clamp(1, copies + 1),
            copies: 0,
            // Our own, until it is on the disk.
            outstanding: 1,
            messages: 0,
            spare,
            refusal: None,
        };
        if self.storage.placings.len() >= MOST {
            return self.tell_client(&placing, Err(Refusal::Busy), cx);
        }
        self.storage.placings.insert(number, Box::new(placing));
        for contact in targets {
            self.copy_to(contact, number, cx);
        }
        self.when_safe(Waiting::Placing(number), cx);
    }

    /// Our own copy is safe, or cannot be.
    pub(super) fn own_copy(&mut self, number: u32, is_safe: bool, cx: &mut Context<'_>) {
        let Some(placing) = self.storage.placings.get_mut(&number) else { return };
        placing.outstanding -= 1;
        placing.copies += usize::from(is_safe);
        self.placed(number, cx);
    }

    fn copy_to(&mut self, contact: Contact, number: u32, cx: &mut Context<'_>) {
        let Some(placing) = self.storage.placings.get_mut(&number) else { return };
        placing.outstanding += 1;
        placing.messages += 1;
        let ask = Ask::Keep(Vec::from([placing.held.clone()]));
        self.ask_or_dial(contact, ask, Insistence::Thrice, Purpose::Keep(number), cx);
    }

    /// A node keeps a copy, or says why not.
    pub(super) fn copied_to(&mut self, number: u32, answer: Answer, cx: &mut Context<'_>) {
        let Some(placing) = self.storage.placings.get_mut(&number) else { return };
        placing.outstanding -= 1;
        placing.messages += 1;
        match answer {
            Answer::Kept(kept) => match kept.first() {
                Some(None) => placing.copies += 1,
                Some(Some(refusal)) => placing.refusal = Some(*refusal),
                None => {}
            },
            _ => return self.not_kept(number, cx),
        }
        self.placed(number, cx);
    }

    pub(super) fn not_copied(&mut self, number: u32, cx: &mut Context<'_>) {
        if let Some(placing) = self.storage.placings.get_mut(&number) {
            placing.outstanding -= 1;
            self.not_kept(number, cx);
        }
    }

    /// A node is of no use: the next one is asked.
    fn not_kept(&mut self, number: u32, cx: &mut Context<'_>) {
        let spare = self.storage.placings.get_mut(&number).and_then(|placing| placing.spare.pop());
        if let Some(contact) = spare {
            self.copy_to(contact, number, cx);
        }
        self.placed(number, cx);
    }

    /// Tells whoever waits once there are enough copies, or cannot be.
    fn placed(&mut self, number: u32, cx: &mut Context<'_>) {
        let Some(mut placing) = self.storage.placings.remove(&number) else { return };
        if !placing.is_told && placing.copies >= placing.need {
            placing.is_told = true;
            self.tell_client(&placing, Ok(()), cx);
        }
        if placing.outstanding > 0 {
            self.storage.placings.insert(number, placing);
        } else if !placing.is_told {
            let too_few = Refusal::TooFew { copies: u8::try_from(placing.copies).unwrap_or(u8::MAX) };
            // A replica that has a newer version knows better than we do.
            let newer = placing.refusal.filter(|why| matches!(why, Refusal::Older { .. }));
            self.tell_client(&placing, Err(newer.unwrap_or(too_few)), cx);
        }
    }

    fn tell_client(&mut self, placing: &Placing, result: Result<(), Refusal>, cx: &mut Context<'_>) {
        let copies = u8::try_from(placing.copies).unwrap_or(u8::MAX);
        let answer = match result {
            Ok(()) => Answer::Stored { copies, messages: placing.messages },
            Err(refusal) => Answer::Refused(refusal),
        };
        match placing.client {
            Client::Remote(asked) => self.reply(asked, answer, cx),
            Client::Task(task) => self.put_done(task, answer, cx),
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
