//! What one user shares: listed by the server (211-213), or asked for directly (640-642).

use super::Server;
use super::answers::wire_addr;
use super::users::Asked;
use crate::index::UserId;
use crate::wire::{ToClient, ToServer, WireAddr, put_frame};
use p2p_core::{ConnId, Cx};

/// The type of an entry of the list.
const ENTRY: u16 = 212;
/// Stands for the whole list where [`Asked`] has a file.
const LIST: &[u8] = b"";

impl Server {
    /// 211 by one of our users: its own server has the list of somebody behind a link.
    pub(super) fn browse_of(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, asker: UserId, nick: &[u8]) {
        let most = self.config.limits.browse_files;
        match self.users.find(nick).and_then(|user| self.link_of(user)) {
            Some(link) => self.browse_behind(link, asker, nick, most),
            None => self.browse(cx, conn, nick, most),
        }
    }

    /// The list of one of our users, of so many files at most.
    pub(super) fn browse(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, nick: &[u8], max: u32) {
        let mut out = self.buffer();
        let Some((id, user)) = self.users.named(nick) else {
            ToClient::SignedOff(nick).encode(&mut out);
            ToClient::BrowseEnd { nick, addr: None }.encode(&mut out);
            return self.deliver(cx, conn, out);
        };
        let most = self.config.limits.browse_files.min(max);
        for file in self.index.browse(id).take(most as usize) {
            put_frame(&mut out, ENTRY, |to| {
                to.word(&user.nick).raw(b" \"").raw(file.folder).raw(file.base).raw(b"\"");
                to.word(file.fingerprint.as_bytes()).number(file.size).number(file.bitrate);
                to.number(file.freq).number(file.seconds);
            });
        }
        let addr = if user.shared == 0 { WireAddr(0) } else { wire_addr(user.ip) };
        ToClient::BrowseEnd { nick: &user.nick, addr: Some(addr) }.encode(&mut out);
        self.deliver(cx, conn, out);
    }

    /// 640: the other is asked to show its list; 642 if it cannot.
    pub(super) fn direct_browse(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, asker: UserId, nick: &[u8]) {
        if let Some(other) = self.users.find(nick)
            && let Some(link) = self.link_of(other)
        {
            // opennap-ng has the asker's server say where the other is; ours says so itself.
            self.ask(other, asker, LIST);
            return self.pass_on(link, asker, &ToServer::DirectBrowse(nick));
        }
        let own = self.nick_of(asker);
        let firewalled = self.users.get(asker).is_none_or(|user| user.is_firewalled());
        let (why, other) = match self.users.named(nick) {
            None => (&b" is not online."[..], None),
            Some((_, user)) if user.ignores(&own) => (&b" is ignoring you."[..], None),
            Some((_, user)) if user.shared == 0 => (&b" is not sharing any files."[..], None),
            Some((_, user)) if user.is_firewalled() && firewalled => {
                (&b" is firewalled, and so are you."[..], None)
            }
            Some((id, _)) => (LIST, Some(id)),
        };
        let Some(other) = other else {
            let text = [nick, why].concat();
            return self.tell(cx, conn, &ToClient::BrowseError { nick, text: Some(&text) });
        };
        self.ask(other, asker, LIST);
        self.tell_user(cx, other, &ToClient::BrowseRequest(&own));
    }

    /// 641: it will, and that is where. Only who was asked can say so.
    pub(super) fn accept_browse(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, nick: &[u8]) {
        let Some(asker) = self.asker(user, nick, LIST) else {
            return self.notice_of(cx, conn, nick, " did not ask to browse you");
        };
        let Some(user) = self.users.get(user) else { return };
        let (nick, addr, port) = (user.nick.clone(), wire_addr(user.ip), user.port);
        self.tell_user(cx, asker, &ToClient::BrowseAccepted { nick: &nick, addr, port });
    }

    /// 642: it will not.
    pub(super) fn refuse_browse(
        &mut self,
        cx: &mut Cx<'_, Self>,
        user: UserId,
        nick: &[u8],
        text: Option<&[u8]>,
    ) {
        if let Some(asker) = self.asker(user, nick, LIST) {
            let nick = self.nick_of(user);
            self.tell_user(cx, asker, &ToClient::BrowseError { nick: &nick, text });
        }
    }

    /// Notes that a user is asked by another for a file, so that it may agree.
    pub(super) fn ask(&mut self, user: UserId, by: UserId, file: &[u8]) {
        let most = self.config.limits.asked;
        let Some(serial) = self.users.get(by).map(|by| by.serial) else { return };
        let Some(user) = self.users.get_mut(user) else { return };
        let asked = &mut user.social().asked;
        asked.retain(|asked| asked.by != by || *asked.file != *file);
        if asked.len() >= most {
            asked.pop_front();
        }
        asked.push_back(Asked { by, serial, file: file.into() });
    }

    /// Who of this nick asked a user for a file and is still here.
    pub(super) fn asker(&self, user: UserId, nick: &[u8], file: &[u8]) -> Option<UserId> {
        let (id, asker) = self.users.named(nick)?;
        let social = self.users.get(user)?.social.as_ref()?;
        let asked = |asked: &&Asked| asked.by == id && asked.serial == asker.serial && *asked.file == *file;
        social.asked.iter().find(asked).map(|asked| asked.by)
    }
}
