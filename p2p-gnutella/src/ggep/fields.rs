//! What is known of GGEP fields: their [names](name), and the data of those that have a form.
//!
//! Addresses are lists of [`Hosts`](crate::wire::Hosts); a list may have a bitmap beside it that tells which of them speak
//! TLS ([`TlsMap`]). Numbers are little-endian without their high zero bytes ([`number`]) but where it is said otherwise.

mod hash;
mod host_caches;
pub mod name;
mod pong;
mod version;

pub use hash::{H_BITPRINT, H_SHA1, parse_h, put_h};
pub use host_caches::{HostCache, host_caches, put_host_caches};
pub use pong::{PeerVersion, Scp, Slots};
pub use version::GtkgVersion;

use alloc::vec::Vec;

/// A number without its high zero bytes, little-endian: `LF`, `CT`, `DU`, `M`. `None` of more than 8 bytes.
#[must_use]
pub fn number(data: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..data.len())?.copy_from_slice(data);
    Some(u64::from_le_bytes(bytes))
}

/// Writes such a number; zero is no bytes.
#[must_use]
pub fn put_number(value: u64) -> Vec<u8> {
    let len = 8 - value.leading_zeros() as usize / 8;
    value.to_le_bytes()[..len].to_vec()
}

/// The size of a large file (`LF`); `None` if it is malformed: zero, or with high zero bytes.
#[must_use]
pub fn large_file(data: &[u8]) -> Option<u64> {
    number(data).filter(|_| data.last().is_some_and(|high| *high != 0))
}

/// How much of a file a servent has (`PRU`): when it last grew, in seconds since 1970, and how many bytes there are.
/// `None` if it is malformed; legacy servents send it empty.
#[must_use]
pub fn partial_result(data: &[u8]) -> Option<(u32, u64)> {
    let (stamp, have) = data.split_first_chunk()?;
    Some((u32::from_be_bytes(*stamp), number(have)?))
}

/// Writes such a field.
#[must_use]
pub fn put_partial_result(stamp: u32, have: u64) -> Vec<u8> {
    let mut data = stamp.to_be_bytes().to_vec();
    data.extend(put_number(have));
    data
}

/// Which addresses of a list speak TLS (`ALT_TLS`, `IPP_TLS`, `PUSH_TLS`, `T`): the first is the highest bit of the first
/// byte, and bytes of zero at the end are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsMap<'a>(pub &'a [u8]);

impl TlsMap<'_> {
    /// Whether the address at this place does.
    #[must_use]
    pub fn has(&self, at: usize) -> bool {
        self.0.get(at / 8).is_some_and(|byte| byte & 0x80 >> (at % 8) != 0)
    }

    /// The map of these answers.
    #[must_use]
    pub fn of(speak: impl IntoIterator<Item = bool>) -> Vec<u8> {
        let mut map = Vec::new();
        for (at, _) in speak.into_iter().enumerate().filter(|(_, speaks)| *speaks) {
            map.resize(at / 8 + 1, 0);
            if let Some(byte) = map.last_mut() {
                *byte |= 0x80 >> (at % 8);
            }
        }
        map
    }
}

/// Media that a query is limited to (`M`), and the names of [`number`]'s bits.
pub mod media {
    /// Sound.
    pub const AUDIO: u64 = 0x04;
    /// Moving pictures.
    pub const VIDEO: u64 = 0x08;
    /// Text.
    pub const DOCUMENT: u64 = 0x10;
    /// Pictures.
    pub const IMAGE: u64 = 0x20;
    /// Programs for Windows.
    pub const WINDOWS: u64 = 0x40;
    /// Programs for Linux and macOS.
    pub const UNIX: u64 = 0x80;
}
