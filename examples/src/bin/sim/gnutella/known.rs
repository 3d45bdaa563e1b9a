//! What an independent simulation of the same graphs gave (facts on Gnutella, section 6.3, and the outputs that it sums up).

use p2p_core::Rng;
use p2p_examples::servents::Graph;

/// Nodes of the graphs that are drawn.
pub(super) const NODES: usize = 10_000;
/// Queries of which each figure of a [`Search`] is the mean.
pub(super) const QUERIES: f64 = 2_000.0;
/// TTLs of a [`Known::floods`].
pub(super) const TTLS: [u8; 7] = [2, 3, 4, 5, 6, 7, ALL];
/// The TTL of a flood that nothing bounds.
pub(super) const ALL: u8 = 60;
/// How near ours has to come where chance is in nothing but the graph that was drawn, which is another one.
const DRAWN: f64 = 0.1;
/// And where all such graphs are alike, or it is the same graph.
const ALIKE: f64 = 0.02;

/// What a search cost in the mean of [`QUERIES`], at a replication.
pub(super) struct Search {
    /// The share of the nodes that have what is looked for.
    pub(super) replication: f64,
    /// Messages of floods with a TTL of 1, 3, 5 and on.
    pub(super) ring: f64,
    /// Messages of 32 walkers that ask the source every four steps.
    pub(super) walkers: f64,
    /// Steps until one of them found it.
    pub(super) hops: f64,
    /// Messages of a walker alone, which stops where it finds something: nobody else is to be stopped.
    pub(super) walker: f64,
}

/// What is known of a graph.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// How the graph is drawn; the SNAP graph is read.
    pub(super) graph: Option<fn(&mut Rng) -> Graph>,
    /// Messages and reach of floods with [`TTLS`].
    pub(super) floods: [(f64, f64); 7],
    /// The same for a flood of its first node, with TTLs of 1 to 7.
    pub(super) first: Option<[(u64, u64); 7]>,
    /// By which part of it figures may differ.
    pub(super) tolerance: f64,
    /// The last digit that messages of searches are written with.
    pub(super) digit: f64,
    pub(super) searches: &'static [Search],
}

const fn search(replication: f64, ring: f64, walkers: f64, hops: f64, walker: f64) -> Search {
    Search { replication, ring, walkers, hops, walker }
}

/// The graph of 4 August 2002 as SNAP has it: floods from each of its nodes.
pub(super) const SNAP: Known = Known {
    name: "SNAP 2002-08-04",
    graph: None,
    floods: [
        (102.7, 97.2),
        (1213.4, 967.5),
        (11489.5, 4747.0),
        (44869.3, 9175.5),
        (66509.8, 10727.5),
        (69011.8, 10864.8),
        (69113.0, 10875.0),
    ],
    first: Some([
        (17, 17),
        (215, 200),
        (2_871, 2_275),
        (26_355, 7_897),
        (66_138, 10_716),
        (69_092, 10_861),
        (69_113, 10_875),
    ]),
    tolerance: ALIKE,
    digit: 0.1,
    searches: &[
        search(0.0005, 27_515.1, 2_981.5, 90.7, 2_746.0),
        search(0.00125, 14_172.3, 1_000.1, 29.7, 845.3),
        search(0.0025, 8_798.4, 530.2, 15.0, 422.3),
        search(0.005, 4_514.5, 318.0, 8.5, 212.8),
        search(0.01, 2_288.1, 211.6, 5.1, 104.6),
        search(0.04, 744.4, 132.9, 2.3, 25.4),
    ],
};

/// Graphs that are drawn.
pub(super) const DRAWINGS: [Known; 4] = [
    Known {
        name: "random, mean 4.1",
        graph: Some(|rng| Graph::random(NODES, 20_450, rng)),
        floods: [
            (21.3, 21.3),
            (91.3, 90.8),
            (375.0, 367.0),
            (1500.0, 1374.0),
            (5502.0, 4091.0),
            (15561.0, 7693.0),
            (31084.0, 9802.0),
        ],
        first: None,
        tolerance: DRAWN,
        digit: 1.0,
        searches: &[
            search(0.0005, 8_772.0, 2_261.0, 69.0, 2_131.0),
            search(0.00125, 4_200.0, 1_014.0, 30.0, 845.0),
            search(0.0025, 1_946.0, 548.0, 15.6, 414.0),
            search(0.005, 1_046.0, 332.0, 8.9, 205.0),
            search(0.01, 646.0, 224.0, 5.5, 103.0),
            search(0.04, 137.0, 140.0, 2.8, 25.0),
        ],
    },
    Known {
        name: "4-regular",
        graph: Some(|rng| Graph::regular(NODES, 4, rng)),
        floods: [
            (16.0, 16.0),
            (52.0, 51.9),
            (159.7, 158.9),
            (480.7, 473.0),
            (1423.0, 1357.0),
            (4074.0, 3544.0),
            (30001.0, 9999.0),
        ],
        first: None,
        tolerance: ALIKE,
        digit: 0.1,
        searches: &[
            search(0.0005, 6_365.9, 2_051.1, 62.6, 1_915.6),
            search(0.00125, 2_677.7, 930.6, 27.6, 769.8),
            search(0.0025, 1_644.9, 521.2, 14.8, 399.0),
            search(0.005, 825.2, 327.6, 8.7, 202.0),
            search(0.01, 364.6, 220.4, 5.4, 98.0),
            search(0.04, 104.8, 136.6, 2.7, 25.0),
        ],
    },
    Known {
        name: "6-regular",
        graph: Some(|rng| Graph::regular(NODES, 6, rng)),
        floods: [
            (36.0, 36.0),
            (185.8, 184.5),
            (928.0, 895.0),
            (4480.0, 3748.0),
            (18744.0, 9044.0),
            (45226.0, 9999.0),
            (50001.0, 9999.0),
        ],
        first: None,
        tolerance: ALIKE,
        digit: 0.1,
        searches: &[],
    },
    Known {
        name: "8-regular",
        graph: Some(|rng| Graph::regular(NODES, 8, rng)),
        floods: [
            (64.0, 63.9),
            (455.0, 446.0),
            (3132.0, 2742.0),
            (19205.0, 8940.0),
            (62586.0, 9999.0),
            (70001.0, 9999.0),
            (70001.0, 9999.0),
        ],
        first: None,
        tolerance: ALIKE,
        digit: 0.1,
        searches: &[],
    },
];

/// What a query cost in two tiers of 1,000 ultrapeers and 9,000 leaves with three of them each.
pub(super) struct Tiers {
    /// Neighbours of an ultrapeer among its like.
    pub(super) degree: usize,
    pub(super) ttl: u8,
    /// Messages of a flood without tables.
    pub(super) without: f64,
    pub(super) rows: &'static [Tables],
}

/// The same with tables, at a replication on the leaves.
pub(super) struct Tables {
    pub(super) replication: f64,
    /// Messages of a flood where leaves have tables.
    pub(super) of_leaves: Option<f64>,
    /// And where ultrapeers have tables for the last hop too.
    pub(super) of_all: Option<f64>,
    /// Messages of a dynamic query for 50 results, and how many it found.
    pub(super) dynamic: Option<f64>,
    pub(super) found: Option<f64>,
    /// Messages of 32 walkers for one hit in 10,000 servents that are all alike, the fewer of the graphs above.
    pub(super) walkers: Option<f64>,
}

/// The share of leaves whose tables were made to claim wrongly that they have it, and of ultrapeers.
pub(super) const WRONG_LEAVES: f64 = 0.01;
pub(super) const WRONG_ULTRAPEERS: f64 = 0.05;
/// How near ours has to come: the graphs are drawn, and dynamic queries are others'.
pub(super) const TIERS_NEAR: f64 = DRAWN;

const fn tables(
    replication: f64,
    of_leaves: f64,
    of_all: f64,
    dynamic: (f64, f64),
    walkers: Option<f64>,
) -> Tables {
    let (dynamic, found) = (Some(dynamic.0), Some(dynamic.1));
    Tables { replication, of_leaves: Some(of_leaves), of_all: Some(of_all), dynamic, found, walkers }
}

const fn walkers(replication: f64, walkers: f64) -> Tables {
    let (of_leaves, of_all, dynamic, found) = (None, None, None, None);
    Tables { replication, of_leaves, of_all, dynamic, found, walkers: Some(walkers) }
}

pub(super) const TIERS: [Tiers; 2] = [
    Tiers {
        degree: 10,
        ttl: 4,
        without: 32_431.0,
        rows: &[
            tables(0.0005, 5_722.0, 1_453.0, (435.0, 5.0), Some(2_261.0)),
            walkers(0.00125, 1_000.0),
            walkers(0.0025, 530.0),
            tables(0.005, 5_834.0, 2_053.0, (481.0, 44.5), Some(318.0)),
            tables(0.01, 5_973.0, 2_670.0, (177.0, 53.1), Some(212.0)),
            tables(0.05, 7_040.0, 5_918.0, (93.0, 52.4), None),
        ],
    },
    Tiers {
        degree: 32,
        ttl: 3,
        without: 47_200.0,
        rows: &[
            Tables { found: None, ..tables(0.0005, 20_768.0, 2_549.0, (1_250.0, 0.0), Some(2_261.0)) },
            Tables { of_leaves: None, found: None, ..tables(0.05, 0.0, 17_134.0, (137.0, 0.0), None) },
        ],
    },
];
