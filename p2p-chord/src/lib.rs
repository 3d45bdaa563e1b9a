#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

mod api;
pub mod archive;
mod block;
mod config;
mod contact;
mod error;
pub mod files;
mod fingers;
mod host;
mod id;
mod lookup;
mod node;
mod peer;
mod pending;
mod primitives;
pub mod record;
mod ring;
mod roster;
pub mod store;
#[cfg(feature = "node")]
mod system;
mod ways;
pub mod wire;

pub use api::{Command, Event, Get, Provide, Put, Status, Timer};
pub use archive::Archive;
pub use config::{Config, Routing};
pub use error::Error;
pub use host::{Host, HostTimer};
pub use id::{NetworkId, RingId};
pub use lookup::Report;
pub use node::{Chord, Handed, Strays, least_laden};
pub use peer::{Peer, Place};
pub use primitives::{Bootstrap, Hit, Item};
pub use ring::Broken;
#[cfg(feature = "node")]
pub use system::TextError;
