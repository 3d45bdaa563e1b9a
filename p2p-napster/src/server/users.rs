//! Who is logged in: [`User`], and the table of [`Users`] by number and by nick, both in constant time.

use super::accounts::Account;
use super::answers::wire_addr;
use super::card::Card;
use super::config::{Bucket, Limits};
use super::link::Home;
use super::nick::fold;
use crate::index::{Paged, Table, UserId};
use crate::wire::message::{Level, Speed};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};
use core::net::IpAddr;
use p2p_core::{ConnId, Instant, Rng, UnixTime};
use siphasher::sip::SipHasher13;

/// Somebody who is logged in.
#[derive(Debug)]
pub(super) struct User {
    pub(super) conn: ConnId,
    /// Different for every login: a number in the table may be somebody else's later.
    pub(super) serial: u64,
    pub(super) nick: Arc<[u8]>,
    pub(super) client: Box<[u8]>,
    pub(super) email: Box<[u8]>,
    pub(super) ip: IpAddr,
    /// Where it takes data connections; 0: nowhere, it is firewalled. Set by [`Users::set_port`].
    pub(super) port: u16,
    /// Set by [`Users::set_speed`] once it is in the table.
    pub(super) speed: Speed,
    pub(super) level: Level,
    pub(super) registered: bool,
    pub(super) since: Instant,
    /// The same in civil time, as its own server told it: who of two with the same nick was first.
    pub(super) login_time: UnixTime,
    pub(super) shared: u32,
    pub(super) transfers: Transfers,
    pub(super) rates: Rates,
    /// What few users have.
    pub(super) social: Option<Box<Social>>,
    /// Where it is, if not on this server; `conn` is the link then.
    pub(super) home: Option<Box<Home>>,
}

/// Downloads and uploads under way, as the user says, and of this login.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Transfers {
    pub(super) downloads: u16,
    pub(super) uploads: u16,
    pub(super) downloads_done: u32,
    pub(super) uploads_done: u32,
}

/// What a user may still do.
#[derive(Debug)]
pub(super) struct Rates {
    pub(super) shares: Bucket,
    pub(super) searches: Bucket,
    pub(super) messages: Bucket,
}

impl Rates {
    pub(super) fn of_user(limits: &Limits, now: Instant) -> Self {
        Self {
            shares: limits.shares.bucket(now),
            searches: limits.searches.bucket(now),
            messages: limits.messages.bucket(now),
        }
    }

    pub(super) fn of_address(limits: &Limits, now: Instant) -> Self {
        Self {
            shares: limits.shares_per_address.bucket(now),
            searches: limits.searches_per_address.bucket(now),
            messages: limits.messages_per_address.bucket(now),
        }
    }
}

/// A user's lists and channels, and who asked it for what.
#[derive(Debug, Default)]
pub(super) struct Social {
    /// Channels it is in, by name in lower case.
    pub(super) channels: Vec<Box<[u8]>>,
    /// Nicks in lower case, of whose coming and going it is told.
    pub(super) hotlist: Vec<Box<[u8]>>,
    /// Nicks as it wrote them.
    pub(super) ignored: Vec<Box<[u8]>>,
    /// Requests for uploads that it was told of.
    pub(super) asked: VecDeque<Asked>,
}

/// A request that a user was told of (607): only to these may it agree.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) by: UserId,
    pub(super) serial: u64,
    pub(super) file: Box<[u8]>,
}

impl User {
    pub(super) fn social(&mut self) -> &mut Social {
        self.social.get_or_insert_default()
    }

    pub(super) fn ignores(&self, nick: &[u8]) -> bool {
        self.social
            .as_ref()
            .is_some_and(|social| social.ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(nick)))
    }

    pub(super) fn ignores_any(&self) -> bool {
        self.social.as_ref().is_some_and(|social| !social.ignored.is_empty())
    }

    pub(super) const fn is_firewalled(&self) -> bool {
        self.port == 0
    }

    /// The level of the account, if it has one, is what counts.
    pub(super) fn take_over(&mut self, account: Option<&Account>) {
        self.registered = account.is_some();
        self.level = account.map_or(Level::User, |account| account.level);
    }
}

/// Hashes nicks and addresses, with a key that strangers cannot know: no choice of them makes a look-up slow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NickHash(u64, u64);

impl NickHash {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        Self(rng.bits(), rng.bits())
    }
}

impl BuildHasher for NickHash {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// Hashes handles, which the driver numbers in their order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HandleHash;

/// Fibonacci hashing (Knuth, volume 3, section 6.4): one multiplication.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HandleHasher(u64);

impl BuildHasher for HandleHash {
    type Hasher = HandleHasher;
    fn build_hasher(&self) -> HandleHasher {
        HandleHasher(0)
    }
}

impl Hasher for HandleHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// Everybody who is logged in.
#[derive(Debug)]
pub(super) struct Users {
    slots: Vec<Option<Box<User>>>,
    /// What searches need of each, by the same numbers; of nobody where a slot is free.
    cards: Paged<Card>,
    free: Vec<UserId>,
    hash: NickHash,
    /// Numbers by the hash of the nick in lower case: a table that never stalls all users because it grows.
    by_nick: Table,
    serial: u64,
}

impl Users {
    pub(super) fn new(hash: NickHash) -> Self {
        Self {
            slots: Vec::new(),
            cards: Paged::default(),
            free: Vec::new(),
            hash,
            by_nick: Table::new(4),
            serial: 0,
        }
    }

    fn hash(&self, nick: &[u8]) -> u32 {
        let mut hasher = self.hash.build_hasher();
        hasher.write(fold(nick).as_slice());
        hasher.finish() as u32
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn insert(&mut self, user: User) -> UserId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            UserId(self.cards.push(Card::default()))
        });
        self.by_nick.insert(self.hash(&user.nick), id.0);
        self.cards[id.0] = Card::of(&user);
        if let Some(slot) = self.slots.get_mut(id.0 as usize) {
            *slot = Some(Box::new(user));
        }
        id
    }

    pub(super) fn remove(&mut self, id: UserId) -> Option<Box<User>> {
        let user = self.slots.get_mut(id.0 as usize)?.take()?;
        self.by_nick.replace(self.hash(&user.nick), id.0, None);
        self.cards[id.0] = Card::default();
        self.free.push(id);
        Some(user)
    }

    pub(super) fn get(&self, id: UserId) -> Option<&User> {
        self.slots.get(id.0 as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: UserId) -> Option<&mut User> {
        self.slots.get_mut(id.0 as usize)?.as_deref_mut()
    }

    /// What searches need of somebody.
    pub(super) fn card(&self, id: UserId) -> Option<&Card> {
        let card = ((id.0 as usize) < self.cards.len()).then(|| &self.cards[id.0])?;
        debug_assert_eq!(*card, self.get(id).map_or_else(Card::default, Card::of), "as the user is");
        Some(card)
    }

    /// Somebody has another line.
    pub(super) fn set_speed(&mut self, id: UserId, speed: Speed) {
        self.show(id, |user| user.speed = speed);
    }

    /// Somebody takes data connections elsewhere, if it can be dialled at all.
    pub(super) fn set_port(&mut self, id: UserId, port: u16) {
        self.show(id, |user| user.port = if wire_addr(user.ip).0 == 0 { 0 } else { port });
    }

    /// Changes something that its card shows.
    fn show(&mut self, id: UserId, change: impl FnOnce(&mut User)) {
        if let Some(user) = self.get_mut(id) {
            change(user);
            let card = Card::of(user);
            self.cards[id.0] = card;
        }
    }

    pub(super) fn find(&self, nick: &[u8]) -> Option<UserId> {
        let is = |id| self.get(UserId(id)).is_some_and(|user| user.nick.eq_ignore_ascii_case(nick));
        self.by_nick.find(self.hash(nick), is).map(UserId)
    }

    /// Who has this nick, with its number.
    pub(super) fn named(&self, nick: &[u8]) -> Option<(UserId, &User)> {
        let id = self.find(nick)?;
        Some((id, self.get(id)?))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (UserId, &User)> {
        self.slots.iter().enumerate().filter_map(|(i, slot)| Some((UserId(i as u32), slot.as_deref()?)))
    }

    /// Gives everybody these rates.
    pub(super) fn set_rates(&mut self, rates: impl Fn() -> Rates) {
        for user in self.slots.iter_mut().flatten() {
            user.rates = rates();
        }
    }

    /// Those in the table's part `part` of `parts`.
    pub(super) fn part(&self, part: usize, parts: usize) -> impl Iterator<Item = &User> {
        let at = |part: usize| self.slots.len() * part / parts.max(1);
        self.slots.get(at(part)..at(part + 1)).unwrap_or_default().iter().flatten().map(|user| &**user)
    }
}
