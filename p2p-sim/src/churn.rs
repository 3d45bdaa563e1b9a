//! Coming and going: how long nodes stay, when they arrive, and the schedule that follows.

use p2p_core::{Duration, Instant, Rng};

/// How long a node stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Session {
    /// Always so long.
    Fixed(Duration),
    /// Without memory, with this mean.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Most stay briefly and a few very long: Pareto with this shape, above 1 for a mean to exist (measured sessions
    /// of file sharing are near 1.1), scaled so that none is shorter than `least`.
    Pareto {
        /// The exponent of the tail.
        shape: f64,
        /// The shortest.
        least: Duration,
    },
    /// Who has stayed for long stays longer (shape below 1), or the other way round: Weibull. Sessions measured in
    /// Gnutella, BitTorrent and Kad have shapes from 0.34 to 0.59 (Stutzbach and Rejaie 2006). With shape 1/2 the mean is
    /// twice the scale, and the median 0.48 of it.
    Weibull {
        /// The exponent.
        shape: f64,
        /// What 63 % do not reach.
        scale: Duration,
    },
}

impl Session {
    /// One session; a century at most.
    pub fn draw(&self, rng: &mut Rng) -> Duration {
        match *self {
            Self::Fixed(span) => span,
            Self::Exponential { mean } => scale(mean, exponential(rng)),
            Self::Pareto { shape, least } => scale(least, exp(exponential(rng) / shape.max(1e-3))),
            Self::Weibull { shape, scale: span } => {
                scale(span, exp(ln(exponential(rng).max(1e-30)) / shape.max(1e-3)))
            }
        }
    }
}

/// When nodes arrive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrivals {
    /// All at the beginning.
    AtOnce,
    /// Evenly over a span.
    Even {
        /// The span.
        over: Duration,
    },
    /// Each independent of the others (a Poisson process), so many a second on average.
    Poisson {
        /// The rate.
        per_second: f64,
    },
    /// A flash crowd: many at first and ever fewer, half of them within `half`.
    Flash {
        /// When half of them are there.
        half: Duration,
    },
}

impl Arrivals {
    /// When `count` nodes arrive, in order.
    pub fn draw(&self, count: usize, from: Instant, rng: &mut Rng) -> Vec<Instant> {
        let mut times: Vec<Instant> = match *self {
            Self::AtOnce => vec![from; count],
            Self::Even { over } => {
                let step = over.as_nanos() as u64 / (count.max(1) as u64);
                (0..count as u64).map(|n| from + Duration::from_nanos(n * step)).collect()
            }
            Self::Poisson { per_second } => {
                let mean = scale(Duration::from_secs(1), 1.0 / per_second.max(1e-9));
                let mut at = from;
                (0..count)
                    .map(|_| {
                        at += scale(mean, exponential(rng));
                        at
                    })
                    .collect()
            }
            Self::Flash { half } => {
                let mean = scale(half, 1.0 / core::f64::consts::LN_2);
                (0..count).map(|_| from + scale(mean, exponential(rng))).collect()
            }
        };
        times.sort_unstable();
        times
    }
}

/// What a node does in a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The `n`th node comes.
    Arrive(usize),
    /// It goes.
    Depart(usize),
}

/// The comings and goings of `count` nodes, in order of time.
pub fn schedule(
    arrivals: Arrivals,
    session: Session,
    count: usize,
    from: Instant,
    rng: &mut Rng,
) -> Vec<(Instant, Change)> {
    let mut changes: Vec<(Instant, Change)> = Vec::with_capacity(2 * count);
    for (n, at) in arrivals.draw(count, from, rng).into_iter().enumerate() {
        changes.push((at, Change::Arrive(n)));
        changes.push((at + session.draw(rng), Change::Depart(n)));
    }
    changes.sort_unstable();
    changes
}

const CENTURY: f64 = 3.2e18;

fn scale(span: Duration, factor: f64) -> Duration {
    Duration::from_nanos((span.as_nanos() as f64 * factor).min(CENTURY) as u64)
}

/// Exponential with mean 1, by comparing uniform numbers only (von Neumann 1951): no logarithm, whose last bit differs
/// from one machine to another.
fn exponential(rng: &mut Rng) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = rng.unit();
        let (mut last, mut run) = (first, 1u32);
        loop {
            let next = rng.unit();
            if next >= last {
                break;
            }
            last = next;
            run += 1;
        }
        if run % 2 == 1 {
            return whole + first;
        }
        whole += 1.0;
    }
}

/// The exponential function by its series, from sums and products alone, for the same reason.
fn exp(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 / exp(-x);
    }
    // Past this a session is longer than a century anyway.
    let x = x.min(90.0);
    let halvings = 10;
    let small = x / f64::from(1u32 << halvings);
    let mut sum = 1.0;
    let mut term = 1.0;
    for n in 1..12u32 {
        term *= small / f64::from(n);
        sum += term;
    }
    for _ in 0..halvings {
        sum *= sum;
    }
    sum
}

/// The natural logarithm of a positive number, from sums, products and quotients alone: of its exponent, and by the
/// series of `artanh` of its mantissa.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    let part = (mantissa - 1.0) / (mantissa + 1.0);
    let square = part * part;
    let (mut power, mut sum) = (part, 0.0);
    for n in 0..20u32 {
        sum += power / f64::from(2 * n + 1);
        power *= square;
    }
    f64::from(exponent) * core::f64::consts::LN_2 + 2.0 * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_medians_are_those_of_the_distributions() {
        let mut rng = Rng::fast_from(8);
        let mean = Duration::from_secs(1000);
        let n = 20_000;
        let draw = |session: Session, rng: &mut Rng| {
            let mut all: Vec<f64> = (0..n).map(|_| session.draw(rng).as_secs_f64()).collect();
            all.sort_by(f64::total_cmp);
            (all.iter().sum::<f64>() / n as f64, all[n / 2], all[0])
        };
        let (average, median, _) = draw(Session::Exponential { mean }, &mut rng);
        assert!((average / 1000.0 - 1.0).abs() < 0.03, "{average}");
        assert!((median / 693.1 - 1.0).abs() < 0.03, "{median}");
        let pareto = Session::Pareto { shape: 3.0, least: mean };
        let (average, median, least) = draw(pareto, &mut rng);
        assert!((average / 1500.0 - 1.0).abs() < 0.03, "{average}");
        assert!((median / 1259.9 - 1.0).abs() < 0.03, "{median}");
        assert!(least >= 1000.0);
        let weibull = Session::Weibull { shape: 0.5, scale: mean };
        let (average, median, _) = draw(weibull, &mut rng);
        assert!((average / 2000.0 - 1.0).abs() < 0.06, "{average}");
        assert!((median / 480.5 - 1.0).abs() < 0.04, "{median}");
        for x in [1e-20, 0.3, 1.0, 2.0, 10.0, 1e9] {
            assert!((exp(ln(x)) / x - 1.0).abs() < 1e-8, "{x}");
        }
        assert!((exp(1.0) / core::f64::consts::E - 1.0).abs() < 1e-9);
    }

    #[test]
    fn arrivals_are_in_order_and_at_their_rate() {
        let mut rng = Rng::fast_from(9);
        let from = Instant::from_nanos(5);
        let poisson = Arrivals::Poisson { per_second: 10.0 }.draw(10_000, from, &mut rng);
        assert!(poisson.is_sorted());
        let span = poisson[9_999].since(from).as_secs_f64();
        assert!((span / 1000.0 - 1.0).abs() < 0.05, "{span}");
        let flash = Arrivals::Flash { half: Duration::from_secs(10) }.draw(10_000, from, &mut rng);
        let half = flash[5_000].since(from).as_secs_f64();
        assert!((half / 10.0 - 1.0).abs() < 0.05, "{half}");
        let all = schedule(Arrivals::AtOnce, Session::Fixed(Duration::from_secs(1)), 5, from, &mut rng);
        assert_eq!(all.iter().filter(|(at, _)| *at == from).count(), 5);
        assert_eq!(all.len(), 10);
    }
}
