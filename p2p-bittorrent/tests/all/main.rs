//! All behaviour that is tested from outside, as one program: linking one is faster than linking ten.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod attacks;
mod bencode;
mod choke;
mod client;
mod made;
mod magnet;
mod metainfo;
#[cfg(unix)]
mod names;
mod picker;
mod recorded;
mod serving;
mod system;
mod tracker;
mod trust;
mod wire;
