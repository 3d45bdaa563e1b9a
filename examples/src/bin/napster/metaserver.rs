//! The metaserver beside a server: it sends clients there.

use p2p_examples::Failure;
use p2p_napster::metaserver::{Metaserver, MetaserverConfig, MetaserverEvent};
use p2p_transport_tokio::{Options, Running, spawn};
use std::net::SocketAddr;

/// Starts one that names this server, and waits until it listens.
pub(crate) async fn start(
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
