//! What is measured: [`Figures`].

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::time::{Duration, Instant};

/// What puts and gets cost.
pub struct Figures {
    pub put: Cost,
    pub get: Cost,
}

/// For each operation.
pub struct Cost {
    pub messages: f64,
    /// Milliseconds.
    pub cpu: f64,
    pub count: usize,
    pub failed: usize,
}

/// CPU time of this process so far.
pub fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("every Unix tells");
    let of = |time: TimeVal| Duration::from_micros(time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64);
    of(usage.user_time()) + of(usage.system_time())
}

/// Datagrams that the system sent so far, whoever wanted them sent.
pub fn datagrams() -> u64 {
    let table = std::fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    let mut lines = table.lines().filter(|line| line.starts_with("Udp:")).map(|line| line.split_whitespace());
    let (Some(mut names), Some(mut values)) = (lines.next(), lines.next()) else { return 0 };
    let at = names.position(|name| name == "OutDatagrams").unwrap_or(0);
    values.nth(at).and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Measures one kind of operation.
pub struct Watch {
    cpu: Duration,
    datagrams: u64,
    began: Instant,
    /// Seconds of CPU that pass in a second when nothing is asked.
    idle: f64,
}

impl Watch {
    pub fn new(idle: f64) -> Self {
        Self { cpu: cpu(), datagrams: datagrams(), began: Instant::now(), idle }
    }

    /// What each of these cost. Without a count of their messages the datagrams of the system count.
    pub fn stop(&self, count: usize, failed: usize, messages: Option<u64>) -> Cost {
        let used = (cpu() - self.cpu).as_secs_f64() - self.idle * self.began.elapsed().as_secs_f64();
        let messages = messages.unwrap_or_else(|| datagrams() - self.datagrams);
        Cost { messages: messages as f64 / count as f64, cpu: used * 1e3 / count as f64, count, failed }
    }
}

/// Seconds of CPU that pass in a second of doing nothing.
pub fn idle(wait: impl FnOnce(Duration)) -> f64 {
    let (before, began) = (cpu(), Instant::now());
    wait(Duration::from_secs(3));
    (cpu() - before).as_secs_f64() / began.elapsed().as_secs_f64()
}
