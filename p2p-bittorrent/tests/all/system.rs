//! A program that knows BitTorrent only as one of its systems, on loopback sockets.

use p2p_bittorrent::creator::{self, Creator};
use p2p_bittorrent::{Bootstrap, Client, Config, Event};
use p2p_core::system::{Item, Locator, Primitive, System, SystemError};
use p2p_core::{Bytes, FileId, Reach, RelPath, Root};
use p2p_transport_tokio::{Memory, Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};

const LEN: usize = 300_001;

fn content() -> Vec<u8> {
    (0..LEN).map(|i| ((i * i) >> 7) as u8).collect()
}

/// Files in memory: the content, or nothing.
fn memory(full: bool) -> Memory {
    let memory = Memory::new(1 << 20);
    if full {
        let file = FileId::new(Root(0), RelPath::from_parts(["blue.ogg"]).unwrap());
        p2p_transport_tokio::Storage::replace(&memory, &file, &content()).unwrap();
    }
    memory
}

async fn torrent() -> Bytes {
    let running =
        spawn(Creator::new(creator::Config::default()), Options::default().with_storage(memory(true)));
    let mut making = running.node.ask(creator::Create::new("blue.ogg"));
    let mut file = Bytes::new();
    while let Some(event) = making.try_next().await.unwrap() {
        if let creator::Event::Created(made) = event {
            file = made;
        }
    }
    drop(making);
    running.stop().await;
    file
}

async fn client(full: bool) -> (Running<Client>, SocketAddr) {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut running = spawn(Client::new(config), Options::default().with_storage(memory(full)));
    loop {
        match running.news.next().await.unwrap() {
            Event::Listening(at) => return (running, at),
            Event::NotListening(why) => panic!("{why}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn two_of_a_list_of_systems() {
    let file = torrent().await;
    let (seed, at) = client(true).await;
    let (leech, _) = client(false).await;
    let systems: Vec<Box<dyn System>> = vec![Box::new(seed.node.clone()), Box::new(leech.node.clone())];
    for system in &systems {
        let can = system.abilities();
        assert_eq!(system.name(), "bittorrent");
        assert_eq!((can.join, can.publish, can.search, can.fetch), (true, Some(Reach::Overlay), false, true));
        let lacks = system.search("blue").unwrap_err();
        assert_eq!(lacks.to_string(), "bittorrent has no search of its own");
        assert!(matches!(lacks, SystemError::Lacks { primitive: Primitive::Search, .. }));
    }
    systems[0].join("").await.unwrap();
    systems[0].publish(Item { name: String::new(), data: file.clone() }).await.unwrap();
    systems[1].join(&at.to_string()).await.unwrap();
    let mut chunks = systems[1].fetch(&Locator(file)).unwrap();
    let mut fetched = Vec::new();
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        assert_eq!(chunk.offset, fetched.len() as u64);
        fetched.extend_from_slice(&chunk.data);
    }
    assert!(fetched == content());
    let nonsense = systems[1].fetch(&"magnet:?xt=nothing".into()).unwrap_err();
    assert!(matches!(nonsense, SystemError::Meaningless { primitive: Primitive::Fetch, .. }), "{nonsense}");
    seed.stop().await;
    leech.stop().await;
    assert!(matches!(systems[1].join("").await, Err(SystemError::Gone)));
}

#[test]
fn whom_to_join_as_text() {
    let found: Bootstrap =
        "udp://tracker.example:6969/announce, 10.0.0.1:6881\thttp://[::1]/a [::1]:6881".parse().unwrap();
    assert_eq!(found.trackers, ["udp://tracker.example:6969/announce", "http://[::1]/a"]);
    assert_eq!(found.peers, ["10.0.0.1:6881".parse().unwrap(), "[::1]:6881".parse::<SocketAddr>().unwrap()]);
    let error = "10.0.0.1:6881,10.0.0.1".parse::<Bootstrap>().unwrap_err();
    assert_eq!(error.word, 2);
    let none: Bootstrap = " , ".parse().unwrap();
    assert!(none.trackers.is_empty() && none.peers.is_empty());
}
