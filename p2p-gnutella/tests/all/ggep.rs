//! GGEP: COBS, lengths, blocks of any content, and fields that are known.

use bytes::BytesMut;
use p2p_gnutella::Urn;
use p2p_gnutella::ggep::fields::{
    HostCache, Scp, TlsMap, host_caches, large_file, name, number, parse_h, partial_result, put_h,
    put_host_caches, put_number, put_partial_result,
};
use p2p_gnutella::ggep::{Field, GgepError, INFLATED_MAX, MAGIC, NAME_MAX, Writer, cobs};
use p2p_gnutella::wire::{Extension, Extensions};
use proptest::prelude::*;

/// The examples that COBS is explained by, and the edges of a run.
#[test]
fn cobs_vectors() {
    let run: Vec<u8> = (1..=254).collect();
    let full = [&[255][..], &run].concat();
    for (data, coded) in [
        (&[][..], &[1][..]),
        (&[0], &[1, 1]),
        (&[0, 0], &[1, 1, 1]),
        (&[0x11, 0x22, 0, 0x33], &[3, 0x11, 0x22, 2, 0x33]),
        (&[0x11, 0x22, 0x33, 0x44], &[5, 0x11, 0x22, 0x33, 0x44]),
        (&[0x11, 0, 0, 0], &[2, 0x11, 1, 1, 1]),
        (&run, &full),
        (&[&[0], &run[..]].concat(), &[&[1], &full[..]].concat()),
        (&[&run[..], &[255]].concat(), &[&full[..], &[2, 255]].concat()),
        (&[&run[..], &[0]].concat(), &[&full[..], &[1, 1]].concat()),
    ] {
        assert_eq!(cobs::encode(data), coded, "{data:x?}");
        assert_eq!(cobs::decode(coded).unwrap(), data, "{coded:x?}");
    }
    for bad in [&[0][..], &[2], &[3, 1], &[2, 0], &[1, 0, 1]] {
        assert_eq!(cobs::decode(bad), None, "{bad:x?}");
    }
}

#[test]
fn lengths_are_those_of_the_specification() {
    for (len, coded) in [
        (0usize, &[0x40][..]),
        (63, &[0x7f]),
        (64, &[0x81, 0x40]),
        (4095, &[0xbf, 0x7f]),
        (4096, &[0x81, 0x80, 0x40]),
        (262_143, &[0xbf, 0xbf, 0x7f]),
    ] {
        let mut block = BytesMut::new();
        Writer::new(&mut block).put("X", &vec![7; len]);
        assert_eq!(&block[..3 + coded.len()], [&[MAGIC, 0x81, b'X'], coded].concat(), "{len}");
        let (field, used, last) = Field::parse(&block[1..]).unwrap();
        assert_eq!((field.raw().len(), used, last), (len, block.len() - 1, true));
    }
    // A length of needless bytes is read as well.
    let (field, used, _) = Field::parse(&[0x81, b'X', 0x80, 0x80, 0x41, 9]).unwrap();
    assert_eq!((field.raw(), used), (&[9][..], 6));
    for (bad, why) in [
        (&[][..], GgepError::Cut),
        (&[0x83, b'X'], GgepError::Cut),
        (&[0x80, 0x40], GgepError::Name),
        (&[0x82, b'X', 0, 0x40], GgepError::Name),
        (&[0x81, b'X', 0x80, 0x80], GgepError::Cut),
        (&[0x81, b'X', 0x80, 0x80, 0x80, 0x41], GgepError::Length),
        (&[0x81, b'X', 0xc0], GgepError::Length),
        (&[0x81, b'X', 0x00], GgepError::Length),
        (&[0x81, b'X', 0x42, 1], GgepError::Cut),
    ] {
        assert_eq!(Field::parse(bad).unwrap_err(), why, "{bad:x?}");
    }
}

#[test]
fn a_block_is_complete_after_each_field() {
    let mut block = BytesMut::new();
    let mut writer = Writer::nul_free(&mut block);
    writer.put("ONE", b"plain");
    writer.put("TWO", &[0, 1, 0]);
    writer.put_deflated("THREE", &[b'a'; 500]);
    assert!(!block.contains(&0) && block.len() < 64);
    let fields: Vec<_> = Extensions(&block).fields().collect();
    let data: Vec<_> = fields.iter().map(|field| field.data().unwrap().into_owned()).collect();
    assert_eq!(data, [&b"plain"[..], &[0, 1, 0], &[b'a'; 500]]);
    assert!(fields[0].is_plain() && !fields[1].is_plain() && !fields[2].is_plain());
    let mut none = BytesMut::new();
    let _ = Writer::new(&mut none);
    assert!(none.is_empty());
}

#[test]
fn extensions_live_beside_each_other() {
    let mut all = BytesMut::from(&b"urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB\x1c"[..]);
    let mut writer = Writer::new(&mut all);
    writer.put("A", b"1");
    writer.put("B", b"");
    // Two blocks side by side, then XML.
    Writer::new(&mut all).put("C", b"3");
    all.extend_from_slice(b"\x1c<audio/>\x1curn:\0");
    let extensions = Extensions(&all);
    let names: Vec<_> = extensions.fields().map(|field| field.name).collect();
    assert_eq!(names, [b"A", b"B", b"C"]);
    assert!(extensions.has("B") && !extensions.has("D") && extensions.data("C").unwrap() == &b"3"[..]);
    assert_eq!((extensions.urns().count(), extensions.huge().count()), (1, 2));
    assert_eq!(extensions.xml(), Some(&b"<audio/>"[..]));
    // What is no block is told, and nothing behind it is believed.
    let bad = [&b"text\x1c"[..], &[MAGIC, 0x01, b'A', 0x41, b'1', 0x81, b'B', 0x7f, 0, 0]].concat();
    let seen: Vec<_> = Extensions(&bad).iter().collect();
    assert!(matches!(
        seen[..],
        [Extension::Text(b"text"), Extension::Ggep(_), Extension::Malformed(GgepError::Cut, _)]
    ));
}

#[test]
fn fields_that_are_known() {
    for (value, bytes) in [(0u64, &[][..]), (1, &[1]), (0x1_00, &[0, 1]), (u64::MAX, &[0xff; 8])] {
        assert_eq!(put_number(value), bytes);
        assert_eq!(number(bytes), Some(value));
    }
    assert_eq!(number(&[0; 9]), None);
    assert_eq!((large_file(&[1, 0]), large_file(&[]), large_file(&[0, 1])), (None, None, Some(256)));
    let partial = put_partial_result(0x6000_0001, 70_000);
    assert_eq!(partial_result(&partial), Some((0x6000_0001, 70_000)));
    assert_eq!(partial_result(b""), None);
    let map = TlsMap::of([false, true, false, false, false, false, false, false, true, false]);
    assert_eq!(map, [0x40, 0x80]);
    let map = TlsMap(&map);
    assert_eq!((0..20).filter(|at| map.has(*at)).collect::<Vec<_>>(), [1, 8]);
    assert!(TlsMap::of([false; 30]).is_empty());
    for text in [
        "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB",
        "urn:bitprint:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB.LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ",
        "urn:md5:1B2M2Y8AsgTpgAmY7PhCfg==",
    ] {
        let urn: Urn = text.parse().unwrap();
        assert_eq!(urn.to_string(), text);
        assert_eq!(parse_h(&put_h(&urn).unwrap()), Some(urn));
    }
    for bad in [&[][..], &[1], &[1; 20], &[2; 21], &[9; 21]] {
        assert_eq!(parse_h(bad), None);
    }
    let text = b"uhc.example.net:3558\n192.0.2.1\n[2001:db8::1]:6347&name=x\nbad host:1\nx:0\n:1\n";
    let caches: Vec<_> = host_caches(text).collect();
    let expected = [("uhc.example.net", 3558), ("192.0.2.1", 6346), ("[2001:db8::1]", 6347)];
    assert_eq!(caches, expected.map(|(host, port)| HostCache { host, port }));
    assert_eq!(host_caches(put_host_caches(caches.clone()).as_bytes()).collect::<Vec<_>>(), caches);
    assert!(Scp::parse(&[1]).wants_ultrapeers() && !Scp::parse(&[]).wants_ultrapeers());
    assert!(Scp::parse(&[8]).wants_ipv6() && !Scp::parse(&[8]).wants_ipv4() && Scp::parse(&[]).wants_ipv4());
    let mut names = name::ALL.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), name::ALL.len());
    assert!(names.iter().all(|name| (1..=NAME_MAX).contains(&name.len())));
}

#[test]
fn a_deflated_field_is_zlib_and_bounded() {
    // zlib with its header, as gtk-gnutella writes it; raw deflate is none.
    let packed = p2p_core::deflate::deflate(b"hello hello hello hello");
    let block = |data: &[u8]| [&[0xa1, b'X', 0x40 | data.len() as u8], data].concat();
    let good = block(&packed);
    assert_eq!(Field::parse(&good).unwrap().0.data().unwrap(), &b"hello hello hello hello"[..]);
    let raw = block(&packed[2..packed.len() - 4]);
    assert_eq!(Field::parse(&raw).unwrap().0.data(), Err(GgepError::Inflate));
    let bomb = p2p_core::deflate::deflate(&vec![0; INFLATED_MAX + 1]);
    let mut field = vec![0xa1, b'X', 0x80 | (bomb.len() >> 6) as u8, 0x40 | (bomb.len() & 63) as u8];
    field.extend(&bomb);
    assert_eq!(Field::parse(&field).unwrap().0.data(), Err(GgepError::Inflate));
}

proptest! {
    #[test]
    fn cobs_comes_back(data in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>(), Just(7)], 0..600)) {
        let coded = cobs::encode(&data);
        prop_assert!(!coded.contains(&0) && coded.len() <= data.len() + data.len() / 254 + 1);
        prop_assert_eq!(cobs::decode(&coded), Some(data));
    }

    #[test]
    fn fields_come_back(
        fields in prop::collection::vec(("[A-Za-z0-9._]{1,15}", prop::collection::vec(any::<u8>(), 0..300), any::<bool>()), 1..6),
        nul_free in any::<bool>(),
    ) {
        let mut block = BytesMut::new();
        let mut writer = if nul_free { Writer::nul_free(&mut block) } else { Writer::new(&mut block) };
        for (name, data, deflated) in &fields {
            if *deflated { writer.put_deflated(name, data) } else { writer.put(name, data) }
        }
        prop_assert!(!nul_free || !block.contains(&0));
        let read: Vec<_> = Extensions(&block).iter().collect();
        prop_assert_eq!(read.len(), fields.len());
        for (extension, (name, data, _)) in read.iter().zip(&fields) {
            let Extension::Ggep(field) = extension else { panic!("{extension:?}") };
            prop_assert_eq!((field.name, &*field.data().unwrap()), (name.as_bytes(), &data[..]));
        }
    }

    #[test]
    fn anything_is_read(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(MAGIC), Just(0x1c), Just(0x81), Just(0x41)], 0..200)) {
        let mut len = 0;
        for extension in Extensions(&bytes) {
            len += match extension {
                Extension::Ggep(field) => {
                    let _ = field.data();
                    field.raw().len() + field.name.len() + 2
                }
                Extension::Text(text) => text.len(),
                Extension::Malformed(_, rest) => rest.len(),
            };
        }
        prop_assert!(len <= bytes.len());
    }
}

/// Names and data.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The fields and texts of extensions, in order.
fn parts(bytes: &[u8]) -> (Fields, Vec<Vec<u8>>) {
    let of = Extensions(bytes);
    let fields = of.fields().map(|field| (field.name.to_vec(), field.raw().to_vec())).collect();
    let texts = of.iter().filter_map(|extension| match extension {
        Extension::Text(text) => Some(text.to_vec()),
        _ => None,
    });
    (fields, texts.collect())
}

proptest! {
    /// Whatever comes: the fields that are named are gone, all else is there, one block and the texts behind it.
    #[test]
    fn extensions_without_some_fields_and_with_others(bytes in prop::collection::vec(any::<u8>(), 0..200),
        names in prop::collection::vec("[A-D]{1,2}", 0..6), text in "[a-z:]{0,20}") {
        let mut built = BytesMut::new();
        let mut block = Writer::new(&mut built);
        names.iter().for_each(|name| block.put(name, &bytes[..bytes.len().min(40)]));
        if !text.is_empty() {
            built.extend_from_slice(&[0x1c]);
            built.extend_from_slice(text.as_bytes());
        }
        for of in [&bytes[..], &built[..]] {
            let (fields, texts) = parts(of);
            let (left, same) = parts(&Extensions(of).without(&["A", "BB"]));
            let kept: Vec<_> = fields.iter().filter(|(name, _)| name != b"A" && name != b"BB").cloned().collect();
            prop_assert_eq!(&left, &kept);
            prop_assert_eq!(&same, &texts);
            let (more, same) = parts(&Extensions(of).with("SO", b"x"));
            prop_assert_eq!(&more[..more.len() - 1], &fields[..]);
            prop_assert_eq!(more.last().unwrap(), &(b"SO".to_vec(), b"x".to_vec()));
            prop_assert_eq!(&same, &texts);
        }
    }
}
