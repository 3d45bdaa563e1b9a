//! What a peer has: [`Has`].

use p2p_core::Bitfield;

/// What a peer has.
#[derive(Clone, Copy, Debug)]
pub enum Has<'a> {
    /// Every piece. Only of peers that were announced by [`Picker::peer_has_all`](super::Picker::peer_has_all).
    All,
    /// These.
    Some(&'a Bitfield),
}

impl<'a> From<&'a Bitfield> for Has<'a> {
    fn from(bits: &'a Bitfield) -> Self {
        Self::Some(bits)
    }
}

impl Has<'_> {
    pub(super) fn get(self, piece: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => bits.get(piece),
        }
    }

    pub(super) fn word(self, at: usize) -> u64 {
        match self {
            Self::All => u64::MAX,
            Self::Some(bits) => word(bits, at),
        }
    }
}

/// Bits `64 * at` and on, the first of them the most significant; zeros past the end.
pub(super) fn word(bits: &Bitfield, at: usize) -> u64 {
    let rest = bits.as_bytes().get(at * 8..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return u64::from_be_bytes(*whole);
    }
    let mut part = [0; 8];
    part.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(part)
}
