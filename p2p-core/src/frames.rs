//! A receive buffer that copies only what straddles two reads, [`Frames`], and what is read from it, [`Wire`].

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes as they came from a stream, in order.
///
/// A frame that lies in one chunk is taken as a slice of it; only one that straddles two chunks is copied. An empty
/// buffer holds no memory of the heap, and one chunk needs none beside its own. A slice keeps its whole chunk alive.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    /// Empty only if everything is.
    front: Bytes,
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Clone, Default)]
struct Rest {
    chunks: VecDeque<Bytes>,
    len: usize,
}

/// Chunks behind the first that may wait before small ones are joined.
const CHUNKS: usize = 64;
/// The mean length below which waiting chunks are small: a handle is 32 bytes, so they cost an eighth at most.
const SMALL: usize = 256;

impl Frames {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { front: Bytes::new(), rest: None }
    }

    /// Adds bytes at the end. How much may wait is for the reader of the frames to limit, by [`len`](Self::len).
    pub fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        if self.front.is_empty() {
            self.front = chunk;
            return;
        }
        let rest = self.rest.get_or_insert_default();
        rest.len += chunk.len();
        rest.chunks.push_back(chunk);
        // A peer that sends byte by byte must not make us keep a handle per byte.
        if rest.chunks.len() >= CHUNKS && rest.len < rest.chunks.len() * SMALL {
            let mut joined = Vec::with_capacity(rest.len);
            rest.chunks.drain(..).for_each(|chunk| joined.extend_from_slice(&chunk));
            rest.chunks.push_back(joined.into());
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.front.len() + self.rest.as_ref().map_or(0, |rest| rest.len)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    /// The first bytes as far as they lie in one chunk; empty only if the buffer is.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        &self.front
    }

    /// The first `n` bytes, left in place; `None` if there are fewer. Bytes that straddle two chunks are joined first.
    pub fn peek(&mut self, n: usize) -> Option<&[u8]> {
        if self.front.len() < n {
            let joined = self.take(n)?;
            self.unread(joined);
        }
        self.front.get(..n)
    }

    /// The first `n` bytes, or all if there are fewer, left in place: for heads whose length is not known before.
    pub fn peek_up_to(&mut self, n: usize) -> &[u8] {
        let n = n.min(self.len());
        self.peek(n).unwrap_or_default()
    }

    /// The first `N` bytes, copied, left in place; `None` if there are fewer.
    #[must_use]
    pub fn peek_array<const N: usize>(&self) -> Option<[u8; N]> {
        if let Some(whole) = self.front.first_chunk() {
            return Some(*whole);
        }
        if self.len() < N {
            return None;
        }
        let mut array = [0; N];
        let behind = self.rest.iter().flat_map(|rest| rest.chunks.iter()).flat_map(|chunk| chunk.iter());
        array.iter_mut().zip(self.front.iter().chain(behind)).for_each(|(to, from)| *to = *from);
        Some(array)
    }

    /// Takes the first `n` bytes; `None` if there are fewer, and then nothing is taken.
    pub fn take(&mut self, n: usize) -> Option<Bytes> {
        if n <= self.front.len() {
            return Some(self.take_front(n));
        }
        if n > self.len() {
            return None;
        }
        let mut joined = Vec::with_capacity(n);
        while joined.len() < n {
            let part = self.take_front(n - joined.len());
            joined.extend_from_slice(&part);
        }
        Some(joined.into())
    }

    /// Takes the first bytes, at most `n`, as far as they lie in one chunk, and so without a copy; empty only if `n` is
    /// 0 or the buffer is empty: for payload that is passed on as it comes.
    pub fn take_front(&mut self, n: usize) -> Bytes {
        if n < self.front.len() {
            return self.front.split_to(n);
        }
        let whole = core::mem::take(&mut self.front);
        self.advance();
        whole
    }

    /// Drops the first `n` bytes, or all if there are fewer; how many were dropped.
    pub fn skip(&mut self, n: usize) -> usize {
        let mut left = n;
        while left > 0 && !self.front.is_empty() {
            if left < self.front.len() {
                self.front.advance(left);
                return n;
            }
            left -= self.front.len();
            self.front = Bytes::new();
            self.advance();
        }
        n - left
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Puts bytes in front of all.
    fn unread(&mut self, chunk: Bytes) {
        let old = core::mem::replace(&mut self.front, chunk);
        if !old.is_empty() {
            let rest = self.rest.get_or_insert_default();
            rest.len += old.len();
            rest.chunks.push_front(old);
        }
    }

    /// Makes the next chunk the front, which is empty.
    fn advance(&mut self) {
        if let Some(rest) = &mut self.rest {
            if let Some(next) = rest.chunks.pop_front() {
                rest.len -= next.len();
                self.front = next;
            }
            if self.front.is_empty() {
                self.rest = None;
            }
        }
    }
}

impl From<Bytes> for Frames {
    fn from(chunk: Bytes) -> Self {
        Self { front: chunk, rest: None }
    }
}

/// A message of a protocol, as bytes.
pub trait Wire: Sized {
    /// Why bytes are no such message.
    type Error;

    /// Takes one message from the buffer; `Ok(None)` if it is not complete yet, and then nothing is taken.
    ///
    /// # Errors
    /// If the bytes cannot become a message, whatever follows. Nothing behind them can be trusted.
    fn decode(from: &mut Frames) -> Result<Option<Self>, Self::Error>;

    /// Appends the message.
    fn encode(&self, to: &mut BytesMut);
}

/// Why bytes are no message: what is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct WireError {
    /// The offset in the message, in bytes.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl WireError {
    /// `what` is wrong at offset `at`.
    #[must_use]
    pub const fn new(at: usize, what: &'static str) -> Self {
        Self { at, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_in_one_chunk_is_not_copied() {
        let chunk = Bytes::from(b"abcdef".to_vec());
        let mut frames = Frames::from(chunk.clone());
        frames.push(Bytes::from_static(b"gh"));
        let taken = frames.take(4).unwrap();
        assert_eq!(taken.as_ptr(), chunk.as_ptr());
        let straddling = frames.take(3).unwrap();
        assert_eq!(&straddling[..], b"efg");
        assert!(frames.take(2).is_none());
        assert_eq!(frames.take(1).unwrap(), "h");
        assert!(frames.is_empty() && frames.rest.is_none());
    }

    #[test]
    fn an_idle_buffer_is_small() {
        assert!(size_of::<Frames>() <= 48);
        let mut frames = Frames::new();
        assert_eq!(frames.take(0).unwrap(), "");
        assert_eq!(frames.peek_array::<0>(), Some([]));
        assert_eq!(frames.peek(0), Some(&b""[..]));
        assert!(frames.peek(1).is_none() && frames.peek_array::<1>().is_none() && frames.skip(1) == 0);
    }

    #[test]
    fn byte_by_byte_keeps_few_handles() {
        let mut frames = Frames::new();
        for i in 0..100_000u32 {
            frames.push(Bytes::copy_from_slice(&[i as u8]));
            let handles = frames.rest.as_ref().map_or(0, |rest| rest.chunks.len());
            assert!(handles <= CHUNKS + frames.len() / SMALL, "{handles} for {} bytes", frames.len());
        }
        let all = frames.take(100_000).unwrap();
        assert!(all.iter().enumerate().all(|(i, byte)| *byte == i as u8));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(Vec<u8>),
        Take(usize),
        Front(usize),
        Skip(usize),
        Peek(usize),
        PeekUpTo(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let n = 0usize..30;
        prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Step::Push),
            1 => n.clone().prop_map(Step::Take),
            1 => n.clone().prop_map(Step::Front),
            1 => n.clone().prop_map(Step::Skip),
            1 => n.clone().prop_map(Step::Peek),
            1 => n.prop_map(Step::PeekUpTo),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_one_list_of_bytes(steps in prop::collection::vec(step(), 0..200)) {
            let (mut frames, mut model) = (Frames::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Push(bytes) => {
                        model.extend_from_slice(&bytes);
                        frames.push(bytes.into());
                    }
                    Step::Take(n) => match frames.take(n) {
                        Some(taken) => prop_assert_eq!(&taken[..], &model.drain(..n).collect::<Vec<_>>()[..]),
                        None => prop_assert!(n > model.len()),
                    },
                    Step::Front(n) => {
                        let taken = frames.take_front(n);
                        prop_assert!(taken.len() <= n && (!taken.is_empty() || n == 0 || model.is_empty()));
                        prop_assert_eq!(&taken[..], &model.drain(..taken.len()).collect::<Vec<_>>()[..]);
                    }
                    Step::Skip(n) => {
                        prop_assert_eq!(frames.skip(n), n.min(model.len()));
                        model.drain(..n.min(model.len()));
                    }
                    Step::Peek(n) => prop_assert_eq!(frames.peek(n), model.get(..n)),
                    Step::PeekUpTo(n) => prop_assert_eq!(frames.peek_up_to(n), &model[..n.min(model.len())]),
                }
                prop_assert_eq!(frames.len(), model.len());
                prop_assert_eq!(frames.is_empty(), model.is_empty());
                prop_assert_eq!(frames.front().is_empty(), model.is_empty());
                prop_assert_eq!(frames.peek_array::<7>(), model.first_chunk::<7>().copied());
                prop_assert!(!model.is_empty() || frames.rest.is_none());
            }
        }
    }
}
