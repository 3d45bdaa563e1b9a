//! `sim gnutella tiers`: leaves behind ultrapeers, with tables and dynamic queries.

use super::{Gnutella, known};
use p2p_core::Rng;
use p2p_examples::servents::{Graph, Holders, Tiers, TiersRun, tiers};
use p2p_examples::{Line, Output, Table};
use p2p_gnutella::strategy::{Scratch, flood};

/// Hits that a dynamic query is after.
const WANTED: f64 = 50.0;
/// Ultrapeers of each leaf.
const PARENTS: f64 = 3.0;

pub(super) fn run(asked: &Gnutella, out: &mut Output) -> bool {
    let mut kept = true;
    for tiers in &known::TIERS {
        kept &= of_degree(asked, tiers, out);
    }
    kept
}

/// Closed forms of floods without tables.
struct Plain {
    /// Messages between ultrapeers.
    messages: f64,
    /// Those of them before the last hop.
    before_last: f64,
    /// Ultrapeers that are reached before the last hop, the first one too, and in all.
    reached: (f64, f64),
    /// Links to leaves of an ultrapeer.
    leaves: f64,
}

impl Plain {
    fn of(asked: &Gnutella, known: &known::Tiers, leaves: usize) -> Self {
        let graph = Graph::regular(asked.ultrapeers, known.degree, &mut Rng::fast_from(asked.seed));
        let (holders, mut scratch) = (Holders::none(&graph), Scratch::default());
        let sources = graph.nodes();
        let mut mean = |ttl: u8| {
            let sum = (0..sources).map(|source| flood(&holders, source, ttl.into(), &mut scratch));
            let (messages, reached) = sum.fold((0, 0), |(messages, reached), cost| {
                (messages + cost.messages, reached + cost.reached + 1)
            });
            (messages as f64 / sources as f64, reached as f64 / sources as f64)
        };
        let (all, before) = (mean(known.ttl), mean(known.ttl - 1));
        Self {
            messages: all.0,
            before_last: before.0,
            reached: (before.1, all.1),
            leaves: PARENTS * leaves as f64 / asked.ultrapeers as f64,
        }
    }

    /// Every ultrapeer that is reached asks all of its leaves.
    fn without_tables(&self) -> f64 {
        self.messages + self.reached.1 * self.leaves
    }

    /// Only leaves have tables.
    fn with_leaves_tables(&self, run: &TiersRun) -> f64 {
        let wrong = known::WRONG_LEAVES * (self.reached.1 * self.leaves - run.flood_to_leaves);
        self.messages + run.flood_to_leaves + wrong
    }

    /// All have tables. Ours are never wrong here, for nobody has more than one file; theirs were drawn.
    fn with_tables(&self, run: &TiersRun) -> f64 {
        let last = self.messages - self.before_last;
        let matched = run.flood - run.flood_to_leaves - self.before_last;
        let wrong = known::WRONG_ULTRAPEERS * (last - matched);
        // Of those whom the last hop reaches, whose leaves are then asked too.
        let reached = self.reached.0 + (self.reached.1 - self.reached.0) * (wrong + matched) / last;
        run.flood + wrong + known::WRONG_LEAVES * (reached * self.leaves - run.flood_to_leaves)
    }
}

fn of_degree(asked: &Gnutella, known: &known::Tiers, out: &mut Output) -> bool {
    let leaves = 9 * asked.ultrapeers;
    let plain = Plain::of(asked, known, leaves);
    let without = plain.without_tables();
    let wanted = Tiers {
        ultrapeers: asked.ultrapeers,
        degree: known.degree,
        leaves,
        ttl: known.ttl,
        replications: known.rows.iter().map(|row| row.replication).collect(),
        queries: asked.queries.min(20),
    };
    let mut table = Table::new([
        "copies",
        "tables of leaves",
        "known",
        "of all",
        "as wrong as theirs",
        "known",
        "dynamic for 50",
        "found",
        "known",
        "found",
        "dynamic for 1",
        "found by",
        "32 walkers",
    ]);
    let mut kept = near(without, known.without);
    for (run, row) in tiers(&wanted, asked.seed).iter().zip(known.rows) {
        let (of_leaves, of_all) = (plain.with_leaves_tables(run), plain.with_tables(run));
        let is_kept = keeps(run, row, without, (of_leaves, of_all), leaves);
        kept &= is_kept;
        let known = |figure: Option<f64>| figure.map_or_else(String::new, |figure| format!("{figure:.0}"));
        table = table.row([
            format!("{:.3} %{}", run.replication * 100.0, if is_kept { "" } else { " MISSED" }),
            format!("{of_leaves:.0}"),
            known(row.of_leaves),
            format!("{:.0}, {:.1} % saved", run.flood, (1.0 - run.flood / without) * 100.0),
            format!("{of_all:.0}"),
            known(row.of_all),
            format!("{:.0}", run.dynamic),
            format!("{:.1}", run.found),
            known(row.dynamic),
            row.found.map_or_else(String::new, |found| format!("{found:.1}")),
            format!("{:.1}", run.one),
            format!("{:.0} %", run.one_found * 100.0),
            known(row.walkers),
        ]);
        let milli = |figure: f64| (figure * 1e3) as i128;
        out.event(
            Line::new("tiers")
                .number("degree", wanted.degree as i128)
                .number("copies", (run.replication * leaves as f64) as i128)
                .number("without_milli", milli(without))
                .number("with_milli", milli(run.flood))
                .number("dynamic_milli", milli(run.dynamic))
                .number("found_milli", milli(run.found))
                .number("one_milli", milli(run.one))
                .number("one_found_milli", milli(run.one_found)),
        );
    }
    out.say(format_args!(
        "degree {}, TTL {}: {without:.0} messages without tables, {:.0} known",
        known.degree, known.ttl, known.without
    ));
    out.say(&table);
    kept
}

fn near(is: f64, known: f64) -> bool {
    (is / known - 1.0).abs() <= known::TIERS_NEAR
}

/// Whether a run is as it has to be.
fn keeps(run: &TiersRun, row: &known::Tables, without: f64, with: (f64, f64), leaves: usize) -> bool {
    let as_known = |is: f64, known: Option<f64>| known.is_none_or(|known| near(is, known));
    let copies = (run.replication * leaves as f64).round();
    // What there is is found, or enough and not 75 more.
    let finds = run.found >= copies.min(WANTED) * 0.85
        && run.found <= WANTED + 75.0
        && row.found.is_none_or(|found| run.found >= found * (1.0 - known::TIERS_NEAR));
    // What there are too few copies of is looked for wherever a query gets, in whatever order.
    let is_cheap = if copies < WANTED {
        run.dynamic < run.flood
    } else {
        run.dynamic <= without / 10.0
            && row.dynamic.is_none_or(|known| run.dynamic <= known * (1.0 + known::TIERS_NEAR))
    };
    as_known(with.0, row.of_leaves)
        && as_known(with.1, row.of_all)
        && (run.replication > 0.01 || 1.0 - run.flood / without >= 0.9)
        && finds
        && is_cheap
        && run.one_found >= 0.95
        && row.walkers.is_none_or(|walkers| run.one < walkers)
}
