//! `sim esm churn` and `sim esm scale`: members come and go.

use super::{Esm, PolicyName, Promises, everywhere, slow};
use p2p_core::Duration;
use p2p_esm::Shape;
use p2p_examples::cost::Cost;
use p2p_examples::groups::{Delays, Going, Setting, churn};
use p2p_examples::{Line, Table};

/// What Birrer and Bustamante (2004) have for 512 hosts: delivered, and duplicates for each packet.
const PAPERS: &str = "Nemo .998 at 3.16, NICE-PRM .994 at 24.2, Narada .852 at 0";
/// CPU seconds that ten minutes of 10,000 members may take.
const SCALE: f64 = 120.0;

impl Esm {
    pub(super) fn churn(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let hosts = self.members.unwrap_or(512);
        promises.out.say(format_args!("the papers: {PAPERS}"));
        let mut table = Table::new([
            "seed",
            "hosts",
            "policy",
            "shape",
            "ended",
            "delivered",
            "twice",
            "asked for",
            "manifests",
            "sent",
            "control B/s",
            "delay ms",
            "join p50 s",
            "p95",
            "parents lost",
            "digest",
        ]);
        let mut kept = Vec::new();
        for seed in self.seeds() {
            let shapes = [("single", Shape::SINGLE, 0.998), ("6 of 4", Shape::SIX_OF_FOUR, 0.9995)];
            let all = self.policy.iter().flat_map(|policy| shapes.map(|shape| (*policy, shape)));
            for (policy, (name, shape, least)) in all {
                let going = Going::often(self.span(1_200));
                let setting = Setting { policy: policy.policy(), ..slow(shape) };
                let run = churn(seed, hosts, everywhere(delays), setting, going);
                promises.out.note(format_args!(
                    "seed {seed}, {name}: {:.5} delivered, {:.2} + {:.2} twice, {:.0} B/s, {} parents lost",
                    run.delivered, run.twice, run.asked_twice, run.control, run.lost_parents,
                ));
                table = table.row([
                    seed.to_string(),
                    hosts.to_string(),
                    policy.name().to_owned(),
                    name.to_owned(),
                    run.ended.to_string(),
                    format!("{:.5}", run.delivered),
                    format!("{:.3}", run.twice),
                    format!("{:.3}", run.asked_twice),
                    format!("{:.3}", run.signed_twice),
                    format!("{:.3}", run.sent),
                    format!("{:.0}", run.control),
                    format!("{:.0}", run.delay),
                    format!("{:.2}", run.joins.at(0.5)),
                    format!("{:.2}", run.joins.at(0.95)),
                    run.lost_parents.to_string(),
                    format!("{:016x}", run.digest),
                ]);
                promises.out.event(
                    Line::new("churn")
                        .number("seed", seed)
                        .text("policy", policy.name())
                        .text("shape", name)
                        .number("delivered_ppm", (run.delivered * 1e6) as i128)
                        .number("twice_milli", ((run.twice + run.asked_twice) * 1e3) as i128)
                        .number("control", run.control as i128)
                        .text("digest", format_args!("{:016x}", run.digest)),
                );
                if policy == PolicyName::Tree {
                    let twice = run.twice + run.asked_twice;
                    kept.push((seed, name, run.delivered, least, twice, run.control));
                }
            }
        }
        promises.out.say(&table);
        for (seed, name, delivered, least, twice, control) in kept {
            promises.at_least(&format!("seed {seed}, {name}, delivered"), delivered, least);
            if name == "single" {
                promises.at_most(&format!("seed {seed}, {name}, duplicates of a packet"), twice, 3.0);
                promises.at_most(&format!("seed {seed}, {name}, control B/s"), control, 1_200.0);
            }
        }
    }

    pub(super) fn scale(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let hosts = self.members.unwrap_or(10_000);
        let span = self.span(600);
        // Half of the hosts come within the first minute of ten, as a broadcast begins; then all come and go.
        let going = Going {
            begin: Duration::from_secs(60),
            span: span.saturating_sub(Duration::from_secs(60)),
            ..Going::often(span)
        };
        let setting =
            Setting { packets: 2, flush: Duration::from_secs(1), packet: 1_000, ..slow(Shape::SINGLE) };
        let before = Cost::so_far().map_or(0.0, |cost| cost.cpu);
        let run = churn(self.seed, hosts, everywhere(delays), setting, going);
        let cost = Cost::so_far();
        let cpu = cost.map_or(0.0, |cost| cost.cpu - before);
        let peak = cost.map_or(0, |cost| cost.peak >> 20);
        let head = [
            "hosts",
            "seconds",
            "packets/s",
            "ended",
            "delivered",
            "control B/s",
            "CPU s",
            "peak MiB",
            "digest",
        ];
        promises.out.say(Table::new(head).row([
            hosts.to_string(),
            span.as_secs().to_string(),
            setting.packets.to_string(),
            run.ended.to_string(),
            format!("{:.5}", run.delivered),
            format!("{:.0}", run.control),
            format!("{cpu:.1}"),
            peak.to_string(),
            format!("{:016x}", run.digest),
        ]));
        promises.out.event(
            Line::new("scale")
                .number("hosts", hosts as i128)
                .number("cpu_ms", (cpu * 1e3) as i128)
                .number("delivered_ppm", (run.delivered * 1e6) as i128)
                .text("digest", format_args!("{:016x}", run.digest)),
        );
        promises.at_most("CPU seconds", cpu, SCALE);
        promises.at_least("delivered", run.delivered, 0.998);
    }
}
