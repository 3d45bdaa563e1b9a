//! One stream as the driver keeps it: its queue, its phase, and what one poll of it does.

use crate::connector::{Opening, Stream};
use crate::error::io_error;
use crate::ready::SlotWaker;
use crate::receive::Receive;
use bytes::{Buf, BufMut, Bytes};
use p2p_core::{ConnId, Instant, IoError, ListenerId, Security};
use std::collections::VecDeque;
use std::future::Future;
use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncReadExt, AsyncWrite, ReadBuf};

/// Parts gathered into one write.
const GATHERED: usize = 64;

pub(crate) enum Phase {
    /// A dial that waits for its turn, and what it will be.
    Waiting(Option<Opening<(Stream, SocketAddr)>>),
    /// Being dialled, or secured before it is open.
    Opening {
        opening: Opening<(Stream, SocketAddr)>,
        listener: Option<ListenerId>,
        dialled: bool,
    },
    Open,
    /// What was sent before goes out plain, then it is secured.
    Draining {
        security: Security,
        /// What the machine gave back: read before what comes next.
        unread: Bytes,
        /// Bytes at the front of the queue that were sent before.
        plain: usize,
    },
    Securing(Opening<Stream>),
    /// The machine knows nothing of it any more; what is queued is still sent.
    Closing {
        shut: bool,
        heard_end: bool,
        /// How often it was given more time, because it was still sending.
        extended: u8,
    },
}

pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) wake: Arc<SlotWaker>,
    pub(crate) waker: Waker,
    pub(crate) phase: Phase,
    pub(crate) stream: Option<Stream>,
    /// Counted against the limit per address.
    pub(crate) counted: Option<IpAddr>,
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) queued: usize,
    pub(crate) paused: bool,
    pub(crate) told_full: bool,
    pub(crate) touched: bool,
    /// On the list of those that wait for the rate.
    pub(crate) starved: bool,
    /// What a secured stream still keeps to itself.
    unflushed: bool,
    /// Why nothing can be written any more; told when nothing can be read either.
    pub(crate) broken: Option<IoError>,
    pub(crate) last: Instant,
}

pub(crate) enum Read {
    Data(Bytes),
    /// Nothing now; the waker is registered.
    Nothing,
    End,
    Failed(IoError),
}

pub(crate) enum Written {
    /// All is on its way.
    All(usize),
    /// The rest waits: for the socket, whose waker is registered, or for the rate.
    Part(usize),
    Failed(IoError),
}

impl Conn {
    pub(crate) fn new(id: ConnId, wake: Arc<SlotWaker>, phase: Phase, now: Instant) -> Self {
        let waker = Waker::from(Arc::clone(&wake));
        Self {
            id,
            wake,
            waker,
            phase,
            stream: None,
            counted: None,
            queue: VecDeque::new(),
            queued: 0,
            paused: false,
            told_full: false,
            touched: false,
            starved: false,
            unflushed: false,
            broken: None,
            last: now,
        }
    }

    /// Reads at most `most` bytes once.
    pub(crate) fn read(&mut self, receive: &mut Receive, most: usize) -> Read {
        let Some(stream) = &mut self.stream else { return Read::Nothing };
        let buffer = receive.buffer();
        let polled = {
            let mut limited = buffer.limit(most);
            let mut cx = Context::from_waker(&self.waker);
            pin!(stream.read_buf(&mut limited)).poll(&mut cx)
        };
        match polled {
            Poll::Pending => Read::Nothing,
            Poll::Ready(Ok(0)) => Read::End,
            Poll::Ready(Ok(_)) => Read::Data(receive.take()),
            Poll::Ready(Err(error)) => Read::Failed(io_error(&error)),
        }
    }

    /// Writes what is queued, at most `most` bytes, and passes empty queues on to `spare`.
    pub(crate) fn write(&mut self, most: usize, spare: &mut Vec<VecDeque<Bytes>>) -> Written {
        let Some(stream) = &mut self.stream else { return Written::Part(0) };
        let mut cx = Context::from_waker(&self.waker);
        let mut sent = 0;
        while !self.queue.is_empty() && sent < most {
            let mut parts = [IoSlice::new(&[]); GATHERED];
            let (mut used, mut offered) = (0, 0);
            for (slice, part) in parts.iter_mut().zip(&self.queue) {
                let room = most - sent - offered;
                if room == 0 {
                    break;
                }
                let part = part.get(..part.len().min(room)).unwrap_or_default();
                *slice = IoSlice::new(part);
                offered += part.len();
                used += 1;
            }
            let parts = parts.get(..used).unwrap_or_default();
            match Pin::new(&mut *stream).poll_write_vectored(&mut cx, parts) {
                Poll::Pending => return Written::Part(sent),
                Poll::Ready(Ok(0)) => return Written::Failed(IoError::Reset),
                Poll::Ready(Ok(n)) => {
                    sent += n;
                    self.queued = self.queued.saturating_sub(n);
                    self.unflushed = stream.tcp().is_none();
                    advance(&mut self.queue, n);
                }
                Poll::Ready(Err(error)) => return Written::Failed(io_error(&error)),
            }
        }
        if self.queue.is_empty() && self.queue.capacity() > 0 {
            // An idle stream owns no memory for its queue.
            let empty = std::mem::take(&mut self.queue);
            if spare.len() < 32 && empty.capacity() <= 1024 {
                spare.push(empty);
            }
        }
        if self.unflushed {
            match Pin::new(stream).poll_flush(&mut cx) {
                Poll::Pending => return Written::Part(sent),
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Written::Failed(io_error(&error)),
            }
        }
        if self.queue.is_empty() { Written::All(sent) } else { Written::Part(sent) }
    }

    /// Says to the other end that nothing more comes.
    pub(crate) fn shut(&mut self) -> Poll<()> {
        let mut cx = Context::from_waker(&self.waker);
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_shutdown(&mut cx).map(drop),
            None => Poll::Ready(()),
        }
    }

    /// Whether something was handed to the stream that it still keeps.
    pub(crate) const fn unfinished(&self) -> bool {
        self.unflushed
    }

    /// Whether reading is wanted now.
    pub(crate) const fn reads(&self) -> bool {
        matches!(self.phase, Phase::Open) && !self.paused
    }

    /// How a stream ended that is not read. It can be told as long as nothing unread lies before the end; of what is
    /// not plain TCP it shows only when it is read again.
    pub(crate) fn ended_while_paused(&self) -> Option<Result<(), IoError>> {
        if !self.paused || !matches!(self.phase, Phase::Open) {
            return None;
        }
        if let Some(error) = self.broken {
            return Some(Err(error));
        }
        let tcp = self.stream.as_ref().and_then(Stream::tcp)?;
        let mut byte = [0];
        let mut cx = Context::from_waker(&self.waker);
        match tcp.poll_peek(&mut cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending | Poll::Ready(Ok(1..)) => None,
            Poll::Ready(Ok(0)) => Some(Ok(())),
            Poll::Ready(Err(error)) => Some(Err(io_error(&error))),
        }
    }

    /// Makes the socket forget what it has when it is dropped.
    pub(crate) fn reset(&self) {
        if let Some(tcp) = self.stream.as_ref().and_then(Stream::tcp) {
            let _ = socket2::SockRef::from(tcp).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

fn advance(queue: &mut VecDeque<Bytes>, mut n: usize) {
    while let Some(front) = queue.front_mut() {
        if n < front.len() {
            front.advance(n);
            return;
        }
        n -= front.len();
        queue.pop_front();
    }
}
