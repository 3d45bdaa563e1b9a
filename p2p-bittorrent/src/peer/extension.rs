//! The extension protocol (BEP 10): a dictionary after the handshake in which both ends number the extensions they speak.
//!
//! This is the joint for extensions: add the name to the client's [`Registry`], and messages whose id
//! [`Registry::name`] resolves to it are the extension's; [`PeerIds::id`] is the number to send them under.

use crate::bencode::{Doc, Encoder, Error, Limits, Mode, Value};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The id of the extended handshake itself.
pub const HANDSHAKE_ID: u8 = 0;

/// What a stranger's extended handshake may ask of us: real ones have some 500 bytes and 30 values.
const LIMITS: Limits = Limits { bytes: 16 << 10, depth: 8, tokens: 1000 };
/// Longer names of programs are cut; they are for people to read.
const VERSION_MAX: usize = 64;

/// The extensions that we speak, by name. The number that peers send them to us under is the place in the list plus one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    names: &'static [&'static str],
}

impl Registry {
    /// A registry of these extensions; only the first 255 can be numbered.
    #[must_use]
    pub const fn new(names: &'static [&'static str]) -> Self {
        Self { names }
    }

    /// The extension that a peer means by an id.
    #[must_use]
    pub fn name(&self, id: u8) -> Option<&'static str> {
        self.names.get(usize::from(id).checked_sub(1)?).copied()
    }

    /// The id under which peers send us an extension's messages.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<u8> {
        let at = self.names.iter().position(|ours| *ours == name)?;
        u8::try_from(at + 1).ok()
    }

    fn numbered(&self) -> impl Iterator<Item = (&'static str, u8)> {
        self.names.iter().copied().zip(1..=u8::MAX)
    }
}

/// The numbers that one peer gave to the extensions of our registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIds {
    /// By our own number less one; 0 is unknown.
    ids: Vec<u8>,
}

impl PeerIds {
    /// Nothing learnt yet; holds no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { ids: Vec::new() }
    }

    /// The number under which the peer takes an extension's messages; `None` if it does not speak it.
    #[must_use]
    pub fn id(&self, registry: Registry, name: &str) -> Option<u8> {
        let ours = usize::from(registry.id(name)?);
        self.ids.get(ours - 1).copied().filter(|&id| id != 0)
    }

    fn learn(&mut self, registry: Registry, m: Value<'_>) {
        for (name, ours) in registry.numbered() {
            // What a later handshake does not name stays as it was; the number 0 switches an extension off.
            let Some(id) = m.get(name).and_then(|id| id.as_u64()).and_then(|id| u8::try_from(id).ok()) else {
                continue;
            };
            if self.ids.is_empty() {
                self.ids = vec![0; registry.names.len().min(255)];
            }
            if let Some(slot) = self.ids.get_mut(usize::from(ours) - 1) {
                *slot = id;
            }
        }
    }
}

/// What an extended handshake says beside the extensions; all of it is optional, and what is malformed is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedHandshake {
    /// `p`: the port on which the sender accepts connections.
    pub port: Option<u16>,
    /// `v`: the sender's program.
    pub version: Option<String>,
    /// `reqq`: requests that the sender keeps without dropping any.
    pub reqq: Option<u16>,
    /// `yourip`: the receiver's address as the sender sees it.
    pub your_ip: Option<IpAddr>,
    /// `ipv4`: an address of the sender.
    pub ipv4: Option<Ipv4Addr>,
    /// `ipv6`: an address of the sender.
    pub ipv6: Option<Ipv6Addr>,
    /// `metadata_size`: bytes of the info dictionary (BEP 9). A claim: whoever allocates for it sets a limit.
    pub metadata_size: Option<u32>,
    /// `upload_only`: the sender wants no more pieces (BEP 21).
    pub upload_only: bool,
}

impl ExtendedHandshake {
    /// The payload of the message with id [`HANDSHAKE_ID`], offering all extensions of the registry.
    #[must_use]
    pub fn encode(&self, registry: Registry) -> Bytes {
        let mut out = BytesMut::with_capacity(128);
        Encoder::new(&mut out).dict(|dict| {
            if let Some(ip) = self.ipv4 {
                dict.bytes("ipv4", ip.octets());
            }
            if let Some(ip) = self.ipv6 {
                dict.bytes("ipv6", ip.octets());
            }
            dict.dict("m", |m| {
                let mut names: Vec<_> = registry.numbered().collect();
                names.sort_unstable();
                for (name, id) in names {
                    m.int(name, i64::from(id));
                }
            });
            if let Some(size) = self.metadata_size {
                dict.int("metadata_size", i64::from(size));
            }
            if let Some(port) = self.port {
                dict.int("p", i64::from(port));
            }
            if let Some(reqq) = self.reqq {
                dict.int("reqq", i64::from(reqq));
            }
            if self.upload_only {
                dict.int("upload_only", 1);
            }
            if let Some(version) = &self.version {
                dict.bytes("v", version.as_bytes());
            }
            match self.your_ip {
                Some(IpAddr::V4(ip)) => dict.bytes("yourip", ip.octets()),
                Some(IpAddr::V6(ip)) => dict.bytes("yourip", ip.octets()),
                None => {}
            }
        });
        out.freeze()
    }

    /// Reads the payload of the message with id [`HANDSHAKE_ID`] and takes the peer's numbers into `ids`.
    ///
    /// # Errors
    /// If it is not bencode, or beyond any sensible size.
    pub fn decode(payload: &[u8], registry: Registry, ids: &mut PeerIds) -> Result<Self, Error> {
        let doc = Doc::parse_prefix(payload, &LIMITS, Mode::Lenient)?;
        let root = doc.root();
        if let Some(m) = root.get("m") {
            ids.learn(registry, m);
        }
        let number = |key: &str| root.get(key).and_then(|value| value.as_u64());
        let bytes = |key: &str| root.get(key).and_then(|value| value.as_bytes());
        let four = |key: &str| bytes(key).and_then(|ip| <[u8; 4]>::try_from(ip).ok()).map(Ipv4Addr::from);
        let sixteen = |key: &str| bytes(key).and_then(|ip| <[u8; 16]>::try_from(ip).ok()).map(Ipv6Addr::from);
        let version =
            bytes("v").map(|v| String::from_utf8_lossy(v.get(..VERSION_MAX).unwrap_or(v)).into_owned());
        Ok(Self {
            port: number("p").and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0),
            version,
            reqq: number("reqq").map(|reqq| u16::try_from(reqq).unwrap_or(u16::MAX)),
            your_ip: four("yourip").map(IpAddr::V4).or_else(|| sixteen("yourip").map(IpAddr::V6)),
            ipv4: four("ipv4"),
            ipv6: sixteen("ipv6"),
            metadata_size: number("metadata_size").and_then(|size| u32::try_from(size).ok()),
            upload_only: number("upload_only").is_some_and(|only| only != 0),
        })
    }
}
