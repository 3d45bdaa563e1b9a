//! Connecting to who cannot connect to us (`GIV`), in both roles.

use super::guest::Guest;
use super::{Context, Stream, Timer, Transfers, http};
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::ConnId;

/// Pushes in thirty seconds for one address: a push costs ten of the tokens of which there are thirty.
const PUSH_COST: u64 = 10;

impl Transfers {
    /// Somebody at `to` asks by a push for a connection, to fetch the file of this number. Whether it is dialled: strangers
    /// write pushes, so few are dialled at once, each address seldom, and nothing is said that harms.
    pub fn give(&mut self, to: SocketAddr, number: u32, cx: &mut Context<'_>) -> bool {
        let under_way = self.streams.values().filter(|stream| matches!(stream, Stream::Giving(_))).count();
        let room = under_way < self.config.limits.pushes && !self.library.is_empty() && !self.stopping;
        if !room || !http::is_plausible(&to) || !self.pushers.take(cx.now(), &to.ip(), PUSH_COST) {
            return false;
        }
        let conn = cx.connect(to);
        self.streams.insert(conn, Stream::Giving(number));
        cx.set_timer(Timer::Stream(conn), self.config.limits.connect);
        true
    }

    pub(super) fn giving_opened(&mut self, conn: ConnId, peer: SocketAddr, cx: &mut Context<'_>) {
        let Some(Stream::Giving(number)) = self.streams.get(&conn) else { return };
        let name = self.library.by_number(*number).map_or("file", |file| file.name());
        let line = alloc::format!(
            "GIV {number}:{}/{}\n\n",
            self.config.servent,
            name.replace(char::is_control, " ")
        );
        cx.send(conn, line.into_bytes());
        self.streams.insert(conn, Stream::Guest(Guest::new(peer)));
        cx.set_timer(Timer::Stream(conn), self.config.limits.head);
    }

    /// What a servent says that connects because it was told to.
    pub(super) fn taking_said(&mut self, conn: ConnId, mut data: Bytes, cx: &mut Context<'_>) {
        let Some(Stream::Taking(peer, head)) = self.streams.get_mut(&conn) else { return };
        let (peer, read) = (*peer, head.read(&mut data));
        let giv = match read {
            Ok(None) => return,
            Ok(Some(head)) => http::parse_giv(&head.first),
            Err(_) => None,
        };
        // More than the line may not come: it is for us to ask.
        let taken = match giv {
            Some((_, servent)) if data.is_empty() => self.take_giver(conn, peer, servent, cx),
            _ => false,
        };
        if !taken {
            self.drop_stream(conn, true, cx);
        }
    }
}
