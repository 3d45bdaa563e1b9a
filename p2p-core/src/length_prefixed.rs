//! Messages of a head of fixed length that says how long the body is: [`LengthPrefixed`].

use alloc::vec::Vec;
use bytes::{Buf, Bytes};

/// Cuts a stream into messages whose head of `HEAD` bytes states the length of the body.
///
/// A message that lies in one chunk is a slice of it. What is left of a chunk behind its last whole message is copied, so
/// that a stranger who sends half a message holds that half and not the driver's receive buffer; in that it differs from
/// [`Frames`](crate::Frames), which keeps chunks as they came.
#[derive(Clone, Debug, Default)]
pub struct LengthPrefixed<const HEAD: usize> {
    /// What came and was not looked at yet.
    chunk: Bytes,
    /// The beginning of a message whose end has not come: always shorter than the message.
    partial: Vec<u8>,
}

impl<const HEAD: usize> LengthPrefixed<HEAD> {
    /// Nothing has come.
    #[must_use]
    pub const fn new() -> Self {
        Self { chunk: Bytes::new(), partial: Vec::new() }
    }

    /// Adds what came. Call [`next`](Self::next) until it gives `None` before adding more: what waits is not limited here.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else if !chunk.is_empty() {
            self.chunk = [&self.chunk[..], &chunk[..]].concat().into();
        }
    }

    /// How many bytes are held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.chunk.len() + self.partial.len()
    }

    /// Whether no byte is held: the stream may end here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Head and body of the next message; `None` if its end has not come. `read` gives what a head means and how long the
    /// body is; it is asked as soon as the head is there, so that a body that is too long is refused before it comes.
    ///
    /// # Errors
    /// What `read` finds wrong. Nothing is taken then, so a further call asks it again.
    pub fn next<T, E>(
        &mut self,
        read: impl FnOnce(&[u8; HEAD]) -> Result<(T, usize), E>,
    ) -> Result<Option<(T, Bytes)>, E> {
        if !self.partial.is_empty() {
            return self.complete(read);
        }
        let Some(head) = self.chunk.first_chunk() else {
            self.keep_partial();
            return Ok(None);
        };
        let (head, len) = read(head)?;
        // A length that no address space holds cannot have come.
        if self.chunk.len() - HEAD < len {
            self.keep_partial();
            return Ok(None);
        }
        self.chunk.advance(HEAD);
        Ok(Some((head, self.chunk.split_to(len))))
    }

    /// Everything that is held, in order, for whoever reads the stream on.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        if self.partial.is_empty() {
            return self.chunk;
        }
        let mut rest = self.partial;
        rest.extend_from_slice(&self.chunk);
        rest.into()
    }

    /// Completes the message that began in an earlier chunk.
    fn complete<T, E>(
        &mut self,
        read: impl FnOnce(&[u8; HEAD]) -> Result<(T, usize), E>,
    ) -> Result<Option<(T, Bytes)>, E> {
        self.fill(HEAD);
        let Some(head) = self.partial.first_chunk() else { return Ok(None) };
        let (head, len) = read(head)?;
        let whole = HEAD.saturating_add(len);
        self.fill(whole);
        if self.partial.len() < whole {
            return Ok(None);
        }
        let mut body = Bytes::from(core::mem::take(&mut self.partial));
        body.advance(HEAD);
        Ok(Some((head, body)))
    }

    /// Moves bytes of the chunk behind the partial message until that has `len`, or there are no more.
    fn fill(&mut self, len: usize) {
        let n = len.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk.split_to(n));
    }

    fn keep_partial(&mut self) {
        self.partial.extend_from_slice(&self.chunk);
        self.chunk = Bytes::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A head of two bytes: a kind, and the length, of which 200 are allowed.
    fn read(head: &[u8; 2]) -> Result<(u8, usize), u8> {
        if head[1] > 200 { Err(head[1]) } else { Ok((head[0], head[1].into())) }
    }

    #[test]
    fn a_message_in_one_chunk_is_a_slice_and_half_a_message_is_copied() {
        let chunk = Bytes::from(b"a\x03xyzb\x02p".to_vec());
        let mut stream = LengthPrefixed::<2>::new();
        stream.push(chunk.clone());
        let (head, body) = stream.next(read).unwrap().unwrap();
        assert_eq!((head, &body[..]), (b'a', &b"xyz"[..]));
        assert_eq!(body.as_ptr(), chunk[2..].as_ptr());
        assert_eq!(stream.next(read), Ok(None));
        drop(body);
        assert!(chunk.is_unique(), "the chunk is let go");
        stream.push(Bytes::from_static(b"qc"));
        assert_eq!(stream.next(read), Ok(Some((b'b', Bytes::from_static(b"pq")))));
        assert_eq!(stream.next(read), Ok(None));
        assert_eq!((stream.len(), stream.into_rest()), (1, Bytes::from_static(b"c")));
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_comes_and_again() {
        for split in [1, 2] {
            let mut stream = LengthPrefixed::<2>::new();
            let (begin, end) = b"a\xff".split_at(split);
            stream.push(Bytes::copy_from_slice(begin));
            let _ = stream.next(read);
            stream.push(Bytes::copy_from_slice(end));
            assert_eq!(stream.next(read), Err(255));
            assert_eq!(stream.next(read), Err(255));
        }
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_its_messages_are_the_same(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..=200)), 0..20),
            cuts in prop::collection::vec(1usize..300, 1..40),
        ) {
            let mut bytes = Vec::new();
            for (kind, body) in &messages {
                bytes.extend([*kind, body.len() as u8]);
                bytes.extend(body);
            }
            let (mut stream, mut got, mut rest, mut cuts) =
                (LengthPrefixed::<2>::new(), Vec::new(), &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                rest = later;
                stream.push(Bytes::copy_from_slice(now));
                while let Some((head, body)) = stream.next(read).unwrap() {
                    got.push((head, body.to_vec()));
                }
                prop_assert!(stream.len() < 202);
            }
            prop_assert_eq!(got, messages);
            prop_assert!(stream.is_empty());
        }
    }
}
