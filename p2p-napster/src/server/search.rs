//! Searching (200, 201, 202) and finding by digest (215, 216, 217). What one search finds goes out in one piece.

use super::Server;
use super::answers::wire_addr;
use super::card::Card;
use super::hit::{HIT_BYTES, put_hit};
use super::session::Action;
use super::share::kind;
use crate::index::{FileRef, Filter, Fingerprint, Kind, Kinds, UserId};
use crate::wire::ToClient;
use crate::wire::message::ResumeMatch;
use crate::wire::query::{Attribute, Clause, Comparison, Query};
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use p2p_core::{ConnId, Cx};

impl Server {
    pub(super) fn search(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId, query: &Query<'_>) {
        self.stats.searches += 1;
        let mut out = self.buffer();
        let mut further = false;
        if query.included().any(has_word) {
            let found = self.local_hits(user, query, &mut |holder, card, file| {
                put_hit(&mut out, &file, card, || self.users.get(holder));
            });
            self.stats.results += found as u64;
            further = self.search_further(cx, (conn, user), query, (found, out.len()));
        } else {
            ToClient::Notice(b"search failed: request contained no valid words").encode(&mut out);
        }
        if !further {
            ToClient::SearchEnd.encode(&mut out);
        }
        self.deliver(cx, conn, out);
        self.pace(cx, conn, user, Action::Search, 1);
    }

    /// What is no search is answered as one that finds nothing, so that nobody waits.
    pub(super) fn no_search(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, user: UserId) {
        let mut out = self.buffer();
        ToClient::Notice(b"invalid search request").encode(&mut out);
        ToClient::SearchEnd.encode(&mut out);
        self.deliver(cx, conn, out);
        self.pace(cx, conn, user, Action::Search, 1);
    }

    /// What users of this server have of a search, as far as the asker may see it; how much.
    pub(super) fn local_hits(
        &self,
        asker: UserId,
        query: &Query<'_>,
        put: &mut impl FnMut(UserId, &Card, FileRef<'_>),
    ) -> usize {
        let contains: Vec<&[u8]> = query.included().collect();
        let excludes: Vec<&[u8]> = query.excluded().collect();
        if !contains.iter().any(|piece| has_word(piece)) {
            return 0;
        }
        let Some(asking) = self.users.get(asker) else { return 0 };
        let Some(wanted) = wanted(query, &contains, &excludes) else { return 0 };
        let limits = &self.config.limits;
        let asked = query.max_results().unwrap_or(u64::MAX).min(limits.results.into());
        let (mut bytes, most) = (0, limits.result_bytes);
        let is_firewalled = asking.is_firewalled();
        // Hardly anybody ignores anybody: no holder's nick is looked at for that.
        let picky = Some(asking).filter(|asking| asking.ignores_any());
        let found = self.index.search(&wanted.filter, asked as usize, &mut |holder, file| {
            let Some(card) = self.users.card(holder).filter(|_| holder != asker) else { return false };
            let shown = wanted.speed.contains(&card.speed)
                && !(card.is_firewalled && is_firewalled)
                && !picky.is_some_and(|asking| asking.ignores(&self.nick_of(holder)))
                && bytes < most;
            if shown {
                bytes += HIT_BYTES + file.folder.len() + file.base.len();
                put(holder, card, file);
            }
            shown
        });
        found.hits
    }

    /// Who else has this file? 216 for each, then 217.
    pub(super) fn resume_search(
        &mut self,
        cx: &mut Cx<'_, Self>,
        conn: ConnId,
        asker: UserId,
        md5: &[u8],
        size: u64,
    ) {
        let mut out = self.buffer();
        let most = self.config.limits.results as usize;
        self.index.by_digest(&Fingerprint::new(md5), size, most, &mut |holder, file| {
            let Some(user) = self.users.get(holder).filter(|_| holder != asker) else { return false };
            let found = ResumeMatch {
                nick: &user.nick,
                addr: wire_addr(user.ip),
                port: user.port,
                file: &file.name(),
                md5: file.fingerprint.as_bytes(),
                size: file.size,
                speed: user.speed,
            };
            ToClient::ResumeMatch(found).encode(&mut out);
            true
        });
        ToClient::ResumeEnd.encode(&mut out);
        self.deliver(cx, conn, out);
        self.pace(cx, conn, asker, Action::Search, 1);
    }
}

/// A query as the index takes it, and what only the server knows of the holder.
struct Wanted<'a> {
    filter: Filter<'a>,
    speed: RangeInclusive<u8>,
}

/// `None` if nothing can be that.
fn wanted<'a>(query: &Query<'_>, contains: &'a [&'a [u8]], excludes: &'a [&'a [u8]]) -> Option<Wanted<'a>> {
    let mut wanted =
        Wanted { filter: Filter { contains, excludes, ..Filter::default() }, speed: 0..=u8::MAX };
    // Without a word of the type it is MP3s that are meant, as ever.
    let mut kinds = Kinds::only(Kind::Mp3);
    for clause in &query.clauses {
        match *clause {
            Clause::Bound { of, comparison, value } => {
                let filter = &mut wanted.filter;
                match of {
                    Attribute::LineSpeed => narrow(&mut wanted.speed, comparison, value.number),
                    Attribute::Bitrate => narrow(&mut filter.bitrate, comparison, value.number),
                    Attribute::Frequency => narrow(&mut filter.freq, comparison, value.number),
                    Attribute::Size => narrow(&mut filter.size, comparison, value.number),
                    Attribute::Duration => narrow(&mut filter.seconds, comparison, value.number),
                }?;
            }
            Clause::Type { name, .. } if name.eq_ignore_ascii_case(b"any") => kinds = Kinds::ALL,
            Clause::Type { name, .. } if name.eq_ignore_ascii_case(b"audio") => {
                kinds = Kinds::only(Kind::Mp3).with(Kind::Audio);
            }
            Clause::Type { name, .. } => kinds = Kinds::only(kind(name)?),
            Clause::Wma => kinds = Kinds::only(Kind::Audio),
            _ => {}
        }
    }
    wanted.filter.kinds = kinds;
    Some(wanted)
}

/// Takes a bound into a range; `None` if nothing is left of it.
fn narrow<N>(range: &mut RangeInclusive<N>, comparison: Comparison, number: u64) -> Option<()>
where
    N: Copy + Ord + TryFrom<u64>,
{
    let (low, high) = (*range.start(), *range.end());
    let number = N::try_from(number).ok();
    let (from, to) = match (comparison, number) {
        // Past all numbers that there are.
        (Comparison::AtBest, None) => (low, high),
        (Comparison::AtLeast | Comparison::EqualTo, None) => return None,
        (Comparison::AtLeast, Some(number)) => (low.max(number), high),
        (Comparison::AtBest, Some(number)) => (low, high.min(number)),
        (Comparison::EqualTo, Some(number)) => (low.max(number), high.min(number)),
    };
    *range = from..=to;
    (from <= to).then_some(())
}

/// Whether the index sees a word in it.
fn has_word(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &[u8]) -> Option<(RangeInclusive<u16>, RangeInclusive<u8>, RangeInclusive<u64>)> {
        let query = Query::parse(text).expect("a query");
        let wanted = wanted(&query, &[], &[])?;
        Some((wanted.filter.bitrate, wanted.speed, wanted.filter.size))
    }

    #[test]
    fn bounds_meet() {
        let all = (0..=u16::MAX, 0..=u8::MAX, 0..=u64::MAX);
        assert_eq!(filter(b""), Some(all.clone()));
        let text =
            br#"bitrate "at least" "128" BITRATE "AT BEST" 192 LINESPEED "EQUAL TO" 7 SIZE "AT BEST" 10"#;
        assert_eq!(filter(text), Some((128..=192, 7..=7, 0..=10)));
        assert_eq!(filter(br#"BITRATE "AT LEAST" 200 BITRATE "AT BEST" 100"#), None);
        assert_eq!(filter(br#"BITRATE "AT LEAST" 70000"#), None);
        assert_eq!(filter(br#"BITRATE "AT BEST" 70000"#), Some(all));
        assert_eq!(filter(b"TYPE nonsense"), None);
    }
}
