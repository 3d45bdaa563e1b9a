//! What operators of this server may do to its links: have one dialled (10100), or end it (10101).

use super::LinkEnd;
use crate::index::UserId;
use crate::server::Server;
use crate::wire::Level;
use crate::wire::text::{Fields, same_nick};
use p2p_core::{ConnId, Cx};

impl Server {
    /// The configured link with the server that a message begins with; says why not, if there is none.
    fn ordered(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, body: &[u8]) -> Option<usize> {
        if !self.is_allowed(cx, conn, user, Level::Admin, "") {
            return None;
        }
        let name = Fields::new(body).next().ok().flatten().map_or(&b""[..], |field| field.bytes);
        let at = self.config.links.iter().position(|config| same_nick(&config.peer.name, name));
        if at.is_none() {
            self.notice(cx, conn, "no link with that server is configured");
        }
        at
    }

    /// 10100: a link is dialled now, and again if it ends.
    pub(in crate::server) fn order_link(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        body: &[u8],
    ) {
        let Some(at) = self.ordered(cx, conn, user, body) else { return };
        if self.config.links.get(at).is_none_or(|config| config.address.is_none()) {
            return self.notice(cx, conn, "that server dials us");
        }
        if let Some(dial) = self.links.dials.get_mut(at) {
            (dial.ended, dial.failures) = (false, 0);
        }
        self.dial_link(cx, at);
    }

    /// 10101: a link ends, and is dialled no more until an operator says so; the other side may still dial.
    pub(in crate::server) fn order_link_end(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        user: UserId,
        body: &[u8],
    ) {
        let Some(at) = self.ordered(cx, conn, user, body) else { return };
        if let Some(dial) = self.links.dials.get_mut(at) {
            dial.ended = true;
        }
        let link = self.links.open.iter().find(|(_, other)| other.at == at).map(|(link, _)| *link);
        let link = link.or_else(|| self.links.dials.get(at).and_then(|dial| dial.conn));
        match link {
            Some(link) => self.end_link(cx, link, LinkEnd::Ordered),
            None => self.notice(cx, conn, "that server is not linked"),
        }
    }
}
