//! The messages between servents.
//!
//! A message is a head of 23 bytes and a payload: its GUID (16), its [`Kind`] (1), TTL (1), hops (1), and the length of the
//! payload (4, little-endian).
//!
//! - [`frame`] cuts a stream into messages, takes datagrams, and writes heads; what is relayed is a slice of what came, and
//!   only its head is written anew;
//! - [`Message`] is a payload read as what its kind says. Values keep the bytes of parts that are long or that others may
//!   have written in their own way (results, extensions, private data), so that each is written as it came;
//! - [`extensions`] has what stands between the NULs: GGEP, HUGE, XML;
//! - [`vendor`] has the vendor messages.
//!
//! Numbers are little-endian, IPv4 addresses in network order, and the flags of a query big-endian.

mod bye;
pub mod extensions;
pub mod frame;
mod header;
mod hit;
mod hosts;
mod hsep;
mod message;
mod ping;
mod push;
mod query;
mod route;
mod trailer;
pub mod vendor;

pub use bye::{Bye, code as bye_code};
pub use extensions::{Extension, Extensions, SEPARATOR};
pub use frame::{Decoder, Frame, FrameError, Heads, SizeLimits};
pub use header::{HEADER_LEN, Header, Kind, Undeliverable};
pub use hit::{HitBuilder, QueryHit, Record, Records, put_content};
pub use hosts::{Families, Hosts, Hosts6, NO_ADDRESS, lists, put_v4, put_v6, read_lists};
pub use hsep::{Horizon, Triple};
pub use message::Message;
pub use p2p_core::WireError;
pub use ping::{Ping, Pong, put_seen_at};
pub use push::Push;
pub use query::{Query, QueryFlags, WHATS_NEW};
pub use route::{Compressor, Patch, Route};
pub use trailer::{HitFlags, Private, Trailer};
pub use vendor::{Vendor, VendorCode, VendorMessage};
