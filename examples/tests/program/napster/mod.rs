//! `napster`: its server, its users, and strangers who speak to them over plain sockets.

mod crowd;
mod hostile;
mod keeping;
mod peer;
#[cfg(feature = "tls")]
mod secured;
mod uploads;
mod users;
mod zlib;

use crate::rig::{Place, Running, field};
use std::process::Output;

pub(crate) fn run(args: &[&str]) -> Output {
    crate::rig::run("napster", args)
}

pub(crate) fn running(args: &[&str]) -> Running {
    Running::new("napster", args)
}

/// A server at work, and where it is.
pub(crate) struct Server {
    pub(crate) program: Running,
    pub(crate) at: String,
}

impl Server {
    /// One that hashes fast, never speaks unasked, and has this in its configuration too.
    pub(crate) fn new(place: &Place, more: &str) -> Self {
        Self::at(place, "127.0.0.1:0", more)
    }

    pub(crate) fn at(place: &Place, at: &str, more: &str) -> Self {
        place.put("napster.toml", config(more).as_bytes());
        let program = running(&["serve", "--listen", at, "--config", &place.at("napster.toml")]);
        let at = program.listening();
        Self { program, at }
    }

    /// Stops it; its last figures.
    pub(crate) fn last(self) -> String {
        self.program.interrupt();
        let mut last = String::new();
        while let Some(line) = self.program.rest() {
            if line.starts_with("{\"event\":\"stats\"") {
                last = line;
            }
        }
        assert_eq!(self.program.code(), 0);
        last
    }
}

pub(crate) fn config(more: &str) -> String {
    format!("stats_seconds = 0\npassword_cost = {{ memory_kib = 8, passes = 1 }}\n{more}\n")
}

/// Somebody who shares a folder of this place.
pub(crate) fn share(place: &Place, server: &str, nick: &str, more: &[&str]) -> Running {
    let dir = place.at(nick);
    let args = ["share", "--server", server, "--nick", nick, "--dir", &dir, "--listen", "127.0.0.1:0"];
    let program = running(&[&args[..], more].concat());
    program.event("sharing");
    program
}

/// The lines of one event.
pub(crate) fn events(output: &Output, name: &str) -> Vec<String> {
    let start = format!("{{\"event\":\"{name}\"");
    let text = crate::rig::text(&output.stdout);
    text.lines().filter(|line| line.starts_with(&start)).map(str::to_owned).collect()
}

/// The names that a search finds, in order.
pub(crate) fn names(output: &Output) -> Vec<String> {
    let mut names: Vec<String> = events(output, "hit").iter().map(|line| field(line, "name")).collect();
    names.sort();
    names
}
