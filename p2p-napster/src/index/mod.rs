//! Who shares what, and which of it has these words in its name: the inverted index of a server.

mod file;
mod filter;
mod limits;
mod words;

pub use file::{FileRef, FileSpec, Fingerprint, Kind, Kinds, UserId};
pub use filter::Filter;
pub use limits::{Limits, Refused};

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

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

/// The index.
#[derive(Debug)]
pub struct Index {
    limits: Limits,
    users: BTreeMap<UserId, Vec<Owned>>,
    totals: Totals,
}

#[derive(Debug)]
struct Owned {
    name: Vec<u8>,
    fingerprint: Fingerprint,
    size: u64,
    bitrate: u16,
    freq: u32,
    seconds: u32,
    kind: Kind,
}

impl Owned {
    fn as_ref(&self) -> FileRef<'_> {
        let Self { fingerprint, size, bitrate, freq, seconds, kind, .. } = *self;
        FileSpec { name: &self.name, fingerprint, size, bitrate, freq, seconds, kind }.as_ref()
    }
}

impl Index {
    /// An empty one. `key` is a secret from the driver's dice: without it nobody can choose words that collide.
    #[must_use]
    pub fn new(limits: Limits, key: [u64; 2]) -> Self {
        let _ = key;
        Self { limits, users: BTreeMap::new(), totals: Totals::default() }
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
        if words::words(file.name).count() > self.limits.words {
            return Err(Refused::ManyWords);
        }
        let wanted = file.as_ref();
        let shared = match self.find(user, file.name) {
            Some(old) if old == wanted => return Ok(Shared::Already),
            Some(_) => {
                self.unshare(user, file.name);
                Shared::Replaced
            }
            None if self.totals_of(user).files >= self.limits.files as u64 => return Err(Refused::ManyFiles),
            None => Shared::Added,
        };
        let FileSpec { name, fingerprint, bitrate, freq, seconds, kind, .. } = *file;
        let owned = Owned { name: name.into(), fingerprint, size: wanted.size, bitrate, freq, seconds, kind };
        self.users.entry(user).or_default().push(owned);
        self.totals.files += 1;
        self.totals.bytes += wanted.size;
        Ok(shared)
    }

    /// A user no longer shares the file of this name. False when it did not.
    pub fn unshare(&mut self, user: UserId, name: &[u8]) -> bool {
        let Some(files) = self.users.get_mut(&user) else { return false };
        let Some(at) = files.iter().position(|file| file.name == name) else { return false };
        let file = files.swap_remove(at);
        if files.is_empty() {
            self.users.remove(&user);
        }
        self.totals.files -= 1;
        self.totals.bytes -= file.size;
        true
    }

    /// A user shares nothing any more, or is gone. Returns how many files it had.
    pub fn unshare_all(&mut self, user: UserId) -> usize {
        let Some(files) = self.users.remove(&user) else { return 0 };
        self.totals.files -= files.len() as u64;
        self.totals.bytes -= files.iter().map(|file| file.size).sum::<u64>();
        files.len()
    }

    /// Calls `hit` with each holder of each file that the filter lets through, until `max` of the calls have returned
    /// true: it decides whether a hit counts (a server hides the asker's own files). Files come in the order of their
    /// entries, holders of a file in that of their ids: the same order as long as nothing changes.
    pub fn search(
        &self,
        filter: &Filter<'_>,
        max: usize,
        hit: &mut impl FnMut(UserId, FileRef<'_>) -> bool,
    ) -> Found {
        let mut hits = 0;
        for (user, files) in &self.users {
            for file in files.iter().map(Owned::as_ref).filter(|file| filter.matches(file)) {
                if hits == max {
                    return Found { hits, complete: true };
                }
                hits += usize::from(hit(*user, file));
            }
        }
        Found { hits, complete: true }
    }

    /// Calls `hit` with each holder of each file of this md5 and size, as [`search`](Self::search) does. A fingerprint
    /// that says nothing (32 zeros, or no 32 hex digits) finds nothing.
    pub fn by_digest(
        &self,
        fingerprint: &Fingerprint,
        size: u64,
        max: usize,
        hit: &mut impl FnMut(UserId, FileRef<'_>) -> bool,
    ) -> Found {
        let mut hits = 0;
        if fingerprint.md5().is_none_or(|md5| md5 == [0; 16]) {
            return Found { hits, complete: true };
        }
        for (user, files) in &self.users {
            for file in files.iter().map(Owned::as_ref) {
                if hits < max && file.fingerprint == *fingerprint && file.size == size {
                    hits += usize::from(hit(*user, file));
                }
            }
        }
        Found { hits, complete: true }
    }

    /// The file of this name that a user shares.
    #[must_use]
    pub fn find(&self, user: UserId, name: &[u8]) -> Option<FileRef<'_>> {
        self.browse(user).find(|file| file.is_named(name))
    }

    /// All files of a user.
    pub fn browse(&self, user: UserId) -> impl Iterator<Item = FileRef<'_>> {
        self.users.get(&user).into_iter().flatten().map(Owned::as_ref)
    }

    /// How much all users share.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals { users: self.users.len(), ..self.totals }
    }

    /// How much one user shares.
    #[must_use]
    pub fn totals_of(&self, user: UserId) -> Totals {
        let Some(files) = self.users.get(&user) else { return Totals::default() };
        Totals { users: 1, files: files.len() as u64, bytes: files.iter().map(|file| file.size).sum() }
    }
}
