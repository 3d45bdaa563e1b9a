//! A servent that runs, listens, and is a part of the network.

use crate::args::Network;
use p2p_core::Rng;
use p2p_core::node::{News, Node};
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_gnutella::Servent;
use p2p_gnutella::servent::{Command, Config, Event, Mode};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// A servent that runs.
pub(crate) struct Session {
    running: Running<Servent>,
}

/// How a servent behaves that only asks and fetches: a leaf at any port, on this machine alone if all others are here.
pub(crate) fn guest(network: &Network, listen: Option<SocketAddr>) -> Config {
    let mut config = Config::new(Mode::Leaf);
    let ip: IpAddr =
        if network.is_local() { Ipv4Addr::LOCALHOST.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    config.listen = Some(listen.unwrap_or_else(|| SocketAddr::new(ip, 0)));
    // It waits for answers, so what it asks shall not wait.
    config.flush_after = std::time::Duration::ZERO;
    config.tls = network.is_secured();
    config
}

/// Options of a driver with these folders, and a thread for each core to read, write and digest.
pub(crate) fn options(roots: &[impl AsRef<Path>], network: &Network) -> Result<Options, Failure> {
    let mut options = Options::default();
    if network.is_secured() {
        #[cfg(feature = "tls")]
        let secured = p2p_examples::trust::among_strangers()?;
        #[cfg(feature = "tls")]
        (options = options.with_connector(secured));
    }
    options.workers = std::thread::available_parallelism().map_or(2, usize::from);
    // A browse and a broad search bring many answers at once.
    options.desk.answers_hard = 60_000;
    if roots.is_empty() {
        return Ok(options);
    }
    let folder = Folder::with_roots(roots).map_err(Failure::during("opening folders"))?;
    Ok(options.with_storage(folder))
}

impl Session {
    /// Starts a servent, which listens when this returns.
    pub(crate) async fn start(config: Config, options: Options, out: &mut Output) -> Result<Self, Failure> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Failure::during("no random numbers"))?;
        let mut waits = config.listen.is_some();
        let mut running = spawn(Servent::new(config, &mut Rng::strong(seed)), options);
        while waits {
            match running.news.next().await {
                Some(Event::Listening(at)) => {
                    out.event(Line::new("listening").text("addr", at));
                    waits = false;
                }
                Some(Event::NotListening(why)) => {
                    running.stop().await;
                    return Err(Failure::new(why));
                }
                Some(_) => {}
                None => return Err(Failure::new("the servent stopped")),
            }
        }
        Ok(Self { running })
    }

    /// Becomes a part of the network; false if somebody interrupted.
    pub(crate) async fn join(&self, network: &Network, stop: &Stop) -> Result<bool, Failure> {
        tokio::select! {
            joined = self.running.node.join(network.bootstrap()) => {
                joined.map_err(Failure::during("joining"))?;
                Ok(true)
            }
            () = stop.asked() => Ok(false),
        }
    }

    pub(crate) const fn node(&self) -> &Node<Servent> {
        &self.running.node
    }

    pub(crate) const fn parts(&mut self) -> (&Node<Servent>, &mut News<Event>) {
        (&self.running.node, &mut self.running.news)
    }

    /// The answers of a question that ends soon.
    pub(crate) async fn answers(&self, command: Command) -> Result<Vec<Event>, Failure> {
        let mut asked = self.running.node.ask(command);
        let mut answers = Vec::new();
        while let Some(event) = asked.try_next().await.map_err(Failure::new)? {
            answers.push(event);
        }
        Ok(answers)
    }

    /// Says goodbye to all neighbours, keeps what came, and ends.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}
