//! Files and lists of files between two users, over a connection that one of them dials: the pieces that need neither
//! sockets nor disk.
//!
//! | module | what it decides |
//! | --- | --- |
//! | [`address`] | whether an address that a server gave may be dialled |
//! | [`name`] | what a file of a stranger's name is called here |
//! | [`intake`] | what a holder's bytes are: size, overlap, repeated beginning, content |
//! | [`part`] | how content gets to the disk in order |
//! | [`slots`] | whom to serve now, and who waits |
//! | [`wire`] | what is said on the data port before and beside a file's bytes |

pub mod address;
pub mod intake;
pub mod name;
pub mod part;
pub mod slots;
pub mod wire;
