//! How messages get onto links: gathered while an input is done, and sent as one piece of each stream.

use super::LinkEnd;
use crate::index::UserId;
use crate::server::Server;
use crate::server::users::User;
use crate::wire::frame::HEAD_LEN;
use crate::wire::{Linked, ToServer, put_frame};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bytes::BytesMut;
use p2p_core::{ConnId, Cx};

/// Message 10018.
const ENCAPSULATED: u16 = 10018;

impl User {
    /// The link that this user is behind; `None` if it is on this server.
    pub(in crate::server) fn link(&self) -> Option<ConnId> {
        self.home.as_ref().map(|_| self.conn)
    }
}

impl Server {
    /// The link that a user is behind.
    pub(in crate::server) fn link_of(&self, user: UserId) -> Option<ConnId> {
        self.users.get(user)?.link()
    }

    pub(super) fn neighbour_name(&self, conn: ConnId) -> Box<[u8]> {
        self.links.open.get(&conn).map_or_else(Box::default, |other| other.link.peer().name.clone())
    }

    /// Adds to what a link is sent.
    pub(super) fn onto(&mut self, conn: ConnId, write: impl FnOnce(&mut BytesMut)) {
        if let Some(other) = self.links.open.get_mut(&conn).filter(|other| other.is_up) {
            write(&mut other.pending);
            self.links.dirty.insert(conn);
        }
    }

    /// A message for one link.
    pub(super) fn tell_link(&mut self, conn: ConnId, message: &Linked<'_>) {
        self.onto(conn, |out| message.encode(out));
    }

    /// The same bytes for all links but one.
    fn relay_bytes(&mut self, except: Option<ConnId>, write: impl FnOnce(&mut BytesMut)) {
        let mut others =
            self.links.open.iter_mut().filter(|(conn, other)| other.is_up && Some(**conn) != except);
        let Some((first, other)) = others.next() else { return };
        let from = other.pending.len();
        write(&mut other.pending);
        let written = other.pending.get(from..).unwrap_or_default().to_vec();
        self.links.dirty.insert(*first);
        for (conn, other) in others {
            other.pending.extend_from_slice(&written);
            self.links.dirty.insert(*conn);
        }
    }

    /// A message for all links but one.
    pub(super) fn relay(&mut self, except: Option<ConnId>, message: &Linked<'_>) {
        self.relay_bytes(except, |out| message.encode(out));
    }

    /// A client's message in the name of a user, for all links but the one that the user is behind.
    pub(in crate::server) fn relay_of(&mut self, by: UserId, message: &ToServer<'_>) {
        if self.links.open.is_empty() {
            return;
        }
        let (nick, except) = (self.nick_of(by), self.link_of(by));
        self.relay_bytes(except, |out| put_of(out, &nick, message));
    }

    /// The same for the links that some users are behind.
    pub(in crate::server) fn relay_to(&mut self, by: UserId, members: &[UserId], message: &ToServer<'_>) {
        if self.links.open.is_empty() {
            return;
        }
        let links: BTreeSet<ConnId> = members.iter().filter_map(|user| self.link_of(*user)).collect();
        let (nick, from) = (self.nick_of(by), self.link_of(by));
        for conn in links.into_iter().filter(|conn| Some(*conn) != from) {
            self.onto(conn, |out| put_of(out, &nick, message));
        }
    }

    /// A client's message in the name of a user, onto one link.
    pub(in crate::server) fn pass_on(&mut self, link: ConnId, by: UserId, message: &ToServer<'_>) {
        let nick = self.nick_of(by);
        self.onto(link, |out| put_of(out, &nick, message));
    }

    /// The same in the name of this server.
    pub(in crate::server) fn pass_on_as_server(&mut self, link: ConnId, message: &ToServer<'_>) {
        let name = self.config.name.clone();
        self.onto(link, |out| put_of(out, name.as_bytes(), message));
    }

    pub(super) fn relay_as_server(&mut self, except: Option<ConnId>, message: &ToServer<'_>) {
        let name = self.config.name.clone();
        self.relay_bytes(except, |out| put_of(out, name.as_bytes(), message));
    }

    /// Messages that a client gets from its server, for a user behind a link.
    pub(in crate::server) fn encapsulate(&mut self, link: ConnId, to: UserId, mut frames: &[u8]) {
        let (name, nick) = (self.config.name.clone(), self.nick_of(to));
        self.onto(link, |out| {
            while let Some(head) = frames.first_chunk::<HEAD_LEN>() {
                let len = HEAD_LEN + usize::from(u16::from_le_bytes([head[0], head[1]]));
                let Some((frame, rest)) = frames.split_at_checked(len) else { return };
                put_frame(out, ENCAPSULATED, |to| {
                    to.origin(name.as_bytes()).word(&nick).rest(frame);
                });
                frames = rest;
            }
        });
    }

    /// Sends what this input put onto links.
    pub(in crate::server) fn flush_links(&mut self, cx: &mut Cx<'_, Self>) {
        while let Some(conn) = self.links.dirty.pop_first() {
            let Some(other) = self.links.open.get_mut(&conn) else { continue };
            let pending = core::mem::take(&mut other.pending);
            if pending.is_empty() {
                continue;
            }
            let mut out = BytesMut::new();
            other.link.send(&pending, &mut out);
            if other.full {
                other.unread += out.len();
                if other.unread > self.config.limits.link_unread_bytes {
                    self.end_link(cx, conn, LinkEnd::Unread);
                    continue;
                }
            }
            cx.send(conn, out);
        }
    }

    /// What one of our users wants of somebody behind a link: 607.
    pub(in crate::server) fn request_behind(
        &mut self,
        link: ConnId,
        asker: UserId,
        holder: UserId,
        file: &[u8],
    ) {
        let (origin, nick) = (self.nick_of(asker), self.nick_of(holder));
        self.tell_link(link, &Linked::UploadRequest { origin: &origin, nick: &nick, file, speed: None });
    }

    /// Everybody behind a link.
    pub(super) fn behind(&self, conn: ConnId) -> Vec<UserId> {
        self.users.iter().filter(|(_, user)| user.link() == Some(conn)).map(|(id, _)| id).collect()
    }
}

fn put_of(out: &mut BytesMut, origin: &[u8], message: &ToServer<'_>) {
    let mut plain = BytesMut::new();
    message.encode(&mut plain);
    put_frame(out, message.kind(), |to| {
        to.origin(origin).rest(plain.get(HEAD_LEN..).unwrap_or_default());
    });
}

pub(super) fn put_raw(out: &mut BytesMut, kind: u16, body: &[u8]) {
    put_frame(out, kind, |to| {
        to.raw(body);
    });
}
