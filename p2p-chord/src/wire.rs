//! What nodes say to each other: one datagram, one [`Packet`]. Enough to write another implementation by.
//!
//! # A datagram
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | the version, [`VERSION`] |
//! | 4 | the network ([`NetworkId`]), big-endian |
//! | rest | a [`Packet`], then any number of zeros |
//!
//! A datagram has at most [`LARGEST`] bytes. What is longer goes by a stream (TCP) to the same port: a question and its
//! answer, each as its length (4 bytes, big-endian) and then as in a datagram, up to [`LARGEST_FRAME`]. Whoever was asked
//! closes the stream after its answer. Only questions about records go that way ([`Ask::Get`], [`Ask::Put`],
//! [`Ask::Keep`], [`Ask::Lodge`]).
//!
//! The zeros are for answers: nobody is sent more bytes than it sent itself before it has proved its address, by
//! showing a token that was sent there. Who has no token yet makes its question as long as the answer may be, or is
//! told to come again with the token of [`Answer::Prove`].
//!
//! # How values are written
//!
//! As [postcard](https://postcard.jamesmunns.com/wire-format) has it:
//!
//! | value | bytes |
//! | --- | --- |
//! | `u8`, `bool` | one; a bool is 0 or 1 |
//! | `u16`, `u32`, `u64` | a varint: 7 bits a byte, the lowest first, the highest bit set in all but the last byte |
//! | `u32le`, `u64le` | 4 or 8, little-endian |
//! | bytes, a list | the number of bytes or elements as a varint, then these |
//! | an option | 0, or 1 and the value |
//! | one of several | its number as a varint, then its fields in order |
//! | an array | its elements |
//! | [`RingId`] | 20, the highest first |
//! | [`Place`] | 0, IPv4 address (4), port (`u16`); or 1, IPv6 address (16), port (`u16`) |
//! | [`Kind`] | 0 value, 1 signed, 2 provider, 3 coded |
//! | [`Record`] | as its [module](crate::record) says |
//! | [`Held`] | a record, the second since 1970 at which it is forgotten (`u64`), the block of addresses that it was put from (`u64`: an IPv4 /24 in the low 24 bits, or the first half of an IPv6 address) |
//! | [`Refusal`] | its number, then its fields, as it says |
//! | [`Digest`] | how many records (`u32`), the sum of their fingerprints (`u64`) |
//!
//! A node's place on the ring is not sent: it follows from its address ([`RingId::of_node`]). What is behind a packet and
//! is not zero is not read, so a later version may put something there.
//!
//! # A packet
//!
//! | number | packet | fields |
//! | --- | --- | --- |
//! | 0 | a question | transaction (`u32le`), token (`u32le`; 0 if there is none yet), whether the sender is a member of the ring (`bool`), an [`Ask`] |
//! | 1 | an answer | the question's transaction (`u32le`), a token for the asker's next question (`u32le`), an [`Answer`] |
//!
//! A token is what its giver wants to see; it is good for some minutes. An answer counts if its transaction is that of a
//! question that was put to its sender and not answered yet.
//!
//! | number | question | fields | answers |
//! | --- | --- | --- | --- |
//! | 0 | [`Ask::Ping`] | | 0 |
//! | 1 | [`Ask::Neighbours`] | notify (`bool`), known (`u32le`) | 1, 5 |
//! | 2 | [`Ask::Enter`] | | 1, 5 |
//! | 3 | [`Ask::Step`] | place ([`RingId`]) | 2, 3, 5 |
//! | 4 | [`Ask::Leave`] | predecessor (option of [`Place`]) | 0 |
//! | 5 | [`Ask::Get`] | key ([`RingId`]), [`Kind`], routed (`bool`) | 2, 3, 5, 6, 7, 18 |
//! | 6 | [`Ask::Put`] | [`Record`], seconds (`u32`), swap (option of `u64`), heir (`bool`) | 5, 8, 9 |
//! | 7 | [`Ask::Keep`] | list of [`Held`] | 5, 10 |
//! | 8 | [`Ask::Compare`] | key (`u64le`), from ([`RingId`]), list of ([`RingId`], [`Digest`]), 16 at most; coded (`bool`) | 11, 5 |
//! | 9 | [`Ask::Exchange`] | key (`u64le`), from, to ([`RingId`]), both (`bool`), list of fingerprints (8 bytes each), coded (`bool`) | 12, 5 |
//! | 10 | [`Ask::Route`] | a [`Route`]: place ([`RingId`]), asker (option of [`Place`]), number (`u32le`), hops (`u8`), messages (`u16`), time-outs (`u8`), milliseconds left (`u16`), role (0 nearer, 1 owner, 2 heir) | 13, 14, 15 |
//! | 11 | [`Ask::News`] | level (`u8`), who came and who went (two lists of [`Place`]) | 13 |
//! | 12 | [`Ask::Members`] | from, to ([`RingId`]), known (`u32le`) | 16 |
//! | 13 | [`Ask::Others`] | list of [`Place`] | 0 |
//! | 14 | [`Ask::Reach`] | number (`u32`) | 0, 5 |
//! | 15 | [`Ask::Call`] | whom ([`Place`]), number (`u32`) | 0, 5 |
//! | 16 | [`Ask::Called`] | number (`u32`) | 5 |
//! | 17 | [`Ask::Numbers`] | key ([`RingId`]) | 17, 5 |
//! | 18 | [`Ask::Lodge`] | [`Held`], most (`u32`) | 19 |
//! | 19 | [`Ask::Load`] | | 19, 5 |
//! | 20 | [`Ask::Before`] | | 1, 5, 14 |
//! | 21 | [`Ask::Follow`] | | 1, 5 |
//!
//! | number | answer | fields |
//! | --- | --- | --- |
//! | 0 | [`Answer::Pong`] | where the question came from ([`Place`]) |
//! | 1 | [`Answer::Neighbours`] | small (`bool`), predecessor (option of [`Place`]), successors (option of a list of [`Place`]) |
//! | 2 | [`Answer::Owners`] | list of [`Place`] |
//! | 3 | [`Answer::Closer`] | list of [`Place`] |
//! | 4 | [`Answer::Prove`] | ; to any question |
//! | 5 | [`Answer::Absent`] | |
//! | 6 | [`Answer::Records`] | list of ([`Record`], seconds (`u32`)) |
//! | 7 | [`Answer::Large`] | |
//! | 8 | [`Answer::Stored`] | copies (`u8`), messages (`u16`) |
//! | 9 | [`Answer::Refused`] | [`Refusal`] |
//! | 10 | [`Answer::Kept`] | list of options of [`Refusal`] |
//! | 11 | [`Answer::Differ`] | list of (`u8`, `u32`) |
//! | 12 | [`Answer::Lacking`] | list of `u8` |
//! | 13 | [`Answer::Passed`] | |
//! | 14 | [`Answer::Busy`] | |
//! | 15 | [`Answer::Routed`] | hops (`u8`), messages (`u16`), time-outs (`u8`), list of [`Place`] |
//! | 16 | [`Answer::Members`] | option of a list of [`Place`] |
//! | 17 | [`Answer::Numbers`] | key ([`RingId`]), a bit for each fragment (`u16`) |
//! | 18 | [`Answer::Cached`] | as 6 |
//! | 19 | [`Answer::Lodged`] | load (`u32`), option of a [`Refusal`] |
//!
//! The fingerprint of a record for a comparison is SipHash-1-3 with the keys `key` and 0 over its key, the number of its
//! kind (one byte), and of a signed record its sequence number (8 bytes, little-endian), of a provider its address (16
//! bytes, IPv4 mapped into IPv6), port (2 bytes, big-endian), SHA-256 and size (8 bytes, little-endian), of a pointer a 1
//! (one byte), its sequence number and when it was written (8 bytes each, little-endian).
//!
//! ```
//! use p2p_chord::wire::{Answer, Ask, Packet};
//! use p2p_chord::{NetworkId, Place};
//!
//! let network = NetworkId(0x0102_0304);
//! let ask = Packet::Ask { transaction: 0x0a0b_0c0d, token: 0, member: false, ask: Ask::Ping };
//! let datagram = ask.encode(network, 20, &mut Default::default());
//! assert_eq!(datagram[..], [1, 1, 2, 3, 4, 0, 0x0d, 0x0c, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
//!
//! let pong = Answer::Pong(Place::V4([192, 0, 2, 1], 4_000));
//! let answer = Packet::Answer { transaction: 0x0a0b_0c0d, token: 7, answer: pong };
//! let datagram = answer.encode(network, 0, &mut Default::default());
//! assert_eq!(datagram[..14], [1, 1, 2, 3, 4, 1, 0x0d, 0x0c, 0x0b, 0x0a, 7, 0, 0, 0]);
//! assert_eq!(datagram[14..], [0, 0, 192, 0, 2, 1, 0xa0, 0x1f]);
//! assert_eq!(Packet::decode(&datagram, network), Ok(answer));
//! ```

use crate::id::{NetworkId, RingId};
use crate::peer::Place;
use crate::record::{Kind, MAX_VALUE, Record};
use crate::store::{Digest, Held, Refusal};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// The version of this wire format.
pub const VERSION: u8 = 1;

/// No datagram is longer: what passes everywhere without being cut (RFC 8085, section 3.2, with room for tunnels).
pub const LARGEST: usize = 1_200;

/// No packet in a stream is longer: the largest record, or seven fragments of it, and what stands around them.
pub const LARGEST_FRAME: usize = MAX_VALUE + 4_096;

/// Nearly all datagrams are shorter.
const SHORT: usize = 320;

/// Bytes of head before the packet.
const HEAD: usize = 5;

/// Why a datagram is not a packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Shorter than its head, or longer than [`LARGEST`].
    #[error("no packet is that long")]
    Length,
    /// Another version than [`VERSION`].
    #[error("version {0} of the protocol")]
    Version(u8),
    /// Of another network.
    #[error("of another network")]
    Network,
    /// Not as the format has it.
    #[error("not a packet")]
    Malformed,
}

/// What is in a datagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packet {
    /// A question.
    Ask {
        /// The answer has the same: a random number.
        #[serde(with = "postcard::fixint::le")]
        transaction: u32,
        /// What the receiver gave the sender to prove its address with; 0 if nothing yet.
        #[serde(with = "postcard::fixint::le")]
        token: u32,
        /// Whether the sender is a member of the ring, at the address it sends from, or only asks: it is behind a NAT,
        /// say, or just joining.
        member: bool,
        /// What is asked.
        ask: Ask,
    },
    /// An answer.
    Answer {
        /// Of the question.
        #[serde(with = "postcard::fixint::le")]
        transaction: u32,
        /// To prove the asker's address with next time.
        #[serde(with = "postcard::fixint::le")]
        token: u32,
        /// What is answered.
        answer: Answer,
    },
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Are you there, and where am I? [`Answer::Pong`].
    Ping,
    /// Who is beside you? [`Answer::Neighbours`].
    Neighbours {
        /// The asker holds the receiver for its successor, and so itself for the receiver's predecessor ("notify").
        notify: bool,
        /// [`fingerprint`] of the list that the asker had of the receiver; 0 if none.
        #[serde(with = "postcard::fixint::le")]
        known: u32,
    },
    /// The asker would be a member of a small ring, of which everybody knows everybody. [`Answer::Neighbours`] once
    /// the receiver knows that the asker answers.
    Enter,
    /// Who is responsible for this place, or nearer to it? [`Answer::Owners`], [`Answer::Closer`].
    Step(RingId),
    /// The asker leaves the ring.
    Leave {
        /// Its predecessor, which is to be its successor's.
        predecessor: Option<Place>,
    },
    /// What is stored under this key? [`Answer::Records`], [`Answer::Large`].
    Get {
        /// The key.
        key: RingId,
        /// Which kind of record.
        kind: Kind,
        /// On the way to whoever is responsible: who has nothing answers as to [`Ask::Step`], and a record that can
        /// change is given by its owner only.
        routed: bool,
    },
    /// Store a record, as the node that is responsible for its place. [`Answer::Stored`], [`Answer::Refused`].
    Put {
        /// The record.
        record: Record,
        /// How long, in seconds.
        ttl: u32,
        /// The sequence number to be replaced.
        swap: Option<u64>,
        /// Who is responsible did not answer: the receiver is next to it.
        heir: bool,
    },
    /// Keep copies of records. [`Answer::Kept`].
    Keep(Vec<Held>),
    /// Do we hold the same in these arcs? [`Answer::Differ`].
    Compare {
        /// The key of the digests, drawn for this comparison.
        #[serde(with = "postcard::fixint::le")]
        key: u64,
        /// Where the first arc begins.
        from: RingId,
        /// Where each arc ends and the next one begins, and the digest of what the asker holds in it; at most 16.
        arcs: Vec<(RingId, Digest)>,
        /// Whether only what is kept in fragments counts.
        coded: bool,
    },
    /// What of this arc lacks one of us? [`Answer::Lacking`]. The receiver gives the asker what it lacks, with
    /// [`Ask::Keep`].
    Exchange {
        /// The key of the fingerprints.
        #[serde(with = "postcard::fixint::le")]
        key: u64,
        /// Where the arc begins.
        from: RingId,
        /// Where it ends.
        to: RingId,
        /// Whether the asker is to have all of it.
        both: bool,
        /// Fingerprints of what the asker holds in it, little-endian.
        have: Vec<[u8; 8]>,
        /// Whether only what is kept in fragments counts.
        coded: bool,
    },
    /// Find who is responsible for a place, and let that one tell the asker: [`Answer::Passed`] at once, or
    /// [`Answer::Routed`] where the receiver is responsible itself. Nobody passes it on for a sender that has not proved
    /// its address; [`Answer::Prove`] is said instead.
    Route(Route),
    /// These came to the ring, and these went, where everybody is to know everybody. [`Answer::Passed`]. The receiver
    /// passes it on to the nodes 1, 2, 4, … 2^(`level` - 1) places behind it, as news of levels 0, 1, 2, … `level` - 1.
    News {
        /// How far it is to go.
        level: u8,
        /// Who came; at most 50 of both together.
        came: Vec<Place>,
        /// Who went.
        gone: Vec<Place>,
    },
    /// Who is in this arc, where everybody is to know everybody? [`Answer::Members`].
    Members {
        /// Behind this place.
        from: RingId,
        /// And up to this one.
        to: RingId,
        /// [`fingerprint`] of those that the asker knows, itself apart; 0: it wants all.
        #[serde(with = "postcard::fixint::le")]
        known: u32,
    },
    /// These are members of what may be another ring of the same network: the receiver looks up its own place there. Up to
    /// four are heeded. [`Answer::Pong`].
    Others(Vec<Place>),
    /// Have somebody else call the asker back with this number: it wants to know whether others can reach it.
    /// [`Answer::Pong`], or [`Answer::Absent`] if there is nobody else.
    Reach {
        /// Drawn by the asker.
        number: u32,
    },
    /// Call somebody who joins by the asker. [`Answer::Pong`], [`Answer::Absent`].
    Call {
        /// Where.
        to: Place,
        /// The number to be called with.
        number: u32,
    },
    /// The call. [`Answer::Absent`]: whoever is called is no member yet.
    Called {
        /// As in [`Ask::Reach`].
        number: u32,
    },
    /// Which fragments of the value with this key do you have? [`Answer::Numbers`].
    Numbers(RingId),
    /// Keep this in the stead of the asker, if you have no more than so many records. [`Answer::Lodged`].
    Lodge {
        /// The record.
        held: Held,
        /// How many.
        most: u32,
    },
    /// How many records do you have? [`Answer::Lodged`].
    Load,
    /// Who is before you? [`Answer::Neighbours`], with those in the successors' place who claim to be before the receiver
    /// and are being looked into, if there are any. So whoever looks for the node that is responsible
    /// for a place learns whether the one that was named is there, and whether another one joined before it. A member of a
    /// large ring to which its successor has not yet said that it knows of it says [`Answer::Busy`]: its question to that one
    /// ([`Self::Neighbours`], with notify) is the last step of its join, and until then its successor is responsible.
    Before,
    /// The asker is a member and was told that the receiver is before it, so it would be the receiver's successor.
    /// [`Answer::Neighbours`] without successors. The receiver asks it whether that is so.
    Follow,
}

/// A question that is passed on from node to node ("recursive" routing).
///
/// Whoever is responsible answers straight to the asker, with no more bytes than reached it. So a sender, whose address
/// is proven to whom it sends, can let no more be sent to anybody else than it could send there itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The place.
    pub target: RingId,
    /// Who is to be answered; `None`: the sender. The first node fills it in, so that nobody asks in another's name, and
    /// those behind vouch for it.
    pub asker: Option<Place>,
    /// The answer has the same: a random number, which only the asker and those on the way know.
    #[serde(with = "postcard::fixint::le")]
    pub number: u32,
    /// Nodes on the path so far, the receiver included; at most [`Self::FARTHEST`].
    pub hops: u8,
    /// What was sent for it behind the first node, this question and the receiver's word that it has it included.
    pub messages: u16,
    /// Nodes behind the first one that did not answer in time, and were passed by.
    pub timeouts: u8,
    /// Milliseconds after which nobody waits for the answer any more.
    pub left: u16,
    /// What the sender holds the receiver for.
    pub role: Role,
}

impl Route {
    /// Hops after which a question is lost; a ring of 2^40 nodes needs fewer.
    pub const FARTHEST: u8 = 64;
    /// A datagram with a route is filled up with zeros to so many bytes, so that the answer may name eight nodes.
    pub const LEAST: usize = 88;
}

/// What somebody who passes a question on holds the next one for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Nearer to the place, and before it.
    Nearer,
    /// Responsible. If another one has come in between, it is the receiver's predecessor.
    Owner,
    /// Responsible, because those before it do not answer. Is its predecessor, as far as the receiver knows, that one is asked
    /// once more, as the owner: the sender may have been too hasty.
    Heir,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Ask::Ping`], [`Ask::Leave`], [`Ask::Others`], [`Ask::Reach`] and [`Ask::Call`]: here, and this is where the question came from.
    Pong(Place),
    /// To [`Ask::Neighbours`], [`Ask::Enter`], [`Ask::Before`] and [`Ask::Follow`].
    Neighbours {
        /// Whether the ring is small: everybody in it knows everybody.
        small: bool,
        /// The answerer's predecessor, as far as it knows.
        predecessor: Option<Place>,
        /// Its successors, nearest first; all other members where the ring is small. `None`: as the asker knows.
        successors: Option<Vec<Place>>,
    },
    /// To [`Ask::Step`]: the first node is responsible for the place, the others follow it on the ring.
    Owners(Vec<Place>),
    /// To [`Ask::Step`]: nodes nearer to the place (and before it) than the answerer, nearest first.
    Closer(Vec<Place>),
    /// Ask again with the token of this answer: the answer would be longer than the question.
    Prove,
    /// The receiver is not in the ring, or not yet.
    Absent,
    /// To [`Ask::Get`]: records, and for how many seconds each is kept. Of many providers some, chosen by dice. None: the
    /// answerer has none.
    Records(Vec<(Record, u32)>),
    /// To [`Ask::Get`]: it is too large for a datagram, ask again by a stream.
    Large,
    /// To [`Ask::Put`].
    Stored {
        /// How many nodes have it by now, the answerer included.
        copies: u8,
        /// How many messages that took, the question and this answer not counted.
        messages: u16,
    },
    /// To [`Ask::Put`].
    Refused(Refusal),
    /// To [`Ask::Keep`]: for each record, why it is not kept.
    Kept(Vec<Option<Refusal>>),
    /// To [`Ask::Compare`]: the numbers of the arcs that differ, and how many records the answerer has in each.
    Differ(Vec<(u8, u32)>),
    /// To [`Ask::Exchange`]: the numbers of the fingerprints of which the answerer has no record.
    Lacking(Vec<u8>),
    /// To [`Ask::Route`]: the receiver sees to it.
    Passed,
    /// To [`Ask::Route`]: the receiver passes on too much already. To [`Ask::Before`]: it is joining, ask again.
    Busy,
    /// To the asker of an [`Ask::Route`], with its number as the transaction. The first node is responsible for the place,
    /// and is the one that says so; the others follow it on the ring. None: there was no way from here.
    Routed {
        /// As in [`Route::hops`].
        hops: u8,
        /// As in [`Route::messages`].
        messages: u16,
        /// As in [`Route::timeouts`].
        timeouts: u8,
        /// Who is responsible.
        owners: Vec<Place>,
    },
    /// To [`Ask::Members`]: those that the answerer knows, itself included and the asker not, in order from the arc's
    /// beginning, as far as they fit. `None`: as the asker does.
    Members(Option<Vec<Place>>),
    /// To [`Ask::Numbers`]: the key, and a bit for each fragment that is there, the lowest for number 0.
    Numbers(RingId, u16),
    /// To [`Ask::Get`] on the way, or by a stream: as [`Self::Records`], by somebody who is not responsible and was asked for
    /// the same often. Nothing is kept like this longer than where it came from.
    Cached(Vec<(Record, u32)>),
    /// To [`Ask::Lodge`] and [`Ask::Load`].
    Lodged {
        /// How many records it has, pointers apart.
        load: u32,
        /// Why it does not keep it.
        refusal: Option<Refusal>,
    },
}

/// Of a list of places, to compare lists without sending them: FNV-1a over the identifiers, never 0.
#[must_use]
pub fn fingerprint(ids: impl Iterator<Item = RingId>) -> u32 {
    let bytes = ids.flat_map(|id| *id.as_bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.max(1)
}

impl Packet {
    /// The datagram, filled with zeros up to `least` bytes. `scratch` is reused.
    #[must_use]
    pub fn encode(&self, network: NetworkId, least: usize, scratch: &mut BytesMut) -> Bytes {
        scratch.clear();
        scratch.extend_from_slice(&[VERSION]);
        scratch.extend_from_slice(&network.0.to_be_bytes());
        let whole = postcard::to_extend(self, core::mem::take(scratch));
        // Nothing that it is made of can fail to be written into memory.
        *scratch = whole.unwrap_or_default();
        if scratch.len() < least {
            scratch.resize(least, 0);
        }
        scratch.split().freeze()
    }

    /// The same, and how much of it is not zeros behind the packet. One allocation for what is short.
    pub(crate) fn datagram(&self, network: NetworkId, least: usize) -> (Bytes, usize) {
        let mut room = [0; SHORT];
        if least <= SHORT {
            room[0] = VERSION;
            room[1..HEAD].copy_from_slice(&network.0.to_be_bytes());
            if let Ok(packet) = postcard::to_slice(self, &mut room[HEAD..]) {
                let len = HEAD + packet.len();
                return (Bytes::copy_from_slice(&room[..len.max(least)]), len);
            }
        }
        let whole = self.encode(network, 0, &mut BytesMut::new());
        let len = whole.len();
        if len >= least {
            return (whole, len);
        }
        let mut longer = Vec::with_capacity(least);
        longer.extend_from_slice(&whole);
        longer.resize(least, 0);
        (longer.into(), len)
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// If it is not one of this network and version. Lists in it are never longer than its bytes could say.
    pub fn decode(datagram: &[u8], network: NetworkId) -> Result<Self, WireError> {
        Self::decode_within(datagram, network, LARGEST)
    }

    /// Reads a packet of at most so many bytes.
    pub(crate) fn decode_within(datagram: &[u8], network: NetworkId, most: usize) -> Result<Self, WireError> {
        let Some((&[version, a, b, c, d], packet)) = datagram.split_first_chunk::<HEAD>() else {
            return Err(WireError::Length);
        };
        if datagram.len() > most {
            return Err(WireError::Length);
        }
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        if u32::from_be_bytes([a, b, c, d]) != network.0 {
            return Err(WireError::Network);
        }
        postcard::take_from_bytes(packet).map(|(packet, _)| packet).map_err(|_| WireError::Malformed)
    }
}
