//! `sim chord stretch`: how long lookups take, beside a question straight to whoever is responsible.

use super::Chord;
use p2p_core::Duration;
use p2p_examples::rings::{Delays, Profile, Space, Stretch, stretch};
use p2p_examples::{Line, Output, Table};
use p2p_sim::TransitStub;

/// In which a node meets one of those that it knows. Where questions are passed on it has to have met them; it does so
/// before anything is measured, and nobody else is looked after meanwhile.
const MEETS: Duration = Duration::from_secs(10);
/// Fingers that a node has at most, or successors: among 2^16 with base 16, some forty.
const KNOWN: u32 = 50;
/// The same, where each slot is cut into four.
const KNOWN_OF_PARTS: u32 = 170;

/// A row of the report.
struct Row {
    profile: Profile,
    /// What Stoica et al. 2003 have of it, or else our simulation of what they describe.
    theirs: &'static str,
    /// What the median must not be above.
    most: Option<f64>,
}

/// The profiles, the plainest first; not `all`: those of which something is promised.
fn rows(all: bool) -> Vec<Row> {
    let near = |base_bits, successors, nearest_of| Profile {
        base_bits,
        nearest_of,
        parallel: 3,
        ..Profile::plain(successors)
    };
    let pair =
        |profile: Profile, theirs: [&'static str; 2], most: [Option<f64>; 2]| {
            let recursive = Profile { recursive: true, fingers: MEETS, ..profile };
            [(profile, theirs[0], most[0]), (recursive, theirs[1], most[1])]
                .map(|(profile, theirs, most)| Row { profile, theirs, most })
        };
    let mut rows = Vec::new();
    if all {
        rows.extend(pair(Profile::plain(1), ["7.8 (4.4, 19.8)", "4.5 (2.5, 11.5)"], [None; 2]));
        rows.extend(pair(near(1, 16, 16), ["3.4 (1.9, 8.4)", "1.7 (1.2, 3.5)"], [None; 2]));
    }
    let theirs = ["3.4 (1.9, 8.4)", "1.7 (1.2, 3.5)"];
    rows.extend(pair(near(4, 32, 64), theirs, [Some(2.1), Some(1.4)]));
    let short = Profile { nearest_of: 64, parallel: 3, ..Profile::base16() };
    rows.extend(pair(short, theirs, [Some(2.1), Some(1.4)]));
    rows
}

impl Chord {
    /// Runs; whether all that is promised was kept.
    pub(super) fn stretch(&self, out: &mut Output) -> bool {
        let mut table = Table::new([
            "network",
            "nodes",
            "profile",
            "stretch",
            "ToN 2003",
            "hops",
            "messages",
            "ms",
            "time-outs",
            "wrong",
        ]);
        let mut kept = true;
        for row in rows(!self.check) {
            kept &= self.stretched::<Space>(&row, &mut table, out);
        }
        for mut row in rows(false) {
            (row.most, row.theirs) = (None, if row.profile.recursive { "1.5 (1.3, 4.0)" } else { "2.2" });
            kept &= self.stretched::<TransitStub>(&row, &mut table, out);
        }
        out.say(&table);
        kept
    }

    fn stretched<L: Delays>(&self, row: &Row, table: &mut Table, out: &mut Output) -> bool {
        let known = if row.profile.part_bits > 0 { KNOWN_OF_PARTS } else { KNOWN };
        let warm = if row.profile.recursive { MEETS * known } else { Duration::ZERO };
        let run: Stretch = stretch::<L>(self.seed, 1 << self.largest, self.lookups, &row.profile, warm);
        let spread = |of: &p2p_examples::rings::Spread| [0.5, 0.1, 0.9].map(|share| of.at(share));
        let [median, low, high] = spread(&run.stretch);
        let [millis, ..] = spread(&run.millis);
        *table = std::mem::replace(table, Table::new([""; 0])).row([
            L::NAME.to_owned(),
            format!("2^{}", self.largest),
            row.profile.to_string(),
            format!("{median:.2} ({low:.2}, {high:.2})"),
            row.theirs.to_owned(),
            format!("{:.2}", run.hops.mean()),
            format!("{:.1}", run.messages.mean()),
            format!("{millis:.0}"),
            run.timeouts.to_string(),
            run.wrong.to_string(),
        ]);
        let milli = |figure: f64| (figure * 1e3) as i128;
        out.event(
            Line::new("stretch")
                .text("network", L::NAME)
                .text("profile", row.profile)
                .number("nodes", 1_i128 << self.largest)
                .number("median_milli", milli(median))
                .number("p10_milli", milli(low))
                .number("p90_milli", milli(high))
                .number("hops_milli", milli(run.hops.mean()))
                .number("wrong", run.wrong as i128)
                .text("digest", format_args!("{:016x}", run.digest)),
        );
        run.wrong == 0 && row.most.is_none_or(|most| median <= most)
    }
}
