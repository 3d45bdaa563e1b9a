//! Chord's part of the tour: a ring of nodes, one that publishes a file, and four that find it by its name and fetch it.

use crate::stage::{Stage, WORD};
use p2p_chord::files::{self, Files};
use p2p_chord::{Archive, Chord, Command, Config, Event};
use p2p_core::system::{Item, Locator, System};
use p2p_core::{Bytes, Rng};
use p2p_examples::{Failure, Output};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// The content's file; its name on the ring is the word that the others search for.
const FILE: &str = "blue.flac";
const LEN: usize = 5_000_000;
/// How many fetch.
const PEERS: usize = 4;

pub(crate) async fn stage(folder: &Path, out: &mut Output) -> Result<Stage, Failure> {
    let (founder, at) = found().await?;
    out.note(format_args!("chord: a ring begins at {at}"));
    let home = folder.join("publisher");
    std::fs::create_dir(&home).map_err(Failure::new)?;
    let mut content = vec![0; LEN];
    Rng::fast_from(3).fill(&mut content);
    std::fs::write(home.join(FILE), &content).map_err(Failure::new)?;
    let mut running = vec![archive(&home)?];
    for peer in 0..PEERS {
        running.push(archive(&folder.join(format!("peer-{peer}")))?);
    }
    let nodes: Vec<_> = running.iter().map(|peer| Arc::new(peer.node.clone()) as Arc<dyn System>).collect();
    Ok(Stage {
        joined: format!("ring of {}", nodes.len() + 1),
        nodes,
        bootstrap: at.to_string(),
        item: Item { name: WORD.into(), data: Bytes::from_static(FILE.as_bytes()) },
        published: "its holder".into(),
        // The search says it.
        locator: Locator(Bytes::new()),
        content: content.into(),
        stop: Box::pin(async move {
            // Each hands over what it holds before it goes, so there must be somebody left to take it.
            for peer in running {
                peer.stop().await;
            }
            founder.stop().await;
        }),
    })
}

fn config() -> Config {
    let mut config = Config::default();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config
}

/// The first node, that the others join.
async fn found() -> Result<(Running<Chord>, SocketAddr), Failure> {
    let mut running = spawn(Chord::new(config()), Options::default());
    loop {
        match running.news.next().await {
            Some(Event::Listening(at)) => {
                running.node.run(Command::Join(Vec::new())).await.map_err(Failure::new)?;
                return Ok((running, at));
            }
            Some(Event::NoSocket(why)) => return Err(Failure::new(format_args!("the first node: {why}"))),
            Some(_) => {}
            None => return Err(Failure::new("the first node stopped")),
        }
    }
}

/// A node that shares files, with a folder of its own.
fn archive(folder: &Path) -> Result<Running<Archive>, Failure> {
    let mut files = files::Config::default();
    files.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let archive = Archive::new(Chord::new(config()), Files::new(files));
    let storage = Folder::new(folder).map_err(Failure::new)?;
    Ok(spawn(archive, Options::default().with_storage(storage)))
}
