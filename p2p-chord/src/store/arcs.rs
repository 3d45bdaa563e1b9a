//! Digests of what a store holds in arcs of the ring, to find what two stores differ in without sending it.
//!
//! No tree is kept: a digest is made when it is asked for, with a key that is drawn for one comparison, so that nobody can
//! make records whose digests cancel out, and a store costs nothing while nobody compares. The arcs that differ are cut
//! into smaller ones until few records are left; what is sent and hashed then grows with the differences, as in a Merkle
//! tree over the places of the ring.

use super::{Held, Name, Store};
use crate::id::RingId;
use crate::record::{Kind, Record};
use core::hash::Hasher as _;
use core::ops::Bound;
use p2p_core::UnixTime;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// Of what lies in an arc: how many records, and the sum of their fingerprints (SipHash-1-3 of name and version).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// How many records there are.
    pub records: u32,
    /// The sum of their fingerprints modulo 2^64.
    pub sum: u64,
}

/// Of one record, for one comparison. When it is forgotten does not count: that differs by the clocks of two nodes.
pub(crate) fn fingerprint(key: u64, name: &Name, held: &Held) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key, 0);
    hasher.write(name.key().as_bytes());
    hasher.write_u8(name.kind() as u8);
    match &held.record {
        // Each node has another fragment: what counts is that it has one.
        Record::Value(_) | Record::Coded(_) | Record::Fragment(_) => {}
        Record::Pointer(pointer) => {
            hasher.write_u8(1);
            hasher.write_u64(pointer.seq);
            hasher.write_u64(pointer.written);
        }
        Record::Signed(signed) => hasher.write_u64(signed.seq),
        Record::Provider(provider) => {
            hasher.write(name.at());
            hasher.write(&provider.sha256);
            hasher.write_u64(provider.size);
        }
    }
    hasher.finish()
}

impl Store {
    /// What lies behind `from` and not behind `to`, clockwise; everything if they are the same. Of a value in fragments
    /// one; with `coded` only those.
    pub(crate) fn arc(
        &self,
        from: RingId,
        to: RingId,
        coded: bool,
        now: UnixTime,
    ) -> impl Iterator<Item = (&Name, &Held)> {
        let behind = Bound::Excluded(Name::last_of(from));
        let until = Bound::Included(Name::last_of(to));
        // Around the end of the numbers the arc is two ranges, of which the second is empty else.
        let (first, second) = if from < to {
            ((behind, until), None)
        } else {
            ((behind, Bound::Unbounded), Some((Bound::Unbounded, until)))
        };
        let range = |bounds| self.shelf().entries.range::<Name, (Bound<Name>, Bound<Name>)>(bounds);
        let all = range(first).chain(second.into_iter().flat_map(range));
        let mut last = None;
        all.filter(move |(name, held)| {
            if held.expires <= now.as_secs() || coded && name.kind() != Kind::Coded {
                return false;
            }
            let whose = (name.key(), name.kind());
            name.kind() != Kind::Coded || last.replace(whose) != Some(whose)
        })
    }

    /// The digest of an arc.
    pub(crate) fn digest(
        &self,
        key: u64,
        (from, to): (RingId, RingId),
        coded: bool,
        now: UnixTime,
    ) -> Digest {
        self.arc(from, to, coded, now).fold(Digest::default(), |digest, (name, held)| Digest {
            records: digest.records + 1,
            sum: digest.sum.wrapping_add(fingerprint(key, name, held)),
        })
    }
}
