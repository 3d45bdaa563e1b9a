//! How a link begins: the three legs of Gnutella 0.6, and the one line of 0.4, on both sides.
//!
//! ```text
//!   who dials                                        who is dialled
//!   dial() ── GNUTELLA CONNECT/0.6, its headers ──►  push() = Asked: look at peer(), then
//!   push() = Answered  ◄── GNUTELLA/0.6 200, its ──  agree()                    refuse() ──► 503, others to try
//!        or Refused                                       │                                  (over)
//!   agree() ─────── GNUTELLA/0.6 200, changes ────►  push() = Linked
//!    = Link, or refuse()                               or Refused
//! ```
//!
//! Nothing is sent or decided by itself: [`Handshake`] reads legs and writes them, [`Policy::judge`] has the decisions of a
//! servent, and whoever owns the connection does the rest. Bytes behind the last leg belong to what was agreed on: messages,
//! a zlib stream, or a TLS hello. They are in [`Link::rest`].
//!
//! What a stranger sends is limited by [`p2p_core::http::MAX_HEAD`] bytes and [`p2p_core::http::MAX_HEADERS`] lines for each
//! leg; how long it may take is for the owner to limit.

mod first_line;
mod greeting;
mod introduction;
mod machine;
mod peer;
mod policy;

use first_line::FirstLine;
pub use first_line::HandshakeError;
pub use greeting::{Greeting, greeting};
pub use introduction::{Introduction, Role};
pub use machine::{Event, Handshake, Link, Terms};
pub use peer::{Peer, TRIES_MAX, Version};
pub use policy::{Policy, Refusal, Situation, Verdict};
