//! Gnutella's part of the tour: an ultrapeer, a leaf of it that shares, and leaves that search and fetch.

use crate::stage::Stage;
use p2p_core::system::{Item, Locator, System};
use p2p_core::{Bytes, FileId, RelPath, Rng, Root};
use p2p_examples::{Failure, Output};
use p2p_gnutella::Servent;
use p2p_gnutella::library::News;
use p2p_gnutella::servent::{Config, Event, Mode};
use p2p_gnutella::transfer;
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "Some Band - Blue.flac";
const LEN: usize = 5_000_000;
const FETCHERS: u64 = 4;

pub(crate) async fn stage(folder: &Path, out: &mut Output) -> Result<Stage, Failure> {
    let hub = servent(0, Mode::Ultrapeer, None, folder).await?;
    out.note(format_args!("gnutella: an ultrapeer at {}", hub.1));
    let home = folder.join("shared");
    std::fs::create_dir(&home).map_err(Failure::new)?;
    let mut content = vec![0; LEN];
    Rng::fast_from(4).fill(&mut content);
    std::fs::write(home.join(FILE), &content).map_err(Failure::new)?;
    // It is digested before it joins, so its ultrapeer knows its words from the first.
    let shared = FileId::new(Root(0), RelPath::local([FILE]).map_err(Failure::new)?);
    let mut running = vec![servent(1, Mode::Leaf, Some(shared), &home).await?.0];
    for number in 0..FETCHERS {
        let place = folder.join(number.to_string());
        std::fs::create_dir(&place).map_err(Failure::new)?;
        running.push(servent(2 + number, Mode::Leaf, None, &place).await?.0);
    }
    let nodes = running.iter().map(|leaf| Arc::new(leaf.node.clone()) as Arc<dyn System>).collect();
    Ok(Stage {
        nodes,
        bootstrap: hub.1.to_string(),
        joined: "an ultrapeer".into(),
        item: Item { name: FILE.into(), data: Bytes::new() },
        published: "itself".into(),
        // The search says it.
        locator: Locator(Bytes::new()),
        content: content.into(),
        stop: Box::pin(async move {
            for leaf in running {
                leaf.stop().await;
            }
            hub.0.stop().await;
        }),
    })
}

/// A servent with a folder of its own that listens, and has digested what it shares from the first.
async fn servent(
    number: u64,
    mode: Mode,
    shared: Option<FileId>,
    folder: &Path,
) -> Result<(Running<Servent>, SocketAddr), Failure> {
    let mut config = Config::new(mode);
    config.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    // On one machine hits come at once.
    (config.search_for, config.flush_after) = (Duration::from_secs(1), Duration::ZERO);
    config.transfers.library.folders.extend(shared);
    let storage = Folder::new(folder).map_err(Failure::new)?;
    let options = Options::default().with_storage(storage);
    let mut running = spawn(Servent::new(config, &mut Rng::fast_from(number)), options);
    let (mut at, mut ready) = (None, false);
    loop {
        match running.news.next().await {
            Some(Event::Listening(addr)) => at = Some(addr),
            Some(Event::Transfer(transfer::Event::Library(News::Ready { .. }))) => ready = true,
            Some(Event::NotListening(why)) => return Err(Failure::new(why)),
            Some(_) => {}
            None => return Err(Failure::new("the servent stopped")),
        }
        if let (Some(at), true) = (at, ready) {
            return Ok((running, at));
        }
    }
}
