//! What is measured: [`Figures`].

use p2p_examples::cost::cpu;
use std::time::{Duration, Instant};

/// What puts and gets cost.
pub struct Figures {
    pub put: Cost,
    pub get: Cost,
}

/// For each operation.
pub struct Cost {
    pub messages: f64,
    /// Datagrams that passed meanwhile, those that the nodes would have sent anyhow included.
    pub passed: f64,
    /// Milliseconds.
    pub cpu: f64,
    pub count: usize,
    pub failed: usize,
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
    idle: Idle,
}

/// What passes in a second in which nothing is asked.
#[derive(Clone, Copy, Default)]
pub struct Idle {
    /// Seconds of CPU.
    pub cpu: f64,
    /// Datagrams: nodes look after each other.
    pub datagrams: f64,
}

impl Watch {
    pub fn new(idle: Idle) -> Self {
        Self { cpu: cpu(), datagrams: datagrams(), began: Instant::now(), idle }
    }

    /// What passed in each second since, in which nothing was asked.
    pub fn idle(&self) -> Idle {
        let seconds = self.began.elapsed().as_secs_f64();
        let datagrams = (datagrams() - self.datagrams) as f64 / seconds;
        Idle { cpu: (cpu() - self.cpu).as_secs_f64() / seconds, datagrams }
    }

    /// What each of these cost. Without a count of their messages the datagrams of the system count, but for as many as
    /// pass when nothing is asked.
    pub fn stop(&self, count: usize, failed: usize, messages: Option<u64>) -> Cost {
        let seconds = self.began.elapsed().as_secs_f64();
        let used = (cpu() - self.cpu).as_secs_f64() - self.idle.cpu * seconds;
        let (all, each) = ((datagrams() - self.datagrams) as f64, count as f64);
        let messages = messages.map_or(all - self.idle.datagrams * seconds, |messages| messages as f64);
        Cost { messages: messages / each, passed: all / each, cpu: used * 1e3 / each, count, failed }
    }
}
