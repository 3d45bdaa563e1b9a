//! What members of a group say to each other, symbols, stamps and beacons: read, written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_core::Bytes;
use p2p_esm::lan::beacon::Beacon;
use p2p_esm::symbol::{self, Symbol};
use p2p_esm::wire::Packet;
use p2p_fuzz::BytesMut;

const TAG: [u8; 4] = *b"abcd";

fuzz_target!(|bytes: &[u8]| {
    let mut data = bytes.to_vec();
    if let Some(tag) = data.get_mut(1..5) {
        tag.copy_from_slice(&TAG);
    }
    let data = Bytes::from(data);
    if let Ok(packet) = Packet::decode(&data, TAG) {
        assert_eq!(Packet::decode(&packet.encode(TAG, 0), TAG), Ok(packet));
    }
    if let Ok(beacon) = Beacon::decode(&data, TAG) {
        assert_eq!(Beacon::decode(&beacon.encode(TAG), TAG), Ok(beacon));
    }
    if let Ok(symbol) = Symbol::decode(&data, TAG) {
        let mut wire = BytesMut::new();
        symbol.encode(TAG, &mut wire);
        assert_eq!(wire, data);
    }
    if let Some((token, symbol)) = symbol::unstamped(&data) {
        assert_eq!(symbol::stamped(&symbol, token), data);
    }
});
