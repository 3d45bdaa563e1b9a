//! One machine at several places of the ring: [`Host`], which is several [`Chord`]s ("virtual nodes", Stoica et al. 2001,
//! section 6.2).
//!
//! With one place each, some nodes are responsible for ten times as much as others, by chance; with twenty places each, for
//! not even twice as much. A machine that can do more than others takes more places. An identifier is bound to an address
//! and a port, so each place has a port of its own: of UDP, and of TCP for what is long.
//!
//! What places have in common: the limits of what they store, in all and for each publisher, whichever place it is at. What
//! they have not: tables, questions and caches. An operation goes to the place from which it is nearest to its key.

use crate::Get;
use crate::api::{Command, Event, Timer};
use crate::config::Config;
use crate::error::Error;
use crate::id::RingId;
use crate::node::{Chord, Shared};
use crate::peer::Peer;
use crate::primitives::{Bootstrap, Hit, Item};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::path::{FileId, RelPath};
use p2p_core::{
    Chunk, Cx, Effect, Fetch, Input, Join, Machine, OpId, OpInput, Own, Publish, Reach, Search, StreamInput,
};

/// What numbers an operation of the host's at one of its places begins with: no driver counts as far.
const OURS: u64 = 1 << 63;

/// A timer of one of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostTimer {
    /// Whose, counted from 0.
    pub place: u8,
    /// Which.
    pub timer: Timer,
}

/// What all places do together, one after the other.
#[derive(Clone, Debug)]
struct Joint {
    op: OpId,
    /// Whom to join by; `None` if they leave.
    bootstrap: Option<Vec<SocketAddr>>,
    /// Who is at it.
    place: u8,
}

/// One machine at several places of the ring.
#[derive(Clone, Debug)]
pub struct Host {
    places: Vec<Chord>,
    shared: Shared,
    /// Whose sockets, streams and jobs these are.
    handles: BTreeMap<u64, u8>,
    /// Whose operations.
    ops: BTreeMap<OpId, u8>,
    joint: Option<Joint>,
    halted: usize,
}

impl Host {
    /// A machine at so many places, at least one: with a port in [`Config::listen`] they have that one and those that
    /// follow, and of [`Config::advertised`] likewise. Each place keeps what it stores in a file of its own, whose name
    /// ends with its number.
    #[must_use]
    pub fn new(config: &Config, places: u8) -> Self {
        let place = |number| Chord::new(of_place(config, number, places.max(1)));
        Self::of((0..places.max(1)).map(place).collect())
    }

    /// These places on one machine, each with a port of its own; they are to have the same [`Config::limits`].
    ///
    /// # Panics
    /// If there is none, or there are more than 255.
    #[must_use]
    pub fn of(mut places: Vec<Chord>) -> Self {
        assert!((1..=255).contains(&places.len()), "from 1 to 255 places");
        places.iter_mut().for_each(|place| place.share(&mut Shared::none()));
        Self {
            places,
            shared: Shared::default(),
            handles: BTreeMap::new(),
            ops: BTreeMap::new(),
            joint: None,
            halted: 0,
        }
    }

    /// Its places.
    pub fn places(&self) -> impl Iterator<Item = &Chord> {
        self.places.iter()
    }

    /// Where they are, as far as they know.
    pub fn peers(&self) -> impl Iterator<Item = Peer> {
        self.places.iter().filter_map(Chord::peer)
    }

    /// Records and bytes that it stores, at all places.
    #[must_use]
    pub fn stored(&self) -> (usize, usize) {
        let of = |place: &Chord| (place.store().len(), place.store().bytes());
        self.places.iter().map(of).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
    }

    /// The member among the places that is nearest before a key, or the first place.
    fn nearest(&self, key: RingId) -> u8 {
        let members = (0_u8..).zip(&self.places).filter(|(_, place)| place.is_member());
        let distance = |place: &Chord| place.peer().map(|me| me.id().distance_to(key));
        members.min_by_key(|(_, place)| distance(place)).map_or(0, |(number, _)| number)
    }

    fn place_of(&self, command: &Command) -> u8 {
        match command {
            Command::Lookup(key) => self.nearest(*key),
            Command::Put(put) => self.nearest(put.record.key()),
            Command::Get(get) => self.nearest(get.key),
            Command::Provide(provide) => self.nearest(provide.key),
            Command::Withdraw(key, kind) => {
                let publishes = |place: &Chord| place.publishes(*key, *kind);
                self.places.iter().position(publishes).map_or(0, |place| place as u8)
            }
            Command::Within(_, command) => self.place_of(command),
            Command::Walk { .. } | Command::Status | Command::Join(_) | Command::Leave => 0,
        }
    }

    /// Gives an input to a place, and restates what it wants.
    fn run(&mut self, number: u8, input: Input<Chord>, cx: &mut Cx<'_, Self>) {
        let mut effects = Vec::new();
        let Some(place) = self.places.get_mut(usize::from(number)) else { return };
        place.share(&mut self.shared);
        cx.lend(&mut effects, |cx| place.handle(input, cx));
        place.share(&mut self.shared);
        let mut ended = Vec::new();
        for effect in effects {
            self.note_handle(number, &effect);
            let restated = effect.lift(
                |timer| HostTimer { place: number, timer },
                |own| match own {
                    Own::Event(Some(op), _) if op.raw() >= OURS => None,
                    Own::Event(op, event) => Some(Effect::Event(op, event)),
                    Own::Finish(op, result) if op.raw() >= OURS => {
                        ended.push(result);
                        None
                    }
                    Own::Finish(op, result) => {
                        self.ops.remove(&op);
                        Some(Effect::Finish(op, result))
                    }
                    Own::Halt => {
                        self.halted += 1;
                        None
                    }
                },
            );
            if let Some(effect) = restated {
                cx.push(effect);
            }
        }
        for result in ended {
            self.joint_step(result, cx);
        }
    }

    fn note_handle(&mut self, number: u8, effect: &Effect<Chord>) {
        let new = match effect {
            Effect::Bind(id, _) => id.raw(),
            Effect::Listen(id, ..) => id.raw(),
            Effect::Connect(id, ..) => id.raw(),
            Effect::Run(id, _) => id.raw(),
            Effect::Close(id) | Effect::Abort(id) => {
                self.handles.remove(&id.raw());
                return;
            }
            _ => return,
        };
        self.handles.insert(new, number);
    }

    /// All places are to join, or to leave.
    fn joint(&mut self, op: OpId, bootstrap: Option<Vec<SocketAddr>>, cx: &mut Cx<'_, Self>) {
        if self.joint.is_some() {
            return cx.finish(op, Err(Error::Busy));
        }
        self.joint = Some(Joint { op, bootstrap, place: 0 });
        self.joint_ask(cx);
    }

    fn joint_ask(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(Joint { bootstrap, place, .. }) = &self.joint else { return };
        let (place, first) = (*place, self.places.first().and_then(Chord::peer));
        let command = match bootstrap {
            None => Command::Leave,
            Some(whom) => {
                // The first one may have begun a ring.
                let first = first.filter(|_| place > 0).map(|first| first.addr());
                Command::Join(whom.iter().copied().chain(first).collect())
            }
        };
        let op = OpId::from_raw(OURS | u64::from(place));
        self.run(place, Input::Op(op, OpInput::Ask(command)), cx);
    }

    /// A place has joined, or left.
    fn joint_step(&mut self, result: Result<(), Error>, cx: &mut Cx<'_, Self>) {
        let is_whole = self.places.iter().all(Chord::is_member);
        let Some(joint) = &mut self.joint else { return };
        let is_done = match result {
            Ok(()) => true,
            // What was tried before may have come to something.
            Err(Error::Joined) => joint.bootstrap.is_some() && !(joint.place == 0 && is_whole),
            Err(Error::NotJoined) => joint.bootstrap.is_none(),
            Err(_) => false,
        };
        joint.place += 1;
        if is_done && usize::from(joint.place) < self.places.len() {
            return self.joint_ask(cx);
        }
        let op = joint.op;
        self.joint = None;
        cx.finish(op, if is_done { Ok(()) } else { result });
    }

    fn op(&mut self, op: OpId, input: OpInput<Command>, cx: &mut Cx<'_, Self>) {
        match input {
            OpInput::Ask(Command::Join(bootstrap)) => self.joint(op, Some(bootstrap), cx),
            OpInput::Ask(Command::Leave) => self.joint(op, None, cx),
            OpInput::Ask(command) => {
                let place = self.place_of(&command);
                self.ops.insert(op, place);
                self.run(place, Input::Op(op, OpInput::Ask(command)), cx);
            }
            other => {
                if let Some(place) = self.ops.get(&op) {
                    self.run(*place, Input::Op(op, other), cx);
                } else if let Some(joint) = self.joint.as_ref().filter(|joint| joint.op == op) {
                    let (place, ours) = (joint.place, OpId::from_raw(OURS | u64::from(joint.place)));
                    self.run(place, Input::Op(ours, other), cx);
                }
            }
        }
    }

    /// To whom an input goes that names a handle.
    fn owner(&mut self, input: &Input<Self>) -> Option<u8> {
        let handle = match input {
            Input::Stream(conn, StreamInput::Open { listener: Some(listener), .. }) => {
                let place = *self.handles.get(&listener.raw())?;
                self.handles.insert(conn.raw(), place);
                return Some(place);
            }
            Input::Stream(conn, StreamInput::Closed(_)) => return self.handles.remove(&conn.raw()),
            Input::Job(job, _) => return self.handles.remove(&job.raw()),
            Input::Stream(conn, _) => conn.raw(),
            Input::Listener(listener, _) => listener.raw(),
            Input::Bound(socket, _) | Input::Datagram(socket, _) => socket.raw(),
            _ => return None,
        };
        self.handles.get(&handle).copied()
    }
}

/// How a place is set.
fn of_place(config: &Config, number: u8, places: u8) -> Config {
    let mut config = config.clone();
    let next = |addr: SocketAddr| match addr.port() {
        0 => addr,
        port => SocketAddr::new(addr.ip(), port.wrapping_add(u16::from(number))),
    };
    (config.listen, config.advertised) = (next(config.listen), config.advertised.map(next));
    config.limits.cache_bytes /= usize::from(places);
    config.store = config.store.and_then(|file| numbered(&file, number));
    config
}

/// The file of a place: its number is added to the name.
fn numbered(file: &FileId, number: u8) -> Option<FileId> {
    let path = file.path().as_str();
    let path = if number == 0 { path.into() } else { alloc::format!("{path}-{number}") };
    Some(FileId::new(file.root(), RelPath::local(path.split('/')).ok()?))
}

impl Machine for Host {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = HostTimer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Op(op, input) => return self.op(op, input, cx),
            Input::Start | Input::Stop => {
                for place in 0..self.places.len() as u8 {
                    let input = if matches!(input, Input::Start) { Input::Start } else { Input::Stop };
                    self.run(place, input, cx);
                }
            }
            input => {
                let place = match &input {
                    Input::Timer(timer) => Some(timer.place),
                    other => self.owner(other),
                };
                if let Some(place) = place
                    && let Some(input) = input.narrow(|timer| Some(timer.timer), Some)
                {
                    self.run(place, input, cx);
                }
            }
        }
        if self.halted == self.places.len() {
            cx.halt();
        }
    }
}

impl Join for Host {
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Chord::join(to)
    }
}

impl Publish for Host {
    type Item = Item;
    const REACH: Reach = Chord::REACH;

    fn publish(item: Item) -> Command {
        Chord::publish(item)
    }
}

impl Search for Host {
    type Query = Get;
    type Hit = Hit;

    fn search(query: Get) -> Command {
        Chord::search(query)
    }

    fn hit(event: Event) -> Option<Hit> {
        Chord::hit(event)
    }
}

impl Fetch for Host {
    type Locator = Get;

    fn fetch(what: Get) -> Command {
        Chord::fetch(what)
    }

    fn chunk(event: Event) -> Option<Chunk> {
        Chord::chunk(event)
    }
}
