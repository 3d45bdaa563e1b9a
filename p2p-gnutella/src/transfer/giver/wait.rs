//! When an answer is over: the next request, or a place in the queue of a source that is busy.

use super::super::http::{self, Place};
use super::super::source::Stage;
use super::super::{Context, Transfers};
use super::{Asked, Step};
use p2p_core::http::{BodyLen, Response};
use p2p_core::{ConnId, Duration};

/// The longest wait that a source can impose.
const WAIT_MAX: Duration = Duration::from_hours(1);

impl Transfers {
    /// A source is busy: we wait in its queue, or come again.
    pub(super) fn wait_for(&mut self, conn: ConnId, asked: &Asked, answer: &Response, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver, keep) = (stream.key, stream.giver, stream.keep);
        let headers = &answer.headers;
        let place = Place::of(headers).filter(|_| answer.status == 503);
        let retry = http::retry_after(headers);
        if let Some(id) = place.as_ref().and_then(|place| place.id.clone()) {
            stream.queued = Some(id);
        }
        if let Some(slices) = self.downloads.get_mut(&key).and_then(|download| download.slices.as_mut()) {
            slices.release(giver);
        }
        let has_some = self
            .downloads
            .get_mut(&key)
            .and_then(|download| download.source(giver))
            .and_then(|source| source.available.as_ref())
            .is_some_and(|ranges| !ranges.is_empty());
        if answer.status == 416
            && has_some
            && let Some(stream) = self.giver(conn)
            && !core::mem::replace(&mut stream.headed, true)
        {
            // Now it is known what it has.
            return self.refused(conn, answer, cx);
        }
        let fallback = self.config.retry;
        match place {
            Some(place) if keep && matches!(asked, Asked::Range(_)) => {
                // A little later than the earliest, for their clock is not ours.
                let wait =
                    place.poll_min.or(retry).unwrap_or(fallback).min(WAIT_MAX) + Duration::from_secs(1);
                let latest = place.poll_max.map_or(wait, |latest| latest.max(Duration::from_secs(1)));
                let at = now + wait.min(latest);
                if let Some(source) = self.downloads.get_mut(&key).and_then(|download| download.source(giver))
                {
                    source.stage = Stage::Queued(conn, at);
                    source.failures = 0;
                }
                self.refused(conn, answer, cx);
                self.tend(key, cx);
            }
            _ => {
                let wait = retry.unwrap_or(fallback).clamp(fallback, WAIT_MAX);
                self.rest(key, giver, now + wait, cx);
                self.tend(key, cx);
            }
        }
    }

    /// No tree, or no such answer: its body is skipped if it is short.
    pub(super) fn refused(&mut self, conn: ConnId, answer: &Response, cx: &mut Context<'_>) {
        let skip = self.config.limits.skip;
        let Some(stream) = self.giver(conn) else { return };
        match answer.body() {
            Ok(BodyLen::Sized(0)) => {}
            Ok(BodyLen::Sized(len)) if len <= skip => {
                stream.step = Step::Skip(len);
                return;
            }
            _ => stream.keep = false,
        }
        self.over(conn, cx);
    }

    /// An answer is done with: the next request, if the stream is still open.
    pub(super) fn over(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(stream) = self.giver(conn) else { return };
        let (key, giver, keep) = (stream.key, stream.giver, stream.keep);
        stream.step = Step::Idle;
        let Some(download) = self.downloads.get_mut(&key) else { return };
        let stage = download.source(giver).map(|source| source.stage);
        match stage {
            // It is asked again when it is time.
            Some(Stage::Queued(..)) if keep => {}
            Some(Stage::Queued(_, at)) => self.rest(key, giver, at, cx),
            _ if keep => self.ask_giver(conn, cx),
            _ => {
                self.rest(key, giver, now, cx);
                self.tend(key, cx);
            }
        }
    }
}
