//! What a search asks for: [`Filter`].

use super::file::{FileRef, Kinds};
use super::words::words;
use core::ops::RangeInclusive;

/// What a file must be like to be found.
///
/// Texts are taken apart into words as names are: runs of ASCII letters and digits and of bytes from 128 up, without
/// regard to ASCII case. All words of `contains` must be words of the whole name, none of `excludes` may be. A filter
/// without a word to contain finds nothing, so that nobody asks for everything.
///
/// ```
/// use p2p_napster::index::Filter;
///
/// let loud = Filter { bitrate: 192..=u16::MAX, ..Filter::words(&[b"blue train"]) };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Texts whose words all have to be there.
    pub contains: &'a [&'a [u8]],
    /// Texts of which no word may be there.
    pub excludes: &'a [&'a [u8]],
    /// Kilobits per second.
    pub bitrate: RangeInclusive<u16>,
    /// Samples per second.
    pub freq: RangeInclusive<u32>,
    /// Bytes.
    pub size: RangeInclusive<u64>,
    /// Playing time.
    pub seconds: RangeInclusive<u32>,
    /// Sorts of file.
    pub kinds: Kinds,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Self {
            contains: &[],
            excludes: &[],
            bitrate: 0..=u16::MAX,
            freq: 0..=u32::MAX,
            size: 0..=u64::MAX,
            seconds: 0..=u32::MAX,
            kinds: Kinds::ALL,
        }
    }
}

impl<'a> Filter<'a> {
    /// All files whose names have all words of all these texts.
    #[must_use]
    pub fn words(contains: &'a [&'a [u8]]) -> Self {
        Self { contains, ..Self::default() }
    }

    /// Whether the file is what is asked for, found out from its name: what [`Index::search`](super::Index::search)
    /// finds is what this says of each file.
    #[must_use]
    pub fn matches(&self, file: &FileRef<'_>) -> bool {
        let has = |word: &[u8]| {
            words(file.folder).chain(words(file.base)).any(|other| other.eq_ignore_ascii_case(word))
        };
        let mut wanted = self.contains.iter().flat_map(|text| words(text)).peekable();
        wanted.peek().is_some()
            && wanted.all(has)
            && !self.excludes.iter().flat_map(|text| words(text)).any(has)
            && self.allows(file)
    }

    /// Whether its attributes are as asked for.
    pub(super) fn allows(&self, file: &FileRef<'_>) -> bool {
        self.bitrate.contains(&file.bitrate)
            && self.freq.contains(&file.freq)
            && self.size.contains(&file.size)
            && self.seconds.contains(&file.seconds)
            && self.kinds.contains(file.kind)
    }
}
