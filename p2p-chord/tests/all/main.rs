//! Behaviour of the node in the simulator, and of what it is made of.

mod explorer;
mod ring;
mod rings;
mod wire;
