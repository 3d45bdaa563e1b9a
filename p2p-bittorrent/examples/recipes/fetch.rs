//! Fetches a torrent and takes its bytes in order: `recipes fetch FILE.torrent FOLDER`.
use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Config, Torrent};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::{env::args, error::Error, sync::Arc};

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (file, folder) = (args().nth(2).ok_or("which torrent?")?, args().nth(3).ok_or("which folder?")?);
    let metainfo = Metainfo::parse(&std::fs::read(file)?, &Limits::default())?;
    let options = Options::default().with_storage(Folder::new(folder)?);
    let running = spawn(Client::new(Config::default()), options);
    let mut content = running.node.fetch(Torrent::new(Arc::new(metainfo)));
    while let Some(chunk) = content.try_next().await? {
        eprintln!("{} verified bytes at {}", chunk.data.len(), chunk.offset);
    }
    running.stop().await;
    Ok(())
}
