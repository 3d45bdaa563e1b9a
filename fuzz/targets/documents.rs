//! Bencode, torrent files and extension handshakes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_bittorrent::bencode::{Doc, Limits, Mode};
use p2p_bittorrent::peer::extension::{ExtendedHandshake, PeerIds, Registry};
use p2p_bittorrent::{Metainfo, metainfo};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(doc) = Doc::parse(bytes, &Limits::default(), Mode::Strict) {
        assert_eq!(doc.root().raw(), bytes);
        assert!(Doc::parse(bytes, &Limits::default(), Mode::Lenient).is_ok());
    }
    if let Ok(torrent) = Metainfo::parse(bytes, &metainfo::Limits::default()) {
        let info = &torrent.info;
        let files: u64 = info.files().iter().map(|file| file.len).sum();
        assert_eq!(files, info.total());
        for file in info.files() {
            assert!(file.path.parts().all(|part| !matches!(part, "" | "." | "..")));
        }
        // What was read is read the same again.
        let again = metainfo::Info::parse(info.raw().clone(), &metainfo::Limits::default()).unwrap();
        assert_eq!(again.info_hash(), info.info_hash());
    }
    let _ = ExtendedHandshake::decode(bytes, Registry::new(&["ut_pex"]), &mut PeerIds::new());
});
