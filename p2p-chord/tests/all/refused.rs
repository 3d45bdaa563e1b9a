//! What is not to be stored is not.

use crate::rings::{config, drawn_up, node, owners};
use crate::storing::{get, put, value, wide};
use bytes::{Bytes, BytesMut};
use p2p_chord::record::{Coded, Kind, MAX_VALUE, Pointer, Provider, Record, RecordError, SecretKey, Signed};
use p2p_chord::store::{Held, Prefix, Refusal};
use p2p_chord::wire::{Answer, Ask, Packet};
use p2p_chord::{Chord, Command, Config, Error, Event, Get, Place, Put, RingId};
use p2p_core::{Cx, Datagram, Duration, Effect, Input, Instant, Machine, Rng, SocketId, Source, UnixTime};
use std::net::SocketAddr;

/// A member of a ring, with a stranger who talks to it, datagram by datagram.
struct Member {
    node: Chord,
    source: Source,
    config: Config,
    token: u32,
    transaction: u32,
    /// Bytes that the stranger sent and was sent before it proved its address.
    unproven: (usize, usize),
}

const STRANGER: &str = "192.0.2.7:5000";

impl Member {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(4);
        change(&mut config);
        let peer =
            |last: u8| p2p_chord::Peer::new(config.network, SocketAddr::from(([10, 0, 0, last], 4000)));
        let mut peers: Vec<_> = (1..=200).map(peer).collect();
        peers.sort_by_key(p2p_chord::Peer::id);
        let node = Chord::settled(config.clone(), peers[100], peers[99], &peers[101..105], []);
        let source = Source::new(Rng::fast_from(1));
        let mut member = Self { node, source, config, token: 0, transaction: 0, unproven: (0, 0) };
        member.input(Input::Start);
        member
    }

    fn input(&mut self, input: Input<Chord>) -> Vec<Effect<Chord>> {
        let mut effects = Vec::new();
        let civil = UnixTime::from_secs(1_767_225_600);
        self.node.handle(input, &mut Cx::new(Instant::ZERO, civil, &mut self.source, &mut effects));
        effects
    }

    /// A key that it is responsible for.
    fn own(&self) -> RingId {
        self.node.peer().unwrap().id()
    }

    /// Asks, and proves its address if it has to.
    fn ask(&mut self, ask: Ask) -> Answer {
        let from: SocketAddr = STRANGER.parse().unwrap();
        for _ in 0..2 {
            self.transaction += 1;
            let (transaction, token) = (self.transaction, self.token);
            let packet = Packet::Ask { transaction, token, member: true, ask: ask.clone() };
            let data = packet.encode(self.config.network, 0, &mut BytesMut::new());
            let (was_proven, len) = (self.token != 0, data.len());
            let effects = self.input(Input::Datagram(SocketId::from_raw(1), Datagram::new(from, data)));
            let answers = effects.into_iter().filter_map(|effect| match effect {
                Effect::SendTo(_, datagram) if datagram.peer == from => Some(datagram.data),
                _ => None,
            });
            let answers: Vec<Bytes> = answers.collect();
            if !was_proven {
                let sent: usize = answers.iter().map(Bytes::len).sum();
                assert!(sent <= len, "{sent} bytes for {len}: {ask:?}");
                self.unproven = (self.unproven.0 + len, self.unproven.1 + sent);
            }
            let packets = answers.iter().map(|answer| Packet::decode(answer, self.config.network).unwrap());
            let answer = packets.into_iter().find_map(|packet| match packet {
                Packet::Answer { transaction, token, answer } if transaction == self.transaction => {
                    Some((token, answer))
                }
                _ => None,
            });
            match answer {
                Some((token, Answer::Prove)) => self.token = token,
                Some((_, answer)) => return answer,
                None => panic!("no answer to {ask:?}"),
            }
        }
        panic!("it asks for a proof again");
    }

    fn put(&mut self, record: Record) -> Answer {
        self.ask(Ask::Put { record, ttl: 600, swap: None, heir: false })
    }

    fn keep(&mut self, record: Record) -> Answer {
        let publisher = Prefix::of([192, 0, 2, 7].into());
        self.ask(Ask::Keep(vec![Held { record, expires: 1_767_225_900, publisher }]))
    }

    fn has(&self, record: &Record) -> bool {
        self.node.store().iter().any(|held| held.record == *record)
    }

    /// A value of which the node is, or is not, responsible.
    fn value(&self, is_its: bool) -> Record {
        let values = (0_u32..).map(|number| Record::Value(number.to_be_bytes().to_vec().into()));
        values.into_iter().find(|value| self.node.owns(value.key()) == is_its).unwrap()
    }

    /// A signed record of which it is responsible.
    fn signed(&self, seq: u64, text: &'static str) -> Signed {
        let salts = (0_u32..)
            .map(|salt| Signed::sign(&SecretKey([5; 32]), salt.to_be_bytes().to_vec(), seq, text).unwrap());
        salts.into_iter().find(|signed| self.node.owns(signed.key())).unwrap()
    }
}

fn is_refused(answer: &Answer, why: Refusal) {
    assert_eq!(*answer, Answer::Refused(why));
}

#[test]
fn a_record_of_another_nodes_place_is_refused() {
    let mut member = Member::new(|_| ());
    let record = member.value(false);
    is_refused(&member.put(record.clone()), Refusal::NotResponsible);
    assert!(!member.has(&record));
}

#[test]
fn a_copy_for_far_away_is_refused() {
    let mut member = Member::new(|config| config.replicas = 2);
    let me = member.own();
    let far = (0_u32..).map(|number| Record::Value(number.to_be_bytes().to_vec().into()));
    // Just behind it: as far before it as can be.
    let far = far.into_iter().find(|value| me.distance_to(value.key()).as_bytes()[0] < 8).unwrap();
    assert_eq!(member.keep(far.clone()), Answer::Kept(vec![Some(Refusal::NotResponsible)]));
    assert!(!member.has(&far));
}

#[test]
fn a_bit_flipped_record_is_refused() {
    let mut member = Member::new(|_| ());
    let signed = member.signed(1, "right");
    let good = Record::Signed(signed);
    let bytes = good.encode();
    let mut refused = 0;
    for bit in 0..8 * bytes.len() {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(record) = postcard_of(&bytes) else { continue };
        assert!(record.check().is_err() || record.key() != good.key(), "bit {bit}");
        if member.node.owns(record.key()) && record.kind() == Kind::Signed {
            is_refused(&member.put(record.clone()), Refusal::Invalid);
            assert_eq!(member.keep(record), Answer::Kept(vec![Some(Refusal::Invalid)]));
            refused += 1;
        }
    }
    assert!(refused > 400, "{refused} bits");
    assert!(member.node.store().is_empty());
}

/// A record as it is written, whether it is sound or not.
fn postcard_of(bytes: &[u8]) -> Result<Record, postcard::Error> {
    postcard::from_bytes(bytes)
}

#[test]
fn an_older_version_and_a_replayed_one_are_refused() {
    let mut member = Member::new(|config| config.quorum = 1);
    let [old, new] = [member.signed(1, "old"), member.signed(2, "new")].map(Record::Signed);
    assert!(matches!(member.put(old.clone()), Answer::Stored { .. }));
    assert!(matches!(member.put(new.clone()), Answer::Stored { .. }));
    is_refused(&member.put(old.clone()), Refusal::Older { has: 2 });
    assert_eq!(member.keep(old.clone()), Answer::Kept(vec![Some(Refusal::Older { has: 2 })]));
    assert!(member.has(&new) && !member.has(&old));
}

/// A value in fragments of which the node is responsible.
fn coded(member: &Member) -> Coded {
    let values = (0_u32..).map(|number| Coded::new([&number.to_be_bytes()[..], &[7; 90]].concat()).unwrap());
    values.into_iter().find(|coded| member.node.owns(coded.key())).unwrap()
}

#[test]
fn a_bit_flipped_fragment_is_refused() {
    let mut member = Member::new(|_| ());
    let coded = coded(&member);
    let good = Record::Fragment(coded.fragments().swap_remove(9));
    let bytes = good.encode();
    let mut refused = 0;
    for bit in 0..8 * bytes.len() {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(record) = postcard_of(&bytes) else { continue };
        // One of another key says nothing about this one, even if it is sound: a value that ends with a zero has the same
        // fragments as the one without it.
        if record.kind() == Kind::Coded && record.key() == good.key() {
            assert_eq!(member.keep(record.clone()), Answer::Kept(vec![Some(Refusal::Invalid)]), "bit {bit}");
            refused += 1;
        }
    }
    assert!(refused > 1_000, "{refused} bits");
    assert!(member.node.store().is_empty());
    // The right one is taken, and again, and is there once.
    for _ in 0..2 {
        assert_eq!(member.keep(good.clone()), Answer::Kept(vec![None]));
        assert_eq!(member.node.store().len(), 1);
    }
}

#[test]
fn fragments_come_from_who_cut_them_and_whole_values_are_cut() {
    let mut member = Member::new(|config| config.quorum = 1);
    let coded = coded(&member);
    is_refused(&member.put(Record::Fragment(coded.fragments().swap_remove(0))), Refusal::Invalid);
    let whole = Record::Coded(coded.clone());
    assert_eq!(member.keep(whole.clone()), Answer::Kept(vec![Some(Refusal::Invalid)]));
    assert!(member.node.store().is_empty());
    // A value under the root of another one.
    let other = Coded::new(vec![1; 94]).unwrap();
    let mut bytes = whole.encode().to_vec();
    let of_other = Record::Coded(other).encode();
    bytes[33..].copy_from_slice(&of_other[33..]);
    let forged = postcard_of(&bytes).unwrap();
    assert_eq!(forged.key(), coded.key());
    is_refused(&member.put(forged), Refusal::Invalid);
    assert!(member.node.store().is_empty());
    assert_eq!(Coded::new(vec![0; MAX_VALUE + 1]).err(), Some(RecordError::TooLarge(MAX_VALUE + 1)));
    let unwanted = |record: &Record, _: SocketAddr| record.kind() != Kind::Coded;
    let mut member = Member::new(|config| config.wants = unwanted);
    is_refused(&member.put(whole), Refusal::Unwanted);
    let fragment = Record::Fragment(coded.fragments().swap_remove(3));
    assert_eq!(member.keep(fragment), Answer::Kept(vec![Some(Refusal::Unwanted)]));
}

#[test]
fn a_fragment_for_far_away_is_refused() {
    let mut member = Member::new(|config| config.successors = 4);
    let me = member.own();
    let values = (0_u32..).map(|number| Coded::new(number.to_be_bytes().to_vec()).unwrap());
    let far = values.into_iter().find(|coded| me.distance_to(coded.key()).as_bytes()[0] < 8).unwrap();
    let fragment = Record::Fragment(far.fragments().swap_remove(0));
    assert_eq!(member.keep(fragment), Answer::Kept(vec![Some(Refusal::NotResponsible)]));
}

#[test]
fn nobody_puts_pointers_and_an_older_one_is_refused() {
    let mut member = Member::new(|config| config.bounded = true);
    let key = member.own();
    let pointer = |seq: u64, written: u64, last: u8| {
        let at = vec![Place::V4([10, 0, 0, last], 4000)];
        Record::Pointer(Pointer { key, kind: Kind::Signed, seq, written, at })
    };
    is_refused(&member.put(pointer(1, 1, 1)), Refusal::Invalid);
    assert_eq!(member.keep(pointer(2, 5, 1)), Answer::Kept(vec![None]));
    let older = Answer::Kept(vec![Some(Refusal::Older { has: 2 })]);
    assert_eq!(member.keep(pointer(1, 9, 2)), older);
    assert_eq!(member.keep(pointer(2, 4, 2)), older);
    assert_eq!(member.keep(pointer(2, 5, 2)), older, "two of one time");
    assert_eq!(member.keep(pointer(2, 6, 3)), Answer::Kept(vec![None]));
    let nowhere = Record::Pointer(Pointer { key, kind: Kind::Value, seq: 0, written: 1, at: Vec::new() });
    assert_eq!(member.keep(nowhere), Answer::Kept(vec![Some(Refusal::Invalid)]));
}

#[test]
fn nobody_keeps_in_the_stead_of_others_what_is_not_sound() {
    let lodge = |member: &mut Member, record: Record| {
        let publisher = Prefix::of([192, 0, 2, 7].into());
        let held = Held { record, expires: 1_767_225_900, publisher };
        match member.ask(Ask::Lodge { held, most: 100 }) {
            Answer::Lodged { refusal, .. } => refusal,
            other => panic!("{other:?}"),
        }
    };
    let mut member = Member::new(|_| ());
    let record = member.value(true);
    assert_eq!(lodge(&mut member, record.clone()), Some(Refusal::NotResponsible), "loads are not bounded");
    let mut member = Member::new(|config| config.bounded = true);
    let [old, mut new] = [member.signed(1, "old"), member.signed(2, "new")];
    assert_eq!(lodge(&mut member, record.clone()), None);
    assert_eq!(lodge(&mut member, Record::Signed(new.clone())), None);
    assert_eq!(lodge(&mut member, Record::Signed(old)), Some(Refusal::Older { has: 2 }));
    new.seq = 3;
    assert_eq!(lodge(&mut member, Record::Signed(new)), Some(Refusal::Invalid), "not its signature");
    assert_eq!(member.node.load(), 2);
    assert!(member.node.store().is_empty() && member.node.lodged().count() == 2);
    let held = Held { record, expires: 1_767_225_900, publisher: Prefix::of([192, 0, 2, 7].into()) };
    let laden = member.ask(Ask::Lodge { held, most: 1 });
    assert_eq!(laden, Answer::Lodged { load: 2, refusal: Some(Refusal::Laden) });
}

#[test]
fn two_values_of_one_version_are_refused() {
    let mut member = Member::new(|config| config.quorum = 1);
    let signed = member.signed(3, "one");
    let other = Signed::sign(&SecretKey([5; 32]), signed.salt.clone(), 3, "two").unwrap();
    assert!(matches!(member.put(Record::Signed(signed)), Answer::Stored { .. }));
    is_refused(&member.put(Record::Signed(other)), Refusal::Older { has: 3 });
}

#[test]
fn an_oversized_record_is_refused_with_a_hint() {
    let (mut sim, members) = drawn_up(1, 20, &wide(4));
    let large = Record::Value(vec![0; MAX_VALUE + 1].into());
    let refused = put(&mut sim, members[0], Put::new(large)).unwrap_err();
    assert_eq!(refused, Error::Record(RecordError::TooLarge(MAX_VALUE + 1)));
    assert!(refused.to_string().contains("publish it as a file"), "{refused}");
    let secret = SecretKey([1; 32]);
    let signed = Signed::sign(&secret, "", 1, vec![0; MAX_VALUE + 1]);
    assert_eq!(signed, Err(RecordError::TooLarge(MAX_VALUE + 1)));
    assert_eq!(Signed::sign(&secret, vec![0; 65], 1, ""), Err(RecordError::Salt(65)));
    assert_eq!(Signed::sign(&secret, "", 1 << 63, ""), Err(RecordError::Sequence));
}

#[test]
fn a_provider_somewhere_else_is_refused() {
    let mut member = Member::new(|config| config.quorum = 1);
    let key = member.own();
    let provider = |at: &str| {
        let at = Place::from(at.parse::<SocketAddr>().unwrap());
        Record::Provider(Provider { key, at, sha256: [1; 32], size: 5 })
    };
    is_refused(&member.put(provider("192.0.2.8:5000")), Refusal::Address);
    is_refused(&member.put(provider("192.0.2.7:0")), Refusal::Invalid);
    assert!(matches!(member.put(provider("192.0.2.7:80")), Answer::Stored { .. }), "another port serves");
}

#[test]
fn what_the_application_does_not_want_is_refused() {
    let mut member = Member::new(|config| config.wants = |record, _| record.kind() != Kind::Value);
    let record = member.value(true);
    is_refused(&member.put(record.clone()), Refusal::Unwanted);
    assert_eq!(member.keep(record.clone()), Answer::Kept(vec![Some(Refusal::Unwanted)]));
    assert!(!member.has(&record));
}

#[test]
fn nobody_is_sent_more_than_it_sent_before_it_proved_its_address() {
    let mut member = Member::new(|config| config.quorum = 1);
    let record = Record::Signed(member.signed(1, "some words that make the record longer than the question"));
    let key = record.key();
    assert!(matches!(member.put(record), Answer::Stored { .. }));
    let asks = [
        Ask::Get { key, kind: Kind::Signed, routed: true },
        Ask::Get { key, kind: Kind::Signed, routed: false },
        Ask::Get { key, kind: Kind::Value, routed: true },
        Ask::Compare {
            key: 1,
            from: key,
            arcs: vec![(key, p2p_chord::store::Digest::default())],
            coded: false,
        },
        Ask::Exchange { key: 1, from: key, to: key, both: true, have: vec![[0; 8]], coded: false },
        Ask::Keep(Vec::new()),
        Ask::Numbers(key),
        Ask::Load,
    ];
    for ask in asks {
        // `ask` compares what is sent with what was sent, and gives the answer to the proven question.
        member.token = 0;
        assert_ne!(member.ask(ask.clone()), Answer::Prove, "{ask:?}");
    }
    assert!(member.unproven.1 > 0 && member.unproven.1 <= member.unproven.0);
}

/// One that hands over copies in everybody's name fills half of a node at most.
#[test]
fn who_hands_over_too_many_copies_is_refused() {
    let mut member = Member::new(|config| {
        (config.limits.bytes, config.limits.copies_bytes) = (1 << 20, 1 << 19);
        // Everything is near.
        config.replicas = 64;
    });
    let mut refused = 0;
    for number in 0..1_000_u32 {
        let copies = (0..10).map(|copy: u8| {
            let publisher = Prefix::of([copy, number as u8, (number >> 8) as u8, 0].into());
            let record = Record::Value([&number.to_be_bytes()[..], &[copy]].concat().into());
            Held { record, expires: 1_767_229_000, publisher }
        });
        let Answer::Kept(kept) = member.ask(Ask::Keep(copies.collect())) else { panic!("not kept") };
        refused += kept.iter().filter(|refusal| **refusal == Some(Refusal::Quota)).count();
    }
    let bytes = member.node.store().bytes();
    println!("{refused} refused, {bytes} bytes kept");
    assert!(refused > 1_000 && bytes <= 1 << 19);
}

/// What comes by a stream is a question of storage, whole and not too long, or the stream is cut.
#[test]
fn a_stream_that_brings_anything_else_is_cut() {
    let mut member = Member::new(|config| config.quorum = 1);
    member.input(Input::Bound(SocketId::from_raw(1), Ok(SocketAddr::from(([10, 0, 0, 1], 4000)))));
    let listener = p2p_core::ListenerId::from_raw(2);
    let peer: SocketAddr = STRANGER.parse().unwrap();
    let network = member.config.network;
    let framed = |packet: &Packet| {
        let packet = packet.encode(network, 0, &mut BytesMut::new());
        [&(packet.len() as u32).to_be_bytes()[..], &packet[..]].concat()
    };
    let ask = |ask: Ask| framed(&Packet::Ask { transaction: 1, token: 0, member: true, ask });
    let key = member.own();
    let answer = Packet::Answer { transaction: 1, token: 1, answer: Answer::Absent };
    let mut wrong = ask(Ask::Get { key, kind: Kind::Value, routed: false });
    wrong[4] = 99;
    let bad = [ask(Ask::Ping), ask(Ask::Step(key)), framed(&answer), wrong, vec![0xff; 40], vec![0, 0, 0, 0]];
    for (number, bytes) in (100..).zip(bad) {
        let conn = p2p_core::ConnId::from_raw(number);
        let open = p2p_core::StreamInput::Open { peer, listener: Some(listener) };
        member.input(Input::Stream(conn, open));
        let effects = member.input(Input::Stream(conn, p2p_core::StreamInput::Data(bytes.into())));
        assert!(matches!(effects[..], [Effect::Abort(at), ..] if at == conn), "{number}: {effects:?}");
    }
    // Byte by byte, a sound question is answered, and the stream ends.
    let conn = p2p_core::ConnId::from_raw(200);
    member.input(Input::Stream(conn, p2p_core::StreamInput::Open { peer, listener: Some(listener) }));
    let record = member.value(true);
    let put = ask(Ask::Put { record: record.clone(), ttl: 60, swap: None, heir: false });
    let mut effects = Vec::new();
    for byte in put {
        let data = Bytes::copy_from_slice(&[byte]);
        effects.extend(member.input(Input::Stream(conn, p2p_core::StreamInput::Data(data))));
    }
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(at, _) if *at == conn)));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Close(at) if *at == conn)));
    assert!(member.has(&record));
    // One address has eight streams at a time.
    for number in 300..320 {
        let conn = p2p_core::ConnId::from_raw(number);
        let open = p2p_core::StreamInput::Open { peer, listener: Some(listener) };
        let effects = member.input(Input::Stream(conn, open));
        let is_cut = matches!(effects[..], [Effect::Abort(_)]);
        assert_eq!(is_cut, number >= 308, "stream {number}");
    }
}

/// A node that gives records that are not what was asked for cannot make anybody believe them.
#[test]
fn a_record_of_another_key_is_not_believed() {
    let mut member = Member::new(|_| ());
    let key = member.value(false).key();
    let op = p2p_core::OpId::from_raw(1);
    let get = Command::Get(Get::new(key, Kind::Value));
    let mut next = member.input(Input::Op(op, p2p_core::OpInput::Ask(get)));
    let (mut asked, mut found) = (0, false);
    // Everybody who is asked gives something else.
    while asked < 60 {
        let questions: Vec<Datagram> = core::mem::take(&mut next)
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::SendTo(_, datagram) => Some(datagram),
                Effect::Event(_, event) => {
                    found |= matches!(event, Event::Found { .. });
                    None
                }
                _ => None,
            })
            .collect();
        if questions.is_empty() {
            break;
        }
        for question in questions {
            let Ok(Packet::Ask { transaction, ask, .. }) =
                Packet::decode(&question.data, member.config.network)
            else {
                continue;
            };
            asked += 1;
            let lie = Record::Value(Bytes::from_static(b"something else"));
            let answer = match ask {
                Ask::Get { .. } => Answer::Records(vec![(lie, 600)]),
                _ => Answer::Absent,
            };
            let packet = Packet::Answer { transaction, token: 1, answer };
            let data = packet.encode(member.config.network, 0, &mut BytesMut::new());
            let answer = Datagram::new(question.peer, data);
            next.extend(member.input(Input::Datagram(SocketId::from_raw(1), answer)));
        }
    }
    assert!(asked >= 2 && !found, "{asked} were asked");
    assert!(member.node.store().is_empty());
}

/// Nor can one that says nothing that can be understood stop anybody.
#[test]
fn an_owner_that_talks_of_another_network_is_passed_over() {
    let (mut sim, members) = drawn_up(4, 64, &wide(8));
    let mut rng = Rng::fast_from(1);
    let record = value(&mut rng, 100);
    let key = record.key();
    put(&mut sim, members[0], Put::new(record.clone())).unwrap();
    sim.run_for(Duration::from_secs(2));
    let owner = owners(&sim, &members, key)[0];
    let mut other = wide(8);
    other.network = p2p_chord::NetworkId(1);
    sim.kill(owner);
    sim.restart(owner, node(&other));
    let (found, report) = get(&mut sim, members[20], Get::new(key, Kind::Value)).unwrap();
    assert_eq!(found, [record], "{report:?}");
}
