//! Chord for programs that choose their systems while they run: a node of [`Chord`] or of [`Host`] is a
//! [`System`](p2p_core::System).
//!
//! | argument | what it is here |
//! | --- | --- |
//! | whom to join | addresses with ports, apart by white space or commas; none begins a new ring |
//! | an item | without a name, `data` is a value; with one, `data` is `port size sha256` of a file that can be had here |
//! | what is searched for, a locator | 40 hexadecimal digits: a value; `signed` and 40 digits; `coded` and 40 digits; `provider` and 40 digits; `name` and a name |

use crate::api::{Get, Provide, Put};
use crate::host::Host;
use crate::id::RingId;
use crate::node::Chord;
use crate::primitives::{Bootstrap, Hit, Item};
use crate::record::{Kind, Provider, Record};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::str::FromStr;
use p2p_core::Id;
use p2p_core::system::{self, Described, Faces, Found, Locator};

impl Described for Chord {
    const NAME: &'static str = "chord";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_search().with_fetch();
}

impl Described for Host {
    const NAME: &'static str = "chord";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_search().with_fetch();
}

/// Something is not written as it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Not an address with a port.
    #[error("not an address with its port (word {word} of what is to be joined)")]
    Address {
        /// Which of the words, counted from 1.
        word: usize,
    },
    /// Neither a key of 40 hexadecimal digits nor `signed`, `coded`, `provider` or `name` with what belongs to it.
    #[error("not a key of 40 hexadecimal digits, and not `signed KEY`, `provider KEY` or `name NAME`")]
    Key,
    /// Not `port size sha256`.
    #[error("not a port, a size and a SHA-256")]
    File,
}

impl FromStr for Bootstrap {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let addresses = (1..).zip(words);
        let addresses = addresses.map(|(word, at)| at.parse().map_err(|_| TextError::Address { word }));
        addresses.collect::<Result<Vec<SocketAddr>, _>>().map(Self)
    }
}

impl FromStr for Get {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let key = |digits: &str| digits.trim().parse::<RingId>().map_err(|_| TextError::Key);
        match text.trim().split_once(' ') {
            None => Ok(Self::new(key(text)?, Kind::Value)),
            Some(("signed", digits)) => Ok(Self::new(key(digits)?, Kind::Signed)),
            Some(("coded", digits)) => Ok(Self::new(key(digits)?, Kind::Coded)),
            Some(("provider", digits)) => Ok(Self::new(key(digits)?, Kind::Provider)),
            Some(("name", name)) => Ok(Self::new(Provider::place_of_name(name.trim()), Kind::Provider)),
            Some(_) => Err(TextError::Key),
        }
    }
}

impl TryFrom<Bytes> for Get {
    type Error = TextError;

    fn try_from(what: Bytes) -> Result<Self, TextError> {
        core::str::from_utf8(&what).map_err(|_| TextError::Key)?.parse()
    }
}

impl TryFrom<system::Item> for Item {
    type Error = TextError;

    fn try_from(item: system::Item) -> Result<Self, TextError> {
        if item.name.is_empty() {
            return Ok(Self::Record(Box::new(Put::new(Record::Value(item.data)))));
        }
        let text = core::str::from_utf8(&item.data).map_err(|_| TextError::File)?;
        let mut words = text.split_whitespace();
        let (Some(port), Some(size), Some(digest), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(TextError::File);
        };
        let (Ok(port), Ok(size), Ok(Id(sha256))) = (port.parse(), size.parse(), digest.parse::<Id<32>>())
        else {
            return Err(TextError::File);
        };
        Ok(Self::Provide(Provide { key: Provider::place_of_name(&item.name), port, sha256, size }))
    }
}

impl From<Hit> for Found {
    /// Of several providers the first; their records are in the event.
    fn from(hit: Hit) -> Self {
        let text = |locator: String| Locator::from(locator.into_bytes());
        match hit.0.into_iter().next() {
            Some(record @ Record::Coded(_)) => {
                let key = record.key().to_string();
                let len = record.value().map(|value| value.len() as u64);
                Self { title: key.clone(), len, locator: text(format!("coded {key}")) }
            }
            Some(record @ Record::Value(_)) => {
                let key = record.key().to_string();
                Self {
                    title: key.clone(),
                    len: record.value().map(|value| value.len() as u64),
                    locator: text(key),
                }
            }
            Some(record @ Record::Signed(_)) => {
                let key = record.key().to_string();
                let len = record.value().map(|value| value.len() as u64);
                Self { title: key.clone(), len, locator: text(format!("signed {key}")) }
            }
            Some(Record::Provider(provider)) => {
                let at = SocketAddr::from(provider.at);
                let key = provider.key.to_string();
                Self {
                    title: at.to_string(),
                    len: Some(provider.size),
                    locator: text(format!("provider {key}")),
                }
            }
            // A get never ends with one.
            Some(Record::Fragment(_) | Record::Pointer(_)) | None => {
                Self { title: String::new(), len: None, locator: text(String::new()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_what_is_meant() {
        let digits = "00112233445566778899aabbccddeeff00112233";
        let key: RingId = digits.parse().unwrap();
        assert_eq!(digits.parse(), Ok(Get::new(key, Kind::Value)));
        assert_eq!(format!("signed {digits}").parse(), Ok(Get::new(key, Kind::Signed)));
        assert_eq!(format!("provider {digits}").parse(), Ok(Get::new(key, Kind::Provider)));
        let named = Get::new(Provider::place_of_name("a song"), Kind::Provider);
        assert_eq!("name a song".parse(), Ok(named));
        for wrong in ["", "00", "other 00", "signed", "signed 00"] {
            assert_eq!(wrong.parse::<Get>(), Err(TextError::Key), "{wrong}");
        }
        assert_eq!("1.2.3.4:5, [::1]:6".parse::<Bootstrap>().unwrap().0.len(), 2);
        assert_eq!("1.2.3.4:5 host".parse::<Bootstrap>(), Err(TextError::Address { word: 2 }));
        let file = |data: &str| {
            Item::try_from(system::Item { name: "a song".into(), data: data.to_string().into() })
        };
        let sha256 = "11".repeat(32);
        let provide = Provide { key: named.key, port: 80, sha256: [0x11; 32], size: 9 };
        assert_eq!(file(&format!("80 9 {sha256}")), Ok(Item::Provide(provide)));
        assert_eq!(file(&format!("80000 9 {sha256}")), Err(TextError::File));
        assert_eq!(file("80 9"), Err(TextError::File));
    }
}
