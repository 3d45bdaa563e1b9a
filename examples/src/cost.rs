//! What this process cost so far: [`Cost`], and its CPU time alone, [`cpu`].

use std::time::Duration;

/// What a process cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// CPU seconds of all its threads, in user mode and in the kernel.
    pub cpu: f64,
    /// The most memory that it held, in bytes.
    pub peak: u64,
}

impl Cost {
    /// Up to now. Linux only: `None` elsewhere.
    #[must_use]
    pub fn so_far() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = peak.trim().trim_end_matches("kB").trim().parse().ok()?;
        // A tick of this interface is a hundredth of a second on every Linux.
        Some(Self { cpu: (ticks(11)? + ticks(12)?) / 100.0, peak: kib * 1024 })
    }
}

/// CPU time of this process so far, of all threads, in user mode and in the kernel.
#[cfg(unix)]
#[must_use]
pub fn cpu() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64)
    };
    // Every Unix tells.
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or(Duration::ZERO, |usage| of(usage.user_time()) + of(usage.system_time()))
}

/// The time that passes, where the system does not tell what is used.
#[cfg(not(unix))]
#[allow(clippy::disallowed_methods, reason = "a stopwatch")]
#[must_use]
pub fn cpu() -> Duration {
    static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(std::time::Instant::now).elapsed()
}
