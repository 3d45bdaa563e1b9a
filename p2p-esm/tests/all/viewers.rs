//! Whoever is given the stream: from the past on, of a closed group, at a source's pace, as any system.

use crate::group::Group;
use bytes::Bytes;
use p2p_core::{Duration, Fetch, Join, OpId, Publish, Reach};
use p2p_esm::playout::Output;
use p2p_esm::{Bootstrap, Command, Config, Error, Esm, Event, Item, Point, Shape, SharedKey};
use p2p_sim::{NodeIx, Setup, Uniform};

const EVERY: Duration = Duration::from_millis(50);

fn config() -> Config {
    let mut config = Config::default();
    // Twenty packets of 200 bytes a second, of which a generation is as many bytes as four of the largest are.
    config.rate = 20 * 1_316;
    config.upload = 16 * 20 * 1_316;
    config.history = 8;
    config.window = 128;
    config.keep = Duration::from_secs(10);
    // Generations are full before they are closed.
    config.flush = Duration::from_secs(1);
    config
}

fn watch(group: &mut Group, node: NodeIx, from: Point) -> OpId {
    group.sim.ask(node, Command::WatchFrom(from))
}

/// The numbers of the packets that an operation was given, in order and without holes.
fn given(group: &Group, node: NodeIx, op: OpId) -> Vec<usize> {
    let told = group.sim.events(node).iter().filter(|told| told.op == Some(op));
    let (mut packets, mut bytes) = (Vec::new(), 0);
    for told in told {
        match &told.event {
            Event::Output(Output::Packet { offset, data, .. }) => {
                let number = u64::from_be_bytes(data[..8].try_into().expect("a number")) as usize;
                assert_eq!((group.sent.get(number), *offset), (Some(data), bytes));
                bytes += data.len() as u64;
                packets.push(number);
            }
            Event::Output(Output::End) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(packets.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{packets:?}");
    packets
}

#[test]
fn the_past_is_there() {
    let mut group = Group::new(21, Uniform::ms(10..60), config());
    group.add(10);
    group.stream(600, EVERY);
    let member = group.members[3];
    let [now, ago, oldest] = [Point::Now, Point::Ago(Duration::from_secs(5)), Point::Oldest]
        .map(|from| watch(&mut group, member, from));
    // And one that joins in the past.
    let mut config = group.config.clone();
    config.begin = Duration::from_secs(8);
    let (late, op) = group.begin_in(Setup::new(), config);
    assert!(group.sim.finish(&[op], Duration::from_secs(10)));
    let begun = watch(&mut group, late, Point::Oldest);
    group.stream(100, EVERY);
    group.sim.run_for(Duration::from_secs(3));
    let first = |node, op| {
        let packets = given(&group, node, op);
        assert!(packets.last().is_some_and(|last| *last >= 690), "{packets:?}");
        packets[0]
    };
    // In packets; a batch is 16 of them.
    let [now, ago, oldest, begun] =
        [first(member, now), first(member, ago), first(member, oldest), first(late, begun)];
    println!(
        "of 600: now {now}, five seconds ago {ago}, the oldest {oldest}, joined eight seconds ago {begun}"
    );
    assert!((580..610).contains(&now), "{now}");
    assert!((470..=500).contains(&ago), "{ago}");
    assert!((340..=400).contains(&oldest), "{oldest}");
    assert!((415..=445).contains(&begun), "{begun}");
}

#[test]
fn only_who_has_the_key_can_watch() {
    let mut closed = config();
    closed.shared = Some(SharedKey::new([3; 32]));
    // One child in a tree: half of the members get everything by somebody without the key.
    closed.upload = 2 * 20 * 1_316;
    closed.shape = Shape::SINGLE;
    let mut group = Group::new(22, Uniform::ms(10..60), closed.clone());
    let others = [None, Some(SharedKey::new([4; 32]))];
    let mut ops = Vec::new();
    for at in 0..12 {
        let mut config = closed.clone();
        if let Some(other) = others.get(at % 4) {
            config.shared.clone_from(other);
        }
        let (node, op) = group.begin_in(Setup::new(), config);
        assert!(group.sim.finish(&[op], Duration::from_secs(10)));
        assert_eq!(group.sim.outcome(op), Some(&Ok(())));
        ops.push((at, node, watch(&mut group, node, Point::Now)));
    }
    group.stream(200, EVERY);
    group.sim.run_for(Duration::from_secs(3));
    let mut passed_on = 0;
    for (at, node, op) in ops {
        if at % 4 < 2 {
            assert_eq!(group.sim.outcome(op), Some(&Err(Error::Closed)));
            passed_on += group.machine(node).counts().sent;
        } else {
            assert!(given(&group, node, op).len() > 180);
            assert_eq!(group.machine(node).counts().bad, 0);
        }
    }
    assert!(passed_on > 0, "who cannot watch passes on");
}

#[test]
fn a_source_has_a_pace_and_an_end() {
    let mut config = config();
    config.pace = 50_000;
    let mut group = Group::new(23, Uniform::ms(10..60), config);
    group.add(4);
    let packets: Vec<_> = (0..100_u64)
        .map(|n| {
            let mut packet = vec![0; 1_000];
            packet[..8].copy_from_slice(&n.to_be_bytes());
            Bytes::from(packet)
        })
        .collect();
    group.sent.clone_from(&packets);
    let began = group.sim.now();
    let op = group.sim.ask(group.source, Command::SendLast(packets));
    assert!(group.sim.finish(&[op], Duration::from_secs(10)));
    assert_eq!(group.sim.outcome(op), Some(&Ok(())));
    let took = group.sim.now().since(began);
    // But for what the bucket has at first.
    assert!((Duration::from_millis(1_800)..Duration::from_millis(2_100)).contains(&took), "{took:?}");
    let op = group.sim.ask(group.source, Command::Send(vec![Bytes::from_static(b"more")]));
    group.sim.run_for(Duration::from_secs(3));
    assert_eq!(group.sim.outcome(op), Some(&Err(Error::Ended)));
    for node in group.members.clone() {
        let given = group.given(node);
        assert_eq!((given.packets.len(), given.gaps, given.ended), (100, 0, true));
        let all = watch(&mut group, node, Point::Oldest);
        assert!(group.sim.finish(&[all], Duration::from_secs(1)), "it has an end for who is late, too");
    }
}

#[test]
fn the_three_primitives() {
    assert_eq!(Esm::REACH, Reach::Overlay);
    let mut group = Group::new(24, Uniform::ms(10..60), config());
    let by = vec![group.at(group.source)];
    let (node, joined) = group.begin_in(Setup::new(), group.config.clone());
    let again = group.sim.ask(node, Esm::join(Bootstrap::Group { group: group.key.group(), by }));
    assert!(group.sim.finish(&[joined, again], Duration::from_secs(10)));
    assert_eq!(group.sim.outcome(again), Some(&Err(Error::Busy)));
    let fetched = group.sim.ask(node, Esm::fetch(Point::Now));
    for (part, last) in [("first, ", false), ("last", true)] {
        let op = group.sim.ask(group.source, Esm::publish(Item::of(part.into(), last)));
        assert!(group.sim.finish(&[op], Duration::from_secs(1)));
    }
    assert!(group.sim.finish(&[fetched], Duration::from_secs(5)), "it ends with the stream");
    let mut all = Vec::new();
    for told in group.sim.take_events(node).into_iter().filter(|told| told.op == Some(fetched)) {
        if let Some(chunk) = Esm::chunk(told.event) {
            assert_eq!(chunk.offset, all.len() as u64);
            all.extend_from_slice(&chunk.data);
        }
    }
    assert_eq!(all, b"first, last");
}
