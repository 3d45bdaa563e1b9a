//! The arguments of `napster`.

use clap::{Args as Arguments, Parser, Subcommand};
use p2p_core::Target;
use p2p_napster::client::Bootstrap;
use p2p_napster::wire::Speed;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Serve an index of files, share files, find and get them, and talk, as Napster's users did.
///
/// Works with the servers and clients of Napster and OpenNap. Ctrl-C (or SIGTERM) stops cleanly; a second one ends the
/// program at once. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted before it was done.
#[derive(Debug, Parser)]
#[command(name = "napster", version)]
pub(crate) struct Args {
    /// One JSON object a line on standard output: what happens, for other programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Be an index server, until interrupted; SIGHUP reads its configuration again and drops nobody
    Serve(Serve),
    /// Share the files below a folder, until interrupted
    Share(Share),
    /// Say who has files of such names
    Search(Search),
    /// Get a file, going on where an earlier run stopped
    Get(Get),
    /// List all that a user shares
    Browse(Browse),
    /// Say what the server knows of a user
    Whois(Whois),
    /// Talk: each line of standard input is said, what others say is printed
    Chat(Chat),
}

#[derive(Debug, Arguments)]
pub(crate) struct Serve {
    /// Where to listen for clients; port 0 takes any free one. Default: what the configuration says, or 0.0.0.0:8888
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Also be a metaserver here (port 8875, as a rule), which sends clients to this server
    #[arg(long, value_name = "ADDR")]
    pub(crate) metaserver: Option<SocketAddr>,
    /// The address that the metaserver tells, if it is not the one of --listen
    #[arg(long, value_name = "ADDR")]
    pub(crate) public: Option<SocketAddr>,
    /// Where accounts and bans are kept; made if it is not there. Default: what the configuration says, or nowhere
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Serve figures over HTTP here: /metrics for Prometheus, /stats in JSON
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// A configuration in TOML; examples/napster.toml shows all that it can have
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Share {
    /// The folder whose files are shared, with all below it
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) login: Login,
}

#[derive(Debug, Arguments)]
pub(crate) struct Search {
    /// Words that a name must have; `-word`, behind `--`, must not be in it
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
    #[command(flatten)]
    pub(crate) login: Login,
}

#[derive(Debug, Arguments)]
pub(crate) struct Get {
    /// Words to search for; the file that most users have is fetched. With --from: the file's name
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// Get the file of this user, by the name that `browse` or `search` shows, or by the last part of it
    #[arg(long, value_name = "NICK")]
    pub(crate) from: Option<String>,
    /// The folder that it goes to; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
    #[command(flatten)]
    pub(crate) login: Login,
}

#[derive(Debug, Arguments)]
pub(crate) struct Browse {
    /// Whose files
    #[arg(value_name = "NICK")]
    pub(crate) user: String,
    /// Ask the user's own program, not the server
    #[arg(long)]
    pub(crate) direct: bool,
    #[command(flatten)]
    pub(crate) login: Login,
}

#[derive(Debug, Arguments)]
pub(crate) struct Whois {
    /// Who
    #[arg(value_name = "NICK")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) login: Login,
}

#[derive(Debug, Arguments)]
pub(crate) struct Chat {
    /// Channels to enter; lines are said in the last one. While it runs: /me, /msg NICK TEXT, /join, /part, /topic, /list,
    /// /quit, and what operators may: /kill, /ban, /unban, /bans, /muzzle, /unmuzzle, /level
    #[arg(value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    /// Say lines to this user alone
    #[arg(long, value_name = "NICK", conflicts_with = "channels")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) login: Login,
}

/// What a file must be like.
#[derive(Debug, Clone, Arguments)]
pub(crate) struct Bounds {
    /// The most results; servers have a limit of their own, 100 as a rule
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) max: u32,
    /// The least bit rate, in kbit/s
    #[arg(long, value_name = "N")]
    pub(crate) min_bitrate: Option<u64>,
    /// The greatest bit rate, in kbit/s
    #[arg(long, value_name = "N")]
    pub(crate) max_bitrate: Option<u64>,
    /// The least size: 500k, 2M, 1MiB
    #[arg(long, value_name = "BYTES", value_parser = p2p_examples::arguments::bytes)]
    pub(crate) min_size: Option<u64>,
    /// The greatest size: 500k, 2M, 1MiB
    #[arg(long, value_name = "BYTES", value_parser = p2p_examples::arguments::bytes)]
    pub(crate) max_size: Option<u64>,
    /// The least playing time, in seconds
    #[arg(long, value_name = "N")]
    pub(crate) min_seconds: Option<u64>,
    /// The greatest playing time, in seconds
    #[arg(long, value_name = "N")]
    pub(crate) max_seconds: Option<u64>,
    /// The sampling frequency, in Hz
    #[arg(long, value_name = "N")]
    pub(crate) frequency: Option<u64>,
    /// The slowest link of who has it, 0 to 10: 3 a modem, 7 cable, 9 T1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=10))]
    pub(crate) min_speed: Option<u8>,
    /// What sort of file; music and all others if not given
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    pub(crate) media: Option<Media>,
    /// Only what the server itself knows, nothing of servers linked to it
    #[arg(long)]
    pub(crate) local: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Media {
    Mp3,
    Audio,
    Video,
    Application,
    Image,
    Text,
}

/// Where to log in, and as whom.
#[derive(Debug, Clone, Arguments)]
pub(crate) struct Login {
    /// A server, HOST:PORT; give it again for those to go on to when it is gone
    #[arg(long = "server", value_name = "ADDR", value_parser = target, required_unless_present = "metaservers")]
    pub(crate) servers: Vec<Target>,
    /// Secure the streams to the servers with TLS: --server is the port for that, and the name that their certificates have.
    /// Files still go from user to user in clear
    #[cfg(feature = "tls")]
    #[arg(long, conflicts_with = "metaservers")]
    pub(crate) tls: bool,
    /// A file of certificates (PEM) to trust beside those that the system trusts; give it again for more
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) ca: Vec<PathBuf>,
    /// Have what goes to the server and comes from it compressed, where the server can: 1 fast to 9 small
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "6", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) zlib: Option<u8>,
    /// A metaserver, HOST:PORT, which names a server; give it again for more
    #[arg(long = "metaserver", value_name = "ADDR", value_parser = target)]
    pub(crate) metaservers: Vec<Target>,
    /// The nick; one that nobody chose if not given
    #[arg(long, value_parser = nick)]
    pub(crate) nick: Option<String>,
    /// A file with the nick's password in its first line. Without, the environment's NAPSTER_PASSWORD, or one that nobody
    /// knows, which servers take for a nick that nobody registered
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Register the nick, if it is not registered yet
    #[arg(long, requires = "nick")]
    pub(crate) register: bool,
    /// The port where others fetch from; 0 takes any free one. If not given: 6699 to share, or any free port if it is taken
    #[arg(long, value_name = "PORT", conflicts_with_all = ["listen", "firewalled"])]
    pub(crate) port: Option<u16>,
    /// The address to listen on, with the port. If not given: all of this machine's, or loopback if the servers are there
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Listen nowhere: files come from those who can be dialled, and go by dialling
    #[arg(long, conflicts_with = "listen")]
    pub(crate) firewalled: bool,
    /// The link that is told to others, 0 to 10: 0 unknown, 7 cable, 8 DSL, 9 T1, 10 more
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=10))]
    pub(crate) speed: u8,
}

impl Login {
    /// The servers that are tried.
    pub(crate) fn bootstrap(&self) -> Bootstrap {
        let mut to = Bootstrap::default();
        if self.is_secured() {
            to.secured.clone_from(&self.servers);
        } else {
            to.servers.clone_from(&self.servers);
        }
        to.metaservers.clone_from(&self.metaservers);
        to.register = self.register;
        to
    }

    /// Whether nothing is said to a server in clear.
    pub(crate) const fn is_secured(&self) -> bool {
        #[cfg(feature = "tls")]
        let secured = self.tls;
        #[cfg(not(feature = "tls"))]
        let secured = false;
        secured
    }
}

fn target(text: &str) -> Result<Target, String> {
    let read: Bootstrap = text.parse().map_err(|_| "not HOST:PORT")?;
    match <[Target; 1]>::try_from(read.servers) {
        Ok([target]) if read.metaservers.is_empty() => Ok(target),
        _ => Err("not HOST:PORT".into()),
    }
}

fn nick(text: &str) -> Result<String, String> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | ':' | '#' | '%');
    if text.is_empty() || text.len() > 30 || text.chars().any(bad) {
        return Err("1 to 30 bytes without spaces, quotes, colons, # and %".into());
    }
    Ok(text.into())
}

/// A link in the words of the time.
pub(crate) const fn link(speed: u8) -> &'static str {
    Speed(speed).label()
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
    fn servers_and_nicks() {
        assert_eq!(target("127.0.0.1:8888"), Ok(SocketAddr::from(([127, 0, 0, 1], 8888)).into()));
        assert_eq!(target("host:8888"), Ok(Target::Name { host: "host".into(), port: 8888 }));
        for bad in ["", "host", "host:0", "a:1,b:2", "meta:a:1", "host:99999"] {
            assert!(target(bad).is_err(), "{bad}");
        }
        assert!(nick("some-body").is_ok());
        for bad in ["", "a b", "a\"b", "#a", &"x".repeat(31)] {
            assert!(nick(bad).is_err(), "{bad}");
        }
    }
}
