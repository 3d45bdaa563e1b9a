//! Registered nicks: [`Account`], and the table of them.

use super::nick::fold;
use crate::wire::message::Level;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::fmt;
use p2p_core::{Cost, UnixTime};

/// A registered nick.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The nick as it was registered.
    pub nick: Box<[u8]>,
    /// What it may do.
    pub level: Level,
    /// The hash of its password.
    pub password: Hashed,
    /// An address of mail, as the user gave it.
    pub email: Box<[u8]>,
    /// When it was registered.
    pub created: UnixTime,
    /// When it was last here, as far as that was stored.
    pub seen: UnixTime,
}

impl Account {
    /// An account of which no more is known.
    #[must_use]
    pub fn new(nick: impl Into<Box<[u8]>>, level: Level, password: Hashed) -> Self {
        let (created, seen) = (UnixTime::default(), UnixTime::default());
        Self { nick: nick.into(), level, password, email: Box::default(), created, seen }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("nick", &Bytes(&self.nick))
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Shows bytes as text with escapes.
struct Bytes<'a>(&'a [u8]);

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A password's hash (argon2id), and what it was made with.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed {
    /// Random bytes.
    pub salt: [u8; 16],
    /// The 32 bytes derived from password and salt.
    pub hash: [u8; 32],
    /// How slowly.
    pub cost: Cost,
}

// Neither hash nor salt belong into a log.
impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashed").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Hashed {
    /// Whether these are the same 32 bytes, in a time that does not depend on where they differ.
    pub(super) fn is(&self, hash: &[u8; 32]) -> bool {
        let differ = self.hash.iter().zip(hash).fold(0, |differ, (a, b)| differ | (a ^ b));
        core::hint::black_box(differ) == 0
    }
}

/// All registered nicks, by nick in lower case.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    by_nick: BTreeMap<Box<[u8]>, Account>,
}

impl Accounts {
    pub(super) fn get(&self, nick: &[u8]) -> Option<&Account> {
        self.by_nick.get(fold(nick).as_slice())
    }

    pub(super) fn get_mut(&mut self, nick: &[u8]) -> Option<&mut Account> {
        self.by_nick.get_mut(fold(nick).as_slice())
    }

    pub(super) fn insert(&mut self, account: Account) -> Option<Account> {
        self.by_nick.insert(fold(&account.nick).as_slice().into(), account)
    }

    pub(super) fn remove(&mut self, nick: &[u8]) -> Option<Account> {
        self.by_nick.remove(fold(nick).as_slice())
    }

    pub(super) fn len(&self) -> usize {
        self.by_nick.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.by_nick.values()
    }
}
