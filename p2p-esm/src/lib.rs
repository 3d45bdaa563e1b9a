#![doc = include_str!("../README.md")]
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
mod number;
pub mod playout;
mod shape;
pub mod symbol;
mod verified;
mod view;
pub mod wire;

pub use announcement::Announcement;
pub use api::{Command, Event, Timer};
pub use config::{Config, SourceKey};
pub use error::Error;
pub use group::{Broadcast, GroupKey};
pub use member::{Counts, Esm};
pub use shape::{LARGEST_PACKET, MOST_SYMBOLS, Shape, ShapeError};
pub use verified::Verified;
