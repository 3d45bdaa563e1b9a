//! Figures for Prometheus over HTTP (feature `metrics`), asked of the machine at each request.

use crate::{session, tracker};
use p2p_bittorrent::tracker::Tracker;
use p2p_bittorrent::{Client, InfoHash};
use p2p_core::node::Node;
use p2p_examples::figures::{self, Page, Text};
use p2p_examples::{Failure, Line, Output};
use std::net::SocketAddr;

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
    let page = move |path: String| {
        let source = source.clone();
        async move { if path == "/metrics" { Some(Page::metrics(source.text().await)) } else { None } }
    };
    let at = figures::serve(at, page).await.map_err(Failure::during(format_args!("metrics on {at}")))?;
    out.event(Line::new("metrics").text("addr", at));
    out.note(format_args!("figures at http://{at}/metrics"));
    Ok(())
}

impl Source {
    async fn text(&self) -> Text {
        let mut text = Text::default();
        match self {
            Self::Client(node, info_hash) => {
                let Some(status) = session::status(node, *info_hash).await else { return text };
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
                let Some(stats) = tracker::stats(node).await else { return text };
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
        text
    }
}
