//! What a source answers, and what of it is believed.

use super::super::event::SourceError;
use super::super::http::{self, Place};
use super::super::slices::Giver;
use super::super::source::Locator;
use super::super::{Context, Transfers};
use super::{Asked, Step};
use crate::Urn;
use crate::thex::LIST_MAX;
use alloc::vec::Vec;
use core::ops::Range;
use p2p_core::ConnId;
use p2p_core::http::{BodyLen, ContentRange, Response};

/// The longest message with a tree: its layers, and some lines.
const TREE_MAX: u64 = LIST_MAX as u64 + 4_096;

impl Transfers {
    pub(super) fn answered(&mut self, conn: ConnId, asked: Asked, answer: &Response, cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver) = (stream.key, stream.giver);
        stream.keep = answer.keeps_alive();
        let headers = &answer.headers;
        for addr in http::alternates(headers, "x-alt") {
            self.add_source(key, Locator::at(addr), cx);
        }
        if let Some(source) = self.downloads.get_mut(&key).and_then(|download| download.source(giver)) {
            source.head_at = None;
        }
        if let Err(why) = self.facts(key, giver, &asked, answer) {
            return self.failed(key, giver, why, cx);
        }
        let body = answer.body();
        match (answer.status, asked) {
            (200 | 206, Asked::Head) => {
                if let Some(stream) = self.giver(conn) {
                    stream.headed = true;
                }
                self.over(conn, cx);
            }
            // It has no HEAD. What it is like is told with its first range.
            (400 | 405 | 501, Asked::Head) if self.is_sized(key) => {
                if let Some(stream) = self.giver(conn) {
                    stream.headed = true;
                    stream.keep = false;
                }
                self.over(conn, cx);
            }
            (200, Asked::Tree) => match body {
                Ok(BodyLen::Sized(left)) if (1..=TREE_MAX).contains(&left) => {
                    if let Some(stream) = self.giver(conn) {
                        stream.step = Step::Tree { left, data: Vec::new() };
                    }
                }
                _ => self.refused(conn, answer, cx),
            },
            // It has no tree, and can give the file all the same.
            (_, Asked::Tree) => self.refused(conn, answer, cx),
            (200 | 206, Asked::Range(range)) => match self.part_of(key, answer, &range) {
                Ok(part) => {
                    if part.start > range.start || part.end < range.end {
                        let slices =
                            self.downloads.get_mut(&key).and_then(|download| download.slices.as_mut());
                        if let Some(slices) = slices {
                            slices.narrow(giver, part.start, part.end);
                        }
                    }
                    let queued = Place::of(headers).and_then(|place| place.id);
                    if let Some(stream) = self.giver(conn) {
                        stream.queued = queued.or_else(|| stream.queued.take());
                        stream.step = Step::Data { left: part.end - part.start };
                    }
                }
                Err(why) => {
                    if let Some(source) =
                        self.downloads.get_mut(&key).and_then(|download| download.source(giver))
                    {
                        source.whole_only |= answer.status == 200;
                    }
                    self.failed(key, giver, why, cx);
                }
            },
            (503 | 429 | 416, asked) => self.wait_for(conn, &asked, answer, cx),
            (status, _) => self.failed(key, giver, SourceError::Status(status), cx),
        }
    }

    /// Whether it is known how long a file is, or somebody else may say it.
    pub(super) fn is_sized(&self, key: u32) -> bool {
        let download = self.downloads.get(&key);
        download.is_some_and(|download| download.size.is_some() || download.numbered.is_none())
    }

    /// What an answer says of the file, whatever was asked for.
    pub(super) fn facts(
        &mut self,
        key: u32,
        giver: Giver,
        asked: &Asked,
        answer: &Response,
    ) -> Result<(), SourceError> {
        let headers = &answer.headers;
        let Some(download) = self.downloads.get_mut(&key) else { return Ok(()) };
        if let Some(available) = http::available_ranges(headers)
            && let Some(source) = download.source(giver)
        {
            source.available = Some(available);
        }
        if *asked == Asked::Tree || !matches!(answer.status, 200 | 206) {
            return Ok(());
        }
        let range = headers.get("content-range").and_then(ContentRange::parse);
        let len = match answer.body() {
            Ok(BodyLen::Sized(len)) if answer.status == 200 => Some(len),
            _ => None,
        };
        if let Some(size) = range.and_then(|range| range.total).or(len) {
            let known = *download.size.get_or_insert(size);
            if known != size {
                return Err(SourceError::Size(size));
            }
        }
        if download.numbered.is_some() {
            let names = ["x-gnutella-content-urn", "x-content-urn"];
            let told = names.iter().find_map(|name| headers.get(name)?.parse::<Urn>().ok()?.sha1());
            download.told = download.told.or(told);
        }
        if let Some(root) = http::tree_root(headers) {
            let believed = download.tree_believed() || download.tth_given;
            match download.tth {
                None if !download.plain => {
                    download.tth = Some(root);
                    download.tree_from = Some(giver);
                }
                Some(known) if known != root && believed => return Err(SourceError::Tree),
                _ => {}
            }
        }
        Ok(())
    }

    /// Which part of the file an answer gives: nothing that was not asked for, whatever it says.
    pub(super) fn part_of(
        &self,
        key: u32,
        answer: &Response,
        asked: &Range<u64>,
    ) -> Result<Range<u64>, SourceError> {
        let Some(size) = self.downloads.get(&key).and_then(|download| download.size) else {
            return Err(SourceError::Range);
        };
        let len = match answer.body() {
            Ok(BodyLen::Sized(len)) => Some(len),
            Ok(BodyLen::UntilClose) => None,
            Ok(BodyLen::Chunked) | Err(_) => return Err(SourceError::Malformed("length")),
        };
        let said =
            answer.headers.get("content-range").and_then(ContentRange::parse).and_then(|range| range.part);
        let part = match (answer.status, said) {
            (206, Some((first, last))) => first..last + 1,
            (206, None) => return Err(SourceError::Range),
            // The whole, whatever was asked for.
            _ => 0..len.ok_or(SourceError::Malformed("length"))?,
        };
        if len.is_some_and(|len| len != part.end - part.start) {
            return Err(SourceError::Malformed("length"));
        }
        let slice_len =
            self.downloads.get(&key).and_then(|of| of.slices.as_ref()).map_or(1, |slices| slices.slice_len());
        // A part of what was asked for will do, unless it starts in the middle of a slice whose beginning is missing then.
        let starts =
            part.start == asked.start || asked.contains(&part.start) && part.start.is_multiple_of(slice_len);
        if part.end > size || part.is_empty() || !starts {
            return Err(SourceError::Range);
        }
        Ok(part)
    }
}
