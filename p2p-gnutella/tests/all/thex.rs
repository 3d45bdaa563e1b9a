//! Tiger trees: published roots, a message of gtk-gnutella, and lists that lie.

use crate::capture::{From, record};
use p2p_core::hash::Tth;
use p2p_core::http::{BodyLen, Response};
use p2p_gnutella::dime::{self, DimeError, TypeFormat};
use p2p_gnutella::huge::parse_tth;
use p2p_gnutella::thex::{Description, LEAF_LEN, LIST_MAX, TREE_TYPE, TigerTree, TreeError, root, slice_len};
use proptest::prelude::*;

/// A file's tree, of its bytes.
fn tree(bytes: &[u8]) -> TigerTree {
    let size = bytes.len() as u64;
    let mut slices: Vec<Tth> = bytes.chunks(slice_len(size) as usize).map(root).collect();
    if slices.is_empty() {
        slices.push(root(b""));
    }
    TigerTree::from_slices(size, slices).unwrap()
}

/// The vectors of the THEX draft, section 6.
#[test]
fn roots_of_the_draft() {
    for (bytes, text) in [
        (&b""[..], "LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ"),
        (&[0], "VK54ZIEEVTWNAUI5D5RDFIL37LX2IQNSTAXFKSA"),
        (&[b'A'; 1024], "L66Q4YVNAFWVS23X2HJIRA5ZJ7WXR3F26RSASFA"),
        (&[b'A'; 1025], "PZMRYHGY6LTBEH63ZWAHDORHSYTLO4LEFUIKHWY"),
    ] {
        let expected = parse_tth(text).unwrap();
        assert_eq!((root(bytes), tree(bytes).root()), (expected, expected), "{} bytes", bytes.len());
    }
}

#[test]
fn slices_are_as_short_as_the_depth_allows() {
    for (size, len) in
        [(0, 1_024), (1, 1_024), (512 << 10, 1_024), ((512 << 10) + 1, 2_048), (1 << 30, 2 << 20)]
    {
        assert_eq!(slice_len(size), len, "{size}");
    }
    assert!(slice_len(u64::MAX) >= 1 << 50);
}

/// The message that gtk-gnutella sent for charlie, 2,500,000 bytes.
#[test]
fn a_recorded_tree() {
    let record = record("gtkg-plain");
    let asked = record.conversations.iter().find(|conversation| {
        conversation
            .sent_by(From::Client)
            .starts_with(b"GET /uri-res/N2X?urn:sha1:WWGRI4MKNVGVEZJPP76TXPECPUNWOJXP ")
    });
    let answer = asked.unwrap().sent_by(From::Server);
    let (head, at) = Response::parse(&answer).unwrap().unwrap();
    assert_eq!((head.status, head.body()), (200, Ok(BodyLen::Sized(1_024))));
    let message = &answer[at..];
    let known = parse_tth("R534UNZUNIGKWWWIQELPIYQMPHT7ZRWW6H5NTKA").unwrap();
    let tree = TigerTree::from_dime(2_500_000, &known, message).unwrap();
    assert_eq!((tree.root(), tree.slice_len() % LEAF_LEN), (known, 0));
    let last = 2_500_000 / tree.slice_len();
    assert_eq!(tree.slice(last).unwrap().0, last * tree.slice_len()..2_500_000);
    assert!(tree.slice(last + 1).is_none() && tree.slice(u64::MAX).is_none());
    // Written again it is the same but for the id, which everybody makes as he likes.
    let (theirs, again) = (dime::parse(message).unwrap(), tree.to_dime());
    let ours = dime::parse(&again).unwrap();
    assert_eq!((again.len(), ours[1].data, ours[1].of), (message.len(), theirs[1].data, theirs[1].of));
    let (said, we_say) =
        (Description::parse(theirs[0].data).unwrap(), Description::parse(ours[0].data).unwrap());
    assert_eq!((said.size, said.depth), (we_say.size, we_say.depth));
    assert_eq!(Description { uri: said.uri, ..we_say }.to_xml().as_bytes(), theirs[0].data);
    // Other sizes and roots are other files.
    assert_eq!(TigerTree::from_dime(2_500_001, &known, message).unwrap_err(), TreeError::Description);
    assert_eq!(TigerTree::from_dime(2_500_000, &root(b""), message).unwrap_err(), TreeError::Root);
    for cut in 0..message.len() {
        assert!(TigerTree::from_dime(2_500_000, &known, &message[..cut]).is_err(), "{cut}");
    }
    for at in 0..theirs[1].data.len() {
        let mut list = theirs[1].data.to_vec();
        list[at] ^= 1;
        let why = TigerTree::from_list(2_500_000, &known, &list).unwrap_err();
        assert!(matches!(why, TreeError::Inner | TreeError::Root), "{at}: {why}");
    }
}

#[test]
fn lists_of_a_wrong_length() {
    let bytes = vec![3; 100_000];
    let whole = tree(&bytes);
    let list = whole.to_list();
    assert_eq!(TigerTree::from_list(100_000, &whole.root(), &list).unwrap().to_list(), list);
    // A list that ends in the middle of a layer is none; at the end of one it is a shallower tree.
    let mut good = 0;
    for len in 0..=list.len() {
        match TigerTree::from_list(100_000, &whole.root(), &list[..len]) {
            Ok(tree) => {
                assert_eq!(tree.root(), whole.root());
                good += 1;
            }
            Err(why) => assert_eq!(why, TreeError::Length(len)),
        }
    }
    // 98 leaves: layers of 1, 2, 4, 7, 13, 25, 49, 98.
    assert_eq!(good, 8);
    let endless = vec![0; LIST_MAX + 24];
    assert_eq!(
        TigerTree::from_list(u64::MAX, &root(b""), &endless).unwrap_err(),
        TreeError::Length(LIST_MAX + 24)
    );
}

#[test]
fn dime_that_is_none() {
    let mut message = bytes::BytesMut::new();
    let part = |data| dime::Record { format: TypeFormat::Uri, id: b"i", of: TREE_TYPE.as_bytes(), data };
    dime::encode(&[part(b"one"), part(b""), part(b"three")], &mut message);
    assert_eq!(message.len() % 4, 0);
    assert_eq!(dime::parse(&message).unwrap(), [part(b"one"), part(b""), part(b"three")]);
    let changed = |at: usize, to: u8| {
        let mut message = message.to_vec();
        message[at] = to;
        dime::parse(&message).map(|records| records.len())
    };
    assert_eq!(changed(0, 0x14), Err(DimeError::Version(2)));
    assert_eq!(changed(0, 0x0d), Err(DimeError::Chunked));
    assert_eq!(changed(0, 0x08), Err(DimeError::Order));
    assert_eq!(changed(8, 0xff), Err(DimeError::Cut));
    assert_eq!(dime::parse(b""), Err(DimeError::Cut));
    let mut flood = bytes::BytesMut::new();
    dime::encode(&[part(b""); 17], &mut flood);
    assert_eq!(dime::parse(&flood), Err(DimeError::TooMany));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn trees_come_back(len in 0usize..200_000, fill in any::<u8>()) {
        let bytes: Vec<u8> = (0..len).map(|at| (at / 100) as u8 ^ fill).collect();
        let whole = tree(&bytes);
        prop_assert_eq!(whole.root(), root(&bytes));
        let read = TigerTree::from_dime(len as u64, &whole.root(), &whole.to_dime()).unwrap();
        prop_assert_eq!(read.to_list(), whole.to_list());
        for at in 0.. {
            let Some((range, slice)) = read.slice(at) else { break };
            prop_assert_eq!(root(&bytes[range.start as usize..range.end as usize]), slice);
        }
    }

    #[test]
    fn anything_is_read(bytes in prop::collection::vec(any::<u8>(), 0..400), size in any::<u64>()) {
        let _ = dime::parse(&bytes);
        let _ = TigerTree::from_list(size, &root(b""), &bytes);
        let _ = TigerTree::from_dime(size, &root(b""), &bytes);
        let _ = Description::parse(&bytes);
    }

    #[test]
    fn any_xml_is_read(xml in "(<file size=[\"']?[0-9]{0,3}[\"']?)?[<>/a-z =\"'é]{0,80}") {
        let _ = Description::parse(xml.as_bytes());
    }
}
