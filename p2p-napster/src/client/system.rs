//! Napster for programs that choose their systems while they run: a node of a [`Client`] is a
//! [`System`](p2p_core::System).
//!
//! | argument | what it is here |
//! | --- | --- |
//! | whom to join | `host:port` of servers, `tls:host:port` of those whose streams are secured, `meta:host:port` of metaservers, apart by white space or commas |
//! | an item | `name` is the path of a file in the first root; `data` is its name on the wire, or empty for the same |
//! | words | as they are |
//! | a locator | `size nick name`: the size in digits, or `?` |

use super::Client;
use super::ask::{Bootstrap, SharedFile, Wanted};
use super::event::Hit;
use crate::wire::text::{decimal, shown};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::str::FromStr;
use p2p_core::system::{Described, Faces, Found, Item, Locator};
use p2p_core::{FileId, RelPath, Root, Target};

impl Described for Client {
    const NAME: &'static str = "napster";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_word_search().with_fetch();
}

/// Something is no `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host with its port (word {word} of what is to be joined)")]
pub struct BootstrapError {
    /// Which of the words, counted from 1.
    pub word: usize,
}

impl FromStr for Bootstrap {
    type Err = BootstrapError;

    fn from_str(text: &str) -> Result<Self, BootstrapError> {
        let mut found = Self::default();
        let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        for (index, word) in words.enumerate() {
            let (list, place) = if let Some(place) = word.strip_prefix("meta:") {
                (&mut found.metaservers, place)
            } else if let Some(place) = word.strip_prefix("tls:") {
                (&mut found.secured, place)
            } else {
                (&mut found.servers, word)
            };
            list.push(target(place).ok_or(BootstrapError { word: index + 1 })?);
        }
        Ok(found)
    }
}

fn target(place: &str) -> Option<Target> {
    if let Ok(at) = place.parse() {
        return Some(Target::Addr(at));
    }
    let (host, port) = place.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then(|| Target::Name { host: host.into(), port })
}

/// An item's name is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a file: {0}")]
pub struct ItemError(#[from] p2p_core::path::PathError);

impl TryFrom<Item> for SharedFile {
    type Error = ItemError;

    fn try_from(item: Item) -> Result<Self, ItemError> {
        let path = RelPath::local(item.name.split('/'))?;
        let name = if item.data.is_empty() { Bytes::from(item.name.into_bytes()) } else { item.data };
        Ok(Self::new(name, FileId::new(Root(0), path)))
    }
}

/// A locator is not `size nick name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a size, a nick and a name")]
pub struct LocatorError;

impl TryFrom<Bytes> for Wanted {
    type Error = LocatorError;

    fn try_from(what: Bytes) -> Result<Self, LocatorError> {
        let mut parts = what.splitn(3, |byte| *byte == b' ');
        let (Some(size), Some(nick), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LocatorError);
        };
        let mut wanted = Self::new(what.slice_ref(nick), what.slice_ref(name));
        if size != b"?" {
            wanted.size = Some(decimal(size).ok_or(LocatorError)?);
        }
        Ok(wanted)
    }
}

impl From<Hit> for Found {
    fn from(hit: Hit) -> Self {
        let mut locator = Vec::from(hit.size.to_string());
        for part in [&hit.nick, &hit.name] {
            locator.push(b' ');
            locator.extend_from_slice(part);
        }
        let locator = Locator::from(locator);
        Self { title: shown(&hit.name).to_string(), len: Some(hit.size), locator }
    }
}
