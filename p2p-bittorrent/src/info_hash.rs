//! The two names of 20 bytes: [`InfoHash`] of a torrent, [`PeerId`] of a peer.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use data_encoding::HEXLOWER_PERMISSIVE;
use p2p_core::hash::{Hasher, Sha1, Sha1Hash};

/// The SHA-1 of a torrent's info dictionary, by which trackers and peers know it (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// A peer's own name, drawn anew at every start (BEP 3); its first 8 bytes often name the program (BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

/// Bytes or text that are no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Not 20 bytes, or not 40 hex digits.
    #[error("not 20 bytes long")]
    Length,
    /// A character that is no hex digit.
    #[error("not a hex digit")]
    Digit,
}

impl InfoHash {
    /// The hash of the bytes of an info dictionary, exactly as they came.
    #[must_use]
    pub fn of(info: &[u8]) -> Self {
        Self(Sha1::digest(info).0)
    }
}

macro_rules! twenty {
    ($($name:ident)*) => {$(
        impl $name {
            /// The 20 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 20] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<[u8; 20]> for $name {
            fn from(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::Length)
            }
        }
    )*};
}

twenty! { InfoHash PeerId }

impl From<Sha1Hash> for InfoHash {
    fn from(hash: Sha1Hash) -> Self {
        Self(hash.0)
    }
}

impl FromStr for InfoHash {
    type Err = IdError;

    /// From 40 hex digits of either case.
    fn from_str(hex: &str) -> Result<Self, IdError> {
        if hex.len() != 40 {
            return Err(IdError::Length);
        }
        let mut bytes = [0; 20];
        match HEXLOWER_PERMISSIVE.decode_mut(hex.as_bytes(), &mut bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(IdError::Digit),
        }
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PeerId {
    /// Letters, digits and `-` as they are, every other byte as `%` and two hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => write!(f, "{}", char::from(byte)),
            _ => write!(f, "%{byte:02x}"),
        })
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<InfoHash> for String {
    fn from(hash: InfoHash) -> Self {
        alloc::format!("{hash}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn info_hashes_as_text() {
        let hash = InfoHash::of(b"abc");
        assert_eq!(hash.to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!("A9993E364706816aba3e25717850c26c9cd0d89d".parse(), Ok(hash));
        assert_eq!("a9".parse::<InfoHash>(), Err(IdError::Length));
        assert_eq!("g9993e364706816aba3e25717850c26c9cd0d89d".parse::<InfoHash>(), Err(IdError::Digit));
        assert_eq!("é9993e364706816aba3e25717850c26c9cd0d89".parse::<InfoHash>(), Err(IdError::Digit));
        assert_eq!(InfoHash::try_from(&hash.0[..]), Ok(hash));
        assert_eq!(InfoHash::try_from(&hash.0[1..]), Err(IdError::Length));
    }

    #[test]
    fn peer_ids_as_text() {
        assert_eq!(format!("{:?}", PeerId(*b"-P20010-abc\x00\xff/456789")), "-P20010-abc%00%ff%2f456789");
    }
}
