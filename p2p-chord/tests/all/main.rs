//! Behaviour of the node in the simulator, and of what it is made of.

mod copies;
mod refused;
mod ring;
mod rings;
mod storing;
mod wire;
