//! BitTorrent's part of the tour: a tracker, a seed, three that fetch from it and each other, one that fetches from
//! all four.

use crate::{Row, same};
use p2p_bittorrent::creator::{self, Creator};
use p2p_bittorrent::metainfo::{Details, Limits};
use p2p_bittorrent::tracker::{self, Tracker, TrackerEvent};
use p2p_bittorrent::{Client, Command, Config, Event, Metainfo, Progress, Torrent};
use p2p_core::{Bytes, Duration, Rng};
use p2p_examples::progress::Figures;
use p2p_examples::units::Size;
use p2p_examples::{Failure, Output};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// The content: a name, and a length that no piece divides.
const NAME: &str = "blue.ogg";
const LEN: usize = 5_000_000;
/// What each peer may send in a second, so that all of them have a part in it.
const RATE: u64 = 4_000_000;

pub(crate) async fn tour(folder: &Path, out: &mut Output) -> Result<Row, Failure> {
    let (tracker, announce) = track().await?;
    out.note(format_args!("bittorrent: a tracker at {announce}"));
    let original = folder.join("seed").join(NAME);
    std::fs::create_dir(folder.join("seed")).map_err(Failure::new)?;
    let mut content = vec![0; LEN];
    Rng::fast_from(1).fill(&mut content);
    std::fs::write(&original, &content).map_err(Failure::new)?;
    let metainfo = Arc::new(create(&folder.join("seed"), announce).await?);
    out.note(format_args!(
        "bittorrent: a torrent of {} in {} pieces",
        Size(LEN as u64),
        metainfo.info.pieces().count()
    ));

    let mut peers = vec![Peer::seed(&folder.join("seed"), &metainfo).await?];
    let mut fetching = Vec::new();
    for name in ["first", "second", "third"] {
        fetching.push(Peer::new(&folder.join(name))?);
    }
    peers.extend(fetch_all(fetching, &metainfo, out).await?);
    out.note("bittorrent: three peers have it, a fourth one fetches it from all of them");
    let last = fetch_all(vec![Peer::new(&folder.join("fourth"))?], &metainfo, out).await?;
    let sources = last.iter().map(|peer| peer.sources.len()).max().unwrap_or(0);
    peers.extend(last);
    for name in ["first", "second", "third", "fourth"] {
        if !same(&original, &folder.join(name).join(NAME)).map_err(Failure::during(name))? {
            return Err(Failure::new(format_args!("the {name} peer's file differs")));
        }
    }
    let stops: Vec<_> = peers.into_iter().map(|peer| tokio::spawn(peer.running.stop())).collect();
    for stop in stops {
        stop.await.map_err(Failure::new)?;
    }
    tracker.stop().await;
    let fetched = format!("{} from {sources} peers", Size(LEN as u64));
    Ok(["bittorrent".into(), "tracker".into(), "seeding".into(), "(no search)".into(), fetched])
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

async fn create(folder: &Path, announce: String) -> Result<Metainfo, Failure> {
    let running = spawn(Creator::new(creator::Config::default()), options(folder)?);
    let details = Details { announce: vec![vec![announce]], ..Details::default() };
    let mut making = running.node.ask(creator::Create::new(NAME).with(details));
    let mut file = Bytes::new();
    while let Some(event) = making.try_next().await.map_err(Failure::new)? {
        if let creator::Event::Created(made) = event {
            file = made;
        }
    }
    running.stop().await;
    Metainfo::parse(&file, &Limits::default()).map_err(Failure::new)
}

fn options(folder: &Path) -> Result<Options, Failure> {
    Ok(Options::default().with_storage(Folder::new(folder).map_err(Failure::new)?))
}

/// A client with a folder of its own.
struct Peer {
    running: Running<Client>,
    progress: Option<Progress>,
    /// Whom it had bytes of.
    sources: BTreeSet<SocketAddr>,
}

impl Peer {
    fn new(folder: &Path) -> Result<Self, Failure> {
        let mut config = Config::default();
        config.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        config.upload_rate = Some(RATE);
        config.download_rate = Some(RATE);
        config.report_every = Duration::from_millis(100);
        let running = spawn(Client::new(config), options(folder)?);
        Ok(Self { running, progress: None, sources: BTreeSet::new() })
    }

    /// A peer that has everything, ready once the tracker knows it.
    async fn seed(folder: &Path, metainfo: &Arc<Metainfo>) -> Result<Self, Failure> {
        let mut peer = Self::new(folder)?;
        let torrent = Torrent::new(Arc::clone(metainfo));
        peer.running.node.publish(torrent).await.map_err(Failure::new)?;
        loop {
            match peer.running.news.next().await {
                Some(Event::Announced { result: Ok(_), .. }) => return Ok(peer),
                Some(Event::Announced { result: Err(why), .. }) => return Err(Failure::new(why)),
                Some(_) => {}
                None => return Err(Failure::new("the seed stopped")),
            }
        }
    }

    /// Notes how it is doing, and whom it has bytes of.
    async fn look(&mut self, progress: Progress) {
        let mut asked = self.running.node.ask(Command::Status(progress.info_hash));
        while let Some(Ok(event)) = asked.next().await {
            if let Event::Status(status) = event {
                self.sources
                    .extend(status.peers.iter().filter(|peer| peer.downloaded > 0).map(|peer| peer.addr));
            }
        }
        self.progress = Some(progress);
    }
}

/// Lets peers fetch side by side, and hands them back when all have everything.
async fn fetch_all(
    peers: Vec<Peer>,
    metainfo: &Arc<Metainfo>,
    out: &mut Output,
) -> Result<Vec<Peer>, Failure> {
    let (tell, mut told) = tokio::sync::mpsc::channel(64);
    let mut tasks = Vec::new();
    for (index, mut peer) in peers.into_iter().enumerate() {
        let (metainfo, tell) = (Arc::clone(metainfo), tell.clone());
        tasks.push(tokio::spawn(async move {
            let mut asked = peer.running.node.ask(Command::Download(Box::new(Torrent::new(metainfo))));
            while let Some(event) = asked.try_next().await.map_err(Failure::new)? {
                if let Event::Progress(progress) = event {
                    let _ = tell.send((index, progress.as_ref().clone())).await;
                    peer.look(*progress).await;
                }
            }
            drop(asked);
            Ok::<_, Failure>(peer)
        }));
    }
    drop(tell);
    let mut latest = vec![None; tasks.len()];
    while let Some((index, progress)) = told.recv().await {
        latest[index] = Some(progress);
        draw(&latest, out);
    }
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.map_err(Failure::new)??);
    }
    Ok(done)
}

fn draw(latest: &[Option<Progress>], out: &mut Output) {
    let sum = |of: fn(&Progress) -> u64| latest.iter().flatten().map(of).sum();
    let figures = Figures {
        doing: "bittorrent: fetching",
        done: sum(|progress| progress.wanted_verified),
        all: (latest.len() * LEN) as u64,
        rate_in: sum(|progress| progress.rate_in),
        ..Figures::default()
    };
    out.progress(&figures, |_| false);
}
