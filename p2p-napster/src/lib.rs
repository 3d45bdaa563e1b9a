#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod client;
pub mod transfer;
pub mod wire;

pub use client::Client;
