//! Many at once over real sockets, and what they do checked against a model.

use super::peer::{Peer, frame};
use super::{Server, run};
use crate::rig::{PATIENCE, Place, number};
use p2p_core::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Instant;

/// Limits that nobody here comes near.
const WIDE: &str = "[limits]\nconnections_per_address = 100000\nresults = 100000\nfiles_per_user = 5000\n\
    logins = { per_minute = 1000000, burst = 1000000 }\n\
    shares_per_address = { per_minute = 1000000, burst = 1000000 }\n\
    searches = { per_minute = 1000000, burst = 1000000 }\n\
    searches_per_address = { per_minute = 1000000, burst = 1000000 }\n\
    messages = { per_minute = 1000000, burst = 1000000 }\n\
    messages_per_address = { per_minute = 1000000, burst = 1000000 }";

/// Descriptors that this process may have, after asking for as many as it can get.
fn descriptors() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let most = if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    usize::try_from(most).unwrap_or(usize::MAX)
}

#[test]
fn five_thousand_connections() {
    // The server is a process of its own, so each end has its own descriptors.
    let wanted = 5_000;
    let users = wanted.min(descriptors().saturating_sub(200));
    if users < wanted {
        println!("note: this system allows only {users} of {wanted} connections");
    }
    assert!(users >= 500, "too few descriptors to say anything");
    let place = Place::new("napster-crowd");
    let server = Server::new(&place, WIDE);
    let began = Instant::now();
    let mut crowd: Vec<Peer> = (0..users)
        .map(|i| {
            let mut peer = Peer::connect(&server.at);
            peer.say(2, format!("user{i} pw 6699 \"probe\" 7"));
            peer.say(
                100,
                format!("\"C:\\music\\Band {i} - Common Song.mp3\" {i:032x} 4000000 128 44100 240"),
            );
            peer
        })
        .collect();
    for peer in &mut crowd {
        peer.welcome();
        peer.settle();
    }
    println!("{users} users are in, with a file each, after {:?}", began.elapsed());
    // All are there at once, and each finds the file of another.
    assert_eq!(crowd[0].users(), users as u64);
    let began = Instant::now();
    for i in (0..users).step_by(50) {
        let of = (i + users / 2) % users;
        crowd[i].say(200, format!("FILENAME CONTAINS \"{of} common\" MAX_RESULTS 10"));
        let found = crowd[i].list(201, 202);
        let own = format!("\"C:\\music\\Band {of} - ");
        assert!(
            found.iter().any(|hit| hit.starts_with(own.as_bytes())),
            "{i} does not find the file of {of}"
        );
    }
    println!("a search takes {:?} with its way", began.elapsed() / (users / 50) as u32);
    // Half of them leave at once.
    crowd.truncate(users / 2);
    let began = Instant::now();
    while crowd[0].users() > users as u64 / 2 {
        assert!(began.elapsed() < PATIENCE, "they are still there");
    }
    // Their files left with them.
    for (of, hits) in [(users / 2 - 1, 1), (users / 2, 0), (users - 1, 0)] {
        crowd[0].say(200, format!("FILENAME CONTAINS \"{of} common\" MAX_RESULTS 10"));
        assert_eq!(crowd[0].list(201, 202).len(), hits, "of {of}");
    }
    let last = server.last();
    assert_eq!(number(&last, "files"), users as u64 / 2, "{last}");
    assert_eq!(number(&last, "logins"), users as u64, "{last}");
    assert_eq!((number(&last, "malformed"), number(&last, "unread")), (0, 0), "{last}");
}

/// Who shares what, as it should be.
#[derive(Default)]
struct Model {
    users: BTreeMap<usize, (Peer, BTreeSet<String>)>,
}

const WORDS: [&str; 8] = ["blue", "red", "love", "night", "dance", "sun", "rain", "fire"];

#[test]
fn a_thousand_random_steps() {
    let seed = std::env::var("NAPSTER_SEED").map_or(7, |seed| seed.parse().unwrap());
    println!("NAPSTER_SEED={seed}");
    let mut rng = Rng::fast_from(seed);
    let place = Place::new("napster-steps");
    let server = Server::new(&place, WIDE);
    let mut model = Model::default();
    let (mut steps, mut shares) = ([0; 5], 0);
    for _ in 0..1_000 {
        let user = rng.index(30);
        let Some((peer, files)) = model.users.get_mut(&user) else {
            let peer = Peer::login(&server.at, &format!("user{user}"), "pw", 6699);
            model.users.insert(user, (peer, BTreeSet::new()));
            steps[0] += 1;
            continue;
        };
        match rng.index(10) {
            0 => {
                let (mut peer, _) = model.users.remove(&user).unwrap();
                // With what is on its way, or without.
                if rng.index(2) == 0 {
                    peer.say(100, "\"never blue.mp3\" 0 1 128 44100 1");
                }
                steps[1] += 1;
            }
            1 => {
                peer.say(110, "");
                files.clear();
                steps[2] += 1;
            }
            2 | 3 => {
                let file = files.iter().nth(rng.index(files.len().max(1))).cloned();
                if let Some(file) = file {
                    peer.say(102, &file);
                    files.remove(&file);
                    steps[3] += 1;
                }
            }
            _ => {
                let words = [0; 3].map(|_| WORDS[rng.index(WORDS.len())]);
                let file = format!("C:\\{}\\{} {} {}.mp3", words[0], words[1], words[2], rng.index(20));
                let size = file.len() * 1_000;
                peer.say(100, format!("\"{file}\" {:032x} {size} 128 44100 100", file.len()));
                shares += usize::from(files.insert(file));
                steps[4] += 1;
            }
        }
    }
    println!("logins, logouts, unshared all, unshared one, shared: {steps:?}");
    assert!(steps.iter().all(|steps| *steps > 20) && shares > 200, "{steps:?}");
    let mut eyes = Peer::login(&server.at, "eyes", "pw", 6699);
    for (peer, _) in model.users.values_mut() {
        peer.settle();
    }
    let began = Instant::now();
    while eyes.users() != model.users.len() as u64 + 1 {
        assert!(began.elapsed() < PATIENCE, "not all who left are gone");
    }
    for words in 0..WORDS.len() * WORDS.len() {
        let (one, other) = (WORDS[words / WORDS.len()], WORDS[words % WORDS.len()]);
        eyes.say(200, format!("FILENAME CONTAINS \"{one} {other}\" MAX_RESULTS 100000"));
        let found: BTreeSet<(String, String)> = eyes.list(201, 202).iter().map(|hit| hit_of(hit)).collect();
        let has = |file: &str, word: &str| file.split(['\\', ' ', '.']).any(|part| part == word);
        let all =
            model.users.iter().flat_map(|(user, (_, files))| files.iter().map(move |file| (*user, file)));
        let fits = all.filter(|(_, file)| has(file, one) && has(file, other));
        let expected = fits.map(|(user, file)| (format!("user{user}"), file.clone())).collect();
        assert_eq!(found, expected, "{one} {other}, NAPSTER_SEED={seed}");
    }
    for (user, (_, files)) in &model.users {
        eyes.say(211, format!("user{user}"));
        let listed: BTreeSet<String> = eyes.list(212, 213).iter().map(|line| quoted(line)).collect();
        assert_eq!(listed, *files, "user{user}, NAPSTER_SEED={seed}");
    }
    let files: usize = model.users.values().map(|(_, files)| files.len()).sum();
    let last = server.last();
    assert_eq!(number(&last, "files"), files as u64, "{last}");
}

/// Who has a hit, and its name.
fn hit_of(line: &[u8]) -> (String, String) {
    let text = String::from_utf8(line.to_vec()).unwrap();
    // "name" md5 size bitrate freq secs nick ip speed
    let rest = text.rsplit('"').next().unwrap();
    (rest.split(' ').nth(6).unwrap().to_owned(), quoted(line))
}

fn quoted(line: &[u8]) -> String {
    let text = String::from_utf8(line.to_vec()).unwrap();
    text.split('"').nth(1).unwrap().to_owned()
}

/// Many write at the same time: whatever the order, all is taken.
#[test]
fn lists_that_come_at_the_same_time() {
    let place = Place::new("napster-storm");
    let server = Server::new(&place, WIDE);
    let threads: Vec<_> = (0..20)
        .map(|user| {
            let at = server.at.clone();
            std::thread::spawn(move || {
                let mut peer = Peer::login(&at, &format!("user{user}"), "pw", 6699);
                for i in 0..200 {
                    let line = format!("\"C:\\m\\song {i} of many.mp3\" {i:032x} 4000 128 44100 240");
                    peer.stream.write_all(&frame(100, line)).unwrap();
                }
                peer.settle();
                peer
            })
        })
        .collect();
    let peers: Vec<Peer> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let found = run(&["search", "song", "137", "--server", &server.at, "--max", "1000", "--json"]);
    assert_eq!(super::events(&found, "hit").len(), 20);
    drop(peers);
    let last = server.last();
    assert_eq!(number(&last, "shares"), 4_000, "{last}");
}
