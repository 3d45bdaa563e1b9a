//! Delays between hosts all over the world: measured ones from a file, or drawn ones that are spread like them.

use crate::Failure;
use p2p_core::{Duration, Rng};
use p2p_sim::Matrix;
use p2p_sim::churn::Session;
use std::path::Path;

/// One-way delays between hosts.
#[derive(Debug, Clone)]
pub struct Delays {
    /// What they are of.
    pub name: String,
    sites: usize,
    /// Row by row, in microseconds.
    micros: Vec<u32>,
}

impl Delays {
    /// Reads round-trip times: the upper triangle of a symmetric matrix without its diagonal, row by row, as little-endian
    /// 16-bit numbers of tenths of milliseconds. One way is half of it.
    ///
    /// # Errors
    /// If the file is none.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(Failure::during(path.display()))?;
        let count = bytes.len() / 2;
        let sites = (2..).take_while(|n| n * (n - 1) / 2 <= count).last().unwrap_or(0);
        if bytes.len() % 2 != 0 || sites == 0 || sites * (sites - 1) / 2 != count {
            let why = "its length is not that of an upper triangle of 16-bit numbers";
            return Err(Failure::new(format_args!("{}: {why}", path.display())));
        }
        let tenths = bytes.as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_le_bytes(*pair)));
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self::symmetric(name, sites, tenths.map(|tenths| tenths * 50)))
    }

    /// Drawn so that its quantiles are those of 490 PlanetLab hosts (5, 25, 50, 75 and 95 of a hundred round-trip times
    /// below 19, 59, 135, 202 and 325 ms): hosts of three continents, at some distance from each other, with access links
    /// of their own, and routes that are now and then longer than they should be.
    #[must_use]
    pub fn drawn(seed: u64, sites: usize) -> Self {
        let mut dice = Rng::fast_from(seed);
        // In milliseconds one way: where a continent is, and how large.
        const CONTINENTS: [(f64, f64, f64, f64); 3] =
            [(0.0, 0.0, 32.0, 0.5), (66.0, 15.0, 22.0, 0.3), (-80.0, 36.0, 28.0, 0.2)];
        // The simulator's exponential is the same on every machine.
        let exponential =
            |mean: Duration, dice: &mut Rng| Session::Exponential { mean }.draw(dice).as_secs_f64() * 1e3;
        let hosts: Vec<(f64, f64, f64)> = (0..sites)
            .map(|_| {
                let mut at = dice.unit();
                let continent = CONTINENTS.iter().find(|(.., share)| {
                    at -= share;
                    at < 0.0
                });
                let (x, y, size, _) = continent.copied().unwrap_or(CONTINENTS[0]);
                let spread = |dice: &mut Rng| (dice.unit() + dice.unit() - 1.0) * size;
                let access = exponential(Duration::from_micros(700), &mut dice);
                (x + spread(&mut dice), y + spread(&mut dice), access)
            })
            .collect();
        let mut micros = Vec::new();
        for (a, (ax, ay, access)) in hosts.iter().enumerate() {
            for (bx, by, other) in &hosts[a + 1..] {
                let mut detour = 0.9 + 0.25 * dice.unit();
                if dice.chance(0.06) {
                    detour += exponential(Duration::from_millis(1), &mut dice);
                }
                let one_way = (ax - bx).hypot(ay - by) * detour + access + other + 0.5;
                micros.push((one_way * 1e3) as u32);
            }
        }
        Self::symmetric(format!("drawn {sites}"), sites, micros.into_iter())
    }

    fn symmetric(name: String, sites: usize, triangle: impl Iterator<Item = u32>) -> Self {
        let mut micros = vec![0; sites * sites];
        let pairs = (0..sites).flat_map(|row| (row + 1..sites).map(move |column| (row, column)));
        for ((row, column), delay) in pairs.zip(triangle) {
            micros[row * sites + column] = delay;
            micros[column * sites + row] = delay;
        }
        Self { name, sites, micros }
    }

    /// How many hosts.
    #[must_use]
    pub const fn sites(&self) -> usize {
        self.sites
    }

    /// As links of a simulation, in which node `i` is at host `hosts[i]`.
    #[must_use]
    pub fn links(&self, hosts: &[usize]) -> Matrix {
        Matrix::from_fn(hosts.len(), |from, to| {
            Duration::from_micros(u64::from(self.micros[hosts[from] * self.sites + hosts[to]]))
        })
    }

    /// The round-trip time in milliseconds that this share of all pairs is below.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let pairs = (0..self.sites).flat_map(|row| (0..row).map(move |column| row * self.sites + column));
        let mut all: Vec<u32> = pairs.map(|at| self.micros[at]).collect();
        all.sort_unstable();
        let at = (share * (all.len().max(1) - 1) as f64) as usize;
        all.get(at).map_or(0.0, |micros| f64::from(*micros) * 2.0 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_like_measured_ones() {
        let delays = Delays::drawn(1, 490);
        for (share, measured) in [(0.05, 19.0), (0.25, 59.0), (0.5, 135.0), (0.75, 202.0), (0.95, 325.0)] {
            let drawn = delays.quantile(share);
            assert!((drawn / measured - 1.0).abs() < 0.15, "{share}: {drawn:.0} ms, not {measured}");
        }
    }

    #[test]
    fn no_triangle() {
        let path = std::env::temp_dir().join(format!("p2p-delays-{}", std::process::id()));
        for (bytes, sites) in
            [(vec![1, 0, 2, 0, 3, 0], Some(3)), (vec![1, 0, 2, 0], None), (vec![1], None), (vec![], None)]
        {
            std::fs::write(&path, &bytes).expect("a file of its own");
            assert_eq!(Delays::read(&path).ok().map(|delays| delays.sites()), sites, "{bytes:?}");
        }
        std::fs::remove_file(&path).expect("the file just written");
    }
}
