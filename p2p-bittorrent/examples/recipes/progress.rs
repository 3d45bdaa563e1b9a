//! Downloads a torrent and says how it goes: `recipes progress FILE.torrent FOLDER`.
use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Command, Config, Event, Torrent};
use p2p_transport_tokio::{Folder, Options, spawn};
use std::{env::args, error::Error, sync::Arc};

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (file, folder) = (args().nth(2).ok_or("which torrent?")?, args().nth(3).ok_or("which folder?")?);
    let metainfo = Metainfo::parse(&std::fs::read(file)?, &Limits::default())?;
    let running =
        spawn(Client::new(Config::default()), Options::default().with_storage(Folder::new(folder)?));
    let mut download = running.node.ask(Command::Download(Box::new(Torrent::new(Arc::new(metainfo)))));
    while let Some(event) = download.try_next().await? {
        if let Event::Progress(now) = event {
            eprintln!("{} of {} bytes, {}/s from {} peers", now.verified, now.wanted, now.rate_in, now.peers);
        }
    }
    running.stop().await;
    Ok(())
}
