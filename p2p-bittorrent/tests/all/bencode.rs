//! Bencode: canonical text, what is refused and where, and what a hostile document costs.

use bytes::BytesMut;
use p2p_bittorrent::bencode::{Dict, Doc, Encoder, Error, Kind, Limits, List, Mode, Value, What};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn strict(bytes: &[u8]) -> Result<Doc<'_>, Error> {
    Doc::parse(bytes, &Limits::default(), Mode::Strict)
}

fn lenient(bytes: &[u8]) -> Result<Doc<'_>, Error> {
    Doc::parse(bytes, &Limits::default(), Mode::Lenient)
}

fn refused(bytes: &[u8], at: usize, what: What) {
    for mode in [Mode::Strict, Mode::Lenient] {
        let error = Doc::parse(bytes, &Limits::default(), mode).unwrap_err();
        assert_eq!(error, Error { at, what }, "{}", bytes[..bytes.len().min(80)].escape_ascii());
    }
}

#[test]
fn values_of_every_kind_and_their_spans() {
    let text = b"d3:cow3:moo4:infod1:ai-7e1:bl0:i0e2:\xff\xfeee4:spaml1:a1:bee";
    let doc = strict(text).unwrap();
    let root = doc.root();
    assert_eq!(root.kind(), Kind::Dict);
    assert_eq!(root.raw(), text);
    assert_eq!(root.get("cow").unwrap().as_str(), Some("moo"));
    let info = root.get("info").unwrap();
    assert_eq!(info.raw(), b"d1:ai-7e1:bl0:i0e2:\xff\xfeee");
    assert_eq!(&text[info.span()], info.raw());
    assert_eq!(info.get("a").unwrap().as_int(), Some(-7));
    assert_eq!(info.get("a").unwrap().as_u64(), None);
    let list: Vec<Value<'_>> = info.get("b").unwrap().as_list().unwrap().collect();
    assert_eq!(list.iter().map(Value::kind).collect::<Vec<_>>(), [Kind::Bytes, Kind::Int, Kind::Bytes]);
    assert_eq!((list[0].as_bytes(), list[1].as_int()), (Some(&b""[..]), Some(0)));
    assert_eq!((list[2].as_bytes(), list[2].as_str()), (Some(&b"\xff\xfe"[..]), None));
    let keys: Vec<&[u8]> = root.as_dict().unwrap().map(|(key, _)| key).collect();
    assert_eq!(keys, [&b"cow"[..], b"info", b"spam"]);
    assert!(root.get("absent").is_none() && info.get("cow").is_none() && list[0].get("x").is_none());
    assert!(root.as_int().is_none() && root.as_list().is_none() && root.as_bytes().is_none());
}

#[test]
fn the_edges_of_integers() {
    for (text, value) in
        [("i0e", 0), ("i-1e", -1), ("i9223372036854775807e", i64::MAX), ("i-9223372036854775808e", i64::MIN)]
    {
        assert_eq!(strict(text.as_bytes()).unwrap().root().as_int(), Some(value));
    }
    for text in
        ["ie", "i-e", "i-0e", "i00e", "i03e", "i-03e", "i+1e", "i 1e", "i1 e", "i1.5e", "i1-e", "i--1e"]
    {
        refused(text.as_bytes(), 0, What::Integer);
    }
    for text in [
        "i9223372036854775808e",
        "i-9223372036854775809e",
        "i18446744073709551616e",
        "i99999999999999999999e",
    ] {
        refused(text.as_bytes(), 0, What::Overflow);
    }
}

#[test]
fn b2_lengths_that_lead_astray() {
    for text in [
        "4:abc",
        "4294967294:abc",
        "4294967296:abc",
        "9223372036854775807:a",
        "18446744073709551615:a",
        "18446744073709551616:abc",
        "99999999999999999999:a",
        "00:",
        "01:a",
        "1-:a",
        "1a",
        "3 :abc",
    ] {
        refused(text.as_bytes(), 0, What::Length);
    }
    let early = [
        ("", 0),
        ("4", 0),
        ("i", 0),
        ("i1", 0),
        ("i-", 0),
        ("l", 1),
        ("d", 1),
        ("d1:a", 4),
        ("li1e", 4),
        ("d1:ai1e", 7),
    ];
    for (text, at) in early {
        refused(text.as_bytes(), at, What::Truncated);
    }
}

#[test]
fn b2_an_integer_of_a_megabyte_is_refused_after_21_digits() {
    let text = ["i".to_string(), "1".repeat(1 << 20), "e".to_string()].concat();
    refused(text.as_bytes(), 0, What::Overflow);
    let zeros = ["i".to_string(), "0".repeat(1 << 20), "e".to_string()].concat();
    refused(zeros.as_bytes(), 0, What::Integer);
    refused("1".repeat(1 << 20).as_bytes(), 0, What::Length);
    // No text of a stranger is in the error.
    assert!(lenient(text.as_bytes()).unwrap_err().to_string().len() < 64);
}

#[test]
fn b2_duplicate_unsorted_and_trailing() {
    let twice = b"d1:ai1e1:ai2ee";
    assert_eq!(strict(twice).unwrap_err(), Error { at: 7, what: What::Duplicate });
    assert_eq!(lenient(twice).unwrap().root().get("a").unwrap().as_int(), Some(1), "the first one counts");
    let unsorted = b"d1:bi1e1:ai2ee";
    assert_eq!(strict(unsorted).unwrap_err(), Error { at: 7, what: What::Order });
    assert_eq!(lenient(unsorted).unwrap().root().get("a").unwrap().as_int(), Some(2));
    // Sorted by bytes, not by length or with their lengths.
    assert!(strict(b"d2:aai1e1:bi2ee").is_ok());
    assert_eq!(strict(b"d1:bi1e2:aai2ee").unwrap_err().what, What::Order);
    refused(b"i1ei2e", 3, What::Trailing);
    refused(b"de\n", 2, What::Trailing);
    let prefix = Doc::parse_prefix(b"d1:ai1eepayload", &Limits::default(), Mode::Strict).unwrap();
    assert_eq!(prefix.bytes(), b"d1:ai1ee");
}

#[test]
fn malformed_containers() {
    refused(b"di1ei2ee", 1, What::Key);
    refused(b"dlei1ee", 1, What::Key);
    refused(b"d1:ae", 4, What::NoValue);
    refused(b"l1:ae1:b", 5, What::Trailing);
    refused(b"e", 0, What::Unexpected);
    refused(b"lxe", 1, What::Unexpected);
    refused(b"-1:a", 0, What::Unexpected);
    refused(b"\xff", 0, What::Unexpected);
    assert!(strict(b"de").unwrap().root().as_dict().unwrap().next().is_none());
    assert!(strict(b"le").unwrap().root().as_list().unwrap().next().is_none());
}

/// Runs on a stack that one frame per level would overrun.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn b1_nesting_of_20_thousand_to_a_million_is_refused_at_the_limit() {
    on_a_small_stack(|| {
        for depth in [101, 20_000, 1_000_000] {
            refused(&b"l".repeat(depth), 100, What::TooDeep);
            refused(&b"d1:x".repeat(depth), 400, What::TooDeep);
            // In a key that nobody looks at.
            let hidden = [&b"d1:x"[..], &b"l".repeat(depth), &b"e".repeat(depth + 1)].concat();
            refused(&hidden, 4 + 99, What::TooDeep);
        }
        let legal = [b"l".repeat(100), b"e".repeat(100)].concat();
        assert!(strict(&legal).is_ok());
    });
}

#[test]
fn b1_nesting_of_a_million_neither_recurses_when_read_nor_when_dropped() {
    on_a_small_stack(|| {
        let text = [b"l".repeat(1_000_000), b"e".repeat(1_000_000)].concat();
        let limits = Limits { depth: u32::MAX, ..Limits::default() };
        let doc = Doc::parse(&text, &limits, Mode::Strict).unwrap();
        let mut value = doc.root();
        let mut depth = 1;
        while let Some(inner) = value.as_list().and_then(|mut items| items.next()) {
            value = inner;
            depth += 1;
        }
        assert_eq!((depth, value.raw()), (1_000_000, &b"le"[..]));
        drop(doc);
    });
}

#[test]
fn b2_five_million_empty_lists_cost_at_most_six_times_their_length() {
    let text = [&b"l"[..], &b"le".repeat(5_000_000), b"e"].concat();
    refused(&text, 1 + 2 * 1_999_999, What::TooMany);
    let doc = Doc::parse(&text, &Limits { tokens: u32::MAX, ..Limits::default() }, Mode::Strict).unwrap();
    assert_eq!(doc.root().as_list().unwrap().count(), 5_000_000);
    assert!(doc.heap() <= 6 * text.len(), "{} bytes of table", doc.heap());
    // Strings and integers cannot do worse.
    for token in ["0:", "i1e", "de"] {
        let text = ["l".to_string(), token.repeat(100_000), "e".to_string()].concat();
        assert!(strict(text.as_bytes()).unwrap().heap() <= 6 * text.len());
    }
}

#[test]
fn a_document_longer_than_allowed_is_refused_as_such() {
    let limits = Limits { bytes: 10, ..Limits::default() };
    let parse = |bytes| Doc::parse(bytes, &limits, Mode::Strict).map(|_| ());
    assert_eq!(parse(b"8:12345678"), Ok(()));
    assert_eq!(parse(b"9:123456789"), Err(Error { at: 10, what: What::TooLong }));
    assert_eq!(parse(b"li1ei2ei3ee"), Err(Error { at: 10, what: What::TooLong }));
}

#[test]
fn the_encoder_writes_canonical_text() {
    let mut out = BytesMut::from("x");
    Encoder::new(&mut out).dict(|d| {
        d.int("a", i64::MIN);
        d.key("b").raw("le");
        d.dict("c", |_| {});
        d.list(b"d", |l| {
            l.int(-5);
            l.bytes(b"\xff");
            l.list(|l| l.bytes(""));
            l.dict(|d| d.int("x", 10));
        });
    });
    assert_eq!(&out[..], b"xd1:ai-9223372036854775808e1:ble1:cde1:dli-5e1:\xffl0:ed1:xi10eeee");
    strict(&out[1..]).unwrap();
}

#[test]
#[should_panic(expected = "sorted")]
#[cfg(debug_assertions)]
fn the_encoder_minds_the_order_of_keys() {
    Encoder::new(&mut BytesMut::new()).dict(|d| {
        d.int("b", 1);
        d.int("a", 1);
    });
}

#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Dict(BTreeMap<Vec<u8>, Self>),
}

impl Tree {
    fn list(&self, out: &mut List<'_>) {
        self.write(out.item());
    }

    fn entry(&self, key: &[u8], out: &mut Dict<'_>) {
        self.write(out.key(key));
    }

    fn write(&self, out: Encoder<'_>) {
        match self {
            Self::Int(int) => out.int(*int),
            Self::Bytes(bytes) => out.bytes(bytes),
            Self::List(items) => out.list(|out| items.iter().for_each(|item| item.list(out))),
            Self::Dict(entries) => {
                out.dict(|out| entries.iter().for_each(|(key, value)| value.entry(key, out)))
            }
        }
    }

    fn read(value: Value<'_>) -> Self {
        match value.kind() {
            Kind::Int => Self::Int(value.as_int().unwrap()),
            Kind::Bytes => Self::Bytes(value.as_bytes().unwrap().to_vec()),
            Kind::List => Self::List(value.as_list().unwrap().map(Self::read).collect()),
            Kind::Dict => Self::Dict(
                value.as_dict().unwrap().map(|(key, value)| (key.to_vec(), Self::read(value))).collect(),
            ),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![any::<i64>().prop_map(Tree::Int), any::<Vec<u8>>().prop_map(Tree::Bytes)];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Tree::List),
            prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..6), inner, 0..8)
                .prop_map(Tree::Dict),
        ]
    })
}

/// Text that looks like bencode, so that junk gets past the first byte.
fn alike() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(&b"ilde012:-ae\xff"[..]), 0..200)
}

/// Visits everything, as a reader of a hostile document would.
fn visit(doc: &Doc<'_>) {
    let mut open = vec![doc.root()];
    while let Some(value) = open.pop() {
        assert_eq!(&doc.bytes()[value.span()], value.raw());
        assert!(format!("{value:?}").len() <= 64 * 4 + 8);
        open.extend(value.as_list().into_iter().flatten());
        open.extend(value.as_dict().into_iter().flatten().map(|(_, value)| value));
    }
    assert!(doc.heap() <= 6 * doc.bytes().len() + 12);
}

proptest! {

    #[test]
    fn what_is_written_is_read(tree in tree()) {
        let mut out = BytesMut::new();
        tree.write(Encoder::new(&mut out));
        let doc = strict(&out).unwrap();
        visit(&doc);
        prop_assert_eq!(Tree::read(doc.root()), tree);
        for cut in [out.len() / 3, out.len() / 2, out.len() - 1] {
            prop_assert!(strict(&out[..cut]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop_oneof![any::<Vec<u8>>(), alike()]) {
        let (strict, lenient) = (strict(&bytes), lenient(&bytes));
        if let Ok(doc) = &lenient {
            visit(doc);
        }
        if let Ok(doc) = strict {
            // What is canonical has one text only.
            let mut out = BytesMut::new();
            Tree::read(doc.root()).write(Encoder::new(&mut out));
            prop_assert_eq!(&out[..], &bytes[..]);
            prop_assert!(lenient.is_ok());
        }
    }
}
