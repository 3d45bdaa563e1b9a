//! What may be said before a login (2, 4, 6, 7, 11, 14), and the login itself.

use super::accounts::{Account, Hashed};
use super::answers::wire_addr;
use super::bans;
use super::changes::Change;
use super::keeping::Waiting;
use super::nick::{fold, is_valid};
use super::password::{Purpose, Salt};
use super::session::{State, origin};
use super::users::{Rates, Transfers, User};
use super::{Rate, Server};
use crate::wire::message::{Login, LoginAck};
use crate::wire::{Frame, Level, Speed, ToClient, ToServer};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;
use p2p_core::{ConnId, Cx, IoError};

/// Another server's first message.
const LINK_HELLO: u16 = 10010;

/// What a login said, but for its password.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) nick: Box<[u8]>,
    port: u16,
    client: Box<[u8]>,
    speed: Speed,
    email: Box<[u8]>,
    /// The level of zlib that it asked for, if any.
    zlib: Option<u8>,
}

impl Entry {
    fn new(login: &Login<'_>, most: usize) -> Self {
        let cut = |text: &[u8]| text.get(..most).unwrap_or(text).into();
        Self {
            nick: login.nick.into(),
            port: login.port,
            client: cut(login.client),
            speed: login.speed,
            email: cut(login.email.unwrap_or_default()),
            // 0 is how a client says that it wants none.
            zlib: login.zlib.filter(|level| *level > 0),
        }
    }
}

impl Server {
    /// A message of somebody who is nobody yet.
    pub(super) fn greeting(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, frame: &Frame) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.greetings += 1;
        if session.greetings > self.config.limits.messages_before_login {
            self.refuse(cx, conn, b"too many messages before the login");
            return;
        }
        match ToServer::parse(frame.kind, &frame.body) {
            Ok(ToServer::Login(login)) => self.login(cx, conn, &login, false),
            Ok(ToServer::Register(login)) => self.login(cx, conn, &login, true),
            Ok(ToServer::CheckNick(nick)) => self.check_nick(cx, conn, nick),
            Ok(ToServer::CheckPassword { nick, password }) => self.check_password(cx, conn, nick, password),
            // The Windows client waits for an answer for ever; that there is nothing newer is said by saying nothing.
            Ok(ToServer::VersionCheck(_)) => self.tell(cx, conn, &ToClient::Version(b"")),
            // Personal data that nobody needs; and a greeting of the last Windows clients.
            Ok(ToServer::RegistrationDetails(_) | ToServer::Other(920, _)) => {}
            Ok(ToServer::Other(LINK_HELLO, _)) => self.link_hello(cx, conn, frame),
            Ok(_) => self.refuse(cx, conn, b"invalid command"),
            Err(_) => {
                self.stats.malformed += 1;
                self.refuse(cx, conn, b"invalid parameters");
            }
        }
    }

    /// Says why somebody cannot log in, and closes.
    pub(super) fn refuse(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, text: &[u8]) {
        self.stats.refused += 1;
        self.tell(cx, conn, &ToClient::LoginError(text));
        self.drop_session(cx, conn, false);
    }

    pub(super) fn check_nick(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8]) {
        let answer = if !is_valid(nick, self.config.limits.nick) {
            ToClient::NickInvalid(b"")
        } else if self.is_taken(nick) {
            ToClient::NickTaken
        } else {
            ToClient::NickFree
        };
        self.tell(cx, conn, &answer);
    }

    fn is_taken(&self, nick: &[u8]) -> bool {
        self.accounts.get(nick).is_some()
            || self.reserved.contains_key(fold(nick).as_slice())
            || self.users.find(nick).is_some()
    }

    fn check_password(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8], password: &[u8]) {
        if !self.take_login(cx, conn) {
            return;
        }
        let salt = self.accounts.get(nick).map(|account| salt_of(&account.password));
        match salt {
            Some(salt) if password.len() <= self.config.limits.password => {
                if !self.derive(cx, Purpose::Check(conn, nick.into()), password, salt) {
                    self.refuse(cx, conn, BUSY);
                }
            }
            _ => self.refuse(cx, conn, b"Invalid Password"),
        }
    }

    pub(super) fn check_hashed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        nick: &[u8],
        hash: Result<[u8; 32], IoError>,
    ) {
        let is =
            self.accounts.get(nick).is_some_and(|account| hash.is_ok_and(|hash| account.password.is(&hash)));
        if is {
            self.set_state(cx, conn, State::Greeting);
            self.tell(cx, conn, &ToClient::PasswordOk);
            self.go_on(cx, conn);
        } else {
            self.refuse(cx, conn, b"Invalid Password");
        }
    }

    /// Whether the address may try another password.
    pub(super) fn take_login(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) -> bool {
        let Some(ip) = self.sessions.get(&conn).map(|session| session.peer.ip()) else { return false };
        if self.logins.take(cx.now(), &origin(ip), Rate::COST) {
            return true;
        }
        self.stats.throttled += 1;
        let most = self.config.limits.logins.per_minute;
        let text = format!("Connecting too fast: {most} logins a minute are taken from your address");
        self.refuse(cx, conn, text.as_bytes());
        false
    }

    fn login(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, login: &Login<'_>, register: bool) {
        if !self.take_login(cx, conn) {
            return;
        }
        let Some(ip) = self.sessions.get(&conn).map(|session| session.peer.ip()) else { return };
        if !is_valid(login.nick, self.config.limits.nick) {
            let shown: Vec<u8> = login.nick.iter().take(64).copied().collect();
            self.stats.refused += 1;
            self.tell(cx, conn, &ToClient::NickInvalid(&[b"Invalid nick: ", &shown[..]].concat()));
            self.drop_session(cx, conn, false);
            return;
        }
        if let Some(ban) = self.bans.find(login.nick, ip, cx.unix_now()) {
            let text = bans::refusal(ban);
            self.refuse(cx, conn, text.as_bytes());
            return;
        }
        let limits = &self.config.limits;
        if login.password.is_empty() || login.password.len() > limits.password {
            self.refuse(cx, conn, b"Invalid Password");
            return;
        }
        if let Some(text) = self.no_zlib(login.zlib) {
            self.refuse(cx, conn, text.as_bytes());
            return;
        }
        let entry = Entry::new(login, limits.client_name);
        // Who registers a nick that is registered, and knows its password, meant to log in.
        if let Some(salt) = self.accounts.get(login.nick).map(|account| salt_of(&account.password)) {
            if !self.derive(cx, Purpose::Login(conn, Box::new(entry)), login.password, salt) {
                self.refuse(cx, conn, BUSY);
            }
        } else if self.reserved.contains_key(fold(login.nick).as_slice()) {
            self.refuse_taken(cx, conn, login.nick);
        } else if register && self.config.open_registration {
            self.register(cx, conn, entry, login.password);
        } else if self.config.registered_only {
            self.refuse(cx, conn, b"Only registered nicks can log in here");
        } else {
            self.admit(cx, conn, &entry);
        }
    }

    pub(super) fn login_hashed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        entry: &Entry,
        hash: Result<[u8; 32], IoError>,
    ) {
        match (hash, self.accounts.get(&entry.nick)) {
            (Ok(hash), Some(account)) if account.password.is(&hash) => self.admit(cx, conn, entry),
            (Err(_), _) => self.refuse(cx, conn, BUSY),
            _ => self.refuse(cx, conn, b"Invalid Password"),
        }
    }

    fn register(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, entry: Entry, password: &[u8]) {
        let same_ip = |server: &Self, ip: IpAddr| {
            server.sessions.get(&conn).is_some_and(|session| session.peer.ip() == ip)
        };
        let other = |user: &User| user.home.is_some() || !same_ip(self, user.ip);
        if self.users.named(&entry.nick).is_some_and(|(_, user)| other(user)) {
            self.refuse_taken(cx, conn, &entry.nick);
            return;
        }
        if self.accounts.len() + self.reserved.len() >= self.config.limits.accounts {
            self.refuse(cx, conn, b"No more nicks can be registered here");
            return;
        }
        if self.is_behind() {
            self.refuse(cx, conn, BUSY);
            return;
        }
        let nick = fold(&entry.nick);
        let salt = self.new_salt(cx);
        if self.derive(cx, Purpose::Register(conn, Box::new(entry)), password, salt) {
            self.reserved.insert(nick.as_slice().into(), conn);
        } else {
            self.refuse(cx, conn, BUSY);
        }
    }

    pub(super) fn register_hashed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        entry: Box<Entry>,
        salt: Salt,
        hash: Result<[u8; 32], IoError>,
    ) {
        let Ok(hash) = hash else {
            self.release(&entry.nick);
            self.refuse(cx, conn, BUSY);
            return;
        };
        // Meanwhile the application may have given it to somebody.
        if self.accounts.get(&entry.nick).is_some() {
            self.release(&entry.nick);
            self.refuse_taken(cx, conn, &entry.nick);
            return;
        }
        let now = cx.unix_now();
        let account = Account {
            nick: entry.nick.clone(),
            level: Level::User,
            password: Hashed { salt: salt.salt, hash, cost: salt.cost },
            email: entry.email.clone(),
            created: now,
            seen: now,
        };
        let waiting = Waiting::Registered { conn, account: Box::new(account.clone()), entry };
        self.change(cx, Change::Account(account), Some(waiting));
    }

    /// A registration is kept, or is not.
    pub(super) fn registered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        account: Account,
        entry: &Entry,
        result: Result<(), IoError>,
    ) {
        self.release(&account.nick);
        if result.is_err() {
            self.refuse(cx, conn, b"Your nick could not be registered, try again later");
            return;
        }
        if self.accounts.get(&account.nick).is_some() {
            self.refuse_taken(cx, conn, &account.nick);
            return;
        }
        self.accounts.insert(account);
        if self.is_checking(conn) {
            self.admit(cx, conn, entry);
        }
    }

    pub(super) fn release(&mut self, nick: &[u8]) {
        self.reserved.remove(fold(nick).as_slice());
    }

    fn refuse_taken(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8]) {
        self.refuse(cx, conn, &[nick, b" is already active"].concat());
    }

    /// Lets somebody in whose password is right, or needs not be.
    fn admit(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, entry: &Entry) {
        let Some(ip) = self.sessions.get(&conn).map(|session| session.peer.ip()) else { return };
        if let Some((old, user)) = self.users.named(&entry.nick) {
            // A connection that broke unnoticed must not keep its owner out, and nobody may push out somebody else.
            // Nor does a server log out another's users.
            if user.home.is_some() || (!user.registered && user.ip != ip) {
                self.refuse_taken(cx, conn, &entry.nick);
                return;
            }
            self.replace_ghost(cx, old);
        }
        let email = format!("anon@{}", self.config.name);
        let ack = ToClient::LoginAck(LoginAck { email: email.as_bytes(), zlib: entry.zlib });
        if let Some(level) = entry.zlib {
            // The acknowledgement is plain; all that follows is in the streams.
            self.tell(cx, conn, &ack);
            self.begin_zlib(conn, level);
        }
        let mut out = self.buffer();
        if entry.zlib.is_none() {
            ack.encode(&mut out);
        }
        self.put_motd(&mut out);
        self.put_counts(&mut out);
        let (serial, now) = (self.users.next_serial(), cx.now());
        let mut user = User {
            conn,
            serial,
            nick: (&*entry.nick).into(),
            client: entry.client.clone(),
            email: entry.email.clone(),
            ip,
            // Nobody can dial what the wire has no form for.
            port: if wire_addr(ip).0 == 0 { 0 } else { entry.port },
            speed: entry.speed,
            level: Level::User,
            registered: false,
            since: now,
            login_time: cx.unix_now(),
            shared: 0,
            transfers: Transfers::default(),
            rates: Rates::of_user(&self.config.limits, now),
            social: None,
            home: None,
        };
        user.take_over(self.accounts.get(&entry.nick));
        if user.level != Level::User {
            // Behind the acknowledgement, never before it: the Windows client takes it for an error there.
            let text = format!("Server {} set your user level to {}.", self.config.name, user.level);
            ToClient::Notice(text.as_bytes()).encode(&mut out);
        }
        let (nick, speed) = (user.nick.clone(), user.speed);
        let id = self.users.insert(user);
        self.stats.logins += 1;
        self.set_state(cx, conn, State::Online(id));
        self.deliver(cx, conn, out);
        self.tell_links_of_login(id);
        self.tell_watchers(cx, &nick, &ToClient::SignedOn { nick: &nick, speed });
        self.go_on(cx, conn);
    }
}

/// What somebody is told whose password cannot be hashed now.
const BUSY: &[u8] = b"This server is busy, try again later";

const fn salt_of(hashed: &Hashed) -> Salt {
    Salt { salt: hashed.salt, cost: hashed.cost }
}
