//! `sim gnutella search`: what finding one copy costs, with the standard errors of both sides of each comparison.

use super::Gnutella;
use super::known::{Known, QUERIES};
use p2p_core::Rng;
use p2p_examples::servents::{Graph, Holders};
use p2p_examples::{Failure, Line, Output, Table};
use p2p_gnutella::strategy::{Cost, Scratch, Walks, expanding_ring, walk};

/// Searches go on until the standard error of the mean is such a part of it.
const ERROR: f64 = 0.005;
/// But not for ever.
const MOST: u64 = 2_000_000;
/// How many standard errors chance is believed to make of one figure.
const BELIEVED: f64 = 3.0;
/// And of the figures of a graph together, as the root of the mean of their squares: one is to be expected, and with eighteen
/// figures more than this comes once in a thousand times.
const TOGETHER: f64 = 1.53;

/// The mean of what was drawn so far, and how far it may be from the true one.
#[derive(Clone, Copy, Default)]
struct Mean {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    /// The standard error of a mean of so many.
    fn error_of(self, count: f64) -> f64 {
        ((self.squares / self.count.max(1) as f64 - self.mean().powi(2)).max(0.0) / count).sqrt()
    }

    fn error(self) -> f64 {
        self.error_of(self.count.max(1) as f64)
    }
}

/// Messages, and steps to what was found.
struct Sampled {
    messages: Mean,
    hops: Mean,
}

/// Searches from nodes drawn at random, for copies that lie elsewhere each time.
fn sample(
    graph: &Graph,
    copies: usize,
    least: u64,
    rng: &mut Rng,
    mut search: impl FnMut(&Holders<'_>, usize, &mut Rng) -> Cost,
) -> Sampled {
    let mut holders = Holders::none(graph);
    let mut sampled = Sampled { messages: Mean::default(), hops: Mean::default() };
    loop {
        for _ in 0..least.max(1) {
            let source = rng.index(graph.nodes());
            holders.draw(copies, source, rng);
            let cost = search(&holders, source, rng);
            sampled.messages.add(cost.messages as f64);
            if let Some(hops) = cost.hops {
                sampled.hops.add(hops.into());
            }
        }
        let messages = sampled.messages;
        if messages.error() <= ERROR * messages.mean() || messages.count >= MOST {
            return sampled;
        }
    }
}

/// A figure beside the known one.
struct Beside {
    is: f64,
    /// Standard errors of both, as parts of the figure.
    errors: (f64, f64),
    /// How far the known one is off, as a part of ours, and in standard errors of the difference.
    off: (f64, f64),
}

impl Beside {
    /// The known one was written with such a last digit.
    fn new(is: Mean, known: f64, digit: f64) -> Self {
        let rounding = digit / 12f64.sqrt();
        let errors = (is.error(), is.error_of(QUERIES).hypot(rounding));
        let off = known - is.mean();
        Self {
            is: is.mean(),
            errors: (errors.0 / is.mean(), errors.1 / is.mean()),
            off: (off / is.mean(), off / errors.0.hypot(errors.1)),
        }
    }

    /// Whether they are as near as asked for, as far as so many queries can tell.
    fn is_near(&self, tolerance: f64) -> bool {
        self.off.0.abs() <= tolerance || self.off.1.abs() <= BELIEVED
    }

    fn cells(&self, known: f64) -> [String; 4] {
        [
            format!("{:.1} ±{:.1} %", self.is, self.errors.0 * 100.0),
            format!("{known:.1} ±{:.1} %", self.errors.1 * 100.0),
            format!("{:+.1} %", self.off.0 * 100.0),
            format!("{:+.1}", self.off.1),
        ]
    }
}

pub(super) fn run(asked: &Gnutella, out: &mut Output) -> Result<bool, Failure> {
    let mut kept = true;
    for (known, graph) in asked.graphs()?.into_iter().filter(|(known, _)| !known.searches.is_empty()) {
        kept &= of_graph(asked, &known, &graph, out);
    }
    Ok(kept)
}

fn of_graph(asked: &Gnutella, known: &Known, graph: &Graph, out: &mut Output) -> bool {
    let mut table =
        Table::new(["copies", "search", "messages", "known", "off by", "standard errors", "searches"]);
    let mut kept = true;
    let mut squares = Mean::default();
    let mut rng = Rng::fast_from(asked.seed.wrapping_add(2));
    let mut scratch = Scratch::default();
    let least = asked.queries as u64;
    for row in known.searches {
        let copies = (row.replication * graph.nodes() as f64).round().max(1.0) as usize;
        let ring = sample(graph, copies, least, &mut rng, |holders, source, _| {
            expanding_ring(holders, source, super::known::ALL.into(), &mut scratch)
        });
        let many = sample(graph, copies, least, &mut rng, |holders, source, rng| {
            walk(holders, source, Walks::new(32), rng)
        });
        // It knows by itself that it has found something.
        let alone = Walks { check_every: 1, steps_max: 32 * 1_024, ..Walks::new(1) };
        let one =
            sample(graph, copies, least, &mut rng, |holders, source, rng| walk(holders, source, alone, rng));
        let figures = [
            ("ring", "ring", ring.messages, row.ring, known.digit),
            ("32 walkers", "walkers_32", many.messages, row.walkers, known.digit),
            ("  steps", "steps_32", many.hops, row.hops, 0.1),
            ("1 walker", "walker_1", one.messages, row.walker, known.digit),
        ];
        for (name, key, mean, known_is, digit) in figures {
            let beside = Beside::new(mean, known_is, digit);
            let is_near = beside.is_near(known.tolerance);
            kept &= is_near;
            // Steps are the same walks again.
            if key != "steps_32" {
                squares.add(beside.off.1.powi(2));
            }
            let [is, known_cell, off, errors] = beside.cells(known_is);
            table = table.row([
                format!("{:.3} %", row.replication * 100.0),
                name.to_owned(),
                is,
                known_cell,
                off,
                if is_near { errors } else { format!("{errors} MISSED") },
                mean.count.to_string(),
            ]);
            out.event(
                Line::new("search")
                    .text("graph", known.name)
                    .text("search", key)
                    .number("copies", copies as i128)
                    .number("searches", mean.count)
                    .number("mean_milli", (beside.is * 1e3) as i128)
                    .number("error_ppm", (beside.errors.0 * 1e6) as i128)
                    .number("known_milli", (known_is * 1e3) as i128)
                    .number("known_error_ppm", (beside.errors.1 * 1e6) as i128),
            );
        }
    }
    out.say(known.name);
    out.say(&table);
    let together = squares.mean().sqrt();
    // On another graph there is more between the figures than chance in the queries.
    let is_alike = known.tolerance > 0.05 || together <= TOGETHER;
    out.say(format_args!(
        "{:.2} standard errors in the mean of squares{}",
        together,
        if is_alike { "" } else { " MISSED" }
    ));
    kept && is_alike
}
