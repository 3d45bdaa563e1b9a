//! [`Hosts`]: addresses, and what is known of each.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};
use p2p_core::{Duration, Instant, UnixTime};

/// After so many failures one after the other an address is forgotten.
const FAILS_MAX: u8 = 4;
/// Lines of a kept list that are longer are not looked at.
const LINE_MAX: usize = 80;
/// What was kept longer than this is worth nothing.
const KEPT_FOR: u64 = 14 * 86_400;

/// What is known of an address.
#[derive(Clone, Copy, Debug)]
struct Host {
    ultrapeer: bool,
    /// Whether the application named it.
    named: bool,
    /// Whether it was a neighbour.
    proven: bool,
    /// Whether a stream to it could not be secured.
    plain: bool,
    /// Whether it says that it answers queries by UDP.
    guessed: bool,
    seen: Instant,
    tried: Option<Instant>,
    fails: u8,
}

/// The host cache.
#[derive(Debug)]
pub(in crate::servent) struct Hosts {
    cap: usize,
    known: BTreeMap<SocketAddr, Host>,
}

/// Whether a stranger's word for an address can be one that is dialled. Private networks are networks too.
pub(in crate::servent) fn is_sane(addr: SocketAddr) -> bool {
    let ip = match addr.ip() {
        IpAddr::V4(v4) => {
            !v4.is_unspecified() && !v4.is_broadcast() && !v4.is_multicast() && v4 != crate::wire::NO_ADDRESS
        }
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    };
    ip && addr.port() != 0
}

impl Hosts {
    pub(in crate::servent) const fn new(cap: usize) -> Self {
        Self { cap, known: BTreeMap::new() }
    }

    pub(in crate::servent) fn len(&self) -> usize {
        self.known.len()
    }

    pub(in crate::servent) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn put(&mut self, addr: SocketAddr, host: Host) {
        if self.known.len() >= self.cap.max(1) && !self.known.contains_key(&addr) {
            // What is worth least makes room: what failed, what nobody proved, what is old.
            let worst = self.known.iter().min_by_key(|(_, host)| {
                (host.named, Reverse(host.fails), host.proven, host.ultrapeer, host.seen)
            });
            if let Some(worst) = worst.map(|(addr, _)| *addr) {
                self.known.remove(&worst);
            }
        }
        self.known.insert(addr, host);
    }

    /// Somebody tells of an address. It may be anything: what is known of an address already is not changed but that it
    /// was seen.
    pub(in crate::servent) fn heard_of(&mut self, addr: SocketAddr, ultrapeer: bool, now: Instant) {
        if !is_sane(addr) {
            return;
        }
        match self.known.get_mut(&addr) {
            Some(host) => {
                host.ultrapeer |= ultrapeer;
                host.seen = now;
            }
            None => {
                let host = Host {
                    ultrapeer,
                    named: false,
                    proven: false,
                    plain: false,
                    guessed: false,
                    seen: now,
                    tried: None,
                    fails: 0,
                };
                self.put(addr, host);
            }
        }
    }

    /// The application names an address: it is dialled first, and never forgotten for others.
    pub(in crate::servent) fn named(&mut self, addr: SocketAddr, now: Instant) {
        let host = Host {
            ultrapeer: true,
            named: true,
            proven: false,
            plain: false,
            guessed: false,
            seen: now,
            tried: None,
            fails: 0,
        };
        self.put(addr, host);
    }

    pub(in crate::servent) fn tried(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(host) = self.known.get_mut(&addr) {
            host.tried = Some(now);
        }
    }

    /// It could not be reached.
    pub(in crate::servent) fn failed(&mut self, addr: SocketAddr, now: Instant) {
        let Some(host) = self.known.get_mut(&addr) else { return };
        host.tried = Some(now);
        host.fails = host.fails.saturating_add(1);
        if host.fails >= FAILS_MAX && !host.named {
            self.known.remove(&addr);
        }
    }

    /// A stream to it could not be secured.
    pub(in crate::servent) fn speaks_plain(&mut self, addr: SocketAddr) {
        if let Some(host) = self.known.get_mut(&addr) {
            host.plain = true;
        }
    }

    /// Whether it is to be spoken to in the clear.
    pub(in crate::servent) fn is_plain(&self, addr: SocketAddr) -> bool {
        self.known.get(&addr).is_some_and(|host| host.plain)
    }

    /// It says that it answers queries by UDP.
    pub(in crate::servent) fn is_guessed(&mut self, addr: SocketAddr) {
        if let Some(host) = self.known.get_mut(&addr) {
            host.guessed = true;
        }
    }

    /// Those who say that they answer queries by UDP and did not fail, the newest first.
    pub(in crate::servent) fn guessed(&self, most: usize, except: Option<SocketAddr>) -> Vec<SocketAddr> {
        self.newest(most, |addr, host| host.guessed && Some(addr) != except)
    }

    /// It is there, and has no place.
    pub(in crate::servent) fn refused(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(host) = self.known.get_mut(&addr) {
            host.tried = Some(now);
            host.seen = now;
            host.fails = host.fails.max(1);
        }
    }

    pub(in crate::servent) fn linked(&mut self, addr: SocketAddr, now: Instant) {
        self.heard_of(addr, true, now);
        if let Some(host) = self.known.get_mut(&addr) {
            host.proven = true;
            host.seen = now;
            host.fails = 0;
        }
    }

    /// Whom to dial next: who was named, ultrapeers, the newest; nobody that was dialled within `redial`, which doubles
    /// with each failure.
    pub(in crate::servent) fn next(
        &self,
        now: Instant,
        redial: Duration,
        is_free: impl Fn(SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        let rested = |host: &Host| {
            host.tried.is_none_or(|at| now.since(at) >= redial * (1 << host.fails.saturating_sub(1).min(6)))
        };
        let free = self.known.iter().filter(|(addr, host)| rested(host) && is_free(**addr));
        let best = free.max_by_key(|(addr, host)| {
            (host.named, Reverse(host.fails), host.ultrapeer, host.proven, host.seen, Reverse(**addr))
        });
        best.map(|(addr, _)| *addr)
    }

    /// Addresses to tell others, the newest first: ultrapeers, or others, that did not fail.
    pub(in crate::servent) fn to_tell(
        &self,
        most: usize,
        ultrapeers: bool,
        except: Option<SocketAddr>,
    ) -> Vec<SocketAddr> {
        self.newest(most, |addr, host| host.ultrapeer == ultrapeers && Some(addr) != except)
    }

    fn newest(&self, most: usize, is_such: impl Fn(SocketAddr, &Host) -> bool) -> Vec<SocketAddr> {
        let mut good: Vec<_> = self
            .known
            .iter()
            .filter(|(addr, host)| host.fails == 0 && is_such(**addr, host))
            .map(|(addr, host)| (Reverse((host.proven, host.seen)), *addr))
            .collect();
        good.sort_unstable();
        good.into_iter().take(most).map(|(_, addr)| addr).collect()
    }

    /// All addresses as lines: address, `U` or `L`, when it was seen in seconds since 1970.
    pub(in crate::servent) fn to_text(&self, now: Instant, civil: UnixTime) -> String {
        let mut text = String::new();
        for (addr, host) in self.known.iter().filter(|(_, host)| host.fails < FAILS_MAX) {
            let role = if host.ultrapeer { 'U' } else { 'L' };
            let seen = civil.as_secs().saturating_sub(now.since(host.seen).as_secs());
            // Writing to a string does not fail.
            let _ = writeln!(text, "{addr} {role} {seen}");
        }
        text
    }

    /// Takes such lines back; what is none, or too old, is left out.
    pub(in crate::servent) fn remember(&mut self, text: &[u8], now: Instant, civil: UnixTime) {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| line.len() <= LINE_MAX);
        for line in lines.filter_map(|line| str::from_utf8(line).ok()).take(self.cap) {
            let mut words = line.split_ascii_whitespace();
            let (Some(Ok(addr)), Some(role), Some(Ok(seen))) =
                (words.next().map(str::parse), words.next(), words.next().map(str::parse::<u64>))
            else {
                continue;
            };
            if seen.saturating_add(KEPT_FOR) >= civil.as_secs() {
                self.heard_of(addr, role == "U", now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(at: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, at], 6346))
    }

    const REDIAL: Duration = Duration::from_secs(30);

    #[test]
    fn it_is_bounded_and_what_failed_goes_first() {
        let mut hosts = Hosts::new(10);
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        hosts.named(addr(200), at(0));
        hosts.linked(addr(201), at(0));
        for number in 0..100 {
            hosts.heard_of(addr(number), true, at(u64::from(number)));
            hosts.failed(addr(number / 2), at(u64::from(number)));
            assert!(hosts.len() <= 10);
        }
        assert!(hosts.known.contains_key(&addr(200)), "who was named stays");
        assert!(hosts.known.contains_key(&addr(201)), "and who was a neighbour, before strangers' words");
        for bad in ["0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1", "10.0.0.1:0", "[::]:5", "127.0.0.0:6346"]
        {
            let before = hosts.len();
            hosts.heard_of(bad.parse().unwrap(), true, at(1_000));
            assert_eq!(hosts.len(), before, "{bad}");
        }
    }

    #[test]
    fn who_failed_is_left_alone_longer_each_time() {
        let mut hosts = Hosts::new(10);
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        hosts.heard_of(addr(1), true, at(0));
        let next = |hosts: &Hosts, secs| hosts.next(at(secs), REDIAL, |_| true);
        assert_eq!(next(&hosts, 0), Some(addr(1)));
        hosts.failed(addr(1), at(0));
        assert_eq!((next(&hosts, 29), next(&hosts, 30)), (None, Some(addr(1))));
        hosts.failed(addr(1), at(30));
        assert_eq!((next(&hosts, 89), next(&hosts, 90)), (None, Some(addr(1))));
        hosts.failed(addr(1), at(90));
        hosts.failed(addr(1), at(300));
        assert!(hosts.is_empty(), "after four failures it is forgotten");
    }

    #[test]
    fn what_is_kept_comes_back() {
        let (now, civil) = (Instant::ZERO + Duration::from_secs(500), UnixTime::from_secs(1_800_000_000));
        let mut hosts = Hosts::new(10);
        hosts.heard_of(addr(1), true, Instant::ZERO);
        hosts.heard_of("[2001:db8::1]:6347".parse().unwrap(), false, now);
        let text = hosts.to_text(now, civil);
        assert_eq!(text, "192.0.2.1:6346 U 1799999500\n[2001:db8::1]:6347 L 1800000000\n");
        let mut again = Hosts::new(10);
        again.remember(b"rubbish\n\xff\n1.2.3.4:5 U 17\n", now, civil);
        assert!(again.is_empty());
        again.remember(text.as_bytes(), now, civil);
        assert_eq!(again.known.keys().collect::<Vec<_>>(), hosts.known.keys().collect::<Vec<_>>());
        assert_eq!(again.to_tell(5, true, None), [addr(1)]);
    }
}
