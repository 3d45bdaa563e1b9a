//! The metaserver: one line, and the connection is closed.

use super::capture::{Event, events};
use p2p_core::{
    ConnId, Cx, Effect, Input, Instant, ListenerId, Machine, OpId, OpInput, Rng, Source, StreamInput,
    UnixTime,
};
use p2p_napster::metaserver::{Metaserver, MetaserverCommand, MetaserverConfig};

struct World {
    machine: Metaserver,
    source: Source,
}

impl World {
    fn new(servers: &[&str]) -> Self {
        let mut config = MetaserverConfig::default();
        config.servers = servers.iter().map(|at| at.parse().unwrap()).collect();
        let mut world = Self { machine: Metaserver::new(config), source: Source::new(Rng::fast_from(3)) };
        world.give(Input::Start);
        world
    }

    fn give(&mut self, input: Input<Metaserver>) -> Vec<Effect<Metaserver>> {
        let mut effects = Vec::new();
        let mut cx = Cx::new(Instant::ZERO, UnixTime::default(), &mut self.source, &mut effects);
        self.machine.handle(input, &mut cx);
        effects
    }

    /// What somebody is sent who connects; it must be closed then, or cut off.
    fn visit(&mut self, ip: [u8; 4]) -> Option<Vec<u8>> {
        let conn = ConnId::from_raw(self.source.draw());
        let (peer, listener) = ((ip, 5_000).into(), Some(ListenerId::from_raw(1)));
        let effects = self.give(Input::Stream(conn, StreamInput::Open { peer, listener }));
        match &effects[..] {
            [Effect::Send(to, line), Effect::Close(closed)] if *to == conn && *closed == conn => {
                Some(line.to_vec())
            }
            [Effect::Abort(closed)] if *closed == conn => None,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn says_what_was_captured() {
    let capture = include_bytes!("../data/06-metaserver.pcap");
    let mut said: Vec<Vec<u8>> = Vec::new();
    let mut world = World::new(&["127.0.0.2:8890"]);
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for event in events(capture, &[8876]) {
        match event {
            Event::Open(_, ip, _) => {
                said.push(world.visit(ip).unwrap());
                expected.push(Vec::new());
            }
            Event::Server(number, bytes) => expected[number].extend(bytes),
            Event::Client(..) | Event::Close(_) => {}
        }
    }
    assert_eq!(said.len(), 2);
    assert_eq!(said, expected);
}

#[test]
fn servers_take_turns_and_can_be_changed() {
    let mut world = World::new(&["10.0.0.1:8888", "10.0.0.2:8888", "[2001:db8::1]:8888"]);
    let mut lines: Vec<Vec<u8>> = (0..6).filter_map(|_| world.visit([1, 2, 3, 4])).collect();
    assert_eq!(lines[..3], lines[3..]);
    lines.truncate(3);
    lines.sort();
    assert_eq!(lines, [&b"10.0.0.1:8888\n"[..], b"10.0.0.2:8888\n", b"[2001:db8::1]:8888\n"]);
    let command = MetaserverCommand::Servers(vec![([10, 0, 0, 9], 7777).into()]);
    let effects = world.give(Input::Op(OpId::from_raw(1), OpInput::Ask(command)));
    assert!(matches!(effects[..], [Effect::Finish(_, Ok(()))]));
    assert_eq!(world.visit([1, 2, 3, 4]).as_deref(), Some(&b"10.0.0.9:7777\n"[..]));
}

/// Section 7, number 11: no list of 64, and nobody holds anything by not reading.
#[test]
fn bad_input_11_slow_readers_and_long_lists() {
    let servers: Vec<String> = (0..200).map(|i| format!("10.0.0.{i}:8888")).collect();
    let mut world = World::new(&servers.iter().map(|at| &**at).collect::<Vec<_>>());
    let lines: std::collections::BTreeSet<_> = (0..200u8).filter_map(|i| world.visit([9, 9, i, 1])).collect();
    assert_eq!(lines.len(), 200);
    // Whoever asks without end is cut off, and nobody else.
    let answered = (0..1_000).filter(|_| world.visit([1, 1, 1, 1]).is_some()).count();
    assert_eq!(answered, 100);
    assert!(world.visit([1, 1, 1, 2]).is_some());
    assert!(World::new(&[]).visit([1, 1, 1, 1]).is_none());
}
