//! The arguments of `napster-load`.

use clap::{Args as Arguments, Parser, Subcommand};
use p2p_examples::load::Measured;
use std::net::SocketAddrV4;

/// Load a server of the Napster or OpenNap protocol on this machine, and say what that costs it.
///
/// Each run wants a server that has just been started. Users come from addresses of their own in 127.0.0.0/8, so the
/// server has to listen on 0.0.0.0 or 127.0.0.1. Times are CPU time of the server's process, but for latencies, which
/// are what a user with one connection waits whose system delays acknowledgements as usual.
#[derive(Debug, Parser)]
#[command(name = "napster-load", version)]
pub(crate) struct Args {
    /// Where the server listens for clients
    pub(crate) addr: SocketAddrV4,
    #[command(flatten)]
    pub(crate) measured: Measured,
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Users share files and search them, and one with many files leaves
    Index(Index),
    /// More and more users who do nothing, and a few who talk among them
    Idle(Idle),
    /// All users come back at once with their files
    Storm(Storm),
    /// Users with registered nicks come back, whose passwords are hashed, while somebody else asks one thing after the
    /// other
    Logins(Logins),
}

#[derive(Debug, Arguments)]
pub(crate) struct Index {
    /// Users
    #[arg(long, default_value_t = 1_000)]
    pub(crate) users: usize,
    /// Files of each
    #[arg(long, default_value_t = 1_000)]
    pub(crate) files: usize,
    /// Searches of each sort
    #[arg(long, default_value_t = 2_000)]
    pub(crate) searches: usize,
    /// Files of the one who leaves
    #[arg(long, default_value_t = 5_000)]
    pub(crate) leaving: usize,
}

#[derive(Debug, Arguments)]
pub(crate) struct Idle {
    /// How many idle users there are, one figure after the other
    #[arg(long, value_delimiter = ',', default_values_t = [5_000, 15_000])]
    pub(crate) crowds: Vec<usize>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Storm {
    /// Users
    #[arg(long, default_value_t = 10_000)]
    pub(crate) users: usize,
    /// Files of each
    #[arg(long, default_value_t = 330)]
    pub(crate) files: usize,
}

#[derive(Debug, Arguments)]
pub(crate) struct Logins {
    /// Users
    #[arg(long, default_value_t = 200)]
    pub(crate) users: usize,
}
