//! `H`: a digest in binary (gtk-gnutella's `doc/public/GGEP/H`).

use crate::huge::Urn;
use alloc::vec::Vec;
use p2p_core::hash::{Sha1Hash, Tth};

/// The first byte of a SHA-1: 20 bytes follow.
pub const H_SHA1: u8 = 1;
/// The first byte of a bitprint: the SHA-1 and the root of the tiger tree follow, 44 bytes.
pub const H_BITPRINT: u8 = 2;
/// The first byte of an MD5: 16 bytes follow.
const H_MD5: u8 = 3;

/// Reads the data of `H`; `None` if it is malformed, or of a kind that is not known here (0x04 a UUID, 0x05 MD4).
#[must_use]
pub fn parse_h(data: &[u8]) -> Option<Urn> {
    let (kind, digest) = data.split_first()?;
    match *kind {
        H_SHA1 => Some(Urn::Sha1(Sha1Hash(digest.try_into().ok()?))),
        H_BITPRINT => {
            let (sha1, tree) = digest.split_first_chunk()?;
            Some(Urn::Bitprint(Sha1Hash(*sha1), Tth(tree.try_into().ok()?)))
        }
        H_MD5 => Some(Urn::Md5(digest.try_into().ok()?)),
        _ => None,
    }
}

/// The data of `H`; `None` of a name that has no form there.
#[must_use]
pub fn put_h(urn: &Urn) -> Option<Vec<u8>> {
    Some(match urn {
        Urn::Sha1(sha1) => [&[H_SHA1][..], &sha1.0].concat(),
        Urn::Bitprint(sha1, tth) => [&[H_BITPRINT][..], &sha1.0, &tth.0].concat(),
        Urn::Md5(md5) => [&[H_MD5][..], md5].concat(),
        Urn::TigerTree(_) => return None,
    })
}
