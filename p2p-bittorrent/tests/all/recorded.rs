//! A seed and a leech on tokio, recorded, and played again without sockets, disks or clocks: the same effects.

use crate::made::made;
use p2p_bittorrent::metainfo::Builder;
use p2p_bittorrent::{Client, Command, Config, Event, Metainfo, Torrent};
use p2p_core::{Duration, FileId, Rng, Root};
use p2p_sim::Recorder;
use p2p_transport_tokio::{Memory, Options, Running, Storage, spawn};
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

const PIECE: u32 = 64 * 1024;
const LEN: usize = 1_000_000;

fn config() -> Config {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.farewell = Duration::ZERO;
    config
}

fn torrent() -> (Arc<Metainfo>, Vec<u8>) {
    let mut data = vec![0; LEN];
    Rng::fast_from(3).fill(&mut data);
    let files = vec![(vec!["one.bin".to_owned()], LEN as u64)];
    let builder = Builder::folder("recorded", files, Some(PIECE)).unwrap();
    (made(builder, &data), data)
}

fn start(storage: &Arc<Memory>) -> Running<Recorder<Client>> {
    let mut options = Options::default();
    options.storage = Arc::<Memory>::clone(storage);
    spawn(Recorder::new(Client::new(config()), 100_000), options)
}

/// Stops a client, and plays what it did again.
async fn replay(running: Running<Recorder<Client>>) -> usize {
    let (trace, _) = running.stop().await.into_parts();
    assert!(!trace.is_cut());
    let steps = trace.steps().len();
    if let Err(diverged) = trace.replay(Client::new(config())) {
        panic!("{diverged}: {:?}", trace.steps()[diverged.step]);
    }
    steps
}

#[tokio::test]
async fn a_transfer_on_tokio_replays_to_the_same_effects() {
    let (metainfo, data) = torrent();
    let file = FileId::new(Root(0), metainfo.info.files()[0].path.clone());
    let (full, empty) = (Arc::new(Memory::new(1 << 24)), Arc::new(Memory::new(1 << 24)));
    full.write(&file, 0, &[IoSlice::new(&data)]).unwrap();
    let mut seed = start(&full);
    let at = loop {
        match seed.news.next().await {
            Some(Event::Listening(at)) => break at,
            Some(_) => {}
            None => panic!("the seed listens"),
        }
    };
    seed.node.run(Command::Seed(Box::new(Torrent::new(Arc::clone(&metainfo))))).await.unwrap();
    let leech = start(&empty);
    let torrent = Torrent::new(Arc::clone(&metainfo)).with_peers([at]);
    leech.node.run(Command::Download(Box::new(torrent))).await.unwrap();
    assert!(empty.load(&file, 1 << 24).unwrap() == data);
    // Both ends took part, and both can be played again.
    assert!(replay(leech).await > 30);
    assert!(replay(seed).await > 30);
}
