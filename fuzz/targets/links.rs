//! Magnet links, URLs, heads of HTTP, percent-encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_bittorrent::Magnet;
use p2p_core::http::{Plus, Request, Response, Url, percent_decode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((head, used))) = Request::parse(bytes) {
        assert!(used <= bytes.len());
        let _ = (head.params().count(), head.body(), head.keeps_alive());
    }
    if let Ok(Some((head, used))) = Response::parse(bytes) {
        assert!(used <= bytes.len());
        let _ = (head.body(), head.keeps_alive());
    }
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(magnet) = Magnet::parse(text) {
        let again = Magnet::parse(&magnet.to_string()).expect("a link that was written is read");
        assert_eq!(again.to_string(), magnet.to_string());
    }
    if let Ok(url) = Url::parse(text) {
        let _ = (url.path(), url.authority(), url.ip(), url.join("/x"));
    }
    let _ = percent_decode(text, Plus::Space);
});
