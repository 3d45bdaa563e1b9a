//! Searches: one under way at a time, for hits name no search, and paced, for servers complain of haste.

use super::ask::{Bound, Charset, Media, Query};
use super::event::{Event, Hit};
use super::{Client, Context, Error, Timer};
use crate::wire::message::{self, ToServer};
use crate::wire::query::{self, Clause};
use crate::wire::text::to_cp1252;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::Ipv4Addr;
use p2p_core::limit::TokenBucket;
use p2p_core::{Instant, Keywords, OpId};

/// Something whose answers do not say what they answer.
#[derive(Debug)]
enum Asked {
    Search(Box<Query>),
    Holders { md5: Bytes, size: u64 },
}

/// Searches under way and waiting.
#[derive(Debug)]
pub(super) struct Searches {
    waiting: VecDeque<(OpId, Asked)>,
    /// The one under way; without an operation if nobody waits for it any more, and it is only to end.
    current: Option<(Option<OpId>, bool)>,
    /// Hits that the one under way may still have.
    room: usize,
    /// In milliseconds of waiting.
    pace: TokenBucket,
    gap: u64,
}

impl Searches {
    pub(super) fn new(gap: u64, burst: u32) -> Self {
        let saved = gap.saturating_mul(u64::from(burst.max(1)));
        let pace =
            if gap == 0 { TokenBucket::unlimited() } else { TokenBucket::new(Instant::ZERO, 1_000, saved) };
        Self { waiting: VecDeque::new(), current: None, room: 0, pace, gap }
    }

    const fn has_room(&mut self) -> bool {
        let has = self.room > 0;
        self.room = self.room.saturating_sub(1);
        has
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.current.is_some())
    }
}

impl Client {
    pub(super) fn search(&mut self, op: OpId, query: Box<Query>, cx: &mut Context<'_>) {
        if query.words.is_empty() && query.bounds.is_empty() {
            // A server would answer with an error that names no cause.
            return cx.finish(op, Ok(()));
        }
        self.enqueue(op, Asked::Search(query), cx);
    }

    pub(super) fn holders(&mut self, op: OpId, md5: Bytes, size: u64, cx: &mut Context<'_>) {
        self.enqueue(op, Asked::Holders { md5, size }, cx);
    }

    fn enqueue(&mut self, op: OpId, asked: Asked, cx: &mut Context<'_>) {
        if !self.is_online() {
            return cx.finish(op, Err(Error::Offline));
        }
        if self.searches.len() >= self.config.limits.searches {
            return cx.finish(op, Err(Error::Limit { what: "searches" }));
        }
        self.searches.waiting.push_back((op, asked));
        self.next_search(cx);
    }

    /// Sends the next search, if none is under way and the pace allows.
    pub(super) fn next_search(&mut self, cx: &mut Context<'_>) {
        if self.searches.current.is_some() || self.searches.waiting.is_empty() || !self.is_online() {
            return;
        }
        let (now, gap) = (cx.now(), self.searches.gap);
        if !self.searches.pace.take(now, gap) {
            let at = self.searches.pace.when(now, gap).unwrap_or(now + self.config.search_every);
            return cx.set_timer_at(Timer::NextSearch, at);
        }
        let Some((op, asked)) = self.searches.waiting.pop_front() else { return };
        let holders = matches!(asked, Asked::Holders { .. });
        self.searches.current = Some((Some(op), holders));
        self.searches.room = self.config.limits.hits;
        cx.set_timer(Timer::Search, self.config.limits.search);
        match asked {
            Asked::Search(query) => {
                let (words, without) =
                    (written(&query.words, query.charset), written(&query.without, query.charset));
                let clauses = clauses(&query, &words, &without);
                self.say(&ToServer::Search(query::Query { clauses, space_behind: false }), cx);
            }
            Asked::Holders { md5, size } => self.say(&ToServer::Resume { md5: &md5, size }, cx),
        }
    }

    pub(super) fn search_hit(&mut self, hit: &message::Hit<'_>, cx: &mut Context<'_>) {
        if let Some((Some(op), false)) = self.searches.current
            && self.searches.has_room()
        {
            let found = of_file(&hit.file, hit.nick, Some(hit.addr.into()), hit.speed.0);
            cx.answer(op, Event::Hit(Box::new(found)));
        }
    }

    pub(super) fn holder_found(&mut self, found: &message::ResumeMatch<'_>, cx: &mut Context<'_>) {
        if let Some((Some(op), true)) = self.searches.current
            && self.searches.has_room()
        {
            let file = message::SharedFile {
                name: found.file,
                md5: found.md5,
                size: found.size,
                ..message::SharedFile::default()
            };
            let hit = of_file(&file, found.nick, Some(found.addr.into()), found.speed.0);
            cx.answer(op, Event::Hit(Box::new(hit)));
        }
    }

    pub(super) fn search_end(&mut self, cx: &mut Context<'_>) {
        self.end_current(false, Ok(()), cx);
    }

    pub(super) fn holders_end(&mut self, cx: &mut Context<'_>) {
        self.end_current(true, Ok(()), cx);
    }

    pub(super) fn search_late(&mut self, cx: &mut Context<'_>) {
        if let Some((_, holders)) = self.searches.current {
            self.end_current(holders, Err(Error::TimedOut), cx);
        }
    }

    fn end_current(&mut self, holders: bool, result: Result<(), Error>, cx: &mut Context<'_>) {
        match self.searches.current {
            Some((op, of)) if of == holders => {
                self.searches.current = None;
                cx.clear_timer(Timer::Search);
                if let Some(op) = op {
                    cx.finish(op, result);
                }
                self.next_search(cx);
            }
            _ => {}
        }
    }

    /// Nobody waits for it any more. One that is under way still has to end before the next begins, or its hits would
    /// be taken for those of the next.
    pub(super) fn search_cancelled(&mut self, op: OpId) -> bool {
        if let Some((current, _)) = &mut self.searches.current
            && *current == Some(op)
        {
            *current = None;
            return true;
        }
        let Some(at) = self.searches.waiting.iter().position(|(waits, _)| *waits == op) else { return false };
        self.searches.waiting.remove(at).is_some()
    }

    /// The server is gone.
    pub(super) fn searches_failed(&mut self, why: &Error, cx: &mut Context<'_>) {
        cx.clear_timer(Timer::Search);
        cx.clear_timer(Timer::NextSearch);
        let current = self.searches.current.take().and_then(|(op, _)| op);
        let waiting = core::mem::take(&mut self.searches.waiting);
        for op in current.into_iter().chain(waiting.into_iter().map(|(op, _)| op)) {
            cx.finish(op, Err(why.clone()));
        }
    }
}

/// Words as the server is to compare them.
fn written(words: &Keywords, charset: Charset) -> Vec<u8> {
    let text = words.to_string();
    let old = if charset == Charset::Cp1252 { to_cp1252(&text) } else { None };
    old.unwrap_or_else(|| text.into_bytes())
}

/// The clauses of a search, in the order in which clients of the time write them.
fn clauses<'a>(query: &Query, words: &'a [u8], without: &'a [u8]) -> Vec<Clause<'a>> {
    let mut clauses = Vec::new();
    if !words.is_empty() {
        clauses.push(Clause::Contains(words));
    }
    clauses.push(Clause::max_results(query.max.into()));
    if !without.is_empty() {
        clauses.push(Clause::Excludes(without));
    }
    let bounds = query.bounds.iter();
    clauses.extend(bounds.map(|Bound { of, comparison, number }| Clause::bound(*of, *comparison, *number)));
    let media = if query.any_media { Some("any") } else { query.media.map(Media::word) };
    clauses.extend(media.map(|word| Clause::media(word.as_bytes())));
    if query.local {
        clauses.push(Clause::LocalOnly);
    }
    clauses
}

/// A file of a user, kept.
pub(super) fn of_file(
    file: &message::SharedFile<'_>,
    nick: &[u8],
    address: Option<Ipv4Addr>,
    speed: u8,
) -> Hit {
    Hit {
        name: Bytes::copy_from_slice(file.name),
        md5: Bytes::copy_from_slice(file.md5),
        size: file.size,
        bitrate: file.bitrate,
        frequency: file.frequency,
        seconds: file.seconds,
        nick: Bytes::copy_from_slice(nick),
        address: address.filter(|ip| !ip.is_unspecified()),
        speed,
    }
}
