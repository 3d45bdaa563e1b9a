//! `sim`: swarms of real machines in virtual time, compared with the bounds of theory.

mod args;
mod chord;
mod esm;
mod gnutella;
mod report;

use args::{Args, System};
use clap::Parser;
use p2p_examples::{Output, swarm};
use report::Report;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = Output::new(args.json);
    let (check, passed) = match &args.system {
        System::Bittorrent(asked) => (asked.check, bittorrent(asked, &mut out)),
        System::Chord(asked) => (asked.check, asked.run(&mut out)),
        System::Esm(asked) => (asked.check, asked.run(&mut out)),
        System::Gnutella(asked) => (asked.check, asked.run(&mut out)),
    };
    if check && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs the swarms; whether no bound was missed.
fn bittorrent(asked: &args::Bittorrent, out: &mut Output) -> bool {
    let scenario = asked.scenario();
    let mut report = Report::new(asked.timeline);
    for seed in asked.seeds() {
        report.ran(&scenario, swarm::run(&scenario, seed), out);
    }
    report.end(out)
}
