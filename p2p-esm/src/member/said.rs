//! What a member said beside the stream, by its kind ([`Said`]).

use crate::wire::Kind;

/// Datagrams, and their bytes, heads of UDP and IP not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sent {
    /// Its bytes with a head of so many for each datagram: of UDP and IPv4, 28.
    #[must_use]
    pub const fn with_heads(self, head: u64) -> u64 {
        self.bytes + head * self.datagrams
    }
}

/// What was said beside the stream, by its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said([Sent; Kind::ALL.len()]);

impl Said {
    /// What was said of a kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Sent {
        self.0[kind as usize]
    }

    /// All of it.
    #[must_use]
    pub fn all(&self) -> Sent {
        let add = |all: Sent, sent: &Sent| Sent {
            datagrams: all.datagrams + sent.datagrams,
            bytes: all.bytes + sent.bytes,
        };
        self.0.iter().fold(Sent::default(), add)
    }

    /// Adds what was said since `before`.
    pub fn add_since(&mut self, now: &Self, before: &Self) {
        for (sum, (now, before)) in self.0.iter_mut().zip(now.0.iter().zip(&before.0)) {
            sum.datagrams += now.datagrams - before.datagrams;
            sum.bytes += now.bytes - before.bytes;
        }
    }

    pub(super) const fn says(&mut self, kind: Kind, len: usize) {
        let sent = &mut self.0[kind as usize];
        sent.datagrams += 1;
        sent.bytes += len as u64;
    }
}
