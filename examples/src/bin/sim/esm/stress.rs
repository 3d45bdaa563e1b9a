//! `sim esm stress`: what the network below has to carry.

use super::{Esm, Promises};
use p2p_core::Duration;
use p2p_esm::{Policy, Shape};
use p2p_examples::groups::{Setting, stress};
use p2p_examples::{Line, Table};

/// Three generated internets of the same kind, other policies re-implemented: worst stress, usage, mean RDP.
const OTHERS: &str = "host tree 18, 4.0 and 1.67, Narada's mesh 24, 11.4 and 2.25, unicast 120, 19.1 and 1, \
                      a tree of LANs 5.0, 1.84 and 1.79, native multicast 1, 1 and 1";

impl Esm {
    pub(super) fn stress(&self, promises: &mut Promises<'_>) {
        let hosts = self.members.unwrap_or(128) / 16;
        promises.out.say(format_args!("others: {OTHERS}"));
        let mut table = Table::new([
            "seed",
            "LANs",
            "hosts",
            "multicast",
            "shape",
            "worst",
            "mean",
            "usage",
            "RDP mean",
            "p90",
            "into a LAN",
            "most",
            "delivered",
            "digest",
        ]);
        let mut kept = Vec::new();
        for seed in self.seeds() {
            for (multicast, name, shape) in [
                (false, "single", Shape::SINGLE),
                (true, "single", Shape::SINGLE),
                (true, "6 of 4", Shape::SIX_OF_FOUR),
            ] {
                let setting = Setting {
                    shape,
                    packet: 1_316,
                    packets: 20,
                    degree: 4.0,
                    patience: Duration::from_secs(2),
                    flush: Duration::from_millis(800),
                    policy: Policy::Tree,
                };
                let run = stress(seed, (16, hosts), multicast, setting, self.span(200));
                table = table.row([
                    seed.to_string(),
                    "16".to_owned(),
                    hosts.to_string(),
                    if multicast { "TTL 1" } else { "none" }.to_owned(),
                    name.to_owned(),
                    format!("{:.2}", run.worst),
                    format!("{:.2}", run.mean),
                    format!("{:.2}", run.usage),
                    format!("{:.2}", run.penalty.mean()),
                    format!("{:.2}", run.penalty.at(0.9)),
                    format!("{:.3}", run.into.0),
                    format!("{:.3}", run.into.1),
                    format!("{:.4}", run.delivered),
                    format!("{:016x}", run.digest),
                ]);
                promises.out.event(
                    Line::new("stress")
                        .number("seed", seed)
                        .text("shape", name)
                        .flag("multicast", multicast)
                        .number("worst_milli", (run.worst * 1e3) as i128)
                        .number("usage_milli", (run.usage * 1e3) as i128)
                        .text("digest", format_args!("{:016x}", run.digest)),
                );
                kept.push((seed, multicast, name, run));
            }
        }
        promises.out.say(&table);
        for (seed, _, name, run) in
            kept.into_iter().filter(|(_, multicast, name, _)| *multicast && *name == "single")
        {
            let what = |figure| format!("seed {seed}, {name}, {figure}");
            promises.at_most(&what("worst stress of a link"), run.worst, 5.0);
            promises.at_most(&what("usage, native multicast 1"), run.usage, 1.8);
            promises.at_most(&what("mean RDP"), run.penalty.mean(), 1.7);
            promises.at_least(&what("delivered"), run.delivered, 0.999);
        }
    }
}
