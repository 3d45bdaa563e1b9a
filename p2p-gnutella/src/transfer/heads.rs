//! What is asked by datagrams of sources that are not asked for the file just now (`msg/head_ping`): whether they have it, and
//! who else.

use super::download::Phase;
use super::event::SourceError;
use super::source::{Source, Stage};
use super::{Ask, Context, Locator, Transfers};
use crate::Guid;
use crate::wire::vendor::{HeadCode, HeadReport};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::Duration;
use p2p_core::hash::Sha1Hash;

/// How long before a source that did not answer is asked again; gtk-gnutella waits as long.
const AGAIN: Duration = Duration::from_mins(5);
/// Sources that are asked at once: what the first say may be enough.
const AT_ONCE: usize = 4;
/// Holders that are taken of one answer.
const TOLD_MAX: usize = 16;

impl Transfers {
    /// Asks some of the sources that have said nothing yet and are not connected.
    pub(super) fn ask_heads(&mut self, key: u32, cx: &Context<'_>) {
        let now = cx.now();
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let wanted = download.slices.as_ref().is_none_or(super::slices::Slices::has_free);
        if download.phase != Phase::Fetching || download.numbered.is_some() || !wanted {
            return;
        }
        let sha1 = download.sha1;
        let silent = |source: &&mut Source| {
            matches!(source.stage, Stage::Resting(_)) && source.head_at.is_some_and(|at| at <= now)
        };
        let mut asks = Vec::new();
        for source in download.sources.iter_mut().filter(silent).take(AT_ONCE) {
            source.head_at = Some(now + AGAIN);
            match (source.at.addr, source.at.servent) {
                (Some(to), _) => asks.push(Ask::Head { sha1, to, leaf: None }),
                // Those hand it on that tell it to connect.
                (None, leaf @ Some(_)) => {
                    asks.extend(source.at.proxies.iter().map(|to| Ask::Head { sha1, to: *to, leaf }));
                }
                (None, None) => {}
            }
        }
        for ask in asks {
            self.ask_overlay(ask);
        }
    }

    /// A source, or who handed the question on to it, answered [`Ask::Head`].
    pub fn head_told(
        &mut self,
        sha1: &Sha1Hash,
        from: SocketAddr,
        leaf: Option<Guid>,
        report: &HeadReport,
        cx: &mut Context<'_>,
    ) {
        let Some(key) = self.by_sha1.get(sha1).copied() else { return };
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let asked = |source: &Source| match leaf {
            Some(leaf) => source.at.servent == Some(leaf) && source.at.proxies.contains(&from),
            None => source.at.addr == Some(from),
        };
        let Some(giver) = download.sources.iter().position(asked) else { return };
        let source = &mut download.sources[giver];
        source.head_at = None;
        source.has_it |= report.code.file() != HeadCode::NOT_FOUND;
        // Only its own word makes it none, and none that is late.
        let lacks = report.code.file() == HeadCode::NOT_FOUND
            && leaf.is_none()
            && matches!(source.stage, Stage::Resting(_));
        for other in report.alternates.iter().take(TOLD_MAX) {
            self.add_source(key, Locator::at(*other), cx);
        }
        if lacks {
            self.lose(key, giver as super::slices::Giver, SourceError::Status(404), cx);
        }
        self.tend(key, cx);
    }
}
