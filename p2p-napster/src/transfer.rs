//! Files and lists of files between two users, over a connection that one of them dials.

pub mod wire;
