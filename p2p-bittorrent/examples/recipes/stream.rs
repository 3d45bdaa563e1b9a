//! Writes a torrent to standard output while it is still being fetched: `recipes stream FILE.torrent FOLDER | player -`.
use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Config, Torrent};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::io::{Write, stdout};
use std::{env::args, error::Error, sync::Arc};

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (file, folder) = (args().nth(2).ok_or("which torrent?")?, args().nth(3).ok_or("which folder?")?);
    let mut torrent = Torrent::new(Arc::new(Metainfo::parse(&std::fs::read(file)?, &Limits::default())?));
    torrent.order = p2p_bittorrent::picker::Mode::Sequential;
    let running =
        spawn(Client::new(Config::default()), Options::default().with_storage(Folder::new(folder)?));
    let mut content = running.node.fetch(torrent);
    while let Some(chunk) = content.try_next().await? {
        stdout().write_all(&chunk.data)?; // while nobody takes it, nothing more is read back
    }
    running.stop().await;
    Ok(())
}
