//! A server's figures: asked of the machine, in words, as JSON, and over HTTP (feature `metrics`).

use p2p_core::node::Node;
use p2p_examples::Line;
use p2p_examples::units::Size;
use p2p_napster::server::{Server, ServerCommand, ServerEvent, ServerStats};

pub(crate) async fn stats(node: &Node<Server>) -> Option<ServerStats> {
    let mut asked = node.ask(ServerCommand::Stats);
    while let Some(Ok(event)) = asked.next().await {
        if let ServerEvent::Stats(stats) = event {
            return Some(stats);
        }
    }
    None
}

/// Name, whether it only grows, what it is, and its value.
type Figure = (&'static str, bool, &'static str, u64);

/// All figures, in the order in which they are told.
const fn all(stats: &ServerStats) -> [Figure; 20] {
    [
        ("users", false, "Users logged in.", stats.users),
        ("links", false, "Links with other servers.", stats.links),
        ("linked_users", false, "Users of servers behind links.", stats.linked_users),
        ("linked_files", false, "Files that those share.", stats.linked_files),
        ("connections_v4", false, "Connections open over IPv4.", stats.connections_v4),
        ("connections_v6", false, "Connections open over IPv6.", stats.connections_v6),
        ("accounts", false, "Registered nicks.", stats.accounts),
        ("channels", false, "Channels.", stats.channels),
        ("files", false, "Files shared by all users.", stats.files),
        ("bytes", false, "Bytes of the files shared.", stats.bytes),
        ("logins", true, "Logins that succeeded.", stats.logins),
        ("refused", true, "Logins refused.", stats.refused),
        ("shares", true, "Shares taken into the index.", stats.shares),
        ("searches", true, "Searches answered.", stats.searches),
        ("results", true, "Results of searches.", stats.results),
        ("downloads", true, "Downloads brought about.", stats.downloads),
        ("messages", true, "Messages from clients.", stats.messages),
        ("throttled", true, "What was over a rate or a limit.", stats.throttled),
        ("malformed", true, "Messages that are none.", stats.malformed),
        ("unread", true, "Connections closed because nobody read.", stats.unread),
    ]
}

/// For programs.
pub(crate) fn line(stats: &ServerStats) -> Line {
    all(stats).into_iter().fold(Line::new("stats"), |line, (name, _, _, value)| line.number(name, value))
}

/// For people.
pub(crate) fn sentence(stats: &ServerStats) -> String {
    format!(
        "{} users, {} files of {}, {} searches, {} results, {} refused, {} throttled, {} malformed",
        stats.users,
        stats.files,
        Size(stats.bytes),
        stats.searches,
        stats.results,
        stats.refused,
        stats.throttled,
        stats.malformed
    )
}

#[cfg(not(feature = "metrics"))]
pub(crate) use without::serve;

#[cfg(not(feature = "metrics"))]
mod without {
    use p2p_core::node::Node;
    use p2p_examples::Failure;
    use p2p_napster::server::Server;
    use std::future::{Ready, ready};
    use std::net::SocketAddr;

    pub(crate) fn serve(_: SocketAddr, _: Node<Server>) -> Ready<Result<SocketAddr, Failure>> {
        ready(Err(Failure::new("figures need a program built with the feature `metrics`")))
    }
}

#[cfg(feature = "metrics")]
pub(crate) use over_http::serve;

#[cfg(feature = "metrics")]
mod over_http {
    use p2p_core::node::Node;
    use p2p_examples::Failure;
    use p2p_examples::figures::{self, Page, Text};
    use p2p_napster::server::Server;
    use std::net::SocketAddr;

    /// Serves the figures from here on: `/metrics` for Prometheus, `/stats` as JSON.
    pub(crate) async fn serve(at: SocketAddr, node: Node<Server>) -> Result<SocketAddr, Failure> {
        let page = move |path: String| {
            let node = node.clone();
            async move {
                let stats = super::stats(&node).await?;
                match path.as_str() {
                    "/metrics" => {
                        let mut text = Text::default();
                        for (name, grows, help, value) in super::all(&stats) {
                            if grows {
                                text.counter(&format!("p2p_napster_{name}_total"), help, value);
                            } else {
                                text.gauge(&format!("p2p_napster_{name}"), help, value);
                            }
                        }
                        Some(Page::metrics(text))
                    }
                    "/stats" => Some(Page::json(super::line(&stats))),
                    _ => None,
                }
            }
        };
        figures::serve(at, page).await.map_err(Failure::during(format_args!("figures on {at}")))
    }
}
