//! Who is served, and who waits: [`Slots`].

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use p2p_core::{ConnId, Duration, Instant};

/// How many are served and may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLimits {
    /// Uploads at once. Four keep a link of the time busy, and today's too.
    pub uploads: usize,
    /// Of them to one address.
    pub per_address: usize,
    /// Places in the queue.
    pub queue: usize,
    /// Of them for one address.
    pub queue_per_address: usize,
    /// How soon a place may be asked for again.
    pub poll_min: Duration,
    /// How late: past it, it is lost.
    pub poll_max: Duration,
}

impl Default for SlotLimits {
    fn default() -> Self {
        Self {
            uploads: 4,
            per_address: 2,
            queue: 64,
            queue_per_address: 4,
            poll_min: Duration::from_secs(30),
            poll_max: Duration::from_secs(120),
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Serve,
    /// It waits at this place, of so many.
    Wait {
        /// 1 is the next.
        position: usize,
        /// How many wait.
        length: usize,
    },
    /// It came again too soon: the place is lost.
    Hasty,
    /// There is no place.
    Busy,
}

#[derive(Debug)]
struct Waiting {
    conn: ConnId,
    ip: IpAddr,
    asked: Instant,
}

/// Slots and the queue for them. A place belongs to a stream, which stays open and asks again (active queueing).
#[derive(Debug)]
pub struct Slots {
    limits: SlotLimits,
    served: BTreeMap<ConnId, IpAddr>,
    queue: Vec<Waiting>,
}

impl Slots {
    /// All free.
    #[must_use]
    pub const fn new(limits: SlotLimits) -> Self {
        Self { limits, served: BTreeMap::new(), queue: Vec::new() }
    }

    /// How many are served.
    #[must_use]
    pub fn served(&self) -> usize {
        self.served.len()
    }

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &SlotLimits {
        &self.limits
    }

    /// A stream asks. A slot is kept until [`leave`](Self::leave), so that whoever is served goes on being served.
    pub fn ask(&mut self, conn: ConnId, ip: IpAddr, can_wait: bool, now: Instant) -> Verdict {
        if self.served.contains_key(&conn) {
            return Verdict::Serve;
        }
        let lasts = self.limits.poll_max;
        self.queue.retain(|waiting| waiting.conn == conn || now.since(waiting.asked) <= lasts);
        let place = self.queue.iter().position(|waiting| waiting.conn == conn);
        let ours = self.served.values().filter(|is| **is == ip).count();
        let free = self.limits.uploads.saturating_sub(self.served.len());
        // Those ahead who may be served at all come first.
        let ahead = self.queue[..place.unwrap_or(self.queue.len())]
            .iter()
            .filter(|waiting| {
                self.served.values().filter(|is| **is == waiting.ip).count() < self.limits.per_address
            })
            .count();
        if ours < self.limits.per_address && ahead < free {
            if let Some(place) = place {
                self.queue.remove(place);
            }
            self.served.insert(conn, ip);
            return Verdict::Serve;
        }
        if !can_wait {
            return Verdict::Busy;
        }
        if let Some(place) = place {
            let hasty = now.since(self.queue[place].asked) < self.limits.poll_min;
            if hasty {
                self.queue.remove(place);
                return Verdict::Hasty;
            }
            self.queue[place].asked = now;
            return Verdict::Wait { position: place + 1, length: self.queue.len() };
        }
        let ours = self.queue.iter().filter(|waiting| waiting.ip == ip).count();
        if self.queue.len() >= self.limits.queue || ours >= self.limits.queue_per_address {
            return Verdict::Busy;
        }
        self.queue.push(Waiting { conn, ip, asked: now });
        Verdict::Wait { position: self.queue.len(), length: self.queue.len() }
    }

    /// A stream needs its slot or place no more.
    pub fn leave(&mut self, conn: ConnId) {
        self.served.remove(&conn);
        self.queue.retain(|waiting| waiting.conn != conn);
    }
}
