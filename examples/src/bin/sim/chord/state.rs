//! `sim chord state`: what a node holds in memory.

use super::Chord;
use p2p_core::Duration;
use p2p_examples::rings::{Profile, state};
use p2p_examples::{Line, Output, Table};

/// Runs; whether all that is promised was kept.
pub(super) fn run(asked: &Chord, out: &mut Output) -> bool {
    let head = ["nodes", "profile", "mean bytes", "p99", "max", "in place", "at most", "others"];
    let mut table = (2..head.len()).fold(Table::new(head), Table::right);
    let mut kept = true;
    let kept_up =
        |profile| Profile { parallel: 3, nearest_of: 16, upkeep: Duration::from_secs(10), ..profile };
    // Nothing is promised of base 16 but that it says what it takes.
    let rows = [
        (256, 120, Profile::plain(8), 8 << 10, "OpenDHT 75 KiB, kad 2.5 MiB"),
        (100_000, 15, Profile::plain(8), 2 << 10, "-"),
        (100_000, 15, Profile::base16(), 12 << 10, "-"),
    ];
    for (nodes, seconds, profile, most, others) in rows {
        let profile = kept_up(profile);
        let bytes = state(asked.seed, nodes, Duration::from_secs(seconds), &profile);
        kept &= bytes.mean() <= f64::from(most);
        let figures = [bytes.mean(), bytes.at(0.99), bytes.at(1.0)];
        let mut row = vec![nodes.to_string(), profile.to_string()];
        row.extend(figures.map(|figure| format!("{figure:.0}")));
        row.extend([size_of::<p2p_chord::Chord>().to_string(), most.to_string(), others.to_owned()]);
        table = table.row(row);
        out.event(
            Line::new("state")
                .number("nodes", nodes as i128)
                .number("mean", figures[0] as i128)
                .number("p99", figures[1] as i128)
                .number("max", figures[2] as i128),
        );
    }
    out.say(&table);
    kept
}
