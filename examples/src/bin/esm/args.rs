//! The arguments of `esm`.

use clap::{Args as Arguments, Parser, Subcommand};
use p2p_esm::GroupKey;
use p2p_esm::lan::Lan;
use p2p_examples::{Failure, arguments};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

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
    /// Take part in a stream, and write it to a file
    Watch(Watch),
}

#[derive(Debug, Arguments)]
pub(crate) struct Broadcast {
    /// A file, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where viewers reach it
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:4664")]
    pub(crate) listen: SocketAddr,
    /// Bytes of the stream in a second: a file is sent as fast, and viewers measure what they can pass on by it
    #[arg(long, value_name = "BYTES", default_value = "175k", value_parser = arguments::rate)]
    pub(crate) rate: u64,
    #[command(flatten)]
    pub(crate) member: Member,
}

#[derive(Debug, Arguments)]
pub(crate) struct Watch {
    /// The source, or anybody who watches already; give it again for others to fall back to
    #[arg(long, value_name = "ADDR", required = true, value_parser = arguments::peer)]
    pub(crate) join: Vec<SocketAddr>,
    /// The key of the stream, as `esm broadcast` shows it
    #[arg(long, value_name = "KEY", value_parser = group)]
    pub(crate) group: GroupKey,
    /// Where to write the stream, from when it joined on
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Where others reach it; any port if not given
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:0")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) member: Member,
}

#[derive(Debug, Arguments)]
pub(crate) struct Member {
    /// Bytes in a second that it may send
    #[arg(long, value_name = "BYTES", default_value = "2M", value_parser = arguments::rate)]
    pub(crate) upload: u64,
    /// Share the stream with others in the LAN of the interface that has this address, by multicast that stays in it
    #[arg(long, value_name = "ADDR")]
    pub(crate) interface: Option<IpAddr>,
    /// Who has more goes first when one host of a LAN is to get the stream for all
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) uplink: u32,
}

impl Member {
    /// Its part in its LAN.
    pub(crate) fn lan(&self) -> Result<Option<Lan>, Failure> {
        let Some(addr) = self.interface else { return Ok(None) };
        let index = p2p_transport_tokio::interface_at(addr).map_err(Failure::during("--interface"))?;
        let mut lan = Lan::on(index);
        lan.uplink = self.uplink;
        Ok(Some(lan))
    }

    pub(crate) fn upload(&self) -> u32 {
        u32::try_from(self.upload).unwrap_or(u32::MAX)
    }
}

fn group(text: &str) -> Result<GroupKey, String> {
    let wrong = || String::from("a key of 64 hexadecimal digits");
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(GroupKey(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let key = GroupKey([0xa7; 32]);
        assert_eq!(group(&key.to_string()), Ok(key));
        assert!(group("a7").is_err() && group(&"x".repeat(64)).is_err());
    }
}
