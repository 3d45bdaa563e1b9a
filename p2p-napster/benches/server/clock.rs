//! The CPU time of this thread, and the memory of this process.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time that this thread has used.
pub(crate) fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the clock of a thread").into()
}

/// Resident bytes of this process.
pub(crate) fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("two numbers");
    pages * 4096
}
