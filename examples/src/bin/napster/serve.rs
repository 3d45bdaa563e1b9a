//! `napster serve`: the index server, and a metaserver beside it.

use crate::args::Serve;
use p2p_core::node::Node;
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_napster::metaserver::{Metaserver, MetaserverConfig, MetaserverEvent};
use p2p_napster::server::{Config, Server, ServerCommand, ServerEvent, ServerStats};
use p2p_transport_tokio::{Options, Running, spawn};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// How often the figures are told, if they changed.
const LOOK: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: &Serve, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut config = Config::default();
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    let mut options = Options::default();
    options.connections = config.limits.connections + 1_000;
    options.per_address = usize::MAX;
    let sockets = config.listen.len();
    let mut running = spawn(Server::new(config), options);
    let at = listening(&mut running, sockets).await?;
    let metaserver = match args.metaserver {
        Some(listen) => Some(metaserver(listen, public(args, &at)?).await?),
        None => None,
    };
    let mut line = Line::new("listening").text("addr", at[0]).texts("all", &at);
    for addr in &at {
        out.note(format_args!("clients are served at {addr}"));
    }
    if let Some((_, addr)) = &metaserver {
        line = line.text("metaserver", addr);
        out.note(format_args!("the metaserver is at {addr}"));
    }
    out.event(line);
    let result = serve(&mut running, out, stop).await;
    if let Some((metaserver, _)) = metaserver {
        metaserver.stop().await;
    }
    running.stop().await;
    result
}

/// Waits until all sockets are open.
async fn listening(running: &mut Running<Server>, sockets: usize) -> Result<Vec<SocketAddr>, Failure> {
    let mut at = Vec::new();
    while at.len() < sockets {
        match running.news.next().await {
            Some(ServerEvent::Listening(addr)) => at.push(addr),
            Some(ServerEvent::Down(why)) => return Err(Failure::new(format_args!("listening: {why}"))),
            Some(_) => {}
            None => return Err(Failure::new("the server stopped")),
        }
    }
    Ok(at)
}

/// The address that clients are sent to.
fn public(args: &Serve, at: &[SocketAddr]) -> Result<SocketAddr, Failure> {
    let public = args.public.or_else(|| at.iter().copied().find(|at| !at.ip().is_unspecified()));
    public.ok_or_else(|| {
        Failure::new("the metaserver needs an address to tell: give --public, or listen at one address")
    })
}

async fn metaserver(
    listen: SocketAddr,
    public: SocketAddr,
) -> Result<(Running<Metaserver>, SocketAddr), Failure> {
    let mut config = MetaserverConfig::default();
    config.listen = listen;
    config.servers = vec![public];
    let mut running = spawn(Metaserver::new(config), Options::default());
    loop {
        match running.news.next().await {
            Some(MetaserverEvent::Listening(at)) => return Ok((running, at)),
            Some(MetaserverEvent::Down(why)) => {
                return Err(Failure::new(format_args!("the metaserver: listening on {listen}: {why}")));
            }
            Some(_) => {}
            None => return Err(Failure::new("the metaserver stopped")),
        }
    }
}

async fn serve(running: &mut Running<Server>, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut look = tokio::time::interval(LOOK);
    let mut told = ServerStats::default();
    loop {
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(ExitCode::SUCCESS),
            news = running.news.next() => match news {
                Some(ServerEvent::Down(why)) => {
                    return Err(Failure::new(format_args!("a socket is gone: {why}")));
                }
                Some(_) => {}
                None => return Err(Failure::new("the server stopped")),
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
    }
}

pub(crate) async fn stats(node: &Node<Server>) -> Option<ServerStats> {
    let mut asked = node.ask(ServerCommand::Stats);
    while let Some(Ok(event)) = asked.next().await {
        if let ServerEvent::Stats(stats) = event {
            return Some(stats);
        }
    }
    None
}

fn tell(stats: &ServerStats, out: &mut Output) {
    out.event(
        Line::new("stats")
            .number("users", stats.users)
            .number("files", stats.files)
            .number("bytes", stats.bytes)
            .number("accounts", stats.accounts)
            .number("channels", stats.channels)
            .number("logins", stats.logins)
            .number("refused", stats.refused)
            .number("shares", stats.shares)
            .number("searches", stats.searches)
            .number("results", stats.results)
            .number("downloads", stats.downloads)
            .number("messages", stats.messages)
            .number("throttled", stats.throttled)
            .number("malformed", stats.malformed)
            .number("unread", stats.unread),
    );
    out.note(format_args!(
        "{} users, {} files of {}, {} searches, {} results, {} refused, {} throttled, {} malformed",
        stats.users,
        stats.files,
        Size(stats.bytes),
        stats.searches,
        stats.results,
        stats.refused,
        stats.throttled,
        stats.malformed
    ));
}
