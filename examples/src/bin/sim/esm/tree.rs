//! `sim esm tree`: how much longer the way by a tree is than the direct one.

use super::{Esm, PolicyName, Promises, slow};
use p2p_esm::Shape;
use p2p_examples::groups::{Delays, Setting, overlay};
use p2p_examples::{Line, Table};

/// What others have, and what is promised: members, ESM's policy, Narada's, random parents; mean and nine of ten.
const ROWS: [(usize, [&str; 3], (f64, f64)); 2] = [
    (128, ["1.56 / 2.51", "1.86 / 3.30", "6.87 / 14.7"], (1.5, 2.4)),
    (256, ["1.61 / 2.96", "2.71 / 5.84", "-"], (1.55, 2.7)),
];
const DEEPEST: f64 = 8.0;

impl Esm {
    pub(super) fn tree(&self, delays: &Delays, promises: &mut Promises<'_>) {
        let mut table = Table::new([
            "seed",
            "members",
            "policy",
            "delays",
            "RDP mean",
            "p50",
            "p90",
            "ESM",
            "Narada",
            "random",
            "delay ms",
            "max",
            "depth",
            "max",
            "leaves",
            "lost",
            "control B/s",
            "digest",
        ]);
        let figure = |figure: f64| format!("{figure:.2}");
        let runs = self.seeds().count() as f64;
        let mut means = Vec::new();
        let all = ROWS.iter().flat_map(|row| self.policy.iter().map(move |policy| (*policy, *row)));
        for (policy, (members, papers, promised)) in all {
            if self.members.is_some_and(|asked| asked != members) {
                continue;
            }
            let (mut mean, mut p90, mut deepest, mut lost) = (0.0, 0.0, 0.0_f64, 0);
            for seed in self.seeds() {
                // The source closes a batch when it is full.
                let flush = p2p_core::Duration::from_millis(1_600);
                let setting = Setting { flush, policy: policy.policy(), ..slow(Shape::SINGLE) };
                let run = overlay(seed, members, delays, setting, self.span(300));
                promises.out.note(format_args!(
                    "seed {seed}, {members}: RDP {:.2}, {:.2}, {:.0} hops, {:.0} B/s",
                    run.penalty.mean(),
                    run.penalty.at(0.9),
                    run.depth.at(1.0),
                    run.control,
                ));
                mean += run.penalty.mean() / runs;
                p90 += run.penalty.at(0.9) / runs;
                deepest = deepest.max(run.depth.at(1.0));
                lost += run.lost;
                table = table.row([
                    seed.to_string(),
                    members.to_string(),
                    policy.name().to_owned(),
                    delays.name.clone(),
                    figure(run.penalty.mean()),
                    figure(run.penalty.at(0.5)),
                    figure(run.penalty.at(0.9)),
                    papers[0].to_owned(),
                    papers[1].to_owned(),
                    papers[2].to_owned(),
                    figure(run.delay.mean()),
                    figure(run.delay.at(1.0)),
                    figure(run.depth.mean()),
                    figure(run.depth.at(1.0)),
                    format!("{} %", 100 * run.leaves / members),
                    run.lost.to_string(),
                    format!("{:.0}", run.control),
                    format!("{:016x}", run.digest),
                ]);
                promises.out.event(
                    Line::new("tree")
                        .number("seed", seed)
                        .text("policy", policy.name())
                        .number("members", members as i128)
                        .number("rdp_mean_milli", (run.penalty.mean() * 1e3) as i128)
                        .number("rdp_p90_milli", (run.penalty.at(0.9) * 1e3) as i128)
                        .number("depth", run.depth.at(1.0) as i128)
                        .number("control", run.control as i128)
                        .text("digest", format_args!("{:016x}", run.digest)),
                );
            }
            if policy == PolicyName::Tree {
                means.push((members, (mean, p90), promised, deepest, lost));
            }
        }
        promises.out.say(&table);
        for (members, (mean, p90), promised, deepest, lost) in means {
            promises.at_most(&format!("{members} members, mean RDP"), mean, promised.0);
            promises.at_most(&format!("{members} members, p90 of RDP"), p90, promised.1);
            promises.at_most(&format!("{members} members, hops"), deepest, DEEPEST);
            promises.at_most(&format!("{members} members, out of the tree"), f64::from(lost as u32), 0.0);
        }
    }
}
