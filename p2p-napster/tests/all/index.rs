//! The index against a linear scan of what its users share.

use p2p_napster::index::{
    FileRef, FileSpec, Filter, Fingerprint, Found, Index, Kind, Kinds, Limits, Load, Refused, Shared, Totals,
    UserId,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A file that a user shares, as the model keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Owned {
    name: Vec<u8>,
    fingerprint: Fingerprint,
    size: u64,
    bitrate: u16,
    freq: u32,
    seconds: u32,
    kind: Kind,
}

impl Owned {
    fn spec(&self) -> FileSpec<'_> {
        let Self { fingerprint, size, bitrate, freq, seconds, kind, .. } = *self;
        FileSpec { name: &self.name, fingerprint, size, bitrate, freq, seconds, kind }
    }

    fn of(file: &FileRef<'_>) -> Self {
        let FileRef { fingerprint, size, bitrate, freq, seconds, kind, .. } = *file;
        Self { name: file.name(), fingerprint, size, bitrate, freq, seconds, kind }
    }
}

type Hits = Vec<(UserId, Owned)>;

/// Who shares what, looked through from end to end.
#[derive(Default)]
struct Model(BTreeMap<UserId, BTreeMap<Vec<u8>, Owned>>);

impl Model {
    fn share(&mut self, user: UserId, file: &Owned) -> Shared {
        match self.0.entry(user).or_default().insert(file.name.clone(), file.clone()) {
            None => Shared::Added,
            Some(old) if old == *file => Shared::Already,
            Some(_) => Shared::Replaced,
        }
    }

    fn unshare(&mut self, user: UserId, name: &[u8]) -> bool {
        self.0.get_mut(&user).is_some_and(|files| files.remove(name).is_some())
    }

    fn all(&self, is: impl Fn(&Owned) -> bool) -> Hits {
        let files = self.0.iter().flat_map(|(user, files)| files.values().map(|file| (*user, file)));
        let mut hits: Hits =
            files.filter(|(_, file)| is(file)).map(|(user, file)| (user, file.clone())).collect();
        hits.sort();
        hits
    }

    fn totals(&self) -> Totals {
        let files = || self.0.values().flat_map(BTreeMap::values);
        Totals {
            users: self.0.values().filter(|files| !files.is_empty()).count(),
            files: files().count() as u64,
            bytes: files().map(|file| file.size).sum(),
        }
    }
}

fn search(index: &Index, filter: &Filter<'_>, max: usize) -> (Found, Hits) {
    let mut hits = Vec::new();
    let found = index.search(filter, max, &mut |user, file| {
        hits.push((user, Owned::of(&file)));
        true
    });
    (found, hits)
}

fn sorted(mut hits: Hits) -> Hits {
    hits.sort();
    hits
}

/// A search gives what a scan gives, in the same order each time, and a part of it from the front when it is cut.
fn compare(index: &Index, model: &Model, filter: &Filter<'_>) {
    let scan = model.all(|file| filter.matches(&file.spec().as_ref()));
    let (found, hits) = search(index, filter, usize::MAX);
    assert_eq!(found, Found { hits: scan.len(), complete: true }, "{filter:?}");
    assert_eq!(sorted(hits.clone()), scan, "{filter:?}");
    let most = 1 + scan.len() / 2;
    let (cut, front) = search(index, filter, most);
    assert_eq!((cut.hits, cut.complete), (most.min(scan.len()), true));
    assert_eq!(front, hits[..cut.hits]);
}

const WORDS: [&str; 8] = ["blue", "Train", "MP3", "a", "\u{e9}t\u{e9}", "17", "caf\u{e9}", "of"];
const FOLDERS: [&str; 5] = ["", "C:\\My Music\\", "C:\\blue/", "/", "Z:\\a\\17\\"];

fn file() -> impl Strategy<Value = Owned> {
    (
        prop::sample::select(&FOLDERS[..]),
        prop::collection::vec(prop::sample::select(&WORDS[..]), 1..4),
        prop::sample::select(&["0123456789abcdef0123456789abcdef", "", "NOMD5COMPUTED", "7-22"][..]),
        prop::sample::select(&[1000u64, 2000, 5 << 32][..]),
        prop::sample::select(&[128u16, 192][..]),
        prop::sample::select(&[44_100u32, 48_000][..]),
        0u32..3,
        prop::sample::select(&Kind::ALL[..3]),
    )
        .prop_map(|(folder, words, md5, size, bitrate, freq, seconds, kind)| Owned {
            name: [folder.as_bytes(), words.join(" - ").as_bytes()].concat(),
            fingerprint: Fingerprint::new(md5.as_bytes()),
            size,
            bitrate,
            freq,
            seconds,
            kind,
        })
}

#[derive(Debug, Clone)]
enum Step {
    Share(UserId, Owned),
    Unshare(UserId, prop::sample::Index),
    UnshareAll(UserId),
    Tidy,
}

fn step() -> impl Strategy<Value = Step> {
    let user = || (0u32..6).prop_map(UserId);
    prop_oneof![
        30 => (user(), file()).prop_map(|(user, file)| Step::Share(user, file)),
        10 => (user(), any::<prop::sample::Index>()).prop_map(|(user, which)| Step::Unshare(user, which)),
        2 => user().prop_map(Step::UnshareAll),
        1 => Just(Step::Tidy),
    ]
}

fn take(index: &mut Index, model: &mut Model, step: Step) {
    match step {
        Step::Share(user, file) => {
            assert_eq!(index.share(user, &file.spec()), Ok(model.share(user, &file)));
            assert_eq!(index.find(user, &file.name).map(|file| Owned::of(&file)), Some(file));
        }
        Step::Unshare(user, which) => {
            let names: Vec<Vec<u8>> =
                model.0.get(&user).into_iter().flatten().map(|(name, _)| name.clone()).collect();
            let name = if names.is_empty() { b"not there".to_vec() } else { which.get(&names).clone() };
            assert_eq!(index.unshare(user, &name), model.unshare(user, &name));
            assert!(index.find(user, &name).is_none() && !index.unshare(user, &name));
        }
        Step::UnshareAll(user) => {
            assert_eq!(index.unshare_all(user), model.0.remove(&user).map_or(0, |files| files.len()));
        }
        Step::Tidy => {
            index.tidy(3);
        }
    }
}

fn filters(mut each: impl FnMut(&Filter<'_>)) {
    for a in WORDS {
        each(&Filter::words(&[a.as_bytes()]));
        for b in WORDS {
            each(&Filter::words(&[a.to_ascii_uppercase().as_bytes(), b.as_bytes()]));
            each(&Filter { excludes: &[b.as_bytes()], ..Filter::words(&[a.as_bytes()]) });
        }
        let text = [a, "!", "c"].concat();
        each(&Filter { bitrate: 129..=320, ..Filter::words(&[text.as_bytes()]) });
        each(&Filter { freq: 0..=44_100, size: 0..=1999, ..Filter::words(&[a.as_bytes()]) });
        let kinds = Kinds::only(Kind::Video).with(Kind::Mp3);
        each(&Filter { kinds, seconds: 1..=1, size: 5 << 32..=u64::MAX, ..Filter::words(&[a.as_bytes()]) });
    }
    each(&Filter::words(&[]));
    each(&Filter::words(&[b"-", b""]));
    each(&Filter::words(&[b"blue train nowhere"]));
    each(&Filter { excludes: &[b"blue"], ..Filter::default() });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn like_a_scan(steps in prop::collection::vec(step(), 1..250), fallow in prop_oneof![Just(0), 1usize..20]) {
        let mut index = Index::new(Limits { fallow, ..Limits::default() }, [1, 2]);
        let mut model = Model::default();
        for step in steps {
            take(&mut index, &mut model, step);
        }
        filters(|filter| compare(&index, &model, filter));
        prop_assert_eq!(index.totals(), model.totals());
        for user in (0..6).map(UserId) {
            let mut files: Vec<Owned> = index.browse(user).map(|file| Owned::of(&file)).collect();
            files.sort();
            let own = model.all(|_| true).into_iter().filter(|(other, _)| *other == user);
            prop_assert!(own.map(|(_, file)| file).eq(files));
        }
        let md5 = Fingerprint::new(b"0123456789ABCDEF0123456789ABCDEF");
        for (fingerprint, size) in [(md5, 1000), (md5, 2000), (md5, 5 << 32), (md5, 7), (Fingerprint::new(b"7-22"), 1000)] {
            let mut hits = Vec::new();
            let found = index.by_digest(&fingerprint, size, usize::MAX, &mut |user, file| {
                hits.push((user, Owned::of(&file)));
                true
            });
            let scan = model.all(|file| file.fingerprint == fingerprint && file.size == size && fingerprint.md5().is_some());
            prop_assert_eq!(found, Found { hits: scan.len(), complete: true });
            prop_assert_eq!(sorted(hits), scan);
        }
        // Nothing is left of anybody once all are gone.
        for user in (0..6).map(UserId) {
            index.unshare_all(user);
        }
        prop_assert_eq!(index.totals(), Totals::default());
        index.tidy(usize::MAX);
        let Load { entries, fallow: left, words } = index.load();
        prop_assert!(entries == left && left <= fallow + left / 16 && (words == 0) == (left == 0), "{:?}", index.load());
    }
}

fn song(artist: u32, title: u32) -> Owned {
    Owned {
        name: format!("C:\\Music\\Artist{artist} - Title {title} {}.mp3", title % 97).into_bytes(),
        fingerprint: Fingerprint::from_md5(u128::from(title).to_le_bytes()),
        size: 4_000_000 + u64::from(title),
        bitrate: if title.is_multiple_of(3) { 192 } else { 128 },
        freq: 44_100,
        seconds: 200 + title % 64,
        kind: Kind::Mp3,
    }
}

/// Lists of every form: one word in all of 72,000 files, others in thousands, hundreds and one, before and after a
/// third of the users go and others come.
#[test]
fn lists_of_every_length() {
    let mut index = Index::new(Limits { search_steps: usize::MAX, fallow: 0, ..Limits::default() }, [3, 4]);
    let mut model = Model::default();
    let come = |index: &mut Index, model: &mut Model, users: std::ops::Range<u32>| {
        for user in users {
            for i in 0..80 {
                let title = user * 72 + i;
                let file = song(title % 1300, title);
                assert_eq!(index.share(UserId(user), &file.spec()), Ok(Shared::Added));
                model.share(UserId(user), &file);
            }
        }
    };
    let look = |index: &Index, model: &Model| {
        for texts in [
            &[&b"mp3"[..]][..],
            &[b"c", b"music", b"mp3", b"title"],
            &[b"mp3", b"17"],
            &[b"17", b"artist17"],
            &[b"title 4444"],
            &[b"artist7 mp3 7"],
        ] {
            compare(index, model, &Filter::words(texts));
            compare(index, model, &Filter { excludes: &[b"artist7 33", b"5"], ..Filter::words(texts) });
            compare(index, model, &Filter { bitrate: 160..=200, seconds: 0..=230, ..Filter::words(texts) });
        }
        compare(index, model, &Filter { excludes: &[b"music"], ..Filter::words(&[b"mp3"]) });
        assert_eq!(index.totals(), model.totals());
    };
    come(&mut index, &mut model, 0..1000);
    look(&index, &model);
    for user in (0..1000).filter(|user| user % 3 == 0) {
        assert_eq!(index.unshare_all(UserId(user)), 80);
        model.0.remove(&UserId(user));
    }
    come(&mut index, &mut model, 1000..1100);
    look(&index, &model);
}

#[test]
fn the_callback_decides_what_counts() {
    let mut index = Index::new(Limits::default(), [0; 2]);
    for user in 0..10 {
        index.share(UserId(user), &song(1, user / 2).spec()).unwrap();
    }
    let mut asked = 0;
    let found = index.search(&Filter::words(&[b"artist1"]), 3, &mut |user, _| {
        asked += 1;
        user.0 % 2 == 1
    });
    assert_eq!((found.hits, asked), (3, 6));
    assert_eq!(index.search(&Filter::words(&[b"artist1"]), 0, &mut |_, _| true).hits, 0);
}

#[test]
fn limits() {
    let limits = Limits { name_bytes: 40, words: 5, files: 3, search_steps: 7, fallow: 0 };
    let mut index = Index::new(limits, [0; 2]);
    let user = UserId(1);
    let named = |name: &str| Owned { name: name.into(), ..song(0, 0) };
    let mut share = |name: &str| index.share(user, &named(name).spec());
    assert_eq!(share(""), Err(Refused::Nameless));
    assert_eq!(share(&"x".repeat(41)), Err(Refused::LongName));
    assert_eq!(share("a b c d e f"), Err(Refused::ManyWords));
    assert_eq!(share("a b c d e"), Ok(Shared::Added));
    assert_eq!(share("...\\..."), Ok(Shared::Added));
    assert_eq!(share(&"x".repeat(40)), Ok(Shared::Added));
    assert_eq!(share("one more"), Err(Refused::ManyFiles));
    // In the place of one that is there it fits.
    let other = Owned { bitrate: 7, ..named("a b c d e") };
    assert_eq!(index.share(user, &other.spec()), Ok(Shared::Replaced));
    assert_eq!(index.totals_of(user).files, 3);
    // A search that rules out nearly everything is cut, and says so.
    for user in 2..10 {
        index.share(UserId(user), &named("common").spec()).unwrap();
    }
    let found = index.search(&Filter::words(&[b"common"]), 9, &mut |user, _| user.0 > 5);
    assert_eq!(found, Found { hits: 2, complete: false });
}
