//! The arguments of `sim`.

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use p2p_bittorrent::picker::Mode;
use p2p_examples::swarm::Scenario;
use std::ops::RangeInclusive;

/// Run swarms of real machines in virtual time, and compare them with what no swarm can beat.
///
/// The same seed gives the same run, to the last bit, in every build. Exit codes: 0 done, 1 a bound was missed (with
/// --check) or a file cannot be read, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
pub(crate) struct Args {
    /// One JSON object a line on standard output, one for each run
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) system: System,
}

#[derive(Debug, Subcommand)]
pub(crate) enum System {
    /// BitTorrent: a seed, a tracker, and peers that come to fetch 100 MiB or more
    Bittorrent(Bittorrent),
    /// Chord: rings of real nodes, beside the papers' figures
    Chord(super::chord::Chord),
    /// End System Multicast: groups of real members, beside the papers' figures
    Esm(super::esm::Esm),
    /// Gnutella: floods, searches and tiers of real servents, beside what is known of them
    Gnutella(super::gnutella::Gnutella),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Which {
    /// S1: all alike, 1 MiB/s up and 10 down, 256 pieces of 1 MiB
    Homogeneous,
    /// S2: 1.5 Mbit/s down and 0.4 up, 400 pieces of 256 KiB, a seed of 6 Mbit/s
    FlashCrowd,
    /// S3: the same, and a seed of 0.4 Mbit/s
    WeakSeed,
    /// S4: thirds of 6/3, 1.5/0.4 and 0.784/0.128 Mbit/s down and up
    Classes,
    /// S3, and a tenth takes without giving
    FreeRiders,
    /// S2, and a fifth pretends to have everything and sends rubbish
    Liars,
}

#[derive(Debug, Arguments)]
pub(crate) struct Bittorrent {
    /// What the swarm consists of
    pub(crate) scenario: Which,
    /// Peers that come; 100 in `homogeneous`, else 1,000, if not given
    #[arg(long)]
    pub(crate) peers: Option<usize>,
    /// Pieces of the content, if not the scenario's own number
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) pieces: Option<u32>,
    /// The seed of the run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Several runs, one for each of these seeds: A..B, B included
    #[arg(long, value_name = "A..B", value_parser = range, conflicts_with = "seed")]
    pub(crate) seeds: Option<RangeInclusive<u64>>,
    /// Ask for pieces at random instead of rarest first
    #[arg(long)]
    pub(crate) random: bool,
    /// Exit code 1 if a run misses a bound
    #[arg(long)]
    pub(crate) check: bool,
    /// Show how much of the uplinks was used in every 20 seconds
    #[arg(long)]
    pub(crate) timeline: bool,
}

impl Bittorrent {
    pub(crate) fn scenario(&self) -> Scenario {
        let peers =
            self.peers.unwrap_or(if matches!(self.scenario, Which::Homogeneous) { 100 } else { 1_000 });
        let mut scenario = match self.scenario {
            Which::Homogeneous => Scenario::homogeneous(peers),
            Which::FlashCrowd => Scenario::flash_crowd(peers),
            Which::WeakSeed => Scenario::weak_seed(peers),
            Which::Classes => Scenario::classes(peers),
            Which::FreeRiders => Scenario::free_riders(peers),
            Which::Liars => Scenario::liars(peers),
        };
        if let Some(pieces) = self.pieces {
            scenario = scenario.with_pieces(pieces);
        }
        if self.random {
            scenario.order = Mode::Random;
        }
        scenario
    }

    pub(crate) fn seeds(&self) -> RangeInclusive<u64> {
        self.seeds.clone().unwrap_or(self.seed..=self.seed)
    }
}

pub(crate) fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let parts = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..=to.parse().ok()?));
    parts
        .filter(|range| !range.is_empty())
        .ok_or_else(|| "two numbers, the smaller first, such as 1..20".into())
}
