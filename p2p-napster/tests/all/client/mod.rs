//! The client as a machine: what a server and users say goes in, effects are looked at.

mod crowd;
mod ranges;
mod rig;
