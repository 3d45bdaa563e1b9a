//! Who shares what, and which of it has these words in its name: the inverted index of a server, in memory.
//!
//! ```text
//!   word ──► Dictionary ──► Postings: numbers of entries, sorted
//!                                │
//!   folder ◄── Catalogue entry ◄─┘  name, md5, size, attributes: once for all that share it
//!                  │      ▲
//!          holders │      │ Holdings: the entries of one user
//!                  ▼      │
//!                   UserId
//! ```
//!
//! Another holder of a known file costs an entry in two lists, and no word is looked at. What nobody holds any more
//! stays for a while: it is invisible, a user that comes back finds it in place, and it is taken out bit by bit with
//! later changes. So a logout costs what its files number, and nothing ever costs what all files number. Tables and
//! lists grow part by part for the same reason.

mod ahead;
mod arena;
mod catalogue;
mod dictionary;
mod entry;
mod file;
mod filter;
mod folders;
mod holdings;
mod key;
mod limits;
mod paged;
mod postings;
mod search;
mod table;
mod twins;
mod words;

pub use file::{FileRef, FileSpec, Fingerprint, Kind, Kinds, UserId};
pub use filter::Filter;
pub use limits::{Limits, Refused};
pub(crate) use paged::Paged;
pub(crate) use table::Table;

use alloc::collections::{BTreeMap, VecDeque};
use catalogue::Catalogue;
use dictionary::Dictionary;
use entry::Sought;
use holdings::Holdings;
use key::HashKey;

/// What became of a file that a user shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// It is the user's from now on.
    Added,
    /// The user shares it already, with these attributes: nothing has changed.
    Already,
    /// The user shared a file of this name with other attributes; these are in their place now.
    Replaced,
}

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Hits that counted.
    pub hits: usize,
    /// False when [`Limits::search_steps`] cut it: there may be more.
    pub complete: bool,
}

/// How much is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Users that share a file at least.
    pub users: usize,
    /// Shared files: one that three users share counts three times.
    pub files: u64,
    /// Bytes of all of those.
    pub bytes: u64,
}

/// What an index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Different files.
    pub entries: usize,
    /// Those among them that nobody holds any more, or not yet again.
    pub fallow: usize,
    /// Different words.
    pub words: usize,
}

/// How many entries that nobody holds a logout takes out at most: that is some hundred microseconds.
const TIDY_LOGOUT: usize = 256;

/// The index. See the [module](self).
#[derive(Debug)]
pub struct Index {
    limits: Limits,
    catalogue: Catalogue,
    dictionary: Dictionary,
    users: BTreeMap<UserId, Holdings>,
    totals: Totals,
    /// Entries that nobody held when they came in here, the oldest first; each is here once.
    waiting: VecDeque<u32>,
    /// How many entries nobody holds; all of those wait.
    fallow: usize,
}

impl Index {
    /// An empty one. `key` is a secret from the driver's dice: without it nobody can choose words that collide.
    #[must_use]
    pub fn new(limits: Limits, key: [u64; 2]) -> Self {
        let key = HashKey::new(key);
        // A name has to fit a page of the texts.
        let name_bytes = limits.name_bytes.min(arena::LONGEST / 2 - entry::OVERHEAD);
        Self {
            limits: Limits { name_bytes, ..limits },
            catalogue: Catalogue::new(key),
            dictionary: Dictionary::new(key),
            users: BTreeMap::new(),
            totals: Totals::default(),
            waiting: VecDeque::new(),
            fallow: 0,
        }
    }

    /// How many files each user may share from now on; who has more keeps them.
    pub const fn set_files_per_user(&mut self, files: usize) {
        self.limits.files = files;
    }

    /// A user shares a file.
    ///
    /// # Errors
    /// What passes a limit; the index is as before then.
    pub fn share(&mut self, user: UserId, file: &FileSpec<'_>) -> Result<Shared, Refused> {
        if file.name.is_empty() {
            return Err(Refused::Nameless);
        }
        if file.name.len() > self.limits.name_bytes {
            return Err(Refused::LongName);
        }
        let sought = self.catalogue.sought(file.as_ref());
        self.catalogue.fetch(&sought);
        let holdings = self.users.get(&user);
        let old = holdings.and_then(|own| {
            let at = own.find(sought.tag, |entry| self.catalogue.is_named(entry, file.name))?;
            Some((at, own.files()[at]))
        });
        match old {
            Some((_, entry)) if self.catalogue.is(entry, &sought) => return Ok(Shared::Already),
            None if holdings.map_or(0, |own| own.files().len()) >= self.limits.files => {
                return Err(Refused::ManyFiles);
            }
            _ => {}
        }
        let entry = match self.catalogue.find(&sought) {
            Some(entry) => entry,
            None => self.enter(&sought)?,
        };
        let own = self.users.entry(user).or_default();
        own.push(entry, sought.tag, |entry| self.catalogue.tag_of(entry));
        own.bytes += sought.file.size;
        self.totals.files += 1;
        self.totals.bytes += sought.file.size;
        if self.catalogue.join(entry, user.0) {
            self.fallow -= 1;
        }
        let Some((at, _)) = old else { return Ok(Shared::Added) };
        self.take(user, at, sought.tag);
        Ok(Shared::Replaced)
    }

    /// Makes an entry, which nobody holds yet.
    fn enter(&mut self, sought: &Sought<'_>) -> Result<u32, Refused> {
        if !self.catalogue.has_room() || !self.dictionary.has_room() {
            return Err(Refused::Full);
        }
        self.tidy(2);
        let name = [sought.file.folder, sought.file.base];
        if !self.dictionary.look_up(name, self.limits.words) {
            return Err(Refused::ManyWords);
        }
        let entry = self.catalogue.add(sought);
        self.dictionary.add(name, entry);
        self.fallow += 1;
        Ok(entry)
    }

    /// A user no longer shares the file of this name. False when it did not.
    pub fn unshare(&mut self, user: UserId, name: &[u8]) -> bool {
        let Some(own) = self.users.get(&user) else { return false };
        let tag = self.catalogue.tag(name);
        let Some(at) = own.find(tag, |entry| self.catalogue.is_named(entry, name)) else { return false };
        self.take(user, at, tag);
        self.tidy(2);
        true
    }

    /// Takes one file, with this tag, from a user.
    fn take(&mut self, user: UserId, at: usize, tag: u32) {
        let Some(own) = self.users.get_mut(&user) else { return };
        let entry = own.files()[at];
        let size = self.catalogue.size(entry);
        own.remove(at, tag, |entry| self.catalogue.tag_of(entry));
        own.bytes -= size;
        if own.files().is_empty() {
            self.users.remove(&user);
        }
        self.totals.files -= 1;
        self.totals.bytes -= size;
        self.leave(entry, user);
    }

    fn leave(&mut self, entry: u32, user: UserId) {
        if self.catalogue.leave(entry, user.0) {
            self.fallow += 1;
            if self.catalogue.wait(entry) {
                self.waiting.push_back(entry);
            }
        }
    }

    /// A user shares nothing any more, or is gone. Returns how many files it had.
    pub fn unshare_all(&mut self, user: UserId) -> usize {
        let Some(own) = self.users.remove(&user) else { return 0 };
        for entry in own.files() {
            self.leave(*entry, user);
        }
        self.totals.files -= own.files().len() as u64;
        self.totals.bytes -= own.bytes;
        self.tidy(TIDY_LOGOUT);
        own.files().len()
    }

    /// Takes out entries that nobody holds, if there are many of them, and at most so many. Changes do it by themselves;
    /// a server that sees no changes after a great many logouts can do it by a timer. Returns how many it took out.
    pub fn tidy(&mut self, most: usize) -> usize {
        let mut done = 0;
        while done < most && self.fallow > self.limits.fallow + self.catalogue.len() / 16 {
            let Some(entry) = self.waiting.pop_front() else { break };
            if self.catalogue.waited(entry) {
                let (folder, base) = self.catalogue.name(entry);
                for word in words::words(folder).chain(words::words(base)) {
                    self.dictionary.remove(word, entry);
                }
                self.catalogue.remove(entry);
                self.fallow -= 1;
                done += 1;
            }
        }
        done
    }

    /// The file of this name that a user shares.
    #[must_use]
    pub fn find(&self, user: UserId, name: &[u8]) -> Option<FileRef<'_>> {
        let own = self.users.get(&user)?;
        let at = own.find(self.catalogue.tag(name), |entry| self.catalogue.is_named(entry, name))?;
        Some(self.catalogue.file(own.files()[at]))
    }

    /// All files of a user.
    pub fn browse(&self, user: UserId) -> impl Iterator<Item = FileRef<'_>> {
        self.users.get(&user).into_iter().flat_map(Holdings::files).map(|entry| self.catalogue.file(*entry))
    }

    /// How much all users share.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals { users: self.users.len(), ..self.totals }
    }

    /// How much one user shares.
    #[must_use]
    pub fn totals_of(&self, user: UserId) -> Totals {
        let Some(own) = self.users.get(&user) else { return Totals::default() };
        Totals { users: 1, files: own.files().len() as u64, bytes: own.bytes }
    }

    /// How much the index holds: what strangers can make grow.
    #[must_use]
    pub fn load(&self) -> Load {
        Load { entries: self.catalogue.len(), fallow: self.fallow, words: self.dictionary.len() }
    }
}
