//! How a file comes, for people and for programs: [`Fetching`].

use crate::output::Output;
use crate::program::INTERRUPTED;
use crate::progress::Figures;
use crate::units::{Size, Span};
use crate::{Line, escape};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// A file that is being fetched into a folder.
#[derive(Debug)]
pub struct Fetching {
    to: PathBuf,
    started: Instant,
    /// When it was first told how it goes, and what was there then.
    first: Option<(Instant, u64)>,
    have: u64,
}

impl Fetching {
    /// Into this folder, from now on.
    #[must_use]
    pub fn new(to: &Path) -> Self {
        Self { to: to.to_owned(), started: Instant::now(), first: None, have: 0 }
    }

    /// Bytes that are there, as it was told last.
    #[must_use]
    pub const fn have(&self) -> u64 {
        self.have
    }

    /// So many bytes are there.
    pub const fn set_have(&mut self, have: u64) {
        self.have = have;
    }

    /// Shows people how it goes, as a bar: of how many bytes, and how many give it, as far as that is known.
    pub fn draw(&mut self, all: Option<u64>, peers: Option<u32>, out: &mut Output) {
        let now = Instant::now();
        let (since, before) = *self.first.get_or_insert((now, self.have));
        let rate = self.have.saturating_sub(before) as f64 / (now - since).as_secs_f64();
        let figures = Figures {
            doing: "fetching",
            done: self.have,
            all: all.unwrap_or(self.have),
            rate_in: if rate.is_finite() { rate as u64 } else { 0 },
            peers,
            ..Figures::default()
        };
        out.progress(&figures, |_| false);
    }

    /// It is there, under this name.
    pub fn saved(&self, file: &str, size: u64, out: &mut Output) {
        let path = self.to.join(file).display().to_string();
        let took = self.started.elapsed();
        let line = Line::new("saved").text("file", &path).number("bytes", size);
        out.event(line.number("milliseconds", took.as_millis() as u64));
        let rate = Size((size as f64 / took.max(Duration::from_millis(1)).as_secs_f64()) as u64);
        let path = escape::text_of(&path, 1_000);
        out.say(format_args!("{path}: {} in {}, {rate}/s", Size(size), Span(took)));
    }

    /// Somebody interrupted it; how many bytes it has, if that is known.
    pub fn interrupted(&self, size: Option<u64>, out: &mut Output) -> ExitCode {
        out.event(Line::new("interrupted").number("have", self.have));
        let of = size.map(|size| format!(" of {}", Size(size))).unwrap_or_default();
        out.note(format_args!("stopped with {}{of}; the same command goes on from there", Size(self.have)));
        ExitCode::from(INTERRUPTED)
    }
}
