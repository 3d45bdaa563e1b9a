//! `sim gnutella churn` and `sim gnutella hour`: servents come and go, half of the network is cut off for a while, and what an
//! hour of a large one costs to simulate.

use super::Gnutella;
use p2p_core::Duration;
use p2p_examples::cost::Cost;
use p2p_examples::servents::{Churn, Course, Searched, gnutella_sessions};
use p2p_examples::{Line, Output, Table};

/// CPU seconds that an hour of 100,000 servents may take. It is told and not checked: it depends on the computer.
const HOUR: f64 = 600.0;
/// Servents of that hour.
const SERVENTS: usize = 100_000;
/// The share of searches that has to find one of the 70 who have a file, as long as the network hangs together.
const FOUND: f64 = 0.95;
/// The share of leaves that has to be linked at any time.
const LINKED: f64 = 0.95;

fn share(searched: Searched) -> f64 {
    searched.found as f64 / searched.searches.max(1) as f64
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Servents with sessions of a median of an hour, half of which cannot hear the others for ten minutes of thirty; whether what
/// is there is found, and all hangs together in the end.
pub(super) fn churn(asked: &Gnutella, out: &mut Output) -> bool {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let churn = Churn {
        nodes: asked.nodes,
        session: gnutella_sessions(),
        span: minutes(30),
        free_riders: 0.3,
        searches: 1.0,
        partition: Some((minutes(10), minutes(10))),
    };
    run(&churn, asked, out, |course| {
        share(course.searched[0]) >= FOUND
            && share(course.searched[2]) >= FOUND
            && course.linked >= LINKED
            && course.together >= 0.999
    })
}

/// An hour of a large network; whether what is there is found, and all hangs together in the end.
pub(super) fn hour(asked: &Gnutella, out: &mut Output) -> bool {
    let churn = Churn {
        nodes: asked.nodes,
        session: gnutella_sessions(),
        span: Duration::from_secs(3_600),
        free_riders: 0.3,
        searches: 1.0,
        partition: None,
    };
    if asked.nodes == SERVENTS {
        out.say(format_args!("{HOUR:.0} CPU seconds are its goal"));
    }
    run(&churn, asked, out, |course| {
        share(course.searched[0]) >= FOUND && course.linked >= LINKED && course.together >= 0.999
    })
}

fn run(churn: &Churn, asked: &Gnutella, out: &mut Output, is_good: impl Fn(&Course) -> bool) -> bool {
    let head = [
        "seed", "servents", "went", "linked", "together", "searches", "found", "cut off", "after",
        "messages", "queries", "CPU s", "MiB", "digest",
    ];
    let mut table = (1..head.len() - 1).fold(Table::new(head), Table::right);
    let mut kept = true;
    for seed in asked.seeds() {
        let before = Cost::so_far().unwrap_or_default();
        let course = churn.run(seed);
        let after = Cost::so_far().unwrap_or_default();
        let cpu = after.cpu - before.cpu;
        kept &= is_good(&course);
        let searches: u64 = course.searched.iter().map(|searched| searched.searches).sum();
        table = table.row([
            seed.to_string(),
            churn.nodes.to_string(),
            course.departures.to_string(),
            percent(course.linked),
            percent(course.together),
            searches.to_string(),
            percent(share(course.searched[0])),
            percent(share(course.searched[1])),
            percent(share(course.searched[2])),
            course.messages.to_string(),
            course.queries.to_string(),
            format!("{cpu:.1}"),
            (after.peak >> 20).to_string(),
            format!("{:016x}", course.digest),
        ]);
        out.event(
            Line::new("churn")
                .number("seed", seed)
                .number("servents", churn.nodes as i128)
                .number("went", course.departures)
                .number("linked_milli", (course.linked * 1e3) as i128)
                .number("together_milli", (course.together * 1e3) as i128)
                .number("searches", searches)
                .number("found_milli", (share(course.searched[0]) * 1e3) as i128)
                .number("messages", course.messages)
                .number("queries", course.queries)
                .number("cpu_ms", (cpu * 1e3) as i128)
                .number("peak_mib", after.peak >> 20)
                .text("digest", format_args!("{:016x}", course.digest)),
        );
    }
    out.say(&table);
    kept
}
