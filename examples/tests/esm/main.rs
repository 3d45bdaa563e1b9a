//! `esm` in network namespaces: two LANs behind routers, and hosts of their own, as processes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "real processes are waited for in real time")]
#![allow(clippy::print_stdout, reason = "what was measured is shown by --nocapture")]

#[cfg(feature = "page")]
mod browser;
mod calm;
mod islands;
#[path = "../namespace/mod.rs"]
mod namespace;
mod network;
