//! What a client is told when it is made: [`Config`], and the [`Limits`] on what strangers can make it hold.

use alloc::string::String;
use core::net::{Ipv4Addr, SocketAddr};
use p2p_core::{Duration, Root};

/// How a [`Client`](crate::Client) behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen for peers; `None` to dial only. Port 0 takes any free one.
    pub listen: Option<SocketAddr>,
    /// The name and version told to peers (BEP 10, `v`).
    pub agent: String,
    /// The first eight bytes of the peer id (BEP 20).
    pub peer_id_prefix: [u8; 8],
    /// The root that resume data lives in; `None` to keep none, and to check files at every start.
    pub state: Option<Root>,
    /// The most payload bytes sent per second by all torrents together.
    pub upload_rate: Option<u64>,
    /// The most payload bytes asked for per second by all torrents together.
    pub download_rate: Option<u64>,
    /// Upload slots of a torrent beside the optimistic one; 0 gives nobody anything; `None` lets their number follow the
    /// measured upload rate.
    pub upload_slots: Option<u16>,
    /// Whether to offer the fast extension (BEP 6).
    pub fast: bool,
    /// Pieces that a peer may ask for while it is choked (BEP 6 suggests 10). None by default: such pieces are the same for
    /// all peers of a /24, so a crowd fetches the same few from the seed in place of different ones to trade, and who
    /// gives nothing gets a whole torrent together from many neighbours.
    pub allowed_fast: u32,
    /// How often an operation that waits for a torrent is told its progress.
    pub report_every: Duration,
    /// How long received blocks may wait in memory for more of their piece before they are written.
    pub flush_after: Duration,
    /// How long after a change resume data is written.
    pub save_after: Duration,
    /// How long `Stop` waits for trackers to hear of it.
    pub farewell: Duration,
    /// Bounds on everything a stranger can make grow.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 6881)),
            agent: concat!("p2p ", env!("CARGO_PKG_VERSION")).into(),
            peer_id_prefix: *b"-PP0100-",
            state: Some(Root(0)),
            upload_rate: None,
            download_rate: None,
            upload_slots: None,
            fast: true,
            allowed_fast: 0,
            report_every: Duration::from_millis(500),
            flush_after: Duration::from_secs(3),
            save_after: Duration::from_secs(30),
            farewell: Duration::from_secs(2),
            limits: Limits::default(),
        }
    }
}

/// Bounds on everything that a stranger can make grow.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Connected peers of one torrent. 50 is what clients have used since 2001; more adds HAVE traffic, not speed.
    pub peers_per_torrent: usize,
    /// Peers of one torrent that a full seed lets in beyond [`Self::peers_per_torrent`], for a round trip each: until
    /// they have said which pieces they have, because who is nearly done takes the place of one that is not.
    pub guests: usize,
    /// Connected peers of one torrent at which it stops dialling: the rest of the room is for those who come later, or
    /// they would find every door shut.
    pub peers_dialled: usize,
    /// Dials of one torrent under way, so that a list of dead addresses does not flood the network.
    pub dials_per_torrent: usize,
    /// Streams accepted that have not sent their handshake yet; past it the one that waits longest is dropped.
    pub unknown_streams: usize,
    /// Of these, streams from one address (loopback does not count): a peer dials once, an office a few times.
    pub greeting_per_address: usize,
    /// Peers of one torrent at one address (loopback, and those that the application names, do not count). Households
    /// and offices share one; with more, one machine could take all places.
    pub peers_per_address: usize,
    /// How long the whole handshake may take, however slowly its bytes drip.
    pub handshake: Duration,
    /// How long a peer may be silent; clients send a keep-alive every two minutes (BEP 3).
    pub silence: Duration,
    /// Addresses of peers remembered per torrent.
    pub candidates: usize,
    /// Requests a peer may have waiting with us; also told it as `reqq` (BEP 10).
    pub requests_in: usize,
    /// Requests we keep waiting with a peer at the most. 1,000 blocks are 16 MiB: 25 ms at 5 Gbit/s.
    pub requests_out: usize,
    /// The largest block a peer may ask for. All known clients ask for 16 KiB; BEP 3 lets larger ones be refused.
    pub block: u32,
    /// The largest extended message (BEP 10).
    pub extended: u32,
    /// Bytes read from disk for one peer and not yet given to its stream.
    pub read_ahead: u32,
    /// Received bytes on their way to the disk, all torrents together, past which peers are no longer read. 3 MiB keep
    /// two workers busy with long runs at 1 GiB/s; a disk that is slower than the network fills any number.
    pub unwritten: u64,
    /// Blocks that nobody asked for, or requests that make no sense, before a peer is dropped. Half of what is counted
    /// is forgiven every five seconds.
    pub strikes: u8,
    /// Messages that say nothing new (repeated or flapping states, cancels of nothing, extensions that nobody offered)
    /// before a peer is dropped. Half of what is counted is forgiven every five seconds. An end game can cancel some
    /// hundreds of blocks that were sent already; nobody honest comes near this.
    pub idle_messages: u16,
    /// Banned addresses remembered.
    pub banned: usize,
    /// How long an asked block may take before others may be asked for it, at the least.
    pub request_timeout: Duration,
    /// Digests under way when files are checked.
    pub check_jobs: usize,
    /// Torrents in one client.
    pub torrents: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers_per_torrent: 50,
            guests: 4,
            peers_dialled: 40,
            dials_per_torrent: 8,
            unknown_streams: 100,
            greeting_per_address: 8,
            peers_per_address: 4,
            handshake: Duration::from_secs(10),
            silence: Duration::from_secs(150),
            candidates: 1_000,
            requests_in: 512,
            requests_out: 1_000,
            block: 128 * 1024,
            extended: 1 << 20,
            read_ahead: 512 * 1024,
            unwritten: 3 << 20,
            strikes: 16,
            idle_messages: 2_000,
            banned: 4_096,
            request_timeout: Duration::from_secs(20),
            check_jobs: 8,
            torrents: 100_000,
        }
    }
}
