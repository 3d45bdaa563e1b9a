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

/// Whether a torrent would lie in the folder of resume data, on some system at least.
pub(crate) fn is_own_folder(info: &Info) -> bool {
    // All files of a torrent are below its name, the safe one or its own.
    let paths = info.files().first().map(|file| &file.path).into_iter().chain(info.own_path(0));
    paths
        .filter_map(|path| path.parts().next())
        .any(|name| name.trim_end_matches(['.', ' ']).eq_ignore_ascii_case(FOLDER))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{Builder, Details, Limits, Metainfo};
    use alloc::string::String;
    use alloc::vec;
    use p2p_core::hash::Sha1Hash;
    use proptest::prelude::*;

    /// 20 pieces of 4 blocks, the last one short, in three files.
    fn info() -> Info {
        let files = ["a", "b", "c"].iter().zip([700_000, 0, 550_000]);
        let files = files.map(|(name, len)| (vec![String::from(*name)], len)).collect();
        let mut builder = Builder::folder("resumed", files, Some(64 * 1024)).unwrap();
        for piece in 0..builder.pieces().count() {
            builder.set(piece, Sha1Hash([1; 20])).unwrap();
        }
        let file = builder.finish(&Details::default()).unwrap();
        let info = Metainfo::parse(&file, &Limits::default()).unwrap().info;
        Info::clone(&info)
    }

    fn any_resume() -> impl Strategy<Value = Resume> {
        let count = info().pieces().count();
        let stat = (0u64..1 << 60, 0u64..1 << 60)
            .prop_map(|(len, at)| Stat { len, modified: UnixTime::from_nanos(at) });
        let partial = proptest::collection::btree_map(0..count, any::<u8>(), 0..count as usize);
        (
            proptest::collection::vec(any::<bool>(), count as usize),
            partial,
            proptest::collection::vec(proptest::option::of(stat), 3),
            (0u64..1 << 60, 0u64..1 << 60),
        )
            .prop_map(move |(have, partial, files, (downloaded, uploaded))| {
                let mut bits = Bitfield::new(count);
                have.iter().zip(0..).filter(|(had, _)| **had).for_each(|(_, piece)| {
                    bits.set(piece);
                });
                let blocks = |(piece, mask): (u32, u8)| {
                    let mut blocks = Bitfield::new(info().pieces().blocks_in(piece));
                    (0..blocks.len()).filter(|block| mask >> block & 1 == 1).for_each(|block| {
                        blocks.set(block);
                    });
                    (piece, blocks)
                };
                let partial = partial.into_iter().map(blocks).collect();
                Resume { have: bits, partial, files, downloaded, uploaded }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(resume in any_resume()) {
            let info = info();
            let data = resume.encode(&info);
            prop_assert!(data.len() as u64 <= limit(&info));
            prop_assert_eq!(Resume::decode(&data, &info), Some(resume));
        }

        #[test]
        fn whatever_is_cut_off_or_damaged_is_none_or_sound(resume in any_resume(), at: usize, bit in 0u8..8) {
            let info = info();
            let data = resume.encode(&info);
            let at = at % data.len();
            prop_assert_eq!(Resume::decode(&data[..at], &info), None);
            let mut data = data.to_vec();
            data[at] ^= 1 << bit;
            if let Some(read) = Resume::decode(&data, &info) {
                prop_assert_eq!((read.have.len(), read.files.len()), (20, 3));
                for (&piece, blocks) in &read.partial {
                    prop_assert!(piece < 20 && blocks.len() == info.pieces().blocks_in(piece));
                }
            }
        }

        #[test]
        fn any_bytes_are_none(data in any::<Vec<u8>>()) {
            prop_assert_eq!(Resume::decode(&data, &info()), None);
        }
    }

    #[test]
    fn every_beginning_is_none() {
        let info = info();
        let mut have = Bitfield::new(info.pieces().count());
        have.set(3);
        let resume = Resume {
            have,
            partial: BTreeMap::from([(1, Bitfield::new(4))]),
            files: vec![None, None, Some(Stat { len: 5, modified: UnixTime::from_nanos(6) })],
            downloaded: 7,
            uploaded: 8,
        };
        let data = resume.encode(&info);
        for len in 0..data.len() {
            assert_eq!(Resume::decode(&data[..len], &info), None);
        }
        assert_eq!(Resume::decode(&data, &info), Some(resume));
    }

    #[test]
    fn partial_pieces_of_the_largest_size_fit() {
        // Every piece of 16 MiB pieces partial: more bits than pieces.
        let files = vec![(vec![String::from("a")], 200 << 24)];
        let mut builder = Builder::folder("large", files, Some(16 << 20)).unwrap();
        (0..200).for_each(|piece| builder.set(piece, Sha1Hash([1; 20])).unwrap());
        let file = builder.finish(&Details::default()).unwrap();
        let info = Metainfo::parse(&file, &Limits::default()).unwrap().info;
        let partial = (0..200).map(|piece| (piece, Bitfield::full(1024))).collect();
        let resume =
            Resume { have: Bitfield::new(200), partial, files: vec![None], downloaded: 0, uploaded: 0 };
        let data = resume.encode(&info);
        assert!(data.len() as u64 <= limit(&info), "{} > {}", data.len(), limit(&info));
        assert_eq!(Resume::decode(&data, &info), Some(resume));
    }
}
