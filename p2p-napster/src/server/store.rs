//! Accounts and bans on their way to and from the disk, and the commands that change them.

use super::accounts::{Account, Accounts, Hashed};
use super::bans::{Ban, Banned, Bans};
use super::journal::{Progress, records};
use super::login::Entry;
use super::nick::is_valid;
use super::password::{Purpose, Salt};
use super::record::{Kind, Record};
use super::{Server, ServerCommand, ServerError, ServerEvent, ServerStats};
use crate::wire::{Level, ToClient};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use p2p_core::{ConnId, Cx, Duration, IoError, JobDone, JobId, OpId, UnixTime};

/// Who waits until a record is safe.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A registration is answered when no crash can undo it.
    Registered {
        /// Whose.
        conn: ConnId,
        /// What was registered.
        account: Box<Account>,
        /// With what it logs in then.
        entry: Box<Entry>,
    },
    /// So is a command.
    Command(OpId),
}

/// Who bans somebody, why, and for how long.
pub(super) struct Sentence<'a> {
    pub(super) by: &'a [u8],
    pub(super) reason: &'a [u8],
    pub(super) during: Option<Duration>,
}

impl Server {
    pub(super) fn load_store(&mut self, cx: &mut Cx<'_, Self>) {
        if let Some(job) = self.journal.load(self.config.limits.store_bytes) {
            let id = cx.run(job);
            self.journal.asked(id);
        }
    }

    /// Notes what became true; `waiting` is told when it is safe, at once if nothing is stored.
    pub(super) fn store(&mut self, cx: &mut Cx<'_, Self>, record: &Record<'_>, waiting: Option<Waiting>) {
        if let Some(waiting) = self.journal.append(record, waiting) {
            self.settled(cx, waiting, Ok(()));
        }
        self.write_store(cx);
    }

    fn write_store(&mut self, cx: &mut Cx<'_, Self>) {
        let (accounts, bans) = (&self.accounts, [&self.bans, &self.muzzles]);
        let now = cx.unix_now();
        let whole = |out: &mut BytesMut| put_all(out, accounts, bans, now);
        if let Some(job) = self.journal.work(whole) {
            let id = cx.run(job);
            self.journal.asked(id);
        }
    }

    pub(super) fn job(&mut self, cx: &mut Cx<'_, Self>, job: JobId, done: JobDone) {
        let (progress, next) = self.journal.done(job, done);
        if let Some(next) = next {
            let id = cx.run(next);
            self.journal.asked(id);
        }
        match progress {
            Progress::NotMine(JobDone::Derived(hash)) => self.derived(cx, job, hash),
            // A driver that answers another thing than was asked for: the password cannot be checked.
            Progress::NotMine(_) => self.derived(cx, job, Err(IoError::Other)),
            Progress::Loaded(data) => self.loaded(cx, &data),
            Progress::Lost(why) => cx.tell(ServerEvent::StoreUnreadable(why)),
            Progress::Settled(waiting, result) => {
                if let Err(why) = result {
                    cx.tell(ServerEvent::StoreFailed(why));
                }
                for waiting in waiting {
                    self.settled(cx, waiting, result);
                }
                self.write_store(cx);
            }
            Progress::Under => {}
        }
        self.halt_when_stored(cx);
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>, data: &Bytes) {
        let (records, torn) = records(data);
        let (now, most) = (cx.unix_now(), self.config.limits.bans);
        for record in records {
            match record {
                Record::Account(account) if self.accounts.len() < self.config.limits.accounts => {
                    self.accounts.insert(account.into_owned());
                }
                Record::Account(_) => {}
                Record::Gone(nick) => drop(self.accounts.remove(&nick)),
                Record::Ban(kind, who, ban) => {
                    self.bans_of(kind).insert(who.into_owned(), ban.into_owned(), most, now);
                }
                Record::Lifted(kind, who) => drop(self.bans_of(kind).remove(&who)),
            }
        }
        let mut live = BytesMut::new();
        put_all(&mut live, &self.accounts, [&self.bans, &self.muzzles], now);
        self.journal.set_live(live.len() as u64);
        let bans = self.bans.iter(now).count() + self.muzzles.iter(now).count();
        cx.tell(ServerEvent::Loaded { accounts: self.accounts.len(), bans, torn });
        self.write_store(cx);
    }

    pub(super) const fn bans_of(&mut self, kind: Kind) -> &mut Bans {
        match kind {
            Kind::Ban => &mut self.bans,
            Kind::Muzzle => &mut self.muzzles,
        }
    }

    fn settled(&mut self, cx: &mut Cx<'_, Self>, waiting: Waiting, result: Result<(), IoError>) {
        match waiting {
            Waiting::Registered { conn, account, entry } => {
                self.registered(cx, conn, *account, &entry, result)
            }
            Waiting::Command(op) => cx.finish(op, result.map_err(ServerError::Store)),
        }
    }

    /// When it is to stop, and nothing is under way any more, it is done.
    pub(super) fn halt_when_stored(&self, cx: &mut Cx<'_, Self>) {
        if self.stopping && self.journal.is_idle() {
            cx.halt();
        }
    }

    /// Somebody is banned or muzzled from now on; false if there are too many.
    pub(super) fn ban(
        &mut self,
        cx: &mut Cx<'_, Self>,
        kind: Kind,
        who: &Banned,
        sentence: &Sentence<'_>,
        waiting: Option<Waiting>,
    ) -> bool {
        let since = cx.unix_now();
        let ends = |during: Duration| UnixTime::from_secs(since.as_secs().saturating_add(during.as_secs()));
        let until = sentence.during.map(ends);
        let ban = Ban { by: sentence.by.into(), reason: sentence.reason.into(), since, until };
        let most = self.config.limits.bans;
        if !self.bans_of(kind).insert(who.clone(), ban.clone(), most, since) {
            return false;
        }
        if kind == Kind::Ban {
            cx.tell(ServerEvent::Banned(who.clone(), ban.clone()));
        }
        self.store(cx, &Record::Ban(kind, Cow::Borrowed(who), Cow::Borrowed(&ban)), waiting);
        true
    }

    /// A ban is lifted; false if there was none.
    pub(super) fn lift(
        &mut self,
        cx: &mut Cx<'_, Self>,
        kind: Kind,
        who: &Banned,
        waiting: Option<Waiting>,
    ) -> bool {
        if self.bans_of(kind).remove(who).is_none() {
            return false;
        }
        if kind == Kind::Ban {
            cx.tell(ServerEvent::Unbanned(who.clone()));
        }
        self.store(cx, &Record::Lifted(kind, Cow::Borrowed(who)), waiting);
        true
    }

    /// An account has changed, and everybody who shows it.
    pub(super) fn changed(&mut self, cx: &mut Cx<'_, Self>, nick: &[u8], waiting: Option<Waiting>) {
        let Some(account) = self.accounts.get(nick).cloned() else { return };
        if let Some(user) = self.users.find(nick)
            && let Some(user) = self.users.get_mut(user)
        {
            user.take_over(Some(&account));
        }
        self.store(cx, &Record::Account(Cow::Borrowed(&account)), waiting);
        cx.tell(ServerEvent::Account(account));
    }

    /// An account is gone from now on; false if there was none.
    pub(super) fn unregister(
        &mut self,
        cx: &mut Cx<'_, Self>,
        nick: &[u8],
        waiting: Option<Waiting>,
    ) -> bool {
        let Some(account) = self.accounts.remove(nick) else { return false };
        if let Some(user) = self.users.find(nick)
            && let Some(user) = self.users.get_mut(user)
        {
            user.take_over(None);
        }
        self.store(cx, &Record::Gone(Cow::Borrowed(&account.nick)), waiting);
        cx.tell(ServerEvent::Unregistered(account.nick));
        true
    }

    /// An account's new password was hashed.
    pub(super) fn change_hashed(&mut self, cx: &mut Cx<'_, Self>, nick: &[u8], salt: Salt, hash: [u8; 32]) {
        let Some(account) = self.accounts.get_mut(nick) else { return };
        account.password = Hashed { salt: salt.salt, hash, cost: salt.cost };
        self.changed(cx, nick, None);
    }

    /// The password of a nick that the application registers was hashed.
    pub(super) fn command_hashed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        nick: Box<[u8]>,
        level: Level,
        salt: Salt,
        hash: Result<[u8; 32], IoError>,
    ) {
        let hash = match hash {
            Ok(hash) => hash,
            Err(why) => return cx.finish(op, Err(ServerError::Store(why))),
        };
        let now = cx.unix_now();
        let created = self.accounts.get(&nick).map_or(now, |account| account.created);
        let password = Hashed { salt: salt.salt, hash, cost: salt.cost };
        let email = self.accounts.get(&nick).map_or_else(Box::default, |account| account.email.clone());
        self.accounts.insert(Account { nick: nick.clone(), level, password, email, created, seen: now });
        self.changed(cx, &nick, Some(Waiting::Command(op)));
    }

    pub(super) fn command(&mut self, cx: &mut Cx<'_, Self>, op: OpId, command: ServerCommand) {
        if !self.journal.is_ready() || self.stopping {
            return cx.finish(op, Err(ServerError::NotReady));
        }
        match command {
            ServerCommand::Register { nick, password, level } => {
                self.command_register(cx, op, nick, &password, level);
            }
            ServerCommand::Unregister(nick) => {
                let done = self.unregister(cx, &nick, Some(Waiting::Command(op)));
                finish_undone(cx, op, done, ServerError::Unknown);
            }
            ServerCommand::SetLevel(nick, level) => match self.accounts.get_mut(&nick) {
                Some(account) => {
                    account.level = level;
                    self.changed(cx, &nick, Some(Waiting::Command(op)));
                }
                None => cx.finish(op, Err(ServerError::Unknown)),
            },
            ServerCommand::Kill { nick, reason } => {
                let user = self.users.find(&nick);
                if let Some(user) = user {
                    self.throw_out(cx, user, &[b"You were killed by the server: ", &reason[..]].concat());
                }
                cx.finish(op, user.map(drop).ok_or(ServerError::Unknown));
            }
            ServerCommand::Ban { who, reason, during } => {
                self.command_ban(cx, op, Kind::Ban, &who, (&reason, during));
                self.throw_out_banned(cx, &who);
            }
            ServerCommand::Muzzle { who, reason, during } => {
                self.command_ban(cx, op, Kind::Muzzle, &who, (&reason, during));
            }
            ServerCommand::Unban(who) => self.command_lift(cx, op, Kind::Ban, &who),
            ServerCommand::Unmuzzle(who) => self.command_lift(cx, op, Kind::Muzzle, &who),
            other => self.question(cx, op, other),
        }
    }

    fn command_ban(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        kind: Kind,
        who: &Banned,
        (reason, during): (&[u8], Option<Duration>),
    ) {
        let by = self.config.name.clone();
        let sentence = Sentence { by: by.as_bytes(), reason, during };
        let done = self.ban(cx, kind, who, &sentence, Some(Waiting::Command(op)));
        finish_undone(cx, op, done, ServerError::Full);
    }

    fn command_lift(&mut self, cx: &mut Cx<'_, Self>, op: OpId, kind: Kind, who: &Banned) {
        let done = self.lift(cx, kind, who, Some(Waiting::Command(op)));
        finish_undone(cx, op, done, ServerError::Unknown);
    }

    /// Commands that store nothing.
    fn question(&mut self, cx: &mut Cx<'_, Self>, op: OpId, command: ServerCommand) {
        let now = cx.unix_now();
        let all = |bans: &Bans| -> Vec<(Banned, Ban)> {
            bans.iter(now).map(|(who, ban)| (who.clone(), ban.clone())).collect()
        };
        match command {
            ServerCommand::Announce(text) => {
                let nick = self.config.name.clone();
                let everybody: Vec<_> = self.users.iter().map(|(id, _)| id).collect();
                self.tell_all(cx, everybody, &ToClient::GlobalMessage { nick: nick.as_bytes(), text: &text });
            }
            ServerCommand::Motd(lines) => self.config.motd = lines,
            ServerCommand::SetLimits(limits) => self.config.limits = *limits,
            ServerCommand::Bans => {
                let (bans, muzzles) = (all(&self.bans), all(&self.muzzles));
                cx.answer(op, ServerEvent::Bans(bans, muzzles));
            }
            ServerCommand::Accounts => {
                let accounts = self.accounts.iter().cloned().collect();
                cx.answer(op, ServerEvent::Accounts(accounts));
            }
            ServerCommand::Stats => cx.answer(op, ServerEvent::Stats(self.counts())),
            _ => {}
        }
        cx.finish(op, Ok(()));
    }

    fn command_register(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        nick: Box<[u8]>,
        password: &[u8],
        level: Level,
    ) {
        let limits = &self.config.limits;
        if !is_valid(&nick, limits.nick) || password.is_empty() || password.len() > limits.password {
            return cx.finish(op, Err(ServerError::Invalid));
        }
        if self.accounts.get(&nick).is_none() && self.accounts.len() >= limits.accounts {
            return cx.finish(op, Err(ServerError::Full));
        }
        let salt = self.new_salt(cx);
        if !self.derive(cx, Purpose::Command(op, nick, level), password, salt) {
            cx.finish(op, Err(ServerError::Full));
        }
    }

    /// What it did since it started, and what it holds.
    #[must_use]
    pub fn counts(&self) -> ServerStats {
        let totals = self.index.totals();
        let v6 = self.sessions.values().filter(|session| session.peer.is_ipv6()).count() as u64;
        ServerStats {
            users: (self.users.len() - self.links.totals().0) as u64,
            links: self.links.count() as u64,
            linked_users: self.links.totals().0 as u64,
            linked_files: self.links.totals().1,
            connections_v4: self.sessions.len() as u64 - v6,
            connections_v6: v6,
            accounts: self.accounts.len() as u64,
            channels: self.channels.len() as u64,
            files: totals.files,
            bytes: totals.bytes,
            ..self.stats
        }
    }
}

/// All that is true, as records.
fn put_all(out: &mut BytesMut, accounts: &Accounts, [bans, muzzles]: [&Bans; 2], now: UnixTime) {
    for account in accounts.iter() {
        Record::Account(Cow::Borrowed(account)).encode(out);
    }
    for (kind, bans) in [(Kind::Ban, bans), (Kind::Muzzle, muzzles)] {
        for (who, ban) in bans.iter(now) {
            Record::Ban(kind, Cow::Borrowed(who), Cow::Borrowed(ban)).encode(out);
        }
    }
}

/// Ends a command that did nothing; one that waits for the disk ends later.
fn finish_undone(cx: &mut Cx<'_, Server>, op: OpId, done: bool, why: ServerError) {
    if !done {
        cx.finish(op, Err(why));
    }
}
