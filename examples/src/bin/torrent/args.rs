//! The arguments of `torrent`.

use clap::{Args as Arguments, Parser, Subcommand};
use p2p_examples::arguments;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Make, show, fetch, seed and verify torrents, and track them.
///
/// The first Ctrl-C (or SIGTERM) stops cleanly: trackers are told, what is in memory is written; a second one ends the
/// program at once. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted before it was done.
#[derive(Debug, Parser)]
#[command(name = "torrent", version)]
pub(crate) struct Args {
    /// One JSON object a line on standard output: what happens, for other programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a torrent of a file or a folder
    Create(Create),
    /// Say what a torrent file says
    Show(Show),
    /// Fetch a torrent, going on where an earlier run stopped; end when it is complete
    Get(Get),
    /// Seed a torrent of which everything is here, until interrupted
    Seed(Seed),
    /// Be a tracker over HTTP and UDP, until interrupted
    Tracker(Tracker),
    /// Compare the files of a torrent with it; exit 1 if anything is missing or differs
    Verify(Verify),
}

#[derive(Debug, Arguments)]
pub(crate) struct Create {
    /// A file or a folder
    pub(crate) path: PathBuf,
    /// Where to put the torrent; NAME.torrent in the current folder if not given
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// A tracker; give it again for one to fall back to, or several at once, split by commas, to be used side by side
    #[arg(long, value_name = "URL")]
    pub(crate) announce: Vec<String>,
    /// Bytes in a piece, a power of two from 16KiB on; chosen by the size of the content if not given
    #[arg(long, value_name = "BYTES", value_parser = piece_length)]
    pub(crate) piece_length: Option<u32>,
    /// Peers may be had from the trackers only
    #[arg(long)]
    pub(crate) private: bool,
    /// A remark
    #[arg(long)]
    pub(crate) comment: Option<String>,
    /// Leave out when it was made and by what: the same content gives the same file
    #[arg(long)]
    pub(crate) anonymous: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Show {
    /// A torrent file
    #[arg(value_name = "TORRENT")]
    pub(crate) torrent: String,
}

#[derive(Debug, Arguments)]
pub(crate) struct Get {
    /// A torrent file
    #[arg(value_name = "TORRENT")]
    pub(crate) torrent: String,
    /// The folder that its files go to; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Fetch only files that fit: `*.iso`, `docs`, `docs/*.txt`, `docs/**`; give it again for more
    #[arg(long, value_name = "GLOB")]
    pub(crate) select: Vec<String>,
    /// Fetch the pieces in order instead of the rarest first
    #[arg(long)]
    pub(crate) sequential: bool,
    /// Go on seeding when it is complete, until interrupted
    #[arg(long)]
    pub(crate) seed: bool,
    /// The most bytes a second to fetch: 500k, 2M, 1MiB
    #[arg(long, value_name = "BYTES", value_parser = arguments::rate)]
    pub(crate) download_rate: Option<u64>,
    #[command(flatten)]
    pub(crate) peers: Peers,
}

#[derive(Debug, Arguments)]
pub(crate) struct Seed {
    /// A torrent file
    #[arg(value_name = "TORRENT")]
    pub(crate) torrent: String,
    /// The folder that its files (or the folder of its name) are in
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    #[command(flatten)]
    pub(crate) peers: Peers,
}

#[derive(Debug, Arguments)]
pub(crate) struct Peers {
    /// A peer to begin with, HOST:PORT; give it again for more
    #[arg(long = "peer", value_name = "ADDR", value_parser = arguments::peer)]
    pub(crate) known: Vec<SocketAddr>,
    /// Where to listen for peers; port 0 takes any free one. If not given: 0.0.0.0:6881, or any free port if that one
    /// is taken
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The most bytes a second to send: 500k, 2M, 1MiB
    #[arg(long, value_name = "BYTES", value_parser = arguments::rate)]
    pub(crate) upload_rate: Option<u64>,
    /// Serve figures for Prometheus over HTTP here
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Tracker {
    /// Where to answer over HTTP; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:6969")]
    pub(crate) listen: SocketAddr,
    /// Where to answer over UDP; the address and port of --listen if not given
    #[arg(long, value_name = "ADDR")]
    pub(crate) udp: Option<SocketAddr>,
    /// Serve only the torrents in this file: an info-hash of 40 hex digits a line, `#` begins a remark
    #[arg(long, value_name = "FILE")]
    pub(crate) whitelist: Option<PathBuf>,
    /// Serve figures for Prometheus over HTTP here
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Verify {
    /// A torrent file
    #[arg(value_name = "TORRENT")]
    pub(crate) torrent: String,
    /// The folder that its files (or the folder of its name) are in
    #[arg(long = "in", value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

fn piece_length(text: &str) -> Result<u32, String> {
    let len = arguments::bytes(text)?;
    match u32::try_from(len) {
        Ok(len) if len.is_power_of_two() && (16 << 10..=256 << 20).contains(&len) => Ok(len),
        _ => Err("must be a power of two from 16KiB to 256MiB, such as 262144 or 256KiB".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn piece_lengths() {
        assert_eq!(piece_length("256KiB"), Ok(262_144));
        assert_eq!(piece_length("16384"), Ok(16_384));
        assert!(piece_length("256k").is_err());
        assert!(piece_length("8192").is_err());
        assert!(piece_length("0").is_err());
        assert!(piece_length("4GiB").is_err());
    }
}
