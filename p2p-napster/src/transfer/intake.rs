//! What the bytes of a holder are: [`Intake`].
//!
//! ```text
//!  "40000" ── size ──┬─ asked from 0, nothing here ───────────────────────── content
//!                    ├─ asked from 0, something here ── skip what is here ── compare its end ── content
//!                    └─ asked before the end of what is here ── overlap
//!                                                                ├─ is the end of what is here ── content
//!                                                                └─ is its beginning: offset ignored ── skip ── ...
//! ```
//!
//! The size has no end of its own: digits, then the file, which may begin with digits. So the size that was advertised
//! says how many of the digits belong to it. Where more digits follow it may have been a larger number, and the holder
//! have another file: then it goes on behind the advertised size, and is found out there. Some holders answer with the
//! size of the whole file and send the rest of it, others send all of it again whatever they were asked for: the overlap
//! tells which.
//!
//! A holder can also be asked for a range in the middle. What it sends first must not be the beginning of the file, or
//! it ignores offsets; and what follows the range is gathered, to be compared with how the next range begins.

use alloc::vec::Vec;
use bytes::Bytes;

/// Bytes at the end of what is here that are asked for again, to see that it is the same file.
pub const OVERLAP: usize = 1024;
/// The longest refusal that is kept.
const REFUSAL: usize = 64;
/// Digits of the largest `u64`.
const DIGITS: usize = 20;

/// What is here of a file: how much, and how it begins and ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Bytes from the beginning on.
    pub len: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Known {
    /// Nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { len: 0, head: Vec::new(), tail: Vec::new() }
    }

    /// So many bytes, whose first and last (at most [`OVERLAP`] of each) are these. `None` if they are fewer than that.
    #[must_use]
    pub fn of(len: u64, head: &[u8], tail: &[u8]) -> Option<Self> {
        let wanted = usize::try_from(len).map_or(OVERLAP, |len| len.min(OVERLAP));
        let head = head.get(..wanted)?.to_vec();
        let tail = tail.get(tail.len().checked_sub(wanted)?..)?.to_vec();
        Some(Self { len, head, tail })
    }

    /// Where to ask from: before the end, so that the overlap can be compared, if that tells anything.
    #[must_use]
    pub fn ask_from(&self) -> u64 {
        let overlap = OVERLAP as u64;
        if self.len > overlap && self.head != self.tail { self.len - overlap } else { 0 }
    }

    /// How it begins: at most [`OVERLAP`] bytes.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How it ends: at most [`OVERLAP`] bytes.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Takes in what follows.
    pub fn append(&mut self, data: &[u8]) {
        self.len += data.len() as u64;
        let lacking = OVERLAP - self.head.len();
        self.head.extend_from_slice(&data[..lacking.min(data.len())]);
        keep_last(&mut self.tail, data);
    }
}

/// Appends, and drops all but the last [`OVERLAP`] bytes.
fn keep_last(window: &mut Vec<u8>, data: &[u8]) {
    if data.len() >= OVERLAP {
        window.clear();
        window.extend_from_slice(&data[data.len() - OVERLAP..]);
        return;
    }
    let too_many = (window.len() + data.len()).saturating_sub(OVERLAP);
    window.drain(..too_many);
    window.extend_from_slice(data);
}

/// Why a holder is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Useless {
    /// It answered in words, `INVALID REQUEST` or `FILE NOT SHARED` for example.
    #[error("refused: {}", crate::wire::text::shown(.0))]
    Refused(Bytes),
    /// Its file has another size than the one wanted.
    #[error("the file has {said} bytes there, not {wanted}")]
    Size {
        /// What it said.
        said: u64,
        /// What was advertised.
        wanted: u64,
    },
    /// What it sent again differs from what is here.
    #[error("the file differs from what is here already")]
    Differs,
    /// It was asked for a range in the middle, and sends the file from its beginning.
    #[error("it sends the file from its beginning, whatever it is asked for")]
    IgnoresOffset,
}

#[derive(Debug)]
enum Stage {
    /// Digits, or the beginning of a refusal.
    Size(Vec<u8>),
    /// The overlap so far.
    Overlap(Vec<u8>),
    /// How a range begins, so far, for a holder that was asked from the range's first byte on.
    Begin(Vec<u8>),
    /// What is here already comes again: so many bytes more, and the last of those that came.
    Skip(u64, Vec<u8>),
    Content,
}

/// One answer of one holder, on its way.
#[derive(Debug)]
pub struct Intake {
    wanted: Option<u64>,
    /// Where the range begins; what is known counts from there. 0 for a whole file.
    base: u64,
    /// Where it ends; the end of the file if `None`.
    end: Option<u64>,
    /// How the file begins, if the range does not begin there.
    front: Vec<u8>,
    from: u64,
    stage: Stage,
    /// What came behind the range.
    beyond: Vec<u8>,
    /// Whether the size was said in digits without an end, and is the advertised one if the file begins behind it.
    by_digits: bool,
    /// Whether more digits followed it.
    doubtful: bool,
}

impl Intake {
    /// After `GET`: the size comes first. `wanted` is the size that was advertised.
    #[must_use]
    pub fn with_size(wanted: Option<u64>, known: &Known) -> Self {
        Self {
            wanted,
            base: 0,
            end: None,
            front: Vec::new(),
            from: known.ask_from(),
            stage: Stage::Size(Vec::new()),
            beyond: Vec::new(),
            by_digits: false,
            doubtful: false,
        }
    }

    /// After `SEND`, which said the size and was answered with [`Known::ask_from`].
    ///
    /// # Errors
    /// If the size is not the one wanted.
    pub fn of_size(said: u64, wanted: Option<u64>, known: &Known) -> Result<Self, Useless> {
        Self::with_size(wanted, known).said(said, known)
    }

    /// The same for a range that begins at `base`, where what is known begins too; the file begins with `front`, of
    /// which [`OVERLAP`] bytes must be there.
    #[must_use]
    pub fn in_range(mut self, base: u64, front: &[u8]) -> Self {
        self.base = base;
        self.from += base;
        self.front = front.to_vec();
        self
    }

    /// The size was said already, by `SEND`.
    ///
    /// # Errors
    /// If it is not the one wanted.
    pub fn said(mut self, said: u64, known: &Known) -> Result<Self, Useless> {
        self.size_is(said, known)?;
        Ok(self)
    }

    /// The first byte to ask for.
    #[must_use]
    pub const fn asks_from(&self) -> u64 {
        self.from
    }

    /// Where the range ends from now on: not before what came of it.
    pub const fn set_end(&mut self, end: u64) {
        self.end = Some(end);
    }

    /// What came behind the range.
    #[must_use]
    pub fn beyond(&self) -> &[u8] {
        &self.beyond
    }

    /// The range goes on up to there: what came behind its end is content, and comes back.
    pub fn extend(&mut self, end: u64, known: &mut Known) -> Bytes {
        self.end = Some(end);
        let mut more = Bytes::from(core::mem::take(&mut self.beyond));
        let lacking = usize::try_from(end.saturating_sub(self.base + known.len)).unwrap_or(usize::MAX);
        self.beyond = more.split_off(lacking.min(more.len())).into();
        known.append(&more);
        more
    }

    /// Whether the size may have been a larger number: then what is here is the file only if nothing follows it.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// The file's size, once it is known.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.wanted
    }

    /// Whether the size is not said yet.
    #[must_use]
    pub const fn awaits_size(&self) -> bool {
        matches!(self.stage, Stage::Size(_))
    }

    /// The words of a refusal, if the stream ended in the middle of one.
    #[must_use]
    pub fn refusal(&self) -> Option<Useless> {
        match &self.stage {
            Stage::Size(text) if text.first().is_some_and(|first| !first.is_ascii_digit()) => {
                Some(Useless::Refused(Bytes::copy_from_slice(text)))
            }
            _ => None,
        }
    }

    /// Takes bytes as they came. What is new of the file comes back, and is taken into `known`; what goes past its size
    /// is dropped.
    ///
    /// # Errors
    /// If the holder is of no use.
    pub fn take(&mut self, mut data: Bytes, known: &mut Known) -> Result<Bytes, Useless> {
        while !data.is_empty() {
            match &mut self.stage {
                Stage::Size(_) => data = self.take_size(&data, known)?,
                Stage::Overlap(came) => {
                    let part = data.split_to(data.len().min(OVERLAP - came.len()));
                    came.extend_from_slice(&part);
                    if came.len() < OVERLAP {
                        continue;
                    }
                    let came = core::mem::take(came);
                    self.stage = if came == known.tail {
                        Stage::Content
                    } else if self.base > 0 && came == self.front {
                        return Err(Useless::IgnoresOffset);
                    } else if self.base == 0 && came == known.head {
                        Stage::Skip(known.len - OVERLAP as u64, came)
                    } else {
                        return Err(Useless::Differs);
                    };
                }
                Stage::Skip(left, window) => {
                    let now = usize::try_from(*left).map_or(data.len(), |left| left.min(data.len()));
                    let part = data.split_to(now);
                    *left -= part.len() as u64;
                    keep_last(window, &part);
                    if *left == 0 {
                        if *window != known.tail {
                            return Err(Useless::Differs);
                        }
                        self.stage = Stage::Content;
                    }
                }
                Stage::Begin(came) => {
                    let whole =
                        self.wanted.map_or(u64::MAX, |size| size - self.base).min(OVERLAP as u64) as usize;
                    came.extend_from_slice(&data.split_to(data.len().min(whole - came.len())));
                    if came.len() < whole {
                        continue;
                    }
                    if self.front.starts_with(came) {
                        return Err(Useless::IgnoresOffset);
                    }
                    data = [core::mem::take(came).as_slice(), &data].concat().into();
                    self.stage = Stage::of(known.len);
                }
                Stage::Content => {
                    let end = self.end.or(self.wanted).unwrap_or(u64::MAX);
                    let lacking = end.saturating_sub(self.base + known.len);
                    let here = usize::try_from(lacking).unwrap_or(usize::MAX).min(data.len());
                    let past = data.split_off(here);
                    if known.len == 0 && self.base == 0 {
                        self.doubtful = self.by_digits && data.first().is_some_and(u8::is_ascii_digit);
                    }
                    known.append(&data);
                    match self.wanted {
                        Some(size) if end < size => self.beyond.extend_from_slice(&past),
                        Some(wanted) if self.doubtful && !past.is_empty() => {
                            // The file's first digits were the size's last.
                            let mut said = decimal(wanted);
                            said.extend(known.head.iter().take_while(|byte| byte.is_ascii_digit()));
                            return Err(Useless::Size { said: number(&said), wanted });
                        }
                        _ => {}
                    }
                    return Ok(data);
                }
            }
        }
        Ok(Bytes::new())
    }

    /// Takes what belongs to the size, and gives back the rest.
    fn take_size(&mut self, data: &Bytes, known: &Known) -> Result<Bytes, Useless> {
        let Stage::Size(text) = &mut self.stage else { return Ok(data.clone()) };
        let before = text.len();
        text.extend_from_slice(&data[..data.len().min(REFUSAL - before.min(REFUSAL))]);
        if !text[0].is_ascii_digit() {
            return if text.len() >= REFUSAL || text.ends_with(b"REQUEST") || text.ends_with(b"SHARED") {
                Err(Useless::Refused(Bytes::copy_from_slice(text)))
            } else {
                Ok(Bytes::new())
            };
        }
        let digits = text.iter().take(DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
        let used = match self.wanted {
            None => digits,
            Some(wanted) => match advertised(text, digits, wanted, self.from) {
                Said::Yes(used) => used,
                Said::More => return Ok(Bytes::new()),
                Said::Other => return Err(Useless::Size { said: number(&text[..digits]), wanted }),
            },
        };
        let said = self.wanted.unwrap_or_else(|| number(&text[..used]));
        self.by_digits = self.wanted.is_some();
        // Digits that came before this read cannot be taken back, and need not be: they were a part of the size.
        let rest = data.slice(used.saturating_sub(before)..);
        self.size_is(said, known)?;
        Ok(rest)
    }

    fn size_is(&mut self, said: u64, known: &Known) -> Result<(), Useless> {
        let wanted = *self.wanted.get_or_insert(said);
        if said != wanted || self.base + known.len > said {
            return Err(Useless::Size { said, wanted: wanted.max(self.base + known.len) });
        }
        self.stage = if self.from > self.base {
            Stage::Overlap(Vec::new())
        } else if self.base > 0 {
            Stage::Begin(Vec::new())
        } else {
            Stage::of(known.len)
        };
        Ok(())
    }
}

impl Stage {
    /// How it goes on from the first byte of what is wanted, of which so many bytes are here.
    const fn of(known: u64) -> Self {
        if known == 0 { Self::Content } else { Self::Skip(known, Vec::new()) }
    }
}

enum Said {
    /// The size, in so many digits.
    Yes(usize),
    /// It may become the size.
    More,
    /// Another size.
    Other,
}

/// Whether `text`, with so many digits at its front, begins with the advertised size; or, for a holder that counts
/// what is left, with what is left from the offset on.
fn advertised(text: &[u8], digits: usize, wanted: u64, from: u64) -> Said {
    let digits = &text[..digits];
    let whole = decimal(wanted);
    if digits.starts_with(&whole) {
        return Said::Yes(whole.len());
    }
    if digits.len() == text.len() && whole.starts_with(digits) {
        return Said::More;
    }
    let rest = decimal(wanted - from.min(wanted));
    if from > 0 && digits.starts_with(&rest) {
        return Said::Yes(rest.len());
    }
    if from > 0 && digits.len() == text.len() && rest.starts_with(digits) { Said::More } else { Said::Other }
}

fn decimal(n: u64) -> Vec<u8> {
    alloc::format!("{n}").into_bytes()
}

/// The number in these digits; the largest one if it is larger.
fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * i / 7 % 251) as u8).collect()
    }

    fn known(file: &[u8]) -> Known {
        let mut known = Known::nothing();
        known.append(file);
        known
    }

    /// Everything that comes in, in chunks of this many bytes.
    fn all(intake: &mut Intake, known: &mut Known, bytes: &[u8], chunk: usize) -> Result<Vec<u8>, Useless> {
        let mut out = Vec::new();
        for part in bytes.chunks(chunk) {
            out.extend_from_slice(&intake.take(Bytes::copy_from_slice(part), known)?);
        }
        Ok(out)
    }

    #[test]
    fn a_file_that_begins_with_digits() {
        let file = b"000123 and so on";
        for chunk in [1, 3, 100] {
            let mut bytes = b"16".to_vec();
            bytes.extend_from_slice(file);
            let mut known = Known::nothing();
            let mut intake = Intake::with_size(Some(16), &known);
            assert_eq!(all(&mut intake, &mut known, &bytes, chunk).unwrap(), file);
        }
    }

    #[test]
    fn an_unknown_size_ends_with_its_read_or_a_letter() {
        let mut known = Known::nothing();
        let mut intake = Intake::with_size(None, &known);
        assert!(intake.take(Bytes::from_static(b"5"), &mut known).unwrap().is_empty());
        assert_eq!(intake.size(), Some(5));
        assert_eq!(&intake.take(Bytes::from_static(b"12345678"), &mut known).unwrap()[..], b"12345");
        let mut known = Known::nothing();
        let mut intake = Intake::with_size(None, &known);
        assert_eq!(&intake.take(Bytes::from_static(b"3abc"), &mut known).unwrap()[..], b"abc");
    }

    #[test]
    fn refusals_in_words() {
        for words in [b"INVALID REQUEST".as_slice(), b"FILE NOT SHARED"] {
            for chunk in [1, 100] {
                let mut known = Known::nothing();
                let mut intake = Intake::with_size(Some(9), &known);
                let got = all(&mut intake, &mut known, words, chunk);
                assert_eq!(got, Err(Useless::Refused(Bytes::copy_from_slice(words))));
            }
        }
        let mut known = Known::nothing();
        let mut intake = Intake::with_size(Some(9), &known);
        assert_eq!(all(&mut intake, &mut known, b"go away", 7).unwrap(), b"");
        assert_eq!(intake.refusal(), Some(Useless::Refused(Bytes::from_static(b"go away"))));
    }

    #[test]
    fn another_size_is_another_file() {
        let mut known = Known::nothing();
        let mut intake = Intake::with_size(Some(40_000), &known);
        let got = all(&mut intake, &mut known, b"40001\xff", 6);
        assert_eq!(got, Err(Useless::Size { said: 40_001, wanted: 40_000 }));
        assert!(Intake::of_size(1 << 40, Some(5), &known).is_err());
        assert!(Intake::of_size(0, Some(5), &known).is_err());
    }

    #[test]
    fn resumed_whichever_way_the_holder_understands_it() {
        let file = file(10_000);
        for chunk in [1, 700, 100_000] {
            let here = known(&file[..6_000]);
            let from = here.ask_from();
            assert_eq!(from, 6_000 - OVERLAP as u64);
            let whole = "10000".as_bytes();
            let left = alloc::format!("{}", 10_000 - from);
            for (size, sent) in [
                // The size of all, then the rest.
                (whole, &file[from as usize..]),
                // The offset is ignored.
                (whole, &file[..]),
                // The size of what is left.
                (left.as_bytes(), &file[from as usize..]),
            ] {
                let mut known = here.clone();
                let mut intake = Intake::with_size(Some(10_000), &known);
                let bytes = [size, sent].concat();
                assert_eq!(all(&mut intake, &mut known, &bytes, chunk).unwrap(), &file[6_000..]);
                assert_eq!(known.len, 10_000);
            }
        }
    }

    #[test]
    fn another_file_of_the_same_size_is_found_out() {
        let other: Vec<u8> = file(10_000).iter().map(|byte| byte ^ 1).collect();
        for sent in [&other[..], &other[6_000 - OVERLAP..]] {
            let mut known = known(&file(10_000)[..6_000]);
            let mut intake = Intake::with_size(Some(10_000), &known);
            let bytes = [b"10000", sent].concat();
            assert_eq!(all(&mut intake, &mut known, &bytes, 512), Err(Useless::Differs));
            assert_eq!(known.len, 6_000);
        }
        // The same beginning, another end of what is here.
        let mut late = file(10_000);
        late[5_999] ^= 1;
        let mut known = known(&file(10_000)[..6_000]);
        let mut intake = Intake::with_size(Some(10_000), &known);
        let bytes = [b"10000".as_slice(), &late].concat();
        assert_eq!(all(&mut intake, &mut known, &bytes, 512), Err(Useless::Differs));
    }

    #[test]
    fn a_little_or_nothing_but_zeros_is_asked_for_again() {
        let zeros = alloc::vec![0; 5_000];
        for here in [known(&zeros[..4_000]), known(&file(5_000)[..100])] {
            assert_eq!(here.ask_from(), 0);
        }
        let mut known = known(&zeros[..4_000]);
        let mut intake = Intake::with_size(Some(5_000), &known);
        let bytes = [b"5000".as_slice(), &zeros].concat();
        assert_eq!(all(&mut intake, &mut known, &bytes, 99).unwrap().len(), 1_000);
    }

    #[test]
    fn what_goes_past_the_size_is_dropped() {
        let mut known = Known::nothing();
        let mut intake = Intake::of_size(3, Some(3), &known).unwrap();
        assert_eq!(&intake.take(Bytes::from_static(b"abcdef"), &mut known).unwrap()[..], b"abc");
        assert!(intake.take(Bytes::from_static(b"ghi"), &mut known).unwrap().is_empty());
    }

    #[test]
    fn a_range_in_the_middle_ends_where_it_is_told_to() {
        let file = file(20_000);
        let front = known(&file[..5_000]);
        for (here, chunk) in [(0, 1), (500, 700), (3_000, 100_000), (1_024, 33)] {
            let mut known = known(&file[8_000..8_000 + here]);
            let mut intake = Intake::with_size(Some(20_000), &known).in_range(8_000, front.head());
            intake.set_end(15_000);
            let from = usize::try_from(intake.asks_from()).unwrap();
            assert!((8_000..=8_000 + here).contains(&from));
            let bytes = [b"20000", &file[from..17_000]].concat();
            assert_eq!(all(&mut intake, &mut known, &bytes, chunk).unwrap(), &file[8_000 + here..15_000]);
            assert_eq!(intake.beyond(), &file[15_000..17_000]);
            assert_eq!(intake.extend(16_000, &mut known), &file[15_000..16_000]);
            assert_eq!((known.len, intake.beyond()), (8_000, &file[16_000..17_000]));
        }
        // The whole file again, whatever was asked for.
        for here in [0, 500, 3_000] {
            let mut known = known(&file[8_000..8_000 + here]);
            let mut intake = Intake::with_size(Some(20_000), &known).in_range(8_000, front.head());
            let bytes = [b"20000".as_slice(), &file].concat();
            assert_eq!(all(&mut intake, &mut known, &bytes, 512), Err(Useless::IgnoresOffset));
            assert_eq!(known.len, here as u64);
        }
    }

    #[test]
    fn a_doubtful_size_is_found_out_by_what_follows() {
        for (file, follows) in [(&b"0123"[..], &b"4567"[..]), (b"9999", b"\xff")] {
            for chunk in [1, 2, 100] {
                let mut known = Known::nothing();
                let mut intake = Intake::with_size(Some(4), &known);
                assert_eq!(all(&mut intake, &mut known, &[b"4", file].concat(), chunk).unwrap(), file);
                assert!(intake.is_doubtful());
                let more = intake.take(Bytes::copy_from_slice(follows), &mut known);
                assert!(matches!(more, Err(Useless::Size { said: 40_000.., wanted: 4 })), "{more:?}");
            }
        }
        let mut known = Known::nothing();
        let mut intake = Intake::with_size(Some(4), &known);
        assert_eq!(all(&mut intake, &mut known, b"4abcdefg", 3).unwrap(), b"abcd");
        assert!(!intake.is_doubtful(), "what follows a size that is certain is dropped");
    }

    #[test]
    fn what_is_remembered_of_a_file_on_disk() {
        let file = file(5_000);
        let of = Known::of(5_000, &file[..OVERLAP], &file[5_000 - OVERLAP..]).unwrap();
        assert_eq!(of, known(&file));
        assert_eq!(Known::of(3, b"abc", b"abc").unwrap(), known(b"abc"));
        assert_eq!(Known::of(5_000, b"short", &file), None);
    }
}
