#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agenda;
mod ahead;
pub mod audit;
mod carry;
pub mod churn;
mod datagrams;
pub mod either;
pub mod explore;
pub mod faults;
mod few;
mod fold;
mod freeze;
mod known;
pub mod links;
mod node;
mod pipes;
pub mod report;
mod sim;
pub mod storage;
mod streams;
pub mod topology;
pub mod trace;
mod wires;
mod world;

pub use audit::Audit;
pub use either::{Either, EitherError};
pub use faults::{Faults, Gaps};
pub use links::{Coordinates, Links, Lopsided, Matrix, Uniform};
pub use node::{NodeIx, Told};
pub use pipes::Bandwidth;
pub use report::Traffic;
pub use sim::{Options, Setup, Sim};
pub use storage::{Disk, zeros};
pub use topology::TransitStub;
pub use trace::{Recorder, Trace};
