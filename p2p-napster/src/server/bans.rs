//! Who may not log in, or not speak: [`Bans`] of nicks and of networks, each with an end or without.

use super::nick::fold;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str;
use p2p_core::UnixTime;

/// Addresses with the same first bits, in the way of CIDR (RFC 4632). IPv4 lies in `::ffff:0:0/96`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    bits: u128,
    prefix: u8,
}

/// Where an IPv4 prefix begins in the mapped form.
const V4: u8 = 96;

impl Network {
    /// The network of an address: `prefix` bits of it count (32 or 128 are the address alone).
    #[must_use]
    pub fn new(ip: IpAddr, prefix: u8) -> Option<Self> {
        let (bits, prefix) = match ip {
            IpAddr::V4(_) if prefix > 32 => return None,
            IpAddr::V4(ip) => (ip.to_ipv6_mapped().to_bits(), V4 + prefix),
            IpAddr::V6(_) if prefix > 128 => return None,
            IpAddr::V6(ip) => (ip.to_bits(), prefix),
        };
        Some(Self { bits: masked(bits, prefix), prefix })
    }

    /// Reads `1.2.3.4`, `10.0.0.0/8`, `2001:db8::/32`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let ip: IpAddr = ip.parse().ok()?;
        let whole = if ip.is_ipv4() { 32 } else { 128 };
        Self::new(ip, prefix.map_or(Some(whole), |prefix| prefix.parse().ok())?)
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        masked(mapped(ip), self.prefix) == self.bits
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Ipv6Addr::from_bits(self.bits);
        match (ip.to_ipv4_mapped(), self.prefix) {
            (Some(ip), 128) => write!(f, "{ip}"),
            (Some(ip), prefix) if prefix >= V4 => write!(f, "{ip}/{}", prefix - V4),
            (_, 128) => write!(f, "{ip}"),
            (_, prefix) => write!(f, "{ip}/{prefix}"),
        }
    }
}

fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip).to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

const fn masked(bits: u128, prefix: u8) -> u128 {
    match u128::MAX.checked_shl(128 - prefix as u32) {
        Some(mask) => bits & mask,
        None => 0,
    }
}

/// Whom a ban is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Banned {
    /// A nick, in whatever case.
    Nick(Box<[u8]>),
    /// All addresses of a network.
    Network(Network),
}

impl Banned {
    /// What an operator writes: an address, a network, or else a nick.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Network::parse(text).map_or_else(|| Self::Nick(fold(text).as_slice().into()), Self::Network)
    }

    /// As an operator writes it.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Nick(nick) => nick.to_vec(),
            Self::Network(network) => network.to_string().into_bytes(),
        }
    }
}

/// What somebody may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Log in.
    Ban,
    /// Speak.
    Muzzle,
}

/// Why, by whom, and until when somebody is banned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Who said so.
    pub by: Box<[u8]>,
    /// And why.
    pub reason: Box<[u8]>,
    /// When it was said.
    pub since: UnixTime,
    /// When it ends by itself, if it does.
    pub until: Option<UnixTime>,
}

impl Ban {
    fn is_over(&self, now: UnixTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The bans of a server. A look-up costs a look-up per length of prefix in use.
#[derive(Debug, Default)]
pub(super) struct Bans {
    all: BTreeMap<Banned, Ban>,
    /// How many bans have a prefix of each length.
    prefixes: BTreeMap<u8, usize>,
}

impl Bans {
    pub(super) fn contains(&self, who: &Banned) -> bool {
        self.all.contains_key(who)
    }

    /// Bans somebody, in place of an earlier ban; false if there are `most` already.
    pub(super) fn insert(&mut self, who: Banned, ban: Ban, most: usize, now: UnixTime) -> bool {
        if !self.all.contains_key(&who) {
            if self.all.len() >= most {
                self.forget_past(now);
            }
            if self.all.len() >= most {
                return false;
            }
            if let Banned::Network(network) = &who {
                *self.prefixes.entry(network.prefix).or_default() += 1;
            }
        }
        self.all.insert(who, ban);
        true
    }

    pub(super) fn remove(&mut self, who: &Banned) -> Option<Ban> {
        let ban = self.all.remove(who)?;
        if let Banned::Network(network) = who
            && let Some(count) = self.prefixes.get_mut(&network.prefix)
        {
            *count -= 1;
            if *count == 0 {
                self.prefixes.remove(&network.prefix);
            }
        }
        Some(ban)
    }

    /// The ban of a nick at an address, if there is one.
    pub(super) fn find(&self, nick: &[u8], ip: IpAddr, now: UnixTime) -> Option<&Ban> {
        if self.all.is_empty() {
            return None;
        }
        let of_nick = self.all.get(&Banned::Nick(fold(nick).as_slice().into()));
        of_nick.filter(|ban| !ban.is_over(now)).or_else(|| self.of_address(ip, now))
    }

    /// The ban of an address.
    pub(super) fn of_address(&self, ip: IpAddr, now: UnixTime) -> Option<&Ban> {
        let bits = mapped(ip);
        self.prefixes
            .keys()
            .filter_map(|&prefix| {
                self.all.get(&Banned::Network(Network { bits: masked(bits, prefix), prefix }))
            })
            .find(|ban| !ban.is_over(now))
    }

    pub(super) fn iter(&self, now: UnixTime) -> impl Iterator<Item = (&Banned, &Ban)> {
        self.all.iter().filter(move |(_, ban)| !ban.is_over(now))
    }

    fn forget_past(&mut self, now: UnixTime) {
        let past: BTreeSet<Banned> =
            self.all.iter().filter(|(_, ban)| ban.is_over(now)).map(|(who, _)| who.clone()).collect();
        for who in past {
            self.remove(&who);
        }
    }
}

/// What a banned client is told.
pub(super) fn refusal(ban: &Ban) -> alloc::string::String {
    let reason = alloc::string::String::from_utf8_lossy(&ban.reason);
    match reason.trim() {
        "" => "You are banned from this server".into(),
        reason => format!("You are banned from this server: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(until: Option<u64>) -> Ban {
        let until = until.map(UnixTime::from_secs);
        Ban { by: b"op"[..].into(), reason: b"spam"[..].into(), since: UnixTime::default(), until }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn networks_are_read_and_told() {
        for text in ["1.2.3.4", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0"] {
            assert_eq!(Network::parse(text.as_bytes()).expect(text).to_string(), text);
        }
        for text in ["", "10.0.0.0/33", "::/129", "1.2.3/8", "1.2.3.4/", "1.2.3.4/x", "nick"] {
            assert_eq!(Network::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Network::parse(b"10.1.2.3/8").expect("it").to_string(), "10.0.0.0/8");
    }

    #[test]
    fn a_network_is_banned_and_nobody_beside_it() {
        let now = UnixTime::from_secs(100);
        let mut bans = Bans::default();
        for text in ["10.0.0.0/8", "192.168.1.7", "2001:db8::/32"] {
            assert!(bans.insert(Banned::parse(text.as_bytes()), ban(None), 3, now));
        }
        assert!(!bans.insert(Banned::parse(b"Some"), ban(None), 3, now), "the table is full");
        for text in ["10.255.0.1", "192.168.1.7", "2001:db8:1::2", "::ffff:10.1.1.1"] {
            assert!(bans.find(b"who", ip(text), now).is_some(), "{text}");
        }
        for text in ["11.0.0.1", "192.168.1.8", "2001:db9::1", "::1"] {
            assert!(bans.find(b"who", ip(text), now).is_none(), "{text}");
        }
        assert!(bans.remove(&Banned::parse(b"10.0.0.0/8")).is_some());
        assert!(bans.find(b"who", ip("10.255.0.1"), now).is_none());
    }

    #[test]
    fn a_ban_ends_by_itself_and_makes_room() {
        let mut bans = Bans::default();
        assert!(bans.insert(Banned::parse(b"Eve"), ban(Some(50)), 1, UnixTime::default()));
        assert!(bans.find(b"eVE", ip("1.1.1.1"), UnixTime::from_secs(49)).is_some());
        assert!(bans.find(b"eve", ip("1.1.1.1"), UnixTime::from_secs(50)).is_none());
        assert_eq!(bans.iter(UnixTime::from_secs(50)).count(), 0);
        assert!(!bans.insert(Banned::parse(b"mal"), ban(None), 1, UnixTime::from_secs(49)));
        assert!(bans.insert(Banned::parse(b"mal"), ban(None), 1, UnixTime::from_secs(50)));
    }
}
