//! What trackers answer, and what they are asked, over HTTP and UDP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_bittorrent::tracker::{Reply, http, udp};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Reply::Announce(reply)) = http::decode_announce(bytes, 50) {
        assert!(reply.peers.len() <= 50);
    }
    let _ = http::decode_scrape(bytes);
    let _ = http::parse_announce(bytes);
    let _ = http::parse_scrape(bytes);
    if let Ok(request) = udp::Request::decode(bytes) {
        let mut again = Vec::new();
        request.encode(&mut again);
        assert!(udp::Request::decode(&again).is_ok());
    }
    for v6 in [false, true] {
        let _ = udp::Response::decode(bytes, v6, 50);
    }
    let _ = udp::transaction_of(bytes);
});
