//! Seeds a torrent: `recipes seed FILE.torrent FOLDER`.
use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Config, Torrent};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::{env::args, error::Error, sync::Arc};

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (file, folder) = (args().nth(2).ok_or("which torrent?")?, args().nth(3).ok_or("which folder?")?);
    let metainfo = Metainfo::parse(&std::fs::read(file)?, &Limits::default())?;
    let options = Options::default().with_storage(Folder::new(folder)?);
    let mut running = spawn(Client::new(Config::default()), options);
    running.node.publish(Torrent::new(Arc::new(metainfo))).await?;
    while let Some(news) = running.news.next().await {
        eprintln!("{news:?}");
    }
    Ok(())
}
