//! When packets of a recorded MPEG transport stream are due: [`Pacer`].
//!
//! A stream carries the clock of its program (PCR, ISO/IEC 13818-1, 2.4.2.2: 33 bits at 90 kHz and 9 at 27 MHz) every 100 ms
//! at the latest. What lies between two of them is due at even distances.

use p2p_core::Bytes;
use std::time::Duration;

/// Bytes of a packet of a transport stream, and how each begins.
pub(crate) const TS: usize = 188;
const SYNC: u8 = 0x47;
/// After which the clock begins again.
const TURN: u64 = (1 << 33) * 300;
/// Ticks of it in a second.
const HERTZ: u64 = 27_000_000;
/// Two clocks that are farther apart are none of the same recording, or it was cut there.
const FARTHEST: u64 = HERTZ;
/// Bytes without a clock, after which there is none.
const PATIENCE: usize = 1 << 20;

/// The clock in a packet of a transport stream, and the PID that it is of.
pub(crate) fn clock(packet: &[u8]) -> Option<(u16, u64)> {
    let [SYNC, high, low, control, len, flags, at @ ..] = packet else { return None };
    let has_clock = control & 0x20 != 0 && *len >= 7 && flags & 0x10 != 0;
    let &[a, b, c, d, e, f, ..] = at else { return None };
    if !has_clock {
        return None;
    }
    let base = u64::from(u32::from_be_bytes([a, b, c, d])) << 1 | u64::from(e >> 7);
    let extension = u64::from(e & 1) << 8 | u64::from(f);
    Some((u16::from(high & 0x1f) << 8 | u16::from(*low), base * 300 + extension))
}

/// Whether these are packets of a transport stream.
pub(crate) fn is_stream(block: &[u8]) -> bool {
    block.chunks(TS).all(|packet| packet.first() == Some(&SYNC))
}

/// Says when blocks of a recording are due.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    pid: Option<u16>,
    /// The last clock, and when what it is in is due.
    last: Option<(u64, Duration)>,
    /// How long a block takes, by the last two.
    each: Duration,
    /// Blocks since, the one with the last clock first.
    held: Vec<Bytes>,
    /// Bytes so far in which there was none.
    without: usize,
}

impl Pacer {
    /// The next block, some whole packets; gives those that can be said of when they are due, from the first one on.
    pub(crate) fn push(&mut self, block: Bytes, due: &mut Vec<(Duration, Bytes)>) {
        let clocks = block.chunks(TS).filter_map(clock);
        let mut found = clocks.filter(|(pid, _)| self.pid.is_none_or(|known| known == *pid));
        match found.next() {
            Some((pid, now)) => {
                self.pid = Some(pid);
                let at = match self.last {
                    None => Duration::ZERO,
                    Some((before, at)) => {
                        let ticks = (now + TURN - before) % TURN;
                        let count = self.held.len().max(1) as u32;
                        if ticks <= FARTHEST {
                            self.each = Duration::from_nanos(ticks * 1_000 / 27) / count;
                        }
                        at + self.each * count
                    }
                };
                self.release(due);
                self.last = Some((now, at));
            }
            None if self.last.is_none() => self.without += block.len(),
            None => {}
        }
        self.held.push(block);
    }

    /// Whether it has no clock: none was found in so much of it, or in all there is (`is_all`).
    pub(crate) const fn has_none(&self, is_all: bool) -> bool {
        self.pid.is_none() && (is_all || self.without > PATIENCE)
    }

    /// What is held, at the end.
    pub(crate) fn release(&mut self, due: &mut Vec<(Duration, Bytes)>) {
        let from = self.last.map_or(Duration::ZERO, |(_, at)| at);
        let held = (0..).zip(self.held.drain(..));
        due.extend(held.map(|(n, block)| (from + self.each * n, block)));
    }
}

/// Bytes in a second of a recording of which this is the beginning, by its clocks.
pub(crate) fn rate(beginning: &[u8]) -> Option<u32> {
    let mut clocks = beginning.chunks(TS).enumerate().filter_map(|(n, packet)| Some((n, clock(packet)?)));
    let (first, (pid, began)) = clocks.next()?;
    let mut last = (first, began);
    for (n, (other, now)) in clocks {
        if other == pid && (now + TURN - last.1) % TURN <= FARTHEST {
            last = (n, now);
        }
    }
    let (bytes, ticks) = ((last.0 - first) * TS, (last.1 + TURN - began) % TURN);
    u32::try_from(bytes as u64 * HERTZ / Some(ticks).filter(|ticks| *ticks > 0)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(clock: Option<u64>) -> Vec<u8> {
        let mut packet = vec![0xff; TS];
        packet[..4].copy_from_slice(&[SYNC, 1, 0, 0x30]);
        match clock {
            None => packet[3] = 0x10,
            Some(clock) => {
                let (base, extension) = (clock / 300 % (1 << 33), clock % 300);
                packet[4..6].copy_from_slice(&[7, 0x10]);
                packet[6..10].copy_from_slice(&((base >> 1) as u32).to_be_bytes());
                packet[10] = ((base & 1) << 7) as u8 | 0x7e | (extension >> 8) as u8;
                packet[11] = extension as u8;
            }
        }
        packet
    }

    #[test]
    fn a_clock_as_written() {
        for at in [0, 299, 300, 27_000_123, TURN - 1] {
            assert_eq!(clock(&packet(Some(at))), Some((256, at)));
        }
        assert_eq!(clock(&packet(None)), None);
        assert_eq!(clock(&packet(Some(1))[..9]), None);
        // A field that is too short for a clock.
        let mut short = packet(Some(1));
        short[4] = 1;
        assert_eq!(clock(&short), None);
    }

    #[test]
    fn even_between_two_clocks_also_where_it_turns() {
        let (mut pacer, mut due) = (Pacer::default(), Vec::new());
        let begin = TURN - HERTZ / 20;
        for n in 0..9_u64 {
            let clock = n.is_multiple_of(4).then(|| (begin + n * HERTZ / 40) % TURN);
            pacer.push(packet(clock).into(), &mut due);
        }
        pacer.release(&mut due);
        let times: Vec<_> = due.iter().map(|(at, _)| at.as_millis()).collect();
        assert_eq!(times, [0, 25, 50, 75, 100, 125, 150, 175, 200]);
    }

    /// Where a recording was cut, it goes on as fast as before.
    #[test]
    fn a_cut() {
        let (mut pacer, mut due) = (Pacer::default(), Vec::new());
        for clock in [0, HERTZ / 10, 500 * HERTZ, 500 * HERTZ + HERTZ / 5] {
            pacer.push(packet(Some(clock)).into(), &mut due);
        }
        pacer.release(&mut due);
        let times: Vec<_> = due.iter().map(|(at, _)| at.as_millis()).collect();
        assert_eq!(times, [0, 100, 200, 400]);
    }

    #[test]
    fn how_fast() {
        let stream: Vec<u8> = (0..50_u64).flat_map(|n| packet(Some(n * HERTZ / 100))).collect();
        assert_eq!(rate(&stream), Some(18_800));
        assert_eq!(rate(&packet(None)), None);
        let (mut pacer, mut due) = (Pacer::default(), Vec::new());
        assert!(pacer.has_none(true));
        while !pacer.has_none(false) {
            pacer.push(vec![0; 1_316].into(), &mut due);
        }
        assert!(due.is_empty());
        pacer.release(&mut due);
        assert!(due.len() * 1_316 > PATIENCE);
    }
}
