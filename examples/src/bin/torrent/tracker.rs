//! `torrent tracker`: a tracker over HTTP and UDP.

use crate::args::Tracker as Args;
use p2p_bittorrent::InfoHash;
use p2p_bittorrent::tracker::{Config, Stats, Tracker, TrackerCommand, TrackerEvent};
use p2p_core::node::Node;
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_transport_tokio::{Options, Running, spawn};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How often the figures are told, if they changed.
const LOOK: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: Args, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut config = Config::default();
    config.http = vec![args.listen];
    config.udp = vec![args.udp.unwrap_or(args.listen)];
    config.whitelist = args.whitelist.is_some();
    let allowed = args.whitelist.as_deref().map(whitelist).transpose()?.unwrap_or_default();
    let mut running = spawn(Tracker::new(config).allowing(allowed), Options::default());
    let (http, udp) = listening(&mut running).await?;
    out.event(Line::new("listening").text("addr", http).text("udp", udp));
    out.note(format_args!("http://{http}/announce and udp://{udp}"));
    #[cfg(feature = "metrics")]
    if let Some(metrics) = args.metrics {
        crate::metrics::serve(metrics, crate::metrics::Source::Tracker(running.node.clone()), out).await?;
    }
    let mut look = tokio::time::interval(LOOK);
    let mut told = Stats::default();
    let result = loop {
        tokio::select! {
            biased;
            () = stop.asked() => break Ok(ExitCode::SUCCESS),
            news = running.news.next() => match news {
                Some(TrackerEvent::Down(why)) => break Err(Failure::new(format_args!("a socket is gone: {why}"))),
                Some(_) => {}
                None => break Err(Failure::new("the tracker stopped")),
            },
            _ = look.tick() => {
                if let Some(now) = stats(&running.node).await
                    && now != told
                {
                    tell(&now, out);
                    told = now;
                }
            }
        }
    };
    running.stop().await;
    result
}

async fn listening(
    running: &mut Running<Tracker>,
) -> Result<(std::net::SocketAddr, std::net::SocketAddr), Failure> {
    let (mut http, mut udp) = (None, None);
    loop {
        match running.news.next().await {
            Some(TrackerEvent::Http(at)) => http = Some(at),
            Some(TrackerEvent::Udp(at)) => udp = Some(at),
            Some(TrackerEvent::Down(why)) => return Err(Failure::new(format_args!("listening: {why}"))),
            Some(_) => {}
            None => return Err(Failure::new("the tracker stopped")),
        }
        if let (Some(http), Some(udp)) = (http, udp) {
            return Ok((http, udp));
        }
    }
}

pub(crate) async fn stats(node: &Node<Tracker>) -> Option<Stats> {
    let mut asked = node.ask(TrackerCommand::Stats);
    while let Some(Ok(event)) = asked.next().await {
        if let TrackerEvent::Stats(stats) = event {
            return Some(stats);
        }
    }
    None
}

fn tell(stats: &Stats, out: &mut Output) {
    out.event(
        Line::new("stats")
            .number("torrents", stats.torrents)
            .number("peers", stats.peers)
            .number("announces", stats.announces)
            .number("scrapes", stats.scrapes)
            .number("refused", stats.refused)
            .number("throttled", stats.throttled)
            .number("malformed", stats.malformed)
            .number("memory", stats.memory),
    );
    out.note(format_args!(
        "{} torrents, {} peers, {} announces, {} scrapes, {} refused, {} malformed, {}",
        stats.torrents,
        stats.peers,
        stats.announces,
        stats.scrapes,
        stats.refused,
        stats.malformed,
        Size(stats.memory)
    ));
}

fn whitelist(path: &Path) -> Result<Vec<InfoHash>, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::during(path.display()))?;
    let lines = (1..).zip(text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()));
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(n, line)| line.parse().map_err(Failure::during(format_args!("{} line {n}", path.display()))))
        .collect()
}
