//! The wire format: packets come back as they went, and nothing that is not one is taken for one.

use p2p_chord::wire::{Answer, Ask, LARGEST, Packet, VERSION, WireError};
use p2p_chord::{NetworkId, Place, RingId};
use proptest::prelude::*;

const NETWORK: NetworkId = NetworkId(0x0102_0304);

fn encode(packet: &Packet) -> bytes::Bytes {
    packet.encode(NETWORK, 0, &mut bytes::BytesMut::new())
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    let v4 = (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| Place::V4(ip, port));
    let v6 = (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| Place::V6(ip, port));
    prop::collection::vec(prop_oneof![v4, v6], 0..20)
}

fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![
        Just(Ask::Ping),
        Just(Ask::Enter),
        (any::<bool>(), any::<u32>()).prop_map(|(notify, known)| Ask::Neighbours { notify, known }),
        any::<[u8; 20]>().prop_map(|id| Ask::Step(RingId::new(id))),
        places().prop_map(|places| Ask::Leave { predecessor: places.first().copied() }),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        places().prop_map(|places| places.first().map_or(Answer::Prove, |place| Answer::Pong(*place))),
        places().prop_map(Answer::Owners),
        places().prop_map(Answer::Closer),
        Just(Answer::Absent),
        (any::<bool>(), places(), any::<bool>()).prop_map(|(small, places, same)| Answer::Neighbours {
            small,
            predecessor: places.last().copied(),
            successors: (!same).then_some(places),
        }),
    ]
}

fn packets() -> impl Strategy<Value = Packet> {
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
fn other_versions_and_networks_are_told() {
    let mut datagram = encode(&Packet::Answer { transaction: 1, token: 2, answer: Answer::Absent }).to_vec();
    assert_eq!(Packet::decode(&datagram, NetworkId(5)), Err(WireError::Network));
    datagram[0] = 9;
    assert_eq!(Packet::decode(&datagram, NETWORK), Err(WireError::Version(9)));
    assert_eq!(Packet::decode(&datagram[..3], NETWORK), Err(WireError::Length));
    assert_eq!(Packet::decode(&[VERSION; LARGEST + 1], NETWORK), Err(WireError::Length));
}
