//! The client as a machine: what a server and users say goes in, effects are looked at.

mod crowd;
mod hostile;
mod primitives;
mod quirks;
mod ranges;
mod replay;
mod rig;
mod scenarios;
mod session;
mod streams;
