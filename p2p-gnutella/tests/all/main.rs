//! All behaviour that is tested from outside, as one program: linking one is faster than linking ten.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod attacks;
mod capture;
mod ggep;
mod handshake;
mod names;
mod qrp;
mod replay;
mod servents;
mod thex;
mod transfer;
mod wire;
