//! Where a record is that is not at its place: [`Pointer`].

use super::{Kind, RecordError};
use crate::id::RingId;
use crate::peer::Place;
use alloc::vec::Vec;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// Nodes named at most.
pub(crate) const MOST: usize = 16;

/// Who keeps a record in the stead of the node that is responsible for its place, which has this: nodes make it among
/// themselves where loads are bounded ([`Config::bounded`](crate::Config::bounded)).
///
/// It cannot be proved; what it leads to can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The record's key.
    pub key: RingId,
    /// What it is: a value, or signed.
    pub kind: Kind,
    /// The sequence number of what is signed, 0 of a value.
    pub seq: u64,
    /// When this was written, in seconds since 1970: of two of one sequence number the later one is true.
    pub written: u64,
    /// Who has it; at most 16.
    pub at: Vec<Place>,
}

impl Pointer {
    /// What tells which of two is true.
    pub(crate) const fn version(&self) -> (u64, u64) {
        (self.seq, self.written)
    }

    pub(super) fn check(&self) -> Result<(), RecordError> {
        let nobody = |place: &Place| {
            let addr = SocketAddr::from(*place);
            addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast()
        };
        let is_sound = matches!(self.kind, Kind::Value | Kind::Signed) && (1..=MOST).contains(&self.at.len());
        if !is_sound || self.at.iter().any(nobody) { Err(RecordError::Address) } else { Ok(()) }
    }
}
