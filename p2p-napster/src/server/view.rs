//! What a server knows, to be looked at from outside: by a program's own pages, and by tests.

use super::Server;
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

impl Server {
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
