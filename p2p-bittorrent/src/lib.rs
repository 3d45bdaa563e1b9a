//! Docs follow.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod bencode;
pub mod choke;
pub mod compact;
mod info_hash;
pub mod metainfo;
pub mod peer;
pub mod picker;
pub mod rate;
pub mod tracker;

pub use info_hash::{IdError, InfoHash, PeerId};
pub use metainfo::{Info, Metainfo};
