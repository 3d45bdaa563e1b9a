//! Servents in the simulator: the real machines, their rules checked at every step.

mod bootstrap;
mod files;
mod flood;
mod net;
mod oob;
mod primitives;
mod recorded;
mod replayed;
mod secured;
mod tiers;
pub(crate) mod victim;
