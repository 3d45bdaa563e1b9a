//! What a simulated swarm consists of: [`Scenario`], and the four that papers measure.

use super::figures::Figures;
use p2p_bittorrent::picker::Mode;
use p2p_core::Duration;
use p2p_sim::Bandwidth;

/// The bandwidth of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Bits a second down.
    pub down: u64,
    /// Bits a second up.
    pub up: u64,
}

impl Access {
    /// So many kbit/s (1,000 bits) down and up.
    #[must_use]
    pub const fn kbit(down: u64, up: u64) -> Self {
        Self { down: down * 1000, up: up * 1000 }
    }

    pub(super) const fn bandwidth(self) -> Bandwidth {
        Bandwidth::bits(self.up, self.down)
    }
}

/// How a peer behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Conduct {
    /// As the client does.
    Honest,
    /// It takes, and never unchokes anybody.
    FreeRider,
    /// It says that it has everything, and this share of the blocks that it sends is rubbish (0 to 1).
    Liar(f64),
}

/// Peers of one kind.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they are called in tables.
    pub name: &'static str,
    /// How many.
    pub count: usize,
    /// Their bandwidth.
    pub access: Access,
    /// How they behave.
    pub conduct: Conduct,
}

impl Group {
    /// Honest peers.
    #[must_use]
    pub const fn honest(name: &'static str, count: usize, access: Access) -> Self {
        Self { name, count, access, conduct: Conduct::Honest }
    }
}

/// A swarm: one seed, and peers that come to fetch what it has.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// Pieces of the content.
    pub pieces: u32,
    /// Bytes of a piece: a multiple of 16 KiB.
    pub piece_len: u32,
    /// The seed's bandwidth.
    pub seed: Access,
    /// Those that fetch, and liars.
    pub groups: Vec<Group>,
    /// Upload slots of everybody who gives, the optimistic ones aside; `None`: as many as pay, which is the client's
    /// default.
    pub slots: Option<u16>,
    /// All arrive within this.
    pub arrivals: Duration,
    /// In which order pieces are asked for.
    pub order: Mode,
    /// Whether peers leave once they have everything, or stay as seeds.
    pub leave: bool,
    /// What [`misses`](Self::misses) compares a run with.
    pub promised: Promised,
    /// The run is given up after so many times the bound.
    pub patience: f64,
}

/// What is promised of a scenario's runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promised {
    /// The last honest peer's time, over the bound, at most.
    pub stretch: f64,
    /// Whether the bound is the one in whole parts, [`Scenario::bound_in_parts`].
    pub in_parts: bool,
    /// Use of the uplinks until then, at least.
    pub utilisation: f64,
    /// The same of what the downlinks could take, at least.
    pub usable: f64,
    /// Share of payload received in vain, at most.
    pub wasted: f64,
    /// Nobody of a group waits for somebody of a later group, which gives less: its last one has everything before the
    /// first one of the next.
    pub in_order: bool,
    /// How many times longer the middle one of the last group takes than that of the first, at least.
    pub slower: f64,
}

/// Bharambe's peers: 1.5 Mbit/s down, 0.4 up.
const DSL: Access = Access::kbit(1_500, 400);

impl Scenario {
    fn new(name: &'static str, pieces: u32, piece_len: u32, seed: Access, groups: Vec<Group>) -> Self {
        let arrivals = Duration::from_secs(10);
        let promised = Promised {
            stretch: 1.10,
            in_parts: false,
            utilisation: 0.95,
            usable: 0.0,
            wasted: 0.02,
            in_order: false,
            slower: 0.0,
        };
        Self {
            name,
            pieces,
            piece_len,
            seed,
            groups,
            slots: Some(4),
            arrivals,
            order: Mode::RarestFirst,
            leave: false,
            promised,
            patience: 4.0,
        }
    }

    /// S1: everybody alike, 1 MiB/s up and 10 down, 256 pieces of 1 MiB.
    #[must_use]
    pub fn homogeneous(peers: usize) -> Self {
        let access = Access { down: 10 << 23, up: 1 << 23 };
        let mut scenario =
            Self::new("homogeneous", 256, 1 << 20, access, vec![Group::honest("peer", peers, access)]);
        (scenario.promised.stretch, scenario.promised.in_parts) = (1.15, true);
        scenario.promised.utilisation = 0.0;
        scenario
    }

    /// S2: a flash crowd at a seed of 6 Mbit/s (the setting of Bharambe, Herley and Padmanabhan 2006).
    #[must_use]
    pub fn flash_crowd(peers: usize) -> Self {
        let seed = Access::kbit(6_000, 6_000);
        Self::new("flash-crowd", 400, 256 << 10, seed, vec![Group::honest("peer", peers, DSL)])
    }

    /// S3: the same at a seed that sends no faster than anybody.
    #[must_use]
    pub fn weak_seed(peers: usize) -> Self {
        let mut scenario = Self::flash_crowd(peers);
        (scenario.name, scenario.seed) = ("weak-seed", DSL);
        (scenario.promised.stretch, scenario.promised.utilisation) = (1.15, 0.0);
        scenario
    }

    /// S4: three access classes, a third of the peers each. They have as many upload slots as pay: four and a half slow
    /// downlinks do not take what a fast uplink can send.
    #[must_use]
    pub fn classes(peers: usize) -> Self {
        let mut scenario = Self::flash_crowd(peers);
        scenario.name = "classes";
        (scenario.promised.stretch, scenario.promised.utilisation) = (f64::INFINITY, 0.0);
        (scenario.promised.usable, scenario.promised.in_order) = (0.90, true);
        scenario.slots = None;
        let third = peers / 3;
        scenario.groups = vec![
            Group::honest("6/3", third, Access::kbit(6_000, 3_000)),
            Group::honest("1.5/0.4", third, DSL),
            Group::honest("0.784/0.128", peers - 2 * third, Access::kbit(784, 128)),
        ];
        scenario
    }

    /// A tenth of the peers takes without giving. Who has everything leaves, so that the swarm stays scarce: the seed sends
    /// as much as fifteen peers, whatever their number.
    #[must_use]
    pub fn free_riders(peers: usize) -> Self {
        let mut scenario = Self::flash_crowd(peers);
        scenario.leave = true;
        (scenario.promised.stretch, scenario.promised.utilisation) = (f64::INFINITY, 0.0);
        (scenario.promised.in_order, scenario.promised.slower) = (true, 3.0);
        scenario.name = "free-riders";
        let riders = peers / 10;
        scenario.groups = vec![
            Group::honest("contributor", peers - riders, DSL),
            Group { name: "free rider", count: riders, access: DSL, conduct: Conduct::FreeRider },
        ];
        scenario.patience = 12.0;
        scenario
    }

    /// A fifth of the peers pretends to have everything and sends rubbish.
    #[must_use]
    pub fn liars(peers: usize) -> Self {
        let mut scenario = Self::flash_crowd(peers);
        scenario.name = "liars";
        scenario.promised.utilisation = 0.90;
        let liars = peers / 5;
        scenario.groups = vec![
            Group::honest("honest", peers - liars, DSL),
            Group { name: "liar", count: liars, access: DSL, conduct: Conduct::Liar(1.0) },
        ];
        scenario
    }

    /// Bytes of the content.
    #[must_use]
    pub fn total(&self) -> u64 {
        u64::from(self.pieces) * u64::from(self.piece_len)
    }

    /// The shortest time in seconds in which all honest peers can have everything, if content were a fluid (Kumar and
    /// Ross 2006): the seed must send it once, the slowest must receive it, and all uplinks together must carry a copy
    /// for each peer.
    #[must_use]
    pub fn bound(&self) -> f64 {
        let bits = self.total() as f64 * 8.0;
        let honest =
            || self.groups.iter().filter(|group| group.conduct == Conduct::Honest && group.count > 0);
        let up: u64 = honest().map(|group| group.count as u64 * group.access.up).sum();
        let peers: usize = honest().map(|group| group.count).sum();
        let slowest = honest().map(|group| group.access.down).min().unwrap_or(self.seed.down);
        (bits / self.seed.up as f64)
            .max(bits / slowest as f64)
            .max(peers as f64 * bits / (self.seed.up + up) as f64)
    }

    /// The shortest time in seconds if everybody has the same uplink, the seed too, and content comes in pieces of which
    /// nobody can pass on a part: with M pieces and N peers, as Mundinger, Weber and Weiss 2006 prove, the time in which
    /// an uplink carries the content once, times 1 + floor(log2 N) / M.
    ///
    /// # Panics
    /// If uplinks differ: there is no such formula then.
    #[must_use]
    pub fn bound_in_parts(&self) -> f64 {
        let honest = || self.groups.iter().filter(|group| group.conduct == Conduct::Honest);
        assert!(honest().all(|group| group.access.up == self.seed.up), "all uplinks are equal");
        let peers: usize = honest().map(|group| group.count).sum();
        let once = self.total() as f64 * 8.0 / self.seed.up as f64;
        once * (1.0 + f64::from(peers.max(1).ilog2()) / f64::from(self.pieces))
    }

    /// The bounds that a run of this scenario missed.
    #[must_use]
    pub fn misses(&self, run: &Figures) -> Vec<String> {
        let mut misses = Vec::new();
        if !run.finished {
            misses.push("not all honest peers finished".into());
        }
        let (bound, stretch) = match self.promised.in_parts {
            true => ("the last one's time over the bound in whole pieces", run.last / self.bound_in_parts()),
            false => ("the last one's time over the bound", run.stretch()),
        };
        for (what, is, most) in [
            (bound, stretch, self.promised.stretch),
            ("the share of payload received in vain", run.wasted, self.promised.wasted),
        ] {
            if is > most {
                misses.push(format!("{what} is {is:.4}, {most} at most was promised"));
            }
        }
        for (what, is, least) in [
            ("use of the uplinks", run.utilisation, self.promised.utilisation),
            ("use of what downlinks could take of the uplinks", run.usable, self.promised.usable),
        ] {
            if is < least {
                misses.push(format!("{what} is {is:.4}, {least} at least was promised"));
            }
        }
        self.misses_of_groups(run, &mut misses);
        misses
    }

    fn misses_of_groups(&self, run: &Figures, misses: &mut Vec<String>) {
        for pair in run.groups.windows(2) {
            let (last, first) = (pair[0].times[2], pair[1].times[0]);
            // Not a number where nobody finished, which is after everybody else.
            if self.promised.in_order && last >= first {
                let (one, other) = (pair[0].name, pair[1].name);
                misses.push(format!("the last {one} took {last:.0} s, the first {other} {first:.0} s"));
            }
        }
        if let (Some(one), Some(other)) = (run.groups.first(), run.groups.last()) {
            let (slower, least) = (other.times[1] / one.times[1], self.promised.slower);
            if slower < least {
                let (one, other) = (one.name, other.name);
                misses
                    .push(format!("{other} took {slower:.2} times as long as {one}, {least} were promised"));
            }
        }
    }

    /// The same scenario with smaller content.
    #[must_use]
    pub const fn with_pieces(mut self, pieces: u32) -> Self {
        self.pieces = pieces;
        self
    }
}
