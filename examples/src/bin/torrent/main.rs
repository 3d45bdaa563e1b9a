//! `torrent`: makes, shows, fetches, seeds and verifies torrents, and is a tracker.

mod args;
mod create;
mod load;
#[cfg(feature = "metrics")]
mod metrics;
mod session;
mod show;
mod tracker;
mod transfer;
mod verify;

use args::{Args, Verb};
use clap::Parser;
use p2p_examples::{Failure, Output, Stop};
use std::process::ExitCode;

/// The end of a verb that somebody interrupted before it was done: what a shell says of `SIGINT`.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = Output::new(args.json);
    match run(args.verb, &mut out) {
        Ok(code) => code,
        Err(why) => {
            out.fail(why);
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb, out: &mut Output) -> Result<ExitCode, Failure> {
    // One machine runs in one task; disk and digests have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::during("starting"))?;
    let code = runtime.block_on(async {
        let stop = Stop::install().map_err(Failure::during("listening for signals"))?;
        match verb {
            Verb::Create(create) => create::run(create, out, &stop).await,
            Verb::Show(show) => show::run(&show, out),
            Verb::Get(get) => transfer::get(get, out, &stop).await,
            Verb::Seed(seed) => transfer::seed(seed, out, &stop).await,
            Verb::Tracker(tracker) => tracker::run(tracker, out, &stop).await,
            Verb::Verify(verify) => verify::run(&verify, out, &stop).await,
        }
    });
    // A name look-up that hangs must not hold up the end.
    runtime.shutdown_background();
    code
}
