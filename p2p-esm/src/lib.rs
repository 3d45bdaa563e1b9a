#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod code;
mod group;
pub mod manifest;
mod number;
pub mod playout;
mod shape;
pub mod symbol;

pub use group::{Broadcast, GroupKey};
pub use shape::{LARGEST_PACKET, MOST_SYMBOLS, Shape, ShapeError};
