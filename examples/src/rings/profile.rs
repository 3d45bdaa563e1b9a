//! How the nodes of a simulated ring are set: [`Profile`].

use p2p_chord::{Config, Routing};
use p2p_core::Duration;
use std::net::SocketAddr;

/// Where all of them listen.
pub(super) const PORT: u16 = 4000;

/// No upkeep.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// How the nodes of a ring are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Successors that a node knows, r.
    pub successors: usize,
    /// Fingers have base `2^base_bits`.
    pub base_bits: u8,
    /// A finger's slot is cut into so many parts, 2^part_bits, with a finger each.
    pub part_bits: u8,
    /// Nodes that a lookup asks at a time.
    pub parallel: usize,
    /// Nodes of a slot of which a finger is the nearest; 1 for the first one, as in the paper.
    pub nearest_of: usize,
    /// How often a node asks its successor.
    pub upkeep: Duration,
    /// How often it looks after a finger, and meets a successor that it has not met.
    pub fingers: Duration,
    /// Whether questions are passed on from node to node.
    pub recursive: bool,
    /// Members that a node knows at most, if it is to know everybody; else 0.
    pub everybody: usize,
}

impl Profile {
    /// The paper's: base 2, one question at a time, no regard to distance, and no upkeep.
    #[must_use]
    pub const fn plain(successors: usize) -> Self {
        Self {
            successors,
            base_bits: 1,
            part_bits: 0,
            parallel: 1,
            nearest_of: 1,
            upkeep: NEVER,
            fingers: NEVER,
            recursive: false,
            everybody: 0,
        }
    }

    /// The library's base-16 profile ([`Config::base16`]), with the paper's one question at a time, and no upkeep.
    #[must_use]
    pub fn base16() -> Self {
        let Config { successors, base_bits, part_bits, .. } = Config::base16();
        Self { base_bits, part_bits, ..Self::plain(successors) }
    }

    /// The configuration that it is.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.listen = SocketAddr::from(([0, 0, 0, 0], PORT));
        config.successors = self.successors;
        config.base_bits = self.base_bits;
        config.part_bits = self.part_bits;
        config.parallel = self.parallel;
        config.proximity = self.nearest_of > 1;
        config.stabilise = self.upkeep;
        config.fix_finger = self.fingers;
        config.sample = u8::try_from(self.nearest_of).unwrap_or(u8::MAX).min(16);
        config.everybody = self.everybody;
        if self.recursive {
            config.routing = Routing::Recursive;
        }
        config
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "base {}, r {}, {} at a time", 1u32 << self.base_bits, self.successors, self.parallel)?;
        if self.part_bits > 0 {
            write!(f, ", {} fingers a slot", 1u32 << self.part_bits)?;
        }
        if self.nearest_of > 1 {
            write!(f, ", PNS({})", self.nearest_of)?;
        }
        if self.everybody > 0 {
            f.write_str(", all known")?;
        }
        if self.recursive { f.write_str(", recursive") } else { Ok(()) }
    }
}
