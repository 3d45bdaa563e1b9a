//! One file as the catalogue keeps it: [`Entry`], and what is looked for among them: [`Sought`].

use super::ahead::fetch;
use super::arena::NOWHERE;
use super::file::{FileRef, Fingerprint, Kind};
use super::key::HashKey;

/// In the text of an entry: folder (4 bytes), length of the base (2), base; then length (1) and text of a fingerprint
/// that is no md5.
pub(super) const HEAD: usize = 6;
/// The most that a text takes besides its name.
pub(super) const OVERHEAD: usize = HEAD + 33;

/// Two are the same entry if name, md5, size and attributes are. 48 bytes, and about as much text.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) text: u32,
    /// Of one holder its id; of more of them the number of their list; of a free entry the next free one.
    pub(super) holders: u32,
    size: u32,
    seconds: u32,
    freq: u32,
    bitrate: u16,
    /// Bits 32 to 39 of the size.
    size_high: u8,
    /// The kind in bits 0 to 2, the form of the fingerprint in bits 3 and 4, whether it waits in bit 5, who holds it in
    /// bits 6 and 7.
    marks: u8,
    /// The entries of the same md5 and size before and after this one.
    pub(super) twins: [u32; 2],
    /// If the form is [`MD5`].
    md5: [u8; 16],
}

const KIND: u8 = 0b111;
const UNKNOWN: u8 = 0 << 3;
const MD5: u8 = 1 << 3;
const TEXT: u8 = 2 << 3;
const FORM: u8 = 3 << 3;
/// It is in the queue of those that nobody holds (and somebody may hold it again).
const WAITING: u8 = 1 << 5;
const HELD: u8 = 3 << 6;

/// By how many users an entry is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Held {
    Nobody = 0 << 6,
    One = 1 << 6,
    Many = 2 << 6,
}

impl Entry {
    /// Of what has its text there, and is held by nobody.
    pub(super) fn new(sought: &Sought<'_>, text: u32) -> Self {
        let file = &sought.file;
        Self {
            text,
            holders: NOWHERE,
            size: file.size as u32,
            seconds: file.seconds,
            freq: file.freq,
            bitrate: file.bitrate,
            size_high: (file.size >> 32) as u8,
            marks: file.kind as u8 | sought.packed.form,
            twins: [NOWHERE; 2],
            md5: sought.packed.md5,
        }
    }

    /// Reads ahead both ends of it: half of all lie in two lines of the processor's memory.
    pub(super) fn fetch(&self) {
        fetch((self.text, self.md5[15]));
    }

    pub(super) fn size(&self) -> u64 {
        u64::from(self.size_high) << 32 | u64::from(self.size)
    }

    /// Its md5, if it has one that says something.
    pub(super) fn md5(&self) -> Option<&[u8; 16]> {
        (self.marks & FORM == MD5).then_some(&self.md5)
    }

    pub(super) const fn held(&self) -> Held {
        match self.marks & HELD {
            0 => Held::Nobody,
            0x40 => Held::One,
            _ => Held::Many,
        }
    }

    pub(super) const fn set_held(&mut self, held: Held) {
        self.marks = self.marks & !HELD | held as u8;
    }

    /// Marks it as one that waits to be taken out, or takes that mark off; whether it was marked.
    pub(super) const fn set_waiting(&mut self, waits: bool) -> bool {
        let was = self.marks & WAITING != 0;
        self.marks = self.marks & !WAITING | if waits { WAITING } else { 0 };
        was
    }

    /// Whether it is what is looked for, but for its text.
    pub(super) fn is_like(&self, sought: &Sought<'_>) -> bool {
        let file = &sought.file;
        self.md5 == sought.packed.md5
            && self.size() == file.size
            && (self.seconds, self.freq, self.bitrate) == (file.seconds, file.freq, file.bitrate)
            && self.marks & (KIND | FORM) == file.kind as u8 | sought.packed.form
    }

    /// The file without its texts: its attributes, quickly.
    pub(super) fn attributes(&self) -> FileRef<'static> {
        let Self { seconds, freq, bitrate, marks, .. } = *self;
        FileRef {
            folder: &[],
            base: &[],
            fingerprint: Fingerprint::UNKNOWN,
            size: self.size(),
            bitrate,
            freq,
            seconds,
            kind: Kind::ALL.get(usize::from(marks & KIND)).copied().unwrap_or_default(),
        }
    }

    /// Its fingerprint; `rest` is what follows the base in its text.
    pub(super) fn fingerprint(&self, rest: &[u8]) -> Fingerprint {
        match self.marks & FORM {
            MD5 => Fingerprint::from_md5(self.md5),
            TEXT => Fingerprint::new(&rest[1..=usize::from(rest[0])]),
            _ => Fingerprint::UNKNOWN,
        }
    }
}

/// The folder's number and the length of the base, from an entry's text.
pub(super) fn named(text: &[u8]) -> (u32, usize) {
    let folder = text.first_chunk().map_or(NOWHERE, |bytes| u32::from_le_bytes(*bytes));
    (folder, usize::from(u16::from_le_bytes([text[4], text[5]])))
}

/// A fingerprint as an entry has it: an md5, or length and text of another.
#[derive(Clone, Copy)]
struct Packed {
    form: u8,
    md5: [u8; 16],
    text: [u8; 33],
    len: usize,
}

impl Packed {
    fn new(fingerprint: &Fingerprint) -> Self {
        let (form, md5) = match fingerprint.md5() {
            Some(md5) if md5 == [0; 16] => (UNKNOWN, md5),
            Some(md5) => (MD5, md5),
            None => (TEXT, [0; 16]),
        };
        let mut packed = Self { form, md5, text: [0; 33], len: 0 };
        if form == TEXT {
            let text = fingerprint.as_bytes();
            packed.text[0] = text.len() as u8;
            packed.text[1..=text.len()].copy_from_slice(text);
            packed.len = 1 + text.len();
        }
        packed
    }
}

/// What is looked for, with its hashes.
pub(super) struct Sought<'a> {
    pub(super) file: FileRef<'a>,
    packed: Packed,
    /// Of the whole name alone.
    pub(super) tag: u32,
    /// Of everything.
    pub(super) hash: u32,
    /// Of md5 and size, if the md5 says something.
    pub(super) twins: Option<u32>,
}

impl<'a> Sought<'a> {
    pub(super) fn new(key: HashKey, file: FileRef<'a>) -> Self {
        let packed = Packed::new(&file.fingerprint);
        let mut rest = [0; 19 + 16 + 33];
        rest[..8].copy_from_slice(&file.size.to_le_bytes());
        rest[8..12].copy_from_slice(&file.seconds.to_le_bytes());
        rest[12..16].copy_from_slice(&file.freq.to_le_bytes());
        rest[16..18].copy_from_slice(&file.bitrate.to_le_bytes());
        rest[18] = file.kind as u8;
        rest[19..35].copy_from_slice(&packed.md5);
        rest[35..].copy_from_slice(&packed.text);
        let (tag, hash) = key.hash_twice([file.folder, file.base], &rest[..35 + packed.len]);
        let twins = (packed.form == MD5).then(|| key.hash_digest(&packed.md5, file.size));
        Self { file, packed, tag, hash, twins }
    }

    /// What is written behind the base in the text of its entry.
    pub(super) fn packed(&self) -> &[u8] {
        &self.packed.text[..self.packed.len]
    }
}
