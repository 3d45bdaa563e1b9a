//! BitTorrent for programs that choose their systems while they run: a node of a [`Client`] is a
//! [`System`](p2p_core::System).
//!
//! | argument | what it is here |
//! | --- | --- |
//! | whom to join | trackers' URLs and peers' addresses, apart by white space or commas; none at all is enough |
//! | an item | `data` is a torrent file, whose content is in the first root; its name does not matter |
//! | a locator | a torrent file |

use crate::client::Client;
use crate::event::{Bootstrap, Torrent};
use crate::metainfo::{Error, Limits, Metainfo};
use alloc::sync::Arc;
use bytes::Bytes;
use core::net::SocketAddr;
use core::str::FromStr;
use p2p_core::system::{Described, Faces, Item};

impl Described for Client {
    const NAME: &'static str = "bittorrent";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_fetch();
}

/// Something is neither a tracker's URL nor an address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a tracker's URL nor a peer's address with its port (word {word} of what is to be joined)")]
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
            if ["http://", "https://", "udp://"].iter().any(|scheme| word.starts_with(scheme)) {
                found.trackers.push(word.into());
            } else {
                let peer = word.parse::<SocketAddr>().map_err(|_| BootstrapError { word: index + 1 })?;
                found.peers.push(peer);
            }
        }
        Ok(found)
    }
}

impl TryFrom<Bytes> for Torrent {
    type Error = Error;

    /// A torrent file, with nothing out of the ordinary.
    fn try_from(file: Bytes) -> Result<Self, Error> {
        Ok(Self::new(Arc::new(Metainfo::parse(&file, &Limits::default())?)))
    }
}

impl TryFrom<Item> for Torrent {
    type Error = Error;

    fn try_from(item: Item) -> Result<Self, Error> {
        Self::try_from(item.data)
    }
}
