//! Servents in the simulator: the real machines, their rules checked at every step.

mod bootstrap;
mod files;
mod flood;
mod guess;
mod heads;
mod net;
mod oob;
mod phrases;
mod primitives;
mod proxied;
mod recorded;
mod replayed;
mod secured;
mod six;
mod tables;
mod tiers;
pub(crate) mod victim;
