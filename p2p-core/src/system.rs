//! Any system behind one face, chosen while the program runs: [`System`].
//!
//! Generic code is written against the four primitives ([`Join`], [`Publish`], [`Search`], [`Fetch`]), and what a system
//! lacks does not compile. A program that takes its systems from its command line wants them in one list instead: every
//! [`Node`] of a machine that is [`Described`] is a [`System`]. There everything is text and bytes, what a system has is
//! data ([`Abilities`]), and what it lacks is an error that says so ([`SystemError::Lacks`]).
//!
//! ```
//! use p2p_core::system::{Answers, Found, System, SystemError};
//!
//! /// Asks every system that can be asked.
//! async fn ask_all(systems: &[Box<dyn System>], words: &str) -> Result<Vec<Found>, SystemError> {
//!     let mut all = Vec::new();
//!     for system in systems.iter().filter(|system| system.abilities().search) {
//!         let mut hits: Answers<Found> = system.search(words)?;
//!         while let Some(hit) = hits.try_next().await? {
//!             all.push(hit);
//!         }
//!     }
//!     Ok(all)
//! }
//! ```

use crate::keywords::Keywords;
use crate::machine::Machine;
use crate::node::{Node, OpError, Operation};
use crate::primitives::{Chunk, Fetch, Join, Publish, Reach, Search};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use async_trait::async_trait;
use bytes::Bytes;
use core::error::Error;
use core::fmt;
use core::pin::Pin;
use core::str::FromStr;
use core::task::{Context, Poll};
use futures_core::Stream;

/// Why a text or a locator means nothing to a system, or an operation failed: each system has its own reasons.
pub type Reason = Box<dyn Error + Send + Sync>;

/// A running node of any system.
#[async_trait]
pub trait System: Send + Sync {
    /// The system's name, in lower case.
    fn name(&self) -> &'static str;

    /// What it has of the four primitives.
    fn abilities(&self) -> Abilities;

    /// Becomes a part of the system; `to` says whom to ask first, as the system writes that down.
    ///
    /// # Errors
    /// If it cannot be joined, `to` means nothing to it, or it failed.
    async fn join(&self, to: &str) -> Result<(), SystemError>;

    /// Makes something findable.
    ///
    /// # Errors
    /// If it does not publish, or not such an item, or it failed.
    async fn publish(&self, item: Item) -> Result<(), SystemError>;

    /// Searches; hits come as they are found.
    ///
    /// # Errors
    /// If it has no search, or `query` means nothing to it. That it failed is said by the answers.
    fn search(&self, query: &str) -> Result<Answers<Found>, SystemError>;

    /// Fetches; verified chunks come in order.
    ///
    /// # Errors
    /// If it does not fetch, or `what` means nothing to it. That it failed is said by the answers.
    fn fetch(&self, what: &Locator) -> Result<Answers<Chunk>, SystemError>;
}

/// What a system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// Whether it can be joined.
    pub join: bool,
    /// Who learns of what is published, if anything can be.
    pub publish: Option<Reach>,
    /// Whether it can be searched.
    pub search: bool,
    /// Whether things are fetched from it.
    pub fetch: bool,
}

/// One of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// [`Join`].
    Join,
    /// [`Publish`].
    Publish,
    /// [`Search`].
    Search,
    /// [`Fetch`].
    Fetch,
}

impl fmt::Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join => "join",
            Self::Publish => "publish",
            Self::Search => "search",
            Self::Fetch => "fetch",
        })
    }
}

/// Why a [`System`] did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// The system has not got this primitive.
    #[error("{system} has no {primitive} of its own")]
    Lacks {
        /// Its name.
        system: &'static str,
        /// What it lacks.
        primitive: Primitive,
    },
    /// What it was given means nothing to it.
    #[error("{system} cannot {primitive} this: {why}")]
    Meaningless {
        /// Its name.
        system: &'static str,
        /// What it was asked for.
        primitive: Primitive,
        /// The system's reason.
        why: Reason,
    },
    /// The machine says so.
    #[error("{0}")]
    Failed(Reason),
    /// The answers were not read fast enough, and the machine did not stop sending them.
    #[error("the answers were not read in time")]
    Lagged,
    /// The machine is not running any more.
    #[error("the machine has stopped")]
    Gone,
}

impl<E: Error + Send + Sync + 'static> From<OpError<E>> for SystemError {
    fn from(error: OpError<E>) -> Self {
        match error {
            OpError::Failed(why) => Self::Failed(Box::new(why)),
            OpError::Lagged => Self::Lagged,
            OpError::Gone => Self::Gone,
        }
    }
}

/// Something to publish, for any system: what the two fields mean is for each to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// What it is called: a key, or the path of a stored file.
    pub name: String,
    /// What it is, or what describes it; empty where the name says it all.
    pub data: Bytes,
}

/// What names a thing to be fetched, as the system writes that down: often text, but any bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator(pub Bytes);

impl From<&str> for Locator {
    fn from(text: &str) -> Self {
        Self(text.to_owned().into())
    }
}

impl From<Vec<u8>> for Locator {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// A hit of any system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is called, as a stranger says: escape it before showing.
    pub title: String,
    /// How many bytes it has, if that is known.
    pub len: Option<u64>,
    /// What to fetch it by.
    pub locator: Locator,
}

/// The answers of an operation of any system: a stream that ends when it is finished, or with one error.
///
/// The operation begins when it is first polled. Dropping it cancels the operation.
#[must_use = "an operation begins when it is first polled, and dropping it cancels it"]
pub struct Answers<T>(Pin<Box<dyn Stream<Item = Result<T, SystemError>> + Send>>);

impl<T> fmt::Debug for Answers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl<T> Answers<T> {
    /// The next answer; `None` when the operation has finished well.
    pub async fn next(&mut self) -> Option<Result<T, SystemError>> {
        core::future::poll_fn(|cx| self.0.as_mut().poll_next(cx)).await
    }

    /// The next answer; `None` when the operation has finished well.
    ///
    /// # Errors
    /// If the operation failed, or the machine is gone.
    pub async fn try_next(&mut self) -> Result<Option<T>, SystemError> {
        self.next().await.transpose()
    }
}

impl<T> Stream for Answers<T> {
    type Item = Result<T, SystemError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// An operation whose errors are those of any system.
struct Erased<M: Machine, T>(Operation<M, T>);

impl<M: Machine, T> Stream for Erased<M, T> {
    type Item = Result<T, SystemError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_answer(cx).map(|answer| answer.map(|answer| answer.map_err(SystemError::from)))
    }
}

/// A machine that says what it is, so that its nodes are [`System`]s.
pub trait Described: Machine {
    /// The system's name, in lower case.
    const NAME: &'static str;
    /// What it has, and how text and bytes become that.
    const FACES: Faces<Self>;
}

/// What a machine has of the four primitives, for callers that know only text and bytes. Only what the type has can be
/// added: `Faces::NONE.with_join().with_fetch()`.
#[expect(clippy::type_complexity, reason = "each is a plain function, and is written out where it is used")]
pub struct Faces<M: Machine> {
    join: Option<fn(&str) -> Result<M::Command, Reason>>,
    publish: Option<(Reach, fn(Item) -> Result<M::Command, Reason>)>,
    search: Option<Face<M, fn(&str) -> Result<M::Command, Reason>, Found>>,
    fetch: Option<Face<M, fn(Bytes) -> Result<M::Command, Reason>, Chunk>>,
}

/// How a command is made, and how its answers are read.
type Face<M, F, T> = (F, fn(<M as Machine>::Event) -> Option<T>);

impl<M: Machine> fmt::Debug for Faces<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.abilities().fmt(f)
    }
}

impl<M: Machine> Faces<M> {
    /// Nothing yet.
    pub const NONE: Self = Self { join: None, publish: None, search: None, fetch: None };

    /// And it can be joined.
    #[must_use]
    pub const fn with_join(self) -> Self
    where
        M: Join,
        M::Bootstrap: FromStr<Err: Into<Reason>>,
    {
        let join: fn(&str) -> _ = |to| Ok(M::join(to.parse::<M::Bootstrap>().map_err(Into::into)?));
        Self { join: Some(join), ..self }
    }

    /// And it publishes.
    #[must_use]
    pub const fn with_publish(self) -> Self
    where
        M: Publish,
        M::Item: TryFrom<Item, Error: Into<Reason>>,
    {
        let publish: fn(Item) -> _ = |item| Ok(M::publish(M::Item::try_from(item).map_err(Into::into)?));
        Self { publish: Some((M::REACH, publish)), ..self }
    }

    /// And it can be searched for words.
    #[must_use]
    pub const fn with_word_search(self) -> Self
    where
        M: Search,
        M::Query: From<Keywords>,
        M::Hit: Into<Found>,
    {
        let search: fn(&str) -> _ = |words| Ok(M::search(Keywords::new(words).into()));
        let hit: fn(M::Event) -> _ = |event| M::hit(event).map(Into::into);
        Self { search: Some((search, hit)), ..self }
    }

    /// And it can be searched for what has a text form of its own: an identifier.
    #[must_use]
    pub const fn with_search(self) -> Self
    where
        M: Search,
        M::Query: FromStr<Err: Into<Reason>>,
        M::Hit: Into<Found>,
    {
        let search: fn(&str) -> _ = |text| Ok(M::search(text.parse::<M::Query>().map_err(Into::into)?));
        let hit: fn(M::Event) -> _ = |event| M::hit(event).map(Into::into);
        Self { search: Some((search, hit)), ..self }
    }

    /// And it fetches.
    #[must_use]
    pub const fn with_fetch(self) -> Self
    where
        M: Fetch,
        M::Locator: TryFrom<Bytes, Error: Into<Reason>>,
    {
        let fetch: fn(Bytes) -> _ = |what| Ok(M::fetch(M::Locator::try_from(what).map_err(Into::into)?));
        let chunk: fn(M::Event) -> _ = M::chunk;
        Self { fetch: Some((fetch, chunk)), ..self }
    }

    /// What it has.
    #[must_use]
    pub const fn abilities(&self) -> Abilities {
        Abilities {
            join: self.join.is_some(),
            publish: match self.publish {
                Some((reach, _)) => Some(reach),
                None => None,
            },
            search: self.search.is_some(),
            fetch: self.fetch.is_some(),
        }
    }
}

const fn lacks<M: Described>(primitive: Primitive) -> SystemError {
    SystemError::Lacks { system: M::NAME, primitive }
}

/// The command, or that the system understood nothing.
fn meant<M: Described>(
    primitive: Primitive,
    made: Result<M::Command, Reason>,
) -> Result<M::Command, SystemError> {
    made.map_err(|why| SystemError::Meaningless { system: M::NAME, primitive, why })
}

#[async_trait]
impl<M: Described> System for Node<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn abilities(&self) -> Abilities {
        M::FACES.abilities()
    }

    async fn join(&self, to: &str) -> Result<(), SystemError> {
        let join = M::FACES.join.ok_or_else(|| lacks::<M>(Primitive::Join))?;
        Ok(self.run(meant::<M>(Primitive::Join, join(to))?).await?)
    }

    async fn publish(&self, item: Item) -> Result<(), SystemError> {
        let (_, publish) = M::FACES.publish.ok_or_else(|| lacks::<M>(Primitive::Publish))?;
        Ok(self.run(meant::<M>(Primitive::Publish, publish(item))?).await?)
    }

    fn search(&self, query: &str) -> Result<Answers<Found>, SystemError> {
        let (search, hit) = M::FACES.search.ok_or_else(|| lacks::<M>(Primitive::Search))?;
        let command = meant::<M>(Primitive::Search, search(query))?;
        Ok(Answers(Box::pin(Erased(self.operation(command, hit)))))
    }

    fn fetch(&self, what: &Locator) -> Result<Answers<Chunk>, SystemError> {
        let (fetch, chunk) = M::FACES.fetch.ok_or_else(|| lacks::<M>(Primitive::Fetch))?;
        let command = meant::<M>(Primitive::Fetch, fetch(what.0.clone()))?;
        Ok(Answers(Box::pin(Erased(self.operation(command, chunk)))))
    }
}
