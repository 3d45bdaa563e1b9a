//! Groups in the simulator.

mod group;
mod lan;
mod player;
mod trees;
mod wiring;
