//! A machine that is only a door: it listens, hands every stream to the [`Transfers`] that it embeds as the servent will, and
//! does by itself what the overlay would. And what the tests need around it.

use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};
use p2p_core::hash::{Hasher as _, Sha1, Sha1Hash};
use p2p_core::{
    ConnId, Cx, Effect, FileId, Input, ListenerId, Machine, OpInput, Own, RelPath, Rng, Root, StreamInput,
};
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::greeting;
use p2p_gnutella::transfer::{self, Ask, Command, Config, Error, Event, Locator, Transfers, Wanted};
use p2p_sim::{Audit, Disk, NodeIx, Setup, Sim, Uniform};
use std::collections::BTreeMap;

pub(crate) const PORT: u16 = 6346;

/// The transfers of a servent, and a door.
pub(crate) struct Door {
    pub(crate) transfers: Transfers,
    listener: Option<ListenerId>,
    listens: bool,
    /// Streams that said too little yet.
    waiting: BTreeMap<ConnId, (SocketAddr, Vec<u8>)>,
    effects: Vec<Effect<Transfers>>,
    /// What was asked of the overlay.
    pub(crate) asks: Vec<Ask>,
    /// Pushes that the overlay would bring: where those servents are.
    pub(crate) forwards: Vec<Guid>,
}

#[derive(Debug, Clone)]
pub(crate) enum Say {
    Transfers(Command),
    /// A push came: connect to there for this file.
    Give(SocketAddr, u32),
}

impl Door {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            transfers: Transfers::new(config),
            listener: None,
            listens: true,
            waiting: BTreeMap::new(),
            effects: Vec::new(),
            asks: Vec::new(),
            forwards: Vec::new(),
        }
    }

    /// One that nobody can dial.
    pub(crate) fn firewalled(config: Config) -> Self {
        Self { listens: false, ..Self::new(config) }
    }

    /// Lends the context to the transfers, restates what they want, and does what they ask of the overlay.
    fn with(&mut self, cx: &mut Cx<'_, Self>, f: impl FnOnce(&mut Transfers, &mut Cx<'_, Transfers>)) {
        self.lend(cx, f);
        while let Some(ask) = self.transfers.next_ask() {
            if let Ask::Forward { conn, servent, .. } = &ask {
                let (conn, known) = (*conn, self.forwards.contains(servent));
                self.lend(cx, |transfers, cx| transfers.proxied(conn, known, cx));
            }
            self.asks.push(ask);
        }
    }

    fn lend(&mut self, cx: &mut Cx<'_, Self>, f: impl FnOnce(&mut Transfers, &mut Cx<'_, Transfers>)) {
        let mut effects = std::mem::take(&mut self.effects);
        cx.lend(&mut effects, |cx| f(&mut self.transfers, cx));
        for effect in effects.drain(..) {
            let lifted = effect.lift(
                |timer| timer,
                |own| match own {
                    Own::Event(op, event) => Some(Effect::Event(op, event)),
                    Own::Finish(op, result) => Some(Effect::Finish(op, result)),
                    Own::Halt => Some(Effect::Halt),
                },
            );
            if let Some(effect) = lifted {
                cx.push(effect);
            }
        }
        self.effects = effects;
    }
}

impl Machine for Door {
    type Command = Say;
    type Event = Event;
    type Error = Error;
    type Timer = transfer::Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                if self.listens {
                    self.listener = Some(cx.listen(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), PORT)));
                }
                self.with(cx, |transfers, cx| transfers.handle(Input::Start, cx));
            }
            Input::Stream(conn, input) if !self.transfers.owns(conn) => match input {
                StreamInput::Open { peer, .. } => {
                    self.waiting.insert(conn, (peer, Vec::new()));
                }
                StreamInput::Data(data) => {
                    let Some((peer, mut first)) = self.waiting.remove(&conn) else { return };
                    first.extend_from_slice(&data);
                    let Some(greeting) = greeting(&first) else {
                        self.waiting.insert(conn, (peer, first));
                        return;
                    };
                    let mut taken = false;
                    self.with(cx, |transfers, cx| {
                        taken = transfers.open(conn, peer, greeting, first.into(), cx);
                    });
                    if !taken {
                        cx.close(conn);
                    }
                }
                StreamInput::Closed(_) => drop(self.waiting.remove(&conn)),
                _ => {}
            },
            Input::Op(op, OpInput::Ask(Say::Give(to, number))) => {
                self.with(cx, |transfers, cx| {
                    transfers.give(to, number, cx);
                });
                cx.finish(op, Ok(()));
            }
            Input::Listener(..) => {}
            other => {
                let own = other.narrow::<Transfers>(Some, |say| match say {
                    Say::Transfers(command) => Some(command),
                    Say::Give(..) => None,
                });
                if let Some(own) = own {
                    self.with(cx, |transfers, cx| transfers.handle(own, cx));
                }
            }
        }
    }
}

/// Somebody who sends bytes and keeps what comes back: for attacks, and to see answers as they are.
#[derive(Default)]
pub(crate) struct Raw {
    pub(crate) conn: Option<ConnId>,
    pub(crate) came: Vec<u8>,
    pub(crate) closed: bool,
    /// It does not read.
    pub(crate) deaf: bool,
    /// It listens, and answers each head with what this makes of it.
    pub(crate) script: Option<Script>,
    /// What it was opened for gets this byte by byte, one a second.
    pub(crate) trickles: bool,
    /// What was opened to it.
    pub(crate) guests: BTreeMap<ConnId, Vec<u8>>,
}

pub(crate) type Script = Box<dyn Fn(&str) -> Vec<u8> + Send>;

impl Raw {
    pub(crate) fn scripted(script: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        Self { script: Some(Box::new(script)), ..Self::default() }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Do {
    Dial(SocketAddr),
    Send(Bytes),
    Close,
}

impl Machine for Raw {
    type Command = Do;
    type Event = ();
    type Error = Error;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Timer(()) => {
                for conn in self.guests.keys() {
                    cx.send(*conn, Bytes::from_static(b"x"));
                }
                cx.set_timer((), core::time::Duration::from_secs(1));
            }
            Input::Start if self.script.is_some() => {
                cx.listen(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), PORT));
            }
            Input::Op(op, OpInput::Ask(what)) => {
                match what {
                    Do::Dial(to) => {
                        self.conn = Some(cx.connect(to));
                        (self.closed, self.came) = (false, Vec::new());
                    }
                    Do::Send(bytes) if !self.closed => {
                        if let Some(conn) = self.conn {
                            cx.send(conn, bytes);
                        }
                    }
                    Do::Send(_) => {}
                    Do::Close => {
                        if let Some(conn) = self.conn.take() {
                            cx.close(conn);
                        }
                    }
                }
                cx.finish(op, Ok(()));
            }
            Input::Stream(conn, StreamInput::Open { listener, .. }) => {
                if listener.is_some() {
                    self.guests.insert(conn, Vec::new());
                } else if self.deaf {
                    cx.pause(conn, true);
                }
            }
            Input::Stream(conn, StreamInput::Data(data)) => {
                if let Some(came) = self.guests.get_mut(&conn) {
                    came.extend_from_slice(&data);
                    self.came.extend_from_slice(&data);
                    if came.ends_with(b"\r\n\r\n") {
                        let head = String::from_utf8_lossy(&std::mem::take(came)).into_owned();
                        if let Some(script) = &self.script {
                            cx.send(conn, script(&head));
                            if self.trickles {
                                cx.set_timer((), core::time::Duration::from_secs(1));
                            }
                        }
                    }
                } else {
                    self.came.extend_from_slice(&data);
                }
            }
            Input::Stream(conn, StreamInput::Closed(_)) => {
                self.closed |= self.guests.remove(&conn).is_none();
            }
            _ => {}
        }
    }
}

pub(crate) type Node = p2p_sim::Either<Audit<Door>, Raw>;

/// Content that does not repeat itself.
pub(crate) fn content(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    Rng::fast_from(seed).fill(&mut bytes);
    bytes.into()
}

pub(crate) fn sha1(bytes: &[u8]) -> Sha1Hash {
    Sha1::digest(bytes)
}

pub(crate) fn urn(bytes: &[u8]) -> String {
    p2p_gnutella::Urn::Sha1(sha1(bytes)).to_string()
}

pub(crate) fn file(parts: &[&str]) -> FileId {
    FileId::new(Root(0), RelPath::local(parts.iter().copied()).unwrap())
}

/// A configuration that shares the folder `share` and keeps its state in `state`.
pub(crate) fn config(node: u8) -> Config {
    let mut config = Config::default();
    config.library.folders = vec![file(&["share"])];
    config.library.state = Some(file(&["state"]));
    config.servent = Guid([node; 16]);
    config.address = Some(addr(node));
    config.share_partial = true;
    config
}

pub(crate) fn addr(node: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::from([10, 0, 0, node]), PORT)
}

/// A simulation, and a node of it for each number.
pub(crate) struct Scene {
    pub(crate) sim: Sim<Node>,
    pub(crate) seed: u64,
}

impl Scene {
    pub(crate) fn new(seed: u64) -> Self {
        eprintln!("seed {seed}");
        Self { sim: Sim::new(seed, Uniform::ms(5..20)), seed }
    }

    pub(crate) fn door(&mut self, node: u8, disk: Disk, door: Door) -> NodeIx {
        let setup = Setup::new().addr(addr(node).ip()).disk(disk);
        self.sim.add_with(setup, Node::Left(Audit::new(door)))
    }

    /// A servent that shares these files.
    pub(crate) fn sharer(&mut self, node: u8, files: &[(&str, &Bytes)]) -> NodeIx {
        self.door(node, disk(files), Door::new(config(node)))
    }

    pub(crate) fn raw(&mut self, node: u8, raw: Raw) -> NodeIx {
        self.sim.add_with(Setup::new().addr(addr(node).ip()), Node::Right(raw))
    }

    pub(crate) fn run(&mut self, secs: u64) {
        self.sim.run_for(core::time::Duration::from_secs(secs));
    }

    pub(crate) fn door_of(&self, node: NodeIx) -> &Door {
        match self.sim.machine(node) {
            Node::Left(audit) => audit.inner(),
            Node::Right(_) => panic!("no door"),
        }
    }

    pub(crate) fn door_mut(&mut self, node: NodeIx) -> &mut Door {
        match self.sim.machine_mut(node) {
            Node::Left(audit) => audit.inner_mut(),
            Node::Right(_) => panic!("no door"),
        }
    }

    pub(crate) fn raw_of(&self, node: NodeIx) -> &Raw {
        match self.sim.machine(node) {
            Node::Left(_) => panic!("not raw"),
            Node::Right(raw) => raw,
        }
    }

    pub(crate) fn ask(&mut self, node: NodeIx, command: Command) -> p2p_core::OpId {
        self.sim.ask(node, p2p_sim::Either::Left(Say::Transfers(command)))
    }

    pub(crate) fn fetch(&mut self, node: NodeIx, bytes: &Bytes, name: &str, from: &[u8]) -> p2p_core::OpId {
        self.ask(node, Command::Download(wanted(bytes, name, from)))
    }

    pub(crate) fn raw_does(&mut self, node: NodeIx, what: Do) {
        self.sim.ask(node, p2p_sim::Either::Right(what));
    }

    /// Opens a stream to `to`, says `text` on it, and gives what came back after some seconds.
    pub(crate) fn exchange(&mut self, from: NodeIx, to: u8, text: impl Into<Bytes>, secs: u64) -> Vec<u8> {
        self.raw_does(from, Do::Dial(addr(to)));
        self.run(1);
        self.raw_does(from, Do::Send(text.into()));
        self.run(secs);
        self.raw_of(from).came.clone()
    }

    pub(crate) fn events(&self, node: NodeIx) -> Vec<Event> {
        let told = self.sim.events(node).iter();
        told.filter_map(|told| match &told.event {
            p2p_sim::Either::Left(event) => Some(event.clone()),
            p2p_sim::Either::Right(()) => None,
        })
        .collect()
    }

    /// The sources of whom a node was told that they are given up, and why.
    pub(crate) fn lost(&self, node: NodeIx) -> Vec<(Option<SocketAddr>, transfer::SourceError)> {
        let events = self.events(node).into_iter();
        events
            .filter_map(|event| match event {
                Event::SourceLost { source, why, .. } => Some((source.addr, why)),
                _ => None,
            })
            .collect()
    }

    /// Waits for a download, which must give this content under this name.
    pub(crate) fn must_have(
        &mut self,
        node: NodeIx,
        op: p2p_core::OpId,
        bytes: &Bytes,
        name: &str,
        secs: u64,
    ) {
        let done = self.sim.finish(&[op], core::time::Duration::from_secs(secs));
        let outcome = self.sim.outcome(op);
        assert!(done && matches!(outcome, Some(Ok(()))), "seed {}: {outcome:?}", self.seed);
        let got = self.sim.disk(node).content(&file(&[name]));
        assert!(got.as_ref() == Some(bytes), "seed {}: {name} is not what was shared", self.seed);
        let left: Vec<String> = self
            .sim
            .disk(node)
            .files()
            .map(|file| file.path().to_string())
            .filter(|path| path.ends_with(".part") || path.ends_with(".kept"))
            .collect();
        assert!(left.is_empty(), "{left:?} was left");
    }
}

pub(crate) fn disk(files: &[(&str, &Bytes)]) -> Disk {
    files
        .iter()
        .fold(Disk::default(), |disk, (name, bytes)| disk.with_file(file(&["share", name]), (*bytes).clone()))
}

pub(crate) fn wanted(bytes: &Bytes, name: &str, from: &[u8]) -> Wanted {
    let mut wanted = Wanted::new(sha1(bytes));
    wanted.size = Some(bytes.len() as u64);
    wanted.name = name.into();
    wanted.sources = from.iter().map(|node| Locator::at(addr(*node))).collect();
    wanted
}

/// A head and the body behind it.
pub(crate) fn answer(came: &[u8]) -> (p2p_core::http::Response, &[u8]) {
    let (head, used) = p2p_core::http::Response::parse(came).unwrap().expect("a whole head");
    (head, &came[used..])
}
