//! The store on its way to and from the disk: nobody is told that a record is stored before it is there.

use super::answers::Asked;
use super::{Chord, Context};
use crate::api::Event;
use crate::store::{Entry, Held, Name, Progress, Refusal, Store, Taken, entries, piece};
use crate::wire::Answer;
use alloc::vec::Vec;
use p2p_core::{IoError, JobDone, JobId};

/// Who waits until what was stored is safe.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    /// The answer to somebody who handed over copies.
    Kept(Asked, Vec<Option<Refusal>>),
    /// Our own copy of a record that is being placed, or so many fragments.
    Placing(u32, usize),
    /// The answer to somebody who had something kept in its stead.
    Lodged(Asked, u32, Option<Refusal>),
}

impl Chord {
    pub(super) fn load_store(&mut self, cx: &mut Context<'_>) {
        // What is past takes as much as what is of use, and then some.
        let limit = (self.config.limits.bytes as u64).saturating_mul(3).saturating_add(4 << 20);
        if let Some(journal) = &mut self.storage.journal
            && let Some(job) = journal.load(limit)
        {
            journal.asked(cx.run(job));
        }
    }

    /// Notes what was taken into the store.
    pub(super) fn write_down(&mut self, name: &Name, taken: Taken) {
        let Some(journal) = &mut self.storage.journal else { return };
        let Some(held) = self.storage.store.get(name).filter(|_| journal.is_kept()) else { return };
        let entry = match taken {
            Taken::New => Entry::Held(held.clone()),
            Taken::Longer => Entry::longer(held),
            Taken::Again => return,
        };
        journal.append(&entry);
    }

    /// Notes what was taken in the stead of others.
    pub(super) fn write_lodged(&mut self, held: &Held, taken: Taken) {
        if taken != Taken::Again
            && let Some(journal) = &mut self.storage.journal
        {
            journal.append(&Entry::Lodged(held.clone()));
        }
    }

    /// Tells somebody when what was written down is safe.
    pub(super) fn when_safe(&mut self, waiting: Waiting, cx: &mut Context<'_>) {
        let at_once = match &mut self.storage.journal {
            Some(journal) => journal.wait(waiting),
            None => Some(waiting),
        };
        if let Some(waiting) = at_once {
            self.safe(waiting, Ok(()), cx);
        }
        self.write_store(cx);
    }

    pub(super) fn write_store(&mut self, cx: &mut Context<'_>) {
        let Some(journal) = &mut self.storage.journal else { return };
        let (store, lodgings) = (&self.storage.store, &self.storage.lodgings);
        let lodged = lodgings.as_ref().map(|lodgings| &lodgings.kept);
        let bytes = store.bytes() + lodged.map_or(0, Store::bytes);
        if let Some(job) = journal.work(bytes as u64, |from, to| piece(from, store, lodged, to)) {
            journal.asked(cx.run(job));
        }
    }

    pub(super) fn job(&mut self, job: JobId, done: JobDone, cx: &mut Context<'_>) {
        let Some(journal) = &mut self.storage.journal else { return };
        let (progress, next) = journal.done(job, done);
        if let Some(next) = next {
            journal.asked(cx.run(next));
        }
        match progress {
            Progress::NotMine => {}
            Progress::Under => self.write_store(cx),
            Progress::Loaded(data) => {
                let (entries, whole) = entries(&data);
                journal.set_whole(whole, data.len());
                self.load_entries(entries, cx);
                self.write_store(cx);
            }
            Progress::Lost(why) => {
                cx.tell(Event::StoreUnreadable(why));
                for waiting in journal.give_up() {
                    self.safe(waiting, Err(why), cx);
                }
            }
            Progress::Settled(waiting, result) => {
                if let Err(why) = result {
                    cx.tell(Event::StoreFailed(why));
                }
                for waiting in waiting {
                    self.safe(waiting, result, cx);
                }
                self.write_store(cx);
            }
        }
        self.halt_when_stored(cx);
    }

    fn load_entries(&mut self, entries: Vec<Entry>, cx: &mut Context<'_>) {
        let now = cx.unix_now();
        for entry in entries {
            match entry {
                Entry::Held(held) if held.record.check().is_ok() => {
                    // What is past its time, or came in newer in the meantime, is not wanted any more.
                    let _ = self.storage.store.put(held, None, now);
                }
                Entry::Lodged(held) if held.record.check().is_ok() => {
                    let _ = self.with_lodged(|kept| kept.put(held, None, now));
                }
                Entry::Held(_) | Entry::Lodged(_) => {}
                Entry::Longer(name, expires) => {
                    let longer = self.storage.store.get(&name).cloned();
                    if let Some(held) = longer {
                        let _ = self.storage.store.put(Held { expires, ..held }, None, now);
                    }
                }
            }
        }
        cx.tell(Event::Loaded { records: self.storage.store.len() });
    }

    fn safe(&mut self, waiting: Waiting, result: Result<(), IoError>, cx: &mut Context<'_>) {
        match waiting {
            Waiting::Kept(asked, mut kept) => {
                if result.is_err() {
                    kept.iter_mut().for_each(|refusal| *refusal = refusal.or(Some(Refusal::Full)));
                }
                self.reply(asked, Answer::Kept(kept), cx);
            }
            Waiting::Lodged(asked, load, refusal) => {
                let refusal = refusal.or_else(|| result.is_err().then_some(Refusal::Full));
                self.reply(asked, Answer::Lodged { load, refusal }, cx);
            }
            Waiting::Placing(number, own) => {
                self.own_copy(number, if result.is_ok() { own } else { 0 }, cx);
            }
        }
    }

    /// When it is to stop, and nothing is under way any more, it is done.
    pub(super) fn halt_when_stored(&mut self, cx: &mut Context<'_>) {
        let is_idle = self.storage.journal.as_ref().is_none_or(|journal| journal.is_idle());
        if self.storage.stopping && is_idle {
            self.close_streams(cx);
            cx.halt();
        }
    }
}
