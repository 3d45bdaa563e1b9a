//! [`Horizon`]: how much there is how far away (HSEP 0.2). It is read and passed over: what a servent tells of others cannot
//! be checked.

use super::WireError;
use bytes::{Bytes, BytesMut};

/// Triples, one for each distance: the sender itself first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    triples: Bytes,
}

/// What is within a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triple {
    /// Servents.
    pub servents: u64,
    /// Their files.
    pub files: u64,
    /// Their size in KiB.
    pub kibibytes: u64,
}

const TRIPLE_LEN: usize = 24;

impl Horizon {
    /// The triples of a message.
    #[must_use]
    pub fn new(triples: &[Triple]) -> Self {
        let numbers = triples.iter().flat_map(|triple| [triple.servents, triple.files, triple.kibibytes]);
        Self { triples: numbers.flat_map(u64::to_le_bytes).collect() }
    }

    pub(super) fn parse(payload: &Bytes) -> Result<Self, WireError> {
        if payload.is_empty() || !payload.len().is_multiple_of(TRIPLE_LEN) {
            return Err(WireError::new(payload.len(), "no whole number of triples"));
        }
        Ok(Self { triples: payload.clone() })
    }

    pub(super) fn encode(&self, to: &mut BytesMut) {
        to.extend_from_slice(&self.triples);
    }

    /// The triples, the sender's own first.
    pub fn iter(&self) -> impl Iterator<Item = Triple> {
        self.triples.as_chunks::<TRIPLE_LEN>().0.iter().map(|triple| {
            let mut numbers = triple.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
            let mut next = || numbers.next().unwrap_or_default();
            Triple { servents: next(), files: next(), kibibytes: next() }
        })
    }

    /// Whether it can be true: one servent first, and what is within a distance is within a longer one.
    #[must_use]
    pub fn is_sane(&self) -> bool {
        let mut before = None::<Triple>;
        self.iter().all(|triple| {
            let sane = match before {
                None => triple.servents == 1,
                Some(near) => {
                    near.servents <= triple.servents
                        && near.files <= triple.files
                        && near.kibibytes <= triple.kibibytes
                }
            };
            before = Some(triple);
            sane
        })
    }
}
