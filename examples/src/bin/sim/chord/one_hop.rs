//! `sim chord one-hop`: rings of which everybody knows everybody, while nodes come and go.

use super::Chord;
use p2p_core::Duration;
use p2p_examples::rings::{Profile, one_hop};
use p2p_examples::{Line, Output, Table};

/// How long a node stays, on average.
const SESSION: Duration = Duration::from_secs(3_600);
/// How long nodes come and go.
const SPAN: Duration = Duration::from_secs(1_800);

impl Chord {
    /// Runs; whether all that is promised was kept.
    pub(super) fn one_hop(&self, out: &mut Output) -> bool {
        let mut table = Table::new([
            "nodes",
            "profile",
            "lookups",
            "hops",
            "one at most",
            "wrong",
            "known",
            "B/s a node",
            "max/mean",
            "came",
        ]);
        let mut kept = true;
        for power in (8..=self.largest.min(12)).step_by(2) {
            let upkeep = Duration::from_secs(10);
            let profile =
                Profile { everybody: 1 << 14, upkeep, fingers: upkeep, nearest_of: 2, ..Profile::plain(8) };
            let run = one_hop(self.seed, 1 << power, SESSION, SPAN, self.lookups, &profile);
            let (hops, bytes) = (run.hops.mean(), run.bytes.mean());
            let at_most_one = (1..=100).rev().find(|share| run.hops.at(f64::from(*share) / 100.0) <= 1.0);
            let at_most_one = at_most_one.unwrap_or(0);
            kept &= run.wrong * 1_000 <= run.lookups && hops <= 1.05 && run.bytes.at(1.0) <= 2.0 * bytes;
            table = table.row([
                format!("2^{power}"),
                profile.to_string(),
                run.lookups.to_string(),
                format!("{hops:.3}"),
                format!("{at_most_one} %"),
                run.wrong.to_string(),
                format!("{:.3} ({:.3}, {:.3})", run.known.at(0.5), run.known.at(0.0), run.known.at(1.0)),
                format!("{bytes:.0}"),
                format!("{:.2}", run.bytes.at(1.0) / bytes),
                run.changes.to_string(),
            ]);
            let milli = |figure: f64| (figure * 1e3) as i128;
            out.event(
                Line::new("one-hop")
                    .number("nodes", 1_i128 << power)
                    .number("hops_milli", milli(hops))
                    .number("wrong", run.wrong as i128)
                    .number("bytes_milli", milli(bytes))
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
        }
        out.say(&table);
        kept
    }
}
