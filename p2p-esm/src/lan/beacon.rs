//! What the hosts of a LAN tell each other on their group: a [`Beacon`] from time to time.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | [`KIND`] |
//! | 4 | the stream's [tag](crate::GroupKey::tag) |
//! | 1 | [`VERSION`] |
//! | rest | a [`Beacon`] in [postcard](https://postcard.jamesmunns.com/wire-format) |
//!
//! Symbols and manifests go to the group as they go down a tree. Nothing on the group is proof of who sent it: what a
//! beacon says decides who is listened to, never what is given out.

use crate::wire::MemberId;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// The first byte of a beacon.
pub const KIND: u8 = 0xe3;

/// The version of beacons.
pub const VERSION: u8 = 1;

/// No beacon is longer.
pub const LARGEST: usize = 1_200;

/// Hosts that a beacon lists at most; who hears more lists others each time.
pub const MOST_HEARD: usize = 64;

const HEAD: usize = 1 + 4 + 1;

/// A host of a LAN, as it tells the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beacon {
    /// Who: drawn when it started, so no address or subnet is believed.
    pub from: MemberId,
    /// Who has more goes before others as a forwarder; the unit is the application's.
    pub uplink: u32,
    /// Whether it forwards if its turn comes, and takes what others forward.
    pub willing: bool,
    /// What it gets from outside, and sends to the group.
    pub sends: Vec<Sends>,
    /// Whom it hears.
    pub heard: Vec<MemberId>,
}

/// A tree whose symbols a host sends to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sends {
    /// Which.
    pub tree: u8,
    /// The newest generation that came to it, of which the low 32 bits count.
    #[serde(with = "postcard::fixint::le")]
    pub newest: u32,
}

/// Why a datagram is not a beacon of this stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BeaconError {
    /// Shorter than its head, or longer than [`LARGEST`].
    #[error("no beacon is that long")]
    Length,
    /// Of another kind, version or stream.
    #[error("not a beacon of this stream")]
    Kind,
    /// Not as the format has it.
    #[error("not a beacon")]
    Malformed,
}

impl Beacon {
    /// The beacon in a datagram.
    ///
    /// # Errors
    /// If it is none of this stream.
    pub fn decode(datagram: &[u8], tag: [u8; 4]) -> Result<Self, BeaconError> {
        if datagram.len() > LARGEST {
            return Err(BeaconError::Length);
        }
        let (head, rest) = datagram.split_first_chunk::<HEAD>().ok_or(BeaconError::Length)?;
        let [kind, group @ .., version] = *head;
        if (kind, group, version) != (KIND, tag, VERSION) {
            return Err(BeaconError::Kind);
        }
        // Lists are no longer than the datagram has bytes for.
        let beacon: Self = postcard::from_bytes(rest).map_err(|_| BeaconError::Malformed)?;
        let sound = beacon.heard.len() <= MOST_HEARD && beacon.sends.len() <= 64;
        if sound { Ok(beacon) } else { Err(BeaconError::Malformed) }
    }

    /// Its datagram.
    #[must_use]
    pub fn encode(&self, tag: [u8; 4]) -> Bytes {
        let mut to = BytesMut::with_capacity(64 + 8 * self.heard.len());
        to.put_u8(KIND);
        to.put_slice(&tag);
        to.put_u8(VERSION);
        // Only memory could run out, and then it panics.
        let Ok(to) = postcard::to_extend(self, to) else { unreachable!("a buffer that grows") };
        to.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAG: [u8; 4] = *b"lan!";

    proptest! {
        #[test]
        fn comes_back(
            from: u64,
            uplink: u32,
            willing: bool,
            sends in proptest::collection::vec((any::<u8>(), any::<u32>()), 0..=64),
            heard in proptest::collection::vec(any::<u64>(), 0..=MOST_HEARD),
        ) {
            let sends = sends.into_iter().map(|(tree, newest)| Sends { tree, newest }).collect();
            let heard = heard.into_iter().map(MemberId).collect();
            let beacon = Beacon { from: MemberId(from), uplink, willing, sends, heard };
            let wire = beacon.encode(TAG);
            prop_assert!(wire.len() <= LARGEST);
            prop_assert_eq!(Beacon::decode(&wire, TAG), Ok(beacon));
        }

        #[test]
        fn junk_is_told(mut junk in proptest::collection::vec(any::<u8>(), 0..1_300), head: bool) {
            if head && junk.len() >= HEAD {
                junk[0] = KIND;
                junk[1..5].copy_from_slice(&TAG);
                junk[5] = VERSION;
            }
            if let Ok(beacon) = Beacon::decode(&junk, TAG) {
                prop_assert!(8 * beacon.heard.len() + 5 * beacon.sends.len() <= junk.len());
            }
        }
    }

    #[test]
    fn of_which_stream() {
        let beacon =
            Beacon { from: MemberId(1), uplink: 2, willing: true, sends: Vec::new(), heard: Vec::new() };
        let wire = beacon.encode(TAG);
        assert_eq!(Beacon::decode(&wire, *b"lan?"), Err(BeaconError::Kind));
        assert_eq!(Beacon::decode(&wire[..HEAD - 1], TAG), Err(BeaconError::Length));
        let mut longer = wire.to_vec();
        longer.resize(LARGEST + 1, 0);
        assert_eq!(Beacon::decode(&longer, TAG), Err(BeaconError::Length));
    }
}
