//! Links between servers: a handshake in clear, then one zlib stream each way.
//!
//! ```text
//! who dialled                                    who listens
//!    10010 name nonce level  ------------------>
//!                            <------------------  10010 name nonce level, 10011 proof
//!                   10011 proof  -------------->
//!                        zlib streams both ways, at the lower level of both
//! ```
//!
//! Each side knows two passwords: the one it shows, and the one that the other has to. What goes over the open link are the
//! messages of [`Linked`](crate::wire::Linked).

pub mod proof;
mod session;

pub use session::{Link, LinkError, LinkInput, LinkPeer};
