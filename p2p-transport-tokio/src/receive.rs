//! Buffers for what comes in: a few large ones that all sockets share, used again when nobody holds a part of them.

use bytes::{Bytes, BytesMut};

/// A read never begins with less room than this.
const LEAST: usize = 16 * 1024;
/// What comes in pieces smaller than this is copied: a peer that dribbles must not pin a whole buffer with each of
/// its drops.
const SMALL: usize = 4 * 1024;
/// The one buffer that is read into, and copied from, while all others are held.
const SCRATCH: usize = 64 * 1024;

pub(crate) struct Receive {
    current: BytesMut,
    held: Vec<BytesMut>,
    scratch: BytesMut,
    size: usize,
    most: usize,
    /// How many there are, `current` among them.
    made: usize,
    copying: bool,
}

impl Receive {
    /// At most `most` buffers of `size` bytes.
    pub(crate) fn new(size: usize, most: usize) -> Self {
        Self {
            current: BytesMut::new(),
            held: Vec::new(),
            scratch: BytesMut::new(),
            size: size.max(LEAST),
            most,
            made: 0,
            copying: false,
        }
    }

    /// The buffer to read into: it is empty, and has room.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        self.copying = !self.find();
        if !self.copying {
            return &mut self.current;
        }
        if self.scratch.capacity() < SCRATCH {
            self.scratch = BytesMut::with_capacity(SCRATCH);
        }
        &mut self.scratch
    }

    /// What was read into the buffer since [`buffer`](Self::buffer).
    pub(crate) fn take(&mut self) -> Bytes {
        let from = if self.copying { &mut self.scratch } else { &mut self.current };
        if self.copying || from.len() < SMALL {
            let copy = Bytes::copy_from_slice(from);
            from.clear();
            copy
        } else {
            from.split().freeze()
        }
    }

    /// Makes room in `current`, if any buffer is free.
    fn find(&mut self) -> bool {
        if self.current.capacity() >= LEAST || self.current.try_reclaim(self.size) {
            return true;
        }
        if let Some(at) = self.held.iter_mut().position(|held| held.try_reclaim(self.size)) {
            if let Some(held) = self.held.get_mut(at) {
                std::mem::swap(held, &mut self.current);
            }
            return true;
        }
        if self.made == self.most {
            return false;
        }
        let full = std::mem::replace(&mut self.current, BytesMut::with_capacity(self.size));
        if self.made > 0 {
            self.held.push(full);
        }
        self.made += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(receive: &mut Receive, n: usize) -> Bytes {
        let buffer = receive.buffer();
        assert!(buffer.is_empty() && buffer.capacity() >= LEAST);
        let n = n.min(buffer.capacity());
        buffer.extend_from_slice(&vec![7; n]);
        receive.take()
    }

    #[test]
    fn a_buffer_is_used_again_when_its_parts_are_dropped() {
        let mut receive = Receive::new(64 * 1024, 1);
        let first = read(&mut receive, 64 * 1024).as_ptr();
        for _ in 0..10 {
            assert_eq!(read(&mut receive, 64 * 1024).as_ptr(), first);
        }
    }

    #[test]
    fn held_buffers_are_bounded_and_then_parts_are_copied() {
        let mut receive = Receive::new(64 * 1024, 3);
        let held: Vec<_> = (0..20).map(|_| read(&mut receive, 64 * 1024)).collect();
        assert!(held.iter().all(|part| part.len() == 64 * 1024 && part.iter().all(|byte| *byte == 7)));
        assert_eq!(receive.held.len(), 2);
        assert!(receive.copying);
        drop(held);
        drop(read(&mut receive, 10));
        assert!(!receive.copying);
    }

    #[test]
    fn drops_pin_nothing() {
        let mut receive = Receive::new(64 * 1024, 2);
        let drops: Vec<_> = (0..1000).map(|_| read(&mut receive, 3)).collect();
        assert_eq!(drops.len(), 1000);
        assert!(receive.held.is_empty());
    }
}
