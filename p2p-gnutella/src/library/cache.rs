//! [`Cache`]: the digests of files, by path, size and time of change, so that no file is read again without need.
//!
//! It is a file of lines, put in place as a whole, so that a crash leaves the old one or the new one. Each line ends with a
//! check of its own all the same: of a file that was cut or spoiled, what is whole is used.
//!
//! | word | what |
//! | --- | --- |
//! | 1, 2 | size in bytes, time of change in nanoseconds since 1970 |
//! | 3, 4 | SHA-1, root of the tiger tree, in base32 |
//! | 5, 6 | root folder's number, path with `%XX` |
//! | 7 | FNV-1a (64 bits) of all that is before it, in hexadecimal |

use crate::huge::{base32, tth_text};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use data_encoding::BASE32_NOPAD;
use p2p_core::hash::{Sha1Hash, Tth};
use p2p_core::http::{Plus, percent_decode, percent_encode};
use p2p_core::{FileId, RelPath, Root, Stat, UnixTime};

/// The longest file that is read: 100,000 lines of 2.5 kB.
pub(super) const FILE_MAX: u64 = 256 << 20;
const FIRST_LINE: &str = "gnutella library 1";

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) stat: Stat,
    pub(super) sha1: Sha1Hash,
    pub(super) tth: Tth,
}

/// What is known of files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cache(pub(super) BTreeMap<FileId, Known>);

/// FNV-1a: finds accidents, not attacks; whoever can write here can write the files too.
pub(crate) fn check(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Cache {
    /// The digests of a file, if it is as it was.
    pub(super) fn of(&self, file: &FileId, stat: &Stat) -> Option<&Known> {
        self.0.get(file).filter(|known| known.stat == *stat)
    }

    pub(super) fn to_text(&self) -> Vec<u8> {
        let mut text = String::from(FIRST_LINE);
        text.push('\n');
        for (file, known) in &self.0 {
            let start = text.len();
            let (sha1, tth) = (BASE32_NOPAD.encode(&known.sha1.0), tth_text(&known.tth));
            let (size, time) = (known.stat.len, known.stat.modified.as_nanos());
            // Writing to a string does not fail.
            let _ = write!(text, "{size} {time} {sha1} {tth} {} ", file.root().0);
            percent_encode(file.path().as_str().as_bytes(), &mut text);
            let sum = check(&text.as_bytes()[start..]);
            let _ = writeln!(text, " {sum:016x}");
        }
        text.into_bytes()
    }

    /// Reads as much as is whole.
    pub(super) fn from_text(text: &[u8]) -> Self {
        let mut lines = text.split(|byte| *byte == b'\n');
        if lines.next() != Some(FIRST_LINE.as_bytes()) {
            return Self::default();
        }
        Self(lines.filter_map(|line| str::from_utf8(line).ok().and_then(line_of)).collect())
    }
}

fn line_of(line: &str) -> Option<(FileId, Known)> {
    let (said, sum) = line.rsplit_once(' ')?;
    (sum.len() == 16 && u64::from_str_radix(sum, 16) == Ok(check(said.as_bytes()))).then_some(())?;
    let mut words = said.split(' ');
    let mut next = || words.next();
    let stat = Stat { len: next()?.parse().ok()?, modified: UnixTime::from_nanos(next()?.parse().ok()?) };
    let (sha1, tth) = (Sha1Hash(base32(next()?.as_bytes())?), Tth(base32(next()?.as_bytes())?));
    let root = Root(next()?.parse().ok()?);
    let path = String::from_utf8(percent_decode(next()?, Plus::Literal)?).ok()?;
    let path = RelPath::local(path.split('/')).ok()?;
    Some((FileId::new(root, path), Known { stat, sha1, tth }))
}

/// The file `name` in a folder.
pub(super) fn below(folder: &FileId, name: &str) -> Option<FileId> {
    let path = folder.path().join(&RelPath::from_parts(name.split('/')).ok()?).ok()?;
    Some(FileId::new(folder.root(), path))
}

/// The file with the digests.
pub(super) fn cache_file(state: &FileId) -> Option<FileId> {
    below(state, "library")
}

/// The file with the tree of a content.
pub(super) fn tree_file(state: &FileId, sha1: &Sha1Hash) -> Option<FileId> {
    below(state, &format!("trees/{}", BASE32_NOPAD.encode(&sha1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cache(names: &[String]) -> Cache {
        let files = names.iter().enumerate().filter_map(|(at, name)| {
            let path = RelPath::local(["music", name]).ok()?;
            let (byte, nanos) = (at as u8, 1_700_000_000_123_456_789 + at as u64);
            let stat = Stat { len: at as u64 * 1_000_003, modified: UnixTime::from_nanos(nanos) };
            Some((
                FileId::new(Root(3), path),
                Known { stat, sha1: Sha1Hash([byte; 20]), tth: Tth([!byte; 24]) },
            ))
        });
        Cache(files.collect())
    }

    proptest! {
        #[test]
        fn any_names_come_back(names in prop::collection::vec("\\PC{1,20}|[ %\n\r/]{1,4}", 0..8)) {
            let cache = cache(&names);
            prop_assert_eq!(Cache::from_text(&cache.to_text()), cache);
        }

        #[test]
        fn of_what_is_cut_or_spoiled_only_what_is_whole_is_used(at in 0usize..2_000, byte: u8) {
            let names: Vec<String> = (0..10).map(|at| format!("song {at}.mp3")).collect();
            let cache = cache(&names);
            let text = cache.to_text();
            let at = at % text.len();
            let cut = Cache::from_text(&text[..at]);
            prop_assert!(cut.0.iter().all(|(file, known)| cache.0.get(file) == Some(known)));
            let lines = text[..at].iter().filter(|byte| **byte == b'\n').count();
            prop_assert!(cut.0.len() + 1 >= lines, "{} of {lines} lines", cut.0.len());
            let mut spoiled = text;
            spoiled[at] = byte;
            let spoiled = Cache::from_text(&spoiled);
            prop_assert!(spoiled.0.iter().all(|(file, known)| cache.0.get(file) == Some(known)));
        }

        #[test]
        fn junk_is_nothing(junk in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut text = Vec::from(FIRST_LINE.as_bytes());
            text.push(b'\n');
            text.extend_from_slice(&junk);
            prop_assert!(Cache::from_text(&text).0.is_empty() && Cache::from_text(&junk).0.is_empty());
        }
    }
}
