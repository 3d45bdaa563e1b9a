//! Query routing: published vectors, tables of any content, and how much they hold too much.

use bytes::Bytes;
use p2p_core::Rng;
use p2p_gnutella::Urn;
use p2p_gnutella::qrp::{
    Cut, FILL_MAX, PART_LEN, Progress, Receiver, RouteError, Table, WANTED_MAX, Wanted, WordHash, canonical,
    finds, update, words,
};
use p2p_gnutella::servent::Limits;
use p2p_gnutella::wire::{Compressor, Kind, Message, Patch, Route};
use proptest::prelude::*;

/// The unit tests of appendix A of QRP 1.0, and its case tests.
const HASHES: [(&str, u8, usize); 33] = [
    ("", 13, 0),
    ("eb", 13, 6791),
    ("ebc", 13, 7082),
    ("ebck", 13, 6698),
    ("ebckl", 13, 3179),
    ("ebcklm", 13, 3235),
    ("ebcklme", 13, 6438),
    ("ebcklmen", 13, 1062),
    ("ebcklmenq", 13, 3527),
    ("", 16, 0),
    ("n", 16, 65003),
    ("nd", 16, 54193),
    ("ndf", 16, 4953),
    ("ndfl", 16, 58201),
    ("ndfla", 16, 34830),
    ("ndflal", 16, 36910),
    ("ndflale", 16, 34586),
    ("ndflalem", 16, 37658),
    ("ndflaleme", 16, 45559),
    ("ol2j34lj", 10, 318),
    ("asdfas23", 10, 503),
    ("9um3o34fd", 10, 758),
    ("a234d", 10, 281),
    ("a3f", 10, 767),
    ("3nja9", 10, 581),
    ("2459345938032343", 10, 146),
    ("7777a88a8a8a8", 10, 342),
    ("asdfjklkj3k", 10, 861),
    ("adfk32l", 10, 1011),
    ("zzzzzzzzzzz", 10, 944),
    ("3nja9", 10, 581),
    ("3NJA9", 10, 581),
    ("3nJa9", 10, 581),
];

#[test]
fn hashes_of_the_specification() {
    for (word, bits, slot) in HASHES {
        assert_eq!(WordHash::of(word).slot(bits), slot, "{word} in {bits} bits");
    }
}

fn route(hex: &str) -> Route {
    let bytes: Vec<u8> = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    match Message::parse(Kind::ROUTE, &bytes.into()).unwrap() {
        Message::Route(route) => route,
        other => panic!("{other:?}"),
    }
}

/// Appendix B of QRP 1.0: a table that gets "test" (slot 2), then "qrp" (slot 7), then loses "test". Its "qrp" is in slot 6
/// of the bytes of example 1 and 6 of example 2, whatever the text says; the hash says 7.
#[test]
fn patches_of_the_specification() {
    let examples: [&[&str]; 3] = [
        &[
            "0 8 0 0 0 7",
            "1 1 1 0 8 0 0 fa 0 0 0 0 0",
            "1 1 1 0 8 0 0 0 0 0 0 fa 0",
            "1 1 1 0 8 0 0 6 0 0 0 0 0",
        ],
        &["0 8 0 0 0 7", "1 1 1 0 4 0 a0 0 0", "1 1 1 0 4 0 0 0 a0", "1 1 1 0 4 0 60 0 0"],
        &["0 8 0 0 0 7", "1 1 2 0 4 0 a0", "1 2 2 0 4 0 0", "1 1 2 0 4 0 0", "1 2 2 0 4 0 a0"],
    ];
    for example in examples {
        let mut receiver = Receiver::new(16);
        let mut seen = Vec::new();
        for message in example {
            if receiver.take(&route(message)).unwrap() == Progress::Complete {
                seen.push(receiver.table().unwrap().to_bytes());
            }
        }
        let all = [vec![0b0010_0000], vec![0b0010_0010], vec![0b0000_0010]];
        assert_eq!(seen, all[..seen.len()], "{example:?}");
        assert!(seen.len() >= 2);
    }
    assert_eq!((WordHash::of("test").slot(3), WordHash::of("qrp").slot(3)), (2, 7));
}

#[test]
fn words_are_those_of_all_servents() {
    assert_eq!(canonical("  John_Coltrane--Blue Train(1957).MP3 "), "john coltrane blue train 1957 mp3");
    assert_eq!(canonical("Ünïtéd ÉTATS-Ångström ﬁn Σίσυφος"), "united etats angstrom fin σισυφοσ");
    // Marks that make other letters stay; fullwidth forms are the same letters; what is composed and what is not is one.
    assert_eq!(canonical("がんばれ ＡＢＣ１２"), "がんばれ abc12");
    assert_eq!(canonical("cafe\u{301}"), canonical("café"));
    assert_eq!(canonical("?!"), "");
    let found = |name, query| finds(name, query, Cut(2));
    assert!(found("quartz song", "quar song") && found("quartz", "quart") && !found("quartz", "qua"));
    assert!(!found("quartz", "") && !found("", "quartz") && !found("mp3 song", "mp"));
    assert!(finds("document", "docu", Cut::MOST) && !found("document", "docu"));
    assert!(found("document", "document") && !finds("document", "documen", Cut::NONE));
}

#[test]
fn what_is_wanted() {
    let wanted = |text: &str| Wanted::of_text(text).words().len();
    // Words of two letters count only where there are no longer ones.
    assert_eq!((wanted("of the moon"), wanted("a b cd"), wanted("  ")), (2, 3, 0));
    assert_eq!(Wanted::of_text("Blue TRAIN"), Wanted::of_text("blue train"));
    assert_eq!(Wanted::of_text("Blüe"), Wanted::of_text("BLUE"));
    let many: String = (0..100).map(|i| format!("word{i} ")).collect();
    assert_eq!(wanted(&many), WANTED_MAX);
    let mut table = Table::new(16);
    let urn: Urn = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB".parse().unwrap();
    table.insert_urn(&urn);
    let payload = Bytes::from_static(b"\x80\0\0urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB\0");
    let Message::Query(query) = Message::parse(Kind::QUERY, &payload).unwrap() else { panic!() };
    let by_urn = Wanted::of(&query);
    assert!(table.may_match(&by_urn) && by_urn.words().is_empty() && by_urn.urns().len() == 1);
    assert!(!Table::new(16).may_match(&by_urn) && !table.may_match(&Wanted::default()));
    // Latin-1, as old servents wrote it.
    let Message::Query(query) = Message::parse(Kind::QUERY, &Bytes::from_static(b"\x80\0caf\xe9\0")).unwrap()
    else {
        panic!()
    };
    assert_eq!(Wanted::of(&query), Wanted::of_text("cafe"));
}

/// Sends an update, and gives what the neighbour has then.
fn send(receiver: &mut Receiver, old: Option<&Table>, new: &Table, entry_bits: u8) -> Table {
    for message in update(old, new, entry_bits) {
        let payload = Message::Route(message.clone()).to_bytes();
        assert_eq!(Message::parse(Kind::ROUTE, &payload), Ok(Message::Route(message.clone())));
        receiver.take(&message).unwrap();
    }
    assert!(!receiver.is_receiving());
    receiver.table().unwrap().clone()
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-zA-Zäöéß0-9]{1,9}|[ぁ-んア-ヴー一-龠]{1,4}", 1..6)
        .prop_map(|words| words.join("_-. "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn there_is_no_false_negative(
        names in prop::collection::vec(name(), 1..20),
        (bits, middle, last) in (3u8..14, 3u8..14, 3u8..14),
        pick in any::<prop::sample::Index>(),
        (cuts, words_wanted) in (prop::collection::vec(0usize..7, 6), 1usize..4),
        missing in 0u8..6,
    ) {
        // A query of words of one name, some without their last letters.
        let name = canonical(pick.get::<String>(&names));
        let cut = |(word, cut): (&str, usize)| {
            let letters = word.chars().count();
            word.chars().take(letters.saturating_sub(cut).max(1)).collect::<String>()
        };
        let query: Vec<String> = words(&name).zip(cuts).map(cut).take(words_wanted).collect();
        let query = query.join(" ");
        if finds(&name, &query, Cut(missing)) {
            let mut table = Table::new(bits);
            names.iter().for_each(|name| table.insert_name(name, Cut(missing)));
            let wanted = Wanted::of_text(&query);
            prop_assert!(table.may_match(&wanted), "{query} of {name}");
            // And neither in tables of other sizes that were made of it.
            let mut union = Table::new(middle);
            union.union(&table);
            prop_assert!(union.may_match(&wanted));
            prop_assert!(union.resized(last).may_match(&wanted));
            let (small, cut) = Table::of_names(names.iter().map(|name| &**name), 3);
            prop_assert!(cut == Cut::MOST && small.may_match(&wanted));
        }
    }

    #[test]
    fn updates_arrive(
        steps in prop::collection::vec((prop::collection::vec(any::<u16>(), 0..300), any::<bool>()), 1..5),
        bits in 3u8..15,
        entry_bits in prop::sample::select(vec![1u8, 4, 8]),
    ) {
        let mut receiver = Receiver::new(17);
        let mut known: Option<Table> = None;
        for (slots, anew) in steps {
            let mut table = if anew { Table::new(bits) } else { known.clone().unwrap_or_else(|| Table::new(bits)) };
            slots.iter().for_each(|slot| table.insert(WordHash::of(&slot.to_string())));
            if update(known.as_ref(), &table, entry_bits).is_empty() {
                prop_assert_eq!(Some(&table), known.as_ref());
            } else {
                prop_assert_eq!(&send(&mut receiver, known.as_ref(), &table, entry_bits), &table);
            }
            known = Some(table);
        }
    }

    #[test]
    fn any_messages_are_taken_or_refused(
        messages in prop::collection::vec(prop_oneof![
            (0u32..70_000, any::<u8>()).prop_map(|(slots, infinity)| Route::Reset { slots, infinity }),
            (3u32..17, 0u8..9).prop_map(|(bits, infinity)| Route::Reset { slots: 1 << bits, infinity }),
            (0u8..4, 0u8..4, 0u8..3, prop::sample::select(vec![1u8, 2, 4, 8]), prop::collection::vec(any::<u8>(), 0..64))
                .prop_map(|(number, count, compressor, entry_bits, data)| Route::Patch(Patch {
                    number, count, entry_bits, data: data.into(),
                    compressor: [Compressor::None, Compressor::Zlib, Compressor::Other(2)][usize::from(compressor)],
                })),
        ], 0..30),
    ) {
        let mut receiver = Receiver::new(16);
        for message in &messages {
            let taken = receiver.take(message);
            prop_assert!(receiver.table().is_none_or(|table| table.bits() <= 16));
            if taken.is_err() {
                break;
            }
        }
    }
}

#[test]
fn updates_are_small_and_in_parts() {
    let mut rng = Rng::fast_from(5);
    let mut table = Table::new(16);
    (0..600).for_each(|_| table.insert(WordHash::of(&rng.bits().to_string())));
    let messages = update(None, &table, 1);
    assert!(matches!(messages[0], Route::Reset { slots: 65_536, infinity: 2 }));
    let len = |messages: &[Route]| -> usize {
        messages.iter().map(|message| Message::Route(message.clone()).to_bytes().len()).sum()
    };
    // About 14 bits for each of 600 words: they are anywhere.
    assert!(len(&messages) < 1_500, "{}", len(&messages));
    for entry_bits in [4, 8] {
        assert!(len(&update(None, &table, entry_bits)) < 2_500);
    }
    let mut more = table.clone();
    more.insert_name("a new file.mp3", Cut::MOST);
    assert!(len(&update(Some(&table), &more, 1)) < 100);
    assert!(update(Some(&more), &more, 1).is_empty());
    assert_eq!(update(Some(&Table::new(15)), &more, 1).len(), update(None, &more, 1).len());
    // One zlib stream lies across several messages.
    (0..8_000).for_each(|_| table.insert(WordHash::of(&rng.bits().to_string())));
    for entry_bits in [1, 4, 8] {
        let messages = update(None, &table, entry_bits);
        assert!(messages.len() > 3, "{}", messages.len());
        let zlib =
            |message: &Route| matches!(message, Route::Patch(Patch { compressor: Compressor::Zlib, .. }));
        assert!(entry_bits == 1 || messages[1..].iter().all(zlib));
        assert_eq!(send(&mut Receiver::new(16), None, &table, entry_bits), table);
    }
    // A table that does not compress goes in parts.
    let mut full = Table::new(18);
    (0..200_000).for_each(|_| full.insert(WordHash::of(&rng.bits().to_string())));
    let messages = update(None, &full, 1);
    let parts = (1usize << 15).div_ceil(PART_LEN);
    assert!((parts..=1 + parts).contains(&messages.len()), "{}", messages.len());
    assert_eq!(send(&mut Receiver::new(18), None, &full, 1), full);
    let longest = update(None, &Table::of_names(["x"].into_iter(), 21).0, 8);
    assert!(longest.len() <= 256);
}

/// Old servents have distances between one hop and infinity: what is still somewhere must not be lost.
#[test]
fn a_distance_that_grows_is_no_loss() {
    let mut receiver = Receiver::new(16);
    for message in [
        "0 8 0 0 0 7",                // infinity 7
        "1 1 1 0 8 fb 0 0 0 0 0 0 0", // 2 hops
        "1 1 1 0 8 2 0 0 0 0 0 0 0",  // 4 hops
    ] {
        receiver.take(&route(message)).unwrap();
    }
    assert_eq!(receiver.table().unwrap().to_bytes(), [0x80]);
}

/// File names as people have them: words of a vocabulary by Zipf's law, and a number.
fn library(rng: &mut Rng, files: usize, vocabulary: usize) -> Vec<String> {
    // Half of the draws are among the first ⌊√n⌋ words, and so on: 1/x.
    let zipf = |rng: &mut Rng| (vocabulary as f64).powf(rng.unit()) as usize - 1;
    let letters = |word: usize| {
        let (mut text, mut left) = (String::new(), word * 7_919 + 26);
        while left > 0 {
            text.push(char::from(b'a' + (left % 26) as u8));
            left /= 26;
        }
        text + ["er", "ing", "", "ation", "s"][word % 5]
    };
    let name = |rng: &mut Rng| {
        let count = 4 + rng.index(4);
        let words: Vec<String> = (0..count).map(|_| letters(zipf(rng))).collect();
        format!("{:02} {}.mp3", rng.index(20), words.join(" "))
    };
    (0..files).map(|_| name(rng)).collect()
}

/// At 10,000 files for each leaf: of the queries for files of others, how many reach a leaf that has none of them.
#[test]
fn false_positives_at_ten_thousand_files() {
    let mut rng = Rng::fast_from(2);
    let vocabulary = 40_000;
    let (ours, theirs) = (library(&mut rng, 10_000, vocabulary), library(&mut rng, 4_000, vocabulary));
    let (table, cut) = Table::of_names(ours.iter().map(|name| &**name), 16);
    let names: Vec<String> = ours.iter().map(|name| canonical(name)).collect();
    let (mut negatives, mut false_positives) = (0, 0);
    // What stands anywhere in the names at all, for a table that is exact.
    let mut held = std::collections::BTreeSet::new();
    for word in names.iter().flat_map(|name| words(name)) {
        (0..=cut.0.into()).filter(|cut| *cut == 0 || word.len() >= 4 + cut).for_each(|cut| {
            held.insert(word[..word.len() - cut].to_owned());
        });
    }
    for name in &theirs {
        let canonical = canonical(name);
        let all: Vec<&str> = words(&canonical).filter(|word| word.len() > 3).collect();
        // Queries of one to three words.
        for count in 1..=3usize.min(all.len()) {
            let query = all[..count].join(" ");
            if !all[..count].iter().all(|word| held.contains(*word)) {
                negatives += 1;
                false_positives += usize::from(table.may_match(&Wanted::of_text(&query)));
            }
        }
    }
    let share = f64::from(false_positives as u32) / f64::from(negatives as u32);
    eprintln!(
        "{table:?} {cut:?} of {} entries, fill {:.4}: {false_positives} of {negatives} = {share:.4}",
        held.len(),
        table.fill()
    );
    assert!(share <= 0.01, "{share}");
    assert!(table.fill() <= FILL_MAX && negatives > 2_000);
    // An ultrapeer takes such a table, as it is by default.
    let mut receiver = Receiver::new(Limits::default().table_bits);
    for message in update(None, &table, 4) {
        receiver.take(&message).unwrap();
    }
    assert_eq!(receiver.table(), Some(&table));
}

#[test]
fn errors_say_what_is_wrong() {
    let mut receiver = Receiver::new(16);
    let part = |number, count, compressor, entry_bits, data: &[u8]| {
        Route::Patch(Patch { number, count, compressor, entry_bits, data: Bytes::copy_from_slice(data) })
    };
    let reset = |slots, infinity| Route::Reset { slots, infinity };
    assert_eq!(receiver.take(&part(1, 1, Compressor::None, 1, &[0])), Err(RouteError::NoReset));
    for slots in [0, 1, 4, 9, 1 << 17, u32::MAX, 1 << 31] {
        assert_eq!(receiver.take(&reset(slots, 2)), Err(RouteError::Slots(slots)));
    }
    assert_eq!(receiver.take(&reset(16, 1)), Err(RouteError::Infinity(1)));
    let fresh = |messages: &[Route]| {
        let mut receiver = Receiver::new(16);
        receiver.take(&reset(16, 2)).unwrap();
        messages.iter().map(|message| receiver.take(message)).find(Result::is_err)
    };
    let order = |number, count, next| Some(Err(RouteError::Sequence { number, count, next }));
    assert_eq!(fresh(&[part(2, 2, Compressor::None, 1, &[0])]), order(2, 2, 1));
    assert_eq!(fresh(&[part(0, 0, Compressor::None, 1, &[0])]), order(0, 0, 1));
    let first = part(1, 3, Compressor::None, 1, &[0]);
    assert_eq!(fresh(&[first.clone(), first.clone()]), order(1, 3, 2));
    assert_eq!(fresh(&[first.clone(), part(2, 4, Compressor::None, 1, &[0])]), order(2, 4, 2));
    assert_eq!(fresh(&[first.clone(), part(2, 3, Compressor::None, 4, &[0])]), order(2, 3, 2));
    assert_eq!(fresh(&[first, part(2, 3, Compressor::Zlib, 1, &[0])]), order(2, 3, 2));
    let other = Compressor::Other(7);
    assert_eq!(fresh(&[part(1, 1, other, 1, &[0])]), Some(Err(RouteError::Compressor(other))));
    assert_eq!(fresh(&[part(1, 1, Compressor::None, 2, &[0])]), Some(Err(RouteError::EntryBits(2))));
    assert_eq!(fresh(&[part(1, 1, Compressor::None, 1, &[0])]), Some(Err(RouteError::TooShort)));
    assert_eq!(fresh(&[part(1, 1, Compressor::None, 1, &[0; 3])]), Some(Err(RouteError::TooLong)));
    assert_eq!(fresh(&[part(1, 1, Compressor::Zlib, 1, b"no zlib")]), Some(Err(RouteError::Corrupt)));
    assert_eq!(fresh(&[Route::Other(9, Bytes::new())]), None);
}
