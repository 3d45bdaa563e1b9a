//! The simulator from outside: links and clocks, disks and crashes, and the wrappers over machines.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod explore;
mod kit;
mod streams;
mod world;
mod wrappers;
