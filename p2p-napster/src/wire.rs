//! The protocol between clients and servers: frames, fields, messages.
//!
//! A message is `length: u16, type: u16` (both little-endian; the length counts what follows) and then text: fields
//! between spaces, those with spaces inside in double quotes. All text is bytes of an unknown charset.
//!
//! - [`frame`] cuts a stream into messages and writes them;
//! - [`text`] reads and writes fields, compares nicks, and shows a stranger's text;
//! - [`message`] has the messages: [`ToServer`], [`ToClient`] and [`Linked`];
//! - [`query`] has the clauses of a search.

#[macro_use]
mod codec;
pub mod frame;
pub mod message;
pub mod query;
pub mod text;

pub use frame::{Decoder, Frame, FrameError, put_frame};
pub use message::{Level, Linked, Speed, ToClient, ToServer, WireAddr};
pub use query::Query;
pub use text::{Fault, Fields, Malformed, Writer};
