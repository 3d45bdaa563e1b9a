//! Live streaming for programs that choose their systems while they run: a node of [`Esm`] is a
//! [`System`](p2p_core::System).
//!
//! | argument | what it is here |
//! | --- | --- |
//! | whom to join | 64 hexadecimal digits, the group's key, and addresses with ports, apart by white space or commas; nothing at all for the source |
//! | an item | `data` is the next part of the stream; if it has a name, that must be `last`: the stream ends behind it |
//! | a locator | `now`, `oldest`, or seconds that are past, as `-30` or `-30s` |

use crate::api::Point;
use crate::group::GroupKey;
use crate::member::Esm;
use crate::primitives::{Bootstrap, Item};
use bytes::Bytes;
use core::str::FromStr;
use p2p_core::system::{self, Described, Faces};
use p2p_core::{Duration, Id};

impl Described for Esm {
    const NAME: &'static str = "esm";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_fetch();
}

/// Something is not written as it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Not 64 hexadecimal digits.
    #[error("not a key of 64 hexadecimal digits")]
    Key,
    /// Not an address with a port.
    #[error("not an address with its port (word {word} of what is to be joined)")]
    Address {
        /// Which of the words, counted from 1.
        word: usize,
    },
    /// A name that is not `last`.
    #[error("parts of a stream have no names, only the last one is `last`")]
    Name,
    /// Neither `now` nor `oldest` nor seconds that are past.
    #[error("not `now`, `oldest` or seconds that are past, as -30s")]
    Point,
}

impl FromStr for GroupKey {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        text.parse::<Id<32>>().map(|Id(key)| Self(key)).map_err(|_| TextError::Key)
    }
}

impl FromStr for Bootstrap {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let mut words = (1..).zip(words);
        let Some((_, key)) = words.next() else { return Ok(Self::Source) };
        let by = words.map(|(word, at)| at.parse().map_err(|_| TextError::Address { word }));
        Ok(Self::Group { group: key.parse()?, by: by.collect::<Result<_, _>>()? })
    }
}

impl FromStr for Point {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text.trim() {
            "now" | "" => Ok(Self::Now),
            "oldest" => Ok(Self::Oldest),
            past => {
                let seconds = past.strip_prefix('-').map(|past| past.strip_suffix('s').unwrap_or(past));
                let seconds = seconds.and_then(|seconds| seconds.parse().ok()).ok_or(TextError::Point)?;
                Ok(Self::Ago(Duration::from_secs(seconds)))
            }
        }
    }
}

impl TryFrom<Bytes> for Point {
    type Error = TextError;

    fn try_from(text: Bytes) -> Result<Self, TextError> {
        core::str::from_utf8(&text).map_err(|_| TextError::Point)?.parse()
    }
}

impl TryFrom<system::Item> for Item {
    type Error = TextError;

    fn try_from(item: system::Item) -> Result<Self, TextError> {
        match &*item.name {
            "" => Ok(Self::of(item.data, false)),
            "last" => Ok(Self::of(item.data, true)),
            _ => Err(TextError::Name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn text_says_what_is_meant() {
        let group = GroupKey([0xa7; 32]);
        let text = group.to_string();
        assert_eq!(text.parse(), Ok(group));
        assert_eq!(" ".parse(), Ok(Bootstrap::Source));
        let by = ["1.2.3.4:5", "[::1]:6"].map(|at| at.parse().unwrap()).to_vec();
        assert_eq!(format!("{text} 1.2.3.4:5, [::1]:6").parse(), Ok(Bootstrap::Group { group, by }));
        assert_eq!(format!("{text} host").parse::<Bootstrap>(), Err(TextError::Address { word: 2 }));
        assert_eq!("1.2.3.4:5".parse::<Bootstrap>(), Err(TextError::Key));
        for (text, point) in [
            ("now", Point::Now),
            ("oldest", Point::Oldest),
            ("-30", Point::Ago(Duration::from_secs(30))),
            ("-5s", Point::Ago(Duration::from_secs(5))),
        ] {
            assert_eq!(text.parse(), Ok(point));
        }
        for wrong in ["30", "-x", "-", "then"] {
            assert_eq!(wrong.parse::<Point>(), Err(TextError::Point), "{wrong}");
        }
    }

    #[test]
    fn a_part_is_cut() {
        let part = |name: &str| {
            Item::try_from(system::Item { name: name.into(), data: alloc::vec![1; 3_000].into() })
        };
        let Ok(Item { packets, last: true }) = part("last") else { panic!("the last one") };
        assert_eq!(packets.iter().map(Bytes::len).collect::<alloc::vec::Vec<_>>(), [1_316, 1_316, 368]);
        assert_eq!(part("").map(|item| item.last), Ok(false));
        assert_eq!(part("first"), Err(TextError::Name));
    }
}
