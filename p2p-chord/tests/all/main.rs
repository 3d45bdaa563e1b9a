//! Behaviour of the node in the simulator, and of what it is made of.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and says what it counted"
)]

#[path = "../alone/mod.rs"]
mod alone;
mod amplification;
mod bounded;
mod caching;
mod coded;
mod copies;
mod disk;
mod eclipse;
mod everybody;
mod explorer;
mod files;
mod fingers;
mod host;
mod joining;
mod limits;
mod links;
mod merge;
mod nat;
mod networks;
mod primitives;
mod publishing;
mod recursive;
mod refused;
mod replayed;
mod ring;
mod rings;
mod storing;
mod strays;
mod wire;
