//! Our `torrent` and real clients (Transmission, aria2, libtorrent, opentracker, mktorrent) in small private networks.
//!
//! The tests are ignored by default because they need those clients: `.ci/clients` installs them, and
//! `cargo test -p p2p-examples --test real_clients -- --include-ignored` runs them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "real processes are waited for in real time")]

mod clients;
mod content;
#[path = "../namespace/mod.rs"]
mod namespace;
mod network;
mod process;
mod stage;

mod kills;
mod pairs;
mod swarms;
mod torrents;
