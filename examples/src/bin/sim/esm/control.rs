//! `sim esm control`: what members say beside the stream, by how many they are.

use super::{Esm, PolicyName, Promises, everywhere, slow};
use p2p_core::Duration;
use p2p_esm::Shape;
use p2p_esm::wire::Kind;
use p2p_examples::groups::{Churn, Delays, Going, Setting, churn};
use p2p_examples::{Line, Table};

const SIZES: [usize; 6] = [128, 256, 512, 1_024, 2_048, 4_096];
/// Groups that are smaller are run several times, until they have so many hosts together: among 128 hosts it is chance how
/// many sessions end, and whose.
const ENOUGH: usize = 1_024;

/// The mean of some runs.
fn mean(runs: &[Churn], of: impl Fn(&Churn) -> f64) -> f64 {
    runs.iter().map(of).sum::<f64>() / runs.len() as f64
}

impl Esm {
    pub(super) fn control(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let largest = self.members.unwrap_or(4_096);
        let mut table = Table::new([
            "hosts",
            "policy",
            "runs",
            "control B/s",
            "joining",
            "Nemo, NICE, Narada at 1,024",
            "delivered",
            "twice",
            "parents lost",
            "digest",
        ]);
        let mut kinds = Table::new(["hosts", "policy"].into_iter().chain(Kind::ALL.map(Kind::name)));
        let mut rates = Vec::new();
        let sizes = SIZES.into_iter().filter(|size| *size <= largest);
        let all = self.policy.iter().flat_map(|policy| sizes.clone().map(|hosts| (*policy, hosts)));
        for (policy, hosts) in all {
            // As the papers count it: once all have come, and the tree has come about.
            let going = Going {
                begin: Duration::from_secs(60),
                rest: Duration::from_secs(60),
                ..Going::often(self.span(120))
            };
            let setting = Setting { policy: policy.policy(), ..slow(Shape::SINGLE) };
            let seeds = self.seed..self.seed + (ENOUGH / hosts).max(1) as u64;
            let runs: Vec<Churn> =
                seeds.map(|seed| churn(seed, hosts, everywhere(delays), setting, going)).collect();
            let (control, before) = (mean(&runs, |run| run.control), mean(&runs, |run| run.control_before));
            let delivered = mean(&runs, |run| run.delivered);
            let digest = runs.iter().fold(0, |digest: u64, run| digest.rotate_left(1) ^ run.digest);
            promises.out.note(format_args!("{hosts}: {control:.0} B/s, {delivered:.5} delivered"));
            let mut row = vec![hosts.to_string(), policy.name().to_owned()];
            let of_kind = |at: usize| format!("{:.1}", mean(&runs, |run| run.control_of[at]));
            row.extend((0..Kind::ALL.len()).map(of_kind));
            kinds = kinds.row(row);
            if policy == PolicyName::Tree {
                rates.push(control);
            }
            table = table.row([
                hosts.to_string(),
                policy.name().to_owned(),
                runs.len().to_string(),
                format!("{control:.0}"),
                format!("{before:.0}"),
                "1,410, 1,290, 74,400".to_owned(),
                format!("{delivered:.5}"),
                format!("{:.3}", mean(&runs, |run| run.twice + run.asked_twice)),
                runs.iter().map(|run| run.lost_parents).sum::<u64>().to_string(),
                format!("{digest:016x}"),
            ]);
            promises.out.event(
                Line::new("control")
                    .text("policy", policy.name())
                    .number("hosts", hosts as i128)
                    .number("control", control as i128)
                    .number("joining", before as i128)
                    .number("delivered_ppm", (delivered * 1e6) as i128)
                    .text("digest", format_args!("{digest:016x}")),
            );
        }
        promises.out.say(&table);
        promises.out.say("Of that, control B/s of each kind:");
        promises.out.say(&kinds);
        if rates.is_empty() {
            return;
        }
        let most = rates.iter().copied().fold(0.0, f64::max);
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        promises.at_most("control B/s", most, 1_200.0);
        promises.at_most("most against least", most / least, 1.15);
    }
}
