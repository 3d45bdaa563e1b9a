//! `PHC`: UDP host caches as text, a line each: `name:port` and `&key=value` behind it.

use alloc::string::String;
use core::fmt::Write as _;

/// The port of a cache that says none.
const PORT: u16 = 6346;

/// A UDP host cache: a name or an address, to be resolved, and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostCache<'a> {
    /// A name of the domain name system, or an address; IPv6 in brackets.
    pub host: &'a str,
    /// The UDP port.
    pub port: u16,
}

/// The caches in the data of `PHC`; lines that are none are left out.
pub fn host_caches(data: &[u8]) -> impl Iterator<Item = HostCache<'_>> {
    str::from_utf8(data).unwrap_or_default().split('\n').filter_map(|line| {
        let place = line.split('&').next()?.trim();
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (place, PORT),
        };
        let safe = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        (!host.is_empty() && host.len() <= 255 && port != 0 && host.chars().all(safe))
            .then_some(HostCache { host, port })
    })
}

/// The data of `PHC`.
#[must_use]
pub fn put_host_caches<'a>(caches: impl IntoIterator<Item = HostCache<'a>>) -> String {
    let mut text = String::new();
    for cache in caches {
        let newline = if text.is_empty() { "" } else { "\n" };
        // Writing to a string does not fail.
        let _ = write!(text, "{newline}{}:{}", cache.host, cache.port);
    }
    text
}
