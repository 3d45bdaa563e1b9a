//! Napster's part of the tour: an index server, one who shares, and one who searches and fetches.

use crate::stage::Stage;
use p2p_core::system::{Item, Locator, System};
use p2p_core::{Bytes, Rng};
use p2p_examples::{Failure, Output};
use p2p_napster::Client;
use p2p_napster::client::Config;
use p2p_napster::server::{self, Server, ServerEvent};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// The content: its file, and what others see as its name, by custom a path of a machine of the time.
const FILE: &str = "blue.mp3";
const NAME: &[u8] = b"C:\\music\\Some Band - Blue.mp3";
const LEN: usize = 5_000_000;

pub(crate) async fn stage(folder: &Path, out: &mut Output) -> Result<Stage, Failure> {
    let (index, at) = serve().await?;
    out.note(format_args!("napster: an index server at {at}"));
    let home = folder.join("shared");
    std::fs::create_dir(&home).map_err(Failure::new)?;
    let mut content = vec![0; LEN];
    Rng::fast_from(2).fill(&mut content);
    std::fs::write(home.join(FILE), &content).map_err(Failure::new)?;
    let running = [client("sharer", &home)?, client("fetcher", &folder.join("fetched"))?];
    let nodes = running.iter().map(|peer| Arc::new(peer.node.clone()) as Arc<dyn System>).collect();
    Ok(Stage {
        nodes,
        bootstrap: at.to_string(),
        joined: "server 127.0.0.1".into(),
        item: Item { name: FILE.into(), data: Bytes::from_static(NAME) },
        published: "its list".into(),
        // The search says it.
        locator: Locator(Bytes::new()),
        content: content.into(),
        stop: Box::pin(async move {
            for peer in running {
                peer.stop().await;
            }
            index.stop().await;
        }),
    })
}

async fn serve() -> Result<(Running<Server>, SocketAddr), Failure> {
    let mut config = server::Config::default();
    config.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let mut running = spawn(Server::new(config), Options::default());
    loop {
        match running.news.next().await {
            Some(ServerEvent::Listening(at)) => return Ok((running, at)),
            Some(ServerEvent::Down(why)) => return Err(Failure::new(format_args!("the server: {why}"))),
            Some(_) => {}
            None => return Err(Failure::new("the server stopped")),
        }
    }
}

/// A client with a folder of its own.
fn client(nick: &'static str, folder: &Path) -> Result<Running<Client>, Failure> {
    let mut config = Config::default();
    config.nick = Bytes::from_static(nick.as_bytes());
    config.password = Bytes::from_static(b"tour");
    config.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let storage = Folder::new(folder).map_err(Failure::new)?;
    Ok(spawn(Client::new(config), Options::default().with_storage(storage)))
}
