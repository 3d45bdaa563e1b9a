//! Where a stream comes from: a recording, standard input, or datagrams ([`Input`]).

use crate::pcr::{self, Pacer};
use p2p_core::Bytes;
use p2p_esm::LARGEST_PACKET;
use p2p_examples::Failure;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Packets that were read and not sent.
const AHEAD: usize = 64;
/// What is read of a recording to learn how fast it is.
const BEGINNING: u64 = 2 << 20;
/// Packets in a portion at most.
const PORTION: usize = 64;
/// Packets go out in portions of so long.
const TURN: Duration = Duration::from_millis(10);

/// What `--input` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// `-`.
    Stdin,
    /// A file.
    Recording(PathBuf),
    /// `udp://ADDR`, and for a group the address of the interface on which it is joined.
    Datagrams(SocketAddr, Option<Ipv4Addr>),
}

impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("udp://") else {
            return Ok(if text == "-" { Self::Stdin } else { Self::Recording(text.into()) });
        };
        let (at, options) = rest.split_once('?').unwrap_or((rest, ""));
        // As players write it, `udp://@:5004`: anything that comes here.
        let at = at.trim_start_matches('@');
        let at = at.strip_prefix(':').map_or_else(|| at.to_owned(), |port| format!("0.0.0.0:{port}"));
        let at = at.to_socket_addrs().ok().and_then(|mut found| found.next());
        let at = at.ok_or("udp:// and HOST:PORT, for a group also ?localaddr=ADDR")?;
        let local = options.split('&').find_map(|option| option.strip_prefix("localaddr="));
        let local =
            local.map(|addr| addr.parse().map_err(|_| "localaddr= and an IPv4 address")).transpose()?;
        Ok(Self::Datagrams(at, local))
    }
}

/// Packets of a stream, when they are due.
pub(crate) enum Packets {
    /// As they come in.
    Live(UdpSocket),
    /// As their clock says, or evenly.
    Read(Reading),
}

/// What is read of a recording or a pipe.
pub(crate) struct Reading {
    blocks: mpsc::Receiver<io::Result<Bytes>>,
    /// If it has a clock, as far as we know.
    pacer: Option<Pacer>,
    due: VecDeque<(Duration, Bytes)>,
    began: Option<Instant>,
    /// Bytes in a second of what has no clock, and those so far.
    rate: u32,
    sent: u64,
}

impl Input {
    /// Bytes in a second, as far as it is a recording that says so.
    pub(crate) fn rate(&self) -> Option<u32> {
        let Self::Recording(path) = self else { return None };
        let mut beginning = Vec::new();
        File::open(path).ok()?.take(BEGINNING).read_to_end(&mut beginning).ok()?;
        pcr::rate(&beginning)
    }

    /// Opens it; what has no clock comes at `rate`.
    pub(crate) async fn open(&self, rate: u32) -> Result<Packets, Failure> {
        let from: Box<dyn Read + Send> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::Recording(path) => Box::new(File::open(path).map_err(Failure::during(path.display()))?),
            Self::Datagrams(at, local) => {
                let socket =
                    UdpSocket::bind(at).await.map_err(Failure::during(format_args!("udp://{at}")))?;
                if let SocketAddr::V4(at) = at
                    && at.ip().is_multicast()
                {
                    // The route that the system knows for groups is the one to everywhere else.
                    let local = local.unwrap_or(Ipv4Addr::LOCALHOST);
                    socket.join_multicast_v4(*at.ip(), local).map_err(Failure::during("--input"))?;
                }
                return Ok(Packets::Live(socket));
            }
        };
        Ok(Packets::Read(Reading {
            blocks: read(from),
            pacer: Some(Pacer::default()),
            due: VecDeque::new(),
            began: None,
            rate: rate.max(1),
            sent: 0,
        }))
    }
}

impl Packets {
    /// The next packets, once they are due; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<Bytes>> {
        match self {
            Self::Live(socket) => {
                // The largest that UDP can carry; what others send is in portions of seven packets, too.
                let mut room = vec![0; 65_535];
                let (len, _) = socket.recv_from(&mut room).await?;
                room.truncate(len);
                let mut portion = cut(room.into());
                while portion.len() < PORTION {
                    let mut room = vec![0; 65_535];
                    let Ok((len, _)) = socket.try_recv_from(&mut room) else { break };
                    room.truncate(len);
                    portion.append(&mut cut(room.into()));
                }
                Ok(portion)
            }
            Self::Read(reading) => reading.next().await,
        }
    }
}

impl Reading {
    async fn next(&mut self) -> io::Result<Vec<Bytes>> {
        while self.due.is_empty() {
            let block = self.blocks.recv().await.transpose()?;
            let is_end = block.is_none();
            self.take(block);
            if is_end {
                break;
            }
        }
        let Some((first, _)) = self.due.front() else { return Ok(Vec::new()) };
        let began = *self.began.get_or_insert_with(Instant::now);
        tokio::time::sleep_until(began + *first).await;
        // What is due in a moment goes with it.
        let until = began.elapsed() + TURN;
        let count = self.due.iter().take(PORTION).take_while(|(at, _)| *at < until).count();
        Ok(self.due.drain(..count.max(1)).map(|(_, block)| block).collect())
    }

    /// The next block, or the end.
    fn take(&mut self, block: Option<Bytes>) {
        let mut due = Vec::new();
        let Some(pacer) = &mut self.pacer else {
            return block.into_iter().for_each(|block| self.evenly(block));
        };
        let is_end = block.is_none();
        let is_stream = block.as_ref().is_none_or(|block| pcr::is_stream(block));
        if let Some(block) = block {
            pacer.push(block, &mut due);
        }
        let has_none = pacer.has_none(is_end || !is_stream);
        if is_end || has_none {
            pacer.release(&mut due);
            self.pacer = None;
        }
        if has_none {
            due.into_iter().for_each(|(_, block)| self.evenly(block));
        } else {
            self.due.extend(due);
        }
    }

    fn evenly(&mut self, block: Bytes) {
        let at = Duration::from_secs_f64(self.sent as f64 / f64::from(self.rate));
        self.sent += block.len() as u64;
        self.due.push_back((at, block));
    }
}

fn cut(mut datagram: Bytes) -> Vec<Bytes> {
    let mut packets = Vec::new();
    while !datagram.is_empty() {
        packets.push(datagram.split_to(datagram.len().min(LARGEST_PACKET)));
    }
    packets
}

/// Blocks of seven packets, as they are read.
fn read(mut from: Box<dyn Read + Send>) -> mpsc::Receiver<io::Result<Bytes>> {
    let (tell, blocks) = mpsc::channel(AHEAD);
    // Reading a pipe may wait for ever; such a thread ends with the program.
    std::thread::spawn(move || {
        loop {
            let mut block = vec![0; LARGEST_PACKET];
            let mut len = 0;
            while len < block.len() {
                match from.read(&mut block[len..]) {
                    Ok(0) => break,
                    Ok(more) => len += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        let _ = tell.blocking_send(Err(error));
                        return;
                    }
                }
            }
            block.truncate(len);
            if len == 0 || tell.blocking_send(Ok(block.into())).is_err() {
                return;
            }
        }
    });
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_from() {
        let udp = |at: &str, local: Option<&str>| {
            Ok(Input::Datagrams(at.parse().expect("where"), local.map(|addr| addr.parse().expect("by what"))))
        };
        assert_eq!("-".parse(), Ok(Input::Stdin));
        assert_eq!("a.ts".parse(), Ok(Input::Recording("a.ts".into())));
        assert_eq!("udp://127.0.0.1:5004".parse(), udp("127.0.0.1:5004", None));
        assert_eq!("udp://@:5004".parse(), udp("0.0.0.0:5004", None));
        assert_eq!(
            "udp://239.77.1.1:5004?ttl=1&localaddr=10.77.1.11".parse(),
            udp("239.77.1.1:5004", Some("10.77.1.11"))
        );
        assert!("udp://nowhere".parse::<Input>().is_err());
        assert!("udp://239.77.1.1:5004?localaddr=x".parse::<Input>().is_err());
    }
}
