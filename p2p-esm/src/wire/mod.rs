//! What members say to each other beside the stream: one datagram, one [`Packet`].
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | [`KIND`] |
//! | 4 | the group's [tag](crate::GroupKey::tag) |
//! | 1 | [`VERSION`] |
//! | rest | a [`Packet`] in [postcard](https://postcard.jamesmunns.com/wire-format), then any number of zeros |
//!
//! Nobody is sent more bytes than it sent before it proved its address, by showing the *token* that it was sent there.
//! Who has no token yet fills [`Ask::Hello`] and [`Ask::Probe`] up with zeros, to the length of the answer ([`FIRST_WORD`] at
//! most); all other questions are answered by [`Answer::Prove`] then, which is shorter. Symbols go to children only, and to who asks for what it misses: both have shown a token.

mod kind;

pub use kind::Kind;

use crate::announcement::Announcement;
#[cfg(doc)]
use crate::policy::Policy;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// The first byte of a datagram.
pub const KIND: u8 = 0xe0;

/// The version of what members say to each other.
pub const VERSION: u8 = 4;

/// Bytes of the head.
const HEAD: usize = 1 + 4 + 1;

/// No datagram is longer.
pub const LARGEST: usize = 1_200;

/// A question to whom gave no token yet is as long: its answer may be.
pub const FIRST_WORD: usize = 512;

/// Bytes of the head of an answer, with its transaction, token and sender.
const ANSWER: usize = HEAD + 1 + 4 + 4 + 8 + 1;

/// A first [`Ask::Probe`] to `to` is filled up to as many bytes as its [`Answer::Status`] will have, of so many trees and
/// members that are reached as `to` is.
pub(crate) const fn first_probe(to: SocketAddr, trees: usize) -> usize {
    // Number, variant of the address, address, port, age.
    let known = if to.is_ipv4() { 8 + 1 + 4 + 3 + 2 } else { 8 + 1 + 16 + 3 + 2 };
    // Depth and room are a byte each, or two; delay and distance up to three.
    let length = ANSWER + 4 + 1 + 10 * trees + 1 + SAMPLE * known;
    if length < FIRST_WORD { length } else { FIRST_WORD }
}

/// Members that an answer names at most.
pub const SAMPLE: usize = 8;

/// Nodes on the way from the source that a path has at most, which bounds how deep a tree is.
pub const DEEPEST: usize = 24;

/// Ways that a [`Tell::Routes`] or an [`Answer::Routes`] has at most.
pub const ROUTES: usize = 32;

/// Generations that one [`Tell::Miss`] asks for at most.
pub const MOST_WANTS: usize = 32;

/// A member for as long as it runs: a number that it draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(#[serde(with = "postcard::fixint::le")] pub u64);

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
        /// Who asks.
        from: MemberId,
        /// What is asked.
        ask: Ask,
    },
    /// An answer.
    Answer {
        /// Of the question.
        #[serde(with = "postcard::fixint::le")]
        transaction: u32,
        /// To prove the asker's address with from now on.
        #[serde(with = "postcard::fixint::le")]
        token: u32,
        /// Who answers.
        from: MemberId,
        /// What is answered.
        answer: Answer,
    },
    /// What needs no answer.
    Tell {
        /// What the receiver gave the sender to prove its address with.
        #[serde(with = "postcard::fixint::le")]
        token: u32,
        /// Who tells.
        from: MemberId,
        /// What is told.
        tell: Tell,
    },
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// What is broadcast, and who is there? [`Answer::Broadcast`].
    Hello,
    /// How are you? [`Answer::Status`].
    Probe,
    /// Would you send me this tree's symbols? [`Answer::Adopted`], [`Answer::Refused`], [`Answer::Status`].
    Adopt {
        /// Which tree.
        tree: u8,
        /// The token that the parent is to show when it tells its child something.
        #[serde(with = "postcard::fixint::le")]
        token: u32,
        /// What the asker is like as a child.
        as_child: AsChild,
        /// What the parent is to send.
        flow: Flow,
    },
    /// Would you be my neighbour in the mesh? [`Answer::Linked`], [`Answer::Refused`]. Of [`Policy::Mesh`] only, as all
    /// that follows.
    Link {
        /// The token that the other one is to show.
        #[serde(with = "postcard::fixint::le")]
        token: u32,
        /// The asker knows no way to the source.
        astray: bool,
    },
    /// How far are those behind this member, in the order of their numbers? [`Answer::Routes`].
    Routes(MemberId),
}

/// What a child is like: who goes before whom where there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsChild {
    /// It passes this tree on itself, so it goes before who does not.
    pub native: bool,
    /// Children that it has room for in this tree.
    pub spare: u8,
    /// What it gives against what it gets: 64 times the children that it can have and one, for each tree that it would
    /// have.
    pub claim: u16,
    /// Milliseconds from it to the parent and back; 65,535 if it does not know.
    pub distance: u16,
    /// It found no other parent in this tree: who has room for other trees is to take it too.
    pub urgent: bool,
    /// It has no parent in this tree, or one that is silent.
    pub orphan: bool,
    /// It has one that is silent and may answer yet: nobody is to give way to it meanwhile.
    pub doubts: bool,
    /// Other hosts of its LAN get the other trees, so each manifest is to come by one tree only.
    pub island: bool,
    /// Each symbol is to have the asker's token before it: somebody sends others in a parent's name
    /// ([`stamped`](crate::symbol::stamped)).
    pub stamped: bool,
    /// It has a parent, and comes only to who is no farther from the source than this: milliseconds, and 5 for each hop.
    /// 65,535 if it comes in any case.
    pub within: u16,
}

/// What a child wants of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flow {
    /// Each symbol that comes.
    All,
    /// The same, from this generation on, of whose number these are the low 32 bits: what came of it already first. What
    /// is before it, and has not come yet, is sent only if it has begun.
    From(#[serde(with = "postcard::fixint::le")] u32),
    /// Nothing until it asks again: it stands by for another host of its LAN. It takes no place.
    Rest,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Ask again, with the token of this answer.
    Prove,
    /// To [`Ask::Hello`].
    Broadcast {
        /// What is broadcast.
        announcement: Announcement,
        /// One behind the newest generation that the sender heard of.
        heard: u64,
        /// The oldest generation that it still has.
        oldest: u64,
        /// Some members.
        sample: Vec<Known>,
    },
    /// To [`Ask::Probe`]; and to [`Ask::Adopt`], of who is farther from the source than the asker took it to be.
    Status {
        /// One behind the newest generation that it heard of, as in [`Tell::Place`].
        #[serde(with = "postcard::fixint::le")]
        heard: u32,
        /// Tree by tree.
        trees: Vec<TreeStatus>,
        /// Some members.
        sample: Vec<Known>,
    },
    /// The asker is a child from now on.
    Adopted(Place),
    /// It is not.
    Refused {
        /// Why.
        why: Refusal,
        /// Whom to ask instead.
        instead: Vec<Known>,
    },
    /// The sender takes part in no broadcast of the group.
    Nothing,
    /// The asker is a neighbour from now on.
    Linked,
    /// To [`Ask::Routes`]: [`ROUTES`] of them, or all that follow.
    Routes(Vec<Route>),
}

/// What needs no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tell {
    /// A parent to its child, when it has moved, and when it is asked: where both are.
    Place {
        /// In which tree.
        tree: u8,
        /// Where the parent is.
        place: Place,
        /// One behind the newest generation that it heard of, of which the low 32 bits count: who has not heard of it
        /// asks for its manifest.
        #[serde(with = "postcard::fixint::le")]
        heard: u32,
    },
    /// A child to its parent, from time to time: it is still there.
    Here {
        /// In these trees, bit by bit.
        #[serde(with = "postcard::fixint::le")]
        trees: u64,
        /// As in [`AsChild`], for the trees that it has.
        claim: u16,
    },
    /// A child to its parent: it is none any more.
    Gone {
        /// In these trees, bit by bit.
        #[serde(with = "postcard::fixint::le")]
        trees: u64,
    },
    /// A parent to its child: find another one. It goes on sending for a while.
    Move {
        /// In which tree.
        tree: u8,
        /// This one has room.
        to: Option<Known>,
    },
    /// Symbols are missing.
    Miss(Vec<Want>),
    /// A parent to its child: another one has its place, and it is sent nothing more.
    Replaced {
        /// In which tree.
        tree: u8,
        /// This one may have room.
        to: Option<Known>,
    },
    /// To a neighbour, from time to time, in as many datagrams as it takes: how far everybody is.
    Routes {
        /// Who the source is.
        source: Option<MemberId>,
        /// How many of the sender's ways lead over the receiver.
        uses: u16,
        /// The ways.
        routes: Vec<Route>,
    },
    /// To a neighbour: it is none any more.
    Unlink,
    /// A parent to its child, from time to time: it is where it was.
    Still {
        /// In which tree.
        tree: u8,
        /// As in [`Place`].
        delay: u16,
        /// The [digest](Place::digest) of its path: a child that knows another one missed a [`Tell::Place`].
        #[serde(with = "postcard::fixint::le")]
        path: u32,
        /// As in [`Tell::Place`].
        #[serde(with = "postcard::fixint::le")]
        heard: u32,
    },
    /// A child to its parent: it missed where they are. [`Tell::Place`] comes back.
    Where {
        /// In which tree.
        tree: u8,
    },
    /// A child to its parent: another one is from this generation on, of whose number these are the low 32 bits. What is
    /// before it the parent still sends.
    Until {
        /// In which tree.
        tree: u8,
        /// Which one.
        #[serde(with = "postcard::fixint::le")]
        generation: u32,
    },
}

/// What is missing of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Its number, of which the low 32 bits count.
    #[serde(with = "postcard::fixint::le")]
    pub generation: u32,
    /// The symbols that are here, bit by bit.
    pub here: u64,
    /// How many more it takes.
    pub count: u8,
    /// Whether its manifest misses too.
    pub manifest: bool,
}

/// Where a member is in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Milliseconds from the source to it.
    pub delay: u16,
    /// Who passes the stream on to it: from the source to itself.
    pub path: Vec<MemberId>,
    /// Where its own parent is reached: whom to turn to should it be gone.
    pub above: Option<SocketAddr>,
}

/// How a member is placed in a tree, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeStatus {
    /// Hops from the source; 255 if it is not in the tree.
    pub depth: u8,
    /// Children that it has room for.
    pub room: u8,
    /// Milliseconds from the source to it.
    pub delay: u16,
    /// Who passes the tree on itself and is not as far from it, in milliseconds there and back, is taken though there is
    /// no room: another one is sent away for it. 0 if nobody is, 65,535 if anybody.
    pub far: u16,
}

/// A member, and where it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Which one.
    pub id: MemberId,
    /// Where.
    pub addr: SocketAddr,
    /// Seconds since anybody heard of it.
    pub age: u8,
}

/// How far a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Which one.
    pub id: MemberId,
    /// Where it is reached.
    pub addr: SocketAddr,
    /// The number of its newest refresh that is known.
    pub number: u32,
    /// Milliseconds to it; 65,535 if there is no way, or it leads by who is told.
    pub delay: u16,
}

/// Why a member is not taken as a child, or a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No room.
    Full,
    /// The asker passes the stream on to it.
    Loop,
    /// It has no parent itself in that tree, or is about to get another one.
    Unsettled,
    /// There is no such tree.
    NoTree,
    /// It leaves.
    Leaving,
    /// No room, but a child that was not heard of for a while may be gone: it is worth to ask again soon.
    Soon,
}

/// Why a datagram is not a packet of this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Shorter than its head, or longer than [`LARGEST`].
    #[error("no packet is that long")]
    Length,
    /// Of another kind, or version.
    #[error("not a packet of this version")]
    Kind,
    /// Of another group.
    #[error("of another group")]
    Group,
    /// Not as the format has it.
    #[error("not a packet")]
    Malformed,
}

impl Place {
    /// The path in short: the FNV-1a hash, in 32 bits, of the numbers in it, each as 8 bytes, the lowest first.
    #[must_use]
    pub fn digest(&self) -> u32 {
        digest(&self.path)
    }
}

/// [`Place::digest`].
pub(crate) fn digest<'a>(path: impl IntoIterator<Item = &'a MemberId>) -> u32 {
    let bytes = path.into_iter().flat_map(|id| id.0.to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Packet {
    /// The packet in a datagram.
    ///
    /// # Errors
    /// If it is none of this group.
    pub fn decode(datagram: &[u8], tag: [u8; 4]) -> Result<Self, WireError> {
        if datagram.len() > LARGEST {
            return Err(WireError::Length);
        }
        let (head, rest) = datagram.split_first_chunk::<HEAD>().ok_or(WireError::Length)?;
        let [kind, group @ .., version] = *head;
        if (kind, version) != (KIND, VERSION) {
            return Err(WireError::Kind);
        }
        if group != tag {
            return Err(WireError::Group);
        }
        let (packet, rest) = postcard::take_from_bytes::<Self>(rest).map_err(|_| WireError::Malformed)?;
        // Lists are as long as the datagram has bytes for; what may be in them is said here.
        let sound = rest.iter().all(|byte| *byte == 0)
            && match &packet {
                Self::Answer { answer, .. } => match answer {
                    Answer::Broadcast { sample, .. } | Answer::Refused { instead: sample, .. } => {
                        sample.len() <= SAMPLE
                    }
                    Answer::Status { trees, sample, .. } => sample.len() <= SAMPLE && trees.len() <= 64,
                    Answer::Adopted(place) => place.path.len() <= DEEPEST,
                    Answer::Routes(routes) => routes.len() <= ROUTES,
                    Answer::Prove | Answer::Nothing | Answer::Linked => true,
                },
                Self::Tell { tell: Tell::Place { place, .. }, .. } => place.path.len() <= DEEPEST,
                Self::Tell { tell: Tell::Miss(wants), .. } => wants.len() <= MOST_WANTS,
                Self::Tell { tell: Tell::Routes { routes, .. }, .. } => routes.len() <= ROUTES,
                Self::Tell { .. } | Self::Ask { .. } => true,
            };
        if sound { Ok(packet) } else { Err(WireError::Malformed) }
    }

    /// Its datagram, filled up with zeros to `padding` bytes.
    #[must_use]
    pub fn encode(&self, tag: [u8; 4], padding: usize) -> Bytes {
        // On the stack: a buffer that grows byte by byte takes several times as long.
        let mut room = [0; LARGEST];
        let [a, b, c, d] = tag;
        room[..HEAD].copy_from_slice(&[KIND, a, b, c, d, VERSION]);
        let written = postcard::to_slice(self, &mut room[HEAD..]).map(|written| HEAD + written.len());
        match written {
            Ok(length) if padding <= LARGEST => Bytes::copy_from_slice(&room[..length.max(padding)]),
            // Nobody takes it, but that is for them to say.
            _ => self.encode_long(&room[..HEAD], padding),
        }
    }

    /// The same, however long it is.
    fn encode_long(&self, head: &[u8], padding: usize) -> Bytes {
        // Only memory could run out, and then it panics.
        let Ok(mut to) = postcard::to_extend(self, head.to_vec()) else {
            unreachable!("a buffer that grows")
        };
        to.resize(to.len().max(padding), 0);
        to.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(addr: SocketAddr) -> Known {
        Known { id: MemberId(u64::MAX), addr, age: 255 }
    }

    /// Whoever is asked for the first time answers at once, however many trees there are, as long as they fit.
    #[test]
    fn a_first_probe_is_as_long_as_its_answer() {
        for addr in [SocketAddr::from(([255; 4], 65_535)), SocketAddr::from(([0xffff_u16; 8], 65_535))] {
            for trees in [1, 6, 16] {
                let status = TreeStatus { depth: 255, room: 255, delay: u16::MAX, far: u16::MAX };
                let (trees_of, sample) = (alloc::vec![status; trees], alloc::vec![known(addr); SAMPLE]);
                let answer = Answer::Status { heard: u32::MAX, trees: trees_of, sample };
                let (transaction, token) = (u32::MAX, u32::MAX);
                let packet = Packet::Answer { transaction, token, from: MemberId(u64::MAX), answer };
                let length = packet.encode([0; 4], 0).len();
                assert!(length <= first_probe(addr, trees), "{addr}, {trees} trees: {length}");
            }
        }
    }

    /// Nobody takes it, but it is written.
    #[test]
    fn what_is_too_long_is_written_too() {
        let of = |wants: usize| {
            let want = Want { generation: 1, here: 2, count: 3, manifest: true };
            let tell = Tell::Miss(alloc::vec![want; wants]);
            Packet::Tell { token: 1, from: MemberId(2), tell }
        };
        let (short, long) = (of(3), of(200));
        assert!(long.encode([7; 4], 0).len() > LARGEST);
        for (packet, padding) in
            [(&short, 0), (&short, LARGEST), (&short, LARGEST + 1), (&long, 0), (&long, 9_000)]
        {
            let wire = packet.encode([7; 4], padding);
            assert!(wire.len() >= padding);
            let (read, rest) = postcard::take_from_bytes::<Packet>(&wire[HEAD..]).unwrap();
            assert_eq!((&read, &wire[..HEAD]), (packet, &[KIND, 7, 7, 7, 7, VERSION][..]));
            assert!(rest.iter().all(|byte| *byte == 0) && (padding > 0 || rest.is_empty()));
        }
    }

    /// As many ways as a datagram has are no longer than one may be.
    #[test]
    fn ways_fit_into_a_datagram() {
        let addr = SocketAddr::from(([0xffff_u16; 8], 65_535));
        let route = Route { id: MemberId(u64::MAX), addr, number: u32::MAX, delay: u16::MAX };
        let (source, routes) = (Some(MemberId(u64::MAX)), alloc::vec![route; ROUTES]);
        let tell = Tell::Routes { source, uses: u16::MAX, routes };
        let packet = Packet::Tell { token: u32::MAX, from: MemberId(u64::MAX), tell };
        let wire = packet.encode([7; 4], 0);
        assert!(wire.len() <= LARGEST, "{}", wire.len());
        assert_eq!(Packet::decode(&wire, [7; 4]), Ok(packet));
    }
}
