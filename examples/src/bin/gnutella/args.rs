//! The arguments of `gnutella`.

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use p2p_examples::arguments::{peer, rate};
use p2p_gnutella::servent::Bootstrap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A servent of the Gnutella network: share files, find what others share, fetch it from all of them at once.
///
/// Works with gtk-gnutella, WireShare and others. Start a network of your own with
/// `gnutella node --listen ADDR --mode ultrapeer`; every other command goes by any servent of it, `--peer ADDR`. Ctrl-C (or
/// SIGTERM) says goodbye to the neighbours; a second one ends the program at once. Exit codes: 0 done, 1 failed, 2 wrong
/// usage, 130 interrupted before it was done.
#[derive(Debug, Parser)]
#[command(name = "gnutella", version)]
pub(crate) struct Args {
    /// One JSON object a line on standard output: what happens, for other programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Be a servent, until interrupted: share, lead queries, keep the network together
    Node(Node),
    /// Print who has files whose names have all of these words
    Search(Search),
    /// Fetch a file, going on where an earlier run stopped
    ///
    /// It comes from all who are known to have it, each part is held against its tiger tree, and the whole against its
    /// SHA-1 before it gets its name. Whoever else has it is searched for.
    Get(Get),
    /// Print all that a servent shares
    Browse(Browse),
}

/// How a servent is a part of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A leaf that becomes an ultrapeer once others reach it, if it is up for long or finds no ultrapeer
    Auto,
    /// A leaf: it has a few ultrapeers, which ask it only for what it may have
    Leaf,
    /// An ultrapeer: it leads the queries of others. The first servent of a network had better be one
    Ultrapeer,
}

#[derive(Debug, Arguments)]
pub(crate) struct Node {
    /// Where to listen, TCP and UDP; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:6346")]
    pub(crate) listen: SocketAddr,
    /// Share the files below this folder, but those whose names begin with a dot; what is added or changed is noticed
    #[arg(long, value_name = "DIR")]
    pub(crate) share: Vec<PathBuf>,
    /// What to be to others
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub(crate) mode: Mode,
    /// Keep the addresses of other servents and the digests of shared files here, so that the next run knows them; made if
    /// it is not there. Default: nothing is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Seconds after which the shared folders are looked through again
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rescan: u64,
    /// Bytes a second that uploads may take, such as 500k or 2MiB. Default: no limit
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) up: Option<u64>,
    /// Where others reach this servent, if that is not where it listens
    #[arg(long, value_name = "ADDR")]
    pub(crate) reached_at: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Debug, Arguments)]
pub(crate) struct Search {
    /// Words that a name must have; those between quotation marks of their own next to each other: '"blue train" flac'
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// Seconds to wait for hits
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Ask ultrapeers one by one, by UDP and so many at the most, for what is too rare to be near (GUESS); give it time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) guess: Option<u16>,
    /// End after so many hits
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Debug, Arguments)]
pub(crate) struct Get {
    /// A magnet link as `search` prints it, a URN with a SHA-1, or the URL of a file on a servent. Without a SHA-1
    /// (`http://ADDR/get/NUMBER/NAME`, as servents of 2000 have it) nobody else is asked, and nothing is verified but the
    /// size
    #[arg(value_name = "MAGNET|URN|HIT")]
    pub(crate) what: String,
    /// The folder that it goes to; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Where to listen, so that those behind firewalls can connect. Default: any free port
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Debug, Arguments)]
pub(crate) struct Browse {
    /// Whose files
    #[arg(value_name = "ADDR", value_parser = peer)]
    pub(crate) servent: SocketAddr,
}

/// Whom to ask first.
#[derive(Debug, Clone, Default, Arguments)]
pub(crate) struct Network {
    /// A servent to link to: HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = peer)]
    pub(crate) peer: Vec<SocketAddr>,
    /// A UDP host cache to ask for servents: HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = cache)]
    pub(crate) udp_cache: Vec<(String, u16)>,
    /// A web cache (GWebCache) to ask for servents
    #[arg(long, value_name = "URL")]
    pub(crate) web_cache: Vec<String>,
    /// Secure links with those who can, and take those that are secured: keeps out who listens, not who stands between, for
    /// nobody is known by a certificate
    #[cfg(feature = "tls")]
    #[arg(long)]
    pub(crate) tls: bool,
}

fn cache(text: &str) -> Result<(String, u16), String> {
    let (host, port) = text.rsplit_once(':').ok_or("no HOST:PORT")?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or("no port")?;
    if host.is_empty() { Err("no host".into()) } else { Ok((host.into(), port)) }
}

impl Network {
    pub(crate) fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            peers: self.peer.clone(),
            udp_caches: self.udp_cache.clone(),
            web_caches: self.web_cache.clone(),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.peer.is_empty() && self.udp_cache.is_empty() && self.web_cache.is_empty()
    }

    /// Whether links are secured with those who can.
    pub(crate) const fn is_secured(&self) -> bool {
        #[cfg(feature = "tls")]
        let secured = self.tls;
        #[cfg(not(feature = "tls"))]
        let secured = false;
        secured
    }

    /// Whether all that is named is on this machine, and something is.
    pub(crate) fn is_local(&self) -> bool {
        self.udp_cache.is_empty()
            && self.web_cache.is_empty()
            && !self.peer.is_empty()
            && self.peer.iter().all(|peer| peer.ip().is_loopback())
    }
}
