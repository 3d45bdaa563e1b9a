//! A shared file as it is told to the index ([`FileSpec`]) and as the index tells it ([`FileRef`]).

use alloc::vec::Vec;
use core::fmt;

/// What names a user inside a server: a small number that the server hands out, and may hand out again after
/// [`Index::unshare_all`](super::Index::unshare_all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u32);

/// What sort of file it is: MP3 by types 100 and 870, the others by type 10300.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Kind {
    /// An MP3, shared by type 100 or 870.
    #[default]
    Mp3,
    /// Other audio.
    Audio,
    /// Video.
    Video,
    /// A program or an archive.
    Application,
    /// A picture.
    Image,
    /// A text.
    Text,
}

impl Kind {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Mp3, Self::Audio, Self::Video, Self::Application, Self::Image, Self::Text];
}

/// A set of [`Kind`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// Every kind (`TYPE ANY`).
    pub const ALL: Self = Self(0b11_1111);
    /// No kind.
    pub const NONE: Self = Self(0);

    /// This kind alone.
    #[must_use]
    pub const fn only(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    /// These, and `kind` too.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether `kind` is one of them.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// The md5 field of a shared file as it is kept and sent on: at most 32 graphic bytes in ASCII lower case.
///
/// Clients write 32 hex digits (over a prefix whose length depends on the client), 32 zeros, `NOMD5COMPUTED`, or the
/// digits followed by `-` and the size. What follows the 32nd byte is dropped, as `OpenNap` drops it. A field that could
/// not stand bare in a message (with a space, a quote, a control byte) is cut there; an empty one is 32 zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    text: [u8; 32],
    len: u8,
}

/// A byte as two hex digits.
const HEX: [[u8; 2]; 256] = {
    let (digits, mut pairs, mut byte) = (b"0123456789abcdef", [[0; 2]; 256], 0);
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// What stands in [`UNHEX`] for what is no digit.
const NO_DIGIT: u8 = 16;

/// The value of a hex digit in lower case. A table, for which of them come is as good as drawn: a processor that guesses
/// is wrong half of the time.
const UNHEX: [u8; 256] = {
    let (mut values, mut byte) = ([NO_DIGIT; 256], 0);
    while byte < 16 {
        values[b"0123456789abcdef"[byte] as usize] = byte as u8;
        byte += 1;
    }
    values
};

impl Fingerprint {
    /// 32 zeros: nothing is known.
    pub const UNKNOWN: Self = Self { text: [b'0'; 32], len: 32 };

    /// From the field as a client sent it.
    #[must_use]
    pub fn new(field: &[u8]) -> Self {
        let mut text = [0; 32];
        let mut len = 0;
        for (to, byte) in
            text.iter_mut().zip(field.iter().take_while(|b| b.is_ascii_graphic() && **b != b'"'))
        {
            *to = byte.to_ascii_lowercase();
            len += 1;
        }
        if len == 0 { Self::UNKNOWN } else { Self { text, len } }
    }

    /// The 32 hex digits of a digest.
    #[must_use]
    pub fn from_md5(md5: [u8; 16]) -> Self {
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(md5) {
            pair.copy_from_slice(&HEX[usize::from(byte)]);
        }
        Self { text, len: 32 }
    }

    /// The digest, if it is 32 hex digits.
    #[must_use]
    pub fn md5(&self) -> Option<[u8; 16]> {
        if self.len != 32 {
            return None;
        }
        let (mut md5, mut all) = ([0; 16], 0);
        for (byte, pair) in md5.iter_mut().zip(self.text.chunks_exact(2)) {
            let [high, low] = [UNHEX[usize::from(pair[0])], UNHEX[usize::from(pair[1])]];
            *byte = high << 4 | low;
            all |= high | low;
        }
        (all < NO_DIGIT).then_some(md5)
    }

    /// The text, as it is sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// The text, and how many bytes of that are meant.
    pub(crate) fn padded(&self) -> (&[u8; 32], usize) {
        (&self.text, usize::from(self.len))
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A file that a user shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSpec<'a> {
    /// Its whole name as the client wrote it, folders included, in any charset.
    pub name: &'a [u8],
    /// Its md5 field.
    pub fingerprint: Fingerprint,
    /// Bytes; what passes 2^40 - 1 is taken for that.
    pub size: u64,
    /// Kilobits per second.
    pub bitrate: u16,
    /// Samples per second.
    pub freq: u32,
    /// How long it plays.
    pub seconds: u32,
    /// What it is.
    pub kind: Kind,
}

/// A shared file in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileRef<'a> {
    /// The name up to the last `\` or `/`, which is its end; empty for a bare name.
    pub folder: &'a [u8],
    /// What follows.
    pub base: &'a [u8],
    /// The md5 field.
    pub fingerprint: Fingerprint,
    /// Bytes.
    pub size: u64,
    /// Kilobits per second.
    pub bitrate: u16,
    /// Samples per second.
    pub freq: u32,
    /// How long it plays.
    pub seconds: u32,
    /// What it is.
    pub kind: Kind,
}

impl FileRef<'_> {
    /// The whole name, as it was shared. To write it into a message, write [`folder`](Self::folder) and
    /// [`base`](Self::base) instead.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        [self.folder, self.base].concat()
    }

    /// Whether this is the whole name.
    #[must_use]
    pub fn is_named(&self, name: &[u8]) -> bool {
        name.strip_prefix(self.folder) == Some(self.base)
    }
}

/// The largest size that is told apart.
pub(super) const MOST_BYTES: u64 = (1 << 40) - 1;

/// A name as its folder, which ends in a separator or is empty, and its base.
pub(super) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    let at = name.iter().rposition(|byte| matches!(byte, b'\\' | b'/')).map_or(0, |at| at + 1);
    name.split_at(at)
}

impl<'a> FileSpec<'a> {
    /// What the index will tell of it.
    #[must_use]
    pub fn as_ref(&self) -> FileRef<'a> {
        let (folder, base) = split(self.name);
        let Self { fingerprint, bitrate, freq, seconds, kind, .. } = *self;
        FileRef { folder, base, fingerprint, size: self.size.min(MOST_BYTES), bitrate, freq, seconds, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn fingerprints() {
        let long = Fingerprint::new(b"B92870e0d41bc8e698cf2f0a1ddfeac7-443332");
        assert_eq!(long.to_string(), "b92870e0d41bc8e698cf2f0a1ddfeac7");
        assert_eq!(long.md5().map(Fingerprint::from_md5), Some(long));
        let none = Fingerprint::new(b"NOMD5COMPUTED");
        assert_eq!((none.to_string().as_str(), none.md5()), ("nomd5computed", None));
        assert_eq!(Fingerprint::new(b"").md5(), Some([0; 16]));
        assert_eq!(Fingerprint::new(b"ab \"7").as_bytes(), b"ab");
        assert_eq!(Fingerprint::new(b"g92870e0d41bc8e698cf2f0a1ddfeac7").md5(), None);
    }

    #[test]
    fn names_are_split_behind_the_last_separator() {
        assert_eq!(split(b"C:\\a/b.mp3"), (&b"C:\\a/"[..], &b"b.mp3"[..]));
        assert_eq!(split(b"b.mp3"), (&b""[..], &b"b.mp3"[..]));
        assert_eq!(split(b"C:\\"), (&b"C:\\"[..], &b""[..]));
    }
}
