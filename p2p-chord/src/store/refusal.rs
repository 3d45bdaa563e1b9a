//! Why a node does not take a record: [`Refusal`].

use serde::{Deserialize, Serialize};

/// Why a record is not stored. As it is written in messages: the number, then the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// 0: the node asked is not responsible for the record's place.
    #[error("the node asked is not responsible for this place")]
    NotResponsible,
    /// 1: lengths, signature or address are not right.
    #[error("not a sound record")]
    Invalid,
    /// 2: a provider record came from another address than it names.
    #[error("it names another address than it came from")]
    Address,
    /// 3: a newer version is stored, or the same version with another value.
    #[error("version {has} is stored")]
    Older {
        /// The sequence number that is stored.
        has: u64,
    },
    /// 4: another version is stored than the one to be replaced.
    #[error("not the version that was to be replaced")]
    Swap {
        /// The sequence number that is stored; `None` if nothing is.
        has: Option<u64>,
    },
    /// 5: its time to live is over, or none.
    #[error("past its time")]
    Expired,
    /// 6: the publisher's block of addresses stores as much as it may.
    #[error("the publisher stores as much there as it may")]
    Quota,
    /// 7: no room.
    #[error("no room")]
    Full,
    /// 8: the node's application does not want it.
    #[error("not wanted there")]
    Unwanted,
    /// 9: fewer copies were made than are to be. They stay where they are.
    #[error("only {copies} copies")]
    TooFew {
        /// How many.
        copies: u8,
    },
    /// 10: it has too much to do.
    #[error("busy")]
    Busy,
    /// 11: it has more already than others.
    #[error("others have less")]
    Laden,
}
