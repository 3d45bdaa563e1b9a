//! What was measured, beside what is to be reached.

use std::io::Write as _;

/// A bound on a figure.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    None,
}

/// The figures of a run, printed as they come.
#[derive(Default)]
pub(crate) struct Figures {
    missed: usize,
}

impl Figures {
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let (met, goal) = match goal {
            Goal::AtMost(most) => (value <= most, format!("at most {}", short(most))),
            Goal::AtLeast(least) => (value >= least, format!("at least {}", short(least))),
            Goal::None => (true, String::new()),
        };
        self.missed += usize::from(!met);
        let verdict = if met { "" } else { "  MISSED" };
        let value = short(value);
        let _ = writeln!(std::io::stdout(), "  {name:<52} {value:>9} {unit:<6} {goal}{verdict}");
    }

    pub(crate) fn title(&mut self, title: &str) {
        let _ = writeln!(std::io::stdout(), "{title}");
    }

    /// How many goals were missed.
    pub(crate) const fn missed(&self) -> usize {
        self.missed
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        less if less < 10.0 => format!("{value:.2}"),
        less if less < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
