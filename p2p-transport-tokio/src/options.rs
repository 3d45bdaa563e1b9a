//! What a driver may use and how long it waits: [`Options`].

use crate::connector::{Connector, Plain};
use crate::storage::{Memory, Storage};
use p2p_core::limit::TokenBucket;
use p2p_core::node::DeskLimits;
use p2p_core::{Duration, Instant, UnixTime};
use std::fmt;
use std::sync::Arc;

/// Where civil time comes from.
pub type Civil = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// A limit of bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes a second.
    pub bytes: u64,
    /// Bytes that may be saved up for a burst.
    pub burst: u64,
}

impl Rate {
    /// So many bytes a second, a quarter of a second's worth saved up (at least 64 KiB, so that reads stay large).
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        let quarter = bytes / 4;
        Self { bytes, burst: if quarter > 64 * 1024 { quarter } else { 64 * 1024 } }
    }

    pub(crate) fn bucket(rate: Option<Self>) -> TokenBucket {
        rate.map_or_else(TokenBucket::unlimited, |rate| {
            TokenBucket::new(Instant::ZERO, rate.bytes, rate.burst)
        })
    }
}

/// What a driver may use, and how long it waits. The defaults suit one machine in a program of its own.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Streams in all, dialled and accepted, those that are being opened or closed included. Past it, dials fail with
    /// `Limit` and nothing is accepted until one is gone. Default 4096: what most systems allow a process to open.
    pub connections: usize,
    /// Dials under way; more wait their turn. A name counts once, however many addresses it has. Default 64: home
    /// routers forget flows when too many begin at once.
    pub half_open: usize,
    /// Accepted streams from one address, loopback excepted; more are reset. Default 32: several users may share one
    /// address, but none needs all streams.
    pub per_address: usize,
    /// Bytes a second received on all streams together. Default: no limit.
    pub download: Option<Rate>,
    /// Bytes a second sent on all streams together. Default: no limit.
    pub upload: Option<Rate>,
    /// Names being looked up for a machine; more fail with `Limit`. Default 64: each takes a thread of the runtime.
    pub lookups: usize,
    /// How long dialling, or securing, may take. Default 20 s.
    pub connect_timeout: Duration,
    /// After how long without a byte in either direction a stream is broken off as timed out. Default: never, as most
    /// protocols keep their own time.
    pub idle_timeout: Option<Duration>,
    /// How long a closed stream may go without sending any of what is queued (twelve times as long in all), and then
    /// wait to hear that the other end has finished too. At a stop, how long all may take together. Default 5 s.
    pub linger: Duration,
    /// Bytes queued on a stream at which the machine is told `Full`. Default 256 KiB, a few milliseconds of a fast
    /// network.
    pub high_mark: usize,
    /// Bytes queued on a stream at which it is then told `Ready`. Default 128 KiB.
    pub low_mark: usize,
    /// How long the machine may take to say good-bye when it is stopped. Default 10 s.
    pub grace: Duration,
    /// Threads for disk and digests, started when first needed. Default 2.
    pub workers: usize,
    /// Jobs handed over and not answered; more fail with `Limit`. Default 1024.
    pub jobs: usize,
    /// Bytes of one shared buffer for what comes in. Default 512 KiB.
    pub receive_buffer: usize,
    /// Shared buffers at most, used round and round; while parts of all of them are held, what comes in is copied.
    /// Default 8: 4 MiB.
    pub receive_buffers: usize,
    /// Bytes that one input of a stream may carry. Default 256 KiB: each read of a full socket makes the other end send
    /// more, on this thread where both ends share a machine, and that costs less in large portions.
    pub read_at_once: usize,
    /// Datagrams of one socket that wait to be sent; more are dropped. Default 256.
    pub datagrams: usize,
    /// Bytes of datagrams of one socket that came in and were not read, as far as the system allows; more are lost.
    /// Default 4 MiB: a quarter of a second of 100 Mbit/s, and some. The system takes them only when they are there.
    pub datagram_buffer: usize,
    /// What may wait between the application and the machine.
    pub desk: DeskLimits,
    /// Where files lie. Default: in memory, at most 64 MiB.
    pub storage: Arc<dyn Storage>,
    /// How streams are dialled and secured. Default: TCP, and nothing to secure it with.
    pub connector: Arc<dyn Connector>,
    /// Civil time. Default: the system's.
    pub civil: Civil,
    /// The seed of the machine's dice. Default: from the operating system.
    pub seed: Option<[u8; 32]>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 4096,
            half_open: 64,
            per_address: 32,
            download: None,
            upload: None,
            lookups: 64,
            connect_timeout: Duration::from_secs(20),
            idle_timeout: None,
            linger: Duration::from_secs(5),
            high_mark: 256 * 1024,
            low_mark: 128 * 1024,
            grace: Duration::from_secs(10),
            workers: 2,
            jobs: 1024,
            receive_buffer: 512 * 1024,
            receive_buffers: 8,
            read_at_once: 256 * 1024,
            datagrams: 256,
            datagram_buffer: 4 * 1024 * 1024,
            desk: DeskLimits::default(),
            storage: Arc::new(Memory::new(64 * 1024 * 1024)),
            connector: Arc::new(Plain),
            civil: Arc::new(system_civil),
            seed: None,
        }
    }
}

impl Options {
    /// These options, with files in `storage`.
    #[must_use]
    pub fn with_storage(mut self, storage: impl Storage) -> Self {
        self.storage = Arc::new(storage);
        self
    }

    /// These options, with streams made by `connector`.
    #[must_use]
    pub fn with_connector(mut self, connector: impl Connector) -> Self {
        self.connector = Arc::new(connector);
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connections", &self.connections)
            .field("half_open", &self.half_open)
            .field("per_address", &self.per_address)
            .field("download", &self.download)
            .field("upload", &self.upload)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

#[allow(clippy::disallowed_methods, reason = "the driver is where civil time comes from")]
fn system_civil() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime::from_nanos(since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)))
}
