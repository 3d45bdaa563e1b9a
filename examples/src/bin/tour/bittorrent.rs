//! BitTorrent's part of the tour: a tracker, a seed, and four that fetch from it and each other.

use crate::stage::Stage;
use p2p_bittorrent::creator::{self, Creator};
use p2p_bittorrent::tracker::{self, Tracker, TrackerEvent};
use p2p_bittorrent::{Client, Config};
use p2p_core::system::{Item, Locator, System};
use p2p_core::{Bytes, Duration, Rng};
use p2p_examples::{Failure, Output};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// The content: a name, and a length that no piece divides.
const NAME: &str = "blue.ogg";
const LEN: usize = 5_000_000;
/// What each peer may send in a second, so that all of them have a part in it.
const RATE: u64 = 4_000_000;
/// How many fetch.
const PEERS: usize = 4;

pub(crate) async fn stage(folder: &Path, out: &mut Output) -> Result<Stage, Failure> {
    let (tracker, announce) = track().await?;
    out.note(format_args!("bittorrent: a tracker at {announce}"));
    let home = folder.join("seed");
    std::fs::create_dir(&home).map_err(Failure::new)?;
    let mut content = vec![0; LEN];
    Rng::fast_from(1).fill(&mut content);
    std::fs::write(home.join(NAME), &content).map_err(Failure::new)?;
    let torrent = create(&home).await?;
    let mut running = vec![client(&home)?];
    for peer in 0..PEERS {
        running.push(client(&folder.join(format!("peer-{peer}")))?);
    }
    let nodes = running.iter().map(|peer| Arc::new(peer.node.clone()) as Arc<dyn System>).collect();
    Ok(Stage {
        nodes,
        bootstrap: announce,
        joined: "tracker 127.0.0.1".into(),
        item: Item { name: NAME.into(), data: torrent.clone() },
        published: "seeding".into(),
        locator: Locator(torrent),
        content: content.into(),
        stop: Box::pin(async move {
            for stop in running.into_iter().map(|peer| tokio::spawn(peer.stop())).collect::<Vec<_>>() {
                let _ = stop.await;
            }
            tracker.stop().await;
        }),
    })
}

async fn track() -> Result<(Running<Tracker>, String), Failure> {
    let mut config = tracker::Config::default();
    config.http = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    config.udp = Vec::new();
    let mut running = spawn(Tracker::new(config), Options::default());
    loop {
        match running.news.next().await {
            Some(TrackerEvent::Http(at)) => return Ok((running, format!("http://{at}/announce"))),
            Some(TrackerEvent::Down(why)) => return Err(Failure::new(format_args!("the tracker: {why}"))),
            Some(_) => {}
            None => return Err(Failure::new("the tracker stopped")),
        }
    }
}

/// A torrent that names no tracker: the clients join one.
async fn create(folder: &Path) -> Result<Bytes, Failure> {
    let running = spawn(Creator::new(creator::Config::default()), options(folder)?);
    let mut making = running.node.ask(creator::Create::new(NAME));
    let mut file = Bytes::new();
    while let Some(event) = making.try_next().await.map_err(Failure::new)? {
        if let creator::Event::Created(made) = event {
            file = made;
        }
    }
    drop(making);
    running.stop().await;
    Ok(file)
}

fn options(folder: &Path) -> Result<Options, Failure> {
    Ok(Options::default().with_storage(Folder::new(folder).map_err(Failure::new)?))
}

/// A client with a folder of its own.
fn client(folder: &Path) -> Result<Running<Client>, Failure> {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.upload_rate = Some(RATE);
    config.download_rate = Some(RATE);
    config.report_every = Duration::from_millis(100);
    Ok(spawn(Client::new(config), options(folder)?))
}
