//! All behaviour that is tested from outside, as one program: linking one is faster than linking ten.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod capture;
mod client;
mod crowd;
mod index;
mod link;
mod links;
mod recorded;
mod server;
mod storm;
mod together;
mod transfer_wire;
mod wire;
