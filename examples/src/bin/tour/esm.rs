//! Live streaming's part of the tour: a source, and four viewers that pass its stream on to each other.

use crate::stage::Stage;
use p2p_core::Rng;
use p2p_core::system::{Item, System};
use p2p_esm::{Config, Esm, Event, SourceKey};
use p2p_examples::{Failure, Output};
use p2p_transport_tokio::{Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Half a second of a stream.
const LEN: usize = 2_000_000;
const RATE: u32 = 4_000_000;
/// How many watch.
const PEERS: usize = 4;

pub(crate) async fn stage(out: &mut Output) -> Result<Stage, Failure> {
    let mut content = vec![0; LEN];
    Rng::fast_from(4).fill(&mut content);
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(Failure::during("drawing a key"))?;
    let key = SourceKey::new(secret);
    let group = key.group();
    let mut source = spawn(Esm::new(config(Some(key))), Options::default());
    let at = loop {
        match source.news.next().await {
            Some(Event::Listening(at)) => break at,
            Some(_) => {}
            None => return Err(Failure::new("the source stopped")),
        }
    };
    out.note(format_args!("esm: a source at {at}"));
    let mut running: Vec<Running<Esm>> = vec![source];
    running.extend((0..PEERS).map(|_| spawn(Esm::new(config(None)), Options::default())));
    let nodes: Vec<_> = running.iter().map(|peer| Arc::new(peer.node.clone()) as Arc<dyn System>).collect();
    Ok(Stage {
        joined: format!("group of {}", nodes.len()),
        nodes,
        // Who has the group's secret key is its source.
        bootstrap: format!("{group} {at}"),
        item: Item { name: "last".into(), data: content.clone().into() },
        published: "down 6 trees".into(),
        // It was live a moment ago.
        locator: "oldest".into(),
        content: content.into(),
        stop: Box::pin(async move {
            for peer in running.into_iter().rev() {
                peer.stop().await;
            }
        }),
    })
}

fn config(source: Option<SourceKey>) -> Config {
    let mut config = Config::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.rate = RATE;
    config.pace = RATE;
    config.keep = Duration::from_secs(2);
    config.upload = 4 * RATE;
    config.source = source;
    config
}
