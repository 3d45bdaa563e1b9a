//! The arguments of `esm`.

use crate::input::Input;
use clap::{Args as Arguments, Parser, Subcommand};
use p2p_esm::lan::Lan;
use p2p_esm::{Config, GroupKey, Point, Shape, SharedKey};
use p2p_examples::{Failure, arguments};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Broadcast a live stream over trees of its viewers, and watch one.
///
/// The first Ctrl-C (or SIGTERM) leaves cleanly: those that the stream is passed on to find others first. Exit codes: 0
/// the stream ended, 1 failed, 2 wrong usage, 130 interrupted before.
#[derive(Debug, Parser)]
#[command(name = "esm", version)]
pub(crate) struct Args {
    /// One JSON object a line on standard output: what happens, for other programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Be the source of a stream
    Broadcast(Broadcast),
    /// Take part in a stream, and write, play or show it
    Watch(Watch),
}

#[derive(Debug, Arguments)]
pub(crate) struct Broadcast {
    /// A file, - for standard input, or udp://ADDR (for a group ?localaddr=ADDR says on which interface). What has the clock
    /// of an MPEG transport stream is sent as that says
    #[arg(long, value_name = "INPUT")]
    pub(crate) input: Input,
    /// Where viewers reach it
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:4664")]
    pub(crate) listen: SocketAddr,
    /// Bytes of the stream in a second: viewers measure what they can pass on by it, and what has no clock is sent as fast.
    /// A recording says it itself; else 175k
    #[arg(long, value_name = "BYTES", value_parser = arguments::rate)]
    pub(crate) rate: Option<u64>,
    /// Trees that the stream goes down
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(crate) stripes: u8,
    /// Of so many packets, as many symbols are made as there are stripes: any so many of them give the stream
    #[arg(long, value_name = "K", default_value_t = 4)]
    pub(crate) code: u8,
    /// Where the source's own key is kept, by which viewers know the stream: made if it is not there. Drawn anew if not
    /// given
    #[arg(long, value_name = "FILE")]
    pub(crate) source_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) member: Member,
}

impl Broadcast {
    /// How the stream is cut. One stripe without a code has generations of sixteen packets.
    pub(crate) fn shape(&self) -> Result<Shape, Failure> {
        let wrong = || Failure::new("--stripes is from 1 to 64, and --code from 1 to that");
        if self.stripes == 1 {
            return Ok(Shape::SINGLE);
        }
        let parity = self.stripes.checked_sub(self.code).ok_or_else(wrong)?;
        Shape::new(self.stripes, self.code, parity).map_err(|_| wrong())
    }
}

#[derive(Debug, Arguments)]
#[command(group = clap::ArgGroup::new("to").required(true).multiple(true))]
pub(crate) struct Watch {
    /// The source, or anybody who watches already, as HOST:PORT or KEY@HOST:PORT; give it again for others to fall back to
    #[arg(long, value_name = "ADDR", required = true)]
    pub(crate) join: Vec<Door>,
    /// The key of the stream, as `esm broadcast` shows it
    #[arg(long, value_name = "KEY", value_parser = group)]
    pub(crate) group: Option<GroupKey>,
    /// Where to write the stream, from when it joined on; - for standard output
    #[arg(long, value_name = "FILE", group = "to")]
    pub(crate) out: Option<PathBuf>,
    /// Where a player hears the stream, packet by packet
    #[arg(long, value_name = "ADDR", group = "to", value_parser = arguments::peer)]
    pub(crate) udp: Option<SocketAddr>,
    /// Where a browser finds a page that plays the stream and shows the trees, and players the stream at /stream.ts
    #[cfg(feature = "page")]
    #[arg(long, value_name = "ADDR", group = "to")]
    pub(crate) http: Option<SocketAddr>,
    /// Begin in the past, as -30s, if others still have that; or with what comes next
    #[arg(long, value_name = "POINT", default_value = "now", allow_hyphen_values = true)]
    pub(crate) from: Point,
    /// Seconds that a packet which misses is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub(crate) patience: u32,
    /// Where others reach it; any port if not given
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:0")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) member: Member,
}

impl Watch {
    /// Which group, and by whom.
    pub(crate) fn joins(&self) -> Result<(GroupKey, Vec<SocketAddr>), Failure> {
        let group = self.group.or_else(|| self.join.iter().find_map(|door| door.group));
        let group = group.ok_or_else(|| {
            Failure::new("the key of the stream is missing: --group KEY, or --join KEY@ADDR")
        })?;
        Ok((group, self.join.iter().map(|door| door.at).collect()))
    }
}

/// Whom to join by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    group: Option<GroupKey>,
    at: SocketAddr,
}

impl std::str::FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('@') {
            Some((key, at)) => Ok(Self { group: Some(group(key)?), at: arguments::peer(at)? }),
            None => Ok(Self { group: None, at: arguments::peer(text)? }),
        }
    }
}

#[derive(Debug, Arguments)]
pub(crate) struct Member {
    /// Bytes in a second that it may send
    #[arg(long, value_name = "BYTES", default_value = "2M", value_parser = arguments::rate)]
    pub(crate) upload: u64,
    /// Seconds of the stream that are kept for viewers that begin in the past
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) keep: u32,
    /// The key of a closed group, whose packets are encrypted: 64 hexadecimal digits, or @FILE with these
    #[arg(long, value_name = "KEY", value_parser = shared)]
    pub(crate) key: Option<SharedKey>,
    /// Share the stream with others in the LAN of the interface that has this address, by multicast that stays in it
    #[arg(long, value_name = "ADDR")]
    pub(crate) interface: Option<IpAddr>,
    /// Who has more goes first when one host of a LAN is to get the stream for all
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) uplink: u32,
}

impl Member {
    /// What it says of how a member is to behave.
    pub(crate) fn settle(&self, config: &mut Config) -> Result<(), Failure> {
        config.upload = u32::try_from(self.upload).unwrap_or(u32::MAX);
        config.keep = Duration::from_secs(self.keep.into());
        config.shared.clone_from(&self.key);
        if let Some(addr) = self.interface {
            let index = p2p_transport_tokio::interface_at(addr).map_err(Failure::during("--interface"))?;
            let mut lan = Lan::on(index);
            lan.uplink = self.uplink;
            config.lan = Some(lan);
        }
        Ok(())
    }
}

fn group(text: &str) -> Result<GroupKey, String> {
    text.parse().map_err(|_| "a key of 64 hexadecimal digits".into())
}

fn shared(text: &str) -> Result<SharedKey, String> {
    let read;
    let digits = match text.strip_prefix('@') {
        Some(path) => {
            read = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
            read.trim()
        }
        None => text,
    };
    group(digits).map(|GroupKey(secret)| SharedKey::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_doors() {
        let key = GroupKey([0xa7; 32]);
        assert_eq!(group(&key.to_string()), Ok(key));
        assert_eq!(shared(&key.to_string()), Ok(SharedKey::new([0xa7; 32])));
        assert!(group("a7").is_err() && shared("@/nowhere").is_err());
        let at = SocketAddr::from(([1, 2, 3, 4], 5));
        assert_eq!("1.2.3.4:5".parse(), Ok(Door { group: None, at }));
        assert_eq!(format!("{key}@1.2.3.4:5").parse(), Ok(Door { group: Some(key), at }));
        assert!("a7@1.2.3.4:5".parse::<Door>().is_err());
    }

    #[test]
    fn how_a_stream_is_cut() {
        let shape = |text: &str| match Args::parse_from(text.split(' ')).verb {
            Verb::Broadcast(broadcast) => broadcast.shape().ok(),
            Verb::Watch(_) => None,
        };
        assert_eq!(shape("esm broadcast --input -"), Some(Shape::SIX_OF_FOUR));
        assert_eq!(shape("esm broadcast --input - --stripes 1"), Some(Shape::SINGLE));
        assert_eq!(shape("esm broadcast --input - --stripes 10 --code 8"), Shape::new(10, 8, 2).ok());
        assert_eq!(shape("esm broadcast --input - --stripes 4 --code 5"), None);
    }
}
