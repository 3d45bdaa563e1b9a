//! How a user's time ends: logged out, replaced by a second login, thrown out.

use super::Server;
use super::nick::fold;
use crate::index::UserId;
use crate::wire::{ToClient, ToServer};
use alloc::boxed::Box;
use alloc::vec::Vec;
use p2p_core::Cx;

impl Server {
    /// A user is gone: so are its files, its places in channels and its lists; who waited for it is told.
    pub(super) fn logout(&mut self, cx: &mut Cx<'_, Self>, id: UserId) {
        self.part_all(cx, id);
        self.index.unshare_all(id);
        let Some(mut user) = self.users.remove(id) else { return };
        if let Some(account) = self.accounts.get_mut(&user.nick) {
            account.seen = cx.unix_now();
        }
        for watched in user.social.take().map_or_else(Vec::new, |social| social.hotlist) {
            self.unwatch(&watched, id);
        }
        self.tell_links_of_logout(id, &user.nick);
        self.tell_watchers(cx, &user.nick, &ToClient::SignedOff(&user.nick));
    }

    /// The same nick logs in again: 748, 404, 316, and the old connection is closed.
    pub(super) fn replace_ghost(&mut self, cx: &mut Cx<'_, Self>, id: UserId) {
        let Some(conn) = self.users.get(id).map(|user| user.conn) else { return };
        let mut out = self.buffer();
        ToClient::GhostLogin(b"").encode(&mut out);
        ToClient::Notice(b"Somebody else is logging in with your nick, disconnecting").encode(&mut out);
        ToClient::Disconnecting(b"0").encode(&mut out);
        self.deliver(cx, conn, out);
        self.drop_session(cx, conn, false);
    }

    /// Throws a user out, and says why.
    pub(super) fn throw_out(&mut self, cx: &mut Cx<'_, Self>, id: UserId, text: &[u8]) {
        let Some(user) = self.users.get(id) else { return };
        let (conn, nick) = (user.conn, user.nick.clone());
        if let Some(link) = self.link_of(id) {
            // Its own server decides.
            return self.pass_on_as_server(link, &ToServer::Kill { nick: &nick, reason: Some(text) });
        }
        let mut out = self.buffer();
        ToClient::Notice(text).encode(&mut out);
        ToClient::Disconnecting(b"0").encode(&mut out);
        self.deliver(cx, conn, out);
        self.drop_session(cx, conn, false);
    }

    /// Tells those who have a nick on their hotlist.
    pub(super) fn tell_watchers(&mut self, cx: &mut Cx<'_, Self>, nick: &[u8], message: &ToClient<'_>) {
        let Some(watchers) = self.watchers.get(fold(nick).as_slice()) else { return };
        let watchers: Vec<UserId> = watchers.iter().copied().collect();
        self.tell_all(cx, watchers, message);
    }

    pub(super) fn unwatch(&mut self, watched: &[u8], by: UserId) {
        if let Some(watchers) = self.watchers.get_mut(watched) {
            watchers.remove(&by);
            if watchers.is_empty() {
                self.watchers.remove(watched);
            }
        }
    }

    pub(super) fn watch(&mut self, watched: &[u8], by: UserId) {
        let watched: Box<[u8]> = watched.into();
        self.watchers.entry(watched).or_default().insert(by);
    }
}
