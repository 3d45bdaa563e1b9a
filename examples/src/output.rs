//! Where a program's words go: results and JSON lines to standard output, progress and complaints to standard error.

use crate::json::Line;
use crate::progress::{Figures, Screen};
use std::fmt::Display;
use std::io::{self, Write};

/// Where a program's words go. Writing to a reader that has gone away is not an error: who pipes into `head` knows.
#[derive(Debug)]
pub struct Output {
    json: bool,
    screen: Screen,
}

impl Output {
    /// For people, or (`json`) for programs: then standard output has one event a line and nothing else.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json, screen: Screen::new() }
    }

    /// Whether programs read it.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// A result for people. Escape what strangers chose.
    pub fn say(&mut self, text: impl Display) {
        if !self.json {
            self.screen.clear();
            print(&format!("{text}\n"));
        }
    }

    /// Something by the way for people, on standard error.
    pub fn note(&mut self, text: impl Display) {
        if !self.json {
            self.screen.clear();
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// An event for programs.
    pub fn event(&mut self, line: Line) {
        if self.json {
            print(&format!("{}\n", line.finish()));
        }
    }

    /// How it goes, for people: in place on a terminal, else a line now and then.
    pub fn progress(&mut self, figures: &Figures, had: impl Fn(u32) -> bool) {
        if !self.json {
            self.screen.draw(figures, had);
        }
    }

    /// How several things go, for people at a terminal: these lines in place of the last ones.
    pub fn lines(&mut self, lines: &[String]) {
        if !self.json {
            self.screen.show(lines);
        }
    }

    /// How it is, for people: one line in place on a terminal, else now and then, and only what is new.
    pub fn status(&mut self, text: impl Display) {
        if !self.json {
            self.screen.line(&text.to_string());
        }
    }

    /// Why the program ends badly: a line on standard error, and an event.
    pub fn fail(&mut self, why: impl Display) {
        self.screen.clear();
        let _ = writeln!(io::stderr().lock(), "error: {why}");
        self.event(Line::new("error").text("why", why));
    }

    /// Leaves the last progress on the screen.
    pub fn keep(&mut self) {
        self.screen.keep();
    }
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
