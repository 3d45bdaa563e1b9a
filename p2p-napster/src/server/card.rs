//! What searches need of the holder of a file, in one line of a processor's memory: [`Card`].

use super::answers::wire_addr;
use super::users::User;
use crate::wire::Writer;
use bytes::BytesMut;

/// Bytes of the text: a nick of 43 and the longest address and line.
pub(super) const TEXT: usize = 58;

/// A user as hits show it. A search that finds a hundred files looks at as many users, each of whom is far from the
/// processor; so all that it needs of one lies in 64 bytes, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Card {
    /// ` nick ip speed`.
    text: [u8; TEXT],
    /// 0 if that is too long.
    len: u8,
    pub(super) speed: u8,
    pub(super) is_firewalled: bool,
}

/// Of nobody.
impl Default for Card {
    fn default() -> Self {
        Self { text: [0; TEXT], len: 0, speed: 0, is_firewalled: true }
    }
}

impl Card {
    pub(super) fn of(user: &User) -> Self {
        let mut told = BytesMut::new();
        put_holder(&mut told, user);
        let mut card = Self { speed: user.speed.0, is_firewalled: user.is_firewalled(), ..Self::default() };
        if let Some(text) = card.text.get_mut(..told.len()) {
            text.copy_from_slice(&told);
            card.len = told.len() as u8;
        }
        card
    }

    /// The end of a hit, with how many bytes of it count; `None` if it does not fit, see [`put_holder`].
    pub(super) fn text(&self) -> Option<(&[u8; TEXT], usize)> {
        (self.len > 0).then_some((&self.text, usize::from(self.len)))
    }
}

/// Appends ` nick ip speed`.
pub(super) fn put_holder(out: &mut BytesMut, user: &User) {
    Writer::new(out).raw(b"").word(&user.nick).number(wire_addr(user.ip)).number(user.speed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_memory() {
        assert_eq!((size_of::<Card>(), align_of::<Card>()), (64, 64));
    }
}
