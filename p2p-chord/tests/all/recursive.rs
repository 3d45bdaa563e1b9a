//! Questions that are passed on from node to node.

use crate::rings::{World, add, begin, chord, config, drawn_up, joined, lookups_are_right, settle};
use bytes::{Bytes, BytesMut};
use p2p_chord::wire::{Answer, Ask, Packet, Role, Route};
use p2p_chord::{Chord, Command, Config, Error, Event, Peer, Place, Report, RingId, Routing, Timer};
use p2p_core::{
    Cx, Datagram, Duration, Effect, Input, Instant, Machine, OpId, Rng, SocketId, Source, UnixTime,
};
use p2p_sim::{Links, NodeIx, Uniform};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn recursive(r: usize) -> Config {
    let mut config = config(r);
    config.routing = Routing::Recursive;
    config
}

/// How lookups ended: who was found, and what it cost.
fn look_up(
    sim: &mut World,
    members: &[NodeIx],
    seed: u64,
    count: usize,
) -> Vec<Result<(bool, Report), Error>> {
    let mut rng = Rng::fast_from(seed);
    let mut peers: Vec<Peer> = members.iter().filter_map(|node| chord(sim, *node).peer()).collect();
    peers.sort_by_key(Peer::id);
    let asked: Vec<(NodeIx, RingId, OpId)> = (0..count)
        .map(|_| {
            let (node, target) = (*rng.choose(members).unwrap(), RingId::random(&mut rng));
            (node, target, sim.ask(node, Command::Lookup(target)))
        })
        .collect();
    let ops: Vec<OpId> = asked.iter().map(|(.., op)| *op).collect();
    assert!(sim.finish(&ops, Duration::from_secs(60)), "every lookup ends");
    let outcome = |(node, target, op): (NodeIx, RingId, OpId)| {
        (*sim.outcome(op).unwrap())?;
        let right = peers.iter().find(|peer| peer.id() >= target).unwrap_or(&peers[0]);
        let told = sim.events(node).iter().find(|told| told.op == Some(op)).unwrap();
        let Event::Owners { owners, report, .. } = &told.event else { panic!("{told:?}") };
        Ok((owners[0] == *right, *report))
    };
    asked.into_iter().map(outcome).collect()
}

#[test]
fn a_question_is_passed_on_and_its_owner_answers() {
    let config = recursive(4);
    let (mut sim, members) = drawn_up(1, 200, &config);
    // They meet whom they know.
    sim.run_for(Duration::from_secs(300));
    lookups_are_right(&mut sim, &members, 1, 300);
    let reports: Vec<Report> =
        look_up(&mut sim, &members, 2, 500).into_iter().map(|result| result.unwrap().1).collect();
    // A question and a word that it came for each hop, and the answer, but where the first one is responsible.
    let exact = |report: &&Report| report.hops > 1 && report.messages == 2 * report.hops + 1;
    let exact = reports.iter().filter(exact).count();
    let long = reports.iter().filter(|report| report.hops > 1).count();
    let late: u16 = reports.iter().map(|report| report.timeouts).sum();
    println!("{exact} of {long} longer than a hop as short as can be, {late} time-outs");
    assert!(long > 350 && exact * 100 >= long * 98 && late == 0);
}

#[test]
fn rings_grow_and_are_right_by_passing_on() {
    for seed in 1..=3 {
        println!("seed {seed}");
        let config = recursive(3);
        let (mut sim, members) = joined(seed, 40, &config);
        settle(&mut sim, &members, 3, 300);
        lookups_are_right(&mut sim, &members, seed, 200);
    }
}

#[test]
fn who_is_dead_is_passed_by() {
    for seed in 1..=3 {
        println!("seed {seed}");
        let mut config = recursive(8);
        // Nothing is repaired.
        (config.stabilise, config.fix_finger) = (Duration::from_secs(1 << 30), Duration::from_secs(1 << 30));
        let (mut sim, mut members) = drawn_up(seed, 200, &config);
        look_up(&mut sim, &members, seed, 2_000);
        Rng::fast_from(seed).shuffle(&mut members);
        members.split_off(140).into_iter().for_each(|node| sim.kill(node));
        let results = look_up(&mut sim, &members, seed + 10, 500);
        let found: Vec<(bool, Report)> = results.into_iter().map(Result::unwrap).collect();
        let right = found.iter().filter(|(right, _)| *right).count();
        let late: u32 = found.iter().map(|(_, report)| u32::from(report.timeouts)).sum();
        println!("{right} of 500 right, {late} time-outs");
        assert_eq!(right, 500);
        assert!(late > 100, "some were dead on the way");
    }
}

/// Loses a twentieth of all packets while it is bad.
#[derive(Clone, Default)]
struct Weather(Arc<AtomicBool>);

impl Links for Weather {
    fn carry(&mut self, a: NodeIx, b: NodeIx, bytes: usize, now: Instant, rng: &mut Rng) -> Option<Duration> {
        let loss = if self.0.load(Ordering::Relaxed) { 0.05 } else { 0.0 };
        Uniform::ms(10..60).loss(loss).carry(a, b, bytes, now, rng)
    }
}

#[test]
fn loss_churn_and_partitions_break_no_rule_and_every_lookup_ends() {
    let (mut alone, mut passed_on) = (0, 0);
    for seed in 1..=2 {
        alone += storm(seed, Routing::Iterative);
        passed_on += storm(seed, Routing::Recursive);
    }
    println!("{passed_on} of 800 found the one that is responsible, {alone} step by step");
    // Somebody comes or goes about once a second, and the ring is looked after every ten.
    assert!(passed_on >= 600 && passed_on + 40 >= alone);
}

/// Bad weather, in which nodes come and go and are cut off: how many of 400 lookups were right.
fn storm(seed: u64, routing: Routing) -> usize {
    println!("seed {seed}, {routing:?}");
    let mut config = config(4);
    config.routing = routing;
    let weather = Weather::default();
    let (mut sim, mut members) = (World::new(seed, weather.clone()), Vec::new());
    for _ in 0..30 {
        let new = add(&mut sim, &members, &config);
        members.push(new);
    }
    settle(&mut sim, &members, 4, 300);
    weather.0.store(true, Ordering::Relaxed);
    let mut rng = Rng::fast_from(seed);
    let (mut ended, mut right) = (0, 0);
    for round in 0..40 {
        match rng.below(6) {
            0 if members.len() > 20 => sim.kill(members.swap_remove(1 + rng.index(members.len() - 1))),
            1 | 2 => members.push(begin(&mut sim, &members[..1], &config).0),
            3 if round % 4 == 0 => {
                let (here, there) = members.split_at(members.len() / 2);
                sim.partition(&[here, there]);
                sim.run_for(Duration::from_secs(rng.below(8)));
                sim.heal();
            }
            _ => {}
        }
        let inside: Vec<NodeIx> =
            members.iter().copied().filter(|node| chord(&sim, *node).is_member()).collect();
        let results = look_up(&mut sim, &inside, rng.bits(), 10);
        ended += results.len();
        right += results.iter().filter(|result| matches!(result, Ok((true, _)))).count();
        for result in results.into_iter().filter_map(Result::err) {
            assert!(matches!(result, Error::NoRoute | Error::Deadline), "{result}");
        }
        for node in &members {
            assert_eq!(chord(&sim, *node).check(), Ok(()), "{node:?}");
            assert!(p2p_sim::Audit::violations(sim.machine(*node)).is_empty());
        }
    }
    assert_eq!(ended, 400);
    weather.0.store(false, Ordering::Relaxed);
    // Who found no way in in five attempts tries once more.
    let by = crate::rings::at(&sim, members[0]);
    for node in &members {
        if !chord(&sim, *node).is_member() {
            sim.ask(*node, Command::Join(vec![by]));
        }
    }
    sim.run_for(Duration::from_secs(60));
    settle(&mut sim, &members, 4, 900);
    let extra = add(&mut sim, &members, &config);
    members.push(extra);
    settle(&mut sim, &members, 4, 300);
    lookups_are_right(&mut sim, &members, seed, 100);
    right
}

#[test]
fn who_passes_on_too_much_says_so_and_is_passed_by() {
    let mut config = recursive(4);
    config.passing = 0;
    let (mut sim, members) = drawn_up(5, 100, &config);
    sim.run_for(Duration::from_secs(300));
    lookups_are_right(&mut sim, &members, 5, 300);
}

#[test]
fn an_operation_has_its_own_deadline_and_says_what_it_cost() {
    for routing in [Routing::Iterative, Routing::Recursive] {
        let mut config = config(4);
        config.routing = routing;
        let (mut sim, members) = drawn_up(6, 100, &config);
        sim.partition(&[&members[..1], &members[1..]]);
        let far = chord(&sim, members[50]).peer().unwrap().id();
        let since = sim.now();
        let within = Command::Within(Duration::from_millis(1_500), Box::new(Command::Lookup(far)));
        let op = sim.ask(members[0], within);
        assert!(sim.finish(&[op], Duration::from_secs(20)));
        assert_eq!(sim.outcome(op), Some(&Err(Error::Deadline)));
        assert_eq!(sim.now().since(since), Duration::from_millis(1_500), "{routing:?}");
        let told = sim.events(members[0]).iter().find(|told| told.op == Some(op)).unwrap();
        let Event::Failed { key, report } = told.event else { panic!("{told:?}") };
        assert!(key == far && report.timeouts > 0 && report.messages > 0, "{report:?}");
    }
}

/// One member of a ring, and what it sends.
pub(crate) struct Member {
    pub(crate) node: Chord,
    source: Source,
    config: Config,
}

const ASKER: ([u8; 4], u16) = ([192, 0, 2, 7], 5000);
const VICTIM: Place = Place::V4([198, 51, 100, 1], 53);

impl Member {
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = recursive(4);
        change(&mut config);
        let peer = |last: u8| Peer::new(config.network, SocketAddr::from(([10, 0, 0, last], 4000)));
        let mut peers: Vec<_> = (1..=200).map(peer).collect();
        peers.sort_by_key(Peer::id);
        let fingers = [110, 120, 140].map(|at| peers[at]);
        let node = Chord::settled(config.clone(), peers[100], peers[99], &peers[101..105], fingers);
        let mut member = Self { node, source: Source::new(Rng::fast_from(1)), config };
        member.input(Input::Start);
        member
    }

    fn input(&mut self, input: Input<Chord>) -> Vec<(SocketAddr, Bytes)> {
        self.input_at(Instant::ZERO, input)
    }

    fn input_at(&mut self, now: Instant, input: Input<Chord>) -> Vec<(SocketAddr, Bytes)> {
        let mut effects = Vec::new();
        self.node.handle(input, &mut Cx::new(now, UnixTime::default(), &mut self.source, &mut effects));
        let sent = effects.into_iter().filter_map(|effect| match effect {
            Effect::SendTo(_, datagram) => Some((datagram.peer, datagram.data)),
            _ => None,
        });
        sent.collect()
    }

    fn hear(
        &mut self,
        from: SocketAddr,
        token: u32,
        route: &Route,
        least: usize,
    ) -> Vec<(SocketAddr, Bytes)> {
        self.ask(from, token, Ask::Route(route.clone()), least)
    }

    pub(crate) fn ask(
        &mut self,
        from: SocketAddr,
        token: u32,
        ask: Ask,
        least: usize,
    ) -> Vec<(SocketAddr, Bytes)> {
        let packet = Packet::Ask { transaction: 9, token, member: true, ask };
        let data = packet.encode(self.config.network, least, &mut BytesMut::new());
        self.input(Input::Datagram(SocketId::from_raw(1), Datagram::new(from, data)))
    }

    pub(crate) fn answer(&self, sent: &Bytes) -> (u32, Option<Answer>) {
        match Packet::decode(sent, self.config.network).unwrap() {
            Packet::Answer { token, answer, .. } => (token, Some(answer)),
            Packet::Ask { .. } => (0, None),
        }
    }
}

#[test]
fn nobody_is_sent_more_than_who_asks_could_send_it() {
    let mut member = Member::new(|_| {});
    let from = SocketAddr::from(ASKER);
    let own = member.node.peer().unwrap().id();
    let far = member.node.fingers().last().unwrap().id().plus_power(10);
    let route = |target, asker, role| Route {
        target,
        asker,
        number: 77,
        hops: 1,
        messages: 2,
        timeouts: 0,
        left: 5_000,
        role,
    };
    let all = [
        route(own, None, Role::Nearer),
        route(own, Some(VICTIM), Role::Owner),
        route(own, Some(VICTIM), Role::Heir),
        route(far, None, Role::Nearer),
        route(far, Some(VICTIM), Role::Nearer),
        route(far, Some(VICTIM), Role::Owner),
    ];
    let mut token = 0;
    for route in &all {
        for wrong in [0, 1, 0xdead_beef] {
            let sent = member.hear(from, wrong, route, Route::LEAST);
            assert_eq!(sent.len(), 1, "{route:?}: {sent:?}");
            assert!(sent[0].0 == from && sent[0].1.len() < Route::LEAST);
            let (given, answer) = member.answer(&sent[0].1);
            assert_eq!(answer, Some(Answer::Prove));
            token = given;
            // What is shorter is not heard at all.
            assert!(member.hear(from, wrong, route, 0).is_empty());
        }
    }
    for route in &all {
        assert!(member.hear(from, token, route, 0).is_empty(), "shorter than its answer");
        let sent = member.hear(from, token, route, Route::LEAST);
        let others: Vec<_> = sent.iter().filter(|(to, _)| *to != from).collect();
        assert!(others.len() <= 1, "{route:?}: {others:?}");
        assert!(sent.iter().all(|(_, data)| data.len() <= Route::LEAST), "{route:?}");
        // Only with the token: from elsewhere it is worth nothing.
        let elsewhere = member.hear(SocketAddr::from(VICTIM), token, route, Route::LEAST);
        assert!(elsewhere.iter().all(|(to, data)| {
            *to == SocketAddr::from(VICTIM) && member.answer(data).1 == Some(Answer::Prove)
        }));
    }
    // Whom nobody can be is not answered, and nothing goes round for ever.
    let nowhere = route(own, Some(Place::V4([0, 0, 0, 0], 9)), Role::Owner);
    assert!(member.hear(from, token, &nowhere, Route::LEAST).is_empty());
    let lost = Route { hops: Route::FARTHEST, ..route(far, None, Role::Nearer) };
    let sent = member.hear(from, token, &lost, Route::LEAST);
    assert_eq!((sent.len(), member.answer(&sent[0].1).1), (1, Some(Answer::Absent)));
}

#[test]
fn what_is_passed_on_at_a_time_has_a_limit() {
    let mut member = Member::new(|config| config.passing = 8);
    let from = SocketAddr::from(ASKER);
    let target = member.node.fingers().last().unwrap().id().plus_power(10);
    let route = Route {
        target,
        asker: None,
        number: 1,
        hops: 1,
        messages: 2,
        timeouts: 0,
        left: 5_000,
        role: Role::Nearer,
    };
    let sent = member.hear(from, 0, &route, Route::LEAST);
    let (token, _) = member.answer(&sent[0].1);
    let mut passed = 0;
    for number in 0..1_000 {
        let sent = member.hear(from, token, &Route { number, ..route.clone() }, Route::LEAST);
        let answers: Vec<_> = sent.iter().filter_map(|(_, data)| member.answer(data).1).collect();
        match answers[..] {
            [Answer::Passed] => passed += 1,
            [Answer::Busy] => assert_eq!(sent.len(), 1),
            _ => panic!("{answers:?}"),
        }
    }
    assert_eq!((passed, member.node.questions().filter(|(.., what)| *what == "route").count()), (8, 8));
}

/// Somebody between the owner and the one that holds it for its successor: the owner passes the question back.
#[test]
fn who_came_in_between_is_found() {
    let mut member = Member::new(|_| {});
    let from = SocketAddr::from(ASKER);
    let before = member.node.predecessor().unwrap();
    let target = before.id();
    let route = |role| Route {
        target,
        asker: Some(VICTIM),
        number: 3,
        hops: 4,
        messages: 8,
        timeouts: 0,
        left: 2_000,
        role,
    };
    let sent = member.hear(from, 0, &route(Role::Owner), Route::LEAST);
    let (token, _) = member.answer(&sent[0].1);
    let sent = member.hear(from, token, &route(Role::Owner), Route::LEAST);
    assert!(
        sent.iter().any(|(to, data)| *to == before.addr() && member.answer(data).1.is_none()),
        "{sent:?}"
    );
    // Who holds it for the heir of a dead one may only have been too hasty: that one is asked once more.
    let sent = member.hear(from, token, &route(Role::Heir), Route::LEAST);
    assert!(sent.iter().all(|(to, _)| *to != SocketAddr::from(VICTIM)), "{sent:?}");
    let asked = sent.iter().find(|(to, _)| *to == before.addr()).unwrap();
    assert_eq!(member.answer(&asked.1).1, None, "a question");
    // It is dead indeed.
    let sent = member.input_at(Instant::ZERO + Duration::from_secs(1), Input::Timer(Timer::Due));
    let to_victim = sent.iter().find(|(to, _)| *to == SocketAddr::from(VICTIM)).unwrap();
    let Some(Answer::Routed { hops, messages, owners, timeouts }) = member.answer(&to_victim.1).1 else {
        panic!("{sent:?}")
    };
    // The question to the one before it, this answer, and the word that it has the question, which the sender counted.
    assert_eq!((hops, messages, timeouts), (4, 10, 1));
    assert_eq!(owners[0], member.node.peer().unwrap().place());
    assert_eq!(owners.len(), 5, "itself and those behind it");
}

/// Only a node that others reach lets a stranger answer it.
#[test]
fn who_is_no_member_asks_step_by_step() {
    let config = recursive(3);
    let (mut sim, members) = joined(8, 30, &config);
    settle(&mut sim, &members, 3, 300);
    let mut guest = config;
    guest.routes = false;
    let (guest, op) = begin(&mut sim, &members[..1], &guest);
    assert!(sim.finish(&[op], Duration::from_secs(20)));
    let op = sim.ask(guest, Command::Lookup(RingId::of(b"something")));
    let questions: Vec<_> = chord(&sim, guest).questions().map(|(.., what)| what).collect();
    assert_eq!(questions, ["step"]);
    assert!(sim.finish(&[op], Duration::from_secs(20)));
    assert_eq!(sim.outcome(op), Some(&Ok(())));
}
