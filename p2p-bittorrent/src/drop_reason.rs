//! Why a peer's connection ended: [`DropReason`].

use crate::peer::wire::WireError;
use p2p_core::IoError;

/// Why a peer's connection ended, or was never made.
///
/// Told in [`Event::Dropped`](crate::Event::Dropped) and [`Event::Banned`](crate::Event::Banned). Nothing in it is a
/// text that a peer chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// The other end finished, or broke off without an error.
    #[error("closed by the peer")]
    Closed,
    /// The stream broke.
    #[error("the connection broke: {0}")]
    Broken(IoError),
    /// It was dialled and could not be had.
    #[error("not reached: {0}")]
    NotReached(IoError),
    /// Its address is banned.
    #[error("its address is banned")]
    BannedAddress,
    /// More streams than [`Limits::unknown_streams`](crate::Limits::unknown_streams) wait for a handshake.
    #[error("too many connections have not greeted yet")]
    TooManyGreeting,
    /// As many streams of its address as [`Limits::greeting_per_address`](crate::Limits::greeting_per_address) wait for
    /// a handshake, or the torrent has [`Limits::peers_per_address`](crate::Limits::peers_per_address) of them.
    #[error("too many connections of its address")]
    TooManyOfAddress,
    /// The handshake was not whole within [`Limits::handshake`](crate::Limits::handshake).
    #[error("no handshake in time")]
    NoHandshake,
    /// The first bytes are no handshake.
    #[error("not the BitTorrent protocol")]
    NotBitTorrent,
    /// The handshake names a torrent that is not here.
    #[error("asked for an unknown torrent")]
    UnknownTorrent,
    /// The peer that was dialled answers for another torrent.
    #[error("answered for another torrent than asked for")]
    OtherTorrent,
    /// The torrent is here, but paused, stopped or being checked.
    #[error("the torrent is not active")]
    NotActive,
    /// The peer has our own id.
    #[error("that is ourselves")]
    Ourselves,
    /// A peer of this id and address is connected already.
    #[error("connected already")]
    Twin,
    /// The torrent has [`Limits::peers_per_torrent`](crate::Limits::peers_per_torrent) peers.
    #[error("no room for another peer")]
    NoRoom,
    /// The torrent has all the peers it may have; this one moved nothing and wanted nothing, and another came.
    #[error("made room for another peer")]
    MadeRoom,
    /// The bytes are no message, or one over a limit.
    #[error("malformed message: {0}")]
    Malformed(WireError),
    /// A bitfield of another size than the torrent's, or with bits past its end (BEP 3: "Clients should drop the
    /// connection if they receive bitfields that are not of the correct size, or if the bitfield has spare bits set").
    #[error("bitfield of wrong size or with spare bits")]
    WrongBitfield,
    /// `HaveAll` or `HaveNone` that is not the first word on what it has (BEP 6).
    #[error("have-all or have-none out of place")]
    LateBitfield,
    /// A piece index that the torrent has not.
    #[error("piece index out of range")]
    PieceOutOfRange,
    /// A request for nothing, or for bytes past the end of the piece.
    #[error("request out of range")]
    RequestOutOfRange,
    /// A request for more than [`Limits::block`](crate::Limits::block).
    #[error("request too large")]
    RequestTooLarge,
    /// Again and again asked for what is not here.
    #[error("asks for pieces that are not had")]
    RequestNotHad,
    /// Again and again asked for more than [`Limits::requests_in`](crate::Limits::requests_in).
    #[error("request flood")]
    RequestFlood,
    /// A message of the fast extension, which was not agreed on (BEP 6).
    #[error("a message of the fast extension without it")]
    NotFast,
    /// Lets us ask, and rejects everything (BEP 6).
    #[error("rejects everything")]
    RejectsAll,
    /// The extension handshake is no dictionary, or beyond any sensible size (BEP 10).
    #[error("malformed extension handshake")]
    BadExtensionHandshake,
    /// Sent more or less of a block than was asked for.
    #[error("sent a block of another size than asked for")]
    WrongBlockSize,
    /// Again and again sent blocks that nobody asked for.
    #[error("sends what nobody asked for")]
    Unrequested,
    /// More messages that say nothing new than [`Limits::idle_messages`](crate::Limits::idle_messages).
    #[error("message flood")]
    MessageFlood,
    /// Silent for [`Limits::silence`](crate::Limits::silence).
    #[error("silent for too long")]
    Silent,
    /// Both ends have everything.
    #[error("both are seeds")]
    BothSeeds,
    /// It alone gave a piece, and the piece is not the torrent's.
    #[error("sent a piece that is not the torrent's")]
    BadPiece,
    /// A block of it differs from that of the verified piece.
    #[error("sent a block that is not the torrent's")]
    BadBlock,
    /// The torrent stopped with an error.
    #[error("the torrent stopped")]
    TorrentStopped,
    /// The application removed the torrent.
    #[error("the torrent was removed")]
    TorrentRemoved,
    /// The application paused the torrent.
    #[error("the torrent is paused")]
    Paused,
    /// The torrent's files are being checked.
    #[error("the torrent's files are being checked")]
    Checking,
    /// The client is stopping.
    #[error("stopping")]
    Stopping,
}

impl DropReason {
    /// Whether the peer broke a rule or a limit, rather than left or was let go.
    #[must_use]
    pub const fn is_offence(self) -> bool {
        matches!(
            self,
            Self::NotBitTorrent
                | Self::Malformed(_)
                | Self::WrongBitfield
                | Self::LateBitfield
                | Self::PieceOutOfRange
                | Self::RequestOutOfRange
                | Self::RequestTooLarge
                | Self::RequestNotHad
                | Self::RequestFlood
                | Self::NotFast
                | Self::RejectsAll
                | Self::BadExtensionHandshake
                | Self::WrongBlockSize
                | Self::Unrequested
                | Self::MessageFlood
                | Self::BadPiece
                | Self::BadBlock
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_cheap_as_a_number_or_two() {
        assert!(size_of::<DropReason>() <= 16, "{}", size_of::<DropReason>());
    }
}
