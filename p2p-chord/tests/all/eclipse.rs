//! Whoever has many places of the ring by few addresses does not get to be all that a node knows.

use crate::rings::{World, at, chord, config};
use bytes::BytesMut;
use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Command, Config, Peer};
use p2p_core::{
    Cx, Datagram, Duration, Effect, Input, Instant, Machine, OpId, OpInput, Rng, SocketId, Source, UnixTime,
};
use p2p_sim::{Audit, NodeIx, Setup, Sim, Uniform};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

fn block(peer: Peer) -> [u8; 3] {
    match peer.addr().ip() {
        IpAddr::V4(ip) => [ip.octets()[0], ip.octets()[1], ip.octets()[2]],
        IpAddr::V6(_) => panic!("{peer:?}"),
    }
}

/// A ring of `spread` nodes of as many blocks and `alike` nodes of one block, 203.0.113.0/24, with right lists and no
/// fingers.
fn ring(seed: u64, spread: usize, alike: usize, config: &Config) -> (World, Vec<NodeIx>) {
    let mut sim = Sim::new(seed, Uniform::ms(10..60));
    let addr = |number: usize| match number.checked_sub(spread) {
        None => SocketAddr::from(([20 + (number >> 8) as u8, number as u8, 7, 1], 4000)),
        Some(number) => SocketAddr::from(([203, 0, 113, number as u8 + 1], 4000)),
    };
    let mut peers: Vec<Peer> =
        (0..spread + alike).map(|number| Peer::new(config.network, addr(number))).collect();
    peers.sort_by_key(Peer::id);
    let count = peers.len();
    let mut members = Vec::new();
    for (place, me) in peers.iter().enumerate() {
        let around = |step: usize| peers[(place + step) % count];
        let successors: Vec<Peer> = (1..=config.successors).map(around).collect();
        let node = Chord::settled(config.clone(), *me, around(count - 1), &successors, []);
        members.push(sim.add_with(Setup::new().addr(me.addr().ip()), Audit::new(node)));
    }
    (sim, members)
}

#[test]
fn fingers_are_of_many_blocks_of_addresses() {
    // Two thirds of the ring are of one block.
    let mut config = config(4);
    (config.base_bits, config.fix_finger) = (4, Duration::from_secs(1));
    let (mut sim, members) = ring(1, 30, 60, &config);
    sim.run_for(Duration::from_secs(100));
    let mut most = 0;
    for node in &members {
        let fingers: Vec<Peer> = chord(&sim, *node).fingers().collect();
        let alike = fingers.iter().filter(|peer| block(**peer) == [203, 0, 113]).count();
        assert!(alike <= config.alike, "{alike} of {}", fingers.len());
        most = most.max(alike);
    }
    assert_eq!(most, config.alike, "and they are used");
    // Without the limit most fingers would be theirs.
    config.alike = 0;
    let (mut sim, members) = ring(1, 30, 60, &config);
    sim.run_for(Duration::from_secs(100));
    let most = members
        .iter()
        .map(|node| chord(&sim, *node).fingers().filter(|peer| block(*peer) == [203, 0, 113]).count());
    assert!(most.max().unwrap() > 6);
}

/// Nobody is left out by the limit: lookups find nodes of the one block, too.
#[test]
fn nodes_of_one_block_are_found() {
    let mut config = config(4);
    config.fix_finger = Duration::from_secs(1);
    let (mut sim, members) = ring(2, 30, 60, &config);
    sim.run_for(Duration::from_secs(100));
    crate::rings::lookups_are_right(&mut sim, &members, 2, 200);
}

/// Where it is asked for, nobody has more than so many neighbours of one block, and the ring of all others is right.
#[test]
fn a_crowd_of_one_block_is_not_let_in() {
    let mut config = config(4);
    config.neighbours_alike = 1;
    let (mut sim, mut members) = ring(3, 40, 0, &config);
    let mut crowd = Vec::new();
    for host in 1..=60 {
        let new =
            sim.add_with(Setup::new().addr(IpAddr::from([203, 0, 113, host])), crate::rings::node(&config));
        let by = at(&sim, members[usize::from(host) % 40]);
        sim.ask(new, Command::Join(vec![by]));
        crowd.push(new);
        sim.run_for(Duration::from_secs(2));
    }
    sim.run_for(Duration::from_secs(120));
    let in_ring: BTreeSet<Peer> = members.iter().flat_map(|node| chord(&sim, *node).successors()).collect();
    let (theirs, ours): (Vec<Peer>, Vec<Peer>) =
        in_ring.into_iter().partition(|peer| block(*peer) == [203, 0, 113]);
    println!("{} of 60 are in the ring", theirs.len());
    assert_eq!(ours.len(), 40);
    assert!((1..=14).contains(&theirs.len()), "{theirs:?}");
    // One ring, of those that were let in and all others.
    members.extend(crowd.iter().filter(|node| theirs.contains(&chord(&sim, **node).peer().unwrap())));
    assert_eq!(crate::rings::faults(&sim, &members, 4), Vec::<String>::new());
    crate::rings::lookups_are_right(&mut sim, &members, 3, 200);
}

/// Whoever answers a lookup with hundreds of its own cannot keep it from those it knew before.
#[test]
fn a_lookup_asks_all_others_before_a_crowd_of_one_block() {
    let config = config(4);
    let peer = |number: u16| {
        let [a, b] = number.to_be_bytes();
        Peer::new(config.network, SocketAddr::from(([30 + a, b, 1, 1], 4000)))
    };
    let mut peers: Vec<Peer> = (0..300).map(peer).collect();
    peers.sort_by_key(Peer::id);
    let others = peers[105..].to_vec();
    let mut node = Chord::settled(config.clone(), peers[100], peers[99], &peers[101..105], others);
    let mut source = Source::new(Rng::fast_from(4));
    let mut input = |input: Input<Chord>| {
        let mut effects = Vec::new();
        node.handle(input, &mut Cx::new(Instant::ZERO, UnixTime::default(), &mut source, &mut effects));
        effects
    };
    input(Input::Start);
    let target = peers[90].id();
    let lookup = Input::Op(OpId::from_raw(1), OpInput::Ask(Command::Lookup(target)));
    let mut next = input(lookup);
    let mut liars: Vec<Peer> = (1..=250)
        .flat_map(|host| (1..40).map(move |port| SocketAddr::from(([203, 0, 113, host], port))))
        .map(|addr| Peer::new(config.network, addr))
        .collect();
    liars.sort_by_key(|peer| peer.id().distance_to(target));
    let mut asked: Vec<Peer> = Vec::new();
    while !next.is_empty() {
        for effect in core::mem::take(&mut next) {
            let Effect::SendTo(_, question) = effect else { continue };
            let Ok(Packet::Ask { transaction, ask: Ask::Step(_), .. }) =
                Packet::decode(&question.data, config.network)
            else {
                continue;
            };
            let from = Peer::new(config.network, question.peer);
            asked.push(from);
            // Everybody names liars, ever nearer ones, whoever it is.
            let nearer: Vec<_> = liars
                .iter()
                .filter(|liar| liar.id().distance_to(target) < from.id().distance_to(target))
                .map(Peer::place)
                .collect();
            let skip = nearer.len().saturating_sub(100);
            let answer = Answer::Closer(nearer.into_iter().skip(skip).take(100).collect());
            let packet = Packet::Answer { transaction, token: 1, answer };
            let data = packet.encode(config.network, 0, &mut BytesMut::new());
            next.extend(input(Input::Datagram(SocketId::from_raw(1), Datagram::new(question.peer, data))));
        }
        assert!(asked.len() < 2_000);
    }
    let theirs = asked.iter().filter(|peer| block(**peer) == [203, 0, 113]).count();
    let ours = asked.len() - theirs;
    println!("{ours} of those that it knew were asked, {theirs} of theirs");
    assert!(ours >= 8, "{ours} and {theirs}");
    let last = asked.iter().rposition(|peer| block(*peer) != [203, 0, 113]).unwrap();
    assert!(last < ours + config.alike + config.parallel, "the last of ours came after {last} others");
}
