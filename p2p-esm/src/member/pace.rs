//! When a member looks after its places again: as seldom as will do, for there are many members in a simulation, and on
//! time, for whoever waits for a parent misses the stream.

use super::{Context, Esm, State};
use crate::api::Timer;
use p2p_core::{Duration, Instant};

/// It looks no more often.
const SOONEST: Duration = Duration::from_millis(20);
/// And no less often.
const LATEST: Duration = Duration::from_secs(1);
/// Who leaves looks this often whether it may.
const LEAVES: Duration = Duration::from_millis(100);

impl Esm {
    /// Sets the timer for what is due next; one that fires too soon is left as it is.
    pub(super) fn pace(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let due = self.due(now);
        if let Some(live) = self.live()
            && (live.tick_at <= now || due < live.tick_at)
        {
            live.tick_at = due;
            cx.set_timer_at(Timer::Tick, due);
        }
    }

    fn due(&self, now: Instant) -> Instant {
        let State::Live(live) = &self.state else { return now };
        let mut due = (now + LATEST).min(live.next_probe).min(live.next_place);
        due = due.min(live.mesh_at().unwrap_or(due));
        if live.leaving.is_some() {
            due = due.min(now + LEAVES);
        }
        let has_parents = live.source.is_none() && live.leaving.is_none();
        if has_parents {
            due = due.min(live.next_better);
        }
        for (tree, at) in (0_u8..).zip(&live.trees) {
            let seeks = has_parents && at.is_unsettled() && self.wants_parent(tree, now);
            let seek = seeks.then(|| match &at.seek {
                None => now,
                Some(seek) if seek.asked.is_empty() => seek.next,
                // The answers will tell.
                Some(_) => now + LATEST,
            });
            due = [at.doubt_at(self.lan.is_some()), at.tidy_at(), seek]
                .into_iter()
                .flatten()
                .fold(due, Instant::min);
        }
        due.max(now + SOONEST)
    }
}
