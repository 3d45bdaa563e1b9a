//! The tracker as a server: [`Tracker`], a machine that answers over HTTP and UDP from one store.

mod connection;
mod datagram;

use super::swarm_store::{HashKey, Seen, SwarmStore, Wish};
use super::{Announce, Event, Scraped};
use crate::InfoHash;
use crate::compact;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use connection::Connection;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use p2p_core::limit::PerKey;
use p2p_core::{ConnId, Cx, Duration, Input, Instant, IoError, Machine, OpId, OpInput};

/// How a tracker behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where it answers over HTTP (port 0: any free one).
    pub http: Vec<SocketAddr>,
    /// Where it answers over UDP.
    pub udp: Vec<SocketAddr>,
    /// How often clients are to announce. Who did not for twice as long is forgotten. 30 min, as everywhere.
    pub interval: Duration,
    /// How often they may at most.
    pub min_interval: Duration,
    /// Whether it serves only torrents that [`TrackerCommand::Allow`] named.
    pub whitelist: bool,
    /// Whether a client at an address that is not of the public Internet may say that it is elsewhere (`ip=`): for a
    /// tracker and its seed behind one router. Of all others it is never believed, for it would make the tracker point
    /// a swarm at a victim.
    pub trust_local_ip: bool,
    /// What strangers can make it use.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        let any = SocketAddr::from(([0, 0, 0, 0], 6969));
        Self {
            http: Vec::from([any]),
            udp: Vec::from([any]),
            interval: Duration::from_secs(1800),
            min_interval: Duration::from_secs(60),
            whitelist: false,
            trust_local_ip: false,
            limits: Limits::default(),
        }
    }
}

/// What strangers can make a tracker use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Torrents known. One more makes a small one, of some looked at by chance, be forgotten. 1,000,000: some 170 MB if
    /// each has one peer.
    pub torrents: usize,
    /// Peers known in all torrents; beyond, a small torrent is forgotten likewise. 4,000,000: some 200 MB.
    pub peers: usize,
    /// Peers of one address family in one torrent; beyond, a new one takes the place of one chosen by chance. 100,000:
    /// the largest swarms seen.
    pub swarm: usize,
    /// Torrents allowed by name. 1,000,000.
    pub whitelist: usize,
    /// Peers given to who does not say how many. 50, BEP 3's custom.
    pub want_default: u32,
    /// Peers given at most: 200 fill a datagram.
    pub want_most: u32,
    /// Requests a second of one address (of one /64 in IPv6), after `burst`. 10: a client with 10,000 torrents needs 6;
    /// a whole campus behind one address should see the refusal's `retry in`.
    pub rate: u64,
    /// Requests at once of one address. 2,000: a client that starts announces all its torrents.
    pub burst: u64,
    /// Addresses whose rate is remembered. 100,000: 15 MB.
    pub addresses: usize,
    /// HTTP connections. 4,000, with a head of 8 KiB each 32 MiB.
    pub connections: usize,
    /// HTTP connections of one address.
    pub connections_per_address: usize,
    /// How long a client may take to send a request, and to send another. 10 s, whatever dribbles in meanwhile.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            torrents: 1_000_000,
            peers: 4_000_000,
            swarm: 100_000,
            whitelist: 1_000_000,
            want_default: 50,
            want_most: 200,
            rate: 10,
            burst: 2_000,
            addresses: 100_000,
            connections: 4_000,
            connections_per_address: 100,
            patience: Duration::from_secs(10),
        }
    }
}

/// What can be asked of a tracker.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TrackerCommand {
    /// Serve this torrent, in whitelist mode.
    Allow(InfoHash),
    /// No longer serve it, and forget who takes part. Without the whitelist it may come back with its next announce.
    Disallow(InfoHash),
    /// Serve only allowed torrents (`true`), or all.
    Whitelist(bool),
    /// Answer with [`TrackerEvent::Stats`].
    Stats,
}

/// What a tracker tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackerEvent {
    /// It answers over HTTP at this address.
    Http(SocketAddr),
    /// It answers over UDP at this address.
    Udp(SocketAddr),
    /// A socket could not be opened, or is no more.
    Down(IoError),
    /// The answer to [`TrackerCommand::Stats`].
    Stats(Stats),
}

/// What a tracker did since it started, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Torrents with a peer.
    pub torrents: u64,
    /// Peers of all torrents.
    pub peers: u64,
    /// HTTP connections open.
    pub connections: u64,
    /// Announces answered.
    pub announces: u64,
    /// Scrapes answered.
    pub scrapes: u64,
    /// Requests for torrents that are not allowed.
    pub refused: u64,
    /// Requests over an address's rate, and connections over a limit.
    pub throttled: u64,
    /// What was no request, or had no valid connection id.
    pub malformed: u64,
    /// Peers forgotten to make room.
    pub evicted: u64,
    /// Bytes of memory for torrents and peers.
    pub memory: u64,
}

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackerError {
    /// More torrents than [`Limits::whitelist`].
    #[error("the whitelist is full")]
    WhitelistFull,
}

/// The timers of a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackerTimer {
    /// Some of the swarms are looked at for peers that are gone.
    Sweep,
    /// An HTTP client took too long.
    Patience(ConnId),
}

/// Ticks in which all swarms are looked at once.
const SWEEP_PARTS: u32 = 60;

/// A tracker: who takes part in what, told to whoever takes part.
///
/// It answers HTTP (`/announce` and `/scrape`, BEP 3 and 48) and UDP (BEP 15) alike. Each announce costs constant time,
/// whatever the size of the swarm. Nothing is kept on disk: after a restart clients come back within an interval.
#[derive(Debug)]
pub struct Tracker {
    config: Config,
    store: SwarmStore,
    allowed: BTreeSet<InfoHash>,
    connection_key: HashKey,
    throttle: PerKey<u128>,
    connections: BTreeMap<ConnId, Connection>,
    per_address: BTreeMap<u128, usize>,
    stats: Stats,
    /// Wire bytes of picked peers, kept for their room.
    picked_v4: Vec<u8>,
    picked_v6: Vec<u8>,
}

/// What one client is told.
enum Refusal {
    NotAllowed,
    Throttled,
}

impl Refusal {
    const fn text(&self) -> &'static str {
        match self {
            Self::NotAllowed => "unregistered torrent",
            Self::Throttled => "too many requests from your address",
        }
    }
}

impl Tracker {
    /// A tracker that knows nobody yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let limits = &config.limits;
        // Both keys are drawn at the start, from the driver's dice.
        let key = HashKey::default();
        Self {
            store: SwarmStore::new(key, limits.torrents, limits.peers, limits.swarm),
            allowed: BTreeSet::new(),
            connection_key: key,
            throttle: PerKey::new(limits.addresses, limits.rate, limits.burst),
            connections: BTreeMap::new(),
            per_address: BTreeMap::new(),
            stats: Stats::default(),
            picked_v4: Vec::new(),
            picked_v6: Vec::new(),
            config,
        }
    }

    /// The same, with these torrents allowed from the beginning.
    #[must_use]
    pub fn allowing(mut self, torrents: impl IntoIterator<Item = InfoHash>) -> Self {
        let most = self.config.limits.whitelist;
        self.allowed.extend(torrents.into_iter().take(most));
        self
    }

    fn start(&mut self, cx: &mut Cx<'_, Self>) {
        let limits = &self.config.limits;
        let key = HashKey::draw(cx.rng());
        self.store = SwarmStore::new(key, limits.torrents, limits.peers, limits.swarm);
        self.connection_key = HashKey::draw(cx.rng());
        for at in &self.config.http {
            cx.listen(*at);
        }
        for at in &self.config.udp {
            cx.bind(*at);
        }
        let first = cx.rng().phase(self.sweep_every());
        cx.set_timer(TrackerTimer::Sweep, first);
    }

    /// All swarms are looked at in a sixth of the interval.
    fn sweep_every(&self) -> Duration {
        (self.config.interval / (6 * SWEEP_PARTS)).max(Duration::from_millis(100))
    }

    fn sweep(&mut self, cx: &mut Cx<'_, Self>) {
        let expiry = u32::try_from(self.config.interval.as_secs().saturating_mul(2)).unwrap_or(u32::MAX);
        self.store.sweep(seconds(cx.now()).saturating_sub(expiry), SWEEP_PARTS as usize);
        cx.set_timer(TrackerTimer::Sweep, self.sweep_every());
    }

    fn command(&mut self, cx: &mut Cx<'_, Self>, op: OpId, command: &TrackerCommand) {
        let mut result = Ok(());
        match command {
            TrackerCommand::Allow(hash) => {
                if self.allowed.len() < self.config.limits.whitelist || self.allowed.contains(hash) {
                    self.allowed.insert(*hash);
                } else {
                    result = Err(TrackerError::WhitelistFull);
                }
            }
            TrackerCommand::Disallow(hash) => {
                self.allowed.remove(hash);
                self.store.forget(hash);
            }
            TrackerCommand::Whitelist(on) => self.config.whitelist = *on,
            TrackerCommand::Stats => cx.answer(op, TrackerEvent::Stats(self.counts())),
        }
        cx.finish(op, result);
    }

    /// What it did since it started, and what it holds.
    #[must_use]
    pub fn counts(&self) -> Stats {
        Stats {
            torrents: self.store.torrents() as u64,
            peers: self.store.peers() as u64,
            connections: self.connections.len() as u64,
            evicted: self.store.evicted(),
            memory: self.store.heap() as u64,
            ..self.stats
        }
    }

    fn allows(&self, hash: &InfoHash) -> bool {
        !self.config.whitelist || self.allowed.contains(hash)
    }

    /// Takes one request's token of a client whose address is its own.
    fn admit(&mut self, now: Instant, client: SocketAddr) -> Result<(), Refusal> {
        if self.throttle.take(now, &origin(client.ip()), 1) {
            return Ok(());
        }
        self.stats.throttled += 1;
        Err(Refusal::Throttled)
    }

    /// Takes an announce of a client; its swarm's numbers, and the wish for peers that its answer is to grant.
    fn announce(
        &mut self,
        cx: &mut Cx<'_, Self>,
        client: SocketAddr,
        announce: &Announce,
    ) -> Result<(Scraped, Wish), Refusal> {
        self.admit(cx.now(), client)?;
        if !self.allows(&announce.info_hash) {
            self.stats.refused += 1;
            return Err(Refusal::NotAllowed);
        }
        self.stats.announces += 1;
        let mut ip = client.ip().to_canonical();
        if self.config.trust_local_ip && !compact::is_global(ip) {
            ip = announce.ip.unwrap_or(ip);
        }
        let addr = SocketAddr::new(ip, announce.port);
        let seed = announce.left == Some(0);
        let seen = Seen {
            hash: announce.info_hash,
            id: announce.peer_id,
            addr,
            event: announce.event,
            seed,
            at: seconds(cx.now()),
        };
        self.store.announce(&seen, cx.rng());
        let limits = &self.config.limits;
        let want = match announce.event {
            Event::Stopped => 0,
            _ => announce.want.unwrap_or(limits.want_default).min(limits.want_most),
        };
        let wish = Wish {
            hash: announce.info_hash,
            asker: addr,
            for_seed: seed,
            v4: true,
            v6: true,
            most: want as usize,
        };
        Ok((self.store.counts(&announce.info_hash), wish))
    }

    /// The numbers of torrents, zeros of those that it does not serve.
    fn scrape(
        &mut self,
        now: Instant,
        client: SocketAddr,
        hashes: &[InfoHash],
    ) -> Result<Vec<Scraped>, Refusal> {
        self.admit(now, client)?;
        self.stats.scrapes += 1;
        let counts = |hash| if self.allows(hash) { self.store.counts(hash) } else { Scraped::default() };
        Ok(hashes.iter().map(counts).collect())
    }

    /// Picks peers in wire form into `picked_v4` and `picked_v6`.
    fn pick(&mut self, cx: &mut Cx<'_, Self>, wish: &Wish) {
        self.picked_v4.clear();
        self.picked_v6.clear();
        let (v4, v6) = (&mut self.picked_v4, &mut self.picked_v6);
        self.store.pick(wish, cx.rng(), |bytes, _, _| {
            let into = if bytes.len() == compact::V4_LEN { &mut *v4 } else { &mut *v6 };
            into.extend_from_slice(bytes);
        });
    }
}

/// Whole seconds since the driver's epoch.
const fn seconds(now: Instant) -> u32 {
    (now.as_nanos() / 1_000_000_000) as u32
}

/// Who is held responsible for an address: itself, or in IPv6 its /64, which one customer has at least.
fn origin(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip).into(),
        IpAddr::V6(ip) => Ipv6Addr::to_bits(ip) >> 64 << 64,
    }
}

impl Machine for Tracker {
    type Command = TrackerCommand;
    type Event = TrackerEvent;
    type Error = TrackerError;
    type Timer = TrackerTimer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => self.start(cx),
            Input::Op(op, OpInput::Ask(command)) => self.command(cx, op, &command),
            Input::Timer(TrackerTimer::Sweep) => self.sweep(cx),
            Input::Timer(TrackerTimer::Patience(conn)) => self.impatient(cx, conn),
            Input::Stream(conn, input) => self.stream(cx, conn, input),
            Input::Listener(_, at) => cx.tell(at.map_or_else(TrackerEvent::Down, TrackerEvent::Http)),
            Input::Bound(_, at) => cx.tell(at.map_or_else(TrackerEvent::Down, TrackerEvent::Udp)),
            Input::Datagram(socket, datagram) => self.datagram(cx, socket, &datagram),
            Input::Stop => cx.halt(),
            // Every command ends as it is asked; nothing is resolved and no job is run.
            Input::Op(..) | Input::Resolved(..) | Input::Job(..) => {}
        }
    }
}
