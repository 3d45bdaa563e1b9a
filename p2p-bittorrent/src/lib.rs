//! Docs follow.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod bencode;
mod info_hash;
pub mod metainfo;

pub use info_hash::{IdError, InfoHash, PeerId};
pub use metainfo::{Info, Metainfo};
