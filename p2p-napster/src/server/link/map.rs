//! Which servers there are, and through which link each is reached. There is one way to each, or it is a circle.

use super::LinkEnd;
use crate::server::Server;
use crate::wire::text::{Fields, same_nick};
use crate::wire::{Linked, put_frame};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use p2p_core::{ConnId, Cx};

/// How far away a server may be said to be.
const HOPS_MAX: u32 = 32;

/// A server behind a link.
#[derive(Debug)]
struct Known {
    name: Arc<[u8]>,
    via: ConnId,
    /// The server that it is linked with on our side; empty if that is us or is not known.
    nearer: Arc<[u8]>,
    port: u16,
    hops: u32,
}

/// A link as messages 10019 and 10112 have it. The port of the nearer server is not known, and not needed.
pub(super) struct LinkLine {
    pub(super) server: Arc<[u8]>,
    pub(super) peer: Arc<[u8]>,
    pub(super) peer_port: u16,
    pub(super) hops: u32,
}

/// All servers behind links, by name in lower case.
#[derive(Debug, Default)]
pub(super) struct ServerMap {
    servers: BTreeMap<Box<[u8]>, Known>,
}

fn key(name: &[u8]) -> Box<[u8]> {
    name.to_ascii_lowercase().into()
}

impl ServerMap {
    /// The link through which a server is reached.
    pub(super) fn via(&self, name: &[u8]) -> Option<ConnId> {
        self.servers.get(&key(name)).map(|known| known.via)
    }

    /// A server's name as it is kept once for all its users.
    pub(super) fn name(&self, name: &[u8]) -> Option<Arc<[u8]>> {
        self.servers.get(&key(name)).map(|known| known.name.clone())
    }

    pub(super) fn insert(&mut self, name: &[u8], via: ConnId, nearer: &[u8], port: u16, hops: u32) {
        let known = Known { name: name.into(), via, nearer: nearer.into(), port, hops };
        self.servers.insert(key(name), known);
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        self.servers.remove(&key(name));
    }

    /// Forgets the servers behind a link, which are returned.
    pub(super) fn remove_via(&mut self, via: ConnId) -> Vec<Arc<[u8]>> {
        self.servers.extract_if(.., |_, known| known.via == via).map(|(_, known)| known.name).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.servers.len()
    }
}

impl Server {
    /// The links that there are, as message 10019 has them, but for those behind `except`.
    pub(super) fn link_lines(&self, except: Option<ConnId>) -> Vec<LinkLine> {
        let own: Arc<[u8]> = self.config.name.as_bytes().into();
        let known = self.links.map.servers.values().filter(|known| Some(known.via) != except);
        let line = |known: &Known| {
            let nearer = if known.nearer.is_empty() { own.clone() } else { known.nearer.clone() };
            LinkLine { server: nearer, peer: known.name.clone(), peer_port: known.port, hops: known.hops }
        };
        known.map(line).collect()
    }

    /// 10112: the links, as opennap-ng lists them, and an empty one.
    pub(in crate::server) fn list_links(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        const LINK: u16 = 10112;
        let mut out = self.buffer();
        for LinkLine { server, peer, peer_port, hops } in self.link_lines(None) {
            put_frame(&mut out, LINK, |to| {
                to.word(&server).number(0_u16).word(&peer).number(peer_port).number(hops);
            });
        }
        put_frame(&mut out, LINK, |_| {});
        self.deliver(cx, conn, out);
    }

    /// 10019: a link somewhere behind this one.
    pub(super) fn link_map(
        &mut self,
        conn: ConnId,
        (server, peer): (&[u8], &[u8]),
        (port, peer_port): (u16, u16),
        hops: u32,
    ) -> Result<(), LinkEnd> {
        let own = self.config.name.clone();
        let is_own = |name: &[u8]| same_nick(name, own.as_bytes());
        let neighbour = self.neighbour_name(conn);
        // The link that it came over.
        if (is_own(server) && same_nick(peer, &neighbour)) || (is_own(peer) && same_nick(server, &neighbour))
        {
            return Ok(());
        }
        for (name, nearer, port) in [(server, &b""[..], port), (peer, server, peer_port)] {
            if is_own(name) {
                return Err(LinkEnd::Loop(name.into()));
            }
            match self.links.map.via(name) {
                Some(via) if via != conn => return self.circle(name, via),
                Some(_) => {}
                None => self.new_server(conn, name, nearer, port, hops.saturating_add(1))?,
            }
        }
        Ok(())
    }

    /// A server can be reached on two ways: one of them has to go. What is linked with that server directly and newly
    /// learns of it from both sides, and both let go of the new link.
    fn circle(&mut self, name: &[u8], via: ConnId) -> Result<(), LinkEnd> {
        if same_nick(&self.neighbour_name(via), name) {
            self.links.circles.push((via, name.into()));
            return Ok(());
        }
        Err(LinkEnd::Loop(name.into()))
    }

    /// A server is behind a link that nobody knew; the others are told.
    pub(super) fn new_server(
        &mut self,
        conn: ConnId,
        name: &[u8],
        nearer: &[u8],
        port: u16,
        hops: u32,
    ) -> Result<(), LinkEnd> {
        let limits = &self.config.limits;
        if self.links.map.len() >= limits.linked_servers || hops > HOPS_MAX {
            return Err(LinkEnd::TooMany("servers"));
        }
        if name.is_empty() || name.len() > limits.client_name {
            return Err(LinkEnd::TooMany("letters in a server's name"));
        }
        self.links.map.insert(name, conn, nearer, port, hops);
        let own = self.config.name.clone();
        let server = if nearer.is_empty() { own.as_bytes() } else { nearer };
        let line = Linked::LinkMap { server, port: 0, peer: name, peer_port: port, hops };
        self.relay(Some(conn), &line);
        Ok(())
    }

    /// 10020: a server is not linked any more, nor are its users.
    pub(super) fn server_quit(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, text: &[u8]) {
        let mut fields = Fields::new(text);
        let mut word = || fields.next().ok().flatten().map(|field| field.bytes);
        let mut name = word();
        if name.is_some_and(|name| name.first() == Some(&b':')) {
            name = word();
        }
        let Some(name) = name.filter(|name| self.links.map.via(name) == Some(conn)) else { return };
        if same_nick(name, &self.neighbour_name(conn)) {
            return;
        }
        self.links.map.remove(name);
        self.users_gone(cx, conn, |home| same_nick(&home.server, name));
        self.relay_server_quit(Some(conn), name);
    }

    pub(super) fn relay_server_quit(&mut self, except: Option<ConnId>, name: &[u8]) {
        let own = self.config.name.clone();
        let text = [b":", own.as_bytes(), b" ", name].concat();
        self.relay(except, &Linked::ServerQuit(&text));
    }
}
