//! `chord`: a node of a ring, and all that can be done with one: put, get, publish, fetch, look at it.

mod args;
mod fetch;
mod get;
mod guest;
mod key;
mod node;
mod publish;
mod put;
mod ring;

use args::{Args, Verb};
use clap::Parser;
use p2p_examples::program::{self, INTERRUPTED};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { json, verb } = Args::parse();
    program::run(json, async |out, stop| match verb {
        Verb::Node(node) => node::run(&node, out, stop).await,
        Verb::Put(put) => put::run(&put, out, stop).await,
        Verb::Get(get) => get::run(&get, out, stop).await,
        Verb::Publish(publish) => publish::run(&publish, out, stop).await,
        Verb::Fetch(fetch) => fetch::run(&fetch, out, stop).await,
        Verb::Ring(ring) => ring::run(&ring, out, stop).await,
    })
}
