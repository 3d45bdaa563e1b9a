//! A program with a list of systems: what each has, what it lacks, and what becomes of text that means nothing.

use p2p_core::node::{Desk, DeskLimits, desk};
use p2p_core::system::{Described, Faces, Found, Item, Locator, Primitive, System, SystemError};
use p2p_core::{
    Bytes, Chunk, Cx, Effect, Fetch, Input, Instant, Join, Keywords, Machine, OpInput, Publish, Reach, Rng,
    Search, Source, UnixTime,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A node that keeps what it is given, and finds it by words of its name.
#[derive(Default)]
struct Shelf {
    joined: bool,
    things: BTreeMap<String, Bytes>,
}

#[derive(Debug, Clone)]
enum Ask {
    Join(u16),
    Put(Item),
    Find(Keywords),
    Get(String),
}

#[derive(Debug)]
enum Told {
    Hit(String),
    Chunk(Chunk),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum No {
    #[error("not joined")]
    NotJoined,
    #[error("no such thing")]
    NoSuchThing,
}

impl Machine for Shelf {
    type Command = Ask;
    type Event = Told;
    type Error = No;
    type Timer = Infallible;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let Input::Op(op, OpInput::Ask(ask)) = input else { return };
        let result = match ask {
            Ask::Join(port) => {
                self.joined = port != 0;
                Ok(())
            }
            _ if !self.joined => Err(No::NotJoined),
            Ask::Put(item) => {
                self.things.insert(item.name, item.data);
                Ok(())
            }
            Ask::Find(words) => {
                let fit = self.things.keys().filter(|name| words.matches(name));
                fit.for_each(|name| cx.answer(op, Told::Hit(name.clone())));
                Ok(())
            }
            Ask::Get(name) => match self.things.get(&name) {
                Some(data) => {
                    cx.answer(op, Told::Chunk(Chunk { offset: 0, data: data.clone() }));
                    Ok(())
                }
                None => Err(No::NoSuchThing),
            },
        };
        cx.finish(op, result);
    }
}

impl Join for Shelf {
    type Bootstrap = u16;
    fn join(to: u16) -> Ask {
        Ask::Join(to)
    }
}

impl Publish for Shelf {
    type Item = Item;
    const REACH: Reach = Reach::Local;
    fn publish(item: Item) -> Ask {
        Ask::Put(item)
    }
}

impl Search for Shelf {
    type Query = Keywords;
    type Hit = Book;
    fn search(query: Keywords) -> Ask {
        Ask::Find(query)
    }
    fn hit(event: Told) -> Option<Book> {
        if let Told::Hit(name) = event { Some(Book(name)) } else { None }
    }
}

struct Book(String);

impl From<Book> for Found {
    fn from(Book(title): Book) -> Self {
        Self { locator: title.as_str().into(), title, len: None }
    }
}

impl Fetch for Shelf {
    type Locator = Title;
    fn fetch(what: Title) -> Ask {
        Ask::Get(what.0)
    }
    fn chunk(event: Told) -> Option<Chunk> {
        if let Told::Chunk(chunk) = event { Some(chunk) } else { None }
    }
}

struct Title(String);

impl TryFrom<Bytes> for Title {
    type Error = std::str::Utf8Error;
    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        std::str::from_utf8(&bytes).map(|text| Self(text.into()))
    }
}

impl Described for Shelf {
    const NAME: &'static str = "shelf";
    const FACES: Faces<Self> = Faces::NONE.with_join().with_publish().with_word_search().with_fetch();
}

/// A node that can only be joined.
struct Club;

impl Machine for Club {
    type Command = ();
    type Event = Infallible;
    type Error = No;
    type Timer = Infallible;
    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        if let Input::Op(op, OpInput::Ask(())) = input {
            cx.finish(op, Ok(()));
        }
    }
}

impl Join for Club {
    type Bootstrap = String;
    fn join(_: String) {}
}

impl Described for Club {
    const NAME: &'static str = "club";
    const FACES: Faces<Self> = Faces::NONE.with_join();
}

/// Whatever runs a machine behind its desk.
trait Turn {
    fn turn(&mut self);
}

struct Driver<M: Machine> {
    machine: M,
    desk: Desk<M>,
    source: Source,
}

impl<M: Machine> Turn for Driver<M> {
    fn turn(&mut self) {
        let mut waker = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(input)) = self.desk.poll_input(&mut waker) {
            let mut effects = Vec::new();
            let mut cx = Cx::new(Instant::ZERO, UnixTime::default(), &mut self.source, &mut effects);
            self.machine.handle(input, &mut cx);
            for effect in effects {
                match effect {
                    Effect::Event(op, event) => assert!(self.desk.event(op, event).is_none()),
                    Effect::Finish(op, result) => self.desk.finish(op, result),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// A program's systems, and what runs them.
#[derive(Default)]
struct Program {
    systems: Vec<Box<dyn System>>,
    drivers: Vec<Box<dyn Turn>>,
}

impl Program {
    fn add<M: Described>(&mut self, machine: M) {
        let (node, _, desk) = desk(DeskLimits::default());
        self.systems.push(Box::new(node));
        self.drivers.push(Box::new(Driver { machine, desk, source: Source::new(Rng::fast_from(1)) }));
    }
}

fn block_on<T>(drivers: &mut [Box<dyn Turn>], future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut waker = Context::from_waker(Waker::noop());
    for _ in 0..1_000 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut waker) {
            return done;
        }
        drivers.iter_mut().for_each(|driver| driver.turn());
    }
    panic!("it waits for something that never comes");
}

/// Publishes, finds and fetches on every system that can.
async fn use_all(systems: &[Box<dyn System>]) -> Result<Vec<(&'static str, Vec<u8>)>, SystemError> {
    let mut fetched = Vec::new();
    for system in systems {
        let can = system.abilities();
        system.join("7").await?;
        if can.publish.is_some() {
            system.publish(Item { name: "Blue Train".into(), data: "a song".into() }).await?;
            system.publish(Item { name: "Red Train".into(), data: "another".into() }).await?;
        }
        if can.search && can.fetch {
            let mut hits = system.search("blue")?;
            while let Some(hit) = hits.try_next().await? {
                let mut chunks = system.fetch(&hit.locator)?;
                let mut content = Vec::new();
                while let Some(chunk) = chunks.try_next().await? {
                    content.extend_from_slice(&chunk.data);
                }
                fetched.push((system.name(), content));
            }
        }
    }
    Ok(fetched)
}

#[test]
fn a_list_of_systems() {
    let mut program = Program::default();
    program.add(Shelf::default());
    program.add(Club);
    program.add(Shelf::default());
    let fetched = block_on(&mut program.drivers, use_all(&program.systems)).unwrap();
    assert_eq!(fetched, [("shelf", b"a song".to_vec()), ("shelf", b"a song".to_vec())]);
}

#[test]
fn what_is_lacking_is_data_and_an_error() {
    let mut program = Program::default();
    program.add(Club);
    let Program { systems, drivers } = &mut program;
    let club = &systems[0];
    let can = club.abilities();
    assert_eq!((can.join, can.publish, can.search, can.fetch), (true, None, false, false));
    let error = club.search("blue").unwrap_err();
    assert_eq!(error.to_string(), "club has no search of its own");
    assert!(matches!(error, SystemError::Lacks { system: "club", primitive: Primitive::Search }));
    let error = club.fetch(&Locator::from("blue")).unwrap_err();
    assert!(matches!(error, SystemError::Lacks { primitive: Primitive::Fetch, .. }), "{error}");
    let error = block_on(drivers, club.publish(Item::default())).unwrap_err();
    assert!(matches!(error, SystemError::Lacks { primitive: Primitive::Publish, .. }), "{error}");
}

#[test]
fn what_means_nothing_and_what_fails() {
    let mut program = Program::default();
    program.add(Shelf::default());
    let Program { systems, drivers } = &mut program;
    let shelf = &systems[0];
    assert_eq!(shelf.abilities().publish, Some(Reach::Local));
    let error = block_on(drivers, shelf.join("a street")).unwrap_err();
    assert_eq!(error.to_string(), "shelf cannot join this: invalid digit found in string");
    let error = shelf.fetch(&Locator::from(vec![0xff])).unwrap_err();
    assert!(matches!(error, SystemError::Meaningless { primitive: Primitive::Fetch, .. }), "{error}");
    let mut early = shelf.search("blue").unwrap();
    let error = block_on(drivers, early.try_next()).unwrap_err();
    assert!(
        matches!(&error, SystemError::Failed(why) if why.downcast_ref::<No>() == Some(&No::NotJoined)),
        "{error}"
    );
    block_on(drivers, shelf.join("7")).unwrap();
    let mut missing = shelf.fetch(&"nothing".into()).unwrap();
    assert_eq!(block_on(drivers, missing.next()).unwrap().unwrap_err().to_string(), "no such thing");
    assert!(block_on(drivers, missing.next()).is_none());
    // The machine goes: what is asked of it says so.
    drivers.clear();
    assert!(matches!(block_on(drivers, shelf.join("7")), Err(SystemError::Gone)));
}
