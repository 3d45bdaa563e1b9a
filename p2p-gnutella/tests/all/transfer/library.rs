//! The library: digests that outlive crashes, searches that find exactly what they should, tables that never leave anything out.

use super::rig::{Door, Node, Scene, config, content, disk, file, sha1};
use bytes::Bytes;
use p2p_core::Instant;
use p2p_core::hash::Sha1Hash;
use p2p_core::{
    Cx, Digest, DigestKind, Digester, Effect, Entry, Input, Job, JobDone, Machine, Rng, Source, Stat,
    UnixTime,
};
use p2p_gnutella::Urn;
use p2p_gnutella::library::{Config, Library, Search};
use p2p_gnutella::qrp::{self, Wanted, canonical};
use p2p_gnutella::transfer::Event;
use p2p_gnutella::wire::{Query, QueryFlags};
use p2p_sim::Audit;
use proptest::prelude::*;

fn query(text: &str, urns: &[Urn]) -> Query {
    let urns: Vec<String> = urns.iter().map(ToString::to_string).collect();
    Query {
        flags: QueryFlags(QueryFlags::MARK),
        text: Bytes::copy_from_slice(text.as_bytes()),
        extensions: urns.join("\x1c").into_bytes().into(),
    }
}

/// A machine of no use but to have a context.
struct Nobody;

impl Machine for Nobody {
    type Command = ();
    type Event = ();
    type Error = std::io::Error;
    type Timer = ();

    fn handle(&mut self, _: Input<Self>, _: &mut Cx<'_, Self>) {}
}

/// A library of files of these names, whose content is their name.
fn library(names: &[String]) -> Library {
    let mut config = Config::default();
    config.folders = vec![file(&["share"])];
    let mut library = Library::new(config);
    let mut source = Source::new(Rng::fast_from(1));
    let mut effects: Vec<Effect<Nobody>> = Vec::new();
    let mut cx = Cx::new(Instant::ZERO, UnixTime::from_secs(1), &mut source, &mut effects);
    library.scan(&mut cx);
    loop {
        let todo: Vec<Effect<Nobody>> = std::mem::take(&mut effects);
        if todo.is_empty() {
            return library;
        }
        for effect in todo {
            let Effect::Run(id, job) = effect else { panic!("{effect:?}") };
            let stat = |len: usize| Stat { len: len as u64, modified: UnixTime::from_secs(len as u64) };
            let done = match job {
                Job::List { .. } => JobDone::List(Ok(names
                    .iter()
                    .map(|name| Entry { path: name.clone(), stat: stat(name.len()) })
                    .collect())),
                Job::Stat { file } => {
                    let name = file.path().parts().next_back().unwrap();
                    JobDone::Stat(Ok(Some(stat(name.len()))))
                }
                Job::DigestSpans { kind, spans } => JobDone::Digest(Ok(digest(
                    kind,
                    spans[0].file.path().parts().next_back().unwrap().as_bytes(),
                ))),
                other => panic!("{other:?}"),
            };
            let mut cx = Cx::new(Instant::ZERO, UnixTime::from_secs(1), &mut source, &mut effects);
            library.job(id, done, &mut cx);
        }
    }
}

fn digest(kind: DigestKind, bytes: &[u8]) -> Digest {
    let mut digester = Digester::new(kind);
    digester.update(bytes);
    digester.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A search finds what looking at every file finds; what it finds the table has; and what the table leaves out nobody has.
    #[test]
    fn searches_are_exact_and_tables_leave_nothing_out(
        names in prop::collection::btree_set("[a-c]{1,7}([ _-][a-cä]{1,6}){0,3}\\.(mp3|txt)", 1..30),
        queries in prop::collection::vec("[a-cÄ]{1,6}( [a-c]{1,5}){0,2}", 1..12),
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let mut library = library(&names);
        prop_assert_eq!(library.len(), names.len());
        let (table, cut) = library.table();
        for text in &queries {
            let asked = query(text, &[]);
            let mut found: Vec<&str> = library.matching(&asked, 1_000).iter().map(|file| file.name()).collect();
            found.sort_unstable();
            let scanned: Vec<&str> = names
                .iter()
                .map(String::as_str)
                .filter(|name| qrp::finds(&canonical(name), &canonical(text), cut))
                .collect();
            prop_assert_eq!(&found, &scanned, "{:?}", text);
            prop_assert!(found.is_empty() || table.may_match(&Wanted::of(&asked)), "{:?} is left out", text);
            prop_assert!(library.matching(&asked, 2).len() == found.len().min(2));
        }
        for name in &names {
            let by_name = query("", &[Urn::Sha1(sha1(name.as_bytes()))]);
            let found = library.matching(&by_name, 10);
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].name(), &**name);
            prop_assert!(table.may_match(&Wanted::of(&by_name)));
        }
        prop_assert!(library.matching(&query("", &[Urn::Sha1(Sha1Hash([0; 20]))]), 10).is_empty());
    }
}

#[test]
fn words_between_quotation_marks_stand_next_to_each_other() {
    let names = ["Blue Train.mp3", "train blue.mp3", "blue night train.mp3", "a blue_trä\u{ed}n.ogg"]
        .map(String::from);
    let library = library(&names);
    let found = |text: &str| {
        let asked = query(text, &[]);
        let mut names: Vec<&str> = library.matching(&asked, 10).iter().map(|file| file.name()).collect();
        names.sort_unstable();
        names.len()
    };
    assert_eq!(found("blue train"), 4);
    assert_eq!(found("\"blue train\""), 2);
    assert_eq!(found("\"BLUE-Train\" mp3"), 1);
    assert_eq!(found("\"blue train\" \"train mp3\""), 1);
    assert_eq!(found("\"blue train\" \"mp3 train\""), 0);
    assert_eq!(found("\"train\" \"blue\""), 4, "one word is a word");
    assert_eq!(found("\"blue train"), 4, "what is not closed is no phrase");
    assert_eq!(found("mp3 \"lue trai\""), 0, "of whole words");
}

#[test]
fn attributes_and_the_newest() {
    let names = ["one song.mp3", "another song.ogg", "song lyrics.txt", "film.mkv"].map(String::from);
    let library = library(&names);
    let found = |search: &Search<'_>| {
        let mut names: Vec<&str> = library.search(search, 10).iter().map(|file| file.name()).collect();
        names.sort_unstable();
        names.join(", ")
    };
    let mut search = Search::local("song");
    assert_eq!(found(&search), "another song.ogg, one song.mp3, song lyrics.txt");
    search.media = p2p_gnutella::ggep::fields::media::AUDIO;
    assert_eq!(found(&search), "another song.ogg, one song.mp3");
    search.sizes = 0..=12;
    assert_eq!(found(&search), "one song.mp3");
    let mut search = Search::local("");
    search.ending = Some("MKV".into());
    assert_eq!(found(&search), "film.mkv");
    let mut newest = query(core::str::from_utf8(p2p_gnutella::wire::WHATS_NEW).unwrap(), &[]);
    newest.extensions = Bytes::from_static(b"\xc3\x82WH\x41\x01");
    assert!(newest.is_whats_new());
    let names: Vec<&str> = library.matching(&newest, 2).iter().map(|file| file.name()).collect();
    assert_eq!(names, ["another song.ogg", "song lyrics.txt"]);
    // A stranger without words gets nothing.
    assert!(
        library.matching(&query("", &[]), 10).is_empty()
            && library.matching(&query(" - ", &[]), 10).is_empty()
    );
}

#[cfg(feature = "pattern")]
#[test]
fn patterns_for_local_applications() {
    use p2p_gnutella::library::Pattern;
    let names = ["Track 01.mp3", "track 12.mp3", "notes.txt"].map(String::from);
    let library = library(&names);
    let pattern = Pattern::new(r"^track \d{2}\.mp3$").unwrap();
    let mut search = Search::local("");
    search.pattern = Some(&pattern);
    assert_eq!(library.search(&search, 10).len(), 2);
    search.words = "12".into();
    assert_eq!(library.search(&search, 10).len(), 1);
    assert!(Pattern::new("(").is_err() && Pattern::new("(a{1000}){1000}").is_err());
}

/// How many bytes were digested is not seen from outside; how long it took is, on a disk of a known speed.
#[test]
fn what_was_digested_is_not_digested_again_and_a_crash_costs_little() {
    for crash in [true, false] {
        let mut scene = Scene::new(1);
        let files: Vec<(String, Bytes)> =
            (0..20).map(|at| (format!("file {at}.mp3"), content(at, 200_000))).collect();
        let named: Vec<(&str, &Bytes)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes)).collect();
        let mut own = config(1);
        own.library.save_after = 1_000_000;
        let slow = disk(&named).speed(core::time::Duration::from_micros(100), Some(2_000_000));
        let node = scene.door(1, slow, Door::new(own.clone()));
        let mut secs = 0;
        if crash {
            // In the middle of it, perhaps of a write.
            scene.run(3);
            let before = scene.door_of(node).transfers.library().len();
            assert!((3..20).contains(&before), "{before}");
            scene.sim.kill(node);
            scene.run(1);
            scene.sim.restart(node, Node::Left(Audit::new(Door::new(own.clone()))));
        }
        while scene.door_of(node).transfers.library().len() < 20 {
            scene.run(1);
            secs += 1;
            assert!(secs < 60);
        }
        scene.run(3);
        let (_, cut) = scene.door_mut(node).transfers.library_mut().table();
        assert_eq!(cut, qrp::Cut::MOST);
        scene.sim.kill(node);
        scene.run(1);
        scene.sim.restart(node, Node::Left(Audit::new(Door::new(own))));
        scene.run(1);
        // All of it would take four seconds and more.
        assert_eq!(scene.door_of(node).transfers.library().len(), 20, "crash {crash}");
        for (_, bytes) in &files {
            assert!(scene.door_of(node).transfers.library().by_sha1(&sha1(bytes)).is_some());
        }
    }
}

#[test]
fn changed_and_removed_files_are_noticed() {
    let mut scene = Scene::new(2);
    let (one, two) = (content(1, 50_000), content(2, 60_000));
    let mut own = config(1);
    own.scan_every = core::time::Duration::from_secs(10);
    let node =
        scene.door(1, disk(&[("one.mp3", &one), ("two.mp3", &two), (".hidden", &two)]), Door::new(own));
    scene.run(2);
    let numbers: Vec<u32> = scene.door_of(node).transfers.library().files().map(|file| file.number).collect();
    assert_eq!(numbers, [1, 2]);
    let with = scene.sim.disk(node).clone().with_file(file(&["share", "one.mp3"]), content(3, 70_000));
    *scene.sim.disk(node) = with.with_file(file(&["share", "below", "three.mp3"]), two);
    scene.run(12);
    let library = scene.door_of(node).transfers.library();
    assert!(library.by_sha1(&sha1(&one)).is_none() && library.by_sha1(&sha1(&content(3, 70_000))).is_some());
    assert_eq!(library.len(), 3);
    let ready = scene.events(node).iter().filter(|event| matches!(event, Event::Library(_))).count();
    assert!(ready >= 2);
}
