//! The requests of one peer: [`Asker`].

use super::probe::Probe;
use super::trust::Standing;
use alloc::collections::VecDeque;
use p2p_core::Instant;

/// Requests that were taken back and may still be answered, remembered per peer: as many as a pipeline is long.
const LATE: usize = 512;

/// The requests of one peer.
#[derive(Debug)]
pub(super) struct Asker {
    /// Asked and not answered, oldest first: piece and number of the block.
    pub(super) outstanding: VecDeque<(u32, u32)>,
    /// Taken back, but an answer may be on its way.
    pub(super) late: VecDeque<(u32, u32)>,
    /// The piece it has to itself, while that has free blocks.
    pub(super) own: Option<u32>,
    /// What its blocks were worth so far.
    pub(super) standing: Standing,
    /// What it answers about a piece that we have.
    pub(super) probe: Probe,
    /// It gave blocks of a piece that failed in which everybody else was trusted: nothing is asked of it until they are
    /// known.
    pub(super) accused: bool,
    /// Trusted peers gave, but did not complete its piece: it may give the rest.
    pub(super) alone: bool,
    /// Pieces that it suggested, oldest first.
    pub(super) suggested: VecDeque<u32>,
    /// Blocks that it gave since it was last proved, and that are not verified.
    pub(super) unproven: u32,
    /// The piece that it was asked of last, and when.
    pub(super) last: (u32, Instant),
}

impl Default for Asker {
    fn default() -> Self {
        Self {
            outstanding: VecDeque::new(),
            late: VecDeque::new(),
            own: None,
            suggested: VecDeque::new(),
            standing: Standing::Stranger,
            probe: Probe::Due,
            accused: false,
            alone: false,
            unproven: 0,
            last: (u32::MAX, Instant::ZERO),
        }
    }
}

impl Asker {
    /// Strikes a request that was answered; whether there was one.
    pub(super) fn strike(&mut self, request: (u32, u32)) -> bool {
        take_out(&mut self.outstanding, request) || take_out(&mut self.late, request)
    }

    pub(super) fn remember(&mut self, request: (u32, u32)) {
        if self.late.len() >= LATE {
            self.late.pop_front();
        }
        self.late.push_back(request);
    }
}

pub(super) fn take_out(queue: &mut VecDeque<(u32, u32)>, request: (u32, u32)) -> bool {
    // Answers come in the order of the requests, so the first one is nearly always it.
    let Some(at) = queue.iter().position(|&asked| asked == request) else { return false };
    queue.remove(at);
    true
}
