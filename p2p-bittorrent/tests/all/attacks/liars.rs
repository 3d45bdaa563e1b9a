//! A fifth of a swarm lies, each in its own way: every honest peer finishes, no honest one is banned, and what is wasted
//! is a few pieces per liar and leecher, whatever the size of the torrent.

use super::scene::{PORT, config};
use crate::made::made;
use p2p_bittorrent::metainfo::Builder;
use p2p_bittorrent::{Client, Command, DropReason, Event, Torrent};
use p2p_core::{Bytes, Duration, FileId, Rng, Root};
use p2p_sim::{Bandwidth, Disk, NodeIx, Setup, Sim, Uniform};
use std::net::SocketAddr;

const PIECE: usize = 128 * 1024;
const PIECES: usize = 60;

/// Honest leechers, and peers that checked their files before the disk spoilt this share of the blocks.
///
/// Returns how many pieces were wasted per liar and leecher, and how often a liar was banned.
fn swarm(dice: u64, honest: usize, shares: &[f64]) -> (f64, usize) {
    let mut rng = Rng::fast_from(dice);
    let mut data = vec![0; PIECES * PIECE - 5_000];
    rng.fill(&mut data);
    let files = vec![(vec!["one.bin".to_owned()], data.len() as u64)];
    let metainfo = made(Builder::folder("lied about", files, Some(PIECE as u32)).unwrap(), &data);
    let content = Bytes::from(data);
    let file = FileId::new(Root(0), metainfo.info.files()[0].path.clone());
    let mut sim: Sim<Client> = Sim::new(dice, Uniform::ms(5..60));
    let rate = Bandwidth::bytes(300_000, 2_000_000);
    let mut nodes: Vec<NodeIx> = Vec::new();
    for share in std::iter::once(&0.0).chain(shares) {
        let disk = Disk::default().with_file(file.clone(), content.clone());
        let node = sim.add_with(Setup::new().disk(disk).bandwidth(rate), Client::new(config()));
        let op = sim.ask(node, Command::Seed(Box::new(Torrent::new(metainfo.clone()))));
        assert!(sim.finish(&[op], Duration::from_secs(5)));
        for at in (0..content.len()).step_by(16 * 1024) {
            if rng.chance(*share) {
                sim.disk(node).spoil(&file, at as u64, 16 * 1024);
            }
        }
        nodes.push(node);
    }
    let mut ops = Vec::new();
    let first = nodes.len();
    for _ in 0..honest {
        let peers: Vec<SocketAddr> =
            nodes.iter().map(|node| SocketAddr::new(sim.addr(*node), PORT)).collect();
        let node = sim.add_with(Setup::new().bandwidth(rate), Client::new(config()));
        let torrent = Torrent::new(metainfo.clone()).with_peers(peers);
        ops.push(sim.ask(node, Command::Download(Box::new(torrent))));
        nodes.push(node);
    }
    assert!(sim.finish(&ops, Duration::from_secs(1_800)), "all honest peers finish");
    let liars: Vec<_> = nodes[1..first].iter().map(|node| sim.addr(*node)).collect();
    let (mut wasted, mut bans) = (0, 0);
    for &node in &nodes[first..] {
        assert!(sim.disk(node).content(&file).as_ref() == Some(&content));
        let progress = sim.machine(node).progress(metainfo.info.info_hash(), sim.now()).unwrap();
        wasted += progress.wasted;
        for told in sim.events(node) {
            if let Event::Banned { peer, why } = &told.event {
                assert!(liars.contains(&peer.ip()), "{peer} is honest: {why}");
                assert!(matches!(why, DropReason::BadPiece | DropReason::BadBlock));
                bans += 1;
            }
        }
    }
    (wasted as f64 / (PIECE * honest * shares.len()) as f64, bans)
}

#[test]
fn liars_that_spoil_everything() {
    let (wasted, bans) = swarm(1, 12, &[1.0; 3]);
    assert_eq!(bans, 36, "each liar by each leecher");
    assert!(wasted <= 6.0, "{wasted}");
}

#[test]
fn liars_that_spoil_a_block_now_and_then() {
    let (wasted, bans) = swarm(2, 12, &[0.02, 0.1, 0.3]);
    assert!(bans >= 24, "{bans}");
    assert!(wasted <= 6.0, "{wasted}");
}
