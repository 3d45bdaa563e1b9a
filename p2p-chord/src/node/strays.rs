//! What comes to a node's socket and is not of its ring: [`Strays`].

use super::Chord;
use crate::wire::WireError;

/// Datagrams that were dropped unread, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Strays {
    /// Of another network: two rings meet at an address.
    pub network: u32,
    /// Of another version of the protocol.
    pub version: u32,
    /// Not packets at all.
    pub malformed: u32,
}

impl Strays {
    pub(super) const fn count(&mut self, why: WireError) {
        let counter = match why {
            WireError::Network => &mut self.network,
            WireError::Version(_) => &mut self.version,
            WireError::Length | WireError::Malformed => &mut self.malformed,
        };
        *counter = counter.saturating_add(1);
    }
}

impl Chord {
    /// Datagrams that it dropped because they are not of its ring.
    #[must_use]
    pub const fn strays(&self) -> Strays {
        self.strays
    }
}
