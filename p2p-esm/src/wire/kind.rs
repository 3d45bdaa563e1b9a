//! What packets are counted as: [`Kind`].

use super::{Answer, Ask, Packet, Tell};

/// A kind of packet. What only a mesh has is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// [`Ask::Hello`].
    Hello,
    /// [`Answer::Broadcast`].
    Broadcast,
    /// [`Ask::Probe`].
    Probe,
    /// [`Answer::Status`].
    Status,
    /// [`Ask::Adopt`].
    Adopt,
    /// [`Answer::Adopted`].
    Adopted,
    /// [`Answer::Refused`].
    Refused,
    /// [`Answer::Prove`] and [`Answer::Nothing`].
    Prove,
    /// [`Tell::Place`].
    Place,
    /// [`Tell::Still`].
    Still,
    /// [`Tell::Where`].
    Where,
    /// [`Tell::Here`].
    Here,
    /// [`Tell::Gone`] and [`Tell::Until`].
    Gone,
    /// [`Tell::Move`] and [`Tell::Replaced`].
    Move,
    /// [`Tell::Miss`].
    Miss,
    /// All of a mesh.
    Mesh,
}

impl Kind {
    /// Each of them, in their order.
    pub const ALL: [Self; 16] = [
        Self::Hello,
        Self::Broadcast,
        Self::Probe,
        Self::Status,
        Self::Adopt,
        Self::Adopted,
        Self::Refused,
        Self::Prove,
        Self::Place,
        Self::Still,
        Self::Where,
        Self::Here,
        Self::Gone,
        Self::Move,
        Self::Miss,
        Self::Mesh,
    ];

    /// Its name, in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Broadcast => "broadcast",
            Self::Probe => "probe",
            Self::Status => "status",
            Self::Adopt => "adopt",
            Self::Adopted => "adopted",
            Self::Refused => "refused",
            Self::Prove => "prove",
            Self::Place => "place",
            Self::Still => "still",
            Self::Where => "where",
            Self::Here => "here",
            Self::Gone => "gone",
            Self::Move => "move",
            Self::Miss => "miss",
            Self::Mesh => "mesh",
        }
    }
}

impl Packet {
    /// What it is counted as.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Ask { ask, .. } => match ask {
                Ask::Hello => Kind::Hello,
                Ask::Probe => Kind::Probe,
                Ask::Adopt { .. } => Kind::Adopt,
                Ask::Link { .. } | Ask::Routes(_) => Kind::Mesh,
            },
            Self::Answer { answer, .. } => match answer {
                Answer::Prove | Answer::Nothing => Kind::Prove,
                Answer::Broadcast { .. } => Kind::Broadcast,
                Answer::Status { .. } => Kind::Status,
                Answer::Adopted(_) => Kind::Adopted,
                Answer::Refused { .. } => Kind::Refused,
                Answer::Linked | Answer::Routes(_) => Kind::Mesh,
            },
            Self::Tell { tell, .. } => match tell {
                Tell::Place { .. } => Kind::Place,
                Tell::Still { .. } => Kind::Still,
                Tell::Where { .. } => Kind::Where,
                Tell::Here { .. } => Kind::Here,
                Tell::Gone { .. } | Tell::Until { .. } => Kind::Gone,
                Tell::Move { .. } | Tell::Replaced { .. } => Kind::Move,
                Tell::Miss(_) => Kind::Miss,
                Tell::Routes { .. } | Tell::Unlink => Kind::Mesh,
            },
        }
    }
}
