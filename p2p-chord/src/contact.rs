//! What a node keeps of another: [`Contact`], the peer, how far it is, and what it wants to see as proof of our address.

use crate::peer::Peer;
use p2p_core::Duration;

/// Of a peer that never answered: two thirds of the world are nearer.
const UNKNOWN: Duration = Duration::from_millis(600);
/// Shorter time-outs only repeat what a busy machine is about to answer.
const SHORTEST: Duration = Duration::from_millis(80);
const LONGEST: Duration = Duration::from_secs(4);

/// A peer in a node's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Contact {
    pub(crate) peer: Peer,
    /// What it gave us to prove our address with; 0 if nothing yet.
    pub(crate) token: u32,
    /// Smoothed round trip in eighths of a millisecond; 0 if it never answered.
    srtt: u16,
    /// Its mean deviation, likewise.
    deviation: u16,
}

impl Contact {
    /// A peer that we know of from others.
    pub(crate) const fn unmet(peer: Peer) -> Self {
        Self { peer, token: 0, srtt: 0, deviation: 0 }
    }

    /// It answered after so long (RFC 6298's estimate).
    pub(crate) fn met(&mut self, took: Duration, token: u32) {
        let took = u16::try_from(took.as_micros() / 125).unwrap_or(u16::MAX).max(1);
        if self.srtt == 0 {
            (self.srtt, self.deviation) = (took, took / 2);
        } else {
            let off = self.srtt.abs_diff(took);
            self.deviation = ((3 * u32::from(self.deviation) + u32::from(off)) / 4) as u16;
            self.srtt = ((7 * u32::from(self.srtt) + u32::from(took)) / 8).max(1) as u16;
        }
        self.token = token;
    }

    /// How long it takes to answer; `None` if it never did.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        (self.srtt > 0).then(|| Duration::from_micros(u64::from(self.srtt) * 125))
    }

    /// How long to wait for it.
    pub(crate) fn patience(&self) -> Duration {
        self.round_trip().map_or(UNKNOWN, |trip| {
            let deviation = Duration::from_micros(u64::from(self.deviation) * 125);
            (trip + 4 * deviation).clamp(SHORTEST, LONGEST)
        })
    }

    /// Keeps of two views of a peer what was learnt by meeting it.
    pub(crate) fn or_met(self, other: Option<&Self>) -> Self {
        match other {
            Some(other) if self.srtt == 0 && other.peer == self.peer => *other,
            _ => self,
        }
    }
}
