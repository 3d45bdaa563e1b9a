//! How transfers go: for each a bar with rates and the time left, and for one a map of its pieces.

use crate::units::{Size, Span};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

/// Cells of the map of pieces.
const CELLS: u32 = 60;
/// Cells of the bar.
const BAR: u64 = 20;
/// How often a line is written where nothing can be redrawn.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// What is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// What is being done, one word.
    pub doing: &'static str,
    /// Bytes done.
    pub done: u64,
    /// Bytes to be done in all.
    pub all: u64,
    /// Bytes per second in.
    pub rate_in: u64,
    /// Bytes per second out.
    pub rate_out: u64,
    /// Bytes sent so far; not shown if 0.
    pub sent: u64,
    /// Connected peers; not shown if `None`.
    pub peers: Option<u32>,
    /// Pieces of the map; no map if 0.
    pub pieces: u32,
}

impl Figures {
    /// The line with the bar.
    #[must_use]
    pub fn line(&self) -> String {
        let all = self.all.max(1);
        let tenths = (u128::from(self.done) * 1_000 / u128::from(all)) as u64;
        let filled = (u128::from(self.done.min(all)) * u128::from(BAR) / u128::from(all)) as usize;
        let bar: String = (0..BAR as usize).map(|i| if i < filled { '█' } else { '·' }).collect();
        let mut line = format!(
            "{} {:>3}.{}% {bar} {} of {}",
            self.doing,
            tenths / 10,
            tenths % 10,
            Size(self.done),
            Size(self.all)
        );
        if self.done < self.all || self.rate_in > 0 {
            line.push_str(&format!("  {}/s", Size(self.rate_in)));
        }
        if self.sent > 0 {
            line.push_str(&format!("  up {} at {}/s", Size(self.sent), Size(self.rate_out)));
        }
        if let Some(peers) = self.peers {
            line.push_str(&format!("  {peers} peer{}", if peers == 1 { "" } else { "s" }));
        }
        if self.done < self.all
            && let Some(secs) = (self.all - self.done).checked_div(self.rate_in)
        {
            line.push_str(&format!("  {} left", Span(Duration::from_secs(secs + 1))));
        }
        line
    }

    /// The map of the pieces: each cell as dark as the part of its pieces that `had` says are here.
    #[must_use]
    pub fn map(&self, had: impl Fn(u32) -> bool) -> String {
        let cells = CELLS.min(self.pieces);
        let at = |cell: u32| (u64::from(cell) * u64::from(self.pieces) / u64::from(cells.max(1))) as u32;
        (0..cells)
            .map(|cell| {
                let (from, to) = (at(cell), at(cell + 1));
                let here = (from..to).filter(|&piece| had(piece)).count() as u32;
                match (here, to - from) {
                    (0, _) => '░',
                    (here, of) if here == of => '█',
                    (here, of) if here * 2 < of => '▒',
                    _ => '▓',
                }
            })
            .collect()
    }
}

/// Standard error as a place to draw on.
#[derive(Debug)]
pub struct Screen {
    terminal: bool,
    /// Lines of the drawing that the cursor stands below of.
    lines: usize,
    last: Option<Instant>,
    /// The line that was written last where nothing can be redrawn.
    written: String,
}

impl Screen {
    /// Nothing drawn yet.
    #[must_use]
    pub fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), lines: 0, last: None, written: String::new() }
    }

    /// Draws over the last drawing, or writes a line if some time went by since the last.
    pub fn draw(&mut self, figures: &Figures, had: impl Fn(u32) -> bool) {
        if self.terminal {
            let map = (figures.pieces > 0).then(|| figures.map(had));
            return self.show(&core::iter::once(figures.line()).chain(map).collect::<Vec<_>>());
        }
        let now = Instant::now();
        if self.last.is_none_or(|last| now - last >= PLAIN_EVERY) {
            self.last = Some(now);
            let _ = writeln!(io::stderr().lock(), "{}", figures.line());
        }
    }

    /// Draws these lines over the last drawing; nothing where nothing can be redrawn.
    pub fn show(&mut self, lines: &[String]) {
        if self.terminal && self.lines + lines.len() > 0 {
            let out = drawing(self.lines, lines);
            self.lines = lines.len();
            let _ = io::stderr().lock().write_all(out.as_bytes());
        }
    }

    /// Draws a line over the last drawing, or writes it if it is new and some time went by since the last.
    pub fn line(&mut self, text: &str) {
        if self.terminal {
            self.clear();
            let _ = writeln!(io::stderr().lock(), "{text}");
            self.lines = 1;
            return;
        }
        let now = Instant::now();
        if self.written == text || self.last.is_some_and(|last| now - last < PLAIN_EVERY) {
            return;
        }
        (self.last, self.written) = (Some(now), text.to_owned());
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Takes the drawing away.
    pub fn clear(&mut self) {
        if self.lines > 0 {
            let _ = write!(io::stderr().lock(), "\x1b[{}A\r\x1b[J", self.lines);
            self.lines = 0;
        }
    }

    /// Leaves the drawing where it is.
    pub const fn keep(&mut self) {
        self.lines = 0;
    }
}

/// What puts these lines over a drawing of so many lines. A line that is too long for the terminal is cut there: were it
/// broken, the next drawing would begin in its middle.
fn drawing(over: usize, lines: &[String]) -> String {
    let mut out = String::new();
    if over > 0 {
        out.push_str(&format!("\x1b[{over}A"));
    }
    out.push_str("\r\x1b[J\x1b[?7l");
    for line in lines {
        out.push_str(line);
        out.push('\n');
    }
    out.push_str("\x1b[?7h");
    out
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_lines() {
        let figures = Figures {
            doing: "fetching",
            done: 2_500_000,
            all: 5_000_000,
            rate_in: 500_000,
            rate_out: 0,
            sent: 0,
            peers: Some(1),
            pieces: 4,
        };
        assert_eq!(
            figures.line(),
            "fetching  50.0% ██████████·········· 2.5 MB of 5.0 MB  500 kB/s  1 peer  6.0 s left"
        );
        let seed = Figures {
            doing: "seeding",
            done: 5_000_000,
            rate_in: 0,
            rate_out: 1_000,
            sent: 2_000,
            ..figures
        };
        assert_eq!(
            seed.line(),
            "seeding 100.0% ████████████████████ 5.0 MB of 5.0 MB  up 2.0 kB at 1.0 kB/s  1 peer"
        );
        assert_eq!(figures.map(|piece| piece < 3), "███░");
        let many = Figures { pieces: 120, ..figures };
        assert_eq!(many.map(|piece| piece % 2 == 0), "▓".repeat(60));
        assert_eq!(Figures { pieces: 240, ..figures }.map(|piece| piece % 4 == 0), "▒".repeat(60));
    }

    #[test]
    fn a_drawing_goes_over_the_last_one() {
        let lines = ["a".to_owned(), "b".to_owned()];
        assert_eq!(drawing(0, &lines), "\r\x1b[J\x1b[?7la\nb\n\x1b[?7h");
        assert_eq!(drawing(2, &lines[..1]), "\x1b[2A\r\x1b[J\x1b[?7la\n\x1b[?7h");
        assert_eq!(drawing(1, &[]), "\x1b[1A\r\x1b[J\x1b[?7l\x1b[?7h");
    }

    #[test]
    fn nothing_to_do_and_nothing_known() {
        assert_eq!(Figures::default().map(|_| true), "");
        assert!(Figures::default().line().contains("0 B of 0 B"));
        let max = Figures { done: u64::MAX, all: u64::MAX, pieces: u32::MAX, ..Figures::default() };
        assert!(max.line().contains("100.0%"));
    }
}
