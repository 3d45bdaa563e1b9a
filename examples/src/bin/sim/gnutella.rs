//! `sim gnutella`: floods, searches and tiers, beside the figures of an independent simulation and of the papers; networks
//! that come and go.

mod churn;

use clap::{Args as Arguments, ValueEnum};
use p2p_core::Rng;
use p2p_examples::servents::{Flood, Graph, Holders, Tiers, flood_by_machines, tiers};
use p2p_examples::{Failure, Line, Output, Table};
use p2p_gnutella::strategy::{Scratch, Walks, expanding_ring, flood, walk};
use std::ops::RangeInclusive;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// Messages and reach of a flood by its TTL: the closed form over all sources, and real servents that must agree
    Flood,
    /// What finding one copy costs: expanding ring, 32 walkers, one walker
    Search,
    /// Ultrapeers and leaves with tables and dynamic queries, all of them real servents
    Tiers,
    /// --nodes servents of which 30 % offer nothing come and go for half an hour, ten minutes of it in halves
    Churn,
    /// --nodes servents come and go for an hour (100,000 is what it has to carry): what that costs to simulate
    Hour,
}

#[derive(Debug, Arguments)]
pub(crate) struct Gnutella {
    /// What is measured
    pub(crate) what: What,
    /// The graph of 4 August 2002 as SNAP has it (p2p-Gnutella04.txt), beside the graphs that are drawn
    #[arg(long, value_name = "FILE")]
    pub(crate) snap: Option<PathBuf>,
    /// Sources of the closed form for each graph that is drawn; all of the SNAP graph's nodes
    #[arg(long, default_value_t = 2_000)]
    pub(crate) sources: usize,
    /// Floods of real servents for each graph and TTL
    #[arg(long, default_value_t = 2)]
    pub(crate) floods: usize,
    /// Searches for each replication; of tiers queries
    #[arg(long, default_value_t = 2_000)]
    pub(crate) queries: usize,
    /// Ultrapeers of the tiers; nine leaves for each
    #[arg(long, default_value_t = 1_000)]
    pub(crate) ultrapeers: usize,
    /// Servents that come and go (`churn`, `hour`)
    #[arg(long, default_value_t = 10_000)]
    pub(crate) nodes: usize,
    /// Several runs, one for each of these seeds: A..B, B included (`churn`, `hour`)
    #[arg(long, value_name = "A..B", value_parser = super::args::range, conflicts_with = "seed")]
    pub(crate) seeds: Option<RangeInclusive<u64>>,
    /// The seed of the run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Exit code 1 if a figure is not what it has to be
    #[arg(long)]
    pub(crate) check: bool,
}

/// Messages and reach for a TTL of 2 to 7, and of a flood of all.
type Row = [(f64, f64); 7];

/// What an independent simulation of the same graphs gave, and how near ours has to come.
struct Known {
    name: &'static str,
    graph: fn(&mut Rng) -> Graph,
    row: Row,
    tolerance: f64,
    /// For each of [`REPLICATIONS`]: expanding ring, 32 walkers, one walker.
    search: Option<[[f64; 3]; 6]>,
}

const REPLICATIONS: [f64; 6] = [0.0005, 0.00125, 0.0025, 0.005, 0.01, 0.04];
const NODES: usize = 10_000;

const SNAP: Row = [
    (102.7, 97.2),
    (1213.4, 967.5),
    (11489.5, 4747.0),
    (44869.3, 9175.5),
    (66509.8, 10727.5),
    (69011.8, 10864.8),
    (69113.0, 10875.0),
];
const SNAP_SEARCH: [[f64; 3]; 6] = [
    [27515.0, 2982.0, 2746.0],
    [14172.0, 1000.0, 845.0],
    [8798.0, 530.0, 422.0],
    [4515.0, 318.0, 213.0],
    [2288.0, 212.0, 105.0],
    [744.0, 133.0, 25.0],
];

const KNOWN: [Known; 4] = [
    Known {
        name: "random, mean 4.1",
        graph: |rng| Graph::random(NODES, 20_450, rng),
        row: [
            (21.3, 21.3),
            (91.3, 90.8),
            (375.0, 367.0),
            (1500.0, 1374.0),
            (5502.0, 4091.0),
            (15561.0, 7693.0),
            (31084.0, 9802.0),
        ],
        tolerance: 0.1,
        search: Some([
            [8772.0, 2261.0, 2131.0],
            [4200.0, 1014.0, 845.0],
            [1946.0, 548.0, 414.0],
            [1046.0, 332.0, 205.0],
            [646.0, 224.0, 103.0],
            [137.0, 140.0, 25.0],
        ]),
    },
    Known {
        name: "4-regular",
        graph: |rng| Graph::regular(NODES, 4, rng),
        row: [
            (16.0, 16.0),
            (52.0, 51.9),
            (159.7, 158.9),
            (480.7, 473.0),
            (1423.0, 1357.0),
            (4074.0, 3544.0),
            (30001.0, 9999.0),
        ],
        tolerance: 0.02,
        search: None,
    },
    Known {
        name: "6-regular",
        graph: |rng| Graph::regular(NODES, 6, rng),
        row: [
            (36.0, 36.0),
            (185.8, 184.5),
            (928.0, 895.0),
            (4480.0, 3748.0),
            (18744.0, 9044.0),
            (45226.0, 9999.0),
            (50001.0, 9999.0),
        ],
        tolerance: 0.02,
        search: None,
    },
    Known {
        name: "8-regular",
        graph: |rng| Graph::regular(NODES, 8, rng),
        row: [
            (64.0, 63.9),
            (455.0, 446.0),
            (3132.0, 2742.0),
            (19205.0, 8940.0),
            (62586.0, 9999.0),
            (70001.0, 9999.0),
            (70001.0, 9999.0),
        ],
        tolerance: 0.02,
        search: None,
    },
];

/// TTLs of a [`Row`].
const TTLS: [u8; 7] = [2, 3, 4, 5, 6, 7, 60];

fn near(is: f64, known: f64, tolerance: f64) -> bool {
    (is / known - 1.0).abs() <= tolerance
}

impl Gnutella {
    /// Runs; whether all figures are what they have to be.
    ///
    /// # Errors
    /// If the SNAP graph cannot be read.
    pub(crate) fn run(&self, out: &mut Output) -> Result<bool, Failure> {
        match self.what {
            What::Flood => self.flood(out),
            What::Search => self.search(out),
            What::Tiers => Ok(self.tiers(out)),
            What::Churn => Ok(churn::churn(self, out)),
            What::Hour => Ok(churn::hour(self, out)),
        }
    }

    fn seeds(&self) -> RangeInclusive<u64> {
        self.seeds.clone().unwrap_or(self.seed..=self.seed)
    }

    /// The SNAP graph, if its path was given.
    fn snap(&self) -> Result<Option<Graph>, Failure> {
        let Some(path) = &self.snap else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(Failure::during(path.display()))?;
        Graph::of_text(&text).map(Some).map_err(Failure::during(path.display()))
    }

    fn flood(&self, out: &mut Output) -> Result<bool, Failure> {
        let mut table = Table::new(["graph", "TTL", "messages", "known", "reach", "known", "machines agree"]);
        let mut kept = true;
        let mut rows = Vec::new();
        if let Some(graph) = self.snap()? {
            rows.push(("SNAP 2002-08-04", graph, SNAP, 0.02, true));
        }
        for known in &KNOWN {
            let graph = (known.graph)(&mut Rng::fast_from(self.seed));
            rows.push((known.name, graph, known.row, known.tolerance, false));
        }
        for (name, graph, row, tolerance, all) in rows {
            let mut rng = Rng::fast_from(self.seed.wrapping_add(1));
            let sources: Vec<usize> = if all {
                (0..graph.nodes()).collect()
            } else {
                (0..self.sources).map(|_| rng.index(graph.nodes())).collect()
            };
            let (holders, mut scratch) = (Holders::none(&graph), Scratch::default());
            let asked: Vec<(usize, u8)> = TTLS
                .into_iter()
                .flat_map(|ttl| sources.iter().take(self.floods).map(move |at| (*at, ttl)))
                .collect();
            let by_machines = flood_by_machines(&graph, self.seed, &asked);
            for ((ttl, known), machines) in
                TTLS.into_iter().zip(row).zip(by_machines.chunks(self.floods.max(1)))
            {
                let mut sums = (0, 0);
                let mut agree = true;
                for (at, source) in sources.iter().enumerate() {
                    let cost = flood(&holders, *source, ttl.into(), &mut scratch);
                    sums = (sums.0 + cost.messages, sums.1 + cost.reached);
                    let form = Flood { messages: cost.messages, reached: cost.reached };
                    agree &= machines.get(at).is_none_or(|machines| *machines == form);
                }
                let mean = |sum: u64| sum as f64 / sources.len() as f64;
                let (messages, reach) = (mean(sums.0), mean(sums.1));
                kept &= agree && near(messages, known.0, tolerance) && near(reach, known.1, tolerance);
                table = table.row([
                    name.to_owned(),
                    if ttl == TTLS[6] { "all".into() } else { ttl.to_string() },
                    format!("{messages:.1}"),
                    format!("{:.1}", known.0),
                    format!("{reach:.1}"),
                    format!("{:.1}", known.1),
                    format!("{agree} ({})", machines.len()),
                ]);
                out.event(
                    Line::new("flood")
                        .text("graph", name)
                        .number("ttl", ttl)
                        .number("messages_milli", (messages * 1e3) as i128)
                        .number("reach_milli", (reach * 1e3) as i128)
                        .number("machines_agree", i128::from(agree)),
                );
            }
        }
        out.say(&table);
        Ok(kept)
    }

    fn search(&self, out: &mut Output) -> Result<bool, Failure> {
        let mut table = Table::new([
            "graph",
            "copies",
            "ring",
            "known",
            "32 walkers",
            "known",
            "hops",
            "1 walker",
            "known",
        ]);
        let mut kept = true;
        let mut rows = Vec::new();
        if let Some(graph) = self.snap()? {
            rows.push(("SNAP 2002-08-04", graph, SNAP_SEARCH));
        }
        for known in &KNOWN {
            let graph = (known.graph)(&mut Rng::fast_from(self.seed));
            if let Some(search) = known.search {
                rows.push((known.name, graph, search));
            }
        }
        for (name, graph, search) in rows {
            let (mut holders, mut scratch) = (Holders::none(&graph), Scratch::default());
            let mut rng = Rng::fast_from(self.seed.wrapping_add(2));
            for (replication, known) in REPLICATIONS.into_iter().zip(search) {
                let copies = (replication * graph.nodes() as f64).round().max(1.0) as usize;
                let (mut sums, mut hops, mut found) = ([0; 3], 0, 0);
                for _ in 0..self.queries {
                    let source = rng.index(graph.nodes());
                    holders.draw(copies, source, &mut rng);
                    sums[0] += expanding_ring(&holders, source, 60, &mut scratch).messages;
                    let many = walk(&holders, source, Walks::new(32), &mut rng);
                    sums[1] += many.messages;
                    hops += many.hops.unwrap_or(0);
                    found += u32::from(many.hops.is_some());
                    let one = Walks { steps_max: 32 * 1_024, ..Walks::new(1) };
                    sums[2] += walk(&holders, source, one, &mut rng).messages;
                }
                let means = sums.map(|sum| sum as f64 / self.queries as f64);
                // Where copies lie is drawn, in theirs 2,000 times too.
                kept &= means.iter().zip(known).all(|(is, known)| near(*is, known, 0.1));
                table = table.row([
                    name.to_owned(),
                    format!("{:.3} %", replication * 100.0),
                    format!("{:.0}", means[0]),
                    format!("{:.0}", known[0]),
                    format!("{:.0}", means[1]),
                    format!("{:.0}", known[1]),
                    format!("{:.1}", f64::from(hops) / f64::from(found.max(1))),
                    format!("{:.0}", means[2]),
                    format!("{:.0}", known[2]),
                ]);
                let [ring, many, one] = means.map(|mean| (mean * 1e3) as i128);
                out.event(
                    Line::new("search")
                        .text("graph", name)
                        .number("copies", copies as i128)
                        .number("ring_milli", ring)
                        .number("walkers_32_milli", many)
                        .number("walker_1_milli", one),
                );
            }
        }
        out.say(&table);
        Ok(kept)
    }

    fn tiers(&self, out: &mut Output) -> bool {
        const DEGREE: usize = 10;
        const TTL: u8 = 4;
        let leaves = 9 * self.ultrapeers;
        let asked = Tiers {
            ultrapeers: self.ultrapeers,
            degree: DEGREE,
            leaves,
            ttl: TTL,
            replications: vec![0.0005, 0.005, 0.01, 0.05],
            queries: self.queries.min(20),
        };
        // Without tables every ultrapeer that is reached asks all of its leaves.
        let graph = Graph::regular(self.ultrapeers, DEGREE, &mut Rng::fast_from(self.seed));
        let plain = flood(&Holders::none(&graph), 0, TTL.into(), &mut Scratch::default());
        let without =
            plain.messages as f64 + (plain.reached + 1) as f64 * 3.0 * leaves as f64 / self.ultrapeers as f64;
        let mut table = Table::new([
            "copies",
            "without tables",
            "with tables",
            "of them to leaves",
            "saved",
            "dynamic, for 50",
            "found",
        ]);
        let mut kept = true;
        for run in tiers(&asked, self.seed) {
            let saved = 1.0 - run.flood / without;
            let copies = run.replication * leaves as f64;
            kept &= run.replication > 0.01 || saved >= 0.9;
            // What there is is found, or enough and not 75 more.
            kept &= run.found >= copies.min(50.0) * 0.85 && run.found <= 125.0;
            kept &= run.replication < 0.01 || run.dynamic <= without / 10.0;
            table = table.row([
                format!("{:.2} %", run.replication * 100.0),
                format!("{without:.0}"),
                format!("{:.0}", run.flood),
                format!("{:.0}", run.flood_to_leaves),
                format!("{:.1} %", saved * 100.0),
                format!("{:.0}", run.dynamic),
                format!("{:.1}", run.found),
            ]);
            out.event(
                Line::new("tiers")
                    .number("copies", copies as i128)
                    .number("without_milli", (without * 1e3) as i128)
                    .number("with_milli", (run.flood * 1e3) as i128)
                    .number("dynamic_milli", (run.dynamic * 1e3) as i128)
                    .number("found_milli", (run.found * 1e3) as i128),
            );
        }
        out.say(&table);
        kept
    }
}
