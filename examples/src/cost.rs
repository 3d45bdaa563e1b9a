//! What this process cost so far: [`Cost`], from `/proc`.

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
