//! How a download comes about: who has the file is asked, and agrees, and then one dials the other.
//!
//! ```text
//! downloader          server            uploader
//!     │── 203 ─────────►│── 607 ──────────►│    the uploader can be dialled
//!     │◄── 204 ip port ─│◄── 608 or 609 ───│    609 is relayed
//!
//!     │── 203 ─────────►│                  │    it is firewalled: the answer says port 0 at once,
//!     │◄── 204 port 0 ──│                  │
//!     │── 500 ─────────►│── 607 ──────────►│    so the uploader is to dial
//!     │                 │◄── 608 ──────────│
//!     │                 │── 501 ip port ──►│
//! ```
//!
//! Only whom the server sent 607 can agree, so nobody can aim another's client at an address without being asked.

use super::Server;
use super::answers::wire_addr;
use super::users::User;
use crate::index::{Fingerprint, UserId};
use crate::wire::ToClient;
use crate::wire::message::Offer;
use p2p_core::{ConnId, Cx};

/// What whoever cannot be dialled is told of somebody who cannot be dialled either.
const BOTH_FIREWALLED: &str = " is firewalled, and so are you";

/// How a file gets from its holder to who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The asker dials the holder.
    Dial,
    /// The holder dials the asker.
    Push,
    /// Neither can be dialled.
    None,
}

impl Server {
    /// 203: a file is wanted.
    pub(super) fn download(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        asker: UserId,
        nick: &[u8],
        file: &[u8],
    ) {
        let Some((holder, way)) = self.holder(cx, conn, asker, nick, file) else { return };
        match way {
            Way::Dial => self.request(cx, holder, asker, file),
            Way::None => {
                self.notice_of(cx, conn, nick, BOTH_FIREWALLED);
                self.tell(cx, conn, &ToClient::DownloadError { nick, file });
            }
            Way::Push => {
                let Some(user) = self.users.get(holder) else { return };
                let (nick, speed, addr) = (user.nick.clone(), user.speed, wire_addr(user.ip));
                let md5 = Fingerprint::UNKNOWN;
                let offer = Offer { nick: &nick, addr, port: 0, file, md5: md5.as_bytes(), speed };
                self.tell(cx, conn, &ToClient::DownloadAck(offer));
            }
        }
    }

    /// 500: a file is wanted of somebody who cannot be dialled.
    pub(super) fn push(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        asker: UserId,
        nick: &[u8],
        file: &[u8],
    ) {
        let Some((holder, way)) = self.holder(cx, conn, asker, nick, file) else { return };
        match way {
            Way::Dial => self.notice_of(cx, conn, nick, " is not firewalled"),
            Way::None => self.notice_of(cx, conn, nick, BOTH_FIREWALLED),
            Way::Push => self.request(cx, holder, asker, file),
        }
    }

    /// Who shares the file, and which of the two dials the other; or says that nobody of that nick does (206).
    fn holder(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        asker: UserId,
        nick: &[u8],
        file: &[u8],
    ) -> Option<(UserId, Way)> {
        let asking = self.users.get(asker)?;
        let holder = self.users.named(nick).filter(|(_, user)| !user.ignores(&asking.nick));
        // What somebody behind a link shares, its own server knows.
        let shares = |id, user: &User| user.home.is_some() || self.index.find(id, file).is_some();
        let found = holder.filter(|(id, user)| shares(*id, user)).map(|(id, user)| {
            let way = match (user.is_firewalled(), asking.is_firewalled()) {
                (false, _) => Way::Dial,
                (true, false) => Way::Push,
                (true, true) => Way::None,
            };
            (id, way)
        });
        if found.is_none() {
            self.tell(cx, conn, &ToClient::DownloadError { nick, file });
        }
        found
    }

    fn request(&mut self, cx: &mut Cx<'_, Self>, holder: UserId, asker: UserId, file: &[u8]) {
        let Some(asking) = self.users.get(asker) else { return };
        // The line is told of users on other servers only.
        let (nick, speed) = (asking.nick.clone(), asking.home.as_ref().map(|_| asking.speed));
        if let Some(link) = self.link_of(holder) {
            return self.request_behind(link, asker, holder, file);
        }
        self.ask(holder, asker, file);
        self.tell_user(cx, holder, &ToClient::UploadRequest { nick: &nick, file, speed });
    }

    /// 607 from a link: somebody there wants a file of one of our users.
    pub(super) fn request_for(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        asker: UserId,
        nick: &[u8],
        file: &[u8],
    ) {
        match self.holder(cx, conn, asker, nick, file) {
            Some((_, Way::None)) => self.tell(cx, conn, &ToClient::DownloadError { nick, file }),
            Some((holder, Way::Dial | Way::Push)) => self.request(cx, holder, asker, file),
            None => {}
        }
    }

    /// 608: the holder agrees.
    pub(super) fn accept_upload(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        holder: UserId,
        nick: &[u8],
        file: &[u8],
    ) {
        let Some(asker) = self.asker(holder, nick, file) else {
            return self.notice_of(cx, conn, nick, " did not ask for that file");
        };
        // Shared no more: the other waits for nothing.
        let Some(shared) = self.index.find(holder, file) else {
            let own = self.nick_of(holder);
            return self.tell_user(cx, asker, &ToClient::DownloadError { nick: &own, file });
        };
        let md5 = shared.fingerprint;
        let (Some(user), Some(asking)) = (self.users.get(holder), self.users.get(asker)) else { return };
        // Whoever can be dialled is what the other is told.
        let push = user.is_firewalled();
        let (from, to) = if push { (asking, holder) } else { (user, asker) };
        let (nick, addr, port, speed) = (from.nick.clone(), wire_addr(from.ip), from.port, from.speed);
        self.stats.downloads += 1;
        let offer = Offer { nick: &nick, addr, port, file, md5: md5.as_bytes(), speed };
        let message = if push { ToClient::PushOrder(offer) } else { ToClient::DownloadAck(offer) };
        self.tell_user(cx, to, &message);
    }

    /// 609: it does not.
    pub(super) fn refuse_upload(&mut self, cx: &mut Cx<'_, Self>, holder: UserId, nick: &[u8], file: &[u8]) {
        if let Some(asker) = self.asker(holder, nick, file) {
            let nick = self.nick_of(holder);
            self.tell_user(cx, asker, &ToClient::UploadRefused { nick: &nick, file });
        }
    }

    /// 619: all its places are taken.
    pub(super) fn queue_limit(
        &mut self,
        cx: &mut Cx<'_, Self>,
        holder: UserId,
        nick: &[u8],
        file: &[u8],
        limit: u32,
    ) {
        let Some(asker) = self.asker(holder, nick, file) else { return };
        let size = self.index.find(holder, file).map_or(0, |file| file.size);
        let nick = self.nick_of(holder);
        self.tell_user(cx, asker, &ToClient::QueueLimit { nick: &nick, file, size, limit });
    }

    /// 218 to 221: what a user says of its transfers, shown by whois.
    pub(super) fn count_transfer(&mut self, user: UserId, kind: u16) {
        let Some(user) = self.users.get_mut(user) else { return };
        let transfers = &mut user.transfers;
        match kind {
            218 => transfers.downloads = transfers.downloads.saturating_add(1),
            219 => {
                transfers.downloads = transfers.downloads.saturating_sub(1);
                transfers.downloads_done = transfers.downloads_done.saturating_add(1);
            }
            220 => transfers.uploads = transfers.uploads.saturating_add(1),
            _ => {
                transfers.uploads = transfers.uploads.saturating_sub(1);
                transfers.uploads_done = transfers.uploads_done.saturating_add(1);
            }
        }
    }
}
