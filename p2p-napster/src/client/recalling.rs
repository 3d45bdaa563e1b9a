//! What is here of a file from an earlier attempt: how much of it is safe, and how that begins and ends.

use super::downloads::{Sink, Stage};
use super::{Client, Context, Work};
use crate::transfer::intake::{Known, OVERLAP};
use crate::transfer::part::MARK_MAX;
use crate::wire::text::decimal;
use bytes::Bytes;
use p2p_core::{IoError, Job, Span};

impl Client {
    /// What of an earlier attempt is safe?
    pub(super) fn look(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(Sink::Disk { part, .. }) = self.downloads.get(&key).map(|download| &download.sink) else {
            return;
        };
        let job = cx.run(Job::Load { file: part.mark().clone(), limit: MARK_MAX });
        self.jobs.insert(job, Work::PartMark(key));
    }

    /// The mark beside a part, if there is one.
    pub(super) fn mark_found(&mut self, key: u32, mark: Result<Bytes, IoError>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if !matches!(download.stage, Stage::Looking) {
            return self.check_ended(key, cx);
        }
        match mark {
            Ok(digits) => download.marked = Some(decimal(&digits).unwrap_or(0)),
            Err(IoError::NotFound | IoError::Limit) => {}
            Err(why) => return self.disk_failed(key, "looking at", why, cx),
        }
        let Sink::Disk { part, .. } = &download.sink else { return };
        let job = cx.run(Job::Stat { file: part.file().clone() });
        self.jobs.insert(job, Work::PartStat(key));
    }

    /// How much is here of an earlier attempt.
    pub(super) fn part_found(&mut self, key: u32, len: u64, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if !matches!(download.stage, Stage::Looking) {
            return self.check_ended(key, cx);
        }
        let (any, marked) = (len > 0 || download.marked.is_some(), download.marked.unwrap_or(0));
        // More than the file has is none of ours, and what is not marked is not safe.
        let fits = marked <= len && download.size.is_none_or(|size| download.base() + len <= size);
        let len = if fits { marked } else { 0 };
        let Sink::Disk { part, .. } = &mut download.sink else { return };
        let file = part.file().clone();
        if len == 0 {
            if any {
                part.begin_again();
            }
            return self.looked_at(key, cx);
        }
        let edge = len.min(OVERLAP as u64);
        let spans = [0, len - edge].map(|offset| Span { file: file.clone(), offset, len: edge }).to_vec();
        download.stage = Stage::Recalling;
        download.known.len = len;
        let job = cx.run(Job::Read { spans });
        self.jobs.insert(job, Work::PartRead(key));
    }

    /// How it begins and ends.
    pub(super) fn part_recalled(&mut self, key: u32, edges: &[u8], cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if !matches!(download.stage, Stage::Recalling) {
            return self.check_ended(key, cx);
        }
        let len = download.known.len;
        let (head, tail) = edges.split_at(edges.len() / 2);
        download.known = Known::of(len, head, tail).unwrap_or_default();
        let len = download.known.len;
        if let Sink::Disk { part, .. } = &mut download.sink {
            part.is_here(len);
            if len == 0 {
                part.begin_again();
            }
        }
        self.looked_at(key, cx);
    }
}
