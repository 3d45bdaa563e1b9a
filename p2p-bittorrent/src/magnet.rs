//! Magnet links (BEP 9, 53): [`Magnet`] is a torrent's info-hash in a line of text, with hints where to find it.
//!
//! ```
//! use p2p_bittorrent::Magnet;
//! use p2p_core::Target;
//!
//! let link = "magnet:?xt=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89d&dn=a+song&x.pe=192.0.2.1:6881";
//! let magnet: Magnet = link.parse()?;
//! assert_eq!(magnet.name.as_deref(), Some("a song"));
//! assert_eq!(magnet.peers, [Target::Addr("192.0.2.1:6881".parse()?)]);
//! assert_eq!(magnet.to_string().parse(), Ok(magnet));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use crate::InfoHash;
use crate::metainfo::Metainfo;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;
use data_encoding::BASE32;
use p2p_core::Target;
use p2p_core::http::{Plus, Url, percent_decode, percent_encode};

/// The longest link in bytes: room for 256 trackers of usual length. Nothing below can hold more than it.
const MAX_LINK: usize = 64 << 10;
/// The longest name in bytes, what follows is cut off: it is shown until the metadata is there, not stored.
const MAX_NAME: usize = 1_024;
/// The most trackers, and the most web seeds: as in a torrent file.
const MAX_URLS: usize = 256;
/// The longest URL in bytes: as in a torrent file.
const MAX_URL: usize = 2_048;
/// The most peers: more than anyone dials at once.
const MAX_PEERS: usize = 256;

/// A magnet link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Magnet {
    /// Which torrent it is.
    pub info_hash: InfoHash,
    /// What to call it until its metadata is there (`dn`), for showing only: it may hold anything.
    pub name: Option<String>,
    /// Tracker URLs (`tr`), each one once, as the link has them: not yet checked, a stranger wrote them.
    pub trackers: Vec<String>,
    /// Peers to ask (`x.pe`), each one once.
    pub peers: Vec<Target>,
    /// URLs of web seeds (`ws`), each one once, as the link has them.
    pub web_seeds: Vec<String>,
    /// The files that are wanted (`so`, BEP 53), as ranges of indices of [`Info::files`](crate::metainfo::Info::files), rising
    /// and apart; empty means all. They need not exist. See [`Magnet::selects`].
    pub select: Vec<RangeInclusive<u32>>,
    /// The info-hash of version 2 if there is one too (BEP 52), as the hex digits of its multihash.
    pub v2: Option<Box<str>>,
}

/// Why text is no magnet link of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    #[error("not a magnet link")]
    Scheme,
    /// Longer than 64 KiB.
    #[error("the link is longer than 64 KiB")]
    TooLong,
    /// No `xt=urn:btih:`: a link of another system, or cut.
    #[error("the link names no torrent")]
    NoHash,
    /// An info-hash that is neither 40 hex digits nor 32 characters of base32, or a malformed one of version 2.
    #[error("malformed info-hash")]
    Hash,
    /// Several torrents. Two programs could take two different ones, so none is taken.
    #[error("the link names several torrents")]
    Several,
    /// A torrent of version 2 only (BEP 52), which is not supported.
    #[error("version 2 only, which is not supported")]
    V2Only,
    /// A selection of files (BEP 53) that is malformed. Without it more would be fetched than was asked for.
    #[error("malformed selection of files")]
    Select,
}

impl Magnet {
    /// A link that has nothing but the info-hash.
    #[must_use]
    pub const fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            name: None,
            trackers: Vec::new(),
            peers: Vec::new(),
            web_seeds: Vec::new(),
            select: Vec::new(),
            v2: None,
        }
    }

    /// The link to a torrent: its info-hash, name, trackers and web seeds.
    #[must_use]
    pub fn of(torrent: &Metainfo) -> Self {
        let mut magnet = Self::new(torrent.info.info_hash());
        magnet.name = Some(shown(torrent.info.name()));
        for url in torrent.announce.iter().flatten() {
            magnet.add_tracker(url);
        }
        torrent.web_seeds.iter().for_each(|url| add_url(&mut magnet.web_seeds, url));
        magnet
    }

    /// Reads a link.
    ///
    /// Name, trackers, web seeds and peers are hints: those that are malformed or past a limit are left out, the rest
    /// is kept. Keys that are not known are ignored; the numbers of `xt.1`, `tr.2` and the like mean nothing.
    ///
    /// # Errors
    /// If it names no torrent, or not one that can be had.
    pub fn parse(link: &str) -> Result<Self, MagnetError> {
        let link = link.trim();
        if link.len() > MAX_LINK {
            return Err(MagnetError::TooLong);
        }
        let (scheme, query) = link.split_once('?').ok_or(MagnetError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("magnet:") {
            return Err(MagnetError::Scheme);
        }
        let (info_hash, v2) = topics(query)?;
        let mut magnet = Self { v2, ..Self::new(info_hash) };
        for (key, value) in params(query) {
            magnet.take(&key.to_ascii_lowercase(), value)?;
        }
        merge(&mut magnet.select);
        Ok(magnet)
    }

    /// Adds a tracker, as [`Magnet::parse`] would: not twice, and not past a limit.
    pub fn add_tracker(&mut self, url: &str) {
        add_url(&mut self.trackers, url);
    }

    /// Whether a file is wanted, by its index.
    #[must_use]
    pub fn selects(&self, file: u32) -> bool {
        let after = self.select.partition_point(|range| *range.end() < file);
        self.select.is_empty() || self.select.get(after).is_some_and(|range| range.contains(&file))
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), MagnetError> {
        match key {
            "dn" if self.name.is_none() => {
                // Many write names by hand, with a `%` that is no escape.
                let bytes = percent_decode(value, Plus::Space).unwrap_or_else(|| value.into());
                self.name = Some(shown(&String::from_utf8_lossy(&bytes))).filter(|name| !name.is_empty());
            }
            "tr" => self.add_tracker(&text(value).unwrap_or_default()),
            "ws" => add_url(&mut self.web_seeds, &text(value).unwrap_or_default()),
            "x.pe" => {
                if self.peers.len() < MAX_PEERS
                    && let Some(peer) = text(value).and_then(|text| peer(&text))
                    && !self.peers.contains(&peer)
                {
                    self.peers.push(peer);
                }
            }
            "so" => {
                let text = text(value).ok_or(MagnetError::Select)?;
                self.select.extend(ranges(&text)?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The parameters without the numbers of their keys. A link copied from the text of a web page has `&amp;` for `&`.
fn params(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|part| {
        let (key, value) = part.strip_prefix("amp;").unwrap_or(part).split_once('=')?;
        let key = match key.rsplit_once('.') {
            Some((key, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => key,
            _ => key,
        };
        Some((key, value))
    })
}

/// The info-hash, and the multihash of version 2 if there is one.
fn topics(query: &str) -> Result<(InfoHash, Option<Box<str>>), MagnetError> {
    let (mut v1, mut v2) = (None, None);
    for (_, value) in params(query).filter(|(key, _)| key.eq_ignore_ascii_case("xt")) {
        let Some(topic) = text(value) else { return Err(MagnetError::Hash) };
        if let Some(hash) = after(&topic, "urn:btih:") {
            let hash = info_hash(hash).ok_or(MagnetError::Hash)?;
            if *v1.get_or_insert(hash) != hash {
                return Err(MagnetError::Several);
            }
        } else if let Some(hash) = after(&topic, "urn:btmh:") {
            let hash = multihash(hash).ok_or(MagnetError::Hash)?;
            if v2.get_or_insert_with(|| hash.clone()) != &hash {
                return Err(MagnetError::Several);
            }
        }
    }
    match (v1, v2) {
        (Some(v1), v2) => Ok((v1, v2)),
        (None, Some(_)) => Err(MagnetError::V2Only),
        (None, None) => Err(MagnetError::NoHash),
    }
}

/// What follows a prefix of ASCII in either case.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn info_hash(text: &str) -> Option<InfoHash> {
    if text.len() != 32 {
        return text.parse().ok();
    }
    let mut bytes = [0; 20];
    BASE32.decode_mut(text.to_ascii_uppercase().as_bytes(), &mut bytes).ok()?;
    Some(InfoHash(bytes))
}

/// The hex digits of a multihash: the code of SHA-256, its length, the digest (BEP 52).
fn multihash(text: &str) -> Option<Box<str>> {
    let text = text.to_ascii_lowercase();
    let digits = text.strip_prefix("1220")?;
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.into())
}

fn text(value: &str) -> Option<String> {
    String::from_utf8(percent_decode(value, Plus::Literal)?).ok()
}

fn shown(name: &str) -> String {
    name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or_default().to_owned()
}

fn add_url(to: &mut Vec<String>, url: &str) {
    let fits = !url.is_empty() && url.len() <= MAX_URL && to.len() < MAX_URLS;
    if fits && !to.iter().any(|known| known == url) {
        to.push(url.to_owned());
    }
}

/// `host:port`, `1.2.3.4:port` or `[IPv6]:port`: what may stand between the `//` and the `/` of a URL that needs a port.
fn peer(text: &str) -> Option<Target> {
    if text.contains(['/', '?', '#', '\\']) {
        return None;
    }
    Url::parse(&alloc::format!("udp://{text}")).ok().map(|url| url.target())
}

/// BEP 53: `0,2,4-6`.
fn ranges(text: &str) -> Result<Vec<RangeInclusive<u32>>, MagnetError> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits).ok_or(MagnetError::Select)
    };
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last { Err(MagnetError::Select) } else { Ok(first..=last) }
    };
    text.split(',').map(range).collect()
}

/// Sorts ranges and joins those that touch.
fn merge(ranges: &mut Vec<RangeInclusive<u32>>) {
    ranges.sort_unstable_by_key(|range| *range.start());
    ranges.dedup_by(|next, before| {
        let touch = *next.start() <= before.end().saturating_add(1);
        if touch {
            *before = *before.start()..=*before.end().max(next.end());
        }
        touch
    });
}

impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "magnet:?xt=urn:btih:{}", self.info_hash)?;
        if let Some(v2) = &self.v2 {
            write!(f, "&xt=urn:btmh:{v2}")?;
        }
        let mut encoded = String::new();
        let mut param = |key: &str, value: &str| {
            encoded.clear();
            percent_encode(value.as_bytes(), &mut encoded);
            write!(f, "&{key}={encoded}")
        };
        self.name.iter().try_for_each(|name| param("dn", name))?;
        self.trackers.iter().try_for_each(|url| param("tr", url))?;
        self.web_seeds.iter().try_for_each(|url| param("ws", url))?;
        self.peers.iter().try_for_each(|peer| match peer {
            Target::Addr(addr) => param("x.pe", &alloc::format!("{addr}")),
            Target::Name { host, port } => param("x.pe", &alloc::format!("{host}:{port}")),
        })?;
        let mut before = "&so=";
        for range in self.select.iter().filter(|range| !range.is_empty()) {
            write!(f, "{before}{}", range.start())?;
            if range.end() > range.start() {
                write!(f, "-{}", range.end())?;
            }
            before = ",";
        }
        Ok(())
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(link: &str) -> Result<Self, MagnetError> {
        Self::parse(link)
    }
}
