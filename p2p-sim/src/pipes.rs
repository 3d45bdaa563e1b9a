//! Bandwidth: one server per direction of a node, shared by its streams in turns.

use p2p_core::{Duration, Instant};
use std::collections::VecDeque;

/// How many bytes a second a node can send and receive. The time that bytes need on the wire comes on top of the
/// delay of the [`Links`](crate::Links). Heads of packets are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes a second out; `None` if there is no limit.
    pub up: Option<u64>,
    /// Bytes a second in; `None` if there is no limit.
    pub down: Option<u64>,
}

impl Bandwidth {
    /// No limit in either direction.
    pub const UNLIMITED: Self = Self { up: None, down: None };

    /// So many bytes a second up and down.
    #[must_use]
    pub const fn bytes(up: u64, down: u64) -> Self {
        Self { up: Some(up), down: Some(down) }
    }

    /// So many bits a second up and down.
    #[must_use]
    pub const fn bits(up: u64, down: u64) -> Self {
        Self::bytes(up / 8, down / 8)
    }
}

/// No limits, so nothing to keep.
pub(crate) const NO_PIPE: u32 = u32::MAX;

/// The sending end of a stream: its wire's slot, that slot's use, and the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) slot: u32,
    pub(crate) epoch: u32,
    pub(crate) side: u8,
}

/// The two servers of a node.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) rates: Bandwidth,
    /// Streams with something to send, in turns.
    pub(crate) turns: VecDeque<Way>,
    /// The bytes of somebody's turn are on the wire.
    pub(crate) busy: bool,
    /// Whose they are, if more of it waits.
    pub(crate) again: Option<Way>,
    /// Time that datagrams and small packets took from the turn on the wire.
    debt: u64,
    /// When those will have left that were sent while no stream had its turn.
    idle_until: Instant,
    /// When the last datagram will have left.
    datagrams_until: Instant,
    /// When the work that has come in will be done.
    down_until: Instant,
}

/// The time that `bytes` need at `rate` bytes a second, in nanoseconds.
pub(crate) fn wire_time(bytes: usize, rate: u64) -> u64 {
    (bytes as u128 * 1_000_000_000 / u128::from(rate.max(1))) as u64
}

impl Pipe {
    pub(crate) fn new(rates: Bandwidth) -> Self {
        Self {
            rates,
            turns: VecDeque::new(),
            busy: false,
            again: None,
            debt: 0,
            idle_until: Instant::ZERO,
            datagrams_until: Instant::ZERO,
            down_until: Instant::ZERO,
        }
    }

    /// Whose turn is next, as things stand.
    pub(crate) fn next(&self) -> Option<Way> {
        self.turns.front().copied().or(self.again)
    }

    /// When a turn of so many bytes, begun now, will have left.
    pub(crate) fn turn_done(&mut self, bytes: usize, now: Instant) -> Instant {
        let time = self.rates.up.map_or(0, |rate| wire_time(bytes, rate));
        self.idle_until.max(now) + Duration::from_nanos(time + std::mem::take(&mut self.debt))
    }

    /// When the few bytes of a stream that sends nothing else will have left, if they may go between the packets of the
    /// streams that take turns: as routers that queue by flow let them, but no more of them than a turn is long.
    pub(crate) fn packet_out(&mut self, bytes: usize, quantum: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = self.rates.up else { return Some(now) };
        let time = wire_time(bytes, rate);
        if !self.busy {
            self.idle_until = self.idle_until.max(now) + Duration::from_nanos(time);
            return Some(self.idle_until);
        }
        if self.debt > wire_time(quantum, rate) {
            return None;
        }
        self.debt += time;
        Some(now + Duration::from_nanos(time))
    }

    /// When a datagram will have left; `None` if the queue before it is longer than `queue` bytes. Datagrams go before
    /// streams, which wait the longer for it.
    pub(crate) fn datagram_out(&mut self, bytes: usize, queue: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = self.rates.up else { return Some(now) };
        let start = self.datagrams_until.max(now);
        if start.since(now).as_nanos() as u64 > wire_time(queue, rate) {
            return None;
        }
        let time = wire_time(bytes, rate);
        self.datagrams_until = start + Duration::from_nanos(time);
        if self.busy {
            self.debt += time;
        } else {
            self.idle_until = self.idle_until.max(self.datagrams_until);
        }
        Some(self.datagrams_until)
    }

    /// When bytes whose last bit came in now, and whose first came `spread` earlier, are received.
    ///
    /// Bits are taken as they come, so a slow sender does not make a fast receiver wait; but the work adds up, so many
    /// slow senders do.
    pub(crate) fn stream_in(&mut self, bytes: usize, spread: u64, now: Instant) -> Instant {
        let Some(rate) = self.rates.down else { return now };
        let start = self.down_until.max(now - Duration::from_nanos(spread));
        self.down_until = start + Duration::from_nanos(wire_time(bytes, rate));
        self.down_until.max(now)
    }

    /// The same for a datagram; `None` if the queue before it is longer than `queue` bytes.
    pub(crate) fn datagram_in(&mut self, bytes: usize, queue: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = self.rates.down else { return Some(now) };
        if self.down_until.since(now).as_nanos() as u64 > wire_time(queue, rate) {
            return None;
        }
        Some(self.stream_in(bytes, 0, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_slow_senders_fill_a_fast_receiver() {
        // 10 senders of 50 kB/s each into 187.5 kB/s: what 2.67 times the rate brings takes 2.67 times as long.
        let mut pipe = Pipe::new(Bandwidth::bits(400_000, 1_500_000));
        let block = 16_384;
        let spread = wire_time(block, 50_000);
        let mut last = Instant::ZERO;
        for round in 1..=100u64 {
            let now = Instant::from_nanos(round * spread);
            for _ in 0..10 {
                last = pipe.stream_in(block, spread, now);
            }
        }
        let ideal = 1_000.0 * block as f64 / 187_500.0;
        let took = last.as_nanos() as f64 / 1e9;
        assert!((took / ideal - 1.0).abs() < 0.01, "{took} against {ideal}");
    }
}
