#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod client;
pub mod deflate;
pub mod index;
pub mod link;
pub mod metaserver;
pub mod server;
pub mod transfer;
pub mod wire;

pub use client::Client;
