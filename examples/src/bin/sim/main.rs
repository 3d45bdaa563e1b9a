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

/// Starts this program anew with large pages, if it does not have them and the system's allocator has: a sixth of what a
/// ring of 100,000 nodes costs is looking up where pages are. Nothing but speed follows from it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn with_large_pages() {
    use std::os::unix::process::CommandExt as _;
    const TUNABLES: &str = "GLIBC_TUNABLES";
    if std::env::var_os(TUNABLES).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        let mut anew = std::process::Command::new(program);
        // Returns only if it cannot be done, and then it is done without.
        let _ = anew.args(std::env::args_os().skip(1)).env(TUNABLES, "glibc.malloc.hugetlb=1").exec();
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn with_large_pages() {}

fn main() -> ExitCode {
    let args = Args::parse();
    if matches!(args.system, System::Chord(_) | System::Esm(_)) {
        with_large_pages();
    }
    let mut out = Output::new(args.json);
    let (check, passed) = match &args.system {
        System::Bittorrent(asked) => (asked.check, Ok(bittorrent(asked, &mut out))),
        System::Chord(asked) => (asked.check, Ok(asked.run(&mut out))),
        System::Esm(asked) => (asked.check, asked.run(&mut out)),
        System::Gnutella(asked) => (asked.check, asked.run(&mut out)),
    };
    match passed {
        Ok(passed) if passed || !check => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        // Nothing was run.
        Err(why) => {
            out.fail(&why);
            ExitCode::FAILURE
        }
    }
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
