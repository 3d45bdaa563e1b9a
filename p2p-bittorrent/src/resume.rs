//! Resume data: what a client wrote down of a torrent, believed only as far as the files agree.

use crate::bencode;
use crate::info_hash::InfoHash;
use crate::metainfo::Info;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use p2p_core::chunk::BLOCK;
use p2p_core::{Bitfield, RelPath, Stat, UnixTime};

/// The folder below the state root that resume data lives in.
pub(crate) const FOLDER: &str = ".p2p-resume";
/// The version of the format; another one is not read.
const VERSION: i64 = 1;

/// What was written down of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    /// Verified pieces.
    pub(crate) have: Bitfield,
    /// Blocks on disk of pieces that are not verified.
    pub(crate) partial: BTreeMap<u32, Bitfield>,
    /// Size and time of change of each file when this was written; `None` where there was no file.
    pub(crate) files: Vec<Option<Stat>>,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
}

/// The file that a torrent's resume data is in.
pub(crate) fn path(info_hash: InfoHash) -> Option<RelPath> {
    let name = alloc::format!("{info_hash}.resume");
    RelPath::from_parts([FOLDER, name.as_str()]).ok()
}

/// The most bytes that resume data of a torrent has.
pub(crate) fn limit(info: &Info) -> u64 {
    // Bitfield, 64 bytes a file, and all pieces as partial ones with a bit a block; past that it is not ours.
    let blocks = info.total().div_ceil(u64::from(BLOCK)) + u64::from(info.pieces().count()) * 8;
    4096 + blocks / 8 + u64::from(info.pieces().count()) * 32 + info.files().len() as u64 * 64
}

impl Resume {
    /// As bytes to be kept.
    pub(crate) fn encode(&self, info: &Info) -> Bytes {
        let mut out = BytesMut::new();
        bencode::Encoder::new(&mut out).dict(|dict| {
            dict.int("downloaded", int(self.downloaded));
            dict.list("files", |files| {
                for stat in &self.files {
                    files.list(|file| {
                        // An empty list says that there was no file.
                        if let Some(stat) = stat {
                            file.int(int(stat.len));
                            file.int(int(stat.modified.as_nanos()));
                        }
                    });
                }
            });
            dict.bytes("have", self.have.as_bytes());
            dict.bytes("info-hash", info.info_hash().0);
            dict.list("partial", |partial| {
                for (piece, blocks) in &self.partial {
                    partial.list(|entry| {
                        entry.int(i64::from(*piece));
                        entry.bytes(blocks.as_bytes());
                    });
                }
            });
            dict.int("uploaded", int(self.uploaded));
            dict.int("version", VERSION);
        });
        out.freeze()
    }

    /// What was kept, if it is whole, of this version and of this torrent.
    pub(crate) fn decode(data: &[u8], info: &Info) -> Option<Self> {
        let limits = bencode::Limits { tokens: 8_000_000, ..bencode::Limits::default() };
        let doc = bencode::Doc::parse(data, &limits, bencode::Mode::Strict).ok()?;
        let root = doc.root();
        if root.get("version")?.as_int()? != VERSION
            || root.get("info-hash")?.as_bytes()? != info.info_hash().0
        {
            return None;
        }
        let have = Bitfield::from_wire(info.pieces().count(), root.get("have")?.as_bytes()?).ok()?;
        let mut partial = BTreeMap::new();
        for entry in root.get("partial")?.as_list()? {
            let mut entry = entry.as_list()?;
            let piece =
                u32::try_from(entry.next()?.as_int()?).ok().filter(|&piece| piece < info.pieces().count())?;
            let blocks =
                Bitfield::from_wire(info.pieces().blocks_in(piece), entry.next()?.as_bytes()?).ok()?;
            partial.insert(piece, blocks);
        }
        let mut files = Vec::with_capacity(info.files().len());
        for entry in root.get("files")?.as_list()? {
            let mut entry = entry.as_list()?;
            files.push(match entry.next() {
                None => None,
                Some(len) => {
                    Some(Stat { len: len.as_u64()?, modified: UnixTime::from_nanos(entry.next()?.as_u64()?) })
                }
            });
        }
        (files.len() == info.files().len()).then_some(())?;
        let count = |key: &str| root.get(key).and_then(|value| value.as_u64());
        Some(Self { have, partial, files, downloaded: count("downloaded")?, uploaded: count("uploaded")? })
    }
}

/// Bencode's integers are signed; a size or a count past 2^63 is past all disks.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
