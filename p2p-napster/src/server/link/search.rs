//! Searches over links: asked for where the own index had fewer hits than wanted, answered from it, passed on.
//!
//! ```text
//!  200 ──► own index ──┬─ enough: 201 ... 202
//!                      └─ 10015 to each link ──► 10016 (201 at once), 10017 ... the last of them, or the deadline: 202
//! ```
//!
//! Whose search is under way is not read on, for the results of two could not be told apart.

use crate::index::UserId;
use crate::server::session::State;
use crate::server::share::is_sayable;
use crate::server::{Server, ServerTimer};
use crate::wire::message::{Hit, SharedFile};
use crate::wire::query::{Clause, Query};
use crate::wire::{Linked, ToClient};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::BytesMut;
use p2p_core::{ConnId, Cx};

/// Letters of a search's name.
const NAME_LEN: usize = 8;

/// Searches under way over links.
#[derive(Debug, Default)]
pub(super) struct Searches {
    next: u64,
    all: BTreeMap<u64, Pending>,
}

impl Searches {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

#[derive(Debug)]
struct Pending {
    asker: Asker,
    /// Links that have not said that they are done.
    waiting: BTreeSet<ConnId>,
    /// Hits that still count.
    left: usize,
    /// Their bytes.
    bytes_left: usize,
}

#[derive(Debug)]
enum Asker {
    User { conn: ConnId, user: UserId, serial: u64 },
    Link { conn: ConnId, id: Box<[u8]> },
}

/// The name of a search on the wire.
fn name(mut number: u64) -> [u8; NAME_LEN] {
    let mut name = [b'A'; NAME_LEN];
    for letter in name.iter_mut().rev() {
        *letter = b'A' + (number % 26) as u8;
        number /= 26;
    }
    name
}

fn number(name: &[u8]) -> Option<u64> {
    if name.len() != NAME_LEN {
        return None;
    }
    let digit = |letter: &u8| letter.is_ascii_uppercase().then(|| u64::from(letter - b'A'));
    name.iter().try_fold(0, |number, letter| Some(number * 26 + digit(letter)?))
}

impl Server {
    /// Asks all links but `except`; false if there is nobody to ask.
    fn ask_links(
        &mut self,
        cx: &mut Cx<'_, Self>,
        asker: Asker,
        (nick, query): (&[u8], &Query<'_>),
        (left, bytes_left): (usize, usize),
        except: Option<ConnId>,
    ) -> bool {
        let up = self.links.open.iter().filter(|(conn, other)| other.is_up && Some(**conn) != except);
        let waiting: BTreeSet<ConnId> = up.map(|(conn, _)| *conn).collect();
        let too_many = self.links.searches.all.len() >= self.config.limits.linked_searches;
        if waiting.is_empty() || too_many || left == 0 {
            return false;
        }
        let number = self.links.searches.next;
        self.links.searches.next = (number + 1) % 26u64.pow(NAME_LEN as u32);
        let mut text = BytesMut::new();
        query.encode(&mut crate::wire::Writer::new(&mut text));
        let search = Linked::Search { nick, id: &name(number), query: &text };
        for conn in &waiting {
            self.tell_link(*conn, &search);
        }
        self.links.searches.all.insert(number, Pending { asker, waiting, left, bytes_left });
        cx.set_timer(ServerTimer::Search(number), self.config.limits.search_patience);
        true
    }

    /// One of our users wants more hits than the own index had; true if the links are asked for them.
    pub(in crate::server) fn search_further(
        &mut self,
        cx: &mut Cx<'_, Self>,
        (conn, user): (ConnId, UserId),
        query: &Query<'_>,
        found: (usize, usize),
    ) -> bool {
        let limits = &self.config.limits;
        let wanted = query.max_results().unwrap_or(u64::MAX).min(limits.results.into()) as usize;
        let (left, bytes_left) =
            (wanted.saturating_sub(found.0), limits.result_bytes.saturating_sub(found.1));
        if self.links.open.is_empty() || query.clauses.contains(&Clause::LocalOnly) {
            return false;
        }
        let Some(asking) = self.users.get(user) else { return false };
        let (nick, serial) = (asking.nick.clone(), asking.serial);
        let asker = Asker::User { conn, user, serial };
        let asked = self.ask_links(cx, asker, (&nick, query), (left, bytes_left), None);
        if asked {
            self.set_searching(cx, conn, true);
        }
        asked
    }

    /// 10015: somebody behind a link searches.
    pub(super) fn linked_search(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        (nick, id): (&[u8], &[u8]),
        text: &[u8],
    ) {
        let asker = self.users.find(nick).filter(|user| self.link_of(*user) == Some(conn));
        let query = Query::parse(text).ok();
        if let (Some(asker), Some(query)) = (asker, query) {
            self.stats.searches += 1;
            let mut hits = Vec::new();
            let found = self.local_hits(asker, &query, &mut |holder, _, file| {
                let Some(user) = self.users.get(holder) else { return };
                let mut hit = BytesMut::new();
                let name = file.name();
                let file = SharedFile {
                    name: &name,
                    md5: file.fingerprint.as_bytes(),
                    size: file.size,
                    bitrate: file.bitrate.into(),
                    frequency: file.freq,
                    seconds: file.seconds,
                };
                Linked::SearchHit { id, nick: &user.nick, file }.encode(&mut hit);
                hits.push(hit);
            });
            self.stats.results += found as u64;
            for hit in &hits {
                self.onto(conn, |out| out.extend_from_slice(hit));
            }
            let limits = &self.config.limits;
            let wanted = query.max_results().unwrap_or(u64::MAX).min(limits.results.into()) as usize;
            let left = (wanted.saturating_sub(found), limits.result_bytes);
            if id.len() <= 64 {
                let asker = Asker::Link { conn, id: id.into() };
                if self.ask_links(cx, asker, (nick, &query), left, Some(conn)) {
                    return;
                }
            }
        }
        self.tell_link(conn, &Linked::SearchEnd(id));
    }

    /// 10016: a hit.
    pub(super) fn linked_hit(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        (id, nick): (&[u8], &[u8]),
        file: &SharedFile<'_>,
    ) {
        let Some(number) = number(id) else { return };
        let Some(pending) = self.links.searches.all.get(&number).filter(|one| one.waiting.contains(&conn))
        else {
            return;
        };
        let holder = self.users.named(nick).filter(|(_, user)| user.link() == Some(conn));
        let Some((_, holder)) = holder.filter(|_| is_sayable(file.name)) else { return };
        let mut out = BytesMut::new();
        match &pending.asker {
            Asker::User { conn, user, serial } => {
                let asking = self.users.get(*user).filter(|user| user.serial == *serial);
                let Some(asking) = asking else { return };
                if asking.ignores(nick) || (asking.is_firewalled() && holder.is_firewalled()) {
                    return;
                }
                let addr = crate::server::answers::wire_addr(holder.ip);
                let hit = Hit { file: *file, nick: &holder.nick, addr, speed: holder.speed, weight: None };
                ToClient::Hit(hit).encode(&mut out);
                let (conn, out) = (*conn, out.freeze());
                let len = out.len();
                self.stats.results += 1;
                self.send(cx, conn, out);
                self.counted(cx, number, len);
            }
            Asker::Link { conn, id } => {
                let (conn, id) = (*conn, id.clone());
                Linked::SearchHit { id: &id, nick, file: *file }.encode(&mut out);
                self.onto(conn, |to| to.extend_from_slice(&out));
                self.counted(cx, number, out.len());
            }
        }
    }

    /// One hit less to come.
    fn counted(&mut self, cx: &mut Cx<'_, Self>, number: u64, bytes: usize) {
        let Some(pending) = self.links.searches.all.get_mut(&number) else { return };
        pending.left -= 1;
        pending.bytes_left = pending.bytes_left.saturating_sub(bytes);
        if pending.left == 0 || pending.bytes_left == 0 {
            self.end_search(cx, number);
        }
    }

    /// 10017: a link has no more.
    pub(super) fn linked_search_end(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, id: &[u8]) {
        let Some(number) = number(id) else { return };
        self.done(cx, number, conn);
    }

    fn done(&mut self, cx: &mut Cx<'_, Self>, number: u64, conn: ConnId) {
        let Some(pending) = self.links.searches.all.get_mut(&number) else { return };
        if pending.waiting.remove(&conn) && pending.waiting.is_empty() {
            self.end_search(cx, number);
        }
    }

    /// A link is gone: nothing comes of it any more, nor is anything to be told there.
    pub(super) fn searches_without(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        let numbers: Vec<u64> = self.links.searches.all.keys().copied().collect();
        for number in numbers {
            self.done(cx, number, conn);
        }
    }

    /// All is found, or it has taken long enough.
    pub(in crate::server) fn end_search(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(pending) = self.links.searches.all.remove(&number) else { return };
        cx.clear_timer(ServerTimer::Search(number));
        match pending.asker {
            Asker::Link { conn, id } => self.tell_link(conn, &Linked::SearchEnd(&id)),
            Asker::User { conn, user, serial } => {
                let is_here = self.users.get(user).is_some_and(|user| user.serial == serial)
                    && self.sessions.get(&conn).is_some_and(|session| session.state == State::Online(user));
                if is_here {
                    self.tell(cx, conn, &ToClient::SearchEnd);
                    self.set_searching(cx, conn, false);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_searches() {
        for (n, text) in [(0, b"AAAAAAAA"), (27, b"AAAAAABB"), (26u64.pow(8) - 1, b"ZZZZZZZZ")] {
            assert_eq!((name(n), number(text)), (*text, Some(n)));
        }
        for bad in [&b"AAAAAAA"[..], b"AAAAAAAAA", b"aaaaaaaa", b"AAAAAAA1"] {
            assert_eq!(number(bad), None);
        }
    }
}
