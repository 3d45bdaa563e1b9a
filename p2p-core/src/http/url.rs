//! The URLs of trackers and web seeds: [`Url`].

use super::percent;
use crate::effect::Target;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

/// The longest URL that is taken, in bytes; browsers and servers agree on about 2,000, some trackers' pass keys are long.
const MAX_URL: usize = 4_096;

/// How to speak to a URL's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// HTTP over TCP, port 80.
    Http,
    /// HTTP over TLS, port 443.
    Https,
    /// BitTorrent's tracker protocol over UDP (BEP 15); the port must be named.
    Udp,
}

impl Scheme {
    /// Its name, as in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Udp => "udp",
        }
    }

    /// The port if none is named.
    #[must_use]
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Udp => None,
        }
    }
}

/// A URL, checked and taken apart. Two that mean the same by their text are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Url {
    /// How to speak to the host.
    pub scheme: Scheme,
    /// A host name in lower case, or an address; one of IPv6 without its brackets.
    pub host: String,
    /// The port, the scheme's own if none was named.
    pub port: u16,
    /// What to ask for: begins with `/`, holds neither spaces nor control characters nor a fragment.
    pub path_and_query: String,
}

/// Why text is no URL that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Longer than 4,096 bytes.
    #[error("the URL is too long")]
    TooLong,
    /// Neither `http`, `https` nor `udp`.
    #[error("unknown scheme")]
    Scheme,
    /// A user name or password before the host.
    #[error("user names in URLs are not supported")]
    UserInfo,
    /// No host, or one with characters that no host has.
    #[error("malformed host")]
    Host,
    /// No port from 1 to 65535, or none where one is needed.
    #[error("malformed or missing port")]
    Port,
    /// A control character.
    #[error("forbidden character")]
    Forbidden,
}

impl Url {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// If it is not of a known scheme, or not well formed.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim_matches(' ');
        if text.len() > MAX_URL {
            return Err(UrlError::TooLong);
        }
        if text.contains(|c: char| c.is_control()) {
            return Err(UrlError::Forbidden);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let schemes = [Scheme::Http, Scheme::Https, Scheme::Udp];
        let scheme = schemes.into_iter().find(|is| is.as_str().eq_ignore_ascii_case(scheme));
        let scheme = scheme.ok_or(UrlError::Scheme)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        let (host, port) = authority_parts(authority)?;
        let port = match port {
            None => scheme.port().ok_or(UrlError::Port)?,
            Some(port) => port,
        };
        Ok(Self { scheme, host, port, path_and_query: path_and_query(path) })
    }

    /// The URL that a `Location` header of this one's answer names: a whole URL, or one relative to this.
    ///
    /// # Errors
    /// If the result is no URL.
    pub fn join(&self, location: &str) -> Result<Self, UrlError> {
        let location = location.trim_matches(' ');
        let scheme_end = location.find("://").filter(|end| !location[..*end].contains(['/', '?', '#']));
        if scheme_end.is_some() {
            return Self::parse(location);
        }
        if location.starts_with("//") {
            return Self::parse(&format!("{}:{location}", self.scheme.as_str()));
        }
        let path = self.path();
        let base = match location.chars().next() {
            Some('/') => "",
            Some('?') => path,
            None | Some('#') => &self.path_and_query,
            _ => path.rsplit_once('/').map_or("/", |(folder, _)| &path[..=folder.len()]),
        };
        Self::parse(&format!("{}://{}{base}{location}", self.scheme.as_str(), self.authority()))
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path_and_query.split_once('?').map_or(&self.path_and_query, |(path, _)| path)
    }

    /// Appends `key=value` to the query, the value encoded from raw bytes.
    pub fn push_param(&mut self, key: &str, value: &[u8]) {
        let query = &mut self.path_and_query;
        if !query.ends_with(['?', '&']) {
            query.push(if query.contains('?') { '&' } else { '?' });
        }
        query.push_str(key);
        query.push('=');
        percent::encode(value, query);
    }

    /// Host and port as a `Host` header has them: brackets around IPv6, no port if it is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.scheme.port() == Some(self.port) { host } else { format!("{host}:{}", self.port) }
    }

    /// The host as an address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Where to dial.
    #[must_use]
    pub fn target(&self) -> Target {
        match self.ip() {
            Some(ip) => Target::Addr(SocketAddr::new(ip, self.port)),
            None => Target::Name { host: self.host.clone(), port: self.port },
        }
    }
}

fn authority_parts(authority: &str) -> Result<(String, Option<u16>), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or(UrlError::Host)?;
        let host: Ipv6Addr = host.parse().map_err(|_| UrlError::Host)?;
        let port = behind.strip_prefix(':');
        if port.is_none() && !behind.is_empty() {
            return Err(UrlError::Host);
        }
        (host.to_string(), port)
    } else {
        let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        // RFC 1035: 253 characters at most.
        if !(1..=253).contains(&host.len()) || !host.bytes().all(fits) {
            return Err(UrlError::Host);
        }
        (host.to_ascii_lowercase(), port)
    };
    let port = match port {
        // RFC 3986 lets a port be empty.
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port > 0).ok_or(UrlError::Port)?)
        }
        Some(_) => return Err(UrlError::Port),
    };
    Ok((host, port))
}

/// Path and query of what follows the host; what a request line cannot hold is encoded.
fn path_and_query(rest: &str) -> String {
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let mut path = String::with_capacity(rest.len() + 1);
    if !rest.starts_with('/') {
        path.push('/');
    }
    for byte in rest.bytes() {
        if byte.is_ascii_graphic() {
            path.push(char::from(byte));
        } else {
            percent::encode(&[byte], &mut path);
        }
    }
    path
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.path_and_query)
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_urls() {
        let parts = |text: &str| {
            let url = Url::parse(text).unwrap();
            (url.scheme, url.host, url.port, url.path_and_query)
        };
        let is = |scheme, host: &str, port, path: &str| (scheme, host.to_string(), port, path.to_string());
        assert_eq!(
            parts("http://Tracker.Example/announce?k=1#x"),
            is(Scheme::Http, "tracker.example", 80, "/announce?k=1")
        );
        assert_eq!(parts("HTTPS://a:8443"), is(Scheme::Https, "a", 8443, "/"));
        assert_eq!(
            parts("udp://[2001:DB8::1]:6969/announce"),
            is(Scheme::Udp, "2001:db8::1", 6969, "/announce")
        );
        assert_eq!(parts("http://1.2.3.4?a b é"), is(Scheme::Http, "1.2.3.4", 80, "/?a%20b%20%C3%A9"));
        assert_eq!(parts("http://a:/"), is(Scheme::Http, "a", 80, "/"));
        assert_eq!(Url::parse("http://[::1]:80/x").unwrap().authority(), "[::1]");
        assert_eq!(Url::parse("http://[::1]:81/x").unwrap().to_string(), "http://[::1]:81/x");
        let v6 = Url::parse("http://[::1]:81/x").unwrap();
        assert_eq!(v6.target(), Target::Addr("[::1]:81".parse().unwrap()));
        assert_eq!(Url::parse("udp://x:1").unwrap().target(), Target::Name { host: "x".into(), port: 1 });
    }

    #[test]
    fn what_is_refused() {
        for (text, error) in [
            ("", UrlError::Scheme),
            ("ftp://a/", UrlError::Scheme),
            ("javascript:alert(1)", UrlError::Scheme),
            ("http:/a", UrlError::Scheme),
            ("http:///a", UrlError::Host),
            ("http://user:pw@a/", UrlError::UserInfo),
            ("http://a@b/", UrlError::UserInfo),
            ("http://a b/", UrlError::Host),
            ("http://b\u{fc}cher.example/", UrlError::Host),
            ("http://[::1/", UrlError::Host),
            ("http://[::1]x/", UrlError::Host),
            ("http://[1.2.3.4]/", UrlError::Host),
            ("http://a:0/", UrlError::Port),
            ("http://a:65536/", UrlError::Port),
            ("http://a:+80/", UrlError::Port),
            ("http://a:80:80/", UrlError::Port),
            ("udp://a/", UrlError::Port),
            ("http://a/\r\nHost: b", UrlError::Forbidden),
            ("http://a/\0", UrlError::Forbidden),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(Url::parse(&format!("http://a/{}", "x".repeat(MAX_URL))), Err(UrlError::TooLong));
        assert_eq!(Url::parse(&format!("http://{}/", "x".repeat(254))), Err(UrlError::Host));
        // A backslash ends the host, as browsers have it, so that no two readers see two hosts.
        assert_eq!(Url::parse("http://a\\@b/").unwrap().host, "a");
    }

    #[test]
    fn redirects() {
        let base = Url::parse("http://a:81/x/y?q=1").unwrap();
        for (location, whole) in [
            ("https://b/z", "https://b/z"),
            ("//b/z", "http://b/z"),
            ("/z?u=http://c", "http://a:81/z?u=http://c"),
            ("z", "http://a:81/x/z"),
            ("?r=2", "http://a:81/x/y?r=2"),
            ("", "http://a:81/x/y?q=1"),
            ("#f", "http://a:81/x/y?q=1"),
        ] {
            assert_eq!(base.join(location).unwrap().to_string(), whole, "{location}");
        }
        assert_eq!(base.join("ftp://b/"), Err(UrlError::Scheme));
    }

    #[test]
    fn parameters_are_raw_bytes() {
        let mut url = Url::parse("http://a/announce?key=1").unwrap();
        url.push_param("info_hash", b"\x00 &\xff");
        assert_eq!(url.path_and_query, "/announce?key=1&info_hash=%00%20%26%FF");
        let mut url = Url::parse("http://a/announce").unwrap();
        url.push_param("a", b"1");
        url.push_param("b", b"2");
        assert_eq!(url.path_and_query, "/announce?a=1&b=2");
    }

    proptest! {
        #[test]
        fn what_parses_reads_back(text in "(http|https|udp)://(\\[::1\\]|[a-z.]{1,5})(:[0-9]{1,5})?[/?#a-z%\\\\ é]{0,20}", location in "\\PC{0,10}|[/?#:a-z.]{0,12}") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert_eq!(Url::parse(&url.to_string()), Ok(url.clone()));
                prop_assert!(url.path_and_query.starts_with('/') && url.path_and_query.bytes().all(|b| b.is_ascii_graphic()));
                let _ = url.join(&location);
            }
        }

        #[test]
        fn junk_never_panics(text in "\\PC{0,40}|http://\\PC{0,20}") {
            let _ = Url::parse(&text);
        }
    }
}
