//! Pauses a download, goes on, and removes it when complete: `recipes pause_and_remove FILE.torrent FOLDER`.
use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Command, Config, Torrent};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::{env::args, error::Error, sync::Arc, time::Duration};

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (file, folder) = (args().nth(2).ok_or("which torrent?")?, args().nth(3).ok_or("which folder?")?);
    let metainfo = Metainfo::parse(&std::fs::read(file)?, &Limits::default())?;
    let hash = metainfo.info.info_hash();
    let running =
        spawn(Client::new(Config::default()), Options::default().with_storage(Folder::new(folder)?));
    let download = running.node.ask(Command::Download(Box::new(Torrent::new(Arc::new(metainfo)))));
    let download = tokio::spawn(download.finished());
    running.node.run(Command::Pause(hash, true)).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    running.node.run(Command::Pause(hash, false)).await?;
    download.await??;
    running.node.run(Command::Remove(hash)).await?; // its files stay
    Ok(())
}
