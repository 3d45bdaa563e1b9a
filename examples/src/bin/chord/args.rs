//! The arguments of `chord`.

use clap::{Args as Arguments, Parser, Subcommand};
use p2p_chord::NetworkId;
use p2p_core::Id;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A distributed hash table: nodes on a ring keep small values, and know who has which file.
///
/// Start a ring with `chord node --listen ADDR`, more nodes with `--bootstrap ADDR`; every other command goes by any node
/// of it, `--via ADDR`, and is no member itself, so it also works behind a NAT. Ctrl-C (or SIGTERM) stops cleanly; a
/// second one ends the program at once. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted before it was done.
#[derive(Debug, Parser)]
#[command(name = "chord", version)]
pub(crate) struct Args {
    /// One JSON object a line on standard output: what happens, for other programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Be a node of a ring, until interrupted
    Node(Node),
    /// Store a value of at most 64 KiB under a key
    ///
    /// The key is any text. Who knows it can read the value, replace it, and nobody else can: the record is signed with a
    /// key pair made from the text, so choose one that nobody guesses where others must not write. With --secret the record
    /// is signed with the key pair of a file instead, and everybody who knows the key and the printed public key can read
    /// it; with --by-hash the key is the hash of the value, which nobody can ever change.
    ///
    /// It is on a majority of eight nodes' disks or memories once this ends, and is forgotten after --hours.
    Put(Put),
    /// Print what is stored under a key
    ///
    /// It was signed by somebody who knows the key (with --public: who has the secret; with --by-hash: its hash is the key);
    /// nothing else is ever printed. The newest version that three of its nodes have counts.
    Get(Get),
    /// Let everybody find and fetch files by name, until interrupted
    ///
    /// The ring is told who has them, again every hour; the files themselves are fetched from here. Anybody may publish
    /// anything under any name: what counts is the SHA-256 that is printed.
    Publish(Publish),
    /// Fetch a file by its name, or by its SHA-256 in hexadecimal digits, going on where an earlier run stopped
    ///
    /// It comes from all who have it at once, and is there under its name only once its SHA-256 is right. Of several
    /// contents under one name that one counts which most have; --sha256 says which it must be.
    Fetch(Fetch),
    /// Print the ring as it is seen by walking from successor to successor
    Ring(Ring),
}

#[derive(Debug, Arguments)]
pub(crate) struct Node {
    /// Where to hear others, UDP and TCP; port 0 takes any free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// A node of the ring to join, HOST:PORT; give it again for more. Without, a new ring begins
    #[arg(long, value_name = "ADDR", value_parser = p2p_examples::arguments::peer)]
    pub(crate) bootstrap: Vec<SocketAddr>,
    /// The folder where it keeps what it stores, so that nothing is lost when it is killed; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Where others reach it, if not where the bootstrap nodes see it
    #[arg(long, value_name = "ADDR")]
    pub(crate) advertise: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// Which ring.
#[derive(Debug, Clone, Arguments)]
pub(crate) struct Network {
    /// The name of the network; nodes of different ones never hear each other
    #[arg(long, value_name = "NAME", default_value = "p2p-chord")]
    network: String,
}

impl Network {
    pub(crate) fn id(&self) -> NetworkId {
        NetworkId::named(&self.network)
    }
}

/// The ring, and a way into it.
#[derive(Debug, Clone, Arguments)]
pub(crate) struct Via {
    /// A node of the ring, HOST:PORT; give it again for more
    #[arg(long, value_name = "ADDR", required = true, visible_alias = "bootstrap",
        value_parser = p2p_examples::arguments::peer)]
    pub(crate) via: Vec<SocketAddr>,
    /// How many seconds it may take until one of them answers
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) patience: u64,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Debug, Arguments)]
pub(crate) struct Put {
    /// The key. With --by-hash it is left away
    #[arg(value_name = "KEY")]
    pub(crate) first: String,
    /// The value, or @FILE for what is in a file, @- for standard input
    #[arg(value_name = "VALUE|@FILE", required_unless_present = "by_hash")]
    pub(crate) value: Option<String>,
    /// Store the value under its own hash, which is printed: nobody can ever change it
    #[arg(long, conflicts_with_all = ["secret", "if_seq"])]
    pub(crate) by_hash: bool,
    /// Sign with the secret key in this file (64 hexadecimal digits), not with one made from KEY; made if it is not there.
    /// The public key is printed
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: Option<PathBuf>,
    /// Only in place of the version with this number (compare-and-swap)
    #[arg(long, value_name = "N")]
    pub(crate) if_seq: Option<u64>,
    /// How long it is kept; nodes keep nothing longer than 25 hours
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=25))]
    pub(crate) hours: u64,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[derive(Debug, Arguments)]
pub(crate) struct Get {
    /// The key
    pub(crate) key: String,
    /// The key is a hash, as `put --by-hash` printed it
    #[arg(long, conflicts_with = "public")]
    pub(crate) by_hash: bool,
    /// The value is signed with this public key, as `put --secret` printed it
    #[arg(long, value_name = "HEX")]
    pub(crate) public: Option<Id<32>>,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[derive(Debug, Arguments)]
pub(crate) struct Publish {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The name of a single file, if not its own
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where others fetch from, TCP. Default: any free port of all addresses, or of loopback if the ring is there
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Send no more bytes a second than this: 500k, 2M
    #[arg(long, value_name = "BYTES", value_parser = p2p_examples::arguments::rate)]
    pub(crate) upload_rate: Option<u64>,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[derive(Debug, Arguments)]
pub(crate) struct Fetch {
    /// The name, or a SHA-256 in hexadecimal digits
    pub(crate) name: String,
    /// The folder that it goes to; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// What its SHA-256 must be
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<Id<32>>,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[derive(Debug, Arguments)]
pub(crate) struct Ring {
    /// Nodes after which it ends at the latest
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) via: Via,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
