//! What outlives the machine, told as [`Change`]s to whoever keeps it: in batches, of which one is under way at a time.
//!
//! ```text
//!          a change                     kept: whoever waited is answered
//!  Idle ────────────► Told(batch 1) ───────────────────────────────────► Idle, or Told(batch 2): what came meanwhile
//!   ▲                     │ not kept: whoever waited is told so
//!   └── half a minute ────┘ what holds all the same is in the next batch
//! ```
//!
//! Changes that come while a batch is under way make up the next one, so a storm of registrations costs few writes; of
//! several changes of one account or ban the last one counts. News of changes is never missed: there is one batch at a
//! time.

use super::accounts::Account;
use super::bans::{Ban, Banned};
use super::nick::fold;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The name of a batch of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch(u64);

/// Something that became true, and is to be true when the machine is started again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// There is this account, in place of any before of the same nick (in whatever case).
    Account(Account),
    /// There is no account of this nick any more.
    Unregistered(Box<[u8]>),
    /// Somebody is banned.
    Banned(Banned, Ban),
    /// Is no longer.
    Unbanned(Banned),
    /// Somebody is muzzled.
    Muzzled(Banned, Ban),
    /// Is no longer.
    Unmuzzled(Banned),
}

/// What a change is of: the last one of each is what counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Account(Box<[u8]>),
    Ban(Banned),
    Muzzle(Banned),
}

impl Change {
    fn subject(&self) -> Subject {
        match self {
            Self::Account(account) => Subject::Account(fold(&account.nick).as_slice().into()),
            Self::Unregistered(nick) => Subject::Account(fold(nick).as_slice().into()),
            Self::Banned(who, _) | Self::Unbanned(who) => Subject::Ban(who.clone()),
            Self::Muzzled(who, _) | Self::Unmuzzled(who) => Subject::Muzzle(who.clone()),
        }
    }
}

/// The changes under way, those that come next, and who waits for them: `W`.
#[derive(Debug)]
pub(super) struct Changes<W> {
    last: u64,
    told: Option<Told<W>>,
    next: BTreeMap<Subject, Change>,
    waiting: Vec<W>,
}

#[derive(Debug)]
struct Told<W> {
    batch: Batch,
    changes: Vec<Change>,
    waiting: Vec<W>,
}

impl<W> Default for Changes<W> {
    fn default() -> Self {
        Self { last: 0, told: None, next: BTreeMap::new(), waiting: Vec::new() }
    }
}

impl<W> Changes<W> {
    /// Adds a change to the next batch, and who waits for it.
    pub(super) fn add(&mut self, change: Change, waiting: Option<W>) {
        self.next.insert(change.subject(), change);
        self.waiting.extend(waiting);
    }

    /// The next batch, if there is something to tell and none is under way.
    pub(super) fn tell(&mut self) -> Option<(Batch, Vec<Change>)> {
        if self.told.is_some() || self.next.is_empty() {
            return None;
        }
        self.last += 1;
        let batch = Batch(self.last);
        let changes: Vec<Change> = core::mem::take(&mut self.next).into_values().collect();
        let waiting = core::mem::take(&mut self.waiting);
        self.told = Some(Told { batch, changes: changes.clone(), waiting });
        Some((batch, changes))
    }

    /// A batch is kept, or is not; who waited for it. `None` if it is not under way. What was not kept is told again,
    /// with the next batch, if it still `holds` and nothing later was said of it.
    pub(super) fn settle(
        &mut self,
        batch: Batch,
        kept: bool,
        holds: impl Fn(&Change) -> bool,
    ) -> Option<Vec<W>> {
        let told = self.told.take_if(|told| told.batch == batch)?;
        if !kept {
            for change in told.changes.into_iter().filter(holds) {
                self.next.entry(change.subject()).or_insert(change);
            }
        }
        Some(told.waiting)
    }

    /// Changes that are not kept yet.
    pub(super) fn len(&self) -> usize {
        self.next.len() + self.told.as_ref().map_or(0, |told| told.changes.len())
    }

    /// Whether a batch is under way.
    pub(super) const fn is_told(&self) -> bool {
        self.told.is_some()
    }
}
