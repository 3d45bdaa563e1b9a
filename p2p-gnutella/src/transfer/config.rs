//! How transfers behave, and how much strangers can make them hold.

use super::slots::SlotLimits;
use crate::Guid;
use crate::library;
use alloc::string::String;
use core::net::SocketAddr;
use p2p_core::{Duration, Root};

/// How [`Transfers`](super::Transfers) behave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// What is shared.
    pub library: library::Config,
    /// How often the watched folders are looked through; zero for once, when the program starts.
    pub scan_every: Duration,
    /// The root that files are fetched to.
    pub downloads: Root,
    /// The servent's name, by which others ask it to connect.
    pub servent: Guid,
    /// The program's name told to others.
    pub agent: String,
    /// Where others reach us; `None` while that is not known, or if they cannot.
    pub address: Option<SocketAddr>,
    /// Bytes a second that go out, of all uploads; `u64::MAX` without a limit.
    pub upload_rate: u64,
    /// Whether what is fetched is shared meanwhile, as far as it is verified.
    pub share_partial: bool,
    /// How often an operation that waits for a file is told its progress, and its state saved if much has come.
    pub report_every: Duration,
    /// The first wait before a source that failed is asked again, times its failures.
    pub retry: Duration,
    /// Bounds.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            library: library::Config::default(),
            scan_every: Duration::from_mins(10),
            downloads: Root(0),
            servent: Guid::ZERO,
            agent: concat!("p2p-gnutella/", env!("CARGO_PKG_VERSION")).into(),
            address: None,
            upload_rate: u64::MAX,
            share_partial: true,
            report_every: Duration::from_secs(1),
            retry: Duration::from_secs(20),
            limits: Limits::default(),
        }
    }
}

/// Bounds on everything that strangers can make grow or last.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Slots for uploads and the queue for them.
    pub uploads: SlotLimits,
    /// Streams that others opened to be served, those that wait and are silent included.
    pub guests: usize,
    /// How long a head may take from its first byte, or the first one from the opening of the stream.
    pub head: Duration,
    /// How long a stream may stay open without a request.
    pub idle: Duration,
    /// How long [`read`](Self::read) bytes may take to leave, and how long a source may be silent.
    pub silence: Duration,
    /// Bytes that are read at once for an upload.
    pub read: u64,
    /// Bytes of a request that came too early that are kept; past it the stream is not read.
    pub early: usize,
    /// How often one address may list what is shared: so many seconds for each time.
    pub browse_every: Duration,
    /// Files in a list of what is shared.
    pub browse: usize,
    /// Streams that are opened at once for pushes that others ask for.
    pub pushes: usize,
    /// Files that are fetched at once.
    pub downloads: usize,
    /// Sources of one file that are remembered.
    pub sources: usize,
    /// Sources of one file that give at once.
    pub givers: usize,
    /// How long dialling, or being connected to, may take.
    pub connect: Duration,
    /// Failures in a row after which a source is given up.
    pub failures: u32,
    /// The most bytes asked for at once of a source that is slow or new; one that is fast is asked for more.
    pub range_min: u64,
    /// The most bytes asked for at once.
    pub range_max: u64,
    /// Bytes of one file on their way to the disk past which its sources are not read.
    pub unwritten: u64,
    /// Bytes of a body that is not wanted that are skipped, to keep the stream.
    pub skip: u64,
    /// Bytes of a list of a servent's files that is fetched.
    pub listing: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uploads: SlotLimits::default(),
            guests: 128,
            head: Duration::from_secs(20),
            idle: Duration::from_mins(1),
            silence: Duration::from_secs(60),
            read: 256 << 10,
            early: 8 << 10,
            browse_every: Duration::from_mins(1),
            browse: 10_000,
            pushes: 16,
            downloads: 1_000,
            sources: 64,
            givers: 8,
            connect: Duration::from_secs(20),
            failures: 4,
            // What gtk-gnutella gives of a first request whatever it was asked for.
            range_min: 512 << 10,
            range_max: 16 << 20,
            unwritten: 8 << 20,
            skip: 64 << 10,
            listing: 8 << 20,
        }
    }
}
