//! What is shared in the tests: files with awkward sizes and content from a seed, compared by SHA-256.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::clients::Kind;
use sha2::{Digest, Sha256};

/// The piece length of the shared content unless a test says otherwise.
pub(crate) const PIECE: u64 = 32 * 1024;

/// A folder of the content of many files.
const NOT_ASCII: &str = "über größe";

/// Something to share: a file, or a folder with files, below `parent`.
pub(crate) struct Content {
    pub(crate) parent: PathBuf,
    pub(crate) name: &'static str,
    pub(crate) size: u64,
}

impl Content {
    /// One file that ends in the middle of a block.
    pub(crate) fn single(parent: PathBuf, size: u64) -> Self {
        write(&parent.join("single file.bin"), size, 1);
        Self { parent, name: "single file.bin", size }
    }

    /// Fifty files in nested folders: empty ones, one byte, and one byte around the sizes of a block and of a piece.
    pub(crate) fn many(parent: PathBuf) -> Self {
        let sizes = [
            0,
            1,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            16_383,
            16_384,
            16_385,
            2 * PIECE,
            3 * PIECE + 7,
            20 * PIECE - 1,
            777,
        ];
        let folders = ["", "sub/", "sub/deeper/", "sub/deeper/still deeper/", &format!("{NOT_ASCII}/")];
        let mut total = 0;
        for number in 0..50_usize {
            let size = sizes[number % sizes.len()];
            let path =
                parent.join("many").join(format!("{}file {number:02}.bin", folders[number % folders.len()]));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, size, number as u64 + 2);
            total += size;
        }
        Self { parent, name: "many", size: total }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.parent.join(self.name)
    }

    /// Takes the empty files out of it.
    pub(crate) fn remove_empty_files(&self) {
        for (path, _) in digests(&self.path()).iter().filter(|(_, digest)| is_of_nothing(digest)) {
            fs::remove_file(self.path().join(path)).unwrap();
        }
    }

    /// Gives its folder that is not named in ASCII, if it has it, a name that is.
    pub(crate) fn rename_to_ascii(&self) {
        let folder = self.path().join(NOT_ASCII);
        if folder.exists() {
            fs::rename(folder, self.path().join("uber")).unwrap();
        }
    }

    /// Panics unless `folder` holds this content to the last byte.
    pub(crate) fn assert_in(&self, folder: &Path, who: &str) {
        self.compare(&digests(&self.path()), folder, who);
    }

    /// The same for a real client. Transmission never makes empty files, and says that it is complete.
    pub(crate) fn assert_fetched_by(&self, kind: Kind, folder: &Path) {
        let mut expected = digests(&self.path());
        if kind == Kind::Transmission {
            expected.retain(|_, digest| !is_of_nothing(digest));
        }
        self.compare(&expected, folder, &format!("{kind:?}"));
    }

    fn compare(&self, expected: &BTreeMap<String, String>, folder: &Path, who: &str) {
        let found = digests(&folder.join(self.name));
        let missing: Vec<_> = expected.keys().filter(|path| !found.contains_key(*path)).collect();
        assert!(missing.is_empty(), "{who}: missing {missing:?}");
        let different: Vec<_> = expected.iter().filter(|(path, digest)| found[*path] != **digest).collect();
        assert!(different.is_empty(), "{who}: different {different:?}");
        let extra: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
        assert!(extra.is_empty(), "{who}: unexpected {extra:?}");
    }
}

/// Writes `size` bytes that depend on `seed` alone (SplitMix64).
fn write(path: &Path, size: u64, seed: u64) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while (bytes.len() as u64) < size {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(size as usize);
    fs::File::create(path).unwrap().write_all(&bytes).unwrap();
}

/// SHA-256 of every file at or below `path`, by its path relative to it.
fn digests(path: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![path.to_path_buf()];
    while let Some(next) = open.pop() {
        if next.is_dir() {
            open.extend(fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(bytes) = fs::read(&next) {
            let name = next.strip_prefix(path).unwrap().to_string_lossy().into_owned();
            let digest = hex(&Sha256::digest(&bytes));
            found.insert(name, digest);
        }
    }
    found
}

fn is_of_nothing(digest: &str) -> bool {
    digest == hex(&Sha256::digest(b""))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of a file that take up room, so how much of it was written.
pub(crate) fn written(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map_or(0, |metadata| metadata.blocks() * 512)
}
