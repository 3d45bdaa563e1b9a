//! Packets and records of Chord: whatever is read is written and read as the same, and nothing allocates by a length that a
//! stranger wrote.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chord::NetworkId;
use p2p_chord::record::Record;
use p2p_chord::wire::{LARGEST, Packet};
use p2p_fuzz::BytesMut;

fuzz_target!(|bytes: &[u8]| {
    let network = NetworkId(0);
    let mut scratch = BytesMut::new();
    let whole = [&[p2p_chord::wire::VERSION, 0, 0, 0, 0], bytes].concat();
    for datagram in [bytes, &whole] {
        if let Ok(packet) = Packet::decode(datagram, network) {
            assert!(datagram.len() <= LARGEST);
            // Numbers can be written with more bytes than they need, so it may have become shorter.
            let again = packet.encode(network, 0, &mut scratch);
            assert!(again.len() <= datagram.len(), "{packet:?}");
            assert_eq!(Packet::decode(&again, network).as_ref(), Ok(&packet));
            // And with zeros behind it.
            let long = packet.encode(network, LARGEST.min(again.len() + 40), &mut scratch);
            assert_eq!(Packet::decode(&long, network), Ok(packet));
        }
    }
    if let Ok(record) = Record::decode(bytes) {
        let again = record.encode();
        assert!(again.len() <= bytes.len() && again.len() <= record.wire_len(), "{record:?}");
        assert_eq!(Record::decode(&again), Ok(record));
    }
});
