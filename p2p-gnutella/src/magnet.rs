//! Magnet links of files on Gnutella: [`Magnet`].
//!
//! ```
//! use p2p_gnutella::Magnet;
//!
//! let link = "magnet:?xt=urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB&dn=a+song.mp3&xl=4000000&xs=http://192.0.2.1:6346/uri-res/N2R?urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
//! let magnet: Magnet = link.parse()?;
//! assert_eq!((magnet.name.as_deref(), magnet.size), (Some("a song.mp3"), Some(4_000_000)));
//! assert!(magnet.sha1().is_some() && magnet.sources.len() == 1);
//! assert_eq!(magnet.to_string().parse(), Ok(magnet));
//! # Ok::<(), p2p_gnutella::magnet::MagnetError>(())
//! ```

use crate::Urn;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use p2p_core::hash::{Sha1Hash, Tth};
use p2p_core::http::{Plus, percent_decode, percent_encode};

/// The longest link in bytes.
const LINK_MAX: usize = 16 << 10;
/// The longest name, words or source in bytes; what is longer is left out.
const TEXT_MAX: usize = 2_048;
/// The most sources, and the most names by content.
const LIST_MAX: usize = 64;

/// A link to a file, or to a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Magnet {
    /// Its names by content (`xt`), each once: those that are known here.
    pub urns: Vec<Urn>,
    /// What to call it (`dn`), for showing only: it may hold anything.
    pub name: Option<String>,
    /// Its size in bytes (`xl`).
    pub size: Option<u64>,
    /// Words to search by (`kt`).
    pub keywords: Option<String>,
    /// Where it is (`xs`, and after those `as`), as the link has them, each once: a stranger wrote them. gtk-gnutella also
    /// knows `push://GUID:PROXY:PORT/path`.
    pub sources: Vec<String>,
}

/// Why text is no such link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    #[error("not a magnet link")]
    Scheme,
    /// Longer than 16 KiB.
    #[error("the link is longer than 16 KiB")]
    TooLong,
    /// Neither a name by content that is known here, nor words, nor a source: a link of another system, or cut.
    #[error("the link names nothing that can be found here")]
    Nothing,
}

impl Magnet {
    /// A link to a file with this name by content.
    #[must_use]
    pub fn new(urn: Urn) -> Self {
        Self { urns: [urn].into(), ..Self::default() }
    }

    /// The file's SHA-1, if the link tells it in any way.
    #[must_use]
    pub fn sha1(&self) -> Option<Sha1Hash> {
        self.urns.iter().find_map(Urn::sha1)
    }

    /// The root of its tiger tree, if the link tells it in any way.
    #[must_use]
    pub fn tth(&self) -> Option<Tth> {
        self.urns.iter().find_map(Urn::tth)
    }
}

fn add<T: PartialEq>(to: &mut Vec<T>, item: T) {
    if to.len() < LIST_MAX && !to.contains(&item) {
        to.push(item);
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    /// Keys and names that are not known are ignored, and what is malformed is left out: all but the names are hints.
    fn from_str(link: &str) -> Result<Self, MagnetError> {
        if link.len() > LINK_MAX {
            return Err(MagnetError::TooLong);
        }
        let (scheme, query) = link.split_once('?').ok_or(MagnetError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("magnet:") {
            return Err(MagnetError::Scheme);
        }
        let (mut magnet, mut acceptable) = (Self::default(), Vec::new());
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let plus = if matches!(key, "xs" | "as") { Plus::Literal } else { Plus::Space };
            let text = percent_decode(value, plus).and_then(|bytes| String::from_utf8(bytes).ok());
            let Some(text) = text.filter(|text| !text.is_empty() && text.len() <= TEXT_MAX) else { continue };
            // `xt.1` is one of several; the number means nothing.
            match key.split('.').next().unwrap_or_default() {
                "xt" => {
                    if let Ok(urn) = text.parse() {
                        add(&mut magnet.urns, urn);
                    }
                }
                "dn" => magnet.name = Some(text),
                "xl" => magnet.size = text.parse().ok(),
                "kt" => magnet.keywords = Some(text),
                "xs" => add(&mut magnet.sources, text),
                "as" => add(&mut acceptable, text),
                _ => {}
            }
        }
        acceptable.into_iter().for_each(|source| add(&mut magnet.sources, source));
        if magnet.urns.is_empty() && magnet.keywords.is_none() && magnet.sources.is_empty() {
            return Err(MagnetError::Nothing);
        }
        Ok(magnet)
    }
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = Vec::new();
        // A URN's characters stand for themselves in all links of this network.
        pairs.extend(self.urns.iter().map(|urn| ("xt", urn.to_string())));
        let encoded = |text: &str| {
            let mut out = String::new();
            percent_encode(text.as_bytes(), &mut out);
            out
        };
        pairs.extend(self.name.iter().map(|name| ("dn", encoded(name))));
        pairs.extend(self.size.map(|size| ("xl", size.to_string())));
        pairs.extend(self.keywords.iter().map(|words| ("kt", encoded(words))));
        pairs.extend(self.sources.iter().map(|source| ("xs", encoded(source))));
        f.write_str("magnet:")?;
        for (at, (key, value)) in pairs.iter().enumerate() {
            let sign = if at == 0 { '?' } else { '&' };
            write!(f, "{sign}{key}={value}")?;
        }
        Ok(())
    }
}
