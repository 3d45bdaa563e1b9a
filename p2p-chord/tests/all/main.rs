//! Behaviour of the node in the simulator, and of what it is made of.

mod copies;
mod disk;
mod refused;
mod ring;
mod rings;
mod storing;
mod wire;
