//! `sim esm control`: what members say beside the stream, by how many they are.

use super::{Esm, PolicyName, Promises, everywhere, slow};
use p2p_core::Duration;
use p2p_esm::Shape;
use p2p_esm::wire::Kind;

use p2p_examples::groups::{Delays, Going, Setting, churn};
use p2p_examples::{Line, Table};

impl Esm {
    pub(super) fn control(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let largest = self.members.unwrap_or(4_096);
        let mut table = Table::new([
            "hosts",
            "policy",
            "control B/s",
            "Nemo, NICE, Narada at 1,024",
            "delivered",
            "twice",
            "parents lost",
            "digest",
        ]);
        let sizes = [128, 256, 512, 1_024, 2_048, 4_096].into_iter().filter(|size| *size <= largest);
        let mut kinds = Table::new(["hosts", "policy"].into_iter().chain(Kind::ALL.map(Kind::name)));
        let mut rates = Vec::new();
        let sizes: Vec<usize> = sizes.collect();
        let all = self.policy.iter().flat_map(|policy| sizes.iter().map(|hosts| (*policy, *hosts)));
        for (policy, hosts) in all {
            // As the papers count it: once all have come, and the tree has come about.
            let going = Going {
                begin: Duration::from_secs(60),
                rest: Duration::from_secs(60),
                ..Going::often(self.span(120))
            };
            let setting = Setting { policy: policy.policy(), ..slow(Shape::SINGLE) };
            let run = churn(self.seed, hosts, everywhere(delays), setting, going);
            promises
                .out
                .note(format_args!("{hosts}: {:.0} B/s, {:.5} delivered", run.control, run.delivered));
            let mut row = vec![hosts.to_string(), policy.name().to_owned()];
            row.extend(run.control_of.iter().map(|rate| format!("{rate:.1}")));
            kinds = kinds.row(row);
            if policy == PolicyName::Tree {
                rates.push(run.control);
            }
            table = table.row([
                hosts.to_string(),
                policy.name().to_owned(),
                format!("{:.0}", run.control),
                "1,410, 1,290, 74,400".to_owned(),
                format!("{:.5}", run.delivered),
                format!("{:.3}", run.twice + run.asked_twice),
                run.lost_parents.to_string(),
                format!("{:016x}", run.digest),
            ]);
            promises.out.event(
                Line::new("control")
                    .text("policy", policy.name())
                    .number("hosts", hosts as i128)
                    .number("control", run.control as i128)
                    .number("delivered_ppm", (run.delivered * 1e6) as i128)
                    .text("digest", format_args!("{:016x}", run.digest)),
            );
        }
        promises.out.say(&table);
        promises.out.say("Control B/s of each kind:");
        promises.out.say(&kinds);
        let most = rates.iter().copied().fold(0.0, f64::max);
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        if rates.is_empty() {
            return;
        }
        promises.at_most("control B/s", most, 1_200.0);
        promises.at_most("most against least", most / least, 1.15);
    }
}
