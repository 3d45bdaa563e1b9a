//! Lists of files asked for over links (211): who waits for one, should the other go away before its end came.

use crate::index::UserId;
use crate::server::Server;
use crate::wire::{Linked, ToClient};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::{ConnId, Cx};

/// Who waits for the list of a nick, in lower case: users with the numbers of their logins.
#[derive(Debug, Default)]
pub(super) struct Lists {
    waiting: BTreeMap<Box<[u8]>, Vec<(UserId, u64)>>,
    count: usize,
}

impl Lists {
    fn insert(&mut self, nick: &[u8], asker: (UserId, u64), most: usize) {
        if self.count < most {
            self.waiting.entry(nick.to_ascii_lowercase().into()).or_default().push(asker);
            self.count += 1;
        }
    }

    /// One list that an asker waited for has come.
    fn done(&mut self, nick: &[u8], asker: UserId) {
        let key = nick.to_ascii_lowercase();
        let Some(waiting) = self.waiting.get_mut(&*key) else { return };
        if let Some(at) = waiting.iter().position(|(user, _)| *user == asker) {
            waiting.remove(at);
            self.count -= 1;
        }
        if waiting.is_empty() {
            self.waiting.remove(&*key);
        }
    }

    fn take(&mut self, nick: &[u8]) -> Vec<(UserId, u64)> {
        let waiting = self.waiting.remove(&*nick.to_ascii_lowercase()).unwrap_or_default();
        self.count -= waiting.len();
        waiting
    }

    /// Somebody waits for nothing any more.
    pub(super) fn forget(&mut self, asker: UserId) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|(user, _)| *user != asker);
            !waiting.is_empty()
        });
        self.count = self.waiting.values().map(Vec::len).sum();
    }
}

impl Server {
    /// What one of our users asks of somebody behind a link: 211.
    pub(in crate::server) fn browse_behind(&mut self, link: ConnId, asker: UserId, nick: &[u8], max: u32) {
        let Some(user) = self.users.get(asker) else { return };
        let (origin, serial) = (user.nick.clone(), user.serial);
        self.links.lists.insert(nick, (asker, serial), self.config.limits.linked_searches);
        self.tell_link(link, &Linked::Browse { origin: &origin, nick, max: Some(max) });
    }

    /// An answer for one of our users went out: it may be the end of a list.
    pub(super) fn list_answered(&mut self, asker: UserId, answer: &ToClient<'_>) {
        if let ToClient::BrowseEnd { nick, .. } = answer {
            self.links.lists.done(nick, asker);
        }
    }

    /// Somebody is not there any more: who waits for its list is told that this was all.
    pub(super) fn lists_end(&mut self, cx: &mut Cx<'_, Self>, nick: &[u8]) {
        for (asker, serial) in self.links.lists.take(nick) {
            let asking = self.users.get(asker).filter(|user| user.serial == serial && user.home.is_none());
            let Some(conn) = asking.map(|user| user.conn) else { continue };
            let mut out = self.buffer();
            ToClient::SignedOff(nick).encode(&mut out);
            ToClient::BrowseEnd { nick, addr: None }.encode(&mut out);
            self.deliver(cx, conn, out);
        }
    }
}
