//! [`Reader`]: the content of a download in order, for who wants it and not only the file.

use super::download::Phase;
use super::files::Step;
use super::{Context, Event, Transfers};
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::{Chunk, IoError, Job, OpId, Span};

/// Bytes of a chunk.
const CHUNK: u64 = 256 << 10;

/// How far the content was told.
#[derive(Debug, Default)]
pub(super) struct Reader {
    at: u64,
    /// Nobody takes more for now.
    full: bool,
    reading: bool,
}

impl Transfers {
    pub(super) fn reader_full(&mut self, op: OpId, full: bool, cx: &mut Context<'_>) {
        let found = self.downloads.iter_mut().find(|(_, download)| download.op == op);
        let Some((key, download)) = found else { return };
        let key = *key;
        if let Some(reader) = &mut download.reader {
            reader.full = full;
            self.feed_reader(key, cx);
        }
    }

    /// Reads the next part, if it is certain that it is right: a tree vouches for it whose root whoever asks knows, or the
    /// whole was verified.
    pub(super) fn feed_reader(&mut self, key: u32, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let is_certain = download.tth_given && download.tree.is_some() && !download.resumed;
        let Some(reader) = &mut download.reader else { return };
        let (file, end) = match (&download.phase, &download.slices) {
            (Phase::Fetching, Some(slices)) if is_certain => {
                (download.part.clone(), slices.good_from(reader.at))
            }
            (Phase::Reading(file), _) => (file.clone(), download.size.unwrap_or_default()),
            _ => return,
        };
        if reader.reading || reader.full && reader.at < end {
            return;
        }
        if reader.at < end {
            reader.reading = true;
            let span = Span { file, offset: reader.at, len: CHUNK.min(end - reader.at) };
            self.run(key, Step::Chunk, Job::Read { spans: Vec::from([span]) }, cx);
        } else if matches!(download.phase, Phase::Reading(_)) {
            self.end(key, Ok(()), cx);
        }
    }

    pub(super) fn chunk_read(&mut self, key: u32, data: Result<Bytes, IoError>, cx: &mut Context<'_>) {
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let Some(reader) = &mut download.reader else { return };
        reader.reading = false;
        match data {
            Ok(data) => {
                let offset = reader.at;
                reader.at += data.len() as u64;
                cx.answer(download.op, Event::Chunk(Chunk { offset, data }));
                self.feed_reader(key, cx);
            }
            Err(why) if matches!(download.phase, Phase::Reading(_) | Phase::Fetching) => {
                self.disk_failed(key, "reading", why, cx);
            }
            // It is on its way to its place, and read on there.
            Err(_) => {}
        }
    }
}
