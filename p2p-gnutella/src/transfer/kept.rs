//! [`Kept`]: what of a file that is fetched is on the disk, as it is kept beside it to go on from.
//!
//! Lines of a word and its value; the last one checks all that is before it. It is put in place as a whole, and after what it
//! vouches for is on the device.

use super::source::Locator;
use crate::Guid;
use crate::huge::{base32, parse_tth, tth_text};
use crate::library::check;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use p2p_core::hash::{Sha1Hash, Tth};

/// The longest such file: a tree of 48 kB, a bit for each of a million slices, and sources.
pub(super) const FILE_MAX: u64 = 1 << 20;
/// Sources that are kept.
const SOURCES_MAX: usize = 64;
const FIRST_LINE: &str = "gnutella download 1";

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) sha1: Sha1Hash,
    pub(super) size: u64,
    /// The root of the tree, and its layers.
    pub(super) tree: Option<(Tth, Vec<u8>)>,
    pub(super) slice_len: u64,
    /// Which slices are good, the first in the highest bit of the first byte.
    pub(super) good: Vec<u8>,
    pub(super) sources: Vec<Locator>,
}

impl Kept {
    pub(super) fn to_text(&self) -> Vec<u8> {
        let mut text = format!(
            "{FIRST_LINE}\nsha1 {}\nsize {}\nslice {}\ngood {}\n",
            BASE32_NOPAD.encode(&self.sha1.0),
            self.size,
            self.slice_len,
            HEXLOWER.encode(&self.good)
        );
        // Writing to a string does not fail.
        if let Some((tth, list)) = &self.tree {
            let _ = write!(text, "tth {}\ntree {}\n", tth_text(tth), BASE64.encode(list));
        }
        for source in self.sources.iter().take(SOURCES_MAX) {
            let addr = source.addr.map_or_else(|| String::from("-"), |addr| format!("{addr}"));
            let guid = source.servent.map_or_else(|| String::from("-"), |guid| format!("{guid}"));
            let _ = write!(text, "source {addr} {guid}");
            for proxy in &source.proxies {
                let _ = write!(text, " {proxy}");
            }
            text.push('\n');
        }
        let sum = check(text.as_bytes());
        let _ = writeln!(text, "check {sum:016x}");
        text.into_bytes()
    }

    /// Reads it; `None` if it is not whole, or not ours.
    pub(super) fn from_text(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (said, sum) = text.strip_suffix('\n')?.rsplit_once("check ")?;
        (sum.len() == 16 && u64::from_str_radix(sum, 16).ok()? == check(said.as_bytes())).then_some(())?;
        let mut lines = said.lines();
        (lines.next()? == FIRST_LINE).then_some(())?;
        let (mut sha1, mut size, mut slice_len, mut good, mut tth, mut list) =
            (None, None, None, None, None, None);
        let mut sources = Vec::new();
        for (key, value) in lines.filter_map(|line| line.split_once(' ')) {
            match key {
                "sha1" => sha1 = Some(Sha1Hash(base32(value.as_bytes())?)),
                "size" => size = value.parse::<u64>().ok(),
                "slice" => slice_len = value.parse::<u64>().ok().filter(|len| *len > 0),
                "good" => good = HEXLOWER.decode(value.as_bytes()).ok(),
                "tth" => tth = parse_tth(value),
                "tree" => list = BASE64.decode(value.as_bytes()).ok(),
                "source" => sources.extend(source(value)),
                _ => {}
            }
        }
        let (size, slice_len, good) = (size?, slice_len?, good?);
        (good.len() as u64 == size.div_ceil(slice_len).div_ceil(8)).then_some(())?;
        Some(Self { sha1: sha1?, size, tree: tth.zip(list), slice_len, good, sources })
    }

    /// Whether a slice is good.
    pub(super) fn is_good(&self, slice: usize) -> bool {
        self.good.get(slice / 8).is_some_and(|byte| byte & 0x80 >> (slice % 8) != 0)
    }
}

fn source(text: &str) -> Option<Locator> {
    let mut words = text.split(' ');
    let (addr, guid) = (words.next()?, words.next()?);
    let (addr, servent): (_, Option<Guid>) = (addr.parse().ok(), guid.parse().ok());
    let proxies = words.filter_map(|proxy| proxy.parse().ok()).collect();
    (addr.is_some() || servent.is_some()).then_some(Locator {
        addr,
        other: None,
        servent,
        number: None,
        proxies,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use core::net::SocketAddr;
    use proptest::prelude::*;

    fn kept() -> Kept {
        let addr: SocketAddr = "[2001:db8::1]:6346".parse().unwrap();
        let sources = Vec::from([Locator::at(addr), Locator::pushed(Guid([7; 16]), Vec::from([addr, addr]))]);
        let good = Vec::from([0b1010_0000, 0, 0xff]);
        let tree = Some((Tth([3; 24]), Vec::from([9; 48])));
        Kept { sha1: Sha1Hash([5; 20]), size: 24_000, tree, slice_len: 1_024, good, sources }
    }

    #[test]
    fn it_comes_back() {
        let kept = kept();
        let back = Kept::from_text(&kept.to_text()).unwrap();
        assert_eq!(back, kept);
        assert!(
            back.is_good(0) && !back.is_good(1) && back.is_good(2) && back.is_good(23) && !back.is_good(24)
        );
        let plain = Kept { tree: None, sources: Vec::new(), ..kept };
        assert_eq!(Kept::from_text(&plain.to_text()), Some(plain));
    }

    proptest! {
        #[test]
        fn what_is_cut_or_spoiled_is_not_believed(at in 0usize..1_000, byte: u8) {
            let text = kept().to_text();
            let at = at % text.len();
            prop_assert_eq!(Kept::from_text(&text[..at]), None);
            let mut spoiled = text.clone();
            spoiled[at] = byte;
            prop_assert!(spoiled == text || Kept::from_text(&spoiled).is_none());
        }
    }
}
