//! What `sim` says of its runs.

use p2p_examples::cost::Cost;
use p2p_examples::swarm::{Figures, Scenario};
use p2p_examples::{Line, Output, Table};

/// The rows so far.
pub(crate) struct Report {
    table: Table,
    timeline: bool,
    runs: Vec<Figures>,
    misses: Vec<String>,
    cpu: f64,
    costs: Vec<f64>,
}

impl Report {
    pub(crate) fn new(timeline: bool) -> Self {
        let head = [
            "seed", "group", "done", "first s", "median s", "last s", "bound s", "stretch", "uplinks",
            "usable",
        ];
        let rest = ["wasted", "overhead", "CPU s", "peak MiB", "digest"];
        let mut table = Table::new(head.into_iter().chain(rest));
        for column in 2..head.len() + rest.len() - 1 {
            table = table.right(column);
        }
        let cpu = Cost::so_far().map_or(0.0, |cost| cost.cpu);
        Self { table, timeline, runs: Vec::new(), misses: Vec::new(), cpu, costs: Vec::new() }
    }

    /// Adds a run.
    pub(crate) fn ran(&mut self, scenario: &Scenario, run: Figures, out: &mut Output) {
        let cost = Cost::so_far();
        let cpu = cost.map_or(0.0, |cost| cost.cpu - self.cpu);
        self.cpu += cpu;
        self.costs.push(cpu);
        let peak = cost.map_or(0, |cost| cost.peak >> 20);
        for (at, group) in run.groups.iter().enumerate() {
            let mut cells = vec![
                run.seed.to_string(),
                group.name.to_owned(),
                format!("{}/{}", group.finished, group.count),
            ];
            cells.extend(group.times.iter().map(|time| format!("{time:.0}")));
            if at == 0 {
                cells.extend([
                    format!("{:.0}", run.bound),
                    format!("{:.3}", run.stretch()),
                    percent(run.utilisation),
                    percent(run.usable),
                    percent(run.wasted),
                    percent(run.overhead),
                    format!("{cpu:.1}"),
                    peak.to_string(),
                    format!("{:016x}", run.digest),
                ]);
            }
            self.table = std::mem::take(&mut self.table).row(cells);
        }
        out.event(line(&run).number("cpu_ms", (cpu * 1e3) as i128).number("peak_mib", peak));
        let last = run.stretch();
        out.note(format_args!("{} seed {}: stretch {last:.3}, {cpu:.1} CPU s", run.name, run.seed));
        if self.timeline {
            let spans: Vec<String> =
                run.timeline.iter().map(|share| format!("{:.0}", share * 100.0)).collect();
            out.note(format_args!("uplinks in use, % in every 20 s: {}", spans.join(" ")));
        }
        self.misses
            .extend(scenario.misses(&run).into_iter().map(|miss| format!("seed {}: {miss}", run.seed)));
        self.runs.push(run);
    }

    /// Says everything; whether no bound was missed.
    pub(crate) fn end(self, out: &mut Output) -> bool {
        out.say(&self.table);
        let worst = |figure: fn(&Figures) -> f64| self.runs.iter().map(figure).fold(0.0, f64::max);
        let least = |figure: fn(&Figures) -> f64| self.runs.iter().map(figure).fold(f64::INFINITY, f64::min);
        out.say(format_args!(
            "{} runs: stretch {:.3} at worst, uplinks {} at least ({} of what was usable), wasted {} at most, {:.1} CPU s at most",
            self.runs.len(),
            worst(Figures::stretch),
            percent(least(|run| run.utilisation)),
            percent(least(|run| run.usable)),
            percent(worst(|run| run.wasted)),
            self.costs.iter().copied().fold(0.0, f64::max),
        ));
        for miss in &self.misses {
            out.fail(miss);
        }
        self.misses.is_empty()
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn line(run: &Figures) -> Line {
    let millis = |time: f64| (time * 1e3) as i128;
    let ppm = |share: f64| (share * 1e6) as i128;
    let groups = run.groups.iter().map(|group| {
        Line::part()
            .text("name", group.name)
            .number("finished", group.finished as i128)
            .number("count", group.count as i128)
            .number("first_ms", millis(group.times[0]))
            .number("median_ms", millis(group.times[1]))
            .number("last_ms", millis(group.times[2]))
            .number("ratio_ppm", ppm(group.ratio))
    });
    Line::new("run")
        .text("scenario", run.name)
        .number("seed", run.seed)
        .flag("finished", run.finished)
        .number("bound_ms", millis(run.bound))
        .number("last_ms", millis(run.last))
        .number("uplinks_ppm", ppm(run.utilisation))
        .number("usable_ppm", ppm(run.usable))
        .number("wasted_ppm", ppm(run.wasted))
        .number("overhead_ppm", ppm(run.overhead))
        .number("inputs", run.inputs)
        .number("banned", run.banned)
        .text("digest", format_args!("{:016x}", run.digest))
        .lines("groups", groups)
}
