//! The driver on real sockets, files and threads: small machines, counts and virtual time.
#![allow(clippy::unwrap_used)]

mod backpressure;
mod datagrams;
mod kit;
mod limits;
mod names;
mod operations;
mod pausing;
mod record;
mod stopping;
mod storage;
mod streams;
#[cfg(feature = "tls")]
mod tls;
