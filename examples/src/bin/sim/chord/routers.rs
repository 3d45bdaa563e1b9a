//! `sim chord routers`: liars on the way, beside what others have promised.

use super::Chord;
use p2p_examples::rings::{Hostile, Lie, Profile, routers};
use p2p_examples::{Line, Output, Table};

/// Replicas of a signed record that are to be heard, so that hardly ever all of them are liars.
const QUORUM: u8 = 10;

impl Chord {
    pub(super) fn routers(&self, out: &mut Output) -> bool {
        let mut table = Table::new([
            "liars",
            "they",
            "profile",
            "ways",
            "of",
            "gets",
            "failed",
            "old",
            "Castro 2002",
            "messages",
            "p99",
            "seconds",
            "nothing there",
            "messages",
        ]);
        let mut kept = true;
        let runs = [
            (0.0, Lie::Any, 4, 1, 0),
            (0.0, Lie::Any, 4, 24, 0),
            (0.25, Lie::Any, 4, 1, 0),
            (0.25, Lie::Any, 4, 24, 0),
            (0.25, Lie::Lead, 4, 24, 0),
            (0.25, Lie::Claim, 4, 24, 0),
            (0.25, Lie::Silence, 4, 24, 0),
            (0.25, Lie::Absent, 4, 24, 0),
            (0.25, Lie::Forge, 4, 24, 0),
            (0.25, Lie::Lead, 1, 24, 0),
            (0.0, Lie::Any, 4, 1, 1),
            (0.25, Lie::Forge, 4, 1, 1),
            (0.25, Lie::Forge, 4, 24, QUORUM),
            (0.25, Lie::Any, 4, 24, QUORUM),
        ];
        for (share, lie, base_bits, ways, quorum) in runs {
            let profile = Profile { base_bits, parallel: 3, ..Profile::plain(8) };
            let gets = self.lookups;
            let hostile = Hostile { nodes: 10_000, share, lie, ways, quorum, gets, profile };
            let run = routers(self.seed, &hostile);
            let failed = run.failed.len();
            kept &= ways == 1 || (failed + run.old) * 1_000 <= gets;
            let of = match quorum {
                0 => String::from("values"),
                _ => format!("signed, {quorum} heard"),
            };
            table = table.row([
                format!("{:.0} %", share * 100.0),
                format!("{lie:?}").to_lowercase(),
                profile.to_string(),
                ways.to_string(),
                of,
                gets.to_string(),
                format!("{failed} ({:.3} %)", failed as f64 * 100.0 / gets as f64),
                run.old.to_string(),
                String::from("< 0.1 % of 30 %"),
                format!("{:.1}", run.messages.mean()),
                format!("{:.0}", run.messages.at(0.99)),
                format!("{:.2}", run.seconds.mean()),
                format!("{} of {}", run.absent, run.absent_of),
                format!("{:.1}", run.absent_messages.mean()),
            ]);
            out.event(
                Line::new("routers")
                    .number("ways", i128::from(ways))
                    .number("gets", gets as i128)
                    .number("failed", failed as i128)
                    .number("old", run.old as i128)
                    .number("messages_milli", (run.messages.mean() * 1e3) as i128)
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
        }
        out.say(&table);
        kept
    }
}
