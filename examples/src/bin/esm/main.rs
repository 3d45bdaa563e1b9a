//! `esm`: broadcasts a live stream to whoever joins, and watches one.

mod args;
mod broadcast;
mod input;
#[cfg(feature = "page")]
mod page;
mod pcr;
mod picture;
mod watch;

use args::{Args, Verb};
use clap::Parser;
use p2p_examples::program;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { json, verb } = Args::parse();
    program::run(json, async |out, stop| match verb {
        Verb::Broadcast(broadcast) => broadcast::run(broadcast, out, stop).await,
        Verb::Watch(watch) => watch::run(watch, out, stop).await,
    })
}
