#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod deflate;
pub mod index;
pub mod link;
pub mod metaserver;
pub mod server;
pub mod transfer;
pub mod wire;
