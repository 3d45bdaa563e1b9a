//! What a node keeps of another: [`Contact`], the peer, how far it is, and what it wants to see as proof of our address.

use crate::peer::Peer;
use p2p_core::Duration;

/// Before anybody answered at all: two thirds of the world are nearer.
const UNKNOWN: Duration = Duration::from_millis(600);
/// Shorter time-outs only repeat what a busy machine is about to answer.
const SHORTEST: Duration = Duration::from_millis(150);
const LONGEST: Duration = Duration::from_secs(4);
/// For somebody new, however near everybody else is: across an ocean.
const NEW: Duration = Duration::from_millis(250);

/// How long answers take: a smoothed mean and its deviation (RFC 6298), in eighths of a millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RoundTrip {
    /// 0 if there was no answer yet.
    mean: u16,
    /// 0 if the mean is no more than a bound so far.
    deviation: u16,
}

impl RoundTrip {
    pub(crate) fn took(&mut self, took: Duration) {
        let took = u16::try_from(took.as_micros() / 125).unwrap_or(u16::MAX).max(1);
        if self.mean == 0 || self.deviation == 0 {
            (self.mean, self.deviation) = (took, took / 2);
        } else {
            let off = self.mean.abs_diff(took);
            self.deviation = ((3 * u32::from(self.deviation) + u32::from(off)) / 4) as u16;
            self.mean = ((7 * u32::from(self.mean) + u32::from(took)) / 8).max(1) as u16;
        }
    }

    /// An answer took so long at most: it is to a question that was sent again, to the first time that it was sent or to a
    /// later one (Karn 1987). Where nothing better is known it counts, for otherwise who is farther away than was guessed
    /// would be guessed to be as near for ever.
    pub(crate) fn took_at_most(&mut self, took: Duration) {
        if self.mean == 0 {
            self.took(took);
            self.deviation = 0;
        }
    }

    /// The mean, if there was an answer.
    pub(crate) fn mean(self) -> Option<Duration> {
        (self.mean > 0).then(|| Duration::from_micros(u64::from(self.mean) * 125))
    }

    /// How long to wait for the next one.
    pub(crate) fn patience(self) -> Duration {
        self.mean().map_or(UNKNOWN, |mean| {
            let deviation = Duration::from_micros(u64::from(self.deviation) * 125);
            // Answers that always took as long must not be late by a hair (RFC 6298, section 2.3).
            (mean + (4 * deviation).max(mean / 4)).clamp(SHORTEST, LONGEST)
        })
    }

    /// How long to wait for somebody new, by how long others take: it is hardly much farther than most.
    pub(crate) fn patience_with_new(self) -> Duration {
        (self.patience() * 3 / 2).max(NEW)
    }
}

/// A peer in a node's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Contact {
    pub(crate) peer: Peer,
    /// In bytes: in place of a number it would have a contact begin and end at multiples of four.
    token: [u8; 4],
    pub(crate) round_trip: RoundTrip,
}

impl Contact {
    /// A peer that we know of from others.
    pub(crate) fn unmet(peer: Peer) -> Self {
        Self { peer, token: [0; 4], round_trip: RoundTrip::default() }
    }

    /// What it gave us to prove our address with; 0 if nothing yet.
    pub(crate) const fn token(&self) -> u32 {
        u32::from_ne_bytes(self.token)
    }

    pub(crate) const fn set_token(&mut self, token: u32) {
        self.token = token.to_ne_bytes();
    }

    /// Keeps of two views of a peer what was learnt by meeting it.
    pub(crate) fn or_met(self, other: Option<&Self>) -> Self {
        match other {
            Some(other) if self.round_trip.mean().is_none() && other.peer == self.peer => *other,
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_counts_until_something_better_is_known() {
        let mut round_trip = RoundTrip::default();
        let far = Duration::from_millis(800);
        round_trip.took_at_most(far);
        assert_eq!(round_trip.mean(), Some(far), "who is far away is met, however often it was asked");
        assert!(round_trip.patience() > far);
        round_trip.took_at_most(Duration::from_millis(900));
        assert_eq!(round_trip.mean(), Some(far));
        // It had been lost, and was sent again.
        let near = Duration::from_millis(40);
        round_trip.took(near);
        assert_eq!(round_trip.mean(), Some(near));
        round_trip.took_at_most(far);
        assert_eq!(round_trip.mean(), Some(near));
    }
}
