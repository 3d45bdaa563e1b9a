//! What the other side tells of itself: [`Peer`].

use crate::Guid;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::http::Headers;

/// The most addresses that are taken of one handshake.
pub const TRIES_MAX: usize = 64;
/// The longest name of a program in bytes: what follows is cut off.
const AGENT_MAX: usize = 128;
/// The port of who says none.
const PORT: u16 = 6346;

/// A version of a capability, `major.minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u8, pub u8);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.').unwrap_or_else(|| (text.trim(), "0"));
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

/// What the other side tells of itself, leg by leg: a later one changes what it mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// `X-Ultrapeer`: an ultrapeer, or a leaf; `None` of a servent without such roles.
    pub ultrapeer: Option<bool>,
    /// `X-Ultrapeer-Needed`: what it would have the other side be.
    pub ultrapeer_needed: Option<bool>,
    /// `X-Query-Routing`: tables of leaves.
    pub query_routing: Option<Version>,
    /// `X-Ultrapeer-Query-Routing`: tables between ultrapeers.
    pub ultrapeer_query_routing: Option<Version>,
    /// `X-Degree`: how many ultrapeers it links to.
    pub degree: Option<u16>,
    /// `X-Max-TTL`: the TTL of its queries.
    pub max_ttl: Option<u8>,
    /// `X-Dynamic-Querying`.
    pub dynamic_querying: Option<Version>,
    /// `X-Ext-Probes`: probes of a dynamic query may be followed by the same query.
    pub ext_probes: Option<Version>,
    /// `X-Guess`: queries by UDP.
    pub guess: Option<Version>,
    /// `X-Requeries`: whether it asks again by itself.
    pub requeries: Option<bool>,
    /// `Pong-Caching`.
    pub pong_caching: Option<Version>,
    /// `Bye-Packet`.
    pub bye: Option<Version>,
    /// `GGEP`.
    pub ggep: Option<Version>,
    /// `Vendor-Message`.
    pub vendor_messages: Option<Version>,
    /// `Accept-Encoding: deflate`: it can read a compressed stream.
    pub accepts_deflate: bool,
    /// `Content-Encoding: deflate`: it will write one.
    pub sends_deflate: bool,
    /// `Upgrade: TLS/1.0`: it can go on with TLS.
    pub offers_tls: bool,
    /// `Connection: Upgrade` in its newest leg: it will.
    pub upgrades: bool,
    /// `User-Agent`: its program, for people.
    pub user_agent: Option<String>,
    /// `GUID`: its servent GUID.
    pub guid: Option<Guid>,
    /// `Node`, `Listen-IP` or `X-My-Address`: where it says that it listens.
    pub listens_at: Option<SocketAddr>,
    /// `Remote-IP`: where it sees the other side.
    pub sees_us_at: Option<IpAddr>,
    /// `Crawler`: it counts servents, and wants to know its neighbours.
    pub crawler: Option<Version>,
    /// `X-Try-Ultrapeers`, and `Peers` to a crawler: ultrapeers, as many as [`TRIES_MAX`], each once.
    pub ultrapeers: Vec<SocketAddr>,
    /// `X-Try`, and `Leaves` to a crawler: others, as many as [`TRIES_MAX`], each once.
    pub others: Vec<SocketAddr>,
    /// `X-Features`: `name/version` each.
    pub features: Vec<String>,
}

/// Takes what a header says, if it is there and makes sense.
fn set<T>(field: &mut Option<T>, headers: &Headers, name: &str, read: impl FnOnce(&str) -> Option<T>) {
    if let Some(value) = headers.get(name).and_then(|value| read(value.trim())) {
        *field = Some(value);
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// An address, with or without a port; without one it is that of Gnutella.
fn address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    let bare = || Some(SocketAddr::new(text.trim_matches(['[', ']']).parse().ok()?, PORT));
    text.parse().ok().or_else(bare)
}

fn addresses(into: &mut Vec<SocketAddr>, headers: &Headers, name: &str) {
    for value in headers.all(name).filter_map(|value| str::from_utf8(value).ok()) {
        for addr in value.split(',').filter_map(address) {
            if into.len() < TRIES_MAX && !into.contains(&addr) {
                into.push(addr);
            }
        }
    }
}

impl Peer {
    /// Takes the headers of another leg.
    pub fn learn(&mut self, headers: &Headers) {
        set(&mut self.ultrapeer, headers, "X-Ultrapeer", boolean);
        set(&mut self.ultrapeer_needed, headers, "X-Ultrapeer-Needed", boolean);
        set(&mut self.requeries, headers, "X-Requeries", boolean);
        for (field, name) in [
            (&mut self.query_routing, "X-Query-Routing"),
            (&mut self.ultrapeer_query_routing, "X-Ultrapeer-Query-Routing"),
            (&mut self.dynamic_querying, "X-Dynamic-Querying"),
            (&mut self.ext_probes, "X-Ext-Probes"),
            (&mut self.guess, "X-Guess"),
            (&mut self.pong_caching, "Pong-Caching"),
            (&mut self.bye, "Bye-Packet"),
            (&mut self.ggep, "GGEP"),
            (&mut self.vendor_messages, "Vendor-Message"),
            (&mut self.crawler, "Crawler"),
        ] {
            set(field, headers, name, Version::parse);
        }
        set(&mut self.degree, headers, "X-Degree", |text| text.parse().ok());
        set(&mut self.max_ttl, headers, "X-Max-TTL", |text| text.parse().ok());
        set(&mut self.guid, headers, "GUID", |text| text.parse().ok());
        let cut = |text: &str| Some(text[..text.floor_char_boundary(AGENT_MAX)].to_owned());
        set(&mut self.user_agent, headers, "User-Agent", cut);
        for name in ["X-My-Address", "Listen-IP", "Node"] {
            set(&mut self.listens_at, headers, name, address);
        }
        set(&mut self.sees_us_at, headers, "Remote-IP", |text| text.trim_matches(['[', ']']).parse().ok());
        self.accepts_deflate |= headers.lists("Accept-Encoding", "deflate");
        self.sends_deflate |= headers.lists("Content-Encoding", "deflate");
        self.offers_tls |= headers.lists("Upgrade", "TLS/1.0");
        self.upgrades = headers.lists("Connection", "Upgrade");
        addresses(&mut self.ultrapeers, headers, "X-Try-Ultrapeers");
        addresses(&mut self.ultrapeers, headers, "Peers");
        addresses(&mut self.others, headers, "X-Try");
        addresses(&mut self.others, headers, "Leaves");
        for value in headers.all("X-Features").filter_map(|value| str::from_utf8(value).ok()) {
            let room = TRIES_MAX.saturating_sub(self.features.len());
            self.features.extend(value.split(',').map(|feature| feature.trim().to_owned()).take(room));
        }
    }

    /// Whether it has a feature of `X-Features`, whatever its version.
    #[must_use]
    pub fn has_feature(&self, name: &str) -> bool {
        let names =
            |feature: &String| feature.split('/').next().is_some_and(|is| is.eq_ignore_ascii_case(name));
        self.features.iter().any(names)
    }

    /// Whether it does what servents expect of each other since 2003: it links to 15 ultrapeers, sends tables to them, asks
    /// step by step and with a TTL of 4 at most. LimeWire refuses others, leaves too.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.degree.is_some_and(|degree| degree >= 15)
            && self.max_ttl.is_some_and(|ttl| ttl < 5)
            && self.dynamic_querying.is_some()
            && self.ultrapeer_query_routing.is_some()
            && self.query_routing.is_some()
    }
}
