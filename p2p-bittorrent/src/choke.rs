//! Whom to upload to: tit for tat while we download (Cohen 2003), taking turns while we seed (Legout et al. 2006).
//!
//! Every ten seconds, among the peers that are interested:
//!
//! - **Leech.** The peers that gave us most over the last 20 seconds are unchoked. A peer that has us unchoked and sent
//!   nothing for a minute has snubbed us: it is only ever unchoked optimistically, and there is one more optimistic
//!   slot to find a better one.
//! - **Seed.** Peers take turns, whoever was never served first, then whoever waited longest. A turn is over when the
//!   peer got [`Config::turn`] bytes, so that it ends with something to pass on however slow we are, and each gets the
//!   same whatever its rate: a fast free rider gets no more than its turn. (The "new seed choke" of Legout et al. does
//!   the same by time, which leaves the peers of a slow seed with fractions of a piece.)
//! - **Beginner.** A leech of fewer than [`BEGINNER`] pieces has nothing yet that it was paid for with. It takes turns as
//!   a seed does, but serves one peer at a time (another one more after each round in which no turn ended): a crowd in
//!   which each piece is passed on whole before the next doubles what it can send several times faster than one in which
//!   five pieces creep side by side.
//! - **Optimistic**, in both roles of a leech's kind: one peer in five is unchoked whatever it gave, another one every
//!   30 seconds, newly connected peers with three times the weight, and again those that have no piece yet.
//!
//! A peer that wants something while a slot is free does not wait for the round: see [`Choker::fill`].

use alloc::vec::Vec;
use p2p_core::{Duration, Instant, Rng};

/// The name of a peer, as in [`crate::picker`].
pub type PeerKey = u32;

/// What we are to the swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We want pieces.
    Leech,
    /// We have all that we want.
    Seed,
    /// We want pieces and have fewer than [`BEGINNER`].
    Beginner,
}

/// How many peers are unchoked at a time, the optimistic ones aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// Always so many.
    Fixed(u16),
    /// From `least` to `most`, by trial. While all slots are taken, somebody waits and a slot carries
    /// [`Config::worth_a_slot`] on average, slots are added by half at a time; if two rounds later the upload rate
    /// has not grown by a tenth, they are taken away again and the next trial waits for a minute. A small uplink so
    /// stays at `least`, a large one opens slots until it is full.
    Auto {
        /// The number to begin with: 4 in BEP 3's day and still right for up to a few Mbit/s.
        least: u16,
        /// More are never opened.
        most: u16,
    },
}

/// How the choker decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The number of regular slots.
    pub slots: Slots,
    /// Between two rounds: 10 s, long enough for TCP to reach its rate (Cohen 2003).
    pub round: Duration,
    /// Between two changes of the optimistic unchokes: 30 s.
    pub optimistic: Duration,
    /// A peer is new for so long, and three times as likely to be unchoked optimistically: 60 s.
    pub newly: Duration,
    /// Bytes that a peer gets from a seed before it is another one's turn: a piece of the torrent.
    pub turn: u64,
    /// Bytes per second that a slot carries at least before another is opened. 20 kB/s is a piece of 1 MiB in a minute.
    pub worth_a_slot: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slots: Slots::Auto { least: 4, most: 200 },
            round: Duration::from_secs(10),
            optimistic: Duration::from_secs(30),
            newly: Duration::from_secs(60),
            turn: 256 * 1024,
            worth_a_slot: 20_000,
        }
    }
}

/// After so long without a block from a peer that has us unchoked and owes us some, we are snubbed (Cohen 2003).
pub const SNUBBED_AFTER: Duration = Duration::from_secs(60);

/// With so many pieces a leech is no [`Role::Beginner`] any more.
pub const BEGINNER: u32 = 4;

/// What the choker has to know of a peer. Peers that are neither interested nor unchoked can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The peer's name.
    pub key: PeerKey,
    /// It wants something of us.
    pub interested: bool,
    /// We have it unchoked.
    pub unchoked: bool,
    /// See [`SNUBBED_AFTER`].
    pub snubbed: bool,
    /// Bytes per second that it sends us.
    pub rate_in: u64,
    /// Bytes per second that we send it.
    pub rate_out: u64,
    /// When we last unchoked it; `None` if never.
    pub unchoked_at: Option<Instant>,
    /// Payload that it got since then.
    pub given: u64,
    /// When the connection was made.
    pub connected_at: Instant,
    /// It has no piece yet, and we gave it less than one: a piece would make it one that gives.
    pub empty: bool,
    /// It lacks an eighth of the pieces at most, and we gave it less than an eighth.
    pub nearly: bool,
}

/// The choker of one torrent (or of a whole client: it decides among whatever candidates it is shown).
#[derive(Clone, Debug)]
pub struct Choker {
    config: Config,
    slots: u16,
    trial: Trial,
    /// When a peer last had to make room for another.
    made_room_at: Instant,
    /// Rounds since a turn ended.
    turnless: u16,
    rotated_at: Option<Instant>,
    optimistic: Vec<PeerKey>,
    chosen: Vec<PeerKey>,
    ranked: Vec<(u64, u64, u32)>,
}

#[derive(Clone, Copy, Debug)]
enum Trial {
    None { not_before: Instant },
    Running { before: u16, rate: u64, since: Instant },
}

/// A turn is over after so many rounds, whatever the peer got.
const LONGEST_TURN: u32 = 12;
/// A slot is on trial for so long: two rounds, as long as the rates look back.
const TRIAL: Duration = Duration::from_secs(20);
/// How much likelier a newly connected peer is unchoked optimistically, and one that has nothing.
const NEWCOMER: u32 = 3;
const TRIAL_PAUSE: Duration = Duration::from_secs(60);

impl Choker {
    /// A choker that has unchoked nobody.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        let slots = match config.slots {
            Slots::Fixed(slots) | Slots::Auto { least: slots, .. } => slots,
        };
        Self {
            config,
            slots,
            trial: Trial::None { not_before: Instant::ZERO },
            made_room_at: Instant::ZERO,
            turnless: 0,
            rotated_at: None,
            optimistic: Vec::new(),
            chosen: Vec::new(),
            ranked: Vec::new(),
        }
    }

    /// The time between two rounds.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.config.round
    }

    /// How many peers are unchoked by merit or by turn.
    #[must_use]
    pub const fn regular_slots(&self) -> usize {
        self.slots as usize
    }

    /// How many are unchoked optimistically: one, and one more per five slots beyond the first
    /// four; none if there are no slots.
    #[must_use]
    pub const fn optimistic_slots(&self) -> usize {
        match self.slots {
            0 => 0,
            1..8 => 1,
            slots => slots as usize / 4,
        }
    }

    /// Whether a peer that becomes interested while `unchoked` interested peers are unchoked can be unchoked at once.
    #[must_use]
    pub fn has_room(&self, role: Role, unchoked: usize) -> bool {
        unchoked < self.slots_of(role)
    }

    /// Whether a peer of a full seed may make room for another: once in half a round, so that no crowd of newcomers
    /// empties it.
    #[must_use]
    pub fn may_rotate(&self, now: Instant) -> bool {
        now.since(self.made_room_at) >= self.config.round / 2
    }

    /// A peer had to make room.
    pub const fn rotated(&mut self, now: Instant) {
        self.made_room_at = now;
    }

    /// Decides anew: the peers to be unchoked, in ascending order; all others are to be choked. `upload_rate` is what
    /// goes out to all of them, in bytes per second.
    pub fn round(
        &mut self,
        now: Instant,
        role: Role,
        upload_rate: u64,
        peers: &[Candidate],
        rng: &mut Rng,
    ) -> &[PeerKey] {
        self.adapt(now, upload_rate, peers);
        self.chosen.clear();
        match role {
            Role::Leech => self.by_merit(now, peers, rng),
            Role::Seed | Role::Beginner => self.by_turn(now, role, peers, rng),
        }
        self.turnless = self.turnless.saturating_add(1);
        self.chosen.sort_unstable();
        self.chosen.dedup();
        &self.chosen
    }

    /// Peers to be unchoked at once because slots are free, in ascending order. To be called when a peer becomes
    /// interested or a slot falls free; costs nothing much if [`Choker::has_room`] says no.
    pub fn fill(&mut self, role: Role, peers: &[Candidate], rng: &mut Rng) -> &[PeerKey] {
        self.chosen.clear();
        let taken = peers.iter().filter(|peer| peer.unchoked && peer.interested).count();
        let free = self.slots_of(role).saturating_sub(taken);
        if free > 0 {
            let waiting = |peer: &Candidate| peer.interested && !peer.unchoked;
            self.rank(peers, rng, |peer| {
                let first = if role == Role::Leech { !peer.snubbed } else { peer.empty };
                waiting(peer).then(|| (u64::from(first), merit(role, peer)))
            });
            self.chosen.extend(self.ranked.iter().take(free).filter_map(|&(.., at)| key(peers, at)));
            self.chosen.sort_unstable();
        }
        &self.chosen
    }

    /// A seed's peer got [`Config::turn`] bytes: whom of those that wait to unchoke in its place at once, so that turns
    /// end with a piece, and a crowd that has nothing soon has something to trade.
    pub fn relieve(&mut self, peers: &[Candidate], rng: &mut Rng) -> Option<PeerKey> {
        self.turnless = 0;
        let waits = |peer: &Candidate| peer.interested && !peer.unchoked;
        self.rank(peers, rng, |peer| {
            let merit = merit(Role::Seed, peer) + u64::from(peer.empty);
            waits(peer).then(|| (u64::from(peer.nearly), merit))
        });
        self.ranked.first().and_then(|&(.., at)| key(peers, at))
    }

    /// Sorts the peers for which `rank` gives something, highest first, ties at random; indices into `peers` remain.
    fn rank(&mut self, peers: &[Candidate], rng: &mut Rng, rank: impl Fn(&Candidate) -> Option<(u64, u64)>) {
        self.ranked.clear();
        let ranked =
            peers.iter().zip(0u32..).filter_map(|(peer, at)| rank(peer).map(|(high, low)| (high, low, at)));
        self.ranked.extend(ranked);
        rng.shuffle(&mut self.ranked);
        self.ranked.sort_by_key(|&(high, low, _)| core::cmp::Reverse((high, low)));
    }

    fn by_merit(&mut self, now: Instant, peers: &[Candidate], rng: &mut Rng) {
        self.rank(peers, rng, |peer| {
            (peer.interested && !peer.snubbed).then_some((peer.rate_in, peer.rate_out))
        });
        let slots = self.regular_slots();
        let regular = self.ranked.iter().take(slots).filter_map(|&(.., at)| key(peers, at));
        self.chosen.extend(regular);
        let least = self.ranked.get(slots.saturating_sub(1)).map_or(0, |&(rate, ..)| rate);
        // BEP 3: who is unchoked and would have earned a slot keeps it while it wants nothing, and takes none.
        let resting =
            |peer: &&Candidate| peer.unchoked && !peer.interested && !peer.snubbed && peer.rate_in > least;
        self.chosen.extend(peers.iter().filter(resting).take(slots).map(|peer| peer.key));
        let snubbed = usize::from(peers.iter().any(|peer| peer.snubbed && peer.interested));
        self.optimists(now, self.optimistic_slots() + snubbed, peers, rng);
    }

    /// Keeps or redraws the optimistic unchokes among those not chosen by merit.
    fn optimists(&mut self, now: Instant, slots: usize, peers: &[Candidate], rng: &mut Rng) {
        self.chosen.sort_unstable();
        // A clock that went back counts as time to change.
        let due = self.rotated_at.is_none_or(|at| now < at || now.since(at) >= self.config.optimistic);
        if due {
            self.optimistic.clear();
            self.rotated_at = Some(now);
        }
        let chosen = &self.chosen;
        let eligible = |peer: &&Candidate| peer.interested && chosen.binary_search(&peer.key).is_err();
        self.optimistic.retain(|key| peers.iter().any(|peer| peer.key == *key && eligible(&peer)));
        self.optimistic.truncate(slots);
        let newly = |peer: &Candidate| now.since(peer.connected_at) < self.config.newly;
        self.ranked.clear();
        for (peer, at) in peers.iter().zip(0u32..).filter(|(peer, _)| eligible(peer)) {
            if self.optimistic.contains(&peer.key) {
                continue;
            }
            // The least of w draws of a uniform number is first with weight w among others with weight 1 (to a good
            // approximation for three).
            let weight = |is| if is { NEWCOMER } else { 1 };
            let draws = weight(newly(peer)) * weight(peer.empty);
            let lot = (0..draws).map(|_| rng.bits()).min().unwrap_or(u64::MAX);
            // Whoever was just unchoked optimistically goes to the back.
            self.ranked.push((u64::from(peer.unchoked), lot, at));
        }
        self.ranked.sort_unstable();
        let missing = slots.saturating_sub(self.optimistic.len());
        self.optimistic.extend(self.ranked.iter().take(missing).filter_map(|&(.., at)| key(peers, at)));
        self.chosen.extend_from_slice(&self.optimistic);
    }

    /// How many are unchoked in this role, all in all.
    fn slots_of(&self, role: Role) -> usize {
        let all = self.regular_slots() + self.optimistic_slots();
        if role == Role::Beginner { all.min(usize::from(self.turnless.max(1))) } else { all }
    }

    fn by_turn(&mut self, now: Instant, role: Role, peers: &[Candidate], rng: &mut Rng) {
        self.optimistic.clear();
        self.rotated_at = None;
        let slots = self.slots_of(role);
        let (turn, longest) = (self.config.turn, self.config.round * LONGEST_TURN);
        let rank = |peer: &Candidate| {
            let since = peer.unchoked_at.unwrap_or(Instant::ZERO);
            let serving = peer.unchoked && peer.given < turn && now.since(since) < longest;
            // Never served and with nothing to give before never served.
            let empty = u64::from(peer.empty && peer.unchoked_at.is_none());
            let first = match () {
                () if role == Role::Seed && peer.nearly => 3,
                () if serving => 2,
                () => u64::from(!peer.unchoked),
            };
            peer.interested.then_some((first, merit(Role::Seed, peer) + empty))
        };
        self.rank(peers, rng, rank);
        self.chosen.extend(self.ranked.iter().take(slots).filter_map(|&(.., at)| key(peers, at)));
    }

    /// Opens and closes slots by trial (see [`Slots::Auto`]).
    fn adapt(&mut self, now: Instant, rate: u64, peers: &[Candidate]) {
        let Slots::Auto { least, most } = self.config.slots else { return };
        match self.trial {
            Trial::Running { before, rate: old, since } => {
                if now.since(since) < TRIAL {
                    return;
                }
                let pays = rate > old.saturating_add(old / 10);
                if !pays {
                    self.slots = before.max(least);
                }
                let pause = if pays { Duration::ZERO } else { TRIAL_PAUSE };
                self.trial = Trial::None { not_before: now + pause };
            }
            Trial::None { .. } => {}
        }
        let Trial::None { not_before } = self.trial else { return };
        let used = peers.iter().filter(|peer| peer.unchoked && peer.interested).count();
        let waits = peers.iter().any(|peer| peer.interested && !peer.unchoked);
        let total = self.regular_slots() + self.optimistic_slots();
        let worth = rate >= self.config.worth_a_slot.saturating_mul(total as u64);
        if now >= not_before && waits && used >= total && worth && self.slots < most {
            self.trial = Trial::Running { before: self.slots, rate, since: now };
            self.slots = self.slots.saturating_add((self.slots / 2).max(1)).min(most);
        }
    }
}

fn key(peers: &[Candidate], at: u32) -> Option<PeerKey> {
    peers.get(at as usize).map(|peer| peer.key)
}

const fn merit(role: Role, peer: &Candidate) -> u64 {
    match role {
        Role::Leech => peer.rate_in,
        // Whoever waited longest, or was never served, comes first.
        Role::Seed | Role::Beginner => match peer.unchoked_at {
            None => u64::MAX - 1,
            Some(at) => u64::MAX - 2 - at.as_nanos(),
        },
    }
}
