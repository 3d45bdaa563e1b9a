#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;
#[cfg(any(feature = "node", test))]
extern crate std;

pub mod bitfield;
pub mod chunk;
mod cx;
#[cfg(feature = "zlib")]
pub mod deflate;
mod effect;
pub mod erasure;
pub mod frames;
pub mod hash;
pub mod http;
pub mod id;
mod job;
pub mod keywords;
mod length_prefixed;
pub mod limit;
mod machine;
pub mod merkle;
#[cfg(feature = "node")]
pub mod node;
mod part;
pub mod path;
mod primitives;
mod rng;
#[cfg(feature = "node")]
pub mod system;
#[cfg(feature = "tiger")]
mod tiger_tree;
mod time;
#[cfg(feature = "token")]
mod token;

pub use bitfield::Bitfield;
pub use bytes::Bytes;
pub use chunk::Pieces;
pub use cx::{Cx, Source};
pub use effect::{
    ConnId, Effect, Group, IoError, JobId, ListenerId, LookupId, OpId, Security, SocketId, Target,
};
pub use frames::{Frames, Wire, WireError};
pub use hash::{Digest, DigestKind, Digester};
pub use id::Id;
pub use job::{Cost, Entry, Job, JobDone, Span, Stat};
pub use keywords::Keywords;
pub use length_prefixed::LengthPrefixed;
pub use limit::TokenBucket;
pub use machine::{Datagram, Input, Machine, OpInput, StreamInput};
#[cfg(feature = "node")]
pub use node::{Desk, DeskLimits, News, Node, OpError, Operation};
pub use part::Own;
pub use path::{FileId, RelPath, Root};
pub use primitives::{Chunk, Fetch, Join, Publish, Reach, Search};
pub use rng::Rng;
#[cfg(feature = "node")]
pub use system::System;
pub use time::{Duration, Instant, UnixTime};
#[cfg(feature = "token")]
pub use token::{TOKEN_LIFE, Tokens};
