//! `gnutella` on loopback: two ultrapeers, their leaves, and people who search, get and browse.

mod files;
#[cfg(feature = "tls")]
mod secured;
mod wrong;

use crate::rig::{Place, Running, field, number, text};
use std::process::Output;

pub(crate) fn run(args: &[&str]) -> Output {
    crate::rig::run("gnutella", args)
}

/// A node at work, and where it is.
pub(crate) struct Node {
    pub(crate) program: Running,
    pub(crate) at: String,
}

impl Node {
    pub(crate) fn new(mode: &str, more: &[&str]) -> Self {
        Self::at("127.0.0.1:0", mode, more)
    }

    pub(crate) fn at(at: &str, mode: &str, more: &[&str]) -> Self {
        // Whoever shares is heard of within a second.
        let args = [&["node", "--listen", at, "--mode", mode, "--rescan", "1"], more].concat();
        let program = Running::new("gnutella", &args);
        let at = program.listening();
        Self { program, at }
    }

    /// Waits until it shares so many files.
    pub(crate) fn shares(&self, files: u64) {
        self.program.wait("its files", |line| {
            line.starts_with("{\"event\":\"sharing\"") && number(line, "files") == files
        });
    }

    /// Waits for a neighbour that is this.
    pub(crate) fn linked(&self, role: &str) {
        let role = format!("\"role\":\"{role}\"");
        self.program
            .wait("a neighbour", |line| line.starts_with("{\"event\":\"linked\"") && line.contains(&role));
    }
}

/// The hits of a search for these words, once there are so many.
pub(crate) fn search(words: &str, peer: &str, hits: u64) -> Vec<String> {
    for _ in 0..20 {
        let found = run(&[
            "search",
            words,
            "--peer",
            peer,
            "--for",
            "3",
            "--most",
            &hits.max(1).to_string(),
            "--json",
        ]);
        assert!(found.status.success(), "{}", text(&found.stderr));
        let lines: Vec<String> = text(&found.stdout).lines().map(str::to_owned).collect();
        if number(lines.last().unwrap(), "hits") >= hits {
            return lines.into_iter().filter(|line| line.starts_with("{\"event\":\"hit\"")).collect();
        }
    }
    panic!("{words}: not found");
}

/// Two ultrapeers that are linked.
pub(crate) fn pair() -> [Node; 2] {
    let first = Node::new("ultrapeer", &[]);
    let second = Node::new("ultrapeer", &["--peer", &first.at]);
    second.linked("ultrapeer");
    [first, second]
}

pub(crate) fn link(hit: &str) -> String {
    field(hit, "link")
}

/// A leaf of this ultrapeer that shares what lies in a folder of a place.
pub(crate) fn sharer(place: &Place, folder: &str, ultrapeer: &str, more: &[&str]) -> Node {
    let dir = place.at(folder);
    let leaf = Node::new("leaf", &[&["--share", &dir, "--peer", ultrapeer], more].concat());
    leaf.linked("ultrapeer");
    leaf
}
