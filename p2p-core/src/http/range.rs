//! Parts of a file: [`ByteRange`] asks for one, [`ContentRange`] says which one is sent (RFC 9110, section 14).

use super::body::decimal;
use core::fmt;
use core::ops::Range;

/// The part that a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first to the last byte named, both included; first <= last.
    FromTo(u64, u64),
    /// From a byte to the end.
    From(u64),
    /// So many last bytes.
    Last(u64),
}

/// The part that a `Content-Range` header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The first and the last byte, both included; `None` if the range asked for could not be served.
    pub part: Option<(u64, u64)>,
    /// The length of the whole, if it is known.
    pub total: Option<u64>,
}

/// What follows the unit. Old Gnutella servents write a space where RFC 9110 has `=`, and the other way round.
fn behind_unit(value: &str) -> Option<&str> {
    let (unit, rest) = value.trim().split_at_checked(5)?;
    let rest = rest.trim_start();
    let marked = rest.strip_prefix('=').unwrap_or(rest);
    unit.eq_ignore_ascii_case("bytes").then(|| marked.trim())
}

fn number(text: &str) -> Option<u64> {
    decimal(text.trim().as_bytes())
}

impl ByteRange {
    /// The value of a `Range` header, if it is a single range; the header is to be ignored otherwise.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (first, last) = behind_unit(value)?.split_once('-')?;
        match (first.trim(), last.trim()) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::FromTo(first, last))
            }
        }
    }

    /// The part of something `total` bytes long, never empty; `None` if it has no such part (status 416).
    #[must_use]
    pub fn of(self, total: u64) -> Option<Range<u64>> {
        let part = match self {
            Self::FromTo(first, last) => first..last.saturating_add(1).min(total),
            Self::From(first) => first..total,
            Self::Last(n) => total.saturating_sub(n)..total,
        };
        (!part.is_empty()).then_some(part)
    }
}

/// The value of a `Range` header.
impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromTo(first, last) => write!(f, "bytes={first}-{last}"),
            Self::From(first) => write!(f, "bytes={first}-"),
            Self::Last(n) => write!(f, "bytes=-{n}"),
        }
    }
}

impl ContentRange {
    /// What says that `part` of `total` bytes is sent. An empty part cannot be named: it reads as not to be served.
    #[must_use]
    pub fn new(part: Range<u64>, total: u64) -> Self {
        let last = part.end.checked_sub(1).filter(|last| *last >= part.start);
        Self { part: last.map(|last| (part.start, last)), total: Some(total) }
    }

    /// The value of a `Content-Range` header, if it is sound: first <= last < total.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (part, total) = behind_unit(value)?.split_once('/')?;
        let total = if total.trim() == "*" { None } else { Some(number(total)?) };
        if part.trim() == "*" {
            return Some(Self { part: None, total });
        }
        let (first, last) = part.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let sound = first <= last && total.is_none_or(|total| last < total) && last < u64::MAX;
        sound.then_some(Self { part: Some((first, last)), total })
    }
}

/// The value of a `Content-Range` header.
impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some((first, last)) => write!(f, "bytes {first}-{last}/")?,
            None => f.write_str("bytes */")?,
        }
        match self.total {
            Some(total) => write!(f, "{total}"),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        assert_eq!(ByteRange::parse("bytes=0-499"), Some(ByteRange::FromTo(0, 499)));
        assert_eq!(ByteRange::parse("Bytes 500-"), Some(ByteRange::From(500)));
        assert_eq!(ByteRange::parse(" bytes = -5 "), Some(ByteRange::Last(5)));
        for bad in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=1-2,4-5",
            "items=1-2",
            "bytes=99999999999999999999-",
            "é bytes=1-",
        ] {
            assert_eq!(ByteRange::parse(bad), None, "{bad}");
        }
        assert_eq!(ByteRange::FromTo(5, u64::MAX).of(10), Some(5..10));
        assert_eq!(ByteRange::From(10).of(10), None);
        assert_eq!(ByteRange::FromTo(10, 20).of(10), None);
        assert_eq!(ByteRange::Last(20).of(10), Some(0..10));
        assert_eq!(ByteRange::Last(0).of(10), None);
    }

    #[test]
    fn content_ranges() {
        assert_eq!(ContentRange::parse("bytes 0-9/10").unwrap().part, Some((0, 9)));
        assert_eq!(
            ContentRange::parse("bytes=0-9/*").unwrap(),
            ContentRange { part: Some((0, 9)), total: None }
        );
        assert_eq!(ContentRange::parse("bytes */10").unwrap(), ContentRange { part: None, total: Some(10) });
        for bad in
            ["bytes 0-10/10", "bytes 5-4/10", "bytes 0-9", "bytes -/5", "bytes 0-18446744073709551615/*"]
        {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
        assert_eq!(ContentRange::new(5..5, 10).to_string(), "bytes */10");
        assert_eq!(ContentRange::new(5..6, 10).to_string(), "bytes 5-5/10");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(a: u64, b: u64, total: u64) {
            for range in [ByteRange::FromTo(a.min(b), a.max(b)), ByteRange::From(a), ByteRange::Last(a)] {
                prop_assert_eq!(ByteRange::parse(&range.to_string()), Some(range));
                if let Some(part) = range.of(total) {
                    prop_assert!(part.start < part.end && part.end <= total);
                    let says = ContentRange::new(part, total);
                    prop_assert_eq!(ContentRange::parse(&says.to_string()), Some(says));
                }
            }
        }

        #[test]
        fn junk_never_panics(text in "(bytes)?[= 0-9*/,-]{0,20}\\PC{0,5}") {
            let _ = (ByteRange::parse(&text), ContentRange::parse(&text));
        }
    }
}
