//! Searches: [`Index::search`], [`Index::by_digest`].

use super::catalogue::{BATCH, Catalogue, Seen};
use super::postings::{self, Postings};
use super::words::words;
use super::{FileRef, Filter, Fingerprint, Found, Index, UserId};
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// A search under way.
struct Walk<'a, F> {
    catalogue: &'a Catalogue,
    max: usize,
    steps_left: usize,
    found: Found,
    hit: &'a mut F,
    seen: Vec<Seen<'a>>,
}

impl<'a, F: FnMut(UserId, FileRef<'_>) -> bool> Walk<'a, F> {
    /// One candidate less to look at.
    const fn step(&mut self) -> ControlFlow<()> {
        if self.steps_left == 0 {
            self.found.complete = false;
            return ControlFlow::Break(());
        }
        self.steps_left -= 1;
        ControlFlow::Continue(())
    }

    /// Shows all holders of those entries whose attributes are as they should be.
    fn look(&mut self, ids: &[u32], allows: impl Fn(&FileRef<'_>) -> bool) -> ControlFlow<()> {
        let mut left = ids;
        while let Some((batch, rest)) =
            left.split_at_checked(left.len().min(BATCH).min(self.max - self.found.hits))
        {
            if batch.is_empty() {
                break;
            }
            left = rest;
            let mut seen = core::mem::take(&mut self.seen);
            self.catalogue.see(batch, &mut seen);
            let flow = seen.iter().try_for_each(|seen| {
                self.step()?;
                if allows(&seen.attributes()) { self.show(seen) } else { ControlFlow::Continue(()) }
            });
            self.seen = seen;
            flow?;
        }
        ControlFlow::Continue(())
    }

    /// Shows all holders of an entry.
    fn show(&mut self, seen: &Seen<'a>) -> ControlFlow<()> {
        if seen.holders().is_empty() {
            return ControlFlow::Continue(());
        }
        let file = seen.file();
        for holder in seen.holders() {
            self.step()?;
            if (self.hit)(UserId(*holder), file) {
                self.found.hits += 1;
                if self.found.hits == self.max {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }
}

impl Index {
    fn walk<'a, F>(&'a self, max: usize, hit: &'a mut F) -> Walk<'a, F> {
        let found = Found { hits: 0, complete: true };
        let steps_left = self.limits.search_steps;
        Walk { catalogue: &self.catalogue, max, steps_left, found, hit, seen: Vec::new() }
    }

    /// Calls `hit` with each holder of each file that the filter lets through, until `max` of the calls have returned
    /// true: it decides whether a hit counts (a server hides the asker's own files). Files come in the order of their
    /// entries, holders of a file in that of their ids: the same order as long as nothing changes.
    pub fn search(
        &self,
        filter: &Filter<'_>,
        max: usize,
        hit: &mut impl FnMut(UserId, FileRef<'_>) -> bool,
    ) -> Found {
        let mut walk = self.walk(max, hit);
        if max == 0 {
            return walk.found;
        }
        let mut wanted: Vec<(u32, &Postings)> = Vec::with_capacity(8);
        for word in filter.contains.iter().flat_map(|text| words(text)) {
            let Some(found) = self.dictionary.find(word) else { return walk.found };
            wanted.push(found);
        }
        let unwanted = filter.excludes.iter().flat_map(|text| words(text));
        let mut unwanted: Vec<(u32, &Postings)> =
            unwanted.filter_map(|word| self.dictionary.find(word)).collect();
        let (mut wanted, unwanted) = (once_each(&mut wanted), once_each(&mut unwanted));
        let picky = !filter.allows_all();
        let _ = postings::for_each(&mut wanted, &unwanted, &mut |ids| {
            walk.look(ids, |file| !picky || filter.allows(file))
        });
        walk.found
    }

    /// Calls `hit` with each holder of each file of this md5 and size, as [`search`](Self::search) does. A fingerprint
    /// that says nothing (32 zeros, or no 32 hex digits) finds nothing.
    pub fn by_digest(
        &self,
        fingerprint: &Fingerprint,
        size: u64,
        max: usize,
        hit: &mut impl FnMut(UserId, FileRef<'_>) -> bool,
    ) -> Found {
        let mut walk = self.walk(max, hit);
        if let Some(md5) = fingerprint.md5().filter(|_| max > 0) {
            for entry in self.catalogue.twins(&md5, size) {
                if walk.look(&[entry], |_| true).is_break() {
                    break;
                }
            }
        }
        walk.found
    }
}

/// The lists without their words' numbers, those of repeated words once.
fn once_each<'a>(lists: &mut Vec<(u32, &'a Postings)>) -> Vec<&'a Postings> {
    lists.sort_by_key(|(word, _)| *word);
    lists.dedup_by_key(|(word, _)| *word);
    lists.iter().map(|(_, list)| *list).collect()
}
