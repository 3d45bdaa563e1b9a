//! `sim chord churn`: lookups that name the wrong node while nodes come and go.

use super::Chord;
use p2p_core::Duration;
use p2p_examples::rings::{Churn, Going, Profile};
use p2p_examples::{Line, Output, Table};
use p2p_sim::churn::Session;

/// One row: what happens, and what has to be reached.
struct Case {
    name: &'static str,
    going: Going,
    /// What others reached.
    anchor: &'static str,
    profile: Profile,
    /// Lookups a second.
    rate: f64,
    /// Wrong lookups of 10,000 at most: of each seed those that were wrong when the last word was given, and of all seeds
    /// together also those that were overtaken while it was on its way. With a mean of 10 minutes 0.8 of 10,000 are
    /// overtaken whatever a node does, so by chance alone one change of the protocol in five makes three seeds have more
    /// than three: then look at more seeds.
    most_wrong: f64,
    /// Messages a second of each node at most.
    most_messages: f64,
    /// Bytes a second of each node at most.
    most_bytes: f64,
}

fn cases() -> [Case; 5] {
    let secs = Duration::from_secs;
    // What a node does by default, with the paper's longer lists in the paper's row.
    let profile = |successors: usize| Profile {
        parallel: 3,
        nearest_of: 16,
        upkeep: secs(10),
        ..Profile::plain(successors)
    };
    let crash = |name, session, anchor, most_wrong, most_bytes| Case {
        name,
        going: Going::Crash(session),
        anchor,
        profile: profile(8),
        rate: 10.0,
        most_wrong,
        most_messages: 5.0,
        most_bytes,
    };
    let exponential = |mean| Session::Exponential { mean: secs(mean) };
    // Of the same mean, and of the same median (0.48 of the scale).
    let weibull = |scale| Session::Weibull { shape: 0.5, scale: secs(scale) };
    [
        Case {
            name: "0.40 join and leave a second",
            going: Going::Leave(0.4),
            anchor: "15 wrong",
            profile: profile(20),
            rate: 1.0,
            most_wrong: 1.0,
            most_messages: 1.0,
            most_bytes: f64::INFINITY,
        },
        crash("crash, mean 10 min", exponential(600), "3.5 at 4.6 msg/s", 1.0, f64::INFINITY),
        crash("crash, mean 10 min, Weibull", weibull(300), "-", 1.0, f64::INFINITY),
        crash("crash, median 1.4 min", exponential(120), "29 at 9.4 msg/s", 10.0, 900.0),
        crash("crash, median 1.4 min, Weibull", weibull(175), "-", 10.0, 900.0),
    ]
}

/// Runs; whether all that is promised was kept.
pub(super) fn run(asked: &Chord, out: &mut Output) -> bool {
    let head = [
        "seed",
        "nodes come and go",
        "profile",
        "wrong",
        "gone",
        "preceded",
        "failed",
        "at the answer",
        "<=",
        "others of 10^4",
        "hops",
        "time-outs",
        "s",
        "msg/s",
        "B/s",
        "digest",
    ];
    let mut table = (3..head.len() - 1).fold(Table::new(head), Table::right);
    let mut kept = true;
    let seeds = asked.seeds().count() as f64;
    for case in cases() {
        // Of 10,000, as all seeds have it.
        let mut bad = 0.0;
        for seed in asked.seeds() {
            let Case { going, profile, rate, .. } = case;
            let warm_up = Duration::from_secs(300);
            let churn = Churn { nodes: 1_000, going, profile, lookups: asked.lookups, rate, warm_up };
            let run = churn.run(seed);
            let found = (run.lookups - run.failed).max(1) as f64;
            bad += run.of_10_000(run.missed()) / seeds;
            kept &= run.of_10_000(run.wrong + run.failed) <= case.most_wrong;
            kept &= run.messages_rate() <= case.most_messages && run.bytes_rate() <= case.most_bytes;
            table = table.row([
                seed.to_string(),
                case.name.to_owned(),
                profile.to_string(),
                run.wrong.to_string(),
                run.gone.to_string(),
                run.preceded.to_string(),
                run.failed.to_string(),
                run.missed().to_string(),
                case.most_wrong.to_string(),
                case.anchor.to_owned(),
                format!("{:.2}", run.hops as f64 / found),
                format!("{:.2}", run.timeouts as f64 / found),
                format!("{:.2}", run.seconds / found),
                format!("{:.2}", run.messages_rate()),
                format!("{:.0}", run.bytes_rate()),
                format!("{:016x}", run.digest),
            ]);
            for fault in &run.faults {
                out.note(format_args!("seed {seed}, {}: {fault}", case.name));
            }
            let milli = |figure: f64| (figure * 1e3) as i128;
            out.event(
                Line::new("churn")
                    .number("seed", seed)
                    .text("case", case.name)
                    .number("lookups", run.lookups as i128)
                    .number("wrong", run.wrong as i128)
                    .number("gone", run.gone as i128)
                    .number("preceded", run.preceded as i128)
                    .number("failed", run.failed as i128)
                    .number("messages_milli", milli(run.messages_rate()))
                    .number("bytes_milli", milli(run.bytes_rate()))
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
        }
        kept &= bad <= case.most_wrong;
    }
    out.say(&table);
    kept
}
