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
use p2p_examples::program::{self, INTERRUPTED};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { json, verb } = Args::parse();
    program::run(json, async |out, stop| match verb {
        Verb::Create(create) => create::run(create, out, stop).await,
        Verb::Show(show) => show::run(&show, out),
        Verb::Get(get) => transfer::get(get, out, stop).await,
        Verb::Seed(seed) => transfer::seed(seed, out, stop).await,
        Verb::Tracker(tracker) => tracker::run(tracker, out, stop).await,
        Verb::Verify(verify) => verify::run(&verify, out, stop).await,
    })
}
