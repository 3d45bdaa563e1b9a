//! What a run of a simulated swarm showed.

/// What a run showed; times are virtual.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The scenario.
    pub name: &'static str,
    /// The seed of the run.
    pub seed: u64,
    /// Whether every honest peer finished.
    pub finished: bool,
    /// The lower bound in seconds.
    pub bound: f64,
    /// When the last honest peer had everything, in seconds.
    pub last: f64,
    /// Payload that the seed and the honest peers sent until then, as a share of what their uplinks could carry.
    pub utilisation: f64,
    /// The same where what could be carried in 20 s is no more than the downlinks of those that still fetch could take.
    pub usable: f64,
    /// Payload that honest peers received in vain, as a share of what they received.
    pub wasted: f64,
    /// Bytes sent that were no payload, as a share of the payload.
    pub overhead: f64,
    /// The groups, in the scenario's order.
    pub groups: Vec<GroupFigures>,
    /// Utilisation of each interval of 20 s.
    pub timeline: Vec<f64>,
    /// The digest of everything that happened.
    pub digest: u64,
    /// Inputs that machines were given.
    pub inputs: u64,
    /// Peers that were found out as liars, counted by each who did.
    pub banned: u64,
}

/// What a run showed of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupFigures {
    /// Its name.
    pub name: &'static str,
    /// How many finished.
    pub finished: usize,
    /// How many there are.
    pub count: usize,
    /// When the first, the middle and the last finished, in seconds after they came.
    pub times: [f64; 3],
    /// Payload that they sent, as a share of what they received.
    pub ratio: f64,
}

impl Figures {
    /// How much longer than the bound the last honest peer took.
    #[must_use]
    pub fn stretch(&self) -> f64 {
        self.last / self.bound
    }
}
