//! What real clients did, done by this one: it is given what the recorded server and users said to one of them, asked for
//! what its user asked, and must send what that one sent: the same types in the same order with the same fields, but for
//! what each scenario's list says, with the reason.

use super::rig::{Rig, config};
use crate::capture::{At, Conversation, From, conversations};
use bytes::Bytes;
use p2p_core::hash::Md5Hash;
use p2p_core::{ConnId, Duration, FileId, IoError, Keywords, RelPath, Root};
use p2p_napster::client::{Bootstrap, Command, Config, Event, Media, Query, SharedFile, Wanted};
use p2p_napster::wire::message::{self, Login};
use p2p_napster::wire::query::Clause;
use p2p_napster::wire::{Decoder, Frame, ToServer};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What the recorded client sent (`type text`, or the nth of those, `@n`, or that and all behind it, `@n..`), what this
/// one sends in its place, and why.
pub(super) type Difference = (&'static str, &'static [&'static str], &'static str);

/// What it said on the nth connection of the record to or from the data port, from its first byte on, what this one says
/// in place of that, and why.
pub(super) type DataDifference = (usize, &'static [u8], &'static [u8], &'static str);

/// One client of a scenario.
pub(super) struct View {
    pub(super) record: &'static str,
    pub(super) nick: &'static str,
    /// Which of the logins of this nick, from 0 on.
    pub(super) login: usize,
    pub(super) differences: &'static [Difference],
    pub(super) data: &'static [DataDifference],
    /// Types that are left out on both sides, and why.
    pub(super) unlike: &'static [(u16, &'static str)],
    /// Connections to data ports that are left out, and why.
    pub(super) without: &'static [(usize, &'static str)],
}

enum Step {
    Open,
    Said(From, Vec<u8>),
    Ended(From),
}

fn frames(bytes: Vec<u8>) -> Vec<Frame> {
    let mut decoder = Decoder::new(u16::MAX);
    decoder.push(bytes.into());
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

fn is_index(conversation: &Conversation) -> bool {
    [8888, 8890].contains(&conversation.server.port())
}

fn login_of(frames: &[Frame]) -> Option<Login<'_>> {
    frames.iter().find_map(|frame| match ToServer::parse(frame.kind, &frame.body) {
        Ok(ToServer::Login(login) | ToServer::Register(login)) => Some(login),
        _ => None,
    })
}

/// The client as the recorded one was set up, and its data port.
fn set_up(said: &[Frame]) -> (Config, u16) {
    let login = login_of(said).unwrap();
    let own = said.iter().find_map(|frame| match ToServer::parse(frame.kind, &frame.body) {
        Ok(ToServer::DataPort(port)) => Some(port),
        _ => None,
    });
    let port = own.filter(|_| login.port == 0).unwrap_or(login.port);
    let mut config = config();
    config.nick = Bytes::copy_from_slice(login.nick);
    config.password = Bytes::copy_from_slice(login.password);
    config.agent = String::from_utf8_lossy(login.client).into_owned();
    config.email = Bytes::copy_from_slice(login.email.unwrap_or(b"anon"));
    config.speed = login.speed.0;
    config.listen = (port > 0).then(|| SocketAddr::from(([0, 0, 0, 0], port)));
    (config, port)
}

fn shared_at(name: &[u8]) -> FileId {
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    FileId::new(Root(1), RelPath::sanitised([name.as_bytes()]).unwrap())
}

/// The first 32 hex digits, if it has them.
fn digest(text: &[u8]) -> Option<Md5Hash> {
    let mut digest = [0; 16];
    for (n, byte) in digest.iter_mut().enumerate() {
        let pair = std::str::from_utf8(text.get(2 * n..2 * n + 2)?).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(Md5Hash(digest))
}

fn shared(name: Vec<u8>, md5: &[u8], size: u64, media: Media) -> SharedFile {
    let mut file = SharedFile::new(name.clone(), shared_at(&name));
    file.size = Some(size);
    file.md5 = digest(md5);
    file.media = media;
    file
}

fn share(name: Vec<u8>, of: &message::SharedFile<'_>) -> Command {
    let mut file = shared(name, of.md5, of.size, Media::Mp3);
    (file.bitrate, file.frequency, file.seconds) = (of.bitrate, of.frequency, of.seconds);
    Command::Share(Box::new(file))
}

fn search(clauses: &[Clause<'_>]) -> Command {
    let mut query = Query::from(Keywords::new(""));
    let mut words = String::new();
    for clause in clauses {
        match clause {
            Clause::Contains(text) => words = String::from_utf8_lossy(text).into_owned(),
            Clause::MaxResults(max) => query.max = max.number as u32,
            Clause::Bound { of, comparison, value } => query.bounds.push(p2p_napster::client::Bound {
                of: *of,
                comparison: *comparison,
                number: value.number,
            }),
            Clause::Type { name: b"video", .. } => query.media = Some(Media::Video),
            Clause::Type { name, .. } => query.any_media = name.eq_ignore_ascii_case(b"any"),
            _ => {}
        }
    }
    let (without, words): (Vec<_>, Vec<_>) = words.split(' ').partition(|word| word.starts_with('-'));
    query.words = Keywords::new(&words.join(" "));
    query.without = Keywords::new(&without.join(" "));
    Command::Search(Box::new(query))
}

/// What a user asks of this client to make it say such a message. Nothing for what a client says by itself.
fn asked(said: &ToServer<'_>, sizes: &BTreeMap<(Bytes, Bytes), u64>) -> Vec<Command> {
    let kept = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    vec![match said {
        ToServer::Share(file) => share(file.name.to_vec(), file),
        ToServer::ShareDirectory(directory) => {
            let path = |name: &[u8]| [directory.dir, name].concat();
            return directory.files().map(|file| share(path(file.name), &file)).collect();
        }
        ToServer::ShareMedia { name, size, md5, .. } => {
            Command::Share(Box::new(shared(name.to_vec(), md5, *size, Media::Video)))
        }
        ToServer::Unshare(name) => Command::Unshare(kept(name)),
        ToServer::Search(query) => search(&query.clauses),
        ToServer::Download { nick, file } => {
            let mut wanted = Wanted::new(kept(nick), kept(file));
            wanted.size = sizes.get(&(kept(nick), kept(file))).copied();
            Command::Download(Box::new(wanted))
        }
        ToServer::PrivateMessage { nick, text } => Command::Message { to: kept(nick), text: kept(text) },
        ToServer::HotlistAdd(nick) => Command::Watch(kept(nick)),
        ToServer::HotlistRemove(nick) => Command::Unwatch(kept(nick)),
        ToServer::Browse(nick) => Command::Browse(kept(nick)),
        ToServer::Resume { md5, size } => Command::Holders { md5: kept(md5), size: *size },
        ToServer::Ignore(nick) => Command::Ignore(kept(nick)),
        ToServer::Unignore(nick) => Command::Unignore(kept(nick)),
        ToServer::JoinChannel(channel) => Command::Enter(kept(channel)),
        ToServer::PartChannel(channel) => Command::Part(kept(channel)),
        ToServer::Say { channel, text } => Command::Say { channel: kept(channel), text: kept(text) },
        ToServer::Whois(nick) => Command::Whois(kept(nick)),
        ToServer::ChannelList => Command::Channels,
        ToServer::DirectBrowse(nick) => Command::BrowseDirect(kept(nick)),
        ToServer::Ping { nick, .. } => Command::Ping(kept(nick)),
        _ => return Vec::new(),
    }]
}

/// A data connection of this client, and whether it dialled it.
struct Data {
    conn: ConnId,
    dialled: bool,
}

struct Replay<'a> {
    rig: Rig,
    all: &'a [Conversation],
    server: usize,
    port: u16,
    step: usize,
    /// What the recorded client said to the server, up to now.
    said: Decoder,
    data: BTreeMap<usize, Data>,
    sizes: BTreeMap<(Bytes, Bytes), u64>,
    told: Vec<String>,
}

impl Replay<'_> {
    fn hear_all(&mut self) {
        if self.rig.server.is_some() {
            let said = self.rig.said();
            self.told
                .extend(said.into_iter().map(|(kind, text)| format!("{kind} {text}").trim_end().to_owned()));
        }
    }

    fn give(&mut self, conn: ConnId, bytes: &[u8]) {
        for part in bytes.chunks(self.step) {
            self.rig.data(conn, part);
        }
        for (_, event) in &self.rig.events {
            if let Event::Hit(hit) = event {
                self.sizes.insert((hit.nick.clone(), hit.name.clone()), hit.size);
            }
        }
    }

    fn with_server(&mut self, step: Step) {
        let conversation = &self.all[self.server];
        match step {
            Step::Open => {
                let to = SocketAddr::from(conversation.server);
                let said = frames(conversation.sent_by(From::Client));
                if self.rig.dialled().is_empty() {
                    let mut bootstrap = Bootstrap::servers([to]);
                    bootstrap.register = said[0].kind == 7 && said.iter().any(|frame| frame.kind == 6);
                    self.rig.ask(Command::Join(bootstrap));
                }
                let [conn] = self.rig.dialled()[..] else { panic!("{:?}", self.rig.dialled()) };
                assert_eq!(self.rig.streams[&conn].to, Some(to));
                self.rig.opens(conn);
                self.rig.is_server(conn);
            }
            Step::Said(From::Client, bytes) => {
                self.said.push(bytes.into());
                while let Some(frame) = self.said.next().unwrap() {
                    // What cannot be read, this client cannot say.
                    let Ok(message) = ToServer::parse(frame.kind, &frame.body) else { continue };
                    for command in asked(&message, &self.sizes) {
                        self.rig.ask(command);
                    }
                    self.rig.pass(Duration::ZERO);
                }
            }
            Step::Said(From::Server, bytes) => self.give(self.rig.server.unwrap(), &bytes),
            Step::Ended(From::Server) => {
                self.hear_all();
                if let Some(server) = self.rig.server.take() {
                    self.rig.closes(server, Ok(()));
                }
            }
            Step::Ended(From::Client) => self.hear_all(),
        }
    }

    fn with_user(&mut self, index: usize, step: Step) {
        let conversation = &self.all[index];
        match step {
            Step::Open => {
                let dialled = conversation.server.port() != self.port;
                let conn = if dialled {
                    let to = Some(SocketAddr::from(conversation.server));
                    let dialled = self.rig.dialled();
                    let conn = dialled.into_iter().find(|conn| self.rig.streams[conn].to == to);
                    let conn = conn.unwrap_or_else(|| panic!("{to:?} was not dialled"));
                    self.rig.opens(conn);
                    conn
                } else {
                    self.rig.accept()
                };
                self.data.insert(index, Data { conn, dialled });
            }
            Step::Said(from, bytes) => {
                let Data { conn, dialled } = self.data[&index];
                if (from == From::Server) == dialled {
                    // What it answers to was said by now.
                    self.rig.moment();
                    self.give(conn, &bytes);
                    // What has no end counts as ended before anything else happens.
                    self.rig.moment();
                }
            }
            Step::Ended(from) => {
                let Data { conn, dialled } = self.data[&index];
                if (from == From::Server) == dialled && !self.rig.is_closed(conn) {
                    self.rig.moment();
                    self.rig.closes(conn, Ok(()));
                }
            }
        }
    }
}

/// The one file that was sent in all scenarios, of 40,000 bytes, as far as the record has it.
fn content(all: &[Conversation]) -> Vec<u8> {
    let mut content = vec![0; 40_000];
    for conversation in all.iter().filter(|conversation| !is_index(conversation)) {
        for (from, begin) in [(From::Server, &b"140000"[..]), (From::Client, b"SEND")] {
            let sent = conversation.sent_by(from);
            if sent.starts_with(begin) && sent.len() >= 40_000 {
                content.copy_from_slice(&sent[sent.len() - 40_000..]);
            } else if let Some(end) = sent.strip_prefix(b"140000") {
                content[40_000 - end.len()..].copy_from_slice(end);
            }
        }
    }
    content
}

fn play(view: &View, step: usize) {
    let all = conversations(view.record);
    let of_client = |index: &usize| {
        let said = frames(all[*index].sent_by(From::Client));
        login_of(&said).is_some_and(|login| login.nick == view.nick.as_bytes())
    };
    let mine: Vec<usize> = (0..all.len()).filter(|index| is_index(&all[*index])).filter(of_client).collect();
    let server = mine[view.login];
    let recorded = frames(all[server].sent_by(From::Client));
    let (config, port) = set_up(&recorded);
    let content = content(&all);
    let mut files = BTreeMap::new();
    for frame in &recorded {
        if let Ok(message) = ToServer::parse(frame.kind, &frame.body) {
            for command in asked(&message, &BTreeMap::new()) {
                // Whose digest was not said is read.
                if let Command::Share(file) = command
                    && let Some(size) = file.size.filter(|size| *size < 10_000_000)
                {
                    let content = if size == 40_000 { content.clone() } else { vec![0; size as usize] };
                    files.insert(file.file, content);
                }
            }
        }
    }
    let mut steps: Vec<(At, usize, Step)> = Vec::new();
    for (index, conversation) in all.iter().enumerate() {
        let left_out = view.without.iter().any(|(without, _)| *without == index);
        let mine = index == server || (!is_index(conversation) && !left_out);
        if mine {
            steps.push((conversation.opened, index, Step::Open));
            let said = conversation.segments.iter();
            steps.extend(said.map(|said| (said.at, index, Step::Said(said.from, said.bytes.clone()))));
            steps.extend(conversation.ends.iter().map(|(at, from)| (*at, index, Step::Ended(*from))));
        }
    }
    steps.sort_by_key(|(at, ..)| *at);
    let mut replay = Replay {
        rig: Rig::with(config, files),
        all: &all,
        server,
        port,
        step,
        said: Decoder::new(u16::MAX),
        data: BTreeMap::new(),
        sizes: BTreeMap::new(),
        told: Vec::new(),
    };
    let mut last = steps[0].0.1;
    for (at, index, step) in steps {
        replay.rig.pass(Duration::from_micros(at.1 - last));
        last = at.1;
        if index == server {
            replay.with_server(step);
        } else {
            replay.with_user(index, step);
        }
    }
    replay.rig.moment();
    replay.hear_all();
    check(view, &mut replay, &recorded);
}

fn check(view: &View, replay: &mut Replay<'_>, recorded: &[Frame]) {
    let is_unlike =
        |line: &String| view.unlike.iter().any(|(kind, _)| line.split(' ').next() == Some(&kind.to_string()));
    replay.told.retain(|line| !is_unlike(line));
    let mut differences: Vec<&Difference> = view.differences.iter().collect();
    let (mut expected, mut count) = (Vec::new(), BTreeMap::new());
    for frame in recorded {
        let line = format!("{} {}", frame.kind, String::from_utf8_lossy(&frame.body)).trim_end().to_owned();
        let nth = count.entry(line.clone()).or_insert(0);
        *nth += 1;
        let named = format!("{line} @{nth}");
        let from = |theirs: &str| {
            let (of, number) = theirs.strip_suffix("..")?.rsplit_once(" @")?;
            Some(of == line && *nth >= number.parse().unwrap())
        };
        if let Some(open) = view.differences.iter().find(|(theirs, ..)| from(theirs) == Some(true)) {
            differences.retain(|other| *other != open);
            expected.extend(open.1.iter().map(|ours| (*ours).to_owned()));
            continue;
        }
        match differences.iter().position(|(theirs, ..)| line == *theirs || named == *theirs) {
            Some(at) => {
                let (_, ours, why) = differences.remove(at);
                assert!(!why.is_empty());
                expected.extend(ours.iter().map(|ours| (*ours).to_owned()));
            }
            None if is_unlike(&line) => {}
            None => expected.push(line),
        }
    }
    assert_eq!(replay.told, expected, "{} of {}", view.nick, view.record);
    assert!(differences.is_empty(), "differences that are none: {differences:?}");
    let mut data: Vec<&DataDifference> = view.data.iter().collect();
    let mut bad = Vec::new();
    for (index, Data { conn, dialled }) in &replay.data {
        let ours = if *dialled { From::Client } else { From::Server };
        let mut expected = replay.all[*index].sent_by(ours);
        if let Some(at) = data.iter().position(|(of, ..)| of == index) {
            let (_, theirs, ours, why) = data.remove(at);
            let rest = expected.strip_prefix(*theirs).unwrap_or_else(|| panic!("connection {index}"));
            assert!(!why.is_empty());
            expected = [ours, rest].concat();
        }
        let said = replay.rig.heard(*conn);
        let shown = |bytes: &[u8]| bytes[..bytes.len().min(200)].escape_ascii().to_string();
        // Of long segments only the beginning was kept: the rest reads as zeros.
        let alike = |(ours, theirs): (&u8, &u8)| ours == theirs || (*theirs == 0 && expected.len() > 40_000);
        if said.len() != expected.len() || !said.iter().zip(&expected).all(alike) {
            let of = (said.len(), expected.len());
            bad.push(format!("connection {index}: {} for {} ({of:?} bytes)", shown(&said), shown(&expected)));
        }
    }
    assert!(bad.is_empty(), "{} of {}: {bad:#?}", view.nick, view.record);
    assert!(data.is_empty(), "differences that are none: {data:?}");
    assert_eq!(replay.rig.client.inner().load().heard, 0, "nothing is left of the data port");
}

pub(super) fn whole_and_byte_by_byte(view: &View) {
    play(view, usize::MAX);
    play(view, 1);
}

/// Through a metaserver, whose answer came in two segments.
#[test]
fn scenario_06_metaserver() {
    let all = conversations("06-metaserver");
    let metas: Vec<_> = all.iter().filter(|conversation| conversation.server.port() == 8876).collect();
    assert_eq!(metas.len(), 2);
    for meta in metas {
        for step in [1, usize::MAX] {
            let recorded = frames(all.iter().find(|c| is_index(c)).unwrap().sent_by(From::Client));
            let (mut config, _) = set_up(&recorded);
            config.listen = None;
            let mut rig = Rig::new(config);
            rig.ask(Command::Join(Bootstrap::default().with_metaserver(SocketAddr::from(meta.server))));
            let [conn] = rig.dialled()[..] else { panic!() };
            rig.opens(conn);
            for segment in &meta.segments {
                assert_eq!(segment.from, From::Server, "nothing is said to a metaserver");
                for part in segment.bytes.chunks(step) {
                    rig.data(conn, part);
                }
            }
            rig.closes(conn, Err(IoError::Reset));
            let server = all.iter().find(|c| is_index(c)).unwrap();
            let [to] = rig.dialled()[..] else { panic!("{:?}", rig.finished) };
            assert_eq!(rig.streams[&to].to, Some(SocketAddr::from(server.server)));
            assert_eq!(rig.heard(conn), b"");
            rig.opens(to);
            rig.is_server(to);
            assert_eq!(rig.said(), [(2, "metauser pw 0 \"v2.0\" 9".into())]);
            for part in server.sent_by(From::Server).chunks(step) {
                rig.data(to, part);
            }
            assert!(rig.events.iter().any(|(_, event)| matches!(event, Event::LoggedIn { .. })));
            assert_eq!(rig.said(), []);
        }
    }
}
