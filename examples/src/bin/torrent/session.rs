//! A running client on a folder, listening.

use p2p_bittorrent::{Client, Command, Config, Error, Event, InfoHash, Status};
use p2p_core::IoError;
use p2p_core::node::Node;
use p2p_examples::Failure;
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// The port that clients have listened on since 2001.
const PORT: u16 = 6881;

/// Options of a driver with files in this folder and a thread for each core to read, write and digest.
pub(crate) fn options(dir: &Path) -> Result<Options, Failure> {
    let folder = Folder::new(dir).map_err(Failure::during(dir.display()))?;
    let mut options = Options::default().with_storage(folder);
    options.workers = std::thread::available_parallelism().map_or(2, usize::from);
    // Trackers over HTTPS.
    #[cfg(feature = "tls")]
    {
        options = options.with_connector(p2p_examples::trust::connector(&[])?);
    }
    Ok(options)
}

/// Starts a client, and waits until it listens. Without an address of the user's, a taken port is not the end.
pub(crate) async fn start(
    config: &Config,
    dir: &Path,
    listen: Option<SocketAddr>,
) -> Result<(Running<Client>, SocketAddr), Failure> {
    let usual = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
    match attempt(config, dir, listen.unwrap_or(usual)).await? {
        Ok(started) => Ok(started),
        Err(Error::Listen { why: IoError::InUse, .. }) if listen.is_none() => {
            attempt(config, dir, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await?.map_err(Failure::new)
        }
        Err(error) => Err(Failure::new(error)),
    }
}

async fn attempt(
    config: &Config,
    dir: &Path,
    listen: SocketAddr,
) -> Result<Result<(Running<Client>, SocketAddr), Error>, Failure> {
    let mut config = config.clone();
    config.listen = Some(listen);
    let mut running = spawn(Client::new(config), options(dir)?);
    while let Some(news) = running.news.next().await {
        match news {
            Event::Listening(at) => return Ok(Ok((running, at))),
            Event::NotListening(error) => {
                running.stop().await;
                return Ok(Err(error));
            }
            _ => {}
        }
    }
    Err(Failure::new("the client stopped"))
}

/// A torrent in full, if the client has it.
pub(crate) async fn status(node: &Node<Client>, info_hash: InfoHash) -> Option<Box<Status>> {
    let mut asked = node.ask(Command::Status(info_hash));
    while let Some(Ok(event)) = asked.next().await {
        if let Event::Status(status) = event {
            return Some(status);
        }
    }
    None
}
