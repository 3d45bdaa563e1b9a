//! Figures of a run: traffic by kind, percentiles, and small tables as text and CSV.

use core::fmt::{self, Write as _};

/// Messages and bytes of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages delivered to a machine.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
}

impl Tally {
    pub(crate) const fn sent(&mut self, bytes: usize) {
        self.sent += 1;
        self.sent_bytes += bytes as u64;
    }

    pub(crate) const fn delivered(&mut self, bytes: usize) {
        self.delivered += 1;
        self.delivered_bytes += bytes as u64;
    }

    /// Something is put back to be delivered once more.
    pub(crate) const fn given_back(&mut self, bytes: usize) {
        self.delivered -= 1;
        self.delivered_bytes -= bytes as u64;
    }
}

/// What a simulation carried so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Inputs given to machines.
    pub inputs: u64,
    /// Jobs done.
    pub jobs: u64,
    /// Bytes of streams, chunk by chunk.
    pub stream: Tally,
    /// Datagrams to one receiver; delivered ones include those of groups.
    pub datagrams: Tally,
    /// Datagrams to groups, each counted once when sent.
    pub multicast: Tally,
    /// Datagrams lost by links, faults and partitions.
    pub lost: u64,
    /// Datagrams dropped because a queue was full or they were too large.
    pub dropped: u64,
    /// Datagrams that no socket waited for.
    pub unheard: u64,
    /// Streams dialled.
    pub dialled: u64,
    /// Streams accepted.
    pub accepted: u64,
    /// Streams broken by faults.
    pub resets: u64,
    /// Times that a stream was secured, or was to be.
    pub secured: u64,
}

impl Traffic {
    /// Messages and bytes by kind.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(["kind", "sent", "bytes", "delivered", "bytes"]);
        for (kind, tally) in
            [("stream", &self.stream), ("datagram", &self.datagrams), ("multicast", &self.multicast)]
        {
            let row = [tally.sent, tally.sent_bytes, tally.delivered, tally.delivered_bytes];
            table.row(core::iter::once(kind.to_owned()).chain(row.iter().map(u64::to_string)));
        }
        table
    }
}

/// A collection of numbers to take percentiles of.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    values: Vec<f64>,
    sorted: bool,
}

impl Sample {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Vec::new(), sorted: true }
    }

    /// Takes a number. What is not finite is left out.
    pub fn push(&mut self, value: f64) {
        if value.is_finite() {
            self.values.push(value);
            self.sorted = false;
        }
    }

    /// How many numbers there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Their mean; 0 if there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.values.is_empty() { 0.0 } else { self.values.iter().sum::<f64>() / self.values.len() as f64 }
    }

    /// The smallest number that at least `percent` of 100 are not above (nearest rank); 0 if there are none.
    pub fn percentile(&mut self, percent: f64) -> f64 {
        if !self.sorted {
            self.values.sort_by(f64::total_cmp);
            self.sorted = true;
        }
        let rank = (percent / 100.0 * self.values.len() as f64).ceil() as usize;
        let at = rank.max(1) - 1;
        self.values.get(at.min(self.values.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }

    /// The number in the middle.
    pub fn median(&mut self) -> f64 {
        self.percentile(50.0)
    }
}

impl Extend<f64> for Sample {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sample = Self::new();
        sample.extend(values);
        sample
    }
}

/// Named numbers, in order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(std::collections::BTreeMap<&'static str, u64>);

impl Counters {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(std::collections::BTreeMap::new())
    }

    /// Adds to one of them.
    pub fn add(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_default() += count;
    }

    /// One of them; 0 if nothing was added to it.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, count)| (*name, *count))
    }
}

/// A small table. Its `Display` is aligned text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. Missing cells stay empty, and surplus ones are left out.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.head.len(), String::new());
        self.rows.push(row);
    }

    /// As comma-separated values (RFC 4180, with line feeds).
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = String::new();
        for row in core::iter::once(&self.head).chain(&self.rows) {
            for (at, cell) in row.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                if cell.contains([',', '"', '\n', '\r']) {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
                } else {
                    text.push_str(cell);
                }
            }
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || core::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|at| all().map(|row| row[at].chars().count()).max().unwrap_or(0))
            .collect();
        for row in all() {
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let width = *width;
                match at {
                    0 => write!(f, "{cell:<width$}")?,
                    // Numbers are read by their last digit.
                    _ => write!(f, "  {cell:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let mut sample: Sample = [15.0, 20.0, 35.0, 40.0, 50.0, f64::NAN].into_iter().collect();
        assert_eq!(sample.len(), 5);
        let ranks: Vec<f64> =
            [0.0, 5.0, 30.0, 40.0, 50.0, 100.0].map(|percent| sample.percentile(percent)).into();
        assert_eq!(ranks, [15.0, 15.0, 20.0, 20.0, 35.0, 50.0]);
        assert_eq!(sample.mean(), 32.0);
        assert_eq!(Sample::new().median(), 0.0);
    }

    #[test]
    fn a_table_as_text_and_csv() {
        let mut table = Table::new(["kind", "n"]);
        table.row(["a,b", "10"]);
        table.row(["say \"x\""]);
        assert_eq!(table.csv(), "kind,n\n\"a,b\",10\n\"say \"\"x\"\"\",\n");
        assert_eq!(table.to_string(), "kind      n\na,b      10\nsay \"x\"    \n");
    }
}
