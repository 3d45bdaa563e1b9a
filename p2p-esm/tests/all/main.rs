//! Groups in the simulator.
#![allow(clippy::print_stdout, reason = "what was measured is shown by --nocapture")]

mod group;
mod lan;
mod places;
mod player;
mod policies;
mod scenarios;
mod strangers;
mod trees;
mod viewers;
mod wiring;
