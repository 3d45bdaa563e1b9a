//! An archive for programs that choose their systems while they run: a node of [`Archive`] is a
//! [`System`](p2p_core::System).
//!
//! | argument | what it is here |
//! | --- | --- |
//! | whom to join | addresses with ports, apart by white space or commas; none begins a new ring |
//! | an item | its name, and in `data` the path of the file below the first root, parts joined by `/`; without `data` the name is the path |
//! | what is searched for, a locator | a name, or the 64 hexadecimal digits of a SHA-256; what is fetched lies below the first root under it |

use super::{Archive, Hit, Item, Obtain, What};
use alloc::string::ToString;
use bytes::Bytes;
use p2p_core::path::PathError;
use p2p_core::system::{self, Described, Faces, Found, Locator};
use p2p_core::{FileId, Id, RelPath, Root};

impl Described for Archive {
    const NAME: &'static str = "chord";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_search().with_fetch();
}

/// Something is not written as it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Not Unicode.
    #[error("not text")]
    NotText,
    /// Not a path.
    #[error("not the path of a file: {0}")]
    Path(PathError),
}

impl TryFrom<system::Item> for Item {
    type Error = TextError;

    fn try_from(item: system::Item) -> Result<Self, TextError> {
        let path = core::str::from_utf8(&item.data).map_err(|_| TextError::NotText)?;
        let path = if path.is_empty() { &item.name } else { path };
        let path = RelPath::local(path.split('/')).map_err(TextError::Path)?;
        Ok(Self { file: FileId::new(Root(0), path), name: item.name })
    }
}

impl TryFrom<Bytes> for Obtain {
    type Error = TextError;

    fn try_from(what: Bytes) -> Result<Self, TextError> {
        let text = core::str::from_utf8(&what).map_err(|_| TextError::NotText)?;
        let Ok(what) = text.parse::<What>();
        let to = RelPath::sanitised([text.as_bytes()]).map_err(TextError::Path)?;
        Ok(Self { what, sha256: None, to: FileId::new(Root(0), to), read: true })
    }
}

impl From<Hit> for Found {
    fn from(hit: Hit) -> Self {
        let digits = Id(hit.sha256).to_string();
        Self { title: digits.clone(), len: Some(hit.size), locator: Locator::from(digits.as_str()) }
    }
}
