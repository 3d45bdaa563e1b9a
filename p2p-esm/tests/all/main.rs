//! Groups in the simulator.

mod group;
mod lan;
mod trees;
mod wiring;
