//! What a server knows, to be looked at from outside: by a program's own pages, and by tests.

use super::Server;
use super::channel::Channel;
use super::session::Session;
use crate::index::{FileRef, Index};

/// Somebody who is logged in, here or behind a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Who<'a> {
    /// The nick.
    pub nick: &'a [u8],
    /// The server that it is on, if not this one.
    pub server: Option<&'a [u8]>,
    /// How many files it shares.
    pub files: u32,
}

/// What strangers made a server hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServerLoad {
    /// Connections of clients, and of those that are nobody yet.
    pub sessions: usize,
    /// Links, and those that are to be.
    pub links: usize,
    /// Bytes that came and were not looked at, or are parts of messages.
    pub held_bytes: usize,
    /// Members of all channels.
    pub members: usize,
    /// Bans of all channels.
    pub channel_bans: usize,
    /// Nicks that somebody watches, and nicks that somebody ignores.
    pub listed: usize,
    /// Requests for uploads that nobody answered.
    pub asked: usize,
    /// Searches that wait for linked servers.
    pub searches: usize,
    /// Servers behind links.
    pub servers: usize,
}

impl Server {
    /// What strangers made it hold, beside what [`counts`](Self::counts) says.
    #[must_use]
    pub fn load(&self) -> ServerLoad {
        let social = || self.users.iter().filter_map(|(_, user)| user.social.as_deref());
        let (links, held, searches, servers) = self.links.load();
        ServerLoad {
            sessions: self.sessions.len(),
            links,
            held_bytes: held + self.sessions.values().map(Session::held).sum::<usize>(),
            members: self.channels.values().map(Channel::len).sum(),
            channel_bans: self.channels.values().map(|channel| channel.bans.len()).sum(),
            listed: social().map(|social| social.hotlist.len() + social.ignored.len()).sum(),
            asked: social().map(|social| social.asked.len()).sum(),
            searches,
            servers,
        }
    }

    /// Everybody who is logged in, in no order that means something.
    pub fn who(&self) -> impl Iterator<Item = Who<'_>> {
        self.users.iter().map(|(_, user)| Who {
            nick: &user.nick,
            server: user.home.as_ref().map(|home| &*home.server),
            files: user.shared,
        })
    }

    /// The members of a channel, here and behind links, the newest first.
    pub fn members(&self, channel: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.members_of(channel).into_iter().filter_map(|id| self.users.get(id)).map(|user| &*user.nick)
    }

    /// What a user of this server shares.
    pub fn files_of(&self, nick: &[u8]) -> impl Iterator<Item = FileRef<'_>> {
        self.users.find(nick).into_iter().flat_map(|id| self.index.browse(id))
    }

    /// What all users of this server share.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }
}
