//! The messages: client to server, server to client, server to server.
//!
//! Each enum stands beside the table it is made of: the type's number, the variant, the fields in order and how each is
//! written. Sources: the OpenNap protocol description (`napster.txt`, 2001-04-07), and what opennap-ng 0.50, opennap
//! 0.36 and three clients were seen to send. Bodies are borrowed: nothing is copied to read a message.

mod linked;
mod records;
mod to_client;
mod to_server;

pub use linked::{Linked, LinkedUser, encapsulated, split_origin};
pub use records::{
    Hit, Level, Login, Member, Offer, ResumeMatch, ShareDirectory, SharedFile, Speed, Whois, WhoisPrivate,
    WireAddr, put_directory,
};
pub use to_client::{LoginAck, ToClient};
pub use to_server::ToServer;
