//! How answers are written: into one buffer that is kept for its room, and sent in one piece.

use super::Server;
use crate::index::UserId;
use crate::wire::{ToClient, WireAddr};
use alloc::format;
use alloc::sync::Arc;
use bytes::BytesMut;
use core::net::IpAddr;
use p2p_core::{ConnId, Cx};

/// What a client reads as the program's name; some look for `opennap`.
const VERSION: &str = concat!("VERSION opennap p2p-napster ", env!("CARGO_PKG_VERSION"));

/// An address as the wire has it; 0 for IPv6, which the wire has no form for.
pub(super) fn wire_addr(ip: IpAddr) -> WireAddr {
    match ip {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(_) => WireAddr(0),
    }
}

impl Server {
    /// The buffer, to write into. Give it back with [`deliver`](Self::deliver).
    pub(super) fn buffer(&mut self) -> BytesMut {
        core::mem::take(&mut self.out)
    }

    /// Sends what was written, in one piece.
    pub(super) fn deliver(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, mut out: BytesMut) {
        let data = out.split().freeze();
        self.out = out;
        if data.is_empty() {
            return;
        }
        match self.links.acting() {
            Some(user) if self.links.owns(conn) => self.encapsulate(conn, user, &data),
            _ => self.send(cx, conn, data),
        }
    }

    /// Sends one message.
    pub(super) fn tell(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, message: &ToClient<'_>) {
        let mut out = self.buffer();
        message.encode(&mut out);
        self.deliver(cx, conn, out);
    }

    /// Sends one message to a user, also one behind a link.
    pub(super) fn tell_user(&mut self, cx: &mut Cx<'_, Self>, user: UserId, message: &ToClient<'_>) {
        match self.users.get(user).map(|user| (user.conn, user.link())) {
            Some((_, Some(link))) => {
                let mut out = self.buffer();
                message.encode(&mut out);
                self.encapsulate(link, user, &out);
                out.clear();
                self.out = out;
            }
            Some((conn, None)) => self.tell(cx, conn, message),
            None => {}
        }
    }

    /// Sends the same message to several users, written once. Those behind links are told by their own servers.
    pub(super) fn tell_all(
        &mut self,
        cx: &mut Cx<'_, Self>,
        users: impl IntoIterator<Item = UserId>,
        message: &ToClient<'_>,
    ) {
        let mut out = self.buffer();
        message.encode(&mut out);
        let data = out.split().freeze();
        self.out = out;
        for user in users {
            if let Some(conn) = self.users.get(user).filter(|user| user.home.is_none()).map(|user| user.conn)
            {
                self.send(cx, conn, data.clone());
            }
        }
    }

    /// Sends a notice (404).
    pub(super) fn notice(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, text: &str) {
        self.tell(cx, conn, &ToClient::Notice(text.as_bytes()));
    }

    pub(super) fn denied(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        self.notice(cx, conn, "permission denied");
    }

    /// A notice that begins with somebody's nick, which is bytes.
    pub(super) fn notice_of(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8], text: &str) {
        let text = [nick, text.as_bytes()].concat();
        self.tell(cx, conn, &ToClient::Notice(&text));
    }

    pub(super) fn nick_of(&self, user: UserId) -> Arc<[u8]> {
        self.users.get(user).map_or_else(|| Arc::from(&b""[..]), |user| user.nick.clone())
    }

    /// How many are here and what they share (214).
    pub(super) fn put_counts(&self, out: &mut BytesMut) {
        let totals = self.index.totals();
        let (_, files, kilobytes) = self.links.totals();
        let gigabytes = (totals.bytes.saturating_add(kilobytes.saturating_mul(1024))) >> 30;
        let files = totals.files.saturating_add(files);
        ToClient::Stats { users: self.users.len() as u32, files, gigabytes }.encode(out);
    }

    /// The message of the day (621), a line a message.
    pub(super) fn put_motd(&self, out: &mut BytesMut) {
        ToClient::Motd(VERSION.as_bytes()).encode(out);
        ToClient::Motd(format!("SERVER {}", self.config.name).as_bytes()).encode(out);
        for line in &self.config.motd {
            ToClient::Motd(line).encode(out);
        }
    }
}
