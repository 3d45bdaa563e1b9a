//! What users do: share, search, get, browse, whois, chat; and what goes wrong, in one line.

use super::peer::Peer;
use super::{Server, events, names, run, running, share};
use crate::rig::{Place, Running, content, field, number, text};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A folder of somebody: music, words, and what is nobody's business.
fn fill(place: &Place, nick: &str) -> Vec<u8> {
    let song = content(700_000, 5);
    place.put(&format!("{nick}/album/Some Band - Blue Sky.mp3"), &song);
    place.put(&format!("{nick}/album/Some Band - Grey \"Sea\".mp3"), &content(300_000, 6));
    place.put(&format!("{nick}/about blue.txt"), b"words");
    place.put(&format!("{nick}/.secret blue.mp3"), b"secret");
    std::os::unix::fs::symlink("/etc/passwd", place.0.join(nick).join("blue link.txt")).unwrap();
    song
}

#[test]
fn share_search_get_browse_whois() {
    let place = Place::new("napster-users");
    let server = Server::new(&place, "name = \"lab\"");
    let at = ["--server", &server.at];
    let song = fill(&place, "alice");
    let sharer = share(&place, &server.at, "alice", &["--speed", "7"]);

    let found = run(&[&["search", "BLUE", "--json"], &at[..]].concat());
    assert!(found.status.success(), "{}", text(&found.stderr));
    assert_eq!(names(&found), ["about blue.txt", r"album\\Some Band - Blue Sky.mp3"]);
    let hit = events(&found, "hit").into_iter().find(|line| line.contains("Sky")).unwrap();
    assert_eq!(
        (field(&hit, "nick"), number(&hit, "size"), number(&hit, "speed")),
        ("alice".into(), 700_000, 7)
    );
    assert_eq!(number(&events(&found, "found")[0], "hits"), 2);
    for (more, hits) in [
        (&["--type", "mp3"][..], 1),
        (&["--type", "text"], 1),
        (&["--max-size", "1k"], 1),
        (&["--min-size", "1M"], 0),
        (&["--min-bitrate", "32"], 0),
        (&["--", "-sky"], 1),
    ] {
        let found = run(&[&["search", "--json"], &at[..], &["blue"], more].concat());
        assert_eq!(events(&found, "hit").len(), hits, "{more:?}");
    }
    let table = text(&run(&[&["search", "blue"], &at[..]].concat()).stdout);
    assert!(table.starts_with("  size  kbit/s") && table.contains(r"700 kB"), "{table}");
    assert!(
        table.lines().any(|line| line.ends_with(r"cable  alice  album\Some Band - Blue Sky.mp3")),
        "{table}"
    );

    let to = place.at("got");
    let got = run(&[&["get", "blue", "sky", "--to", &to, "--json"], &at[..]].concat());
    assert!(got.status.success(), "{}", text(&got.stdout));
    let saved = &events(&got, "saved")[0];
    assert_eq!(number(saved, "bytes"), 700_000);
    assert!(place.read("got/Some Band - Blue Sky.mp3") == song);
    assert!(sharer.event("uploaded").contains("\"sent\":700000,\"complete\":true"));
    // By a user's name for it, the quotes of which the protocol cannot say; and again, under another name.
    for (file, saved) in [
        (r"album\Some Band - Grey 'Sea'.mp3", "got/Some Band - Grey 'Sea'.mp3"),
        ("about blue.txt", "got/about blue.txt"),
        ("about blue.txt", "got/about blue (2).txt"),
    ] {
        let got = run(&[&["get", "--from", "alice", file, "--to", &to], &at[..]].concat());
        assert!(got.status.success(), "{file}: {}", text(&got.stderr));
        assert!(!place.read(saved).is_empty(), "{saved}: {}", text(&got.stdout));
    }
    for direct in [&[][..], &["--direct"]] {
        let listed = run(&[&["browse", "alice", "--json"], &at[..], direct].concat());
        assert!(listed.status.success(), "{direct:?} {}", text(&listed.stderr));
        assert_eq!(events(&listed, "hit").len(), 3, "{direct:?}");
        assert_eq!(number(&events(&listed, "listed")[0], "files"), 3);
    }
    let whois = text(&run(&[&["whois", "ALICE", "--json"], &at[..]].concat()).stdout);
    let known = whois.lines().find(|line| line.contains("\"whois\"")).unwrap();
    assert_eq!((number(known, "shared"), field(known, "online")), (3, "true".into()));
    assert!(text(&run(&[&["whois", "alice"], &at[..]].concat()).stdout).contains("shares      3 files"));
    sharer.interrupt();
    assert_eq!(sharer.code(), 0);
    let last = server.last();
    assert_eq!((number(&last, "shares"), number(&last, "accounts")), (3, 0), "{last}");
}

#[test]
fn a_firewalled_sharer_and_several_servers() {
    let place = Place::new("napster-firewalled");
    let song = fill(&place, "alice");
    let server = Server::new(&place, "");
    let meta = running(&["serve", "--listen", "127.0.0.1:0", "--metaserver", "127.0.0.1:0"]);
    let line = meta.event("listening");
    let (elsewhere, metaserver) = (field(&line, "addr"), field(&line, "metaserver"));
    // The first of two servers is gone: nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let dir = place.at("alice");
    let at = ["--server", &gone, "--server", &server.at];
    let sharer = running(&[&["share", "--nick", "alice", "--dir", &dir, "--firewalled"], &at[..]].concat());
    sharer.event("sharing");
    let to = place.at("got");
    let got = run(&[&["get", "blue", "--type", "mp3", "--to", &to, "--json"], &at[..]].concat());
    assert!(got.status.success(), "{}", text(&got.stdout));
    assert!(text(&got.stdout).contains("\"state\":\"pushed\""));
    assert!(place.read("got/Some Band - Blue Sky.mp3") == song);
    // The metaserver names the other server, where nobody shares.
    let found = run(&["search", "blue", "--metaserver", &metaserver, "--json"]);
    assert!(found.status.success(), "{}", text(&found.stderr));
    assert_eq!(field(&events(&found, "logged_in")[0], "server"), elsewhere);
    assert_eq!(number(&events(&found, "found")[0], "hits"), 0);
}

/// Windows' programs wrote names in CP1252, today's in UTF-8: a word finds both, and both can be had.
#[test]
fn names_of_two_charsets() {
    let place = Place::new("napster-charsets");
    let server = Server::new(&place, "");
    place.put("alice/Café Bleu.mp3", &content(5_000, 1));
    let _alice = share(&place, &server.at, "alice", &[]);
    let mut old = Peer::login(&server.at, "old", "pw", 6699);
    old.say(100, b"\"C:\\Caf\xe9 Noir.mp3\" 0123456789abcdef0123456789abcdef 5 128 44100 9");
    old.settle();
    let find = |more: &[&str]| {
        let found = run(&[&["search", "café", "--json", "--server", &server.at], more].concat());
        assert!(found.status.success(), "{}", text(&found.stderr));
        names(&found)
    };
    assert_eq!(find(&[]), ["C:\\\\Café Noir.mp3", "Café Bleu.mp3"]);
    assert_eq!(find(&["--max", "1"]), ["Café Bleu.mp3"]);
    assert_eq!(find(&["noir"]), ["C:\\\\Café Noir.mp3"]);
    // It is asked for by its own bytes, whoever types its name as it is shown.
    let to = place.at("got");
    let getting = std::thread::spawn({
        let at = server.at.clone();
        move || run(&["get", "--from", "old", "Café Noir.mp3", "--to", &to, "--server", &at, "--json"])
    });
    let asked = old.hear(607);
    assert!(asked.ends_with(b" \"C:\\Caf\xe9 Noir.mp3\""), "{}", asked.escape_ascii());
    old.say(609, asked);
    let refused = getting.join().unwrap();
    assert!(text(&refused.stdout).contains("refuses"), "{}", text(&refused.stdout));
}

/// Two have the same file under two names, a third has another one: the one that most have is fetched, of either.
#[test]
fn the_file_that_most_users_have() {
    let place = Place::new("napster-most");
    let server = Server::new(&place, "");
    let song = content(40_000, 9);
    place.put("alice/blue one.mp3", &song);
    place.put("bob/blue two.mp3", &song);
    place.put("carol/blue three.mp3", &content(50_000, 10));
    let mut sharers = Vec::new();
    for (nick, speed) in [("carol", "10"), ("alice", "3"), ("bob", "8")] {
        sharers.push(share(&place, &server.at, nick, &["--speed", speed]));
    }
    let to = place.at("got");
    let args = ["get", "blue", "--to", &to, "--server", &server.at, "--json"];
    let got = run(&args);
    assert!(got.status.success(), "{}", text(&got.stdout));
    assert!(events(&got, "getting")[0].contains(r#""nicks":["bob","alice"]"#), "{}", text(&got.stdout));
    assert!(place.read("got/blue two.mp3") == song);
    // The fastest of the two is now somebody who refuses: the other one gives it.
    let bob = sharers.pop().unwrap();
    bob.interrupt();
    assert_eq!(bob.code(), 0);
    let mut dave = Peer::login(&server.at, "dave", "pw", 6699);
    dave.say(211, "alice");
    let list = dave.list(212, 213);
    let of_alice = std::str::from_utf8(&list[0]).unwrap();
    dave.say(100, of_alice.strip_prefix("alice ").unwrap().replace("one", "four"));
    dave.settle();
    let refuse = std::thread::spawn(move || {
        let asked = dave.hear(607);
        dave.say(609, asked);
        dave
    });
    let again = run(&args);
    assert!(again.status.success(), "{}", text(&again.stdout));
    let told = text(&again.stdout);
    assert!(told.contains(r#""state":"trying","nick":"dave""#) && told.contains("refuses"), "{told}");
    assert!(place.read("got/blue four.mp3") == song);
    drop(refuse.join().unwrap());
}

/// Users of two linked servers find each other's files and fetch them, until one server is gone.
#[test]
fn two_servers_are_linked() {
    let (here, there) = (Place::new("napster-link-a"), Place::new("napster-link-b"));
    let link = |place: &Place, other: &str, theirs: &str, ours: &str, dial: &str| {
        place.put("theirs", theirs.as_bytes());
        place.put("ours", ours.as_bytes());
        let files = "password_file = \"theirs\"\nown_password_file = \"ours\"";
        format!("[[link]]\nname = \"{other}\"\n{files}\n{dial}\n")
    };
    let first = format!("name = \"a\"\n{}", link(&here, "b", "of b", "of a", ""));
    let first = Server::new(&here, &first);
    let dial = format!("address = \"{}\"\ndial = true", first.at);
    let second = format!("name = \"b\"\n{}", link(&there, "a", "of a", "of b", &dial));
    let second = Server::new(&there, &second);
    assert_eq!(field(&second.program.event("link_up"), "server"), "a");
    assert_eq!(field(&first.program.event("link_up"), "server"), "b");
    let song = content(50_000, 11);
    here.put("alice/blue song.mp3", &song);
    let sharer = share(&here, &first.at, "alice", &[]);
    let (to, at) = (there.at("got"), ["--server", &second.at]);
    let got = run(&[&["get", "blue", "--to", &to, "--json"], &at[..]].concat());
    assert!(got.status.success(), "{}", text(&got.stdout));
    assert!(there.read("got/blue song.mp3") == song);
    let local = run(&[&["search", "blue", "--local", "--json"], &at[..]].concat());
    assert_eq!(names(&local).len(), 0);
    let mut eyes = Peer::login(&second.at, "eyes", "pw", 6699);
    eyes.say(603, "alice");
    assert!(eyes.hear(604).starts_with(b"alice "));
    first.program.kill();
    assert_eq!(field(&second.program.event("link_down"), "server"), "a");
    eyes.say(200, "FILENAME CONTAINS \"blue\" MAX_RESULTS 10");
    assert_eq!(eyes.list(201, 202).len(), 0);
    sharer.event("logged_out");
    let last = second.last();
    assert_eq!((number(&last, "linked_users"), number(&last, "links")), (0, 0), "{last}");
}

#[test]
fn they_talk() {
    let place = Place::new("napster-chat");
    let server = Server::new(&place, "motd = [\"be kind\"]");
    let chat = |nick: &str, more: &[&str]| {
        let args = ["chat", "--server", &server.at, "--nick", nick];
        Running::talking("napster", &[&args[..], &LISTEN, more].concat())
    };
    let mut alice = chat("alice", &["music"]);
    alice.wait("the message of the day", |line| line == r#"{"event":"motd","text":"be kind"}"#);
    assert_eq!(field(&alice.event("entered"), "channel"), "#music");
    let mut bob = chat("bob", &["#music"]);
    bob.event("entered");
    alice.wait("bob", |line| line.contains("\"nick\":\"bob\"") && line.contains("\"came\":true"));
    bob.say("hello \x1b[2J all");
    let said = alice.event("said");
    assert_eq!((field(&said, "nick"), field(&said, "channel")), ("bob".into(), "#music".into()));
    assert!(!said.contains('\x1b') && field(&said, "text").starts_with("hello "), "{said}");
    alice.say("/msg bob just you");
    assert_eq!(field(&bob.event("message"), "text"), "just you");
    alice.say("/list");
    assert_eq!(number(&alice.event("channel"), "users"), 2);
    alice.say("/msg nobody hello?");
    assert!(alice.event("notice").contains("nobody"));
    alice.hush();
    assert_eq!(alice.code(), 0);
    bob.event("parted");
    bob.interrupt();
    assert_eq!(bob.code(), 0);
}

/// What is done and what a channel is about; and an operator throws somebody out, for good, and takes it back.
#[test]
fn an_operator_keeps_order() {
    let place = Place::new("napster-order");
    place.put("boss.password", b"topsecret\n");
    let account = "[[account]]\nnick = \"boss\"\nlevel = \"Elite\"\npassword_file = \"boss.password\"";
    let server = Server::new(&place, account);
    let chat = |nick: &str, more: &[&str]| {
        let args = ["chat", "music", "--server", &server.at, "--nick", nick];
        Running::talking("napster", &[&args[..], &LISTEN, more].concat())
    };
    let mut boss = chat("boss", &["--password-file", &place.at("boss.password")]);
    boss.event("entered");
    let mut bob = chat("bob", &[]);
    bob.event("entered");
    bob.say("/me waves");
    boss.wait("a wave", |line| line.contains("\"text\":\"waves\",\"emote\":true"));
    bob.say("/topic mine");
    bob.say("/ban boss");
    assert!(!bob.event("notice").is_empty());
    bob.say("/what is this");
    assert!(field(&bob.event("not_said"), "why").contains("/ban WHO"));
    boss.say("/topic all about music");
    bob.wait("a topic", |line| line.contains("\"topic\"") && line.contains("all about music"));
    boss.say("/ban bob floods \"us\"");
    boss.say("/kill bob floods");
    bob.event("logged_out");
    let refused = run(&["search", "x", "--server", &server.at, "--nick", "bob"]);
    let line = text(&refused.stderr);
    assert!(refused.status.code() == Some(1) && line.contains("floods 'us'"), "{line}");
    boss.say("/bans");
    let ban = boss.wait("a ban", |line| line.contains("\"other\"") && line.contains("bob"));
    assert!(matches!(number(&ban, "type"), 616 | 629), "{ban}");
    boss.say("/unban bob");
    boss.say("/level nobody Admin");
    boss.event("notice");
    assert!(run(&["search", "x", "--server", &server.at, "--nick", "bob"]).status.success());
}

/// A sharer that sends the first half of a file and then next to nothing; later, the rest.
#[test]
fn interrupted_and_resumed() {
    let place = Place::new("napster-resume");
    let server = Server::new(&place, "");
    let file = content(200_000, 8);
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slow = Peer::login(&server.at, "slow", "pw", door.local_addr().unwrap().port());
    slow.say(100, "\"C:\\Slow Song.mp3\" 0123456789abcdef0123456789abcdef 200000 128 44100 12");
    slow.settle();
    let (file_half, half) = (file.clone(), file.len() / 2);
    let serve = std::thread::spawn(move || {
        let mut offsets = Vec::new();
        for round in 0..2 {
            let asked = slow.hear(607);
            slow.say(608, asked);
            let (mut stream, _) = door.accept().unwrap();
            let offset = greet(&mut stream);
            offsets.push(offset);
            stream.write_all(b"200000").unwrap();
            let end = if round == 0 { half } else { file_half.len() };
            stream.write_all(&file_half[offset..end]).unwrap();
            // A byte now and then, until the other end has had enough.
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let mut rest = file_half[end..].iter();
            while stream.read(&mut [0; 16]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                let Some(byte) = rest.next() else { break };
                if stream.write_all(&[*byte]).is_err() {
                    break;
                }
            }
        }
        offsets
    });
    let to = place.at("got");
    let args = [&["get", "slow", "--to", &to, "--server", &server.at], &LISTEN[..]].concat();
    let first = running(&args);
    first.wait("half of it", |line| line.contains("\"receiving\"") && number(line, "have") >= half as u64);
    first.interrupt();
    let had = number(&first.event("interrupted"), "have");
    assert!((half as u64..200_000).contains(&had), "{had}");
    assert_eq!(first.code(), 130);
    let second = run(&args);
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert!(place.read("got/Slow Song.mp3") == file);
    let offsets = serve.join().unwrap();
    assert!(offsets[0] == 0 && offsets[1] > half / 2, "{offsets:?}");
}

/// "1", then `GET` and what is wanted, in whatever segments; the offset.
fn greet(stream: &mut TcpStream) -> usize {
    stream.write_all(b"1").unwrap();
    let mut heard = Vec::new();
    loop {
        let mut room = [0; 1_024];
        let len = stream.read(&mut room).unwrap();
        assert!(len > 0, "it left");
        heard.extend_from_slice(&room[..len]);
        // `GETnick "name" offset`: the whole of it is in the second segment.
        if let Some(at) = heard.iter().rposition(|byte| *byte == b'"')
            && at > 4
            && heard.len() > at + 2
        {
            assert!(heard.starts_with(b"GET"));
            return std::str::from_utf8(&heard[at + 2..]).unwrap().parse().unwrap();
        }
    }
}

#[test]
fn what_goes_wrong_in_one_line() {
    let place = Place::new("napster-wrong");
    place.put("alice/song.mp3", b"song");
    place.put("bad.toml", b"name = \"x\"\n[limits]\nconnection = 5\n");
    place.put("secret", b"pw\n");
    place.put("junk", &[b'x'; 9_000]);
    let server = Server::new(&place, "registered_only = true\nopen_registration = false");
    let open = Server::new(&Place::new("napster-wrong-open"), "");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (to, dir, none) = (place.at("to"), place.at("alice"), place.at("none"));
    let (bad, junk, missing) = (place.at("bad.toml"), place.at("junk"), place.at("missing.toml"));
    let silent = ["--server", &open.at];
    for (args, says) in [
        (vec!["search", "x", "--server", &gone], "refused"),
        (vec!["search", "x", "--server", &server.at], "Only registered nicks"),
        (vec!["search", "-x", "--server", &open.at], ""),
        (vec!["get", "nothing", "--to", &to, silent[0], silent[1]], "nothing found for nothing"),
        (vec!["get", "--from", "nobody", "x", "--to", &to, silent[0], silent[1]], "no such user"),
        (vec!["browse", "nobody", silent[0], silent[1]], "no such user"),
        (vec!["whois", "nobody", silent[0], silent[1]], "no such user"),
        (vec!["share", "--nick", "a", "--dir", &none, silent[0], silent[1]], "no folder"),
        (vec!["share", "--nick", "a", "--dir", &dir, silent[0], silent[1], "--listen", &open.at], "in use"),
        (vec!["chat", "--nick", "a", "--password-file", &none, silent[0], silent[1]], "none"),
        (vec!["search", "x", "--nick", "a", "--register", silent[0], silent[1]], "NAPSTER_PASSWORD"),
        (vec!["serve", "--listen", &open.at], "in use"),
        (vec!["serve", "--config", &bad], "line 3: unknown field `connection`"),
        (vec!["serve", "--config", &missing], "missing.toml"),
        (vec!["serve", "--listen", "127.0.0.1:0", "--store", &junk], "junk"),
        (vec!["serve", "--listen", "0.0.0.0:0", "--metaserver", "127.0.0.1:0"], "--public"),
    ] {
        if says.is_empty() {
            assert_eq!(run(&args).status.code(), Some(2), "{args:?}");
            continue;
        }
        let ended = run(&args);
        let line = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {line}");
        let errors: Vec<&str> = line.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(says), "{args:?}: {line}");
    }
    let failed = run(&["whois", "nobody", "--json", silent[0], silent[1]]);
    assert_eq!(events(&failed, "error").len(), 1, "{}", text(&failed.stdout));
    for args in [vec!["search", "x"], vec!["steal"], vec!["get", "x", "--server", &open.at]] {
        assert_eq!(run(&args).status.code(), Some(2), "{args:?}");
    }
}
