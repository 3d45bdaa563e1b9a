//! Figures beside their goals, printed as they come: [`Report`].

use std::io::Write as _;

/// A bound on a figure.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// It must not be above this.
    AtMost(f64),
    /// It must not be below this.
    AtLeast(f64),
    /// It is told only.
    None,
}

/// Figures that were printed, and how many of them missed their goals.
#[derive(Debug, Default)]
pub struct Report {
    missed: usize,
}

impl Report {
    /// Prints a figure.
    pub fn add(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let (met, goal) = match goal {
            Goal::AtMost(most) => (value <= most, format!("at most {most}")),
            Goal::AtLeast(least) => (value >= least, format!("at least {least}")),
            Goal::None => (true, String::new()),
        };
        self.missed += usize::from(!met);
        let verdict = if met { "" } else { "  MISSED" };
        let digits = usize::from(value.abs() < 100.0) + usize::from(value.abs() < 10.0);
        let _ = writeln!(std::io::stdout(), "{name:<48} {value:>10.digits$} {unit:<6} {goal}{verdict}");
    }

    /// How many missed their goals.
    #[must_use]
    pub const fn missed(&self) -> usize {
        self.missed
    }
}

/// The value that `part` of all are not above; sorts them.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}
