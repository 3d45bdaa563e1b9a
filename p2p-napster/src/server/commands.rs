//! What the application asks of a server.

use super::accounts::{Account, Hashed};
use super::bans::{Ban, Banned, Bans, Kind};
use super::keeping::{Sentence, Waiting};
use super::nick::is_valid;
use super::password::{Purpose, Salt};
use super::users::Rates;
use super::{Limits, Server, ServerCommand, ServerError, ServerEvent, ServerStats};
use crate::wire::{Level, ToClient};
use alloc::boxed::Box;
use alloc::vec::Vec;
use p2p_core::limit::PerKey;
use p2p_core::{Cx, Duration, IoError, OpId};

impl Server {
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
            Err(why) => return cx.finish(op, Err(ServerError::Hash(why))),
        };
        let now = cx.unix_now();
        let created = self.accounts.get(&nick).map_or(now, |account| account.created);
        let password = Hashed { salt: salt.salt, hash, cost: salt.cost };
        let email = self.accounts.get(&nick).map_or_else(Box::default, |account| account.email.clone());
        self.accounts.insert(Account { nick: nick.clone(), level, password, email, created, seen: now });
        self.changed(cx, &nick, Some(Waiting::Command(op)));
    }

    pub(super) fn command(&mut self, cx: &mut Cx<'_, Self>, op: OpId, command: ServerCommand) {
        match command {
            ServerCommand::Kept { batch, result } => {
                let done = self.settle(cx, batch, result);
                cx.finish(op, if done { Ok(()) } else { Err(ServerError::NoBatch) });
            }
            _ if self.stopping => cx.finish(op, Err(ServerError::Stopping)),
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
        if done {
            self.tell_links_of_ban(kind, who, (reason, during), cx.unix_now());
        }
        finish_undone(cx, op, done, ServerError::Full);
    }

    fn command_lift(&mut self, cx: &mut Cx<'_, Self>, op: OpId, kind: Kind, who: &Banned) {
        let done = self.lift(cx, kind, who, Some(Waiting::Command(op)));
        if done {
            self.tell_links_of_lift(kind, who);
        }
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
            ServerCommand::SetLimits(limits) => self.set_limits(cx, *limits),
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

    fn set_limits(&mut self, cx: &mut Cx<'_, Self>, limits: Limits) {
        let now = cx.now();
        let (rate, burst) = limits.logins.tokens();
        self.logins = PerKey::new(limits.addresses, rate, burst);
        self.users.set_rates(|| Rates::of_user(&limits, now));
        for address in self.addresses.values_mut() {
            address.rates = Rates::of_address(&limits, now);
        }
        self.index.set_files_per_user(limits.files_per_user as usize);
        self.config.limits = limits;
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
        ServerStats {
            users: (self.users.len() - self.links.totals().0) as u64,
            links: self.links.count() as u64,
            linked_users: self.links.totals().0 as u64,
            linked_files: self.links.totals().1,
            connections_v4: (self.sessions.len() - self.sessions_v6) as u64,
            connections_v6: self.sessions_v6 as u64,
            accounts: self.accounts.len() as u64,
            channels: self.channels.len() as u64,
            files: totals.files,
            bytes: totals.bytes,
            ..self.stats
        }
    }
}

/// Ends a command that did nothing; one that waits to be kept ends later.
fn finish_undone(cx: &mut Cx<'_, Server>, op: OpId, done: bool, why: ServerError) {
    if !done {
        cx.finish(op, Err(why));
    }
}
