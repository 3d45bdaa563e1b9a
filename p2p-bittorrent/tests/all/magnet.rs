//! Magnet links: what is read, what is refused, what is left out, and that a link written reads back.

use p2p_bittorrent::bencode::Limits;
use p2p_bittorrent::{InfoHash, Magnet, MagnetError, Metainfo, metainfo};
use p2p_core::Target;
use proptest::prelude::*;

const HASH: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";
const V2: &str = "1220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn link(rest: &str) -> Result<Magnet, MagnetError> {
    Magnet::parse(&format!("magnet:?xt=urn:btih:{HASH}{rest}"))
}

fn name(host: &str, port: u16) -> Target {
    Target::Name { host: host.into(), port }
}

#[test]
fn every_spelling_of_an_info_hash() {
    let is: InfoHash = HASH.parse().unwrap();
    for text in [
        "magnet:?xt=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89d",
        "magnet:?xt=urn:btih:A9993E364706816ABA3E25717850C26C9CD0D89D",
        // RFC 4648: the base32 of the same bytes.
        "magnet:?xt=urn:btih:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5",
        "magnet:?xt=urn:btih:vgmt4nsha2awvor6evyxqugcnsonbwe5",
        "MAGNET:?XT=URN:BTIH:A9993E364706816ABA3E25717850C26C9CD0D89D",
        "magnet:?xt.1=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89d",
        "magnet:?xt=urn%3Abtih%3aa9993e364706816aba3e25717850c26c9cd0d89d",
        " magnet:?dn=x&xt=urn:sha1:ABC&xt.2=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89d\n",
    ] {
        assert_eq!(Magnet::parse(text).map(|magnet| magnet.info_hash), Ok(is), "{text}");
    }
}

#[test]
fn links_that_name_no_torrent() {
    for (text, error) in [
        ("", MagnetError::Scheme),
        ("magnet:", MagnetError::Scheme),
        ("http://a/?xt=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89d", MagnetError::Scheme),
        ("magnet:?", MagnetError::NoHash),
        ("magnet:?xt", MagnetError::NoHash),
        ("magnet:?dn=x", MagnetError::NoHash),
        ("magnet:?xt=urn:sha1:ABC", MagnetError::NoHash),
        ("magnet:?xt=urn:bt", MagnetError::NoHash),
        ("magnet:?xt=urn:btihé", MagnetError::NoHash),
        ("magnet:?xt=urn:btih:", MagnetError::Hash),
        ("magnet:?xt=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89", MagnetError::Hash),
        ("magnet:?xt=urn:btih:a9993e364706816aba3e25717850c26c9cd0d89g", MagnetError::Hash),
        ("magnet:?xt=urn:btih:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE1", MagnetError::Hash),
        ("magnet:?xt=urn:btih:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE=", MagnetError::Hash),
        ("magnet:?xt=urn:btih:ééééééééééééééééé", MagnetError::Hash),
        ("magnet:?xt=urn:btih:%", MagnetError::Hash),
        ("magnet:?xt=%ff", MagnetError::Hash),
        ("magnet:?xt=urn:btmh:1220", MagnetError::Hash),
    ] {
        assert_eq!(Magnet::parse(text), Err(error), "{text}");
    }
    let long = format!("&dn={}", "x".repeat(64 << 10));
    assert_eq!(link(&long), Err(MagnetError::TooLong));
}

#[test]
fn version_2_alone_is_refused_by_name_and_beside_version_1_is_kept() {
    assert_eq!(Magnet::parse(&format!("magnet:?xt=urn:btmh:{V2}")), Err(MagnetError::V2Only));
    let hybrid = link(&format!("&xt=urn:btmh:{}", V2.to_uppercase())).unwrap();
    assert_eq!(hybrid.v2.as_deref(), Some(V2));
    assert_eq!(hybrid.to_string(), format!("magnet:?xt=urn:btih:{HASH}&xt=urn:btmh:{V2}"));
    for bad in [&V2[..67], &V2.replace("1220", "1114"), &V2.replace('7', "g"), ""] {
        assert_eq!(link(&format!("&xt=urn:btmh:{bad}")), Err(MagnetError::Hash), "{bad}");
    }
}

#[test]
fn a_link_to_several_torrents_is_refused() {
    let other = "b9993e364706816aba3e25717850c26c9cd0d89d";
    assert_eq!(link(&format!("&xt.2=urn:btih:{other}")), Err(MagnetError::Several));
    assert!(link(&format!("&xt.2=urn:btih:{}", HASH.to_uppercase())).is_ok(), "the same one twice");
    let both = format!("&xt=urn:btmh:{V2}&xt=urn:btmh:{}", V2.replace('7', "8"));
    assert_eq!(link(&both), Err(MagnetError::Several));
}

#[test]
fn names_are_for_showing() {
    for (text, name) in [
        ("", None),
        ("&dn=", None),
        ("&dn=a+b%20c%2B", Some("a b c+")),
        ("&dn=%C3%A9té", Some("été")),
        ("&dn=%ff", Some("\u{fffd}")),
        ("&dn=100%", Some("100%")),
        ("&dn=a&dn=b", Some("a")),
        ("&dn=..%2F..%2Fetc", Some("../../etc")),
        ("&amp;dn=a", Some("a")),
    ] {
        assert_eq!(link(text).unwrap().name.as_deref(), name, "{text}");
    }
    let long = link(&format!("&dn={}", "é".repeat(700))).unwrap().name.unwrap();
    assert_eq!(long, "é".repeat(512), "1,024 bytes, and no half character");
}

#[test]
fn trackers_and_web_seeds() {
    let magnet = link(concat!(
        "&tr=http%3A%2F%2Ftracker.example%2Fannounce%3Fk%3D1%26l%3D2&tr.1=udp://t.example:6969",
        "&tr=&tr=%ff&tr=%&tr=udp://t.example:6969&ws=http://seed.example/a+b&ws.7=http://seed.example/c&as=x&kt=y",
    ))
    .unwrap();
    assert_eq!(magnet.trackers, ["http://tracker.example/announce?k=1&l=2", "udp://t.example:6969"]);
    assert_eq!(magnet.web_seeds, ["http://seed.example/a+b", "http://seed.example/c"]);
}

#[test]
fn peers() {
    let magnet = link(concat!(
        "&x.pe=192.0.2.1:6881&x.pe=[2001:DB8::1]:80&x.pe=%5B::1%5D:81&x.pe=Peer.Example:1",
        "&x.pe=192.0.2.1:6881&x.pe.2=192.0.2.2:65535",
        // No port, port 0, no host, junk.
        "&x.pe=192.0.2.1&x.pe=192.0.2.1:0&x.pe=:1&x.pe=a:65536&x.pe=2001:db8::1&x.pe=a:1/x&x.pe=u@a:1&x.pe=&x.pe=a%00:1",
    ))
    .unwrap();
    let addr = |text: &str| Target::Addr(text.parse().unwrap());
    let v4 = [addr("192.0.2.1:6881"), addr("[2001:db8::1]:80"), addr("[::1]:81")];
    assert_eq!(magnet.peers, [&v4[..], &[name("peer.example", 1), addr("192.0.2.2:65535")]].concat());
}

#[test]
fn a_selection_of_files() {
    let magnet = link("&so=0,2,4-6,8-8").unwrap();
    assert_eq!(magnet.select, [0..=0, 2..=2, 4..=6, 8..=8]);
    assert_eq!((0..10).filter(|&file| magnet.selects(file)).collect::<Vec<_>>(), [0, 2, 4, 5, 6, 8]);
    assert!(link("").unwrap().selects(4_000_000_000), "without a selection all files are wanted");
    // In any order, overlapping, touching, in several parameters, and without counting up to 4 billion.
    let magnet = link("&so=9,3-5,4&so.2=6-7,0-4294967295").unwrap();
    assert_eq!(magnet.select, [0..=u32::MAX]);
    assert_eq!(link("&so=9,3-5,4&so.2=6-7").unwrap().select, [3..=7, 9..=9]);
    for bad in ["", ",", "1,", "a", "-1", "1-", "2-1", "1--2", "4294967296", "+1", " 1", "1;2", "%", "%ff"] {
        assert_eq!(link(&format!("&so={bad}")), Err(MagnetError::Select), "{bad:?}");
    }
}

#[test]
fn hostile_links_are_bounded() {
    let many = |part: &dyn Fn(usize) -> String| (0..2_000).map(part).collect::<String>();
    let magnet = link(&many(&|i| format!("&tr=http://t/{i}"))).unwrap();
    assert_eq!((magnet.trackers.len(), magnet.trackers[255].as_str()), (256, "http://t/255"));
    assert_eq!(link(&many(&|i| format!("&ws=http://w/{i}"))).unwrap().web_seeds.len(), 256);
    assert_eq!(link(&many(&|i| format!("&x.pe=192.0.2.1:{}", i + 1))).unwrap().peers.len(), 256);
    let fits = |len: usize| link(&format!("&tr={}", "x".repeat(len))).unwrap().trackers.len();
    assert_eq!((fits(2_048), fits(2_049)), (1, 0));
    let ranges = link(&many(&|i| format!("&so={}", 2 * i))).unwrap().select;
    assert_eq!(ranges.len(), 2_000);
}

#[test]
fn the_link_to_a_torrent_file() {
    let bytes = include_bytes!("data/libtorrent.torrent");
    let torrent = Metainfo::parse(bytes, &metainfo::Limits::default()).unwrap();
    let magnet = Magnet::of(&torrent);
    assert_eq!(
        magnet.to_string(),
        "magnet:?xt=urn:btih:935def0e0068613551bae76aa652aa1c55befe96&dn=demo\
         &tr=http%3A%2F%2Ftracker.example%2Fannounce&ws=http%3A%2F%2Fseed.example%2Ffiles%2F"
    );
    assert_eq!(magnet.to_string().parse(), Ok(magnet));
    assert!(Limits::default().bytes >= bytes.len());
}

fn peer() -> impl Strategy<Value = Target> {
    prop_oneof![
        any::<std::net::SocketAddrV4>().prop_map(|addr| Target::Addr(addr.into())),
        (any::<[u16; 8]>(), any::<u16>()).prop_map(|(ip, port)| Target::Addr((ip, port).into())),
        ("[a-z][a-z0-9.-]{0,20}", any::<u16>()).prop_map(|(host, port)| name(&host, port)),
    ]
    .prop_filter("port 0 is no port", |peer| match peer {
        Target::Addr(addr) => addr.port() > 0,
        Target::Name { port, .. } => *port > 0,
    })
}

proptest! {

    #[test]
    fn what_is_written_is_read(
        hash in any::<[u8; 20]>(), dn in prop::option::of("\\PC{1,40}"), v2 in any::<bool>(),
        trackers in prop::collection::btree_set("\\PC{1,30}", 0..5),
        seeds in prop::collection::btree_set("[ -~]{1,30}", 0..5),
        peers in prop::collection::vec(peer(), 0..5),
        files in prop::collection::btree_set(0u32..40, 0..20),
    ) {
        let mut magnet = Magnet::new(InfoHash(hash));
        magnet.name = dn;
        magnet.v2 = v2.then(|| V2.into());
        magnet.trackers.extend(trackers);
        magnet.web_seeds.extend(seeds);
        for peer in peers {
            if !magnet.peers.contains(&peer) {
                magnet.peers.push(peer);
            }
        }
        magnet.select = files.iter().map(|&file| file..=file).collect();
        let text = magnet.to_string();
        prop_assert!(text.is_ascii() && !text.contains(char::is_whitespace));
        let mut read = Magnet::parse(&text).unwrap();
        // Neighbours were joined; what they mean is the same.
        for file in 0..50 {
            prop_assert_eq!(read.selects(file), files.is_empty() || files.contains(&file));
        }
        prop_assert_eq!(&read.to_string().parse(), &Ok(read.clone()));
        read.select = magnet.select.clone();
        prop_assert_eq!(read, magnet);
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in prop_oneof![
            "\\PC{0,60}",
            "magnet:\\?(&?(xt(\\.1)?|dn|tr|x\\.pe|ws|so)=[%0-9a-fu:,.+\\[\\]é-]{0,12}){0,8}",
        ],
        hash in any::<bool>(),
    ) {
        let text = if hash { format!("magnet:?xt=urn:btih:{HASH}&{}", text.replace("magnet:?", "")) } else { text };
        if let Ok(magnet) = Magnet::parse(&text) {
            prop_assert_eq!(magnet.to_string().parse(), Ok(magnet));
        }
    }
}
