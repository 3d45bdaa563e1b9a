//! Proof of an address without keeping anything of whoever is to prove it: [`Tokens`].
//!
//! Who answers datagrams with longer ones, to addresses that anybody can write on them, is a weapon. So a node gives
//! each address a token, a keyed digest of the address, and does more for who shows it (RFC 9000, section 8, has the
//! same for QUIC).

use crate::rng::Rng;
use crate::time::Instant;
use core::hash::Hasher as _;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use siphasher::sip::SipHasher13;

/// A token is good for this long at least, for twice as long at most: 15 minutes.
pub const TOKEN_LIFE: Duration = Duration::from_secs(900);

/// The key that a node makes its tokens with.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    keys: [u64; 2],
    since: Instant,
}

impl Tokens {
    /// With a key that is drawn.
    pub fn draw(rng: &mut Rng, now: Instant) -> Self {
        Self { keys: [rng.bits(), rng.bits()], since: now }
    }

    fn epoch(&self, now: Instant) -> u64 {
        now.since(self.since).as_secs() / TOKEN_LIFE.as_secs()
    }

    fn make(&self, addr: SocketAddr, epoch: u64) -> u32 {
        let mut hasher = SipHasher13::new_with_keys(self.keys[0], self.keys[1]);
        match addr.ip() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write_u64(epoch << 16 | u64::from(addr.port()));
        (hasher.finish() as u32).max(1)
    }

    /// What this address is to show. Never 0.
    #[must_use]
    pub fn of(&self, addr: SocketAddr, now: Instant) -> u32 {
        self.make(addr, self.epoch(now))
    }

    /// Whether this was sent there, not too long ago.
    #[must_use]
    pub fn is_of(&self, token: u32, addr: SocketAddr, now: Instant) -> bool {
        let epoch = self.epoch(now);
        token != 0 && (token == self.make(addr, epoch) || epoch > 0 && token == self.make(addr, epoch - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_for_a_while() {
        let start = Instant::ZERO + Duration::from_secs(5);
        let tokens = Tokens::draw(&mut Rng::fast_from(1), start);
        let here = SocketAddr::from(([192, 0, 2, 1], 4000));
        let token = tokens.of(here, start);
        assert!(tokens.is_of(token, here, start));
        assert!(tokens.is_of(token, here, start + TOKEN_LIFE));
        assert!(!tokens.is_of(token, here, start + 2 * TOKEN_LIFE));
        assert!(!tokens.is_of(token, SocketAddr::from(([192, 0, 2, 1], 4001)), start));
        assert!(!tokens.is_of(token, SocketAddr::from(([192, 0, 2, 2], 4000)), start));
        assert!(!tokens.is_of(0, here, start));
        assert!(!Tokens::draw(&mut Rng::fast_from(2), start).is_of(token, here, start), "another node's");
    }
}
