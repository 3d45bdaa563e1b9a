//! Which holder gives what: the next one to ask, and those that could give a range meanwhile.

use super::ask::Source;
use super::downloads::{Sink, Stage};
use super::{Client, Context};
use crate::transfer::intake::OVERLAP;
use alloc::vec::Vec;

/// Where a holder could help.
enum Place {
    /// A range that nobody gives now.
    Idle(u32),
    /// A new range, from there on.
    New(u64),
}

impl Client {
    /// Holders that give ranges of this download.
    fn helping(&self, main: u32) -> Vec<Source> {
        let ranges = self.ranges_of(main).filter(|range| !matches!(range.stage, Stage::Idle));
        ranges.filter_map(|range| range.source().cloned()).collect()
    }

    /// Turns to the next holder that gives no range, beginning with the one whose turn it is. False if all do.
    pub(super) fn turn_to_spare_source(&mut self, key: u32) -> bool {
        let helping = self.helping(key);
        let Some(download) = self.downloads.get_mut(&key) else { return false };
        let count = download.sources.len();
        let spare = |at: &usize| download.sources.get(*at).is_some_and(|source| !helping.contains(source));
        let Some(at) = (0..count).map(|more| (download.at + more) % count).find(spare) else { return false };
        download.at = at;
        true
    }

    /// Lets holders that are not asked for anything give ranges, where that is worth its while.
    pub(super) fn split(&mut self, main: u32, cx: &mut Context<'_>) {
        let limit = self.config.limits.ranges;
        let Some(download) = self.downloads.get_mut(&main) else { return };
        let begun = download.known.len >= OVERLAP as u64 && matches!(download.sink, Sink::Disk { .. });
        let (Some(size), None) = (download.size, &download.range) else { return };
        if !begun || limit < 2 || download.sources.len() < 2 || !download.look_again(cx.now()) {
            return;
        }
        let active = matches!(
            download.stage,
            Stage::Connected(_) | Stage::Joining | Stage::Asked | Stage::Pushed | Stage::Resting
        );
        if !active || !self.is_online() {
            return;
        }
        while self.helping(main).len() + 1 < limit && self.downloads.len() < self.config.limits.downloads {
            let Some(source) = self.spare_source(main) else { return };
            let key = match self.place(main, size) {
                Some(Place::Idle(key)) => key,
                Some(Place::New(base)) => match self.new_range(main, size, base, cx) {
                    Some(key) => key,
                    None => return,
                },
                None => return,
            };
            if let Some(range) = self.downloads.get_mut(&key) {
                range.sources = alloc::vec![source];
            }
            self.ask_source(key, cx);
        }
    }

    fn spare_source(&self, main: u32) -> Option<Source> {
        let (helping, download) = (self.helping(main), self.downloads.get(&main)?);
        let asked = download.source().filter(|_| !matches!(download.stage, Stage::Joining));
        let fits = |source: &&Source| {
            Some(*source) != asked && !helping.contains(source) && !download.is_unfit(source)
        };
        download.sources.iter().find(fits).cloned()
    }

    /// Where most is left to be given.
    fn place(&self, main: u32, size: u64) -> Option<Place> {
        let cut = self.cut(size);
        let mut best = (0, None);
        for (key, from, to, idle) in self.lines(main) {
            let left = to.saturating_sub(from);
            if idle && left > 0 && left * 2 > best.0 {
                best = (left * 2, Some(Place::Idle(key)));
            } else if !idle && left > best.0 {
                // The middle, or the next place behind it.
                let base = (from + left / 2).div_ceil(cut) * cut;
                let worth = base >= from + self.config.limits.range_min && base + cut / 2 <= to;
                if worth && !self.is_spent(main, base) {
                    best = (left, Some(Place::New(base)));
                }
            }
        }
        best.1
    }
}
