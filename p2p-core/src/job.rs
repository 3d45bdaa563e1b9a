//! Disk work and digests as [`Job`]s: the machine says what, the driver does it away from the machine.

use crate::effect::IoError;
use crate::hash::{Digest, DigestKind, Digester};
use crate::path::FileId;
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
}

/// Work that would block a machine: disk, and digests of more than a little.
///
/// Jobs of one machine may run in any order and side by side, unless one is asked for after the other was answered.
#[derive(Clone)]
pub enum Job {
    /// Read the spans one after the other into one buffer; [`JobDone::Read`]. [`IoError::Short`] if a file ends early.
    Read {
        /// What to read, in this order.
        spans: Vec<Span>,
    },
    /// Write `data`, joined, over the spans, joined; both have the same length. Makes files and folders that are not
    /// there. [`JobDone::Written`].
    Write {
        /// Where to write, in this order.
        spans: Vec<Span>,
        /// What to write, in this order.
        data: Vec<Bytes>,
        /// A running digest to feed the same bytes to while they are at hand; it comes back with the answer.
        digest: Option<Box<Digester>>,
    },
    /// Digest bytes; [`JobDone::Digest`].
    Digest {
        /// Which digest.
        kind: DigestKind,
        /// The bytes, joined.
        data: Vec<Bytes>,
    },
    /// Digest spans of files without carrying them through the machine; [`JobDone::Digest`].
    DigestSpans {
        /// Which digest.
        kind: DigestKind,
        /// The spans, joined.
        spans: Vec<Span>,
    },
    /// Read a whole file of at most `limit` bytes; [`JobDone::Read`], [`IoError::Limit`] if it is larger.
    Load {
        /// The file.
        file: FileId,
        /// The most bytes to take.
        limit: u64,
    },
    /// Put a whole file in place of what was there, so that a crash leaves the old or the new and nothing between;
    /// [`JobDone::Done`].
    Replace {
        /// The file.
        file: FileId,
        /// Its new content.
        data: Bytes,
    },
    /// Wait until what was written to the file is on the device; [`JobDone::Done`].
    Sync {
        /// The file.
        file: FileId,
    },
    /// Size and time of change; [`JobDone::Stat`].
    Stat {
        /// The file.
        file: FileId,
    },
    /// What is below a folder, all levels, files only, in order of their paths; [`JobDone::List`]. A name that is not
    /// Unicode is [`IoError::BadName`] and not left out: who shares a folder shall not miss a file of it unawares.
    /// [`IoError::NotFound`] if there is no such folder, as in memory an empty one is none.
    List {
        /// The folder.
        dir: FileId,
        /// The most entries; [`IoError::Limit`] if there are more.
        limit: u32,
    },
    /// Rename a file within its root, over another if there is one; [`JobDone::Done`].
    Rename {
        /// The old name.
        from: FileId,
        /// The new name.
        to: FileId,
    },
    /// Give a file this length, made if it is not there, filled with zeros (sparse where the disk can);
    /// [`JobDone::Done`].
    Truncate {
        /// The file.
        file: FileId,
        /// Its new length in bytes.
        len: u64,
    },
    /// Remove a file if it is there, and folders that become empty; [`JobDone::Done`].
    Remove {
        /// The file.
        file: FileId,
    },
    /// Derive 32 bytes from a password, slowly (argon2id); [`JobDone::Derived`].
    Derive {
        /// The password.
        password: Bytes,
        /// Random bytes kept beside the result.
        salt: [u8; 16],
        /// How slowly.
        cost: Cost,
    },
}

/// How slow a password hash is made (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl Default for Cost {
    /// OWASP's minimum for argon2id: 19 MiB, 2 passes.
    fn default() -> Self {
        Self { memory: 19 * 1024, passes: 2 }
    }
}

/// What became of a [`Job`].
#[derive(Debug, Clone)]
pub enum JobDone {
    /// Of `Read` and `Load`.
    Read(Result<Bytes, IoError>),
    /// Of `Write`.
    Written {
        /// Whether all of it was written.
        result: Result<(), IoError>,
        /// The running digest, fed with all of the bytes, whatever became of the writing. `None` if there was none,
        /// or if the driver declined to feed it (a simulated disk that keeps no content): the machine then asks for
        /// [`Job::DigestSpans`] when it needs the digest.
        digest: Option<Box<Digester>>,
    },
    /// Of `Digest` and `DigestSpans`.
    Digest(Result<Digest, IoError>),
    /// Of `Stat`; `None` if there is no such file.
    Stat(Result<Option<Stat>, IoError>),
    /// Of `List`.
    List(Result<Vec<Entry>, IoError>),
    /// Of `Replace`, `Sync`, `Rename`, `Truncate` and `Remove`.
    Done(Result<(), IoError>),
    /// Of `Derive`.
    Derived(Result<[u8; 32], IoError>),
}

/// A file's size and time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub len: u64,
    /// When it was last changed.
    pub modified: UnixTime,
}

/// A file in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the listed folder, parts joined by `/`, as the disk has it.
    pub path: String,
    /// Its size and time of change.
    pub stat: Stat,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { spans } => f.debug_struct("Read").field("spans", spans).finish(),
            Self::Write { spans, data, digest } => f
                .debug_struct("Write")
                .field("spans", spans)
                .field("data", data)
                .field("digest", &digest.is_some())
                .finish(),
            Self::Digest { kind, data } => {
                f.debug_struct("Digest").field("kind", kind).field("data", data).finish()
            }
            Self::DigestSpans { kind, spans } => {
                f.debug_struct("DigestSpans").field("kind", kind).field("spans", spans).finish()
            }
            Self::Load { file, limit } => {
                f.debug_struct("Load").field("file", file).field("limit", limit).finish()
            }
            Self::Replace { file, data } => {
                f.debug_struct("Replace").field("file", file).field("data", data).finish()
            }
            Self::Sync { file } => f.debug_struct("Sync").field("file", file).finish(),
            Self::Stat { file } => f.debug_struct("Stat").field("file", file).finish(),
            Self::List { dir, limit } => {
                f.debug_struct("List").field("dir", dir).field("limit", limit).finish()
            }
            Self::Rename { from, to } => {
                f.debug_struct("Rename").field("from", from).field("to", to).finish()
            }
            Self::Truncate { file, len } => {
                f.debug_struct("Truncate").field("file", file).field("len", len).finish()
            }
            Self::Remove { file } => f.debug_struct("Remove").field("file", file).finish(),
            // The password stays out of logs and traces.
            Self::Derive { salt, cost, .. } => {
                f.debug_struct("Derive").field("salt", salt).field("cost", cost).finish_non_exhaustive()
            }
        }
    }
}
