//! The arguments of `gnutella-load`.

use clap::{Args as Arguments, Parser, Subcommand};
use p2p_examples::load::Measured;
use std::net::SocketAddrV4;

/// Load a Gnutella ultrapeer on this machine, and say what that costs it.
///
/// Neighbours come from addresses of their own in 127.0.0.0/8, so the servent has to listen on 0.0.0.0 or 127.0.0.1. Figures
/// are of the CPU time of its process. Without --pid and --start an ultrapeer of this library is started that takes any
/// number of queries of a neighbour.
#[derive(Debug, Parser)]
#[command(name = "gnutella-load", version)]
pub(crate) struct Args {
    /// Where the servent listens
    pub(crate) addr: SocketAddrV4,
    #[command(flatten)]
    pub(crate) measured: Measured,
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// One neighbour asks, and the others get its queries
    Relay(Relay),
    /// Two ultrapeers and then more and more leaves do nothing
    Idle(Idle),
    /// Be the servent that is measured
    #[command(hide = true)]
    Serve,
}

#[derive(Debug, Arguments)]
pub(crate) struct Relay {
    /// How many neighbours get the queries, one figure after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16])]
    pub(crate) fan_outs: Vec<u8>,
    /// Queries
    #[arg(long, default_value_t = 200_000)]
    pub(crate) messages: usize,
}

#[derive(Debug, Arguments)]
pub(crate) struct Idle {
    /// Seconds of doing nothing
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// Leaves
    #[arg(long, default_value_t = 90)]
    pub(crate) leaves: u8,
}
