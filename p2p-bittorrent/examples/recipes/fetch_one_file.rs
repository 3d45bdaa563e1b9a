//! Fetches one file of a torrent: `recipes fetch_one_file FILE.torrent FOLDER INDEX`.
use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Command, Config, Torrent};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::{env::args, error::Error, sync::Arc};

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (file, folder) = (args().nth(2).ok_or("which torrent?")?, args().nth(3).ok_or("which folder?")?);
    let index = args().nth(4).ok_or("which file?")?.parse()?;
    let metainfo = Metainfo::parse(&std::fs::read(file)?, &Limits::default())?;
    let mut torrent = Torrent::new(Arc::new(metainfo));
    torrent.select = Some(vec![index]);
    let running =
        spawn(Client::new(Config::default()), Options::default().with_storage(Folder::new(folder)?));
    running.node.run(Command::Download(Box::new(torrent))).await?;
    running.stop().await;
    Ok(())
}
