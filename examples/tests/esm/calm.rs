//! Whether what is measured in real time says anything ([`Calm`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whether the machine has time for what runs in real time: a thread that sleeps is woken when it wanted to be, and the
/// processors have no queue.
pub(crate) struct Calm {
    /// Milliseconds by which it was woken too late at most.
    late: Arc<AtomicU64>,
}

impl Calm {
    pub(crate) fn watch() -> Self {
        let late = Arc::new(AtomicU64::new(0));
        let watched = Arc::downgrade(&late);
        std::thread::spawn(move || {
            let nap = Duration::from_millis(20);
            while let Some(late) = watched.upgrade() {
                let slept = Instant::now();
                std::thread::sleep(nap);
                late.fetch_max((slept.elapsed() - nap).as_millis() as u64, Ordering::Relaxed);
            }
        });
        Self { late }
    }

    pub(crate) fn was(&self) -> bool {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: f64 = load.split(' ').next().and_then(|minute| minute.parse().ok()).unwrap_or(0.0);
        let (late, processors) = (self.late.load(Ordering::Relaxed), std::thread::available_parallelism());
        println!("a load of {load}, and a sleep that was {late} ms too long");
        late < 200 && processors.is_ok_and(|processors| load <= 2.0 * processors.get() as f64)
    }
}
