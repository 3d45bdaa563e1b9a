//! `sim esm scarce`: ways out that differ, and are too few.

use super::{Esm, Promises, everywhere, slow};
use p2p_core::Duration;
use p2p_esm::Shape;
use p2p_examples::groups::{Access, Delays, GNUTELLA, Setting, scarce};
use p2p_examples::{Line, Table};
use p2p_sim::churn::Session;

/// Birrer and Bustamante 2007, table IX: delivered, and seconds to the output.
const PAPERS: &str = "NICE-PRM .95 at .51, two NICE trees .94 at .94, Nemo .93 at .92, NICE .68 at 2.25";

/// Ways out for seven tenths of the stream: a third gives all, a third half as much, a third a quarter (and a little).
const POOR: [Access; 3] = [
    Access { name: "gives 1.2", share: 34, up: 240_000, down: 2_000_000 },
    Access { name: "gives 0.6", share: 33, up: 120_000, down: 2_000_000 },
    Access { name: "gives 0.3", share: 33, up: 60_000, down: 2_000_000 },
];

impl Esm {
    pub(super) fn scarce(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let hosts = self.members.unwrap_or(512);
        promises.out.say(format_args!("the papers: {PAPERS}"));
        let Ok(four) = Shape::new(4, 4, 0) else { return };
        let cases = [
            // What waits for its signature is late by that: three packets a signature.
            (
                "Gnutella",
                &GNUTELLA[..],
                Setting { flush: Duration::from_millis(300), ..slow(Shape::SINGLE) },
                true,
            ),
            ("0.7 of the stream", &POOR[..], Setting { packet: 250, packets: 80, ..slow(four) }, false),
        ];
        let mut table = Table::new([
            "seed",
            "hosts",
            "case",
            "index",
            "class",
            "gives",
            "members",
            "delivered",
            "delay ms",
            "first p95 s",
            "control B/s",
            "digest",
        ]);
        let up = Session::Exponential { mean: Duration::from_secs(1_800) };
        let mut kept = Vec::new();
        for seed in self.seeds() {
            for (name, classes, setting, is_enough) in cases {
                // Two seconds are enough where nothing is lost twice.
                let hosts = if is_enough { hosts } else { hosts / 4 };
                let run = scarce(seed, hosts, everywhere(delays), setting, classes, (up, self.span(300)));
                let mut row = |class: &str, degree: String, members: String, delivered: f64| {
                    table = std::mem::take(&mut table).row([
                        seed.to_string(),
                        hosts.to_string(),
                        name.to_owned(),
                        format!("{:.2}", run.index),
                        class.to_owned(),
                        degree,
                        members,
                        format!("{delivered:.4}"),
                        format!("{:.0}", run.delay),
                        format!("{:.2}", run.first.at(0.95)),
                        format!("{:.0}", run.control),
                        format!("{:016x}", run.digest),
                    ]);
                };
                for class in &run.classes {
                    let degree = format!("{:.2}", class.degree);
                    row(class.name, degree, class.members.to_string(), class.delivered);
                }
                row("all", "-".to_owned(), "-".to_owned(), run.delivered);
                promises.out.event(
                    Line::new("scarce")
                        .number("seed", seed)
                        .text("case", name)
                        .number("delivered_ppm", (run.delivered * 1e6) as i128)
                        .number("delay_ms", run.delay as i128)
                        .text("digest", format_args!("{:016x}", run.digest)),
                );
                kept.push((seed, is_enough, run));
            }
        }
        promises.out.say(&table);
        for (seed, is_enough, run) in kept {
            let what = |figure| format!("seed {seed}, {figure}");
            if is_enough {
                promises.at_least(&what("Gnutella, delivered"), run.delivered, 0.97);
                promises.at_most(&what("Gnutella, ms to the output"), run.delay, 500.0);
            } else if let [most, half, _] = &run.classes[..] {
                promises.at_least(
                    &what("who gives twice gets more, times"),
                    most.delivered / half.delivered,
                    1.5,
                );
            }
        }
    }
}
