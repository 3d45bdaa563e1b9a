//! Programs that know Napster only by the four primitives, on loopback sockets.

use p2p_core::system::{Item, System, SystemError};
use p2p_core::{Fetch, Machine};
use p2p_core::{FileId, Join, Keywords, Node, OpError, Publish, Reach, RelPath, Root, Search};
use p2p_napster::client::{self, Bootstrap, Event, Query, SharedFile};
use p2p_napster::server::{self, Server, ServerEvent};
use p2p_napster::wire::query::{Attribute, Comparison};
use p2p_napster::{Client, client::Bound};
use p2p_transport_tokio::{Memory, Options, Running, spawn};
use std::net::{Ipv4Addr, SocketAddr};

const LEN: usize = 300_001;

fn content() -> Vec<u8> {
    super::rig::noise(LEN, 5)
}

fn song() -> FileId {
    FileId::new(Root(0), RelPath::from_parts(["song.mp3"]).unwrap())
}

/// Files in memory: the song, or nothing.
fn memory(full: bool) -> Memory {
    let memory = Memory::new(1 << 20);
    if full {
        p2p_transport_tokio::Storage::replace(&memory, &song(), &content()).unwrap();
    }
    memory
}

async fn server() -> (Running<Server>, SocketAddr) {
    let mut config = server::Config::default();
    config.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let mut running = spawn(Server::new(config), Options::default());
    loop {
        if let ServerEvent::Listening(at) = running.news.next().await.unwrap() {
            return (running, at);
        }
    }
}

async fn client(nick: &'static str, full: bool) -> Running<Client> {
    let mut config = client::Config::default();
    (config.nick, config.password) = (nick.into(), "secret".into());
    config.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut running = spawn(Client::new(config), Options::default().with_storage(memory(full)));
    while !matches!(running.news.next().await.unwrap(), Event::Listening(_)) {}
    running
}

/// What generic code can do with any system that has all four: nothing in it is of Napster.
async fn pass_on<M>(
    giver: &Node<M>,
    taker: &Node<M>,
    to: impl Fn() -> M::Bootstrap,
    item: M::Item,
    query: impl Fn() -> M::Query,
) -> Result<Vec<u8>, OpError<M::Error>>
where
    M: Join + Publish + Search + Fetch,
    M::Locator: for<'a> From<&'a M::Hit>,
{
    giver.join(to()).await?;
    taker.join(to()).await?;
    giver.publish(item).await?;
    let what = loop {
        // The giver has told its server; when that has read it is another matter.
        if let Some(hit) = taker.search(query()).try_next().await? {
            break M::Locator::from(&hit);
        }
    };
    let mut chunks = taker.fetch(what);
    let mut all = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        assert_eq!(chunk.offset, all.len() as u64, "in order");
        all.extend_from_slice(&chunk.data);
    }
    Ok(all)
}

const fn reach<M: Machine + Publish>() -> Reach {
    M::REACH
}

#[tokio::test]
async fn generic_code_joins_publishes_searches_and_fetches() {
    assert_eq!(reach::<Client>(), Reach::Server);
    let (index, at) = server().await;
    let (alice, bob) = (client("alice", true).await, client("bob", false).await);
    let item = SharedFile::new("Some Band - The Song.mp3", song());
    // Keywords, and filters of attributes.
    let query = || {
        let mut query = Query::from(Keywords::new("band song"));
        let bound = |of, comparison, number| Bound { of, comparison, number };
        query.bounds.push(bound(Attribute::Bitrate, Comparison::AtLeast, 128));
        query.bounds.push(bound(Attribute::Size, Comparison::EqualTo, LEN as u64));
        query
    };
    let got = pass_on(&alice.node, &bob.node, || Bootstrap::servers([at]), item, query).await.unwrap();
    assert!(got == content());
    // What the filters leave out.
    let mut query = query();
    query.bounds[0].number = 129;
    assert!(bob.node.search(query).try_next().await.unwrap().is_none());
    alice.stop().await;
    bob.stop().await;
    index.stop().await;
}

#[tokio::test]
async fn one_of_a_list_of_systems() {
    let (index, at) = server().await;
    let (alice, bob) = (client("alice", true).await, client("bob", false).await);
    let systems: Vec<Box<dyn System>> = vec![Box::new(alice.node.clone()), Box::new(bob.node.clone())];
    for system in &systems {
        let can = system.abilities();
        assert_eq!(system.name(), "napster");
        assert_eq!((can.join, can.publish, can.search, can.fetch), (true, Some(Reach::Server), true, true));
        system.join(&at.to_string()).await.unwrap();
    }
    let item = Item { name: "song.mp3".into(), data: "C:\\mp3\\Some Band - The Song.mp3".into() };
    systems[0].publish(item).await.unwrap();
    let found = loop {
        if let Some(found) = systems[1].search("the song").unwrap().try_next().await.unwrap() {
            break found;
        }
    };
    assert_eq!((&*found.title, found.len), ("C:\\mp3\\Some Band - The Song.mp3", Some(LEN as u64)));
    let mut chunks = systems[1].fetch(&found.locator).unwrap();
    let mut fetched = Vec::new();
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        assert_eq!(chunk.offset, fetched.len() as u64);
        fetched.extend_from_slice(&chunk.data);
    }
    assert!(fetched == content());
    assert!(systems[1].join("nowhere").await.is_err());
    let nonsense = systems[1].fetch(&"no locator".into()).unwrap_err();
    assert!(matches!(nonsense, SystemError::Meaningless { .. }), "{nonsense}");
    alice.stop().await;
    bob.stop().await;
    index.stop().await;
}

#[test]
fn whom_to_join_as_text() {
    let text = "napster.example:8888, 10.0.0.1:7777\tmeta:[::1]:8875 tls:napster.example:8889";
    let found: Bootstrap = text.parse().unwrap();
    assert_eq!((found.servers.len(), found.metaservers.len(), found.secured.len()), (2, 1, 1));
    assert_eq!("10.0.0.1:8888,10.0.0.1".parse::<Bootstrap>().unwrap_err().word, 2);
    assert_eq!("a:0".parse::<Bootstrap>().unwrap_err().word, 1);
}

/// A download of two holders to a folder of a real disk, whose name tries to leave it; and a second one beside it.
#[tokio::test]
async fn a_download_lands_in_its_folder() {
    let (index, at) = server().await;
    let name = "Z:\\nap\\../../evil.mp3";
    let (alice, carol) = (client("alice", true).await, client("carol", true).await);
    for holder in [&alice, &carol] {
        holder.node.join(Bootstrap::servers([at])).await.unwrap();
        holder.node.publish(SharedFile::new(name, song())).await.unwrap();
    }
    let path = std::env::temp_dir().join(format!("p2p-napster-{}", std::process::id()));
    std::fs::create_dir_all(path.join("down")).unwrap();
    let folder = p2p_transport_tokio::Folder::new(path.join("down")).unwrap();
    let mut config = client::Config::default();
    (config.nick, config.password, config.listen) = ("bob".into(), "secret".into(), None);
    config.limits.range_min = 50_000;
    let bob = spawn(Client::new(config), Options::default().with_storage(folder));
    bob.node.join(Bootstrap::servers([at])).await.unwrap();
    let mut hits = Vec::new();
    while hits.len() < 2 {
        hits = Vec::new();
        let mut search = bob.node.search(Keywords::new("evil").into());
        while let Some(hit) = search.try_next().await.unwrap() {
            hits.push(hit);
        }
    }
    for saved_as in ["evil.mp3", "evil (2).mp3"] {
        let wanted = client::Wanted::from(&hits[0]).or(hits[1].nick.clone(), hits[1].name.clone());
        let mut download = bob.node.ask(client::Command::Download(Box::new(wanted)));
        let mut saved = None;
        while let Some(event) = download.try_next().await.unwrap() {
            if let Event::Saved { file, .. } = event {
                saved = Some(file.path().as_str().to_owned());
            }
        }
        assert_eq!(saved.as_deref(), Some(saved_as));
        assert!(std::fs::read(path.join("down").join(saved_as)).unwrap() == content());
    }
    for client in [alice, bob, carol] {
        client.stop().await;
    }
    index.stop().await;
    let left = |folder: &std::path::Path| {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(left(&path), ["down"]);
    assert_eq!(left(&path.join("down")), ["evil (2).mp3", "evil.mp3"], "nothing else is left");
    std::fs::remove_dir_all(path).unwrap();
}
