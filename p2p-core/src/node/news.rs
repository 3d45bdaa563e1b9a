//! What a machine tells nobody in particular.

use super::lock;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use futures_core::Stream;
use std::sync::Mutex;

/// What a machine tells nobody in particular, in order. What is not read in time is dropped and counted.
pub struct News<E> {
    pub(super) paper: Arc<Mutex<Paper<E>>>,
}

pub(super) struct Paper<E> {
    pub(super) news: VecDeque<E>,
    pub(super) missed: u64,
    pub(super) reader: Option<Waker>,
    pub(super) reader_gone: bool,
    pub(super) writer_gone: bool,
}

impl<E> fmt::Debug for News<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").field("missed", &self.missed()).finish_non_exhaustive()
    }
}

impl<E> News<E> {
    /// How many were dropped because nobody read them in time.
    #[must_use]
    pub fn missed(&self) -> u64 {
        lock(&self.paper).missed
    }

    /// The next; `None` when the machine has stopped and all was read.
    pub async fn next(&mut self) -> Option<E> {
        core::future::poll_fn(|cx| self.poll_news(cx)).await
    }

    /// The next if there is one now.
    pub fn try_next(&mut self) -> Option<E> {
        lock(&self.paper).news.pop_front()
    }

    /// What [`Stream::poll_next`] does, without a trait to import.
    pub fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Option<E>> {
        let mut paper = lock(&self.paper);
        match paper.news.pop_front() {
            Some(news) => Poll::Ready(Some(news)),
            None if paper.writer_gone => Poll::Ready(None),
            None => {
                paper.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<E> Stream for News<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        self.poll_news(cx)
    }
}

impl<E> Drop for News<E> {
    fn drop(&mut self) {
        let mut paper = lock(&self.paper);
        paper.reader_gone = true;
        paper.news = VecDeque::new();
    }
}
