//! `sim chord scale` and `sim chord hour`: what the simulator carries.

use super::Chord;
use p2p_core::Duration;
use p2p_examples::cost::Cost;
use p2p_examples::rings::{Churn, Going, Profile, Scale, scale};
use p2p_examples::{Line, Output, Table};
use p2p_sim::churn::Session;

/// Memory at most, of any ring.
const MEMORY: u64 = 4 << 30;
/// Messages a CPU second at least, of a ring of up to 100,000 nodes on a machine that has nothing else to do, and with
/// link-time optimisation, as releases are built: 0.5 to 0.58 million were measured so, and 0.35 to 0.45 where eight others
/// were at work on two processors.
const RATE: f64 = 0.5e6;
/// The same, of larger rings: more of them is out of reach of the caches.
const LARGE_RATE: f64 = 0.25e6;
/// CPU seconds of the hour at most.
const HOUR: f64 = 300.0;

fn profile() -> Profile {
    Profile { parallel: 1, nearest_of: 16, upkeep: Duration::from_secs(10), ..Profile::plain(8) }
}

/// Runs rings; whether all that is promised was kept.
pub(super) fn run(asked: &Chord, out: &mut Output) -> bool {
    let head = [
        "nodes",
        "profile",
        "virtual s",
        "lookups",
        "failed",
        "messages",
        "CPU s",
        "M messages/CPU s",
        "built CPU s",
        "peak MiB",
        "digest",
    ];
    let mut table = (2..head.len() - 1).fold(Table::new(head), Table::right);
    let mut kept = true;
    for seed in asked.seeds() {
        let every = Duration::from_secs(10);
        let run = scale(seed, asked.nodes, Duration::from_secs(asked.seconds), every, &profile());
        let Scale { nodes, messages, lookups: (lookups, failed), cpu, built, peak, digest, .. } = run;
        let rate = messages as f64 / cpu.max(1e-9);
        let least = if nodes <= 100_000 { RATE } else { LARGE_RATE };
        kept &= failed == 0 && peak <= MEMORY && rate >= least;
        table = table.row([
            nodes.to_string(),
            profile().to_string(),
            asked.seconds.to_string(),
            lookups.to_string(),
            failed.to_string(),
            messages.to_string(),
            format!("{cpu:.1}"),
            format!("{:.3}", rate / 1e6),
            format!("{built:.1}"),
            (peak >> 20).to_string(),
            format!("{digest:016x}"),
        ]);
        out.event(
            Line::new("scale")
                .number("seed", seed)
                .number("nodes", nodes as i128)
                .number("messages", messages)
                .number("inputs", run.inputs)
                .number("cpu_ms", (cpu * 1e3) as i128)
                .number("peak_mib", peak >> 20)
                .text("digest", format_args!("{digest:016x}")),
        );
    }
    out.say(&table);
    kept
}

/// An hour of 10,000 nodes that stay for an hour on average and crash; whether it was simulated in time.
pub(super) fn hour(asked: &Chord, out: &mut Output) -> bool {
    let mut table =
        Table::new(["seed", "nodes", "joined", "lookups", "wrong", "failed", "messages", "CPU s", "digest"]);
    let mut kept = true;
    for seed in asked.seeds() {
        let before = Cost::so_far().unwrap_or_default();
        let session = Session::Exponential { mean: Duration::from_secs(3_600) };
        let churn = Churn {
            nodes: 10_000,
            going: Going::Crash(session),
            profile: Profile { parallel: 3, ..profile() },
            // One a second, for an hour.
            lookups: 3_600,
            rate: 1.0,
            warm_up: Duration::ZERO,
        };
        let run = churn.run(seed);
        let cpu = Cost::so_far().unwrap_or_default().cpu - before.cpu;
        kept &= cpu <= HOUR && run.missed() <= 1;
        let row =
            [seed as usize, churn.nodes, run.joined.0, run.lookups, run.missed() - run.failed, run.failed]
                .map(|n| n.to_string());
        let rest = [run.messages.to_string(), format!("{cpu:.1}"), format!("{:016x}", run.digest)];
        table = table.row(row.into_iter().chain(rest));
        out.event(
            Line::new("hour")
                .number("seed", seed)
                .number("messages", run.messages)
                .number("wrong", (run.missed() - run.failed) as i128)
                .number("failed", run.failed as i128)
                .number("cpu_ms", (cpu * 1e3) as i128)
                .text("digest", format_args!("{:016x}", run.digest)),
        );
    }
    out.say(&table);
    kept
}
