//! What can be shared, and how popular it is.

use p2p_core::Rng;
use std::collections::BTreeSet;

/// Songs with names of words, the first the most popular (Zipf's law, exponent 0.8).
pub(super) struct Catalogue {
    pub(super) songs: Vec<Song>,
    /// The sum of the weights of the songs up to each.
    weights: Vec<f64>,
}

pub(super) struct Song {
    pub(super) name: String,
    /// The words to search for: of the band, and of the title.
    pub(super) words: Vec<String>,
}

const EXPONENT: f64 = 0.8;

impl Catalogue {
    pub(super) fn new(songs: usize, dice: &mut Rng) -> Self {
        let (bands, vocabulary) = (songs / 8 + 1, songs / 3 + 10);
        let songs: Vec<Song> = (0..songs)
            .map(|n| {
                let band = format!("band{}", dice.index(bands));
                let count = 1 + dice.index(4);
                let mut words: Vec<String> =
                    (0..count).map(|_| format!("word{}", dice.index(vocabulary))).collect();
                words.sort();
                words.dedup();
                // A number makes every name another one.
                let name = format!("C:\\Music\\{band}\\{band} - {} ({n}).mp3", words.join(" "));
                words.push(band);
                Song { name, words }
            })
            .collect();
        let mut sum = 0.0;
        let weights = (0..songs.len())
            .map(|n| {
                sum += ((n + 1) as f64).powf(-EXPONENT);
                sum
            })
            .collect();
        Self { songs, weights }
    }

    /// A song, by its popularity.
    pub(super) fn draw(&self, dice: &mut Rng) -> usize {
        let at = dice.unit() * self.weights.last().copied().unwrap_or_default();
        self.weights.partition_point(|weight| *weight <= at).min(self.songs.len() - 1)
    }

    /// What a user shares, smallest number first.
    pub(super) fn draw_share(&self, count: usize, dice: &mut Rng) -> Vec<u32> {
        let mut share = BTreeSet::new();
        // Who draws a popular song twice has it once.
        for _ in 0..count {
            share.insert(self.draw(dice) as u32);
        }
        share.into_iter().collect()
    }
}

/// How many files a user shares: 3 in 10 share none, the others log-normally many with a median of 100 and a mean of 330, at
/// most 5,000; then divided by `scale`, one at least.
pub(super) fn draw_count(scale: f64, dice: &mut Rng) -> usize {
    if dice.chance(0.3) {
        return 0;
    }
    // Box and Muller's way to a normal distribution; a mean of 330 asks for a deviation of (2 ln 3.3)^(1/2).
    let (radius, turn) = ((-2.0 * (1.0 - dice.unit()).ln()).sqrt(), dice.unit());
    let normal = radius * (turn * core::f64::consts::TAU).cos();
    let deviation = (2.0 * 3.3f64.ln()).sqrt();
    let files = (100.0 * (deviation * normal).exp()).min(5_000.0);
    ((files / scale) as usize).max(1)
}

#[test]
fn shares_are_as_they_should_be() {
    let mut dice = Rng::fast_from(1);
    let mut counts: Vec<usize> = (0..20_000).map(|_| draw_count(1.0, &mut dice)).collect();
    let none = counts.iter().filter(|count| **count == 0).count();
    assert!((5_700..6_300).contains(&none), "{none}");
    counts.retain(|count| *count > 0);
    counts.sort_unstable();
    let (median, most) = (counts[counts.len() / 2], counts[counts.len() - 1]);
    assert!((95..105).contains(&median) && most <= 5_000, "{median}, {most}");
    // The cap takes a bit off the mean.
    let mean = counts.iter().sum::<usize>() / counts.len();
    assert!((280..340).contains(&mean), "{mean}");
}
