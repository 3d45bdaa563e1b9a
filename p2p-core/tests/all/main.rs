//! All behaviour that is tested from outside, as one program: linking one is faster than linking ten.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod deflate;
mod hash;
mod merkle;
mod system;
