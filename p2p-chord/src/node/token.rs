//! Proof of an address without keeping anything of whoever asks: [`Tokens`].

use core::hash::Hasher as _;
use core::net::{IpAddr, SocketAddr};
use p2p_core::{Duration, Instant, Rng};
use siphasher::sip::SipHasher13;

/// A token is good for this long at least, for twice as long at most.
const EPOCH: Duration = Duration::from_secs(900);

/// The key that tokens are made with.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    keys: [u64; 2],
    since: Instant,
}

impl Tokens {
    pub(super) fn draw(rng: &mut Rng, now: Instant) -> Self {
        Self { keys: [rng.bits(), rng.bits()], since: now }
    }

    pub(super) const fn touch(&self) -> u64 {
        self.keys[0]
    }

    fn epoch(&self, now: Instant) -> u64 {
        (now.since(self.since).as_secs()) / EPOCH.as_secs()
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

    /// What this address is to show.
    pub(super) fn of(&self, addr: SocketAddr, now: Instant) -> u32 {
        self.make(addr, self.epoch(now))
    }

    /// Whether this was sent there, not too long ago.
    pub(super) fn is_of(&self, token: u32, addr: SocketAddr, now: Instant) -> bool {
        let epoch = self.epoch(now);
        token != 0 && (token == self.make(addr, epoch) || epoch > 0 && token == self.make(addr, epoch - 1))
    }
}
