//! The wire format: packets come back as they went, and nothing that is not one is taken for one.

use bytes::Bytes;
use p2p_chord::record::{Coded, FRAGMENTS, Kind, Pointer, Provider, PublicKey, Record, SecretKey, Signed};
use p2p_chord::store::{Digest, Held, Prefix, Refusal};
use p2p_chord::wire::{Answer, Ask, LARGEST, Packet, Role, Route, VERSION, WireError};
use p2p_chord::{NetworkId, Place, RingId};
use proptest::prelude::*;

const NETWORK: NetworkId = NetworkId(0x0102_0304);

fn encode(packet: &Packet) -> Bytes {
    packet.encode(NETWORK, 0, &mut bytes::BytesMut::new())
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    let v4 = (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| Place::V4(ip, port));
    let v6 = (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| Place::V6(ip, port));
    prop::collection::vec(prop_oneof![v4, v6], 0..20)
}

pub(crate) fn records() -> impl Strategy<Value = Record> {
    let bytes = |most: usize| prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from);
    let signed = (any::<[u8; 32]>(), bytes(64), any::<u64>(), bytes(300), any::<[[u8; 32]; 2]>());
    let signed = signed.prop_map(|(public, salt, seq, value, signature)| {
        Record::Signed(Signed { public: PublicKey(public), salt, seq, value, signature })
    });
    let provider = (any::<[u8; 20]>(), any::<[u8; 4]>(), any::<[u8; 32]>(), any::<u64>());
    let provider = provider.prop_map(|(key, ip, sha256, size)| {
        Record::Provider(Provider { key: RingId::new(key), at: Place::V4(ip, 80), sha256, size })
    });
    let coded = (bytes(500), 0..FRAGMENTS).prop_map(|(value, number)| {
        Record::Fragment(Coded::new(value).unwrap().fragments().swap_remove(number))
    });
    let whole = bytes(300).prop_map(|value| Record::Coded(Coded::new(value).unwrap()));
    let pointer =
        (any::<[u8; 20]>(), any::<u64>(), any::<u64>(), places()).prop_map(|(key, seq, written, at)| {
            Record::Pointer(Pointer { key: RingId::new(key), kind: Kind::Signed, seq, written, at })
        });
    prop_oneof![bytes(500).prop_map(Record::Value), signed, provider, coded, whole, pointer]
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Value), Just(Kind::Signed), Just(Kind::Provider), Just(Kind::Coded)]
}

fn refusals() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        Just(Refusal::NotResponsible),
        Just(Refusal::Full),
        any::<u64>().prop_map(|has| Refusal::Older { has }),
        any::<Option<u64>>().prop_map(|has| Refusal::Swap { has }),
        any::<u8>().prop_map(|copies| Refusal::TooFew { copies }),
    ]
}

fn held() -> impl Strategy<Value = Held> {
    (records(), any::<u64>(), any::<[u8; 4]>()).prop_map(|(record, expires, ip)| Held {
        record,
        expires,
        publisher: Prefix::of(ip.into()),
    })
}

fn ids() -> impl Strategy<Value = RingId> {
    any::<[u8; 20]>().prop_map(RingId::new)
}

fn arcs() -> impl Strategy<Value = Vec<(RingId, Digest)>> {
    let digest = (any::<u32>(), any::<u64>()).prop_map(|(records, sum)| Digest { records, sum });
    prop::collection::vec((ids(), digest), 0..16)
}

fn of_storage() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (ids(), kinds(), any::<bool>()).prop_map(|(key, kind, routed)| Ask::Get { key, kind, routed }),
        (records(), any::<u32>(), any::<Option<u64>>(), any::<bool>())
            .prop_map(|(record, ttl, swap, heir)| Ask::Put { record, ttl, swap, heir }),
        prop::collection::vec(held(), 0..2).prop_map(Ask::Keep),
        ids().prop_map(Ask::Numbers),
        Just(Ask::Load),
        (held(), any::<u32>()).prop_map(|(held, most)| Ask::Lodge { held, most }),
        (any::<u64>(), ids(), arcs(), any::<bool>()).prop_map(|(key, from, arcs, coded)| Ask::Compare {
            key,
            from,
            arcs,
            coded
        }),
        (any::<u64>(), ids(), ids(), any::<[bool; 2]>(), prop::collection::vec(any::<[u8; 8]>(), 0..132))
            .prop_map(|(key, from, to, [both, coded], have)| Ask::Exchange {
                key,
                from,
                to,
                both,
                have,
                coded
            }),
    ]
}

fn about_storage() -> impl Strategy<Value = Answer> {
    prop_oneof![
        prop::collection::vec((records(), any::<u32>()), 0..2).prop_map(Answer::Records),
        prop::collection::vec((records(), any::<u32>()), 0..2).prop_map(Answer::Cached),
        Just(Answer::Large),
        (any::<u8>(), any::<u16>()).prop_map(|(copies, messages)| Answer::Stored { copies, messages }),
        refusals().prop_map(Answer::Refused),
        prop::collection::vec(prop::option::of(refusals()), 0..20).prop_map(Answer::Kept),
        prop::collection::vec(any::<(u8, u32)>(), 0..16).prop_map(Answer::Differ),
        prop::collection::vec(any::<u8>(), 0..132).prop_map(Answer::Lacking),
        (ids(), any::<u16>()).prop_map(|(key, numbers)| Answer::Numbers(key, numbers)),
        (any::<u32>(), prop::option::of(refusals()))
            .prop_map(|(load, refusal)| Answer::Lodged { load, refusal }),
    ]
}

fn routes() -> impl Strategy<Value = Route> {
    let roles = prop_oneof![Just(Role::Nearer), Just(Role::Owner), Just(Role::Heir)];
    let counts = (any::<u32>(), any::<u8>(), any::<u16>(), any::<u8>(), any::<u16>());
    (ids(), places(), counts, roles).prop_map(|(target, places, counts, role)| {
        let (number, hops, messages, timeouts, left) = counts;
        Route { target, asker: places.first().copied(), number, hops, messages, timeouts, left, role }
    })
}

fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![
        1 => routes().prop_map(Ask::Route),
        1 => (any::<u8>(), places(), places())
            .prop_map(|(level, came, gone)| Ask::News { level, came, gone }),
        1 => (ids(), ids(), any::<u32>()).prop_map(|(from, to, known)| Ask::Members { from, to, known }),
        5 => of_storage(),
        1 => Just(Ask::Ping),
        1 => Just(Ask::Enter),
        1 => (any::<bool>(), any::<u32>()).prop_map(|(notify, known)| Ask::Neighbours { notify, known }),
        1 => any::<[u8; 20]>().prop_map(|id| Ask::Step(RingId::new(id))),
        1 => places().prop_map(Ask::Others),
        1 => any::<u32>().prop_map(|number| Ask::Reach { number }),
        1 => any::<u32>().prop_map(|number| Ask::Called { number }),
        1 => (any::<[u8; 4]>(), any::<u32>(), any::<u16>())
            .prop_map(|(ip, number, port)| Ask::Call { to: Place::V4(ip, port), number }),
        1 => places().prop_map(|places| Ask::Leave { predecessor: places.first().copied() }),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        5 => about_storage(),
        1 => places().prop_map(|places| places.first().map_or(Answer::Prove, |place| Answer::Pong(*place))),
        1 => places().prop_map(Answer::Owners),
        1 => places().prop_map(Answer::Closer),
        1 => prop::option::of(places()).prop_map(Answer::Members),
        1 => prop_oneof![Just(Answer::Absent), Just(Answer::Passed), Just(Answer::Busy)],
        1 => (any::<u8>(), any::<u16>(), any::<u8>(), places())
            .prop_map(|(hops, messages, timeouts, owners)| Answer::Routed { hops, messages, timeouts, owners }),
        1 => (any::<bool>(), places(), any::<bool>()).prop_map(|(small, places, same)| Answer::Neighbours {
            small,
            predecessor: places.last().copied(),
            successors: (!same).then_some(places),
        }),
    ]
}

pub(crate) fn packets() -> impl Strategy<Value = Packet> {
    let ask = (any::<u32>(), any::<u32>(), any::<bool>(), asks())
        .prop_map(|(transaction, token, member, ask)| Packet::Ask { transaction, token, member, ask });
    let answer = (any::<u32>(), any::<u32>(), answers())
        .prop_map(|(transaction, token, answer)| Packet::Answer { transaction, token, answer });
    prop_oneof![ask, answer]
}

proptest! {
    #[test]
    fn packets_come_back_as_they_went(packet in packets(), zeros in 0usize..400) {
        let datagram = packet.encode(NETWORK, zeros, &mut bytes::BytesMut::new());
        prop_assert!(datagram.len() >= zeros && datagram.len() <= LARGEST);
        prop_assert_eq!(Packet::decode(&datagram, NETWORK), Ok(packet));
    }

    #[test]
    fn records_come_back_as_they_went_and_are_no_longer_than_they_say(record in records()) {
        let bytes = record.encode();
        prop_assert!(bytes.len() <= record.wire_len());
        match record.check() {
            Ok(()) => prop_assert_eq!(Record::decode(&bytes), Ok(record)),
            Err(why) => prop_assert_eq!(Record::decode(&bytes), Err(why)),
        }
    }

    #[test]
    fn junk_is_no_record_or_a_sound_one(junk in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(record) = Record::decode(&junk) {
            prop_assert_eq!(record.check(), Ok(()));
            prop_assert!(record.encode().len() <= junk.len());
        }
    }

    #[test]
    fn what_is_signed_is_sound_and_nothing_else_is(
        seed in any::<[u8; 32]>(),
        salt in prop::collection::vec(any::<u8>(), 0..=64),
        seq in 0..=i64::MAX as u64,
        value in prop::collection::vec(any::<u8>(), 0..200),
        other in any::<u64>(),
    ) {
        let secret = SecretKey(seed);
        let signed = Signed::sign(&secret, salt.clone(), seq, value).unwrap();
        let record = Record::Signed(signed.clone());
        prop_assert_eq!(record.check(), Ok(()));
        prop_assert_eq!(record.key(), secret.public().place(&salt));
        let changed = Signed { seq: other >> 1, ..signed };
        prop_assert_eq!(Record::Signed(changed).check().is_ok(), other >> 1 == seq);
    }

    #[test]
    fn junk_is_no_packet_or_one_that_is_no_longer(junk in prop::collection::vec(any::<u8>(), 0..1500)) {
        let mut datagram = vec![VERSION, 1, 2, 3, 4];
        datagram.extend(&junk);
        if let Ok(packet) = Packet::decode(&datagram, NETWORK) {
            prop_assert!(encode(&packet).len() <= datagram.len() + 5, "a list longer than its bytes");
        }
    }

    #[test]
    fn a_packet_that_was_cut_is_none(packet in packets(), cut in any::<prop::sample::Index>()) {
        let datagram = encode(&packet);
        let cut = cut.index(datagram.len());
        prop_assert!(Packet::decode(&datagram[..cut], NETWORK).is_err());
    }
}

#[test]
fn a_step_as_it_is_on_the_wire() {
    let ask = Ask::Step(RingId::new([7; 20]));
    let packet = Packet::Ask { transaction: 0x0a0b_0c0d, token: 1, member: true, ask };
    let mut expected = vec![VERSION, 1, 2, 3, 4, 0, 0x0d, 0x0c, 0x0b, 0x0a, 1, 0, 0, 0, 1, 3];
    expected.extend([7; 20]);
    assert_eq!(encode(&packet), expected);
}

#[test]
fn a_route_as_it_is_on_the_wire() {
    let asker = Some(Place::V4([192, 0, 2, 7], 4000));
    let (target, number, role) = (RingId::new([7; 20]), 0x0e0f_1011, Role::Owner);
    let route = Route { target, asker, number, hops: 3, messages: 300, timeouts: 1, left: 5, role };
    let ask = Ask::Route(route);
    let packet = Packet::Ask { transaction: 0x0a0b_0c0d, token: 1, member: true, ask };
    let mut expected = vec![VERSION, 1, 2, 3, 4, 0, 0x0d, 0x0c, 0x0b, 0x0a, 1, 0, 0, 0, 1, 10];
    expected.extend([7; 20]);
    expected.extend([1, 0, 192, 0, 2, 7, 0xa0, 0x1f, 0x11, 0x10, 0x0f, 0x0e, 3, 0xac, 2, 1, 5, 1]);
    assert_eq!(encode(&packet), expected);
    assert!(expected.len() <= Route::LEAST);
}

#[test]
fn other_versions_and_networks_are_told() {
    let mut datagram = encode(&Packet::Answer { transaction: 1, token: 2, answer: Answer::Absent }).to_vec();
    assert_eq!(Packet::decode(&datagram, NetworkId(5)), Err(WireError::Network));
    datagram[0] = 9;
    assert_eq!(Packet::decode(&datagram, NETWORK), Err(WireError::Version(9)));
    assert_eq!(Packet::decode(&datagram[..3], NETWORK), Err(WireError::Length));
    assert_eq!(Packet::decode(&[VERSION; LARGEST + 1], NETWORK), Err(WireError::Length));
}
