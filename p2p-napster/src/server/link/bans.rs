//! Bans and muzzles over links, in the name of a server: set (612, 622) and lifted (614, 623).
//!
//! What the application orders is told to all links at once, as what an operator orders is; a new neighbour is told of bans
//! with all else.

use crate::server::Server;
use crate::server::bans::{Banned, Kind};
use crate::server::keeping::Sentence;
use crate::wire::{ToServer, Writer};
use bytes::BytesMut;
use p2p_core::{ConnId, Cx, Duration, UnixTime};

/// `who "reason" seconds now`, as opennap-ng has it; 0 seconds are for ever.
pub(super) fn ban_text(who: &Banned, reason: &[u8], seconds: u64, now: UnixTime) -> BytesMut {
    let mut text = BytesMut::new();
    Writer::new(&mut text).word(&who.text()).quoted(reason).number(seconds).number(now.as_secs());
    text
}

/// The types of a ban or a muzzle, and of its end.
const fn types(kind: Kind) -> (u16, u16) {
    match kind {
        Kind::Ban => (612, 614),
        Kind::Muzzle => (622, 623),
    }
}

impl Server {
    /// The application banned or muzzled somebody.
    pub(in crate::server) fn tell_links_of_ban(
        &mut self,
        kind: Kind,
        who: &Banned,
        (reason, during): (&[u8], Option<Duration>),
        now: UnixTime,
    ) {
        let seconds = during.map_or(0, |during| during.as_secs().max(1));
        let text = ban_text(who, reason, seconds, now);
        self.relay_as_server(None, &ToServer::Other(types(kind).0, &text));
    }

    /// The application lifted a ban or a muzzle.
    pub(in crate::server) fn tell_links_of_lift(&mut self, kind: Kind, who: &Banned) {
        self.relay_as_server(None, &ToServer::Other(types(kind).1, &who.text()));
    }

    /// A server that is trusted so far bans or muzzles somebody: so do we, and tell the others, if we had not.
    pub(super) fn linked_ban(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, kind: Kind, body: &[u8]) {
        let Some(order) = crate::server::admin::Order::parse(body) else { return };
        let (who, by) = (Banned::parse(order.who), self.neighbour_name(conn));
        let sentence = Sentence { by: &by, reason: order.reason, during: order.during };
        if self.bans_of(kind).contains(&who) || !self.ban(cx, kind, &who, &sentence, None) {
            return;
        }
        if kind == Kind::Ban {
            self.throw_out_banned(cx, &who);
        }
        self.relay_as_server(Some(conn), &ToServer::Other(types(kind).0, body));
    }

    /// And lifts it.
    pub(super) fn linked_lift(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, kind: Kind, who: &[u8]) {
        if self.lift(cx, kind, &Banned::parse(who), None) {
            self.relay_as_server(Some(conn), &ToServer::Other(types(kind).1, who));
        }
    }
}
