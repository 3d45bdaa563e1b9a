//! [`Hosts`]: addresses, and what is known of each.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use p2p_core::{Duration, Instant, UnixTime};

/// After so many failures one after the other an address is forgotten.
const FAILS_MAX: u8 = 4;
/// Lines of a kept list that are longer are not looked at.
const LINE_MAX: usize = 80;
/// What was kept longer than this is worth nothing.
const KEPT_FOR: u64 = 14 * 86_400;

/// An address in half the room: nearly all are of IPv4.
#[derive(Clone, Debug)]
enum Packed {
    V4(Ipv4Addr, u16),
    V6(Box<SocketAddrV6>),
}

impl From<SocketAddr> for Packed {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(v4) => Self::V4(*v4.ip(), v4.port()),
            SocketAddr::V6(v6) => Self::V6(Box::new(v6)),
        }
    }
}

impl Packed {
    fn get(&self) -> SocketAddr {
        match self {
            Self::V4(ip, port) => (*ip, *port).into(),
            Self::V6(v6) => (**v6).into(),
        }
    }
}

/// What is known of an address.
#[derive(Clone, Debug)]
struct Host {
    addr: Packed,
    seen: Instant,
    /// When it was dialled last; the end of time if it never was.
    tried: Instant,
    fails: u8,
    ultrapeer: bool,
    /// Whether the application named it.
    named: bool,
    /// Whether it was a neighbour.
    proven: bool,
    /// Whether a stream to it could not be secured.
    plain: bool,
    /// Whether it says that it answers queries by UDP.
    guessed: bool,
}

/// What is worth more comes later: who was named, who did not fail, ultrapeers, who was a neighbour, the newest.
type Worth = (bool, Reverse<u8>, bool, bool, Instant, Reverse<SocketAddr>);

impl Host {
    fn new(addr: SocketAddr, ultrapeer: bool, seen: Instant) -> Self {
        let (named, proven, plain, guessed) = (false, false, false, false);
        Self {
            addr: addr.into(),
            seen,
            tried: Instant::MAX,
            fails: 0,
            ultrapeer,
            named,
            proven,
            plain,
            guessed,
        }
    }

    fn worth(&self) -> Worth {
        let addr = Reverse(self.addr.get());
        (self.named, Reverse(self.fails), self.ultrapeer, self.proven, self.seen, addr)
    }

    /// Whether it was left alone for long enough.
    fn is_rested(&self, now: Instant, redial: Duration) -> bool {
        let rest = redial * (1 << self.fails.saturating_sub(1).min(6));
        self.tried == Instant::MAX || now.since(self.tried) >= rest
    }
}

/// The host cache: in order of addresses, and of few bytes each, for it is looked through as a whole when somebody is to be
/// dialled or told.
#[derive(Debug)]
pub(in crate::servent) struct Hosts {
    cap: usize,
    known: Vec<Host>,
}

/// When there is no room, so many of all make some at once: looking for the one that is worth least would cost as much.
const MAKES_ROOM: usize = 8;
/// Room is made for so many at a time.
const GROWS_BY: usize = 8;

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
        Self { cap, known: Vec::new() }
    }

    pub(in crate::servent) fn len(&self) -> usize {
        self.known.len()
    }

    pub(in crate::servent) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Where an address is, or would be put.
    fn place(&self, addr: SocketAddr) -> Result<usize, usize> {
        self.known.binary_search_by(|host| host.addr.get().cmp(&addr))
    }

    fn get_mut(&mut self, addr: SocketAddr) -> Option<&mut Host> {
        let place = self.place(addr).ok()?;
        self.known.get_mut(place)
    }

    fn put(&mut self, host: Host) {
        let addr = host.addr.get();
        let mut place = self.place(addr);
        if place.is_err() && self.known.len() >= self.cap.max(1) {
            self.make_room();
            place = self.place(addr);
        }
        match place {
            Ok(place) => self.known[place] = host,
            Err(place) => {
                if self.known.len() == self.known.capacity() {
                    self.known.reserve_exact(GROWS_BY.max(self.known.len() / 4));
                }
                self.known.insert(place, host);
            }
        }
    }

    /// What is worth least is forgotten: what failed, what nobody proved, what is old.
    fn make_room(&mut self) {
        let mut worths: Vec<Worth> = self.known.iter().map(Host::worth).collect();
        let last = worths.len() / MAKES_ROOM;
        let (_, least, _) = worths.select_nth_unstable(last.saturating_sub(1));
        let least = *least;
        self.known.retain(|host| host.worth() > least);
    }

    /// Somebody tells of an address. It may be anything: what is known of an address already is not changed but that it
    /// was seen.
    pub(in crate::servent) fn heard_of(&mut self, addr: SocketAddr, ultrapeer: bool, now: Instant) {
        if !is_sane(addr) {
            return;
        }
        match self.get_mut(addr) {
            Some(host) => {
                host.ultrapeer |= ultrapeer;
                host.seen = now;
            }
            None => self.put(Host::new(addr, ultrapeer, now)),
        }
    }

    /// The application names an address: it is dialled first, and never forgotten for others.
    pub(in crate::servent) fn named(&mut self, addr: SocketAddr, now: Instant) {
        self.put(Host { named: true, ..Host::new(addr, true, now) });
    }

    pub(in crate::servent) fn tried(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(host) = self.get_mut(addr) {
            host.tried = now;
        }
    }

    /// It could not be reached.
    pub(in crate::servent) fn failed(&mut self, addr: SocketAddr, now: Instant) {
        let Ok(place) = self.place(addr) else { return };
        let host = &mut self.known[place];
        host.tried = now;
        host.fails = host.fails.saturating_add(1);
        if host.fails >= FAILS_MAX && !host.named {
            self.known.remove(place);
        }
    }

    /// A stream to it could not be secured.
    pub(in crate::servent) fn speaks_plain(&mut self, addr: SocketAddr) {
        if let Some(host) = self.get_mut(addr) {
            host.plain = true;
        }
    }

    /// Whether it is to be spoken to in the clear.
    pub(in crate::servent) fn is_plain(&self, addr: SocketAddr) -> bool {
        self.place(addr).is_ok_and(|place| self.known[place].plain)
    }

    /// It says that it answers queries by UDP.
    pub(in crate::servent) fn is_guessed(&mut self, addr: SocketAddr) {
        if let Some(host) = self.get_mut(addr) {
            host.guessed = true;
        }
    }

    /// Those who say that they answer queries by UDP and did not fail, the newest first.
    pub(in crate::servent) fn guessed(&self, most: usize, except: Option<SocketAddr>) -> Vec<SocketAddr> {
        self.newest(most, |host| host.guessed && Some(host.addr.get()) != except)
    }

    /// It is there, and has no place.
    pub(in crate::servent) fn refused(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(host) = self.get_mut(addr) {
            host.tried = now;
            host.seen = now;
            host.fails = host.fails.max(1);
        }
    }

    pub(in crate::servent) fn linked(&mut self, addr: SocketAddr, now: Instant) {
        self.heard_of(addr, true, now);
        if let Some(host) = self.get_mut(addr) {
            host.proven = true;
            host.seen = now;
            host.fails = 0;
        }
    }

    /// Whom to dial next: who was named, ultrapeers, the newest; nobody that was dialled within `redial`, which doubles
    /// with each failure. Leaves link to nobody: they are asked for others by who knows no ultrapeer that may be there.
    pub(in crate::servent) fn next(
        &self,
        now: Instant,
        redial: Duration,
        is_free: impl Fn(SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        let mut best: Option<Worth> = None;
        let known = self.known.iter().any(|host| host.ultrapeer && host.fails < 2);
        for host in self.known.iter().filter(|host| host.ultrapeer || !known) {
            let worth = host.worth();
            // Whether it is free is asked last: that looks at every link.
            if best.is_none_or(|best| worth > best) && host.is_rested(now, redial) && is_free(worth.5.0) {
                best = Some(worth);
            }
        }
        best.map(|worth| worth.5.0)
    }

    /// Addresses to tell others, the newest first: ultrapeers, or others, that did not fail.
    pub(in crate::servent) fn to_tell(
        &self,
        most: usize,
        ultrapeers: bool,
        except: Option<SocketAddr>,
    ) -> Vec<SocketAddr> {
        self.newest(most, |host| host.ultrapeer == ultrapeers && Some(host.addr.get()) != except)
    }

    fn newest(&self, most: usize, is_such: impl Fn(&Host) -> bool) -> Vec<SocketAddr> {
        let mut good: Vec<(Reverse<(bool, Instant)>, SocketAddr)> =
            Vec::with_capacity(most.min(self.known.len()) + 1);
        for host in self.known.iter().filter(|host| host.fails == 0) {
            let this = (Reverse((host.proven, host.seen)), host.addr.get());
            if good.len() == most && good.last().is_none_or(|last| *last < this) || !is_such(host) {
                continue;
            }
            good.insert(good.partition_point(|other| *other < this), this);
            good.truncate(most);
        }
        good.into_iter().map(|(_, addr)| addr).collect()
    }

    /// All addresses as lines: address, `U` or `L`, when it was seen in seconds since 1970.
    pub(in crate::servent) fn to_text(&self, now: Instant, civil: UnixTime) -> String {
        let mut text = String::new();
        for host in self.known.iter().filter(|host| host.fails < FAILS_MAX) {
            let addr = host.addr.get();
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
        assert!(hosts.place(addr(200)).is_ok(), "who was named stays");
        assert!(hosts.place(addr(201)).is_ok(), "and who was a neighbour, before strangers' words");
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
    fn leaves_are_dialled_by_who_knows_nobody_else() {
        let mut hosts = Hosts::new(10);
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        hosts.heard_of(addr(1), false, at(5));
        let next = |hosts: &Hosts, secs| hosts.next(at(secs), REDIAL, |_| true);
        assert_eq!(next(&hosts, 5), Some(addr(1)));
        hosts.heard_of(addr(2), true, at(0));
        assert_eq!(next(&hosts, 5), Some(addr(2)));
        // It is there, and has no place: that of a leaf would be worth nothing.
        hosts.refused(addr(2), at(5));
        assert_eq!((next(&hosts, 6), next(&hosts, 35)), (None, Some(addr(2))));
        hosts.failed(addr(2), at(35));
        assert_eq!(next(&hosts, 36), Some(addr(1)), "it may be gone");
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
        let addrs = |hosts: &Hosts| hosts.known.iter().map(|host| host.addr.get()).collect::<Vec<_>>();
        assert_eq!(addrs(&again), addrs(&hosts));
        assert_eq!(again.to_tell(5, true, None), [addr(1)]);
    }
}
