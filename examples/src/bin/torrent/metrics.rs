//! Figures for Prometheus over HTTP (feature `metrics`): its text format 0.0.4, asked of the machine at each request.

use crate::{session, tracker};
use p2p_bittorrent::tracker::Tracker;
use p2p_bittorrent::{Client, InfoHash};
use p2p_core::node::Node;
use p2p_examples::{Failure, Line, Output};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Requests at once; more wait to be accepted.
const AT_ONCE: usize = 16;
/// How long a request may take, however slowly it drips.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request.
const HEAD: usize = 4096;

/// Whose figures.
#[derive(Clone)]
pub(crate) enum Source {
    /// A client's, of one torrent.
    Client(Node<Client>, InfoHash),
    /// A tracker's.
    Tracker(Node<Tracker>),
}

/// Serves the figures from here on.
pub(crate) async fn serve(at: SocketAddr, source: Source, out: &mut Output) -> Result<(), Failure> {
    let listener = TcpListener::bind(at).await.map_err(Failure::during(format_args!("metrics on {at}")))?;
    let at = listener.local_addr().map_err(Failure::during("metrics"))?;
    out.event(Line::new("metrics").text("addr", at));
    out.note(format_args!("figures at http://{at}/metrics"));
    tokio::spawn(accept(listener, source));
    Ok(())
}

async fn accept(listener: TcpListener, source: Source) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others will close.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let source = source.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, answer(stream, &source)).await;
            drop(permit);
        });
    }
}

async fn answer(mut stream: TcpStream, source: &Source) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(HEAD);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let (status, body) = match head.strip_prefix(b"GET /metrics") {
        Some([b' ' | b'?', ..]) => ("200 OK", source.text().await),
        _ => ("404 Not Found", "figures are at /metrics\n".into()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

impl Source {
    async fn text(&self) -> String {
        let mut text = Text::default();
        match self {
            Self::Client(node, info_hash) => {
                let Some(status) = session::status(node, *info_hash).await else { return text.0 };
                let progress = &status.progress;
                text.gauge("p2p_bittorrent_wanted_bytes", "Bytes wanted of the torrent.", progress.wanted);
                text.gauge(
                    "p2p_bittorrent_verified_bytes",
                    "Wanted bytes that are verified.",
                    progress.wanted_verified,
                );
                text.counter("p2p_bittorrent_received_bytes_total", "Payload received.", progress.downloaded);
                text.counter("p2p_bittorrent_sent_bytes_total", "Payload sent.", progress.uploaded);
                text.counter(
                    "p2p_bittorrent_wasted_bytes_total",
                    "Payload received in vain.",
                    progress.wasted,
                );
                text.gauge(
                    "p2p_bittorrent_receive_rate_bytes",
                    "Payload received per second.",
                    progress.rate_in,
                );
                text.gauge("p2p_bittorrent_send_rate_bytes", "Payload sent per second.", progress.rate_out);
                text.gauge("p2p_bittorrent_peers", "Connected peers.", u64::from(progress.peers));
                text.gauge("p2p_bittorrent_seeds", "Connected seeds.", u64::from(progress.seeds));
                text.gauge(
                    "p2p_bittorrent_candidates",
                    "Addresses known to dial.",
                    u64::from(status.candidates),
                );
                let unchoked = status.peers.iter().filter(|peer| !peer.choked).count() as u64;
                text.gauge("p2p_bittorrent_unchoked_peers", "Peers that may ask for blocks.", unchoked);
            }
            Self::Tracker(node) => {
                let Some(stats) = tracker::stats(node).await else { return text.0 };
                text.gauge("p2p_tracker_torrents", "Torrents with a peer.", stats.torrents);
                text.gauge("p2p_tracker_peers", "Peers of all torrents.", stats.peers);
                text.gauge("p2p_tracker_connections", "HTTP connections open.", stats.connections);
                text.counter("p2p_tracker_announces_total", "Announces answered.", stats.announces);
                text.counter("p2p_tracker_scrapes_total", "Scrapes answered.", stats.scrapes);
                text.counter(
                    "p2p_tracker_refused_total",
                    "Requests for torrents not allowed.",
                    stats.refused,
                );
                text.counter("p2p_tracker_throttled_total", "Requests over a limit.", stats.throttled);
                text.counter("p2p_tracker_malformed_total", "What was no request.", stats.malformed);
                text.counter("p2p_tracker_evicted_total", "Peers forgotten to make room.", stats.evicted);
                text.gauge("p2p_tracker_memory_bytes", "Memory for torrents and peers.", stats.memory);
            }
        }
        text.0
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.figure(name, "gauge", help, value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.figure(name, "counter", help, value);
    }

    fn figure(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
}
