//! The vocabulary shared by every system of the workspace.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "node", test))]
extern crate std;

pub mod chunk;
mod cx;
mod effect;
pub mod hash;
mod job;
mod machine;
mod part;
pub mod path;
mod primitives;
mod rng;
mod time;

pub use bytes::Bytes;
pub use chunk::Pieces;
pub use cx::{Cx, Source};
pub use effect::{
    ConnId, Effect, Group, IoError, JobId, ListenerId, LookupId, OpId, Security, SocketId, Target,
};
pub use hash::{Digest, DigestKind, Digester};
pub use job::{Cost, Entry, Job, JobDone, Span, Stat};
pub use machine::{Datagram, Input, Machine, OpInput, StreamInput};
pub use part::Own;
pub use path::{FileId, RelPath, Root};
pub use primitives::{Chunk, Fetch, Join, Publish, Reach, Search};
pub use rng::Rng;
pub use time::{Duration, Instant, UnixTime};
