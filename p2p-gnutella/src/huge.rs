//! Names of files by their content (HUGE 0.94): [`Urn`], and what a query may say between its NULs: [`Huge`].

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, Encoding, HEXLOWER_PERMISSIVE};
use p2p_core::hash::{Sha1Hash, Tth};

/// A name of a file by its content.
///
/// | text | length of the digest | source |
/// | --- | --- | --- |
/// | `urn:sha1:` and 32 characters of base32 | 20 | HUGE, section 2.3 |
/// | `urn:bitprint:` and 32 characters, a dot, 39 characters | 20 + 24 | the same |
/// | `urn:tree:tiger:`, `urn:tree:tiger/:`, `urn:tree:tiger/1024:`, `urn:ttroot:` and 39 characters | 24 | as in use |
/// | `urn:md5:` and base64 or base16 | 16 | GGEP `H` |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Urn {
    /// By SHA-1: what every servent understands.
    Sha1(Sha1Hash),
    /// By SHA-1 and the root of the tiger tree.
    Bitprint(Sha1Hash, Tth),
    /// By the root of the tiger tree alone.
    TigerTree(Tth),
    /// By MD5, which some servents write and none asks for.
    Md5([u8; 16]),
}

/// Text is no URN that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known URN")]
pub struct NotAUrn;

/// Bytes of base32 in any case; `None` if it is not exactly `N` bytes.
pub(crate) fn base32<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    fixed(&BASE32_NOPAD, text, true)
}

fn fixed<const N: usize>(encoding: &Encoding, text: &[u8], upper: bool) -> Option<[u8; N]> {
    // The longest is 39 characters: a root in base32.
    let mut characters = [0; 40];
    let characters = characters.get_mut(..text.len())?;
    characters.copy_from_slice(text);
    if upper {
        characters.make_ascii_uppercase();
    }
    let mut bytes = [0; N];
    (encoding.decode_len(text.len()) == Ok(N)).then_some(())?;
    (encoding.decode_mut(characters, &mut bytes) == Ok(N)).then_some(bytes)
}

/// What follows `prefix`, compared in any case.
fn behind<'a>(text: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}

impl Urn {
    /// Reads a URN, in any case.
    ///
    /// # Errors
    /// If it is malformed, or of a kind that is not known here.
    pub fn parse(text: &[u8]) -> Result<Self, NotAUrn> {
        behind(text, "urn:").and_then(Self::parse_name).ok_or(NotAUrn)
    }

    /// Reads what stands behind `urn:`, as in GGEP `u`.
    #[must_use]
    pub fn parse_name(name: &[u8]) -> Option<Self> {
        if let Some(digest) = behind(name, "sha1:") {
            return Some(Self::Sha1(Sha1Hash(base32(digest)?)));
        }
        if let Some(digests) = behind(name, "bitprint:") {
            let (sha1, tree) = digests.split_at_checked(32)?;
            let (b'.', tree) = tree.split_first()? else { return None };
            return Some(Self::Bitprint(Sha1Hash(base32(sha1)?), Tth(base32(tree)?)));
        }
        for prefix in ["tree:tiger:", "tree:tiger/:", "tree:tiger/1024:", "ttroot:"] {
            if let Some(digest) = behind(name, prefix) {
                return Some(Self::TigerTree(Tth(base32(digest)?)));
            }
        }
        let digest = behind(name, "md5:")?;
        let digest = digest.strip_suffix(b"==").unwrap_or(digest);
        fixed(&BASE64_NOPAD, digest, false)
            .or_else(|| fixed(&HEXLOWER_PERMISSIVE, digest, false))
            .map(Self::Md5)
    }

    /// The SHA-1, if it has one: a bitprint is understood as that too (HUGE, section 2.3).
    #[must_use]
    pub const fn sha1(&self) -> Option<Sha1Hash> {
        match self {
            Self::Sha1(sha1) | Self::Bitprint(sha1, _) => Some(*sha1),
            _ => None,
        }
    }

    /// The root of the tiger tree, if it has one.
    #[must_use]
    pub const fn tth(&self) -> Option<Tth> {
        match self {
            Self::Bitprint(_, tth) | Self::TigerTree(tth) => Some(*tth),
            _ => None,
        }
    }
}

impl fmt::Display for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base32 = |bytes: &[u8]| BASE32_NOPAD.encode(bytes);
        match self {
            Self::Sha1(sha1) => write!(f, "urn:sha1:{}", base32(&sha1.0)),
            Self::Bitprint(sha1, tth) => write!(f, "urn:bitprint:{}.{}", base32(&sha1.0), base32(&tth.0)),
            Self::TigerTree(tth) => write!(f, "urn:tree:tiger:{}", base32(&tth.0)),
            Self::Md5(md5) => write!(f, "urn:md5:{}", data_encoding::BASE64.encode(md5)),
        }
    }
}

impl FromStr for Urn {
    type Err = NotAUrn;

    fn from_str(text: &str) -> Result<Self, NotAUrn> {
        Self::parse(text.as_bytes())
    }
}

/// A text extension that begins with `urn:` (HUGE, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Huge<'a> {
    /// A file is named: searched for in a query, described in a hit.
    Urn(Urn),
    /// `urn:`, or a kind with its colon such as `urn:sha1:`: whoever has a hit shall say such a name of it.
    Wanted(&'a [u8]),
    /// A URN of a kind that is not known here, or malformed.
    Other(&'a [u8]),
}

impl<'a> Huge<'a> {
    /// Reads a text extension; `None` if it does not begin with `urn:`.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let name = behind(text, "urn:")?;
        Some(match Urn::parse_name(name) {
            Some(urn) => Self::Urn(urn),
            None if name.is_empty() || name.ends_with(b":") => Self::Wanted(text),
            None => Self::Other(text),
        })
    }
}

/// A tiger tree's root as it stands in `X-Thex-URI`: 39 characters of base32.
#[must_use]
pub fn tth_text(tth: &Tth) -> String {
    BASE32_NOPAD.encode(&tth.0)
}

/// Reads such a root, in any case.
#[must_use]
pub fn parse_tth(text: &str) -> Option<Tth> {
    base32(text.as_bytes()).map(Tth)
}
