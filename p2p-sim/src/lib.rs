//! A deterministic simulator for sans-IO peer-to-peer machines.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agenda;
mod carry;
mod datagrams;
pub mod faults;
mod fold;
pub mod links;
mod node;
mod pipes;
pub mod report;
mod sim;
pub mod storage;
mod streams;
mod wires;
mod world;

pub use faults::Faults;
pub use links::{Coordinates, Links, Matrix, Uniform};
pub use node::{NodeIx, Told};
pub use pipes::Bandwidth;
pub use report::Traffic;
pub use sim::{Options, Setup, Sim};
pub use storage::{Disk, zeros};
