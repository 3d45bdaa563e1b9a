//! Received blocks on their way to the disk: [`Store`] gathers them into long runs, hashed while they are written.

use crate::peer::wire::Block;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::chunk::BLOCK;
use p2p_core::{Digest, DigestKind, Digester};

/// A run this long is written even if more of its piece is about to come.
const RUN: u32 = 512 * 1024;
/// So many bytes that came out of order may wait in one piece for the gap to close; then they are written as they are,
/// and the piece is read back to be hashed.
const LOOSE: u32 = 1024 * 1024;

/// What is to be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Runs that are long enough, or end their piece.
    Usual,
    /// Short runs as well.
    Short,
    /// Blocks behind a gap as well, at the price of reading their piece back.
    All,
}

/// A contiguous part of a piece, to be written.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) begin: u32,
    pub(crate) len: u32,
    pub(crate) data: Vec<Bytes>,
    pub(crate) digest: Option<Box<Digester>>,
}

/// What a finished write means for its piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is to come, or to be written.
    Partial,
    /// All is written, and this is its digest.
    Hashed(Digest),
    /// All is written, but it must be read back to be hashed.
    Reread,
}

#[derive(Debug)]
struct Piece {
    len: u32,
    /// Covers the first `hashed` bytes; travels with a write, so it is absent while one is under way.
    digest: Option<Box<Digester>>,
    /// Every byte so far went through the digest in order.
    ordered: bool,
    /// Where the next block in order begins, once what waits in `run` is counted.
    next: u32,
    run: Vec<Bytes>,
    run_len: u32,
    loose: BTreeMap<u32, (u32, Vec<Bytes>)>,
    loose_len: u32,
    writing: u32,
    written: u32,
    /// A block that counts as received is neither here nor on disk: the piece cannot become whole.
    spoilt: bool,
}

/// The partial pieces of a torrent whose blocks are in memory or being written.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pieces: BTreeMap<u32, Piece>,
    /// Payload bytes in memory: waiting, or being written.
    held: u64,
}

impl Store {
    /// Whether nothing waits and nothing is being written.
    pub(crate) const fn is_idle(&self) -> bool {
        self.held == 0
    }

    /// A piece of which `written` bytes in some order are on disk from an earlier run.
    pub(crate) fn restore(&mut self, piece: u32, len: u32, written: u32) {
        let mut state = Piece::new(len);
        state.ordered = false;
        state.digest = None;
        state.written = written;
        self.pieces.insert(piece, state);
    }

    /// Takes a block that was wanted; empties `segments`.
    pub(crate) fn add(&mut self, block: Block, piece_len: u32, segments: &mut Vec<Bytes>) {
        let piece = self.pieces.entry(block.piece).or_insert_with(|| Piece::new(piece_len));
        self.held += u64::from(block.len);
        if piece.ordered && block.begin != piece.next {
            piece.loose_len += block.len;
            piece.loose.insert(block.begin, (block.len, core::mem::take(segments)));
            return;
        }
        if !piece.ordered && piece.run_len > 0 && block.begin != piece.next {
            piece.set_run_aside();
        }
        if piece.run.is_empty() {
            // Room for a whole run, in one allocation: a block is a segment, or two where a receive buffer ends.
            let blocks = RUN.min(piece.len).div_ceil(BLOCK);
            piece.run.reserve(segments.len().max((blocks + blocks / 4) as usize));
        }
        piece.run.append(segments);
        piece.run_len += block.len;
        piece.next = block.begin + block.len;
        while let Some((len, mut data)) = piece.loose.remove(&piece.next) {
            piece.loose_len -= len;
            piece.run.append(&mut data);
            piece.run_len += len;
            piece.next += len;
        }
    }

    /// The next run of a piece to write, if there is one that is urgent enough.
    pub(crate) fn next_run(&mut self, index: u32, urgency: Urgency) -> Option<Run> {
        let piece = self.pieces.get_mut(&index)?;
        if piece.ordered && piece.loose_len > 0 && (urgency == Urgency::All || piece.loose_len >= LOOSE) {
            // The chain of the digest ends here; the piece will be read back.
            piece.ordered = false;
            piece.digest = None;
        }
        let due =
            |len: u32, end: u32| len > 0 && (urgency != Urgency::Usual || len >= RUN || end == piece.len);
        if piece.ordered {
            // While the digest is away with a write, what comes in joins the next run.
            if !due(piece.run_len, piece.next) || piece.digest.is_none() {
                return None;
            }
            return Some(piece.take_run());
        }
        if let Some((begin, (len, data))) = piece.loose.pop_first() {
            piece.loose_len -= len;
            piece.writing += len;
            return Some(Run { begin, len, data, digest: None });
        }
        let whole = piece.written + piece.writing + piece.run_len == piece.len;
        (due(piece.run_len, piece.next) || (whole && piece.run_len > 0)).then(|| piece.take_run())
    }

    /// A run was written.
    pub(crate) fn written(&mut self, index: u32, len: u32, digest: Option<Box<Digester>>) -> Progress {
        self.held = self.held.saturating_sub(u64::from(len));
        let Some(piece) = self.pieces.get_mut(&index) else { return Progress::Partial };
        piece.writing = piece.writing.saturating_sub(len);
        piece.written += len;
        if piece.ordered {
            if digest.is_none() {
                piece.ordered = false;
            }
            piece.digest = digest;
        }
        if piece.written < piece.len || piece.writing > 0 {
            return Progress::Partial;
        }
        match piece.digest.take() {
            Some(digest) if piece.ordered => Progress::Hashed(digest.finish()),
            _ => Progress::Reread,
        }
    }

    /// A run could not be written: its bytes count as not received.
    pub(crate) fn lost(&mut self, index: u32, len: u32) {
        self.held = self.held.saturating_sub(u64::from(len));
        if let Some(piece) = self.pieces.get_mut(&index) {
            piece.writing = piece.writing.saturating_sub(len);
            piece.ordered = false;
            piece.digest = None;
            piece.spoilt = true;
        }
    }

    /// Forgets what waits in memory; what is being written is still waited for. Returns how many bytes that were.
    pub(crate) fn drop_waiting(&mut self) -> u64 {
        let mut dropped = 0;
        for piece in self.pieces.values_mut() {
            let waiting = core::mem::take(&mut piece.run_len) + core::mem::take(&mut piece.loose_len);
            if waiting > 0 {
                dropped += u64::from(waiting);
                piece.run.clear();
                piece.loose.clear();
                piece.ordered = false;
                piece.digest = None;
                piece.spoilt = true;
            }
        }
        self.held = self.held.saturating_sub(dropped);
        dropped
    }

    /// A piece is done with: verified, or to be fetched anew as a whole. Returns how many bytes of it waited.
    pub(crate) fn remove(&mut self, index: u32) -> u64 {
        let Some(piece) = self.pieces.remove(&index) else { return 0 };
        let waiting = u64::from(piece.run_len + piece.loose_len);
        self.held = self.held.saturating_sub(waiting);
        waiting
    }

    /// Pieces with blocks that wait in memory.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = u32> + '_ {
        self.pieces.iter().filter(|(_, p)| p.run_len + p.loose_len > 0).map(|(index, _)| *index)
    }

    /// Whether all that was received of this piece is on disk.
    pub(crate) fn is_on_disk(&self, index: u32) -> bool {
        self.pieces
            .get(&index)
            .is_none_or(|piece| !piece.spoilt && piece.writing + piece.run_len + piece.loose_len == 0)
    }
}

impl Piece {
    fn new(len: u32) -> Self {
        Self {
            len,
            digest: Some(Box::new(Digester::new(DigestKind::Sha1))),
            ordered: true,
            next: 0,
            run: Vec::new(),
            run_len: 0,
            loose: BTreeMap::new(),
            loose_len: 0,
            writing: 0,
            written: 0,
            spoilt: false,
        }
    }

    fn take_run(&mut self) -> Run {
        let len = core::mem::take(&mut self.run_len);
        self.writing += len;
        Run { begin: self.next - len, len, data: core::mem::take(&mut self.run), digest: self.digest.take() }
    }

    fn set_run_aside(&mut self) {
        let len = core::mem::take(&mut self.run_len);
        self.loose_len += len;
        self.loose.insert(self.next - len, (len, core::mem::take(&mut self.run)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use p2p_core::hash::{Hasher, Sha1};
    use proptest::prelude::*;

    fn block(begin: u32, len: u32) -> Block {
        Block { piece: 0, begin, len }
    }

    fn content(len: u32) -> Bytes {
        (0..len).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
    }

    /// Carries out a run on a piece in memory as a driver would.
    fn write(disk: &mut [u8], mut run: Run) -> (u32, Option<Box<Digester>>) {
        let mut at = run.begin as usize;
        for data in &run.data {
            disk[at..at + data.len()].copy_from_slice(data);
            at += data.len();
            if let Some(digest) = &mut run.digest {
                digest.update(data);
            }
        }
        assert_eq!(at, (run.begin + run.len) as usize);
        (run.len, run.digest)
    }

    #[test]
    fn blocks_in_order_are_hashed_on_their_way() {
        let len = 5 * BLOCK + 7;
        let data = content(len);
        let mut store = Store::default();
        let mut disk = vec![0; len as usize];
        for begin in (0..len).step_by(BLOCK as usize) {
            let part = BLOCK.min(len - begin);
            let at = begin as usize;
            // Two segments, as when a block straddles two receive buffers.
            let mut segments = vec![data.slice(at..at + 5), data.slice(at + 5..at + part as usize)];
            store.add(block(begin, part), len, &mut segments);
        }
        assert_eq!(store.held, u64::from(len));
        let run = store.next_run(0, Urgency::Usual).unwrap();
        assert_eq!((run.begin, run.len), (0, len));
        assert!(store.next_run(0, Urgency::All).is_none());
        let (written, digest) = write(&mut disk, run);
        assert_eq!(store.written(0, written, digest), Progress::Hashed(hash(&data)));
        assert_eq!(disk, data);
        assert!(store.is_idle());
    }

    fn hash(data: &[u8]) -> Digest {
        let mut digester = Digester::new(DigestKind::Sha1);
        digester.update(data);
        assert_eq!(Sha1::digest(data).as_ref(), digester.clone().finish().as_ref());
        digester.finish()
    }

    fn urgency() -> impl Strategy<Value = Urgency> {
        prop_oneof![Just(Urgency::Usual), Just(Urgency::Short), Just(Urgency::All)]
    }

    /// A gap that closes in time costs nothing: short runs may be written meanwhile, what lies behind the gap waits.
    #[test]
    fn a_gap_does_not_break_the_digest() {
        let len = 4 * BLOCK;
        let data = content(len);
        let mut store = Store::default();
        let mut disk = vec![0; len as usize];
        let mut end = Progress::Partial;
        for index in [0, 2, 3, 1] {
            let begin = index * BLOCK;
            let mut segments = vec![data.slice(begin as usize..(begin + BLOCK) as usize)];
            store.add(block(begin, BLOCK), len, &mut segments);
            while let Some(run) = store.next_run(0, Urgency::Short) {
                let (len, digest) = write(&mut disk, run);
                end = store.written(0, len, digest);
            }
        }
        assert_eq!(end, Progress::Hashed(hash(&data)));
        assert_eq!(disk, data);
    }

    proptest! {
        /// Whatever order blocks come in, and whenever they are flushed, the disk ends with the piece.
        #[test]
        fn any_order_any_flushes(
            order in Just((0u32..9).collect::<Vec<_>>()).prop_shuffle(),
            flush in proptest::collection::vec(urgency(), 9),
            late in proptest::collection::vec(any::<bool>(), 9),
            declines in any::<bool>(),
        ) {
            let len = 8 * BLOCK + 100;
            let data = content(len);
            let mut store = Store::default();
            let mut disk = vec![0; len as usize];
            let mut away: Vec<(u32, Option<Box<Digester>>)> = Vec::new();
            let mut end = Progress::Partial;
            for (step, index) in order.into_iter().enumerate() {
                let begin = index * BLOCK;
                let part = BLOCK.min(len - begin);
                let mut segments = vec![data.slice(begin as usize..(begin + part) as usize)];
                store.add(block(begin, part), len, &mut segments);
                while let Some(run) = store.next_run(0, flush[step]) {
                    away.push(write(&mut disk, run));
                }
                if !late[step] {
                    for (len, digest) in away.drain(..) {
                        end = store.written(0, len, digest.filter(|_| !declines));
                    }
                }
            }
            for _ in 0..20 {
                for (len, digest) in away.drain(..) {
                    end = store.written(0, len, digest.filter(|_| !declines));
                }
                while let Some(run) = store.next_run(0, Urgency::Usual) {
                    away.push(write(&mut disk, run));
                }
            }
            prop_assert_eq!(&disk[..], &data[..]);
            prop_assert!(store.is_idle());
            match end {
                Progress::Hashed(digest) => prop_assert_eq!(digest, hash(&data)),
                Progress::Reread => {}
                Progress::Partial => prop_assert!(false, "never whole"),
            }
        }
    }
}
