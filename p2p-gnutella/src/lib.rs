#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod deflate;
pub mod dime;
pub mod ggep;
pub mod guid;
pub mod handshake;
pub mod head;
pub mod huge;
pub mod library;
pub mod magnet;
pub mod qrp;
pub mod servent;
pub mod strategy;
pub mod thex;
pub mod transfer;
pub mod wire;

pub use guid::Guid;
pub use huge::Urn;
pub use magnet::Magnet;
pub use servent::Servent;
