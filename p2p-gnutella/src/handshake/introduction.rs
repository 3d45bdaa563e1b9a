//! What a servent tells of itself: [`Introduction`].

use super::Peer;
use crate::Guid;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::http::Headers;

/// What a servent is to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It links to ultrapeers, which ask it only what it may have.
    Leaf,
    /// It links to other ultrapeers, and stands between them and its leaves.
    Ultrapeer,
}

/// What a servent tells of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Introduction {
    /// What it is.
    pub role: Role,
    /// Its program and version.
    pub user_agent: String,
    /// Where it listens, if others may dial it.
    pub listens_at: Option<SocketAddr>,
    /// Its servent GUID.
    pub guid: Guid,
    /// How many ultrapeers it links to as an ultrapeer; under 15 others refuse it.
    pub degree: u16,
    /// The TTL of its queries; over 4 others refuse it.
    pub max_ttl: u8,
    /// Whether it reads compressed streams. gtk-gnutella refuses who does not.
    pub accepts_deflate: bool,
    /// Whether it writes them where it may. It costs 320 kB for each link.
    pub sends_deflate: bool,
    /// Whether it can go on with TLS.
    pub tls: bool,
    /// Whether queries by UDP are answered.
    pub guess: bool,
    /// `X-Live-Since`: since when it runs, as HTTP writes dates; nothing if empty.
    pub live_since: String,
    /// `X-Features`: what else it can do.
    pub features: Vec<String>,
}

impl Introduction {
    /// A servent in this role with this name, which listens nowhere.
    #[must_use]
    pub fn new(role: Role, guid: Guid, user_agent: impl Into<String>) -> Self {
        Self {
            role,
            user_agent: user_agent.into(),
            listens_at: None,
            guid,
            degree: 32,
            max_ttl: 4,
            accepts_deflate: true,
            sends_deflate: true,
            tls: false,
            guess: false,
            live_since: String::new(),
            features: ["browse/1.0"].map(String::from).into(),
        }
    }

    /// The headers of the first leg, to a servent at this address.
    #[must_use]
    pub fn asking(&self, peer: IpAddr) -> Headers {
        let mut headers = Headers::new();
        if let Some(addr) = self.listens_at {
            headers.push("Node", addr.to_string());
        }
        self.common(peer, &mut headers);
        if self.accepts_deflate {
            headers.push("Accept-Encoding", "deflate");
        }
        if self.tls {
            headers.push("Upgrade", "TLS/1.0");
        }
        headers
    }

    /// The headers of the second leg that goes on, to a servent at this address that said this.
    #[must_use]
    pub fn answering(&self, addr: IpAddr, peer: &Peer, ultrapeer_needed: bool) -> Headers {
        let mut headers = Headers::new();
        self.common(addr, &mut headers);
        if self.role == Role::Ultrapeer {
            headers.push("X-Ultrapeer-Needed", if ultrapeer_needed { "True" } else { "False" });
        }
        if self.accepts_deflate {
            headers.push("Accept-Encoding", "deflate");
        }
        if self.sends_deflate && peer.accepts_deflate {
            headers.push("Content-Encoding", "deflate");
        }
        if self.tls && peer.offers_tls {
            headers.push("Upgrade", "TLS/1.0");
            headers.push("Connection", "Upgrade");
        }
        headers
    }

    /// What both first legs have.
    fn common(&self, peer: IpAddr, headers: &mut Headers) {
        headers.push("Remote-IP", peer.to_string());
        headers.push("User-Agent", &self.user_agent);
        headers.push("Pong-Caching", "0.1");
        headers.push("Bye-Packet", "0.1");
        headers.push("GGEP", "0.5");
        headers.push("GUID", self.guid.to_string());
        headers.push("Vendor-Message", "0.2");
        headers.push("X-Query-Routing", "0.2");
        headers.push("X-Requeries", "False");
        if !self.live_since.is_empty() {
            headers.push("X-Live-Since", &self.live_since);
        }
        headers.push("X-Ultrapeer", if self.role == Role::Ultrapeer { "True" } else { "False" });
        headers.push("X-Ultrapeer-Query-Routing", "0.1");
        headers.push("X-Degree", self.degree.to_string());
        headers.push("X-Max-TTL", self.max_ttl.to_string());
        headers.push("X-Dynamic-Querying", "0.1");
        if self.role == Role::Ultrapeer {
            headers.push("X-Ext-Probes", "0.1");
        }
        if self.guess {
            headers.push("X-Guess", "0.2");
        }
        if !self.features.is_empty() {
            headers.push("X-Features", self.features.join(", "));
        }
    }
}
