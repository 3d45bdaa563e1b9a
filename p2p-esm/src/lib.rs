#![doc = include_str!("../README.md")]
//!
//! # The primitives
//!
//! | primitive | here |
//! | --- | --- |
//! | [`Join`](p2p_core::Join) | [`Bootstrap`]: as the source, or by members |
//! | [`Publish`](p2p_core::Publish) | [`Item`], the next part of the stream, by its source (`Reach::Overlay`) |
//! | [`Fetch`](p2p_core::Fetch) | the stream, from a [`Point`] on: signed [`Chunk`](p2p_core::Chunk)s in order |
//! | [`Search`](p2p_core::Search) | none: a stream is known by its key |
//!
//! Generic code names the primitives that it needs, and a member has these three:
//!
//! ```
//! fn watch<M: p2p_core::Join + p2p_core::Publish + p2p_core::Fetch>() {}
//! watch::<p2p_esm::Esm>();
//! ```
//!
//! Asking for a search does not compile, with ``error[E0277]: `Esm` has no search of its own``:
//!
//! ```compile_fail,E0277
//! fn find<M: p2p_core::Search>() {}
//! find::<p2p_esm::Esm>();
//! ```
//!
//! Where a program chooses its systems while it runs, a node of a member is a `p2p_core::System`.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

mod announcement;
mod api;
pub mod code;
mod config;
mod error;
mod group;
pub mod lan;
pub mod manifest;
mod member;
mod mesh;
mod number;
mod picture;
pub mod playout;
mod policy;
mod primitives;
mod seal;
mod shape;
pub mod symbol;
#[cfg(feature = "node")]
mod system;
mod verified;
mod view;
pub mod wire;

pub use announcement::Announcement;
pub use api::{Command, Event, Point, Timer};
pub use config::{Config, SourceKey};
pub use error::Error;
pub use group::{Broadcast, GroupKey};
pub use member::{Counts, Esm, Said, Sent};
pub use picture::{Branch, Picture};
pub use policy::Policy;
pub use primitives::{Bootstrap, Item};
pub use seal::SharedKey;
pub use shape::{LARGEST_PACKET, MOST_SYMBOLS, Shape, ShapeError};
#[cfg(feature = "node")]
pub use system::TextError;
pub use verified::Verified;
