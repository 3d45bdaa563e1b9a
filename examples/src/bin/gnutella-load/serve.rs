//! The ultrapeer that is measured if no other is named.

use p2p_core::Rng;
use p2p_examples::Failure;
use p2p_gnutella::Servent;
use p2p_gnutella::servent::{Config, Event, Mode};
use p2p_transport_tokio::{Options, spawn};
use std::net::SocketAddrV4;

pub(crate) async fn run(at: SocketAddrV4) -> Result<(), Failure> {
    let mut config = Config::new(Mode::Ultrapeer);
    config.listen = Some(at.into());
    // It is to be found out what it takes, not what it lets one neighbour ask.
    config.limits.query_rate = u64::MAX;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|why| Failure::new(format_args!("no randomness: {why}")))?;
    let servent = Servent::new(config, &mut Rng::fast_from(u64::from_le_bytes(seed)));
    let mut running = spawn(servent, Options::default());
    while let Some(event) = running.news.next().await {
        if let Event::NotListening(why) = event {
            return Err(Failure::new(why));
        }
    }
    Ok(())
}
