//! Both sides of the recorded links, played by our server: it must send the types that opennap-ng sent, in that order and
//! with those fields, but for what [`normal`] says.
//!
//! Server A has the users boss (an administrator) and xena, and dials B, which has yuri. Its password is passA, B's passB.

use crate::server::capture::{Event, events};
use crate::server::rig::{Heard, Rig, config, frame};
use bytes::{Bytes, BytesMut};
use p2p_core::{ConnId, Duration, Input, StreamInput};
use p2p_napster::deflate::{Deflater, InflateLimits, Inflater};
use p2p_napster::link::LinkPeer;
use p2p_napster::link::proof::{Nonce, Proof};
use p2p_napster::server::{LinkConfig, LinkEnd, ServerCommand, ServerEvent};
use p2p_napster::wire::message::LinkedUser;
use p2p_napster::wire::query::Clause;
use p2p_napster::wire::{Decoder, Level, Linked, Query};
use std::collections::BTreeMap;

/// One of two servers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Side {
    name: &'static str,
    password: &'static str,
    port: u16,
}

const A: Side = Side { name: "servera", password: "passA", port: 8888 };
const B: Side = Side { name: "serverb", password: "passB", port: 8890 };

/// What may differ: nonces and what follows from them, the names of searches, times, ports that the system chose, quotes
/// around a number, the password (which we do not send), spaces behind a search's words, when counts (10012) are told, and
/// the reproaches for a browse (205 in the asker's own name).
fn normal(frames: &[Heard]) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut counts) = (Vec::new(), Vec::new());
    for (kind, body) in frames {
        let text = String::from_utf8_lossy(body).into_owned();
        match Linked::parse(*kind, body).unwrap() {
            Linked::Hello { server, level, .. } => lines.push(format!("10010 {server:?} {level}")),
            Linked::Proof(proof) => lines.push(format!("10011 of {} letters", proof.len())),
            Linked::Clock { origin, .. } => lines.push(format!("10023 {origin:?}")),
            Linked::User(user) => {
                let user =
                    LinkedUser { password: b"", since: 0, server_port: 0, speed_quoted: false, ..user };
                lines.push(format!("2 {user:?} {:?}", user.email));
            }
            Linked::Search { nick, query, .. } => {
                let query = Query::parse(query).unwrap();
                let trimmed = query.clauses.iter().map(|clause| match clause {
                    Clause::Contains(words) => Clause::Contains(words.trim_ascii()),
                    other => *other,
                });
                lines.push(format!("10015 {nick:?} {:?}", trimmed.collect::<Vec<_>>()));
            }
            Linked::SearchHit { nick, file, .. } => lines.push(format!("10016 {nick:?} {file:?}")),
            Linked::SearchEnd(_) => lines.push("10017".into()),
            Linked::ShareCount { .. } => counts.push(text),
            Linked::Other(205, _) if text.starts_with(":yuri yuri ") => {}
            Linked::Other(10204, _) => lines.push(format!("10204 {}", text.rsplit_once(' ').unwrap().0)),
            _ => lines.push(format!("{kind} {text}")),
        }
    }
    (lines, counts)
}

/// The frames of one direction: two in clear, then those of the stream.
fn all_frames(bytes: &[u8]) -> Vec<Heard> {
    let mut decoder = Decoder::new(u16::MAX);
    decoder.push(Bytes::copy_from_slice(bytes));
    let mut heard = Vec::new();
    let mut take = |decoder: &mut Decoder, most: usize| {
        for _ in 0..most {
            let Some(frame) = decoder.next().unwrap() else { break };
            heard.push((frame.kind, frame.body.to_vec()));
        }
    };
    take(&mut decoder, 2);
    let (mut rest, mut inflater) = (decoder.into_rest(), Inflater::new(InflateLimits::default()));
    let mut decoder = Decoder::new(u16::MAX);
    loop {
        let some = inflater.read(&mut rest).unwrap();
        if some.is_empty() {
            break;
        }
        decoder.push(some);
    }
    take(&mut decoder, usize::MAX);
    assert!(decoder.is_empty());
    heard
}

fn nonce(frame: &Heard) -> Nonce {
    let Ok(Linked::Hello { nonce, .. }) = Linked::parse(frame.0, &frame.1) else { panic!("{frame:?}") };
    Nonce::from_text(nonce).unwrap()
}

/// The recorded other server: what it sent, as far as its turn has come.
struct Other {
    side: Side,
    conn: ConnId,
    /// Its first line, until it is said.
    hello: Option<Heard>,
    proven: bool,
    /// All that it says in the stream, in the recorded pieces, or with names of searches that our server gave.
    rename: Option<Deflater>,
    inflater: Inflater,
    decoder: Decoder,
    step: usize,
}

impl Other {
    /// Says its lines of the handshake as soon as it can: the proof is over our nonce.
    fn shake(&mut self, rig: &mut Rig) {
        if let Some(hello) = self.hello.take() {
            self.say(rig, &frame(hello.0, &hello.1));
            self.hello = Some(hello);
        }
        let ours = first_frames(rig.clients[&self.conn].raw.as_ref().unwrap());
        if !self.proven
            && let (Some(ours), Some(theirs)) = (ours.first(), self.hello.take())
        {
            let proof = Proof::new(&nonce(ours), &nonce(&theirs), self.side.password.as_bytes());
            self.proven = true;
            self.say(rig, &frame(10011, proof.as_bytes()));
        }
    }

    fn say(&self, rig: &mut Rig, bytes: &[u8]) {
        for part in bytes.chunks(self.step) {
            rig.data(self.conn, part);
        }
    }

    /// A piece of its stream.
    fn stream(&mut self, rig: &mut Rig, bytes: &[u8]) {
        if self.rename.is_none() {
            return self.say(rig, bytes);
        }
        let mut input = Bytes::copy_from_slice(bytes);
        let mut plain = BytesMut::new();
        loop {
            let some = self.inflater.read(&mut input).unwrap();
            if some.is_empty() {
                break;
            }
            self.decoder.push(some);
        }
        let ours = all_frames(rig.clients[&self.conn].raw.as_ref().unwrap());
        let asked = ours.iter().find_map(|(kind, body)| match Linked::parse(*kind, body) {
            Ok(Linked::Search { id, .. }) => Some(id.to_vec()),
            _ => None,
        });
        while let Some(message) = self.decoder.next().unwrap() {
            match Linked::parse(message.kind, &message.body).unwrap() {
                Linked::SearchHit { nick, file, .. } => {
                    Linked::SearchHit { id: asked.as_ref().unwrap(), nick, file }.encode(&mut plain);
                }
                Linked::SearchEnd(_) => Linked::SearchEnd(asked.as_ref().unwrap()).encode(&mut plain),
                other => other.encode(&mut plain),
            }
        }
        let mut out = BytesMut::new();
        self.rename.as_mut().unwrap().write(&plain, &mut out);
        self.say(rig, &out);
    }
}

fn first_frames(bytes: &[u8]) -> Vec<Heard> {
    let mut decoder = Decoder::new(u16::MAX);
    decoder.push(Bytes::copy_from_slice(bytes));
    std::iter::from_fn(|| decoder.next().unwrap())
        .take(1)
        .map(|frame| (frame.kind, frame.body.to_vec()))
        .collect()
}

fn is_link(bytes: &[u8]) -> bool {
    bytes.get(2..4) == Some(&10010u16.to_le_bytes()[..])
}

/// Plays one side of a recording, the other in pieces of `step` bytes.
fn play(pcap: &'static [u8], own: Side, other: Side, level: u8, step: usize) {
    let all = events(pcap, &[A.port, B.port]);
    // The link, and what either side of it said.
    let link = all.iter().find_map(|event| match event {
        Event::Client(n, bytes) if is_link(bytes) => Some(*n),
        _ => None,
    });
    let link = link.unwrap();
    let by_us = |event: &Event| match event {
        Event::Client(n, bytes) if *n == link => (own == A).then(|| bytes.clone()),
        Event::Server(n, bytes) if *n == link => (own == B).then(|| bytes.clone()),
        _ => None,
    };
    let expected: Vec<u8> = all.iter().filter_map(by_us).flatten().collect();

    let mut config = config();
    config.name = own.name.into();
    config.stats_every = Duration::ZERO;
    let text = |text: &str| text.as_bytes().into();
    let peer = LinkPeer {
        name: text(other.name),
        password: text(other.password),
        own_password: text(own.password),
        level,
    };
    let link_config = LinkConfig::new(peer).trust(Level::Elite);
    config.links = vec![if own == A {
        link_config.dial(std::net::SocketAddr::from(([127, 0, 0, 1], B.port)))
    } else {
        link_config
    }];
    let mut rig = Rig::with(config);
    // So that the recorded clocks are right.
    rig.civil = 1_795_349_800 - 1_000;
    rig.ask(ServerCommand::Register {
        nick: text("boss"),
        password: Bytes::from_static(b"bosspw"),
        level: Level::Elite,
    });
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.dialled.len(), usize::from(own == A));

    let (mut conns, mut heard_there) = (BTreeMap::new(), BTreeMap::<usize, Vec<u8>>::new());
    let mut played: Option<Other> = None;
    let mut skip = 0;
    for event in &all {
        let before = rig.now;
        match event {
            Event::Open(n, ..) if *n == link => {
                let conn = if own == A { rig.dialled[0] } else { rig.connect("127.0.0.1") };
                rig.clients.get_mut(&conn).unwrap().raw = Some(Vec::new());
                if own == A {
                    let peer = ([127, 0, 0, 1], B.port).into();
                    rig.give(Input::Stream(conn, StreamInput::Open { peer, listener: None }));
                }
                let theirs: Vec<u8> = all
                    .iter()
                    .filter_map(|event| match event {
                        Event::Client(n, bytes) if *n == link && own == B => Some(bytes.clone()),
                        Event::Server(n, bytes) if *n == link && own == A => Some(bytes.clone()),
                        _ => None,
                    })
                    .flatten()
                    .collect();
                let mut other = Other {
                    side: other,
                    conn,
                    hello: first_frames(&theirs).pop(),
                    proven: false,
                    rename: (own == B).then(|| Deflater::new(level)),
                    inflater: Inflater::new(InflateLimits::default()),
                    decoder: Decoder::new(u16::MAX),
                    step,
                };
                other.shake(&mut rig);
                // Its two lines are in clear.
                skip = 30 + 36;
                played = Some(other);
            }
            Event::Client(n, bytes) | Event::Server(n, bytes) if *n == link => {
                let theirs = matches!(event, Event::Server(..)) == (own == A);
                if theirs {
                    let from = bytes.len().min(skip);
                    skip -= from;
                    played.as_mut().unwrap().stream(&mut rig, &bytes[from..]);
                }
            }
            Event::Open(n, ip, port) if *port == own.port => {
                conns.insert(*n, rig.connect(&std::net::Ipv4Addr::from(*ip).to_string()));
            }
            Event::Client(n, bytes) if conns.contains_key(n) => rig.data(conns[n], bytes),
            Event::Server(n, bytes) if conns.contains_key(n) => {
                heard_there.entry(*n).or_default().extend(bytes);
            }
            _ => {}
        }
        rig.pass(Duration::from_millis(300));
        assert!(rig.now > before);
    }
    let is_up = |event: &ServerEvent| matches!(event, ServerEvent::LinkUp { level: up, .. } if *up == level);
    assert!(rig.news.iter().any(is_up), "{:?}", rig.news);
    // At the end A's administrator ends the link, and nothing else did.
    let ends = rig.news.iter().filter_map(|event| match event {
        ServerEvent::LinkDown { why, .. } => Some(why.clone()),
        _ => None,
    });
    let expected_ends = if own == A { vec![LinkEnd::Ordered] } else { Vec::new() };
    assert_eq!(ends.collect::<Vec<_>>(), expected_ends);

    let ours = rig.clients[&played.unwrap().conn].raw.clone().unwrap();
    let ((lines, counts), (expected_lines, expected_counts)) =
        (normal(&all_frames(&ours)), normal(&all_frames(&expected)));
    assert_eq!(lines, expected_lines, "{} in pieces of {step}", own.name);
    assert_eq!(counts, expected_counts);
    // Nothing in it is a password.
    let told: Vec<u8> = all_frames(&ours).into_iter().flat_map(|(_, body)| body).collect();
    for secret in ["bosspw", " pw ", "passA", "passB"] {
        assert!(!told.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }

    // And our own users hear what opennap-ng's heard, from behind the link as well.
    for (n, conn) in conns {
        let mut decoder = Decoder::new(u16::MAX);
        decoder.push(heard_there.remove(&n).unwrap_or_default().into());
        let there =
            std::iter::from_fn(|| decoder.next().unwrap()).map(|frame| (frame.kind, frame.body.to_vec()));
        let (there, here) = (of_user(there), of_user(rig.hear(conn)));
        // The administrator's other messages are about the link itself.
        if !there.iter().any(|line| line.contains("requested")) {
            assert_eq!(here, there, "{} to its user {n}", own.name);
        }
    }
}

/// What a user heard, but for the message of the day, counts, reproaches and seconds.
fn of_user(heard: impl IntoIterator<Item = Heard>) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, body) in heard {
        let text = String::from_utf8_lossy(&body).into_owned();
        match kind {
            621 | 214 => {}
            205 if text.starts_with("yuri ") && !text.ends_with("hi over link") => {}
            604 => lines.push(format!(
                "604 {}",
                text.split(' ')
                    .enumerate()
                    .filter(|(n, _)| *n != 2)
                    .map(|(_, word)| word)
                    .collect::<Vec<_>>()
                    .join(" ")
            )),
            _ => lines.push(format!("{kind} {text}")),
        }
    }
    lines
}

#[test]
fn our_server_plays_both_sides_of_both_links() {
    let pcaps: [(&[u8], u8); 2] = [
        (include_bytes!("../data/07-link-zlib-level0.pcap"), 0),
        (include_bytes!("../data/08-link-zlib-level6.pcap"), 6),
    ];
    for (pcap, level) in pcaps {
        for step in [usize::MAX, 1] {
            play(pcap, A, B, level, step);
            play(pcap, B, A, level, step);
        }
    }
}
