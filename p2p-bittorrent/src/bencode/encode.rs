//! [`Encoder`]: writes bencode straight into a buffer.

use bytes::{BufMut, BytesMut};
use core::ops::Range;

/// Writes one value at the end of a buffer.
///
/// ```
/// use bytes::BytesMut;
/// use p2p_bittorrent::bencode::Encoder;
///
/// let mut out = BytesMut::new();
/// Encoder::new(&mut out).dict(|reply| {
///     reply.int("interval", 1800);
///     reply.list("peers", |peers| peers.bytes("spam"));
/// });
/// assert_eq!(&out[..], b"d8:intervali1800e5:peersl4:spamee");
/// ```
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut BytesMut,
}

impl<'a> Encoder<'a> {
    /// Writes to the end of `out`.
    pub const fn new(out: &'a mut BytesMut) -> Self {
        Self { out }
    }

    /// Writes an integer.
    pub fn int(self, value: i64) {
        self.out.put_u8(b'i');
        if value < 0 {
            self.out.put_u8(b'-');
        }
        decimal(self.out, value.unsigned_abs());
        self.out.put_u8(b'e');
    }

    /// Writes a string.
    pub fn bytes(self, value: impl AsRef<[u8]>) {
        string(self.out, value.as_ref());
    }

    /// Writes what is bencode already.
    pub fn raw(self, bencode: impl AsRef<[u8]>) {
        self.out.put_slice(bencode.as_ref());
    }

    /// Writes a list of what `fill` puts into it.
    pub fn list(self, fill: impl FnOnce(&mut List<'_>)) {
        self.out.put_u8(b'l');
        fill(&mut List { out: self.out });
        self.out.put_u8(b'e');
    }

    /// Writes a dictionary of what `fill` puts into it.
    pub fn dict(self, fill: impl FnOnce(&mut Dict<'_>)) {
        self.out.put_u8(b'd');
        fill(&mut Dict { out: self.out, before: None });
        self.out.put_u8(b'e');
    }
}

/// A list being written.
#[derive(Debug)]
pub struct List<'a> {
    out: &'a mut BytesMut,
}

impl List<'_> {
    /// Writes the next value.
    pub const fn item(&mut self) -> Encoder<'_> {
        Encoder::new(self.out)
    }

    /// Writes an integer.
    pub fn int(&mut self, value: i64) {
        self.item().int(value);
    }

    /// Writes a string.
    pub fn bytes(&mut self, value: impl AsRef<[u8]>) {
        self.item().bytes(value);
    }

    /// Writes a list.
    pub fn list(&mut self, fill: impl FnOnce(&mut List<'_>)) {
        self.item().list(fill);
    }

    /// Writes a dictionary.
    pub fn dict(&mut self, fill: impl FnOnce(&mut Dict<'_>)) {
        self.item().dict(fill);
    }
}

/// A dictionary being written. Its keys must come sorted by their bytes and be unique; a debug build panics if they
/// do not, for it is the program that orders them, never a stranger.
#[derive(Debug)]
pub struct Dict<'a> {
    out: &'a mut BytesMut,
    before: Option<Range<usize>>,
}

impl Dict<'_> {
    /// Writes a key; its value must follow.
    pub fn key(&mut self, key: impl AsRef<[u8]>) -> Encoder<'_> {
        let key = key.as_ref();
        if let Some(before) = self.before.take() {
            debug_assert!(
                self.out.get(before).is_some_and(|before| before < key),
                "keys must be sorted and unique"
            );
        }
        string(self.out, key);
        self.before = Some(self.out.len() - key.len()..self.out.len());
        Encoder::new(self.out)
    }

    /// Writes an integer.
    pub fn int(&mut self, key: impl AsRef<[u8]>, value: i64) {
        self.key(key).int(value);
    }

    /// Writes a string.
    pub fn bytes(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.key(key).bytes(value);
    }

    /// Writes a list.
    pub fn list(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut List<'_>)) {
        self.key(key).list(fill);
    }

    /// Writes a dictionary.
    pub fn dict(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut Dict<'_>)) {
        self.key(key).dict(fill);
    }
}

fn string(out: &mut BytesMut, value: &[u8]) {
    decimal(out, value.len() as u64);
    out.put_u8(b':');
    out.put_slice(value);
}

fn decimal(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        from -= 1;
        if number == 0 {
            break;
        }
    }
    out.put_slice(digits.get(from..).unwrap_or_default());
}
