//! One chat channel: who is in it, who may not come, what it is about.

use super::bans::Banned;
use crate::index::UserId;
use crate::wire::Level;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::UnixTime;

/// A channel. It lives as long as somebody is in it.
#[derive(Debug)]
pub(super) struct Channel {
    /// Its name as whoever made it wrote it, with its `#`.
    pub(super) name: Box<[u8]>,
    pub(super) topic: Box<[u8]>,
    /// Who may come in.
    pub(super) level: Level,
    /// How many may be in it; 0: as many as the server allows.
    pub(super) limit: u32,
    /// When it was made, as far as this server knows.
    pub(super) created: UnixTime,
    pub(super) bans: BTreeMap<Banned, Reason>,
    /// Members by the order in which they came, and whether each may change the channel.
    members: BTreeMap<u64, (UserId, bool)>,
    place: BTreeMap<UserId, u64>,
    next: u64,
}

impl Channel {
    pub(super) fn new(name: &[u8], created: UnixTime) -> Self {
        let topic = first_topic(name);
        Self {
            name: name.into(),
            topic: topic.into(),
            level: Level::Leech,
            limit: 0,
            created,
            bans: BTreeMap::new(),
            members: BTreeMap::new(),
            place: BTreeMap::new(),
            next: 0,
        }
    }

    /// Adds a member.
    pub(super) fn insert(&mut self, user: UserId, operator: bool) {
        self.members.insert(self.next, (user, operator));
        self.place.insert(user, self.next);
        self.next += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether nobody has given it a topic yet.
    pub(super) fn has_first_topic(&self) -> bool {
        *self.topic == *first_topic(&self.name)
    }

    pub(super) fn remove(&mut self, user: UserId) -> bool {
        self.place.remove(&user).is_some_and(|place| self.members.remove(&place).is_some())
    }

    pub(super) fn contains(&self, user: UserId) -> bool {
        self.place.contains_key(&user)
    }

    pub(super) fn is_operator(&self, user: UserId) -> bool {
        let place = self.place.get(&user);
        place.and_then(|place| self.members.get(place)).is_some_and(|(_, operator)| *operator)
    }

    pub(super) fn set_operator(&mut self, user: UserId, operator: bool) -> bool {
        let Some(member) = self.place.get(&user).and_then(|place| self.members.get_mut(place)) else {
            return false;
        };
        member.1 = operator;
        true
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Who is in it, the newest first, as opennap lists them.
    pub(super) fn members(&self) -> Vec<UserId> {
        self.members.values().rev().map(|(user, _)| *user).collect()
    }

    pub(super) fn others(&self, than: UserId) -> Vec<UserId> {
        self.members().into_iter().filter(|user| *user != than).collect()
    }
}

fn first_topic(name: &[u8]) -> Vec<u8> {
    [b"Welcome to the ", name, b" channel."].concat()
}

/// Who banned somebody from a channel, and why.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) by: Box<[u8]>,
    pub(super) text: Box<[u8]>,
}

/// A channel's name as opennap reads it: up to the first space, with a `#` before it. `None` if nobody can have that.
pub(super) fn name(text: &[u8], most: usize) -> Option<Vec<u8>> {
    let word = text.split(|byte| *byte == b' ').next()?;
    let bare = word.strip_prefix(b"#").or_else(|| word.strip_prefix(b"&")).unwrap_or(word);
    let is_valid = !bare.is_empty()
        && bare.len() < most
        && bare
            .iter()
            .all(|byte| *byte > b' ' && *byte != 0x7f && !matches!(byte, b'"' | b':' | b',' | b'%'));
    let mark = if word.first() == Some(&b'&') { b'&' } else { b'#' };
    is_valid.then(|| [&[mark], bare].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(name(b"#a b", 64).as_deref(), Some(&b"#a"[..]));
        assert_eq!(name(b"noprefix", 64).as_deref(), Some(&b"#noprefix"[..]));
        for bad in [&b""[..], b"#", b" x", b"#\x1b[2J", b"#a:b", b"#a\"b", &[b'x'; 64]] {
            assert_eq!(name(bad, 64), None, "{bad:?}");
        }
    }

    #[test]
    fn the_newest_is_listed_first() {
        let mut channel = Channel::new(b"#x", UnixTime::from_secs(1));
        assert!(channel.is_empty());
        channel.insert(UserId(5), true);
        channel.insert(UserId(3), false);
        assert_eq!(channel.members(), [UserId(3), UserId(5)]);
        assert!(channel.is_operator(UserId(5)) && !channel.is_operator(UserId(3)));
        assert!(channel.remove(UserId(5)) && !channel.remove(UserId(5)));
        assert!(channel.set_operator(UserId(3), true) && !channel.set_operator(UserId(5), true));
        assert_eq!((channel.len(), channel.others(UserId(3))), (1, Vec::new()));
    }
}
