//! How fast a peer is: [`PeerSpeed`].

/// How a peer's rate compares with the length of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerSpeed {
    /// Needs more than two minutes for a piece: it shares pieces with others.
    Slow,
    /// Not measured yet, or needs more than half a minute: it gets a piece to itself.
    Medium,
    /// It gets a piece to itself.
    Fast,
}

impl PeerSpeed {
    /// The speed of a peer that sends so many bytes per second (0: not measured yet).
    #[must_use]
    pub const fn of(bytes_per_second: u64, piece_len: u32) -> Self {
        if bytes_per_second == 0 {
            Self::Medium
        } else if bytes_per_second.saturating_mul(30) >= piece_len as u64 {
            Self::Fast
        } else if bytes_per_second.saturating_mul(120) >= piece_len as u64 {
            Self::Medium
        } else {
            Self::Slow
        }
    }
}
