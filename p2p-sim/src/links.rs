//! How long a packet takes from one node to another: the [`Links`] trait, and three models of it.

use crate::NodeIx;
use crate::faults::mixed;
use crate::pipes::Bandwidth;
use core::ops::Range;
use p2p_core::{Duration, Instant, Rng};

/// A model of the network between nodes. The simulator asks it once per packet or burst of a stream.
pub trait Links: Send + 'static {
    /// How long `bytes` bytes sent now are under way, without the time to put them on the wire (see
    /// [`Bandwidth`]); `None` if they are lost. What is lost on a stream is sent again and comes late.
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration>;

    /// The same for one receiver of a datagram to a multicast group: what switches and access points treat otherwise,
    /// or let nobody have.
    fn carry_group(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        self.carry(from, to, bytes, now, rng)
    }
}

impl<L: Links + ?Sized> Links for Box<L> {
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        (**self).carry(from, to, bytes, now, rng)
    }

    fn carry_group(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        (**self).carry_group(from, to, bytes, now, rng)
    }
}

/// Every delay equally likely within a range, for every pair.
#[derive(Debug, Clone)]
pub struct Uniform {
    low: Duration,
    spread: u64,
    loss: f64,
}

impl Uniform {
    /// Delays from `low` to `high`, without loss.
    #[must_use]
    pub fn new(low: Duration, high: Duration) -> Self {
        Self { low, spread: high.saturating_sub(low).as_nanos() as u64, loss: 0.0 }
    }

    /// Delays of so many milliseconds, without loss.
    #[must_use]
    pub fn ms(range: Range<u64>) -> Self {
        Self::new(Duration::from_millis(range.start), Duration::from_millis(range.end))
    }

    /// Always the same delay.
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self::new(delay, delay)
    }

    /// Loses this share of all packets (0 to 1).
    #[must_use]
    pub const fn loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }
}

impl Links for Uniform {
    fn carry(&mut self, _: NodeIx, _: NodeIx, _: usize, _: Instant, rng: &mut Rng) -> Option<Duration> {
        if self.loss > 0.0 && rng.chance(self.loss) {
            return None;
        }
        if self.spread == 0 {
            return Some(self.low);
        }
        // A multiplication is even enough for delays, and twice as fast as an exact draw.
        let extra = (u128::from(rng.bits()) * u128::from(self.spread)) >> 64;
        Some(self.low + Duration::from_nanos(extra as u64))
    }
}

/// Nodes as points in a square; the delay grows with the distance. Two nodes always have the same distance.
#[derive(Debug, Clone)]
pub struct Coordinates {
    seed: u64,
    base: Duration,
    across: Duration,
    jitter: f64,
    loss: f64,
    placed: Vec<Option<(u32, u32)>>,
}

impl Coordinates {
    /// Points drawn from `seed`. A packet takes `base`, and `across` more for the length of a side of the square.
    #[must_use]
    pub const fn new(seed: u64, base: Duration, across: Duration) -> Self {
        Self { seed, base, across, jitter: 0.0, loss: 0.0, placed: Vec::new() }
    }

    /// Adds up to this share of the delay, drawn anew for each packet.
    #[must_use]
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Loses this share of all packets (0 to 1).
    #[must_use]
    pub const fn loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// Puts a node at a point; both numbers from 0 to 1.
    pub fn place(&mut self, node: NodeIx, x: f64, y: f64) {
        let scale = |part: f64| (part.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32;
        if self.placed.len() <= node.index() {
            self.placed.resize(node.index() + 1, None);
        }
        self.placed[node.index()] = Some((scale(x), scale(y)));
    }

    fn point(&self, node: NodeIx) -> (u32, u32) {
        if let Some(Some(point)) = self.placed.get(node.index()) {
            return *point;
        }
        // A hash of seed and number: nothing to keep for a million nodes (splitmix64's finish).
        let mut z = self.seed.wrapping_add((node.index() as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z as u32, (z >> 32) as u32)
    }

    /// The delay between two nodes without jitter.
    #[must_use]
    pub fn delay(&self, a: NodeIx, b: NodeIx) -> Duration {
        let ((ax, ay), (bx, by)) = (self.point(a), self.point(b));
        let (dx, dy) = (f64::from(ax.abs_diff(bx)), f64::from(ay.abs_diff(by)));
        // Sum, product and square root are exact to the last bit on every machine (IEEE 754).
        let share = (dx * dx + dy * dy).sqrt() / f64::from(u32::MAX);
        self.base + Duration::from_nanos((self.across.as_nanos() as f64 * share) as u64)
    }
}

impl Links for Coordinates {
    fn carry(&mut self, from: NodeIx, to: NodeIx, _: usize, _: Instant, rng: &mut Rng) -> Option<Duration> {
        if self.loss > 0.0 && rng.chance(self.loss) {
            return None;
        }
        Some(jittered(self.delay(from, to), self.jitter, rng))
    }
}

pub(crate) fn jittered(delay: Duration, share: f64, rng: &mut Rng) -> Duration {
    if share <= 0.0 {
        return delay;
    }
    delay + Duration::from_nanos((delay.as_nanos() as f64 * share * rng.unit()) as u64)
}

/// Other links, of which each direction takes a time of its own: as where packets go there and back by different ways.
#[derive(Debug, Clone)]
pub struct Lopsided<L> {
    links: L,
    seed: u64,
    most: f64,
}

impl<L> Lopsided<L> {
    /// Each direction between two nodes takes longer by a share of its delay, from nothing up to `most`, that is the same
    /// for all its packets.
    pub const fn new(links: L, seed: u64, most: f64) -> Self {
        Self { links, seed, most }
    }
}

impl<L: Links> Links for Lopsided<L> {
    fn carry(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        bytes: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Duration> {
        let delay = self.links.carry(from, to, bytes, now, rng)?;
        let share =
            mixed(self.seed, (from.index() as u64) << 32 | to.index() as u64) as f64 / u64::MAX as f64;
        Some(delay + Duration::from_nanos((delay.as_nanos() as f64 * share * self.most) as u64))
    }
}

/// Measured one-way delays between sites, and what their hosts can send and receive; node `i` is at site `i` modulo
/// their number, unless placed.
#[derive(Debug, Clone)]
pub struct Matrix {
    sites: usize,
    micros: Vec<u32>,
    /// Per site, if measured.
    rates: Vec<Bandwidth>,
    site_of: Vec<u32>,
    jitter: f64,
    loss: f64,
}

/// Why a text is no matrix of delays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatrixError {
    /// No numbers at all.
    #[error("no delays")]
    Empty,
    /// A row has another length than the number of rows.
    #[error("row {row} has {found} delays instead of {wanted}")]
    NotSquare {
        /// Which row, from 0.
        row: usize,
        /// What it has.
        found: usize,
        /// What it needs.
        wanted: usize,
    },
    /// Something that is no pair of rates.
    #[error("row {row} holds something that is no rate up and down")]
    NotARate {
        /// Which row, from 0.
        row: usize,
    },
    /// Rates of more or fewer sites than there are.
    #[error("rates of {found} sites instead of {wanted}")]
    NotAsMany {
        /// How many lines there are.
        found: usize,
        /// How many there have to be.
        wanted: usize,
    },
    /// Something that is no number of milliseconds.
    #[error("row {row} holds something that is no delay")]
    NotADelay {
        /// Which row, from 0.
        row: usize,
    },
}

impl Matrix {
    /// Reads a square of one-way delays in milliseconds: rows are lines, numbers are parted by commas or blanks, a
    /// negative number means "not measured" and is taken from the other direction.
    ///
    /// # Errors
    /// If it is no square of numbers.
    pub fn from_text(text: &str) -> Result<Self, MatrixError> {
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        let sites = lines.len();
        if sites == 0 {
            return Err(MatrixError::Empty);
        }
        let mut millis = Vec::with_capacity(sites * sites);
        for (row, line) in lines.iter().enumerate() {
            let before = millis.len();
            for word in line.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
                let number: f64 = word.parse().map_err(|_| MatrixError::NotADelay { row })?;
                if !number.is_finite() {
                    return Err(MatrixError::NotADelay { row });
                }
                millis.push(number);
            }
            let found = millis.len() - before;
            if found != sites {
                return Err(MatrixError::NotSquare { row, found, wanted: sites });
            }
        }
        let micros = (0..sites * sites)
            .map(|at| {
                let (row, column) = (at / sites, at % sites);
                let (here, there) = (millis[at], millis[column * sites + row]);
                ((if here < 0.0 { there.max(0.0) } else { here }) * 1000.0) as u32
            })
            .collect();
        Ok(Self { sites, micros, rates: Vec::new(), site_of: Vec::new(), jitter: 0.0, loss: 0.0 })
    }

    /// Reads what a host at each site can send and receive: a line for each site, in the order of the rows, with kilobits
    /// a second up and down. 0: no limit.
    ///
    /// # Errors
    /// If it is not a pair of numbers for each site.
    pub fn with_rates(mut self, text: &str) -> Result<Self, MatrixError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.rates.clear();
        for (row, line) in lines.enumerate() {
            let words = line.split([',', ' ', '\t']).filter(|word| !word.is_empty());
            let rates: Vec<u64> =
                words.map(str::parse).collect::<Result<_, _>>().map_err(|_| MatrixError::NotARate { row })?;
            let &[up, down] = &rates[..] else { return Err(MatrixError::NotARate { row }) };
            let bytes = |kbit: u64| (kbit > 0).then(|| kbit.saturating_mul(125));
            self.rates.push(Bandwidth { up: bytes(up), down: bytes(down) });
        }
        match self.rates.len() {
            found if found != self.sites => Err(MatrixError::NotAsMany { found, wanted: self.sites }),
            _ => Ok(self),
        }
    }

    /// What a node at its site can send and receive, for [`Setup::bandwidth`](crate::Setup::bandwidth).
    #[must_use]
    pub fn bandwidth(&self, node: NodeIx) -> Bandwidth {
        self.rates.get(self.site(node)).copied().unwrap_or(Bandwidth::UNLIMITED)
    }

    /// The one-way delays of so many sites, from one to another.
    ///
    /// # Panics
    /// If there are no sites.
    #[must_use]
    pub fn from_fn(sites: usize, mut one_way: impl FnMut(usize, usize) -> Duration) -> Self {
        assert!(sites > 0, "a matrix of no sites");
        // A delay is at most 71 minutes.
        let micros = |delay: Duration| u32::try_from(delay.as_micros()).unwrap_or(u32::MAX);
        let micros = (0..sites * sites).map(|at| micros(one_way(at / sites, at % sites))).collect();
        Self { sites, micros, site_of: Vec::new(), jitter: 0.0, loss: 0.0, rates: Vec::new() }
    }

    /// How many sites there are.
    #[must_use]
    pub const fn sites(&self) -> usize {
        self.sites
    }

    /// Adds up to this share of the delay, drawn anew for each packet.
    #[must_use]
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Loses this share of all packets (0 to 1).
    #[must_use]
    pub const fn loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// Puts a node at a site.
    pub fn place(&mut self, node: NodeIx, site: usize) {
        let next = self.site_of.len();
        self.site_of.extend((next..=node.index()).map(|index| (index % self.sites) as u32));
        self.site_of[node.index()] = (site % self.sites) as u32;
    }

    fn site(&self, node: NodeIx) -> usize {
        // Numbers of 32 bits are divided in half the time.
        let of_all = || (node.raw() % self.sites as u32) as usize;
        self.site_of.get(node.index()).map_or_else(of_all, |site| *site as usize)
    }

    /// The measured delay from one node to another.
    #[must_use]
    pub fn delay(&self, from: NodeIx, to: NodeIx) -> Duration {
        Duration::from_micros(u64::from(self.micros[self.site(from) * self.sites + self.site(to)]))
    }
}

impl Links for Matrix {
    fn carry(&mut self, from: NodeIx, to: NodeIx, _: usize, _: Instant, rng: &mut Rng) -> Option<Duration> {
        if self.loss > 0.0 && rng.chance(self.loss) {
            return None;
        }
        Some(jittered(self.delay(from, to), self.jitter, rng))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_read_and_mended() {
        let mut matrix = Matrix::from_text("# ms\n0, 10.5\n-1 0\n").unwrap();
        let (a, b) = (NodeIx::new(0), NodeIx::new(3));
        assert_eq!(matrix.delay(a, b), Duration::from_micros(10_500));
        assert_eq!(matrix.delay(b, a), Duration::from_micros(10_500));
        matrix.place(b, 0);
        assert_eq!(matrix.delay(a, b), Duration::ZERO);
        assert_eq!(Matrix::from_text("").unwrap_err(), MatrixError::Empty);
        assert!(matches!(Matrix::from_text("1 2\n3"), Err(MatrixError::NotSquare { row: 1, .. })));
        assert!(matches!(Matrix::from_text("x"), Err(MatrixError::NotADelay { row: 0 })));
    }

    #[test]
    fn a_matrix_knows_what_its_hosts_send_and_receive() {
        let matrix = Matrix::from_text("0 10\n10 0\n").unwrap();
        assert_eq!(matrix.bandwidth(NodeIx::new(0)), Bandwidth::UNLIMITED);
        let mut matrix = matrix.with_rates("# kbit/s\n400, 1500\n0 8000\n").unwrap();
        assert_eq!(matrix.bandwidth(NodeIx::new(2)), Bandwidth::bits(400_000, 1_500_000));
        let fast = Bandwidth { up: None, down: Some(1_000_000) };
        assert_eq!(matrix.bandwidth(NodeIx::new(1)), fast);
        matrix.place(NodeIx::new(2), 1);
        assert_eq!(matrix.bandwidth(NodeIx::new(2)), fast);
        assert_eq!(
            matrix.clone().with_rates("1 2").unwrap_err(),
            MatrixError::NotAsMany { found: 1, wanted: 2 }
        );
        assert_eq!(matrix.with_rates("1 2\n3").unwrap_err(), MatrixError::NotARate { row: 1 });
    }

    #[test]
    fn lopsided_directions_keep_their_times() {
        let mut rng = Rng::fast_from(1);
        let ms = Duration::from_millis;
        let mut links = Lopsided::new(Uniform::fixed(ms(100)), 7, 0.5);
        let mut take =
            |a: u32, b: u32| links.carry(NodeIx::new(a), NodeIx::new(b), 1, Instant::ZERO, &mut rng).unwrap();
        let mut uneven = 0;
        for (a, b) in (0..100).map(|n| (n, n + 1)) {
            let (there, back) = (take(a, b), take(b, a));
            assert_eq!(there, take(a, b));
            assert!(there >= ms(100) && there <= ms(150) && back >= ms(100) && back <= ms(150));
            uneven += u32::from(there != back);
        }
        assert!(uneven >= 99, "{uneven}");
    }

    #[test]
    fn distance_is_symmetric_and_within_the_square() {
        let (base, across) = (Duration::from_millis(5), Duration::from_millis(100));
        let mut links = Coordinates::new(1, base, across);
        for (a, b) in [(0, 1), (7, 90_000), (3, 3)] {
            let (a, b) = (NodeIx::new(a), NodeIx::new(b));
            assert_eq!(links.delay(a, b), links.delay(b, a));
            assert!(links.delay(a, b) >= base && links.delay(a, b) <= base + across * 3 / 2);
        }
        links.place(NodeIx::new(0), 0.0, 0.0);
        links.place(NodeIx::new(1), 1.0, 0.0);
        assert_eq!(links.delay(NodeIx::new(0), NodeIx::new(1)), base + across);
    }

    #[test]
    fn uniform_stays_in_its_range_and_loses_its_share() {
        let mut rng = Rng::fast_from(2);
        let mut links = Uniform::ms(10..20).loss(0.25);
        let mut lost = 0;
        for _ in 0..10_000 {
            match links.carry(NodeIx::new(0), NodeIx::new(1), 1, Instant::ZERO, &mut rng) {
                Some(delay) => assert!((10..20).contains(&(delay.as_millis() as u64))),
                None => lost += 1,
            }
        }
        assert!((2_300..2_700).contains(&lost), "{lost}");
    }
}
