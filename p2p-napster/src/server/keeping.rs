//! Accounts and bans as they change: what is told to whoever keeps them, and who is answered when they are kept.

use super::accounts::Account;
use super::bans::{Ban, Banned, Bans, Kind};
use super::changes::{Batch, Change};
use super::login::Entry;
use super::{Server, ServerError, ServerEvent, ServerTimer};
use crate::index::UserId;
use alloc::boxed::Box;
use alloc::format;
use p2p_core::{ConnId, Cx, Duration, IoError, OpId, UnixTime};

/// How long what could not be kept waits for the next attempt.
const AGAIN: Duration = Duration::from_secs(30);

/// Who waits until a change is kept.
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
    /// So is a command of the application.
    Command(OpId),
    /// And an operator's.
    Order {
        /// Whose, and in which login.
        by: UserId,
        serial: u64,
        /// What all operators are told then.
        text: Option<Box<[u8]>>,
    },
}

/// Who bans somebody, why, and for how long.
pub(super) struct Sentence<'a> {
    pub(super) by: &'a [u8],
    pub(super) reason: &'a [u8],
    pub(super) during: Option<Duration>,
}

impl Server {
    /// Tells what became true; `waiting` is answered when it is kept, at once if nobody keeps it.
    pub(super) fn change(&mut self, cx: &mut Cx<'_, Self>, change: Change, waiting: Option<Waiting>) {
        self.changes.add(change, waiting);
        self.tell_changes(cx);
    }

    pub(super) fn tell_changes(&mut self, cx: &mut Cx<'_, Self>) {
        while let Some((batch, changes)) = self.changes.tell() {
            cx.clear_timer(ServerTimer::Keep);
            cx.tell(ServerEvent::Changes { batch, changes });
            if !self.config.keep {
                self.settle(cx, batch, Ok(()));
            }
        }
    }

    /// A batch is kept, or could not be; false if it is not under way.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_, Self>, batch: Batch, kept: Result<(), IoError>) -> bool {
        let accounts = &self.accounts;
        // Who could not register is told so, and has no account.
        let holds = |change: &Change| match change {
            Change::Account(account) => accounts.get(&account.nick).is_some(),
            _ => true,
        };
        let Some(waiting) = self.changes.settle(batch, kept.is_ok(), holds) else { return false };
        for waiting in waiting {
            self.settled(cx, waiting, kept);
        }
        match kept {
            Ok(()) => self.tell_changes(cx),
            // A disk without room has none a moment later.
            Err(_) if !self.stopping => cx.set_timer(ServerTimer::Keep, AGAIN),
            Err(_) => {}
        }
        true
    }

    fn settled(&mut self, cx: &mut Cx<'_, Self>, waiting: Waiting, kept: Result<(), IoError>) {
        match waiting {
            Waiting::Registered { conn, account, entry } => {
                self.registered(cx, conn, *account, &entry, kept);
            }
            Waiting::Command(op) => cx.finish(op, kept.map_err(ServerError::Kept)),
            Waiting::Order { by, serial, text } => match (kept, text) {
                (Ok(()), Some(text)) => self.tell_operators(cx, &text),
                (Ok(()), None) => {}
                (Err(why), _) => {
                    if let Some(user) = self.users.get(by).filter(|user| user.serial == serial) {
                        let conn = user.conn;
                        self.notice(
                            cx,
                            conn,
                            &format!("this holds until a restart, it could not be kept: {why}"),
                        );
                    }
                }
            },
        }
    }

    /// An operator who waits, and what all operators are told when it is kept.
    pub(super) fn order(&self, by: UserId, text: Option<&[u8]>) -> Option<Waiting> {
        let serial = self.users.get(by)?.serial;
        Some(Waiting::Order { by, serial, text: text.map(Into::into) })
    }

    pub(super) const fn bans_of(&mut self, kind: Kind) -> &mut Bans {
        match kind {
            Kind::Ban => &mut self.bans,
            Kind::Muzzle => &mut self.muzzles,
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
        if self.is_behind() || !self.bans_of(kind).insert(who.clone(), ban.clone(), most, since) {
            return false;
        }
        let change = match kind {
            Kind::Ban => Change::Banned(who.clone(), ban),
            Kind::Muzzle => Change::Muzzled(who.clone(), ban),
        };
        self.change(cx, change, waiting);
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
        let change = match kind {
            Kind::Ban => Change::Unbanned(who.clone()),
            Kind::Muzzle => Change::Unmuzzled(who.clone()),
        };
        self.change(cx, change, waiting);
        true
    }

    /// Whether so much waits to be kept that nothing more is taken.
    pub(super) fn is_behind(&self) -> bool {
        self.changes.len() >= self.config.limits.changes
    }

    /// An account has changed, and everybody who shows it.
    pub(super) fn changed(&mut self, cx: &mut Cx<'_, Self>, nick: &[u8], waiting: Option<Waiting>) {
        let Some(account) = self.accounts.get(nick).cloned() else { return };
        if let Some(user) = self.users.find(nick)
            && let Some(user) = self.users.get_mut(user)
        {
            user.take_over(Some(&account));
        }
        self.change(cx, Change::Account(account), waiting);
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
        self.change(cx, Change::Unregistered(account.nick), waiting);
        true
    }
}
