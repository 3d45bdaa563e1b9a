//! Files between servents of a network: found, fetched, pushed, listed.

use super::net::{Net, config};
use p2p_core::hash::{Hasher as _, Sha1};
use p2p_core::{FileId, OpId, RelPath, Root};
use p2p_gnutella::servent::{Config, Error, Event, Mode, Wish};
use p2p_gnutella::transfer::{self, Wanted};
use p2p_sim::NodeIx;

/// Content that does not repeat itself.
pub(crate) fn content(len: usize) -> &'static [u8] {
    let mut bytes = vec![0; len];
    p2p_core::Rng::fast_from(len as u64).fill(&mut bytes);
    bytes.leak()
}

fn leaf() -> Config {
    let mut leaf = config(Mode::Leaf);
    leaf.leaf_ultrapeers = 1;
    leaf
}

/// Two ultrapeers that are linked, and a leaf of each.
fn pair(seed: u64, first: Config, second: Config) -> (Net, [NodeIx; 2], [NodeIx; 2]) {
    let mut net = Net::new(seed);
    let mut of = config(Mode::Ultrapeer);
    of.degree = 1;
    let up = [(); 2].map(|()| net.add(of.clone()));
    let leaves = [net.add(first), net.add(second)];
    net.run(1);
    net.join(up[1], &[up[0]]);
    for (at, leaf) in leaves.iter().enumerate() {
        net.join(*leaf, &[up[at]]);
    }
    net.run(10);
    assert!(leaves.iter().all(|leaf| net.servent(*leaf).neighbours().count() == 1));
    (net, up, leaves)
}

fn fetch(net: &mut Net, node: NodeIx, wanted: Wanted) -> OpId {
    net.transfer(node, transfer::Command::Download(wanted))
}

fn saved(net: &mut Net, node: NodeIx, name: &str) -> Option<bytes::Bytes> {
    net.sim.disk(node).content(&FileId::new(Root(0), RelPath::local([name]).unwrap()))
}

#[test]
fn what_is_found_is_fetched() {
    let (mut net, _, [a, b]) = pair(1, leaf(), leaf());
    let bytes = content(3_000_000);
    net.share(b, "blue train.flac", bytes);
    net.run(20);
    let op = net.search(a, Wish::words("train"));
    net.run(20);
    let hit = net.hits(a, op).remove(0);
    assert!(hit.browsable && hit.push == Some(false));
    let op = fetch(&mut net, a, hit.wanted());
    net.run(30);
    assert_eq!(net.outcome(op), Some(Ok(())));
    assert_eq!(saved(&mut net, a, "blue train.flac").as_deref(), Some(bytes));
}

#[test]
fn a_file_of_which_only_the_digest_is_known_is_searched_for() {
    let (mut net, _, [a, b]) = pair(2, leaf(), leaf());
    let bytes = content(700_000);
    net.share(b, "somewhere.bin", bytes);
    net.run(20);
    let op = fetch(&mut net, a, Wanted::new(Sha1::digest(bytes)));
    net.run(60);
    assert_eq!(net.outcome(op), Some(Ok(())));
    let name = data_encoding::BASE32_NOPAD.encode(&Sha1::digest(bytes).0);
    assert_eq!(
        saved(&mut net, a, &name).as_deref(),
        Some(bytes),
        "a file without a name is called by its digest"
    );
    assert!(!net.sim.events(a).iter().any(|told| matches!(told.event, Event::Hit(_))), "nobody searched");
}

#[test]
fn who_is_behind_a_firewall_is_told_to_connect() {
    let mut walled = leaf();
    walled.listen = None;
    let (mut net, up, [a, b]) = pair(3, leaf(), walled);
    let bytes = content(1_500_000);
    net.share(b, "behind a wall.bin", bytes);
    net.run(20);
    let op = net.search(a, Wish::words("behind wall"));
    net.run(20);
    let hit = net.hits(a, op).remove(0);
    assert_eq!(hit.push, Some(true));
    assert_eq!(hit.push_proxies, [net.addr(up[1])]);
    // By the way that its hit came.
    let mut wanted = hit.wanted();
    wanted.sources[0].proxies.clear();
    wanted.name = "by route".into();
    let op = fetch(&mut net, a, wanted);
    net.run(30);
    assert_eq!(net.outcome(op), Some(Ok(())));
    assert_eq!(saved(&mut net, a, "by route").as_deref(), Some(bytes));
}

#[test]
fn who_is_behind_a_firewall_is_told_by_its_ultrapeer_over_http() {
    let mut walled = leaf();
    walled.listen = None;
    let (mut net, up, [_, b]) = pair(4, leaf(), walled);
    let bytes = content(900_000);
    net.share(b, "behind a wall.bin", bytes);
    // Somebody of whom no hit came by anywhere.
    let alone = net.add(leaf());
    net.run(20);
    let mut wanted = Wanted::new(Sha1::digest(bytes));
    wanted.name = "by proxy".into();
    wanted.sources.push(transfer::Locator::pushed(net.servent(b).guid(), vec![net.addr(up[1])]));
    let mut reachable = leaf();
    reachable.reached_at = Some(net.addr(alone));
    let op = fetch(&mut net, alone, wanted.clone());
    net.run(60);
    assert_eq!(net.outcome(op), None, "it does not know where it is reached, so nobody can be told");
    let other = {
        reachable.reached_at = Some(std::net::SocketAddr::from(([10, 0, 0, 6], 6346)));
        net.add(reachable)
    };
    assert_eq!(net.addr(other), std::net::SocketAddr::from(([10, 0, 0, 6], 6346)));
    net.run(1);
    let op = fetch(&mut net, other, wanted);
    net.run(60);
    assert_eq!(net.outcome(op), Some(Ok(())));
    assert_eq!(saved(&mut net, other, "by proxy").as_deref(), Some(bytes));
}

#[test]
fn what_a_servent_shares_is_listed() {
    let (mut net, _, [a, b]) = pair(5, leaf(), leaf());
    net.share(b, "one.txt", b"1");
    net.share(b, "two.txt", b"22");
    net.run(20);
    let to = net.addr(b);
    let op = net.transfer(a, transfer::Command::Browse(to));
    net.run(10);
    assert_eq!(net.outcome(op), Some(Ok(())));
    let mut names: Vec<String> = Vec::new();
    for told in net.sim.events(a) {
        if let Event::Transfer(transfer::Event::Listed(hit)) = &told.event {
            names.extend(hit.records.iter().map(|record| String::from_utf8_lossy(record.name).into_owned()));
        }
    }
    names.sort();
    assert_eq!(names, ["one.txt", "two.txt"]);
}

#[test]
fn what_cannot_be_shared_is_said_and_forgotten() {
    let (mut net, _, [a, _]) = pair(6, leaf(), leaf());
    let file = FileId::new(Root(0), RelPath::local(["nowhere"]).unwrap());
    let op = net.transfer(a, transfer::Command::Share(file.clone()));
    net.run(5);
    assert!(matches!(net.outcome(op), Some(Err(Error::Transfer(transfer::Error::Disk { .. })))));
    let not = net.transfer(a, transfer::Command::Unshare(file));
    net.run(5);
    assert_eq!(net.outcome(not), Some(Err(Error::Transfer(transfer::Error::NotShared))));
}

#[test]
fn what_is_shared_no_more_is_not_shared_by_what_was_under_way() {
    let (mut net, _, [a, _]) = pair(7, leaf(), leaf());
    let file = net.share(a, "for a moment", content(5_000_000));
    net.transfer(a, transfer::Command::Unshare(file.clone()));
    net.run(5);
    assert!(net.servent(a).transfers().library().is_empty());
    let op = net.transfer(a, transfer::Command::Share(file.clone()));
    net.transfer(a, transfer::Command::Unshare(file.clone()));
    let again = net.transfer(a, transfer::Command::Share(file));
    net.run(5);
    assert_eq!((net.outcome(op), net.outcome(again)), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(net.servent(a).transfers().library().len(), 1);
}
