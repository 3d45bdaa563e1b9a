//! The hosts of one LAN as one node of the trees: an *island*.
//!
//! ```text
//!            outside                      the LAN
//!   parent ───── unicast ─────► forwarder ══ multicast, TTL 1 ══► the others: no parent in this tree
//!      ▲                                                          first stand-bys: a parent that rests
//!      └────── wakes when the forwarder is silent ────────────────────────┘
//! ```
//! Hosts find each other by [beacons](beacon) on a multicast group that only their stream has ([`group_at`]), so
//! neither subnets nor addresses are believed. Of those that hear each other one is first in each tree, by uplink, then
//! by a number. It gets that tree's symbols from outside and sends each to the group once. The next two have a parent
//! that sends them nothing until it is asked (`Flow::Rest`), the others have none. Should a tree be silent for longer
//! than its pauses explain, the next one asks its parent for what comes behind the last symbol that it heard, and sends
//! to the group what is new on it; who goes before it and says in its beacon that it is as far gets the tree back.
//!
//! Whoever hears nobody, is heard by nobody, or hears too few of the symbols has parents in all trees, as if it were
//! alone, and tries again later. What is heard on a group is checked as anything else is: by what the source signed.

mod address;
pub mod beacon;
pub(crate) mod peers;
pub(crate) mod quality;
pub(crate) mod stripe;

pub use address::group_at;

use crate::group::GroupKey;
use core::net::SocketAddr;
use p2p_core::{Duration, Group, Instant, Rng, SocketId};
use peers::Peers;
use quality::{Hearing, Quality};
use stripe::Stripe;

/// How a member takes part in its LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lan {
    /// The index of the network interface, in place of one that the system would choose; `None` only where there are
    /// none to choose from, as in a simulation.
    pub interface: Option<u32>,
    /// Whoever has more goes before others as a forwarder: bytes in a second that its way out carries, say. 0: it never
    /// forwards. 1 by default.
    pub uplink: u32,
}

impl Lan {
    /// By this interface.
    #[must_use]
    pub const fn on(interface: u32) -> Self {
        Self { interface: Some(interface), uplink: 1 }
    }

    /// Where there is one interface only.
    #[must_use]
    pub const fn anywhere() -> Self {
        Self { interface: None, uplink: 1 }
    }
}

/// Others are listened for before anybody outside is asked for a place.
const LISTEN: Duration = Duration::from_millis(250);
/// Beacons of who begins, so that nobody has to wait for the next one.
const HELLOS: u8 = 3;
const HELLO: Duration = Duration::from_millis(80);
/// A beacon of who sends nothing.
const SLOW: Duration = Duration::from_secs(1);
/// Of who sends, so that what it claims is up to date.
const CLAIMS: Duration = Duration::from_millis(200);
/// Who sends, and has sent nothing for so long, says that it is there.
const IDLE: Duration = Duration::from_millis(50);
/// No two beacons follow each other sooner.
const SOONEST: Duration = Duration::from_millis(10);
/// Who did not hear enough tries again after so long, then after twice that.
const RETRY: Duration = Duration::from_secs(5);

/// A member's part in its LAN.
#[derive(Debug)]
pub(crate) struct Island {
    pub(crate) lan: Lan,
    /// Where the group is heard.
    pub(crate) socket: SocketId,
    pub(crate) group: SocketAddr,
    pub(crate) is_joined: bool,
    /// Where the others see us, once we heard ourselves.
    pub(crate) me_at: Option<SocketAddr>,
    pub(crate) peers: Peers,
    pub(crate) stripes: alloc::vec::Vec<Stripe>,
    pub(crate) quality: Quality,
    /// Until then nobody outside is asked.
    pub(crate) listens: Instant,
    next_beacon: Instant,
    last_beacon: Instant,
    last_cast: Instant,
    hellos: u8,
    /// It heard too little, and does without until then.
    poor: Option<Instant>,
    tries: u32,
}

impl Island {
    pub(crate) fn new(
        lan: Lan,
        key: GroupKey,
        is_ipv6: bool,
        now: Instant,
        bind: impl FnOnce(SocketAddr) -> SocketId,
    ) -> Self {
        let mut group = group_at(key, is_ipv6);
        if let (SocketAddr::V6(group), Some(interface)) = (&mut group, lan.interface) {
            // An address of link-local scope says nothing without it.
            group.set_scope_id(interface);
        }
        Self {
            lan,
            socket: bind(group),
            group,
            is_joined: false,
            me_at: None,
            peers: Peers::default(),
            stripes: alloc::vec::Vec::new(),
            quality: Quality::default(),
            listens: now + LISTEN,
            next_beacon: now,
            last_beacon: Instant::ZERO,
            last_cast: Instant::ZERO,
            hellos: 0,
            poor: None,
            tries: 0,
        }
    }

    /// What is joined.
    pub(crate) fn membership(&self) -> Group {
        Group { addr: self.group.ip(), interface: self.lan.interface, ttl: Some(1), looped: true }
    }

    /// Whether it takes part: forwards if its turn comes, and takes what others forward.
    pub(crate) const fn is_willing(&self) -> bool {
        self.poor.is_none()
    }

    /// Whether what it gets from outside is for others too.
    pub(crate) fn has_listeners(&self, now: Instant) -> bool {
        self.is_joined && self.is_willing() && self.lan.uplink > 0 && self.peers.any_mutual(now)
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_beacon <= now
    }

    /// A beacon was sent: when the next one is due.
    pub(crate) fn beaconed(&mut self, now: Instant, rng: &mut Rng) {
        self.last_beacon = now;
        let sends = self.stripes.iter().any(|stripe| stripe.is_active) && now.since(self.last_cast) < SLOW;
        let claims = self.stripes.iter().any(|stripe| stripe.is_own) && self.peers.any_mutual(now);
        self.next_beacon = now
            + match (self.hellos < HELLOS, sends, claims) {
                (true, ..) => HELLO / 2 + rng.phase(HELLO),
                (false, true, _) => IDLE,
                (false, false, true) => CLAIMS,
                (false, false, false) => SLOW * 3 / 4 + rng.phase(SLOW / 2),
            };
        self.hellos = self.hellos.saturating_add(1);
    }

    /// A symbol or a manifest was sent to the group, which says as well that we are there.
    pub(crate) fn cast(&mut self, now: Instant) {
        self.last_cast = now;
        if self.hellos > HELLOS {
            self.next_beacon = self.next_beacon.max(now + IDLE).min(self.last_beacon + CLAIMS).max(now);
        }
    }

    /// The others are to hear of something, within `within`.
    pub(crate) fn hasten(&mut self, now: Instant, within: Duration, rng: &mut Rng) {
        let soon = (now + rng.phase(within)).max(self.last_beacon + SOONEST);
        self.next_beacon = self.next_beacon.min(soon);
    }

    /// Our part changed: the others are to hear of it at once.
    pub(crate) fn tell(&mut self, now: Instant) {
        self.next_beacon = self.next_beacon.min(now.max(self.last_beacon + SOONEST));
    }

    /// How soon it is to be looked after again.
    pub(crate) fn pace(&self, now: Instant) -> Duration {
        let soon = |now: Instant, at: Instant| at.since(now).max(Duration::from_millis(1));
        let look = if self.peers.any_mutual(now) {
            if self.stripes.iter().any(|stripe| stripe.is_standby) {
                Duration::from_millis(20)
            } else {
                Duration::from_millis(60)
            }
        } else {
            LISTEN / 2
        };
        look.min(soon(now, self.next_beacon))
    }

    /// Looks at what was heard of late. True if it is now alone, or takes part again.
    pub(crate) fn listen(&mut self, now: Instant) -> bool {
        if self.poor.is_some_and(|until| until <= now) {
            // Where all hear too little nobody sends, so this can only be tried.
            self.poor = None;
            self.quality.begin();
            return true;
        }
        match self.quality.hearing(now) {
            Some(Hearing::Poor) if self.poor.is_none() => {
                self.poor = Some(now + RETRY * (1 << self.tries.min(6)));
                self.tries += 1;
                true
            }
            Some(Hearing::Well) if self.poor.is_none() => {
                self.tries = 0;
                false
            }
            _ => false,
        }
    }
}
