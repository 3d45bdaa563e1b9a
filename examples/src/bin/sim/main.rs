//! `sim`: swarms of real machines in virtual time, compared with the bounds of theory.

mod args;
mod report;

use args::{Args, System};
use clap::Parser;
use p2p_examples::{Output, swarm};
use report::Report;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    let System::Bittorrent(asked) = args.system;
    let mut out = Output::new(args.json);
    let scenario = asked.scenario();
    let mut report = Report::new(asked.timeline);
    for seed in asked.seeds() {
        report.ran(&scenario, swarm::run(&scenario, seed), &mut out);
    }
    let passed = report.end(&mut out);
    if asked.check && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
