//! Groups in the simulator.

mod group;
mod trees;
