//! How a member behaves: [`Config`].

use crate::lan::Lan;
use crate::policy::Policy;
use crate::seal::SharedKey;
use crate::shape::Shape;
use crate::verified::Verified;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use ed25519_dalek::SigningKey;
use p2p_core::Duration;

/// The secret key of a source.
#[derive(Clone)]
pub struct SourceKey(pub(crate) SigningKey);

impl SourceKey {
    /// From 32 secret bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// The group that it is the source of.
    #[must_use]
    pub fn group(&self) -> crate::GroupKey {
        (&self.0).into()
    }
}

// What is secret is not shown.
impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceKey(of {:?})", self.group())
    }
}

/// How a member behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it hears datagrams. Port 0: any free one.
    pub listen: SocketAddr,
    /// Bytes in a second that it may send of the stream: 0 if it passes nothing on. 500,000 by default (4 Mbit/s).
    pub upload: u32,
    /// How long a packet that misses is waited for: 2 s. What comes in order goes out at once.
    pub patience: Duration,
    /// Generations that are kept for others behind the output.
    pub history: usize,
    /// Generations that are kept in all, history included. With packets of 1,316 bytes and the default shape, 1,024 of
    /// them are 5.4 MB.
    pub window: usize,
    /// A source's key; who only watches needs none.
    pub source: Option<SourceKey>,
    /// How a source cuts its stream.
    pub shape: Shape,
    /// Bytes in a second that a source announces.
    pub rate: u32,
    /// The number of a source's first generation: 0. Tests begin elsewhere.
    pub first: u64,
    /// After how long a source closes a generation, and signs, though it is not full: 100 ms. Longer adds to the delay
    /// of slow streams, shorter to their parity.
    pub flush: Duration,
    /// Bytes of the stream in a second that a source sends at most, however fast it is given them: more in a row than
    /// sockets have room for is lost. 0, as by default: what it is given goes out at once.
    pub pace: u32,
    /// How much of the stream is kept for viewers that begin in the past, here and elsewhere: 0 by default. By the rate
    /// that the source announced, and 256 MiB at most; [`history`](Self::history) is kept in any case.
    pub keep: Duration,
    /// How far behind the newest a member begins that joins: 0 by default. Others have to [keep](Self::keep) it.
    pub begin: Duration,
    /// What the packets of a closed group are encrypted with: the source's, and that of who is to watch. A member that
    /// only passes the stream on needs none.
    pub shared: Option<SharedKey>,
    /// The LAN that it shares its stream with, by multicast that leaves it nowhere. `None`, as by default: it neither
    /// hears nor sends anything there.
    pub lan: Option<Lan>,
    /// How parents are found; all members of a group do it in the same way. [`Policy::Tree`] by default.
    pub policy: Policy,
    /// What other members of the same process have verified, in simulations. `None` by default.
    pub verified: Option<Verified>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            upload: 500_000,
            patience: Duration::from_secs(2),
            history: 256,
            window: 1_024,
            source: None,
            shape: Shape::SIX_OF_FOUR,
            rate: 125_000,
            first: 0,
            flush: Duration::from_millis(100),
            pace: 0,
            keep: Duration::ZERO,
            begin: Duration::ZERO,
            shared: None,
            lan: None,
            policy: Policy::Tree,
            verified: None,
        }
    }
}
