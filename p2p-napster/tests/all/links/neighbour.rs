//! The other end of a link, played by a test: our server believes that it is linked with `serverb` or `serverc`.

use crate::server::rig::{Heard, Rig, config, frame, lines};
use bytes::{Bytes, BytesMut};
use p2p_core::ConnId;
use p2p_napster::deflate::InflateLimits;
use p2p_napster::link::{Link, LinkInput, LinkPeer};
use p2p_napster::server::{Config, LinkConfig, LinkEnd, ServerEvent};
use p2p_napster::wire::message::LinkedUser;
use p2p_napster::wire::{Linked, Speed, WireAddr};

fn peer(name: &str, shows: &str, knows: &str) -> LinkPeer {
    let text = |text: &str| text.as_bytes().into();
    LinkPeer { name: text(name), password: text(knows), own_password: text(shows), level: 6 }
}

/// A server `servera` that may link with `serverb` and `serverc`.
pub(super) fn rig() -> Rig {
    rig_with(|_| {})
}

pub(super) fn rig_with(change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = config();
    config.links = ["serverb", "serverc"].map(|name| LinkConfig::new(peer(name, "ours", "theirs"))).into();
    change(&mut config);
    Rig::with(config)
}

pub(super) struct Neighbour {
    pub(super) conn: ConnId,
    name: String,
    link: Link,
    read: usize,
    heard: Vec<Heard>,
}

impl Neighbour {
    /// One that shows this password.
    pub(super) fn dial(rig: &mut Rig, name: &str, shows: &str, ip: &str) -> Self {
        let conn = rig.connect(ip);
        rig.clients.get_mut(&conn).unwrap().raw = Some(Vec::new());
        let mut out = BytesMut::new();
        let drawn = conn.raw() + 77;
        let peer = peer("servera", shows, "ours");
        let link = Link::dial(name.as_bytes(), peer, drawn, InflateLimits::default(), &mut out);
        rig.data(conn, &out);
        let mut neighbour = Self { conn, name: name.to_owned(), link, read: 0, heard: Vec::new() };
        neighbour.read(rig);
        neighbour
    }

    /// One whose link is up, and that has said what it has to.
    pub(super) fn up(rig: &mut Rig, name: &str) -> Self {
        let mut neighbour = Self::dial(rig, name, "theirs", "10.9.0.1");
        assert!(neighbour.link.is_open());
        neighbour.clock(rig);
        neighbour.say(rig, &[Linked::SyncEnd]);
        neighbour.read(rig);
        neighbour
    }

    pub(super) fn clock(&mut self, rig: &mut Rig) {
        let (name, time) = (self.name.clone(), rig.civil + rig.now.as_nanos() / 1_000_000_000);
        self.say(rig, &[Linked::Clock { origin: name.as_bytes(), time }]);
    }

    fn read(&mut self, rig: &mut Rig) {
        let raw = rig.clients[&self.conn].raw.clone().unwrap();
        self.link.push(Bytes::copy_from_slice(&raw[self.read..]));
        self.read = raw.len();
        let mut out = BytesMut::new();
        while let Ok(Some(input)) = self.link.next(&mut out) {
            if let LinkInput::Message(frame) = input {
                self.heard.push((frame.kind, frame.body.to_vec()));
            }
        }
        rig.data(self.conn, &out);
    }

    pub(super) fn say(&mut self, rig: &mut Rig, messages: &[Linked<'_>]) {
        let mut plain = BytesMut::new();
        messages.iter().for_each(|message| message.encode(&mut plain));
        self.bytes(rig, &plain);
    }

    pub(super) fn raw(&mut self, rig: &mut Rig, kind: u16, text: &str) {
        self.bytes(rig, &frame(kind, text.as_bytes()));
    }

    fn bytes(&mut self, rig: &mut Rig, plain: &[u8]) {
        let mut out = BytesMut::new();
        self.link.send(plain, &mut out);
        rig.data(self.conn, &out);
    }

    /// Somebody logged in on a server behind it.
    pub(super) fn user(&mut self, rig: &mut Rig, nick: &str, server: &str, since: u64) {
        let user = LinkedUser {
            nick: nick.as_bytes(),
            password: b"secret",
            port: 6699,
            client: b"probe",
            speed: Speed(7),
            speed_quoted: true,
            email: b"unknown",
            since,
            addr: WireAddr(16_777_343),
            server: server.as_bytes(),
            server_port: 1_000,
        };
        self.say(rig, &[Linked::User(user)]);
    }

    /// What it was told since this was asked last.
    pub(super) fn hear(&mut self, rig: &mut Rig) -> Vec<String> {
        self.read(rig);
        lines(&std::mem::take(&mut self.heard))
    }

    pub(super) fn is_up(&self, rig: &Rig) -> bool {
        rig.is_open(self.conn)
    }
}

/// Why links ended.
pub(super) fn ends(rig: &Rig) -> Vec<LinkEnd> {
    let ends = rig.news.iter().filter_map(|event| match event {
        ServerEvent::LinkDown { why, .. } => Some(why.clone()),
        _ => None,
    });
    ends.collect()
}

/// Why links were not let in.
pub(super) fn refusals(rig: &Rig) -> Vec<LinkEnd> {
    let refusals = rig.news.iter().filter_map(|event| match event {
        ServerEvent::LinkRefused { why, .. } => Some(why.clone()),
        _ => None,
    });
    refusals.collect()
}

/// Everybody whom the server knows.
pub(super) fn nicks(rig: &Rig) -> Vec<String> {
    let nick = |who: p2p_napster::server::Who<'_>| String::from_utf8(who.nick.to_vec()).unwrap();
    let mut nicks: Vec<_> = rig.server.who().map(nick).collect();
    nicks.sort();
    nicks
}
