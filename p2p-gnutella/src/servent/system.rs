//! Gnutella for programs that choose their systems while they run: a node of a [`Servent`] is a
//! [`System`](p2p_core::System).
//!
//! | argument | what it is here |
//! | --- | --- |
//! | whom to join | `address:port` of servents, `udp:host:port` of UDP host caches, `http://…` of web caches, apart by white space or commas |
//! | an item | `name` is the path of a file or folder in the first root; `data` does not matter |
//! | words | as they are |
//! | a locator | a magnet link with a SHA-1, or with a source `http://…/get/NUMBER/NAME`, or a URN with a SHA-1 |

use super::Servent;
use super::event::{Bootstrap, Hit, Shared};
use crate::magnet::MagnetError;
use crate::transfer::Wanted;
use crate::{Magnet, Urn};
use alloc::string::{String, ToString};
use bytes::Bytes;
use core::net::SocketAddr;
use core::str::FromStr;
use p2p_core::system::{Described, Faces, Found, Item, Locator};
use p2p_core::{FileId, RelPath, Root};

impl Described for Servent {
    const NAME: &'static str = "gnutella";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_word_search().with_fetch();
}

/// Something is neither a servent nor a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a servent's address with its port nor a host cache (word {word} of what is to be joined)")]
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
            let none = BootstrapError { word: index + 1 };
            if let Some(cache) = word.strip_prefix("udp:") {
                let (host, port) = cache.rsplit_once(':').ok_or(none)?;
                let port = port.parse().ok().filter(|port| *port > 0).ok_or(none)?;
                let host = Some(host).filter(|host| !host.is_empty()).ok_or(none)?;
                found.udp_caches.push((host.into(), port));
            } else if word.starts_with("http://") {
                found.web_caches.push(word.into());
            } else {
                found.peers.push(word.parse::<SocketAddr>().map_err(|_| none)?);
            }
        }
        Ok(found)
    }
}

/// An item's name is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a file: {0}")]
pub struct ItemError(#[from] p2p_core::path::PathError);

impl TryFrom<Item> for Shared {
    type Error = ItemError;

    fn try_from(item: Item) -> Result<Self, ItemError> {
        let path = RelPath::local(item.name.split('/'))?;
        Ok(Self { file: FileId::new(Root(0), path) })
    }
}

/// A locator names no file by its SHA-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocatorError {
    /// It is no text.
    #[error("not a magnet link or a URN")]
    NotText,
    /// It is no magnet link.
    #[error("{0}")]
    Magnet(#[from] MagnetError),
    /// It has no SHA-1, by which files are known here, and no source that is asked by number and name.
    #[error("the link or URN has no SHA-1, nor a source with /get/NUMBER/NAME")]
    NoSha1,
}

impl FromStr for Wanted {
    type Err = LocatorError;

    /// Reads a magnet link or a URN.
    fn from_str(text: &str) -> Result<Self, LocatorError> {
        if let Ok(urn) = text.parse::<Urn>() {
            let mut wanted = Self::new(urn.sha1().ok_or(LocatorError::NoSha1)?);
            wanted.tth = urn.tth();
            return Ok(wanted);
        }
        Self::of_magnet(&text.parse::<Magnet>()?).ok_or(LocatorError::NoSha1)
    }
}

impl TryFrom<Bytes> for Wanted {
    type Error = LocatorError;

    fn try_from(what: Bytes) -> Result<Self, LocatorError> {
        str::from_utf8(&what).map_err(|_| LocatorError::NotText)?.parse()
    }
}

impl From<Hit> for Found {
    fn from(hit: Hit) -> Self {
        // Without a digest, and with nobody to tell its holder, its name alone is told.
        let link = hit.magnet().map_or_else(String::new, |magnet| magnet.to_string());
        Self {
            title: String::from_utf8_lossy(&hit.name).into_owned(),
            len: Some(hit.size),
            locator: Locator::from(&*link),
        }
    }
}
