//! Behaviour of the node in the simulator, and of what it is made of.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and says what it counted"
)]

mod copies;
mod disk;
mod explorer;
mod files;
mod limits;
mod primitives;
mod publishing;
mod refused;
mod ring;
mod rings;
mod storing;
mod wire;
