//! What can be asked of [`Transfers`](super::Transfers), what they tell, and why something failed.

use super::source::Locator;
use crate::wire::QueryHit;
use crate::{Guid, Magnet, Urn, library};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::hash::{Hasher as _, Sha1, Sha1Hash, Tth};
use p2p_core::http::{Plus, Url, percent_decode};
use p2p_core::{Chunk, ConnId, FileId, IoError};

/// A file that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Its digest, by which it is known and verified. Of a file whose digest nobody told ([`numbered`](Self::numbered)) it
    /// stands for the file and is that of nothing.
    pub sha1: Sha1Hash,
    /// What its holder calls it, if it is asked for by number and name, for nobody told its digest.
    pub numbered: Option<Bytes>,
    /// The root of its tiger tree, if whoever asks is sure of it; else sources are asked.
    pub tth: Option<Tth>,
    /// Its size in bytes, if it is known.
    pub size: Option<u64>,
    /// What to call it: the last part of any name, made safe.
    pub name: String,
    /// Who may have it.
    pub sources: Vec<Locator>,
}

impl Wanted {
    /// A file with this digest, of which nothing else is known.
    #[must_use]
    pub fn new(sha1: Sha1Hash) -> Self {
        Self { sha1, numbered: None, tth: None, size: None, name: String::new(), sources: Vec::new() }
    }

    /// A file whose digest nobody told, as of servents of 0.4: it is asked for by the number and name of its holder's hit
    /// (`/get/NUMBER/NAME`), of this holder and of nobody else, and verified by its size alone, or by what the holder says of
    /// its content when it is asked. `source` has a number.
    #[must_use]
    pub fn numbered(source: Locator, name: Bytes, size: Option<u64>) -> Self {
        let mut digester = Sha1::default();
        // What it is kept by if it is fetched in parts: the same holder's same file.
        if let Some(addr) = source.addr {
            digester.update(addr.to_string().as_bytes());
        }
        digester.update(&source.servent.unwrap_or(Guid::ZERO).0);
        digester.update(&source.number.unwrap_or_default().to_le_bytes());
        digester.update(&name);
        let mut wanted = Self::new(digester.finish());
        (wanted.size, wanted.name) = (size, String::from_utf8_lossy(&name).into_owned());
        wanted.numbered = Some(name);
        wanted.sources.push(source);
        wanted
    }

    /// What a magnet link names; `None` if it has no SHA-1, and no source that is asked by number and name.
    #[must_use]
    pub fn of_magnet(magnet: &Magnet) -> Option<Self> {
        let Some(sha1) = magnet.sha1() else {
            let (source, name) = magnet.sources.iter().find_map(|source| numbered(source))?;
            return Some(Self::numbered(source, name, magnet.size));
        };
        let mut wanted = Self::new(sha1);
        (wanted.tth, wanted.size) = (magnet.tth(), magnet.size);
        wanted.name = magnet.name.clone().unwrap_or_default();
        wanted.sources = magnet.sources.iter().filter_map(|source| locator(source)).collect();
        Some(wanted)
    }

    /// The files of a hit that have a SHA-1, each with whoever sent the hit as its source. What the hit says of a tree is
    /// left out: a stranger wrote it.
    #[must_use]
    pub fn of_hit(hit: &QueryHit) -> Vec<Self> {
        let push = hit.needs_push() == Some(true);
        let proxies = hit.trailer().and_then(|trailer| {
            let data = trailer.extensions().data(crate::ggep::fields::name::PUSH)?;
            Some(
                crate::wire::Hosts(&data)
                    .iter()
                    .map(SocketAddr::V4)
                    .take(super::source::PROXIES_MAX)
                    .collect(),
            )
        });
        let proxies: Vec<SocketAddr> = proxies.unwrap_or_default();
        let v6 = hit.trailer().and_then(|trailer| trailer.extensions().ipv6());
        let at6 = v6.map(|v6| SocketAddr::from((v6, hit.addr.port())));
        let of = hit.records.iter().filter_map(|record| {
            let mut wanted = Self::new(record.sha1()?);
            wanted.size = Some(record.size());
            wanted.name = String::from_utf8_lossy(record.name).into_owned();
            wanted.sources.push(Locator {
                addr: (!push).then_some(SocketAddr::V4(hit.addr)),
                other: at6.filter(|_| !push),
                servent: Some(hit.servent),
                number: Some(record.index),
                proxies: proxies.clone(),
            });
            Some(wanted)
        });
        of.collect()
    }
}

/// The source that a link names, which ends in `/get/NUMBER/NAME`, and the name.
fn numbered(source: &str) -> Option<(Locator, Bytes)> {
    let (scheme, rest) = source.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    let (number, name) = path.strip_prefix("get/")?.split_once('/')?;
    let name = percent_decode(name.trim_end_matches('/'), Plus::Literal).filter(|name| !name.is_empty())?;
    let base = source.get(..scheme.len() + 3 + rest.len() - path.len())?;
    Some((Locator { number: Some(number.parse().ok()?), ..locator(base)? }, name.into()))
}

/// The source that a link names: an HTTP URL of a servent, or `push://GUID:PROXY:PORT/…` as gtk-gnutella has it.
fn locator(source: &str) -> Option<Locator> {
    if let Some(rest) = source.strip_prefix("push://") {
        let (guid, proxy) = rest.split_once('/').map_or(rest, |(host, _)| host).split_once(':')?;
        let proxies = Vec::from([super::http::address(proxy)?]);
        return Some(Locator::pushed(guid.parse().ok()?, proxies));
    }
    let url = Url::parse(source).ok()?;
    let ip = url.host.parse().ok()?;
    Some(Locator::at(SocketAddr::new(ip, url.port)))
}

/// What can be asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Fetch a file; answered with [`Event::Progress`], and at the end [`Event::Saved`].
    Download(Wanted),
    /// The same, answered also with the content: verified [`Event::Chunk`]s in order, read back from the disk no faster than
    /// they are taken. They begin to come when the whole is verified, or with the first slices if whoever asks knows the
    /// root of the tree ([`Wanted::tth`]).
    Fetch(Wanted),
    /// More sources of a file that is fetched.
    Sources(Sha1Hash, Vec<Locator>),
    /// Share a file, or the files of a folder and below, from here on: it is watched. Ends when all that is there is
    /// digested, and so can be found and served.
    Share(FileId),
    /// Share it no more.
    Unshare(FileId),
    /// Look through the watched folders now.
    Rescan,
    /// What another servent shares: answered with [`Event::Listed`].
    Browse(SocketAddr),
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that are here and verified, as far as they can be.
    pub have: u64,
    /// Bytes of the file, if that is known.
    pub size: Option<u64>,
    /// Sources that are not given up.
    pub sources: usize,
    /// Of them those that give.
    pub giving: usize,
    /// Of them those in whose queues we wait.
    pub queued: usize,
    /// Whether each part is verified as it comes.
    pub has_tree: bool,
}

/// What is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The library has news.
    Library(library::News),
    /// How far a file is.
    Progress(Progress),
    /// A source of a file was given up.
    SourceLost {
        /// The file, as it was asked for.
        sha1: Sha1Hash,
        /// Who.
        source: Locator,
        /// Why.
        why: SourceError,
    },
    /// A part of the content, of [`Command::Fetch`].
    Chunk(Chunk),
    /// A file is here, verified and in its place.
    Saved {
        /// Where.
        file: FileId,
        /// Its size in bytes.
        size: u64,
    },
    /// Files of another servent.
    Listed(QueryHit),
    /// Somebody is served a file, or a part of it.
    Uploading {
        /// Who.
        peer: SocketAddr,
        /// Which file.
        sha1: Sha1Hash,
        /// Bytes of the part.
        len: u64,
    },
    /// It ended.
    Uploaded {
        /// Who.
        peer: SocketAddr,
        /// Which file.
        sha1: Sha1Hash,
        /// Bytes that were sent.
        sent: u64,
    },
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is fetched already.
    #[error("this file is being fetched")]
    Underway,
    /// More files at once than may be.
    #[error("too many files are being fetched")]
    TooMany,
    /// No such file is fetched.
    #[error("this file is not being fetched")]
    Unknown,
    /// This file or folder is not shared.
    #[error("not shared")]
    NotShared,
    /// The file cannot be read or written.
    #[error("{doing} {path}: {why}")]
    Disk {
        /// What was to be done.
        doing: &'static str,
        /// With which file.
        path: String,
        /// Why it failed.
        why: IoError,
    },
    /// Who has the file does not give it, and nobody else can be asked: its digest is not known.
    #[error("who has this file does not give it")]
    NotGiven,
    /// Whatever sources gave, the whole is another file.
    #[error("what sources give is not the file that was asked for")]
    Wrong,
    /// Another servent does not say what it shares.
    #[error("cannot be listed: {0}")]
    Browse(SourceError),
    /// The application does not want it any more.
    #[error("cancelled")]
    Cancelled,
    /// The program stops.
    #[error("stopping")]
    Stopping,
}

/// Why a source is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It cannot be reached, or breaks off.
    #[error("connection: {0}")]
    Connection(IoError),
    /// It does not connect though it was told to.
    #[error("it does not connect")]
    Push,
    /// It was silent for too long.
    #[error("it went silent")]
    Silent,
    /// It answers with this status.
    #[error("it answers {0}")]
    Status(u16),
    /// What it says is no answer.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// It has a file of another size.
    #[error("its file has {0} bytes")]
    Size(u64),
    /// It gives another range than it was asked for.
    #[error("it gives another range")]
    Range,
    /// What it gave is not of this file.
    #[error("what it gave is not of this file")]
    Lied,
    /// Its tree is not that of this file.
    #[error("its tree is not that of this file")]
    Tree,
}

/// What transfers want of the overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// Send a push along the way that this servent's hits came.
    Push {
        /// Who is to connect.
        servent: Guid,
        /// The number of its file.
        number: u32,
    },
    /// Search for other holders of a file.
    Search(Urn),
    /// Ask by a datagram what there is of a file, which whoever is asked may answer
    /// ([`head_told`](super::Transfers::head_told)).
    Head {
        /// Which file.
        sha1: Sha1Hash,
        /// Whom: the source, or who can hand the question on to it.
        to: SocketAddr,
        /// The name of the source that it is to be handed on to.
        leaf: Option<Guid>,
    },
    /// Somebody asks over HTTP that this servent, perhaps a leaf of ours, is told to connect. To be answered with
    /// [`proxied`](super::Transfers::proxied).
    Forward {
        /// The stream that waits for the answer.
        conn: ConnId,
        /// Who is meant.
        servent: Guid,
        /// The number of its file.
        number: u32,
        /// Where it is to connect.
        to: SocketAddr,
    },
    /// A servent that is there and gives good files.
    Good(SocketAddr),
    /// A servent that is not there, or lies.
    Bad(SocketAddr),
}
