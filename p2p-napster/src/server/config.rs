//! How a server behaves, and what strangers can make it use: [`Config`], [`Limits`], [`Rate`].

use super::link::LinkConfig;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::limit::TokenBucket;
use p2p_core::{Cost, Duration, Instant};

/// How a server behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Its name, as clients and other servers see it. A word without spaces.
    pub name: String,
    /// Where it listens (port 0: any free one). 8888 is where clients look first.
    pub listen: Vec<SocketAddr>,
    /// Where it listens for clients that secure their stream (TLS) before the first message.
    pub listen_secured: Vec<SocketAddr>,
    /// The lines of the message of the day, in the operator's own encoding, behind the two lines that clients parse.
    pub motd: Vec<Bytes>,
    /// Whether only registered nicks may log in. Else any nick that nobody registered may, with any password.
    pub registered_only: bool,
    /// Whether strangers may register nicks (type 6).
    pub open_registration: bool,
    /// Whether somebody keeps the accounts, bans and muzzles: then each [`ServerEvent::Changes`] is answered with
    /// [`ServerCommand::Kept`], and who registers or bans is answered after that. Else they live as long as the
    /// machine, and all are answered at once.
    ///
    /// [`ServerEvent::Changes`]: super::ServerEvent::Changes
    /// [`ServerCommand::Kept`]: super::ServerCommand::Kept
    pub keep: bool,
    /// How slowly passwords are hashed.
    pub cost: Cost,
    /// How often each user gets the counts (214) unasked. Zero: never. A minute, as opennap does.
    pub stats_every: Duration,
    /// Servers that it links with.
    pub links: Vec<LinkConfig>,
    /// What strangers can make it use.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::from("p2p"),
            listen: Vec::from([SocketAddr::from(([0, 0, 0, 0], 8888))]),
            listen_secured: Vec::new(),
            motd: Vec::new(),
            registered_only: false,
            open_registration: true,
            keep: false,
            cost: Cost::default(),
            stats_every: Duration::from_secs(60),
            links: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// So many a minute, after so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In the long run. `u64::MAX`: without limit.
    pub per_minute: u64,
    /// At once.
    pub burst: u64,
}

/// Tokens of a bucket that one action costs: a bucket is filled by the second, a [`Rate`] counts by the minute.
const TOKENS: u64 = 60;

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self { per_minute: u64::MAX, burst: u64::MAX };

    /// So many a minute, after so many at once.
    #[must_use]
    pub const fn new(per_minute: u64, burst: u64) -> Self {
        Self { per_minute, burst }
    }

    pub(super) fn bucket(self, now: Instant) -> Bucket {
        Bucket(TokenBucket::new(now, self.per_minute, self.burst.saturating_mul(TOKENS)))
    }

    /// Rate and burst in tokens a second, for a table of buckets; an action costs [`Self::COST`].
    pub(super) const fn tokens(self) -> (u64, u64) {
        (self.per_minute, self.burst.saturating_mul(TOKENS))
    }

    pub(super) const COST: u64 = TOKENS;
}

/// What is left of a [`Rate`].
#[derive(Debug, Clone)]
pub(super) struct Bucket(TokenBucket);

impl Bucket {
    /// Takes them whether or not there are so many.
    pub(super) fn spend(&mut self, now: Instant, actions: u64) {
        self.0.spend(now, actions.saturating_mul(TOKENS));
    }

    pub(super) fn has_any(&self, now: Instant) -> bool {
        self.0.available(now) >= TOKENS
    }

    /// How long until the next action: a minute where it never comes.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.0.when(now, TOKENS).map_or(Duration::from_secs(60), |at| at.since(now))
    }
}

/// What strangers can make a server use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Connections. 20,000: what a machine of the time held; some 40 MB here.
    pub connections: usize,
    /// Connections of one address (of one /64 in IPv6). 100: a campus behind one address.
    pub connections_per_address: usize,
    /// How long a client may take from its connection to a whole login. 30 s, whatever dribbles in meanwhile.
    pub login_patience: Duration,
    /// Messages before the login (nick checks, version checks): 20.
    pub messages_before_login: u32,
    /// Bytes of a nick. opennap takes 19; 30 are enough for everybody. At most 64.
    pub nick: usize,
    /// Bytes of a password: 64.
    pub password: usize,
    /// Bytes that are kept of a client's name of itself, and of an address of mail: 64.
    pub client_name: usize,
    /// Files that one user may share: 5,000, as opennap has it.
    pub files_per_user: u32,
    /// Results of one search, whatever is asked for: 100, as opennap has it.
    pub results: u32,
    /// Bytes of the results of one search: 64 KiB.
    pub result_bytes: usize,
    /// Files listed by one browse: 5,000.
    pub browse_files: u32,
    /// Bytes that one input may make the server send to its sender before the rest of it waits: 64 KiB.
    pub answer_bytes: usize,
    /// Bytes that are sent to a client that does not read before it is cut off: 100 KiB, as opennap has it.
    pub unread_bytes: usize,
    /// How long a client may not read: a minute.
    pub unread_patience: Duration,
    /// Nicks on a hotlist or an ignore list: 200.
    pub list: usize,
    /// Channels that exist at once: 1,000.
    pub channels: usize,
    /// Channels that one user is in: 10.
    pub channels_per_user: usize,
    /// Members of a channel: 500. What one says costs as many messages.
    pub channel_members: usize,
    /// Bytes of a channel's name, and of a topic: 64 and 200.
    pub channel_name: usize,
    /// Bytes of a topic: 200.
    pub topic: usize,
    /// Bans of one channel: 100.
    pub channel_bans: usize,
    /// Requests for uploads that a user may leave unanswered; the oldest is forgotten. 64.
    pub asked: usize,
    /// Accounts: 1,000,000, some 250 MB.
    pub accounts: usize,
    /// Bans and muzzles of the whole server: 10,000.
    pub bans: usize,
    /// Passwords hashed at once: 1, with 19 MiB each. Where every processor hashes, those who are logged in wait; whoever
    /// knows how many processors there are may say more.
    pub derivations: usize,
    /// Logins that wait for their password to be hashed: 2,000.
    pub derivations_waiting: usize,
    /// Changes of accounts and bans that are not kept yet: 10,000. Past it nobody registers or bans.
    pub changes: usize,
    /// Users that one linked server may bring: 200,000, some 120 MB.
    pub linked_users: usize,
    /// Servers behind links, and the linked ones: 64.
    pub linked_servers: usize,
    /// Searches that wait for linked servers at once; beyond, users find what this server has. 1,000.
    pub linked_searches: usize,
    /// How long a search waits for linked servers: 10 s.
    pub search_patience: Duration,
    /// How far a linked server's clock may be off, by which it is told who has had a nick for longer: 90 s, as opennap-ng
    /// has it.
    pub link_clock: Duration,
    /// Bytes that are sent over a link whose other end does not read before it is closed: 32 MiB, for at the beginning all
    /// users are told at once.
    pub link_unread_bytes: usize,
    /// Clients whose stream is zlib, each with 43 kB to read it: 1,000. Others are told to log in without.
    pub zlib: usize,
    /// Those among them for whom the server compresses, with 320 kB each: 100. The others get stored blocks, which are
    /// zlib too.
    pub zlib_compressed: usize,
    /// Logins tried from one address: 60 a minute after 30.
    pub logins: Rate,
    /// Addresses whose logins are remembered: 100,000, some 15 MB.
    pub addresses: usize,
    /// Files shared by one user: 6,000 a minute after a whole list. Beyond, the client is read more slowly.
    pub shares: Rate,
    /// Files shared from one address: ten users' worth.
    pub shares_per_address: Rate,
    /// Searches of one user: 30 a minute after 20. Beyond, it is told so.
    pub searches: Rate,
    /// Searches from one address.
    pub searches_per_address: Rate,
    /// Everything else of one user, much of which is relayed to another: 120 a minute after 100.
    pub messages: Rate,
    /// Everything else from one address.
    pub messages_per_address: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 100,
            login_patience: Duration::from_secs(30),
            messages_before_login: 20,
            nick: 30,
            password: 64,
            client_name: 64,
            files_per_user: 5_000,
            results: 100,
            result_bytes: 64 * 1024,
            browse_files: 5_000,
            answer_bytes: 64 * 1024,
            unread_bytes: 100 * 1024,
            unread_patience: Duration::from_secs(60),
            list: 200,
            channels: 1_000,
            channels_per_user: 10,
            channel_members: 500,
            channel_name: 64,
            topic: 200,
            channel_bans: 100,
            asked: 64,
            accounts: 1_000_000,
            bans: 10_000,
            derivations: 1,
            derivations_waiting: 2_000,
            changes: 10_000,
            linked_users: 200_000,
            linked_servers: 64,
            linked_searches: 1_000,
            search_patience: Duration::from_secs(10),
            link_clock: Duration::from_secs(90),
            link_unread_bytes: 32 * 1024 * 1024,
            zlib: 1_000,
            zlib_compressed: 100,
            logins: Rate::new(60, 30),
            addresses: 100_000,
            shares: Rate::new(6_000, 5_000),
            shares_per_address: Rate::new(60_000, 50_000),
            searches: Rate::new(30, 20),
            searches_per_address: Rate::new(300, 200),
            messages: Rate::new(120, 100),
            messages_per_address: Rate::new(1_200, 1_000),
        }
    }
}
