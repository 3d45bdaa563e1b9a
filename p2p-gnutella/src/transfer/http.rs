//! What servents say to each other in requests and answers, as values.

use crate::huge::parse_tth;
use crate::{Guid, Urn};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::Range;
use core::time::Duration;
use data_encoding::HEXLOWER_PERMISSIVE;
use p2p_core::hash::Tth;
use p2p_core::http::{Headers, Plus, percent_decode};

/// The port that is meant where none is named.
pub const PORT: u16 = 6346;
/// The type of a list of files in messages of the network.
pub const PACKETS: &str = "application/x-gnutella-packets";
/// The type of a tree.
pub const DIME: &str = "application/dime";
/// What this servent can do, beside what all can (`X-Features`).
pub const FEATURES: &str = "browse/1.0, queue/0.1, thex/1.0";
/// The same of one that has an IPv6 address beside its IPv4 address, or no other (IPv6-Ready, section 5.1).
pub const FEATURES6: &str = "browse/1.0, queue/0.1, thex/1.0, IP/6.0";

/// Ranges of a partial file that are read of a line, and told in one.
const RANGES_MAX: usize = 128;
/// Alternates that are read of the lines of a head.
const ALTERNATES_MAX: usize = 32;

/// What a request is for, by its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `/uri-res/N2R?urn:…` or `/uri-res/urn:…`: a file by its content.
    Content(Urn),
    /// `/get/NUMBER/NAME`: a file by the number and the name of a hit.
    Numbered(u32, String),
    /// `/uri-res/N2X?urn:…`: the tree of a file.
    Tree(Urn),
    /// `/`: what is shared.
    Browse,
    /// `/gnutella/push-proxy?ServerId=…` or `guid=…`: a servent that shall be told to connect, and which of its files.
    PushProxy(Guid, u32),
    /// Something else.
    Other,
}

impl Asked {
    /// Reads a target. Parts of it may be percent-encoded, or not.
    #[must_use]
    pub fn of(target: &str) -> Self {
        let decoded = |text: &str| match percent_decode(text, Plus::Literal) {
            Some(bytes) => String::from_utf8(bytes).unwrap_or_else(|_| text.to_string()),
            // A percent sign that stands for itself.
            None => text.to_string(),
        };
        let urn = |text: &str| Urn::parse(decoded(text).as_bytes()).ok();
        let asked = if let Some(urn_text) = after(target, "/uri-res/N2R?") {
            urn(urn_text).map(Self::Content)
        } else if let Some(urn_text) = after(target, "/uri-res/N2X?") {
            urn(urn_text).map(Self::Tree)
        } else if let Some(urn_text) = after(target, "/uri-res/") {
            urn(urn_text).map(Self::Content)
        } else if let Some(rest) = after(target, "/get/") {
            rest.split_once('/')
                .and_then(|(number, name)| Some(Self::Numbered(number.parse().ok()?, decoded(name))))
        } else if let Some(query) =
            after(target, "/gnutella/push-proxy?").or_else(|| after(target, "/gnet/push-proxy?"))
        {
            push_proxy(query)
        } else {
            (target == "/").then_some(Self::Browse)
        };
        asked.unwrap_or(Self::Other)
    }
}

fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn push_proxy(query: &str) -> Option<Asked> {
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
    let of = |name: &str| pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let guid = of("guid").or_else(|| of("ServerID"))?;
    let guid = Guid::from_base32(guid).or_else(|| guid.parse().ok())?;
    Some(Asked::PushProxy(guid, of("file").and_then(|file| file.parse().ok()).unwrap_or_default()))
}

/// A place in a queue (`X-Queue` 0.1, and `X-Queued` of PARQ).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The place, 1 is the next.
    pub position: u32,
    /// How many wait.
    pub length: Option<u32>,
    /// How many are served at once.
    pub limit: Option<u32>,
    /// How soon the place may be asked for again.
    pub poll_min: Option<Duration>,
    /// How late: past it the place is lost.
    pub poll_max: Option<Duration>,
    /// Its name, to be said again.
    pub id: Option<String>,
}

/// The longest name of a place that is kept.
const ID_MAX: usize = 64;

impl Place {
    /// Reads either header; `None` if there is none that states a position.
    #[must_use]
    pub fn of(headers: &Headers) -> Option<Self> {
        let mut place = Self::default();
        let mut found = false;
        let texts = headers.all("x-queued").chain(headers.all("x-queue"));
        let pairs =
            texts.filter_map(|text| str::from_utf8(text).ok()).flat_map(|text| text.split([',', ';']));
        for (key, value) in pairs.filter_map(|pair| pair.split_once('=')) {
            let value = value.trim();
            let number = || value.parse::<u32>().ok();
            let seconds = || number().map(|seconds| Duration::from_secs(seconds.into()));
            match key.trim().to_ascii_lowercase().as_str() {
                "position" => {
                    place.position = number()?;
                    found = true;
                }
                "length" => place.length = number(),
                "limit" => place.limit = number(),
                "pollmin" => place.poll_min = seconds(),
                "pollmax" | "lifetime" => place.poll_max = seconds(),
                "id" if value.len() <= ID_MAX => place.id = Some(value.into()),
                _ => {}
            }
        }
        found.then_some(place)
    }
}

/// When to ask again (`Retry-After`, in seconds; a date is not read).
#[must_use]
pub fn retry_after(headers: &Headers) -> Option<Duration> {
    headers.get("retry-after")?.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// The parts that a holder has (`X-Available-Ranges: bytes 0-9,20-29`), in order and apart; `None` without the header. What
/// is malformed is left out.
#[must_use]
pub fn available_ranges(headers: &Headers) -> Option<Vec<Range<u64>>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for text in headers.all("x-available-ranges") {
        let text = str::from_utf8(text).unwrap_or_default().trim();
        let text = after(text, "bytes").unwrap_or(text).trim_start_matches([' ', '=']);
        for part in text.split(',').take(RANGES_MAX) {
            let Some((first, last)) = part.trim().split_once('-') else { continue };
            let (Ok(first), Ok(last)) = (first.trim().parse::<u64>(), last.trim().parse::<u64>()) else {
                continue;
            };
            if first <= last && last < u64::MAX {
                ranges.push(first..last + 1);
            }
        }
    }
    headers.bytes("x-available-ranges")?;
    ranges.sort_unstable_by_key(|range| range.start);
    let mut apart: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match apart.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    Some(apart)
}

/// The value of such a header.
#[must_use]
pub fn ranges_text(ranges: &[Range<u64>]) -> String {
    let parts: Vec<String> = ranges
        .iter()
        .filter(|range| !range.is_empty())
        .take(RANGES_MAX)
        .map(|range| format!("{}-{}", range.start, range.end - 1))
        .collect();
    format!("bytes {}", parts.join(","))
}

/// An address as text, with or without its port.
#[must_use]
pub fn address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    let bare = || text.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT));
    text.parse().ok().or_else(bare)
}

/// An address as it is told: without the port that is meant anyway, if no colon of the address could be taken for its.
#[must_use]
pub fn address_text(addr: &SocketAddr) -> String {
    if addr.port() == PORT && addr.is_ipv4() { addr.ip().to_string() } else { addr.to_string() }
}

/// Whether a head says that addresses of IPv6 are of use to who wrote it.
#[must_use]
pub fn speaks_ipv6(headers: &Headers) -> bool {
    let values = headers.all("x-features").filter_map(|value| str::from_utf8(value).ok());
    values.flat_map(|value| value.split(',')).any(|feature| feature.trim().starts_with("IP/6"))
}

/// Whether an address may be that of a servent at all: not everybody's, nobody's, or no port.
#[must_use]
pub fn is_plausible(addr: &SocketAddr) -> bool {
    let ip_is = match addr.ip() {
        IpAddr::V4(ip) => ip != Ipv4Addr::BROADCAST && !ip.is_unspecified() && !ip.is_multicast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    ip_is && addr.port() != 0
}

/// Other holders that a head names under `name` (`X-Alt`, `X-NAlt`): addresses, or in the old form URLs with a time behind
/// them. Which of them speak TLS (`tls=…`) is not kept.
#[must_use]
pub fn alternates(headers: &Headers, name: &str) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let texts = headers.all(name).filter_map(|text| str::from_utf8(text).ok());
    for part in texts.flat_map(|text| text.split(',')) {
        let part = part.trim();
        let authority = match part.split_once("://") {
            Some((_, rest)) => rest.split(['/', ' ']).next().unwrap_or_default(),
            None => part,
        };
        if let Some(addr) = address(authority).filter(is_plausible)
            && found.len() < ALTERNATES_MAX
            && !found.contains(&addr)
        {
            found.push(addr);
        }
    }
    found
}

/// The root that stands behind `X-Thex-URI`.
#[must_use]
pub fn tree_root(headers: &Headers) -> Option<Tth> {
    headers.get("x-thex-uri")?.rsplit_once(';').and_then(|(_, root)| parse_tth(root.trim()))
}

/// Who asks, where it says so: `X-Node`, or `Listen-IP` and `X-Listen-IP` of LimeWire.
#[must_use]
pub fn node(headers: &Headers) -> Option<SocketAddr> {
    let names = ["x-node", "listen-ip", "x-listen-ip"];
    names.iter().find_map(|name| address(headers.get(name)?)).filter(is_plausible)
}

/// The first line of a servent that was asked to connect: `GIV NUMBER:GUID/NAME`.
#[must_use]
pub fn parse_giv(line: &str) -> Option<(u32, Guid)> {
    let (number, rest) = line.strip_prefix("GIV ")?.split_once(':')?;
    let (guid, _) = rest.split_at_checked(32)?;
    let mut bytes = [0; 16];
    HEXLOWER_PERMISSIVE.decode_mut(guid.as_bytes(), &mut bytes).ok()?;
    Some((number.trim().parse().ok()?, Guid(bytes)))
}
