//! The client machine in the simulator: transfers, liars, crashes, full disks and hostile peers, in virtual time.

use crate::made::made;
use p2p_bittorrent::metainfo::Builder;
use p2p_bittorrent::picker::Mode;
use p2p_bittorrent::{
    Bootstrap, Client, Command, Config, DropReason, Error, Event, Metainfo, Timer, Torrent,
};
use p2p_core::{Bytes, Duration, FileId, OpId, Rng, Root};
use p2p_sim::{Bandwidth, Disk, NodeIx, Setup, Sim, Uniform};
use std::net::SocketAddr;
use std::sync::Arc;

const PORT: u16 = 6881;
const PIECE: u32 = 64 * 1024;

/// A torrent of files of these lengths, and their content.
fn make(lens: &[u64]) -> (Arc<Metainfo>, Vec<Bytes>) {
    let mut rng = Rng::fast_from(7);
    let files: Vec<Bytes> = lens
        .iter()
        .map(|&len| {
            let mut data = vec![0; len as usize];
            rng.fill(&mut data);
            data.into()
        })
        .collect();
    let names = (0..lens.len()).map(|n| vec![format!("dir{}", n % 3), format!("{n:02}.bin")]);
    let entries: Vec<_> = names.zip(lens.iter().copied()).collect();
    let builder = Builder::folder("things", entries, Some(PIECE)).unwrap();
    // Files are put into order of their paths, so the content follows them.
    let order: Vec<usize> = builder
        .files()
        .iter()
        .map(|file| {
            let name = file.path.as_str().rsplit('/').next().unwrap();
            name[..2].parse().unwrap()
        })
        .collect();
    let files: Vec<Bytes> = order.into_iter().map(|n| files[n].clone()).collect();
    (made(builder, &files.concat()), files)
}

fn stored(metainfo: &Metainfo) -> Vec<FileId> {
    metainfo.info.files().iter().map(|file| FileId::new(Root(0), file.path.clone())).collect()
}

fn full_disk(metainfo: &Metainfo, files: &[Bytes]) -> Disk {
    stored(metainfo)
        .into_iter()
        .zip(files)
        .fold(Disk::default(), |disk, (id, data)| disk.with_file(id, data.clone()))
}

fn client() -> Client {
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([0, 0, 0, 0], PORT)));
    Client::new(config)
}

fn seed(sim: &mut Sim<Client>, metainfo: &Arc<Metainfo>, files: &[Bytes]) -> NodeIx {
    let node = sim.add_with(Setup::new().disk(full_disk(metainfo, files)), client());
    let op = sim.ask(node, Command::Seed(Box::new(Torrent::new(metainfo.clone()))));
    assert!(sim.finish(&[op], Duration::from_secs(60)), "the seed is checked");
    assert_eq!(sim.outcome(op), Some(&Ok(())));
    node
}

fn addr(sim: &Sim<Client>, node: NodeIx) -> SocketAddr {
    SocketAddr::new(sim.addr(node), PORT)
}

fn fetch(sim: &mut Sim<Client>, node: NodeIx, metainfo: &Arc<Metainfo>, peers: &[SocketAddr]) -> OpId {
    let torrent = Torrent::new(metainfo.clone()).with_peers(peers.iter().copied());
    sim.ask(node, Command::Download(Box::new(torrent)))
}

fn assert_has_all(sim: &mut Sim<Client>, node: NodeIx, metainfo: &Metainfo, files: &[Bytes]) {
    for (id, data) in stored(metainfo).iter().zip(files) {
        assert_eq!(sim.disk(node).content(id).as_ref(), Some(data), "{}", id.path().as_str());
    }
}

/// Odd sizes: nothing, one byte, a piece and its neighbours.
const ODD: [u64; 8] = [0, 1, PIECE as u64, PIECE as u64 - 1, PIECE as u64 + 1, 300_000, 0, 16_384];

#[test]
fn one_seed_one_leech_every_byte() {
    let (metainfo, files) = make(&ODD);
    let mut sim = Sim::new(1, Uniform::ms(10..50));
    let from = seed(&mut sim, &metainfo, &files);
    let to = sim.add(client());
    let peer = addr(&sim, from);
    let op = fetch(&mut sim, to, &metainfo, &[peer]);
    assert!(sim.finish(&[op], Duration::from_secs(120)), "it finishes");
    assert_eq!(sim.outcome(op), Some(&Ok(())));
    assert_has_all(&mut sim, to, &metainfo, &files);
    let progress = sim.machine(to).progress(metainfo.info.info_hash(), sim.now()).unwrap();
    assert_eq!((progress.downloaded, progress.wasted), (metainfo.info.total(), 0), "nothing twice");
}

/// A flash crowd over lossy links: everybody ends with everything, and the same seed gives the same story.
fn crowd(dice: u64) -> u64 {
    let (metainfo, files) = make(&[700_000, 1, 300_000]);
    let mut sim = Sim::new(dice, Uniform::ms(5..80).loss(0.02));
    let mut nodes = vec![seed(&mut sim, &metainfo, &files)];
    let mut ops = Vec::new();
    for _ in 0..12 {
        let node = sim.add(client());
        let peers: Vec<SocketAddr> = nodes.iter().map(|node| addr(&sim, *node)).collect();
        ops.push(fetch(&mut sim, node, &metainfo, &peers));
        nodes.push(node);
    }
    assert!(sim.finish(&ops, Duration::from_secs(600)), "all finish");
    for node in nodes {
        assert_has_all(&mut sim, node, &metainfo, &files);
    }
    sim.digest()
}

#[test]
fn a_crowd_finishes_and_repeats_itself() {
    let first = crowd(3);
    assert_eq!(first, crowd(3));
    assert_ne!(first, crowd(4));
}

#[test]
fn a_full_seed_is_had_by_one_after_another() {
    let (metainfo, files) = make(&[20_000_000]);
    let mut sim = Sim::new(8, Uniform::ms(10..20));
    let mut config = Config::default();
    config.listen = Some(SocketAddr::from(([0, 0, 0, 0], PORT)));
    // Two slots, and one place more.
    (config.limits.peers_per_torrent, config.upload_slots) = (3, Some(1));
    let setup = Setup::new().disk(full_disk(&metainfo, &files)).bandwidth(Bandwidth::bits(400_000, 400_000));
    let seed = sim.add_with(setup, Client::new(config));
    let op = sim.ask(seed, Command::Seed(Box::new(Torrent::new(metainfo.clone()))));
    assert!(sim.finish(&[op], Duration::from_secs(60)));
    let peer = addr(&sim, seed);
    // None of them gives, and nobody gets all of it in that time: who is not let in has nothing.
    let takers: Vec<NodeIx> = (0..5)
        .map(|_| {
            let mut config = Config::default();
            config.upload_slots = Some(0);
            sim.add(Client::new(config))
        })
        .collect();
    for &node in &takers {
        fetch(&mut sim, node, &metainfo, &[peer]);
    }
    sim.run_for(Duration::from_secs(390));
    let hash = metainfo.info.info_hash();
    for node in takers {
        let progress = sim.machine(node).progress(hash, sim.now()).unwrap();
        assert!(progress.verified > 0 && progress.verified < metainfo.info.total(), "{progress:?}");
    }
}

#[test]
fn two_that_dialled_each_other_find_each_other_again() {
    let (metainfo, files) = make(&[4_000_000]);
    for dice in 0..8 {
        let mut sim = Sim::new(dice, Uniform::ms(10..20));
        let slow = || Setup::new().bandwidth(Bandwidth::bits(400_000, 400_000));
        let from = sim.add_with(slow().disk(full_disk(&metainfo, &files)), client());
        let to = sim.add_with(slow(), client());
        let (seed, leech) = (addr(&sim, from), addr(&sim, to));
        let at_seed = |peers: &[SocketAddr]| {
            let torrent = Torrent::new(metainfo.clone()).with_peers(peers.iter().copied());
            Command::Seed(Box::new(torrent))
        };
        // Both dial at once, and one of the two streams is dropped.
        sim.ask(from, at_seed(&[leech]));
        let op = fetch(&mut sim, to, &metainfo, &[seed]);
        sim.run_for(Duration::from_secs(20));
        // The seed comes back and knows nobody.
        sim.restart(from, client());
        sim.ask(from, at_seed(&[]));
        assert!(sim.finish(&[op], Duration::from_secs(1_200)), "seed {dice}");
        assert_has_all(&mut sim, to, &metainfo, &files);
    }
}

#[test]
fn a_liar_is_found_out_and_banned() {
    let (metainfo, files) = make(&[2_000_000]);
    let mut sim = Sim::new(5, Uniform::ms(10..20));
    let honest = seed(&mut sim, &metainfo, &files);
    let liar = seed(&mut sim, &metainfo, &files);
    let file = stored(&metainfo)[0].clone();
    // What it checked it has no more: every block it sends is wrong.
    sim.disk(liar).spoil(&file, 0, 2_000_000);
    let to = sim.add(client());
    let peers = [addr(&sim, honest), addr(&sim, liar)];
    let op = fetch(&mut sim, to, &metainfo, &peers);
    assert!(sim.finish(&[op], Duration::from_secs(600)), "it finishes in spite of the liar");
    assert_eq!(sim.outcome(op), Some(&Ok(())));
    assert_has_all(&mut sim, to, &metainfo, &files);
    let banned: Vec<SocketAddr> = sim
        .events(to)
        .iter()
        .filter_map(|told| match &told.event {
            Event::Banned { peer, .. } => Some(*peer),
            _ => None,
        })
        .collect();
    assert_eq!(banned, [addr(&sim, liar)], "the liar and nobody else");
}

fn banned(sim: &Sim<Client>, node: NodeIx) -> Vec<(SocketAddr, DropReason)> {
    let banned = |event: &Event| match event {
        Event::Banned { peer, why } => Some((*peer, *why)),
        _ => None,
    };
    sim.events(node).iter().filter_map(|told| banned(&told.event)).collect()
}

/// Among liars only, one of them lies about a piece; then what is here shows what the others are worth. A seed that
/// comes later passes, also if our own disk does not say any more what it said.
#[test]
fn strangers_are_probed_with_what_is_here() {
    for rotten in [false, true] {
        let (metainfo, files) = make(&[2_000_000]);
        let file = stored(&metainfo)[0].clone();
        let mut sim = Sim::new(5, Uniform::ms(10..20));
        let honest = seed(&mut sim, &metainfo, &files);
        let first = seed(&mut sim, &metainfo, &files);
        let second = seed(&mut sim, &metainfo, &files);
        for liar in [first, second] {
            sim.disk(liar).spoil(&file, 0, 2_000_000);
        }
        // The first half is here.
        let mut half = files[0].to_vec();
        half[1_000_000..].fill(0);
        let to = sim.add_with(Setup::new().disk(Disk::default().with_file(file.clone(), half)), client());
        // Another leech stays, so that what is known of peers is not forgotten.
        let other = sim.add(client());
        fetch(&mut sim, other, &metainfo, &[]);
        let peers = [addr(&sim, first), addr(&sim, other)];
        let op = fetch(&mut sim, to, &metainfo, &peers);
        sim.run_for(Duration::from_secs(60));
        assert_eq!(banned(&sim, to), [(peers[0], DropReason::BadPiece)]);
        if rotten {
            sim.disk(to).spoil(&file, 0, 1_000_000);
        }
        let info_hash = metainfo.info.info_hash();
        let peer = addr(&sim, if rotten { honest } else { second });
        sim.ask(to, Command::AddPeers(info_hash, vec![peer]));
        if rotten {
            assert!(sim.finish(&[op], Duration::from_secs(600)), "whose disk is rotten blames nobody");
            assert_eq!(banned(&sim, to).len(), 1);
            continue;
        }
        sim.run_for(Duration::from_secs(60));
        assert_eq!(banned(&sim, to)[1..], [(peer, DropReason::BadBlock)], "found out by one block");
        let peer = addr(&sim, honest);
        sim.ask(to, Command::AddPeers(info_hash, vec![peer]));
        assert!(sim.finish(&[op], Duration::from_secs(600)));
        assert_eq!(banned(&sim, to).len(), 2);
        assert_has_all(&mut sim, to, &metainfo, &files);
    }
}

#[test]
fn a_crash_loses_nothing_that_was_saved() {
    let (metainfo, files) = make(&[4_000_000]);
    let mut sim = Sim::new(6, Uniform::ms(10..20));
    let from = seed(&mut sim, &metainfo, &files);
    sim.set_bandwidth(from, Bandwidth::bytes(200_000, 10_000_000));
    let to = sim.add(client());
    let peer = addr(&sim, from);
    fetch(&mut sim, to, &metainfo, &[peer]);
    let half = |sim: &Sim<Client>| {
        sim.machine(to)
            .progress(metainfo.info.info_hash(), sim.now())
            .is_some_and(|p| p.verified >= 2_000_000)
    };
    assert!(sim.wait(Duration::from_secs(120), half), "half of it comes");
    sim.stop(to);
    sim.run_for(Duration::from_secs(5));
    sim.restart(to, client());
    let op = fetch(&mut sim, to, &metainfo, &[peer]);
    assert!(sim.finish(&[op], Duration::from_secs(120)));
    assert_has_all(&mut sim, to, &metainfo, &files);
    let kept = sim.events(to).iter().rev().find_map(|told| match &told.event {
        Event::Checked { have, digested, .. } => Some((*have, *digested)),
        _ => None,
    });
    let (have, digested) = kept.unwrap();
    assert!(have >= 2_000_000 / PIECE - 1, "what was verified is here: {have}");
    assert_eq!(digested, 0, "resume data of a clean stop vouches for all of it");

    // And without any warning: nothing that is not right may count as had.
    let late = sim.add(client());
    fetch(&mut sim, late, &metainfo, &[peer]);
    sim.run_for(Duration::from_secs(8));
    sim.kill(late);
    sim.restart(late, client());
    let op = fetch(&mut sim, late, &metainfo, &[peer]);
    assert!(sim.finish(&[op], Duration::from_secs(240)));
    assert_has_all(&mut sim, late, &metainfo, &files);
}

#[test]
fn a_full_disk_stops_with_the_reason() {
    let (metainfo, files) = make(&[3_000_000]);
    let mut sim = Sim::new(8, Uniform::ms(10..20));
    let from = seed(&mut sim, &metainfo, &files);
    let to = sim.add_with(Setup::new().disk(Disk::default().capacity(1_000_000)), client());
    let peer = addr(&sim, from);
    // In order: this disk takes room for what lies before a piece, too.
    let mut torrent = Torrent::new(metainfo.clone()).with_peers([peer]);
    torrent.order = Mode::Sequential;
    let op = sim.ask(to, Command::Download(Box::new(torrent)));
    assert!(sim.finish(&[op], Duration::from_secs(120)));
    let Some(Err(Error::Disk { why, .. })) = sim.outcome(op) else { panic!("{:?}", sim.outcome(op)) };
    assert_eq!(*why, p2p_core::IoError::NoSpace);
    let verified = |sim: &Sim<Client>| {
        sim.machine(to).progress(metainfo.info.info_hash(), sim.now()).map_or(0, |progress| progress.verified)
    };
    let before = verified(&sim);
    assert!(before > 0, "what fitted is verified");
    sim.disk(to).set_capacity(u64::MAX);
    let op = fetch(&mut sim, to, &metainfo, &[peer]);
    assert!(sim.finish(&[op], Duration::from_secs(240)), "it goes on when there is room");
    assert_eq!(sim.outcome(op), Some(&Ok(())));
    assert_has_all(&mut sim, to, &metainfo, &files);
}

#[test]
fn a_fetch_reads_the_content_in_order() {
    let (metainfo, files) = make(&[500_000, 40_000]);
    let mut sim = Sim::new(9, Uniform::ms(10..20));
    let from = seed(&mut sim, &metainfo, &files);
    let to = sim.add(client());
    let peer = addr(&sim, from);
    let torrent = Torrent::new(metainfo.clone()).with_peers([peer]);
    let op = sim.ask(to, Command::Fetch(Box::new(torrent)));
    assert!(sim.finish(&[op], Duration::from_secs(120)));
    let mut content = Vec::new();
    for told in sim.events(to) {
        if let (Some(asked), Event::Chunk(chunk)) = (told.op, &told.event) {
            assert_eq!((asked, chunk.offset), (op, content.len() as u64));
            content.extend_from_slice(&chunk.data);
        }
    }
    assert_eq!(content, files.concat());
}

#[test]
fn only_the_selected_file_is_fetched() {
    let (metainfo, files) = make(&[500_000, 400_000, 600_000]);
    let mut sim = Sim::new(10, Uniform::ms(10..20));
    let from = seed(&mut sim, &metainfo, &files);
    let to = sim.add(client());
    let peer = addr(&sim, from);
    let mut torrent = Torrent::new(metainfo.clone()).with_peers([peer]);
    torrent.select = Some(vec![1]);
    let op = sim.ask(to, Command::Download(Box::new(torrent)));
    assert!(sim.finish(&[op], Duration::from_secs(120)));
    let id = &stored(&metainfo)[1];
    assert_eq!(sim.disk(to).content(id).as_ref(), Some(&files[1]));
    let progress = sim.machine(to).progress(metainfo.info.info_hash(), sim.now()).unwrap();
    assert!(progress.downloaded < 600_000 + 2 * u64::from(PIECE), "{}", progress.downloaded);
    assert_eq!(progress.wanted, progress.wanted_verified);
}

#[test]
fn a_seed_of_nothing_is_told_so() {
    let (metainfo, _) = make(&[100_000]);
    let mut sim = Sim::new(11, Uniform::ms(10..20));
    let node = sim.add(client());
    let op = sim.ask(node, Command::Seed(Box::new(Torrent::new(metainfo))));
    assert!(sim.finish(&[op], Duration::from_secs(10)));
    assert_eq!(sim.outcome(op), Some(&Err(Error::Incomplete { missing: 2, pieces: 2 })));
}

/// A second fetch right after the disk was full, while writes of the first are still on their way.
#[test]
fn a_second_fetch_at_once_after_a_full_disk_gets_everything() {
    let (metainfo, files) = make(&[3_000_000]);
    for dice in 0..20 {
        let mut sim = Sim::new(dice, Uniform::ms(1..20));
        let from = seed(&mut sim, &metainfo, &files);
        let capacity = 400_000 + dice * 100_000;
        let to = sim.add_with(Setup::new().disk(Disk::default().capacity(capacity)), client());
        let peer = addr(&sim, from);
        let op = fetch(&mut sim, to, &metainfo, &[peer]);
        assert!(sim.wait(Duration::from_secs(120), |sim| sim.outcome(op).is_some()));
        assert!(matches!(sim.outcome(op), Some(Err(Error::Disk { .. }))), "{:?}", sim.outcome(op));
        sim.disk(to).set_capacity(u64::MAX);
        let op = fetch(&mut sim, to, &metainfo, &[peer]);
        assert!(sim.finish(&[op], Duration::from_secs(240)), "{dice}: it goes on");
        assert_eq!(sim.outcome(op), Some(&Ok(())), "{dice}");
        assert_has_all(&mut sim, to, &metainfo, &files);
        assert!(
            !sim.events(to).iter().any(|told| matches!(told.event, Event::Banned { .. })),
            "{dice}: nobody lied"
        );
    }
}

/// While files are looked at nothing is known to be here, so nothing is complete.
#[test]
fn nothing_is_complete_while_files_are_checked() {
    let (metainfo, _) = make(&[300_000, 1]);
    let mut sim = Sim::new(12, Uniform::ms(10..20));
    let node = sim.add(client());
    sim.run_for(Duration::from_secs(1));
    let download = fetch(&mut sim, node, &metainfo, &[]);
    let priority = sim.ask(node, Command::SetPriority(metainfo.info.info_hash(), 0, 7));
    assert!(sim.finish(&[priority], Duration::from_secs(10)));
    sim.run_for(Duration::from_secs(10));
    assert_eq!(sim.outcome(download), None);
    assert!(!sim.events(node).iter().any(|told| matches!(told.event, Event::Complete(_))));
}

/// A torrent that nobody has sets no timer, whoever waits for it; its progress is told while there is something to tell.
#[test]
fn a_torrent_without_peers_sets_no_timer() {
    let (metainfo, _) = make(&[300_000]);
    let mut sim = Sim::new(13, Uniform::ms(10..20));
    let node = sim.add(client());
    let op = fetch(&mut sim, node, &metainfo, &[]);
    sim.run_for(Duration::from_secs(30));
    assert_eq!(sim.outcome(op), None);
    assert!(sim.events(node).iter().any(|told| matches!(told.event, Event::Progress(_))));
    assert_eq!(sim.timers(node), []);
}

/// With a tracker, the next announce is all that an idle torrent waits for.
#[test]
fn an_idle_torrent_waits_for_its_tracker_only() {
    let (metainfo, _) = make(&[300_000]);
    let mut sim = Sim::new(14, Uniform::ms(10..20));
    let node = sim.add(client());
    // Nobody answers there.
    let bootstrap = Bootstrap { trackers: vec!["http://10.99.99.99/announce".into()], peers: Vec::new() };
    let join = sim.ask(node, Command::Join(bootstrap));
    assert!(sim.finish(&[join], Duration::from_secs(10)));
    let op = fetch(&mut sim, node, &metainfo, &[]);
    sim.run_for(Duration::from_secs(120));
    assert_eq!(sim.outcome(op), None);
    let timers = sim.timers(node);
    assert!(matches!(timers[..], [(Timer::Announce(_), _)]), "{timers:?}");
}
