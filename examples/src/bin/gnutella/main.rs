//! `gnutella`: a servent of the Gnutella network, and what people do with one: search, get, browse.

mod args;
mod browse;
mod get;
mod hits;
mod hosts;
mod node;
mod search;
mod session;
mod shares;

use args::{Args, Verb};
use clap::Parser;
use p2p_examples::program::{self, INTERRUPTED};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { json, verb } = Args::parse();
    program::run(json, async |out, stop| match verb {
        Verb::Node(node) => node::run(&node, out, stop).await,
        Verb::Search(search) => search::run(&search, out, stop).await,
        Verb::Get(get) => get::run(&get, out, stop).await,
        Verb::Browse(browse) => browse::run(&browse, out, stop).await,
    })
}
