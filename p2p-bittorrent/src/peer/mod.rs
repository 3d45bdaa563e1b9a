//! What two peers of a torrent say to each other: the handshake, the messages after it, and the extension protocol.

pub mod extension;
mod fast;
pub mod handshake;
pub(crate) mod link;
pub(crate) mod session;
pub mod wire;

pub use extension::{ExtendedHandshake, PeerIds, Registry};
pub use fast::allowed_fast;
pub use handshake::{Handshake, HandshakeDecoder, HandshakeError, Reserved};
pub use wire::{Block, Decoder, Message, WireError, WireLimits};
