//! What came, once it is verified: who gave it right, and who lied.

use super::download::Phase;
use super::event::SourceError;
use super::slices::Giver;
use super::source::Stage;
use super::{Ask, Context, Transfers};
use alloc::vec::Vec;

/// Bad slices of which a source was one of several givers, before it is given up.
const STRIKES: u32 = 3;

impl Transfers {
    /// A slice was held against the tree; without one it is taken as it is.
    pub(super) fn slice_checked(&mut self, key: u32, slice: usize, good: bool, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if download.phase != Phase::Fetching {
            // It is begun anew, or ends.
            return;
        }
        let Some(slices) = &mut download.slices else { return };
        let range = slices.range(slice);
        let givers = slices.verified(slice, good);
        if !good {
            return self.blame(key, &givers, cx);
        }
        let (sha1, has_tree, from) = (download.sha1, download.tree.is_some(), download.tree_from);
        download.tree_proved |= has_tree && from.is_some() && givers.iter().any(|giver| Some(*giver) != from);
        let mut good_ones = Vec::new();
        for giver in givers {
            // Only what was verified proves anything.
            let Some(source) = download.source(giver).filter(|_| has_tree) else { continue };
            if source.good == 0 {
                good_ones.extend(source.at.addr);
            }
            source.good += range.end - range.start;
            (source.failures, source.strikes) = (0, 0);
        }
        for addr in good_ones {
            self.mesh.add(sha1, addr, true);
            self.ask_overlay(Ask::Good(addr));
        }
        self.feed_reader(key, cx);
        self.check_complete(key, cx);
    }

    /// A slice is not what the tree says. One of several givers may have lied, or the tree, if only a source vouches for it.
    fn blame(&mut self, key: u32, givers: &[Giver], cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let (believed, from) = (download.tree_believed(), download.tree_from);
        match *givers {
            [giver] if believed => {
                // Should it be the tree that lies all the same, it is remembered who contradicted it.
                if let Some(source) = download.source(giver) {
                    source.strikes += 1;
                }
                self.lose(key, giver, SourceError::Lied, cx);
            }
            [giver] if Some(giver) == from => {
                // It contradicts itself.
                self.lose(key, giver, SourceError::Lied, cx);
                return self.begin_anew(key, cx);
            }
            _ => {
                let limit = if givers.len() == 1 { 2 } else { STRIKES };
                for giver in givers {
                    let retry = cx.now() + self.config.retry;
                    let Some(download) = self.downloads.get_mut(&key) else { return };
                    let Some(source) = download.source(*giver) else { continue };
                    source.strikes += 1;
                    if source.strikes >= limit {
                        self.lose(key, *giver, SourceError::Lied, cx);
                    } else if givers.len() == 1 {
                        // Others shall try that slice first.
                        self.rest(key, *giver, retry, cx);
                    }
                }
                self.doubt_tree(key, cx);
            }
        }
        self.tend(key, cx);
    }

    /// Two sources contradict the tree, and nobody but who gave it agrees with it: it is the tree that is wrong.
    fn doubt_tree(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get(&key) else { return };
        let against = download.sources.iter().filter(|source| source.strikes > 0 && source.good == 0).count();
        if let Some(from) = download.tree_from
            && !download.tree_believed()
            && against >= 2
        {
            self.lose(key, from, SourceError::Tree, cx);
            self.revive(key, cx);
            self.begin_anew(key, cx);
        }
    }

    /// Those that were given up because they contradicted a tree that lied get another chance.
    fn revive(&mut self, key: u32, cx: &Context<'_>) {
        let now = cx.now();
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let from = download.tree_from;
        for (giver, source) in download.sources.iter_mut().enumerate() {
            if source.strikes > 0 && Some(giver as Giver) != from {
                source.strikes = 0;
                source.stage = Stage::Resting(now);
            }
        }
    }

    /// All is here, and it is another file.
    pub(super) fn all_wrong(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let givers: Vec<Giver> = download.contributors.iter().copied().collect();
        if download.tree.is_some() {
            if download.tth_given {
                // Every slice agrees with the root that we were given: that is of another file.
                return self.put_aside(key, super::Error::Wrong, cx);
            }
            let from = download.tree_from;
            self.revive(key, cx);
            // All of them agree with a tree of another file, if they gave anything.
            for giver in givers.into_iter().chain(from) {
                self.lose(key, giver, SourceError::Lied, cx);
            }
        } else if let [giver] = givers[..] {
            self.lose(key, giver, SourceError::Lied, cx);
        } else {
            download.alone = true;
        }
        if let Some(download) = self.downloads.get_mut(&key)
            && !matches!(download.phase, Phase::Draining | Phase::Ending(_))
        {
            self.begin_anew(key, cx);
        }
    }
}
