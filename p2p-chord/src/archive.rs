//! A node of the ring that shares files and fetches them: [`Archive`], [`Chord`] and [`Files`] as one machine.
//!
//! A file is published under a name and under its content: the ring then holds two [`Provider`] records of it, which say
//! again and again, as long as the archive runs, where it is to be had, how long it is and what its SHA-256 is. Who fetches
//! by name gets the content that most holders have under it, for anybody may publish anything under any name; who knows
//! the SHA-256 gets that and nothing else. The bytes come from the holders themselves, see [`files`].
//!
//! ```text
//!  Publish ──► Files: digest ──► ring: Provide, by name ──► ring: Provide, by content ──► done
//!  Obtain  ──► ring: who has it? ──► Files: fetch ──► done
//!                   ▲                    │ nobody is left
//!                   └───── after a while ┘  (a few times; then by content)
//! ```

mod publishing;
mod routes;
#[cfg(feature = "node")]
mod system;

use crate::api::{self, Get, Provide};
use crate::files::{self, Fault, Files};
use crate::node::Chord;
use crate::primitives::Bootstrap;
use crate::record::{Kind, Provider, Record};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::str::FromStr;
use p2p_core::{
    Chunk, Cx, Duration, Effect, Fetch, FileId, Id, Input, Join, Machine, OpId, OpInput, Publish, Reach,
    Search,
};
use routes::Routes;

#[cfg(feature = "node")]
pub use system::TextError;

type Context<'a> = Cx<'a, Archive>;

/// How often it is looked for holders of one file, and how long it waits in between, more each time.
const LOOKS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(2);

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// What most have under this name.
    Name(String),
    /// The content with this SHA-256.
    Content([u8; 32]),
}

impl What {
    /// Who has it, as the ring is asked.
    #[must_use]
    pub fn get(&self) -> Get {
        let key = match self {
            Self::Name(name) => Provider::place_of_name(name),
            Self::Content(sha256) => Provider::place_of(sha256),
        };
        Get::new(key, Kind::Provider)
    }
}

impl FromStr for What {
    type Err = core::convert::Infallible;

    /// 64 hexadecimal digits are content, everything else is a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let content = text.parse::<Id<32>>();
        Ok(content.map_or_else(|_| Self::Name(text.into()), |sha256| Self::Content(sha256.0)))
    }
}

/// A file to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Under which name.
    pub name: String,
    /// The file.
    pub file: FileId,
}

/// A file to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obtain {
    /// What.
    pub what: What,
    /// What its SHA-256 must be, whatever others have under the name.
    pub sha256: Option<[u8; 32]>,
    /// Where it is to be; see [`files::Fetch::to`].
    pub to: FileId,
    /// Whether its content is told as well, once it is verified.
    pub read: bool,
}

/// What can be asked of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Something of the ring.
    Ring(api::Command),
    /// Let everybody find and fetch a file. Ends when the ring knows of it.
    Publish(Item),
    /// Find a file and fetch it.
    Obtain(Obtain),
}

/// What an archive tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Of the ring.
    Ring(api::Event),
    /// Of files.
    Files(files::Event),
    /// These have what is to be fetched.
    Holders {
        /// SHA-256 of its content.
        sha256: [u8; 32],
        /// Its bytes.
        size: u64,
        /// Where it is to be had.
        holders: Vec<SocketAddr>,
    },
}

/// Why something asked of an archive was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ring says so.
    #[error("{0}")]
    Ring(crate::Error),
    /// The files say so.
    #[error("{0}")]
    Files(files::Error),
    /// Nobody can fetch anything from here.
    #[error("nobody can fetch from here: it does not listen")]
    NotListening,
}

/// An archive's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Of the ring.
    Ring(api::Timer),
    /// Of files.
    Files(files::Timer),
    /// To look for holders again.
    Again(OpId),
}

/// What an operation is about, where it is not simply one of the ring.
#[derive(Debug)]
enum Work {
    /// The file is digested; then the ring is told these, the last first.
    Publishing {
        name: String,
        left: Vec<Provide>,
        told: bool,
    },
    Obtaining(Obtaining),
}

#[derive(Debug)]
struct Obtaining {
    obtain: Obtain,
    looks: u32,
    stage: Stage,
    /// Who has it, of what the ring said.
    found: Vec<Provider>,
    /// What it turned out to be.
    chosen: Option<([u8; 32], u64)>,
    /// Holders that gave something else.
    liars: BTreeSet<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Looking,
    Waiting,
    Fetching,
}

/// What one part has to do because of the other.
#[derive(Debug)]
enum Next {
    Ring(OpId, api::Command),
    Files(OpId, files::Command),
}

/// A node of the ring that shares files and fetches them.
#[derive(Debug)]
pub struct Archive {
    ring: Chord,
    files: Files,
    routes: Routes,
    works: BTreeMap<OpId, Work>,
    next: VecDeque<Next>,
    ring_effects: Vec<Effect<Chord>>,
    files_effects: Vec<Effect<Files>>,
    /// Whether the ring's part is over, and that of the files.
    over: (bool, bool),
    stopping: bool,
    halted: bool,
}

impl Archive {
    /// An archive of these.
    #[must_use]
    pub const fn new(ring: Chord, files: Files) -> Self {
        Self {
            ring,
            files,
            routes: Routes::new(),
            works: BTreeMap::new(),
            next: VecDeque::new(),
            ring_effects: Vec::new(),
            files_effects: Vec::new(),
            over: (false, false),
            stopping: false,
            halted: false,
        }
    }

    /// The node of the ring.
    #[must_use]
    pub const fn ring(&self) -> &Chord {
        &self.ring
    }

    /// The files.
    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    fn ask(&mut self, op: OpId, command: Command, cx: &mut Context<'_>) {
        match command {
            _ if self.stopping => cx.finish(op, Err(Error::Ring(crate::Error::Stopped))),
            Command::Ring(command) => self.next.push_back(Next::Ring(op, command)),
            Command::Publish(item) => self.publish_item(op, item, cx),
            Command::Obtain(obtain) => {
                let get = obtain.what.get();
                let obtaining = Obtaining {
                    obtain,
                    looks: 1,
                    stage: Stage::Looking,
                    found: Vec::new(),
                    chosen: None,
                    liars: BTreeSet::new(),
                };
                self.works.insert(op, Work::Obtaining(obtaining));
                self.next.push_back(Next::Ring(op, api::Command::Get(get)));
            }
        }
    }

    /// Something was said of an operation under way.
    fn signal(&mut self, op: OpId, signal: OpInput<Command>, cx: &mut Context<'_>) {
        let is_of_files = match self.works.get(&op) {
            Some(Work::Publishing { told, .. }) => !told,
            Some(Work::Obtaining(Obtaining { stage: Stage::Waiting, .. })) => {
                if matches!(signal, OpInput::Cancel) {
                    self.end(op, Err(Error::Ring(crate::Error::Cancelled)), cx);
                }
                return;
            }
            Some(Work::Obtaining(obtaining)) => obtaining.stage == Stage::Fetching,
            None => false,
        };
        if is_of_files {
            let input = Input::<Self>::Op(op, signal).narrow(|_| None, |_| None);
            input.into_iter().for_each(|input| self.give_files(input, cx));
        } else {
            let input = Input::<Self>::Op(op, signal).narrow(|_| None, |_| None);
            input.into_iter().for_each(|input| self.give_ring(input, cx));
        }
    }

    /// The ring was asked who has a file.
    fn looked(&mut self, op: OpId, result: Result<(), crate::Error>, cx: &mut Context<'_>) {
        let Some(Work::Obtaining(obtaining)) = self.works.get_mut(&op) else { return };
        let found = core::mem::take(&mut obtaining.found);
        let wanted = obtaining.obtain.sha256.or(match obtaining.obtain.what {
            What::Content(sha256) => Some(sha256),
            What::Name(_) => None,
        });
        if obtaining.chosen.is_none() {
            obtaining.chosen = most_held(&found, wanted);
        }
        let Some((sha256, size)) = obtaining.chosen else {
            let why = result.err().unwrap_or(crate::Error::Absent);
            return self.end(op, Err(Error::Ring(why)), cx);
        };
        let is_it = |provider: &&Provider| (provider.sha256, provider.size) == (sha256, size);
        let mut holders: Vec<SocketAddr> =
            found.iter().filter(is_it).map(|provider| SocketAddr::from(provider.at)).collect();
        holders.retain(|holder| !obtaining.liars.contains(holder));
        obtaining.stage = Stage::Fetching;
        let (to, read) = (obtaining.obtain.to.clone(), obtaining.obtain.read);
        cx.answer(op, Event::Holders { sha256, size, holders: holders.clone() });
        let fetch = files::Fetch { sha256, size, holders, to, read };
        self.next.push_back(Next::Files(op, files::Command::Fetch(fetch)));
    }

    /// Files have fetched, or could not.
    fn fetched(&mut self, op: OpId, result: Result<(), files::Error>, cx: &mut Context<'_>) {
        let Some(Work::Obtaining(obtaining)) = self.works.get_mut(&op) else { return };
        if result == Err(files::Error::NoHolder) && obtaining.looks < LOOKS && !self.stopping {
            obtaining.stage = Stage::Waiting;
            return cx.set_timer(Timer::Again(op), AGAIN * obtaining.looks);
        }
        self.end(op, result.map_err(Error::Files), cx);
    }

    fn look_again(&mut self, op: OpId) {
        let Some(Work::Obtaining(obtaining)) = self.works.get_mut(&op) else { return };
        obtaining.stage = Stage::Looking;
        obtaining.looks += 1;
        // Others may have it under another name.
        let what = match obtaining.chosen {
            Some((sha256, _)) if obtaining.looks.is_multiple_of(2) => What::Content(sha256),
            _ => obtaining.obtain.what.clone(),
        };
        self.next.push_back(Next::Ring(op, api::Command::Get(what.get())));
    }

    fn end(&mut self, op: OpId, result: Result<(), Error>, cx: &mut Context<'_>) {
        self.works.remove(&op);
        cx.clear_timer(Timer::Again(op));
        cx.finish(op, result);
    }

    /// What the ring tells.
    fn ring_event(&mut self, op: Option<OpId>, event: api::Event, cx: &mut Context<'_>) {
        if let (Some(Work::Obtaining(obtaining)), api::Event::Found { records, .. }) =
            (op.and_then(|op| self.works.get_mut(&op)), &event)
        {
            obtaining.found.extend(records.iter().filter_map(|record| match record {
                Record::Provider(provider) => Some(*provider),
                _ => None,
            }));
        }
        cx.push(Effect::Event(op, Event::Ring(event)));
    }

    fn files_event(&mut self, op: Option<OpId>, event: files::Event, cx: &mut Context<'_>) {
        match (op.and_then(|op| self.works.get_mut(&op)), &event) {
            (Some(Work::Obtaining(obtaining)), files::Event::Dropped { holder, why }) => {
                if matches!(why, Fault::Content | Fault::Size | Fault::Malformed) {
                    obtaining.liars.insert(*holder);
                }
            }
            (Some(work @ Work::Publishing { .. }), files::Event::Shared { sha256, size, .. }) => {
                work.is_digested(*sha256, *size, self.files.at());
            }
            _ => {}
        }
        cx.push(Effect::Event(op, Event::Files(event)));
    }

    fn ring_finished(&mut self, op: OpId, result: Result<(), crate::Error>, cx: &mut Context<'_>) {
        match self.works.get(&op) {
            Some(Work::Publishing { .. }) => self.provided(op, result, cx),
            Some(Work::Obtaining(_)) => self.looked(op, result, cx),
            None => cx.finish(op, result.map_err(Error::Ring)),
        }
    }

    fn files_finished(&mut self, op: OpId, result: Result<(), files::Error>, cx: &mut Context<'_>) {
        match (self.works.get(&op), result) {
            (Some(Work::Publishing { .. }), Ok(())) => self.provided(op, Ok(()), cx),
            (Some(Work::Obtaining(_)), result) => self.fetched(op, result, cx),
            (_, result) => self.end(op, result.map_err(Error::Files), cx),
        }
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        self.stopping = true;
        let is_waiting =
            |work: &Work| matches!(work, Work::Obtaining(Obtaining { stage: Stage::Waiting, .. }));
        let waiting = self.works.iter().filter(|(_, work)| is_waiting(work)).map(|(op, _)| *op);
        for op in waiting.collect::<Vec<_>>() {
            self.end(op, Err(Error::Ring(crate::Error::Stopped)), cx);
        }
        self.give_files(Input::Stop, cx);
        self.give_ring(Input::Stop, cx);
    }
}

/// The content that most have, of a certain one if that is wanted.
fn most_held(found: &[Provider], wanted: Option<[u8; 32]>) -> Option<([u8; 32], u64)> {
    let mut counts: BTreeMap<([u8; 32], u64), usize> = BTreeMap::new();
    for provider in found.iter().filter(|provider| wanted.is_none_or(|wanted| provider.sha256 == wanted)) {
        *counts.entry((provider.sha256, provider.size)).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(content, _)| content)
}

impl Machine for Archive {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                self.give_ring(Input::Start, cx);
                self.give_files(Input::Start, cx);
            }
            Input::Stop => self.stop(cx),
            Input::Op(op, OpInput::Ask(command)) => self.ask(op, command, cx),
            Input::Op(op, signal) => self.signal(op, signal, cx),
            Input::Timer(Timer::Again(op)) => self.look_again(op),
            Input::Timer(Timer::Ring(timer)) => self.give_ring(Input::Timer(timer), cx),
            Input::Timer(Timer::Files(timer)) => self.give_files(Input::Timer(timer), cx),
            input => self.route(input, cx),
        }
        self.go_on(cx);
    }
}

impl Join for Archive {
    type Bootstrap = Bootstrap;

    fn join(to: Bootstrap) -> Command {
        Command::Ring(api::Command::Join(to.0))
    }
}

impl Publish for Archive {
    type Item = Item;
    /// The nodes that are responsible for the name and for the content learn who has it.
    const REACH: Reach = Reach::Overlay;

    fn publish(item: Item) -> Command {
        Command::Publish(item)
    }
}

/// A content that is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Its bytes.
    pub size: u64,
}

impl Search for Archive {
    type Query = What;
    /// The content that most have.
    type Hit = Hit;

    fn search(query: What) -> Command {
        Command::Ring(api::Command::Get(query.get()))
    }

    fn hit(event: Event) -> Option<Hit> {
        let Event::Ring(api::Event::Found { records, .. }) = event else { return None };
        let providers = records.into_iter().filter_map(|record| match record {
            Record::Provider(provider) => Some(provider),
            _ => None,
        });
        let (sha256, size) = most_held(&providers.collect::<Vec<_>>(), None)?;
        Some(Hit { sha256, size })
    }
}

impl Fetch for Archive {
    type Locator = Obtain;

    fn fetch(what: Obtain) -> Command {
        Command::Obtain(what)
    }

    fn chunk(event: Event) -> Option<Chunk> {
        match event {
            Event::Files(files::Event::Chunk(chunk)) => Some(chunk),
            _ => None,
        }
    }
}
