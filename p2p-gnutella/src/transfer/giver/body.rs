//! What comes behind the head of an answer: a tree, or a part of the file.

use super::super::event::SourceError;
use super::super::{Context, Transfers};
use super::Step;
use crate::thex::TigerTree;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::ConnId;

impl Transfers {
    pub(super) fn tree_came(&mut self, conn: ConnId, message: &[u8], cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver) = (stream.key, stream.giver);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let (Some(size), Some(root), None, true) =
            (download.size, download.tth, &download.tree, download.slices.is_none())
        {
            match TigerTree::from_dime(size, &root, message) {
                Ok(tree) => {
                    download.tree = Some(tree);
                    self.lay_out(key);
                }
                Err(_) if download.tth_given || download.tree_from == Some(giver) => {
                    return self.failed(key, giver, SourceError::Tree, cx);
                }
                // It may have another root, which may be the right one.
                Err(_) => {}
            }
        }
        self.over(conn, cx);
        self.tend(key, cx);
    }

    pub(super) fn data_came(&mut self, conn: ConnId, part: Bytes, left: u64, cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver) = (stream.key, stream.giver);
        let (len, (began, got)) = (part.len(), (stream.began, stream.got));
        let stored = self.store(key, giver, part, cx);
        self.hold_back(key, cx);
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let claimed = download.slices.as_ref().and_then(|slices| slices.claimed(giver));
        let more = claimed.is_some_and(|claim| !claim.is_empty());
        let elapsed = cx.now().since(began).as_millis().max(1);
        if (left == 0 || !more)
            && let Some(source) = download.source(giver)
        {
            source.rate = u64::try_from(u128::from(got) * 1_000 / elapsed).unwrap_or(u64::MAX).min(1 << 40);
            if stored > 0 {
                source.failures = 0;
            }
        }
        let Some(stream) = self.giver(conn) else { return };
        if left == 0 {
            return self.over(conn, cx);
        }
        if stored < len || !more {
            // The rest was given to another, or is more than was asked for.
            let skip = self.config.limits.skip;
            let Some(stream) = self.giver(conn) else { return };
            if left <= skip {
                stream.step = Step::Skip(left);
            } else {
                let now = cx.now();
                self.rest(key, giver, now, cx);
                self.tend(key, cx);
            }
        } else {
            stream.step = Step::Data { left };
        }
    }

    /// Stops reading sources that are faster than the disk, and goes on with them.
    pub(in crate::transfer) fn hold_back(&mut self, key: u32, cx: &mut Context<'_>) {
        let limit = self.config.limits.unwritten;
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let held = download.unwritten > if download.held { limit / 2 } else { limit };
        if held == download.held {
            return;
        }
        download.held = held;
        let conns: Vec<ConnId> =
            download.sources.iter().filter_map(crate::transfer::source::Source::conn).collect();
        for conn in conns {
            if let Some(stream) = self.giver(conn).filter(|stream| !matches!(stream.step, Step::Opening)) {
                stream.heard = cx.now();
                cx.pause(conn, held);
            }
        }
    }
}
