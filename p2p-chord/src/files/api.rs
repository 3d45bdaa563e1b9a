//! What can be asked of a machine of files, and what it tells.

use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Chunk, ConnId, Duration, FileId, IoError, OpId};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Let everybody fetch a file from here. It is digested first; ends after [`Event::Shared`].
    Share(FileId),
    /// Do so no more. Fetches under way end as they would.
    Unshare([u8; 32]),
    /// Fetch a file from those who have it.
    Fetch(Fetch),
}

/// A file to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// SHA-256 of its content.
    pub sha256: [u8; 32],
    /// Its bytes.
    pub size: u64,
    /// Who has it, as far as is known.
    pub holders: Vec<SocketAddr>,
    /// Where it is to be. Until it is whole and verified it is beside there, with `.part` behind its name, and in
    /// another file with `.have` behind that is noted which parts came: a later fetch goes on from there.
    pub to: FileId,
    /// Whether its content is told as well, in order, once it is verified.
    pub read: bool,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Files can be had here.
    Listening(SocketAddr),
    /// Nobody can fetch anything here.
    NotListening(IoError),
    /// A file can be had from now on.
    Shared {
        /// The file.
        file: FileId,
        /// SHA-256 of its content.
        sha256: [u8; 32],
        /// Its bytes.
        size: u64,
    },
    /// A shared file is another one now, or gone: it cannot be had any more.
    Changed {
        /// The file.
        file: FileId,
        /// What it was.
        sha256: [u8; 32],
    },
    /// Somebody was sent a part of a file.
    Served {
        /// Who.
        to: SocketAddr,
        /// Of what.
        sha256: [u8; 32],
        /// Bytes.
        sent: u64,
        /// Whether it was all that was asked for.
        whole: bool,
    },
    /// How a fetch goes; told twice a second.
    Progress {
        /// Bytes that came, those of earlier runs included.
        have: u64,
        /// Bytes in all.
        size: u64,
        /// Holders that are asked at present.
        holders: usize,
    },
    /// A holder is not asked any more.
    Dropped {
        /// Which.
        holder: SocketAddr,
        /// Why not.
        why: Fault,
    },
    /// The file is there, and verified.
    Saved {
        /// The file.
        file: FileId,
        /// Its bytes.
        size: u64,
    },
    /// The next part of a verified file.
    Chunk(Chunk),
}

/// What is wrong with a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be reached, or breaks off.
    #[error("cannot be reached: {0}")]
    Unreachable(IoError),
    /// It sends less than [`Limits::least_rate`].
    #[error("too slow")]
    Slow,
    /// What it says is no HTTP/1.1, or not the answer to what it was asked.
    #[error("answers with something else than was asked for")]
    Malformed,
    /// It has no such file.
    #[error("does not have it")]
    Lacks,
    /// It answers with this status.
    #[error("refuses: status {0}")]
    Refused(u16),
    /// The file has another size there.
    #[error("has a file of another size")]
    Size,
    /// What it sent is not the file: its SHA-256 says so.
    #[error("sends other bytes than those of the file")]
    Content,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of ours cannot be read or written.
    #[error("disk: {0}")]
    Disk(IoError),
    /// Nobody is left to fetch it from. What came is kept.
    #[error("nobody is left who has it")]
    NoHolder,
    /// Another file has that name.
    #[error("another file of that name is there")]
    Exists,
    /// More than [`Limits::chunks`] chunks.
    #[error("larger than anything that is fetched")]
    TooLarge,
    /// More than [`Limits::fetches`], or [`Limits::shared`].
    #[error("too much under way")]
    Busy,
    /// Nothing of the kind is shared.
    #[error("not shared")]
    NotShared,
    /// The machine was asked to stop. What came is kept.
    #[error("stopped")]
    Stopped,
    /// Nobody wanted it any more. What came is kept.
    #[error("cancelled")]
    Cancelled,
}

/// Timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Who fetches from us takes too long.
    Guest(ConnId),
    /// Who has something takes too long.
    Holder(ConnId),
    /// To tell how a fetch goes.
    Report(OpId),
    /// A busy holder may be asked again.
    Rest(OpId),
}

/// How a machine of files behaves.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Where others fetch from; `None`: nobody does. Port 0: any free one.
    pub listen: Option<SocketAddr>,
    /// What strangers can make grow.
    pub limits: Limits,
}

/// What strangers can make grow, and how long they are waited for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Connections of those who fetch: 64. Each may have 256 KiB read for it and as much queued.
    pub guests: usize,
    /// And of one address, loopback excepted: 8. What is more is told to come again.
    pub guests_alike: usize,
    /// How long a request may take to come in: 15 s.
    pub head: Duration,
    /// How long a guest may take none of what is queued for it, and rest once it was given something: 60 s.
    pub stalled: Duration,
    /// Files shared: 65,536.
    pub shared: usize,
    /// Fetches at a time: 64.
    pub fetches: usize,
    /// Holders that one fetch asks at a time: 8, with a chunk in memory for each.
    pub holders: usize,
    /// Holders that one fetch knows: 128, as many as a key of the ring has.
    pub known: usize,
    /// Bytes that a holder is asked for at a time: 1 MiB, so that a round trip in between costs little.
    pub chunk: u32,
    /// Chunks of a file: 2^20. With 1 MiB each, a file has 1 TiB at most; what is noted of them takes 6 MiB, and 40 MiB
    /// more while it is found out who lied.
    pub chunks: u32,
    /// Bytes a second below which a holder is given up, over [`Self::pace`]: 1 KiB.
    pub least_rate: u64,
    /// How often that is looked at: every 15 s.
    pub pace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            guests: 64,
            guests_alike: 8,
            head: Duration::from_secs(15),
            stalled: Duration::from_secs(60),
            shared: 65_536,
            fetches: 64,
            holders: 8,
            known: 128,
            chunk: 1 << 20,
            chunks: 1 << 20,
            least_rate: 1_024,
            pace: Duration::from_secs(15),
        }
    }
}
