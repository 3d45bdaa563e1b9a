//! Searches: [`Index::search`], [`Index::by_digest`].

use super::catalogue::Catalogue;
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
}

impl<F: FnMut(UserId, FileRef<'_>) -> bool> Walk<'_, F> {
    /// One candidate less to look at.
    const fn step(&mut self) -> ControlFlow<()> {
        if self.steps_left == 0 {
            self.found.complete = false;
            return ControlFlow::Break(());
        }
        self.steps_left -= 1;
        ControlFlow::Continue(())
    }

    /// Shows all holders of an entry that is as it should be.
    fn show(&mut self, entry: u32) -> ControlFlow<()> {
        let holders = self.catalogue.holders(entry);
        if holders.is_empty() {
            return ControlFlow::Continue(());
        }
        let file = self.catalogue.file(entry);
        for holder in holders {
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
        Walk { catalogue: &self.catalogue, max, steps_left: self.limits.search_steps, found, hit }
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
        let _ = postings::for_each(&mut wanted, &unwanted, &mut |entry| {
            walk.step()?;
            if picky && !filter.allows(&self.catalogue.attributes(entry)) {
                return ControlFlow::Continue(());
            }
            walk.show(entry)
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
            for entry in self.catalogue.twins(md5, size) {
                if walk.step().is_break() || walk.show(entry).is_break() {
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
