//! The one trait of the workspace, [`Machine`], and the [`Input`]s it takes.

use crate::Cx;
use crate::effect::{ConnId, IoError, JobId, ListenerId, LookupId, OpId, SocketId};
use crate::job::JobDone;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::{self, Debug};
use core::net::SocketAddr;

/// A protocol as a pure state machine: inputs go in, effects come out through the [`Cx`].
///
/// A driver calls [`handle`](Self::handle) with one [`Input`] at a time and carries out the effects that the call
/// left in the context, in their order. Nothing waits inside a machine, so nothing has to be drained or polled.
pub trait Machine: Sized + Send + 'static {
    /// What the application may ask for.
    type Command: Clone + Debug + Send + 'static;
    /// What it is told: answers to an operation, and news.
    type Event: Debug + Send + 'static;
    /// Why an operation failed.
    type Error: core::error::Error + Send + Sync + 'static;
    /// The names of its timers. Setting a timer again replaces it.
    type Timer: Copy + Debug + Ord + Send + 'static;

    /// Takes one input. Never blocks, reads no clock, does no I/O.
    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>);
}

/// What can happen to a machine.
pub enum Input<M: Machine> {
    /// The first input, once: ask for sockets here.
    Start,
    /// The application asks for something, or says something of an operation under way.
    Op(OpId, OpInput<M::Command>),
    /// A timer set with [`Cx::set_timer`] is due. It is gone; set it again for the next time.
    Timer(M::Timer),
    /// Something happened to a stream.
    Stream(ConnId, StreamInput),
    /// The answer to [`Cx::listen`]: the bound address, or why not. An error may also come later, and ends it.
    Listener(ListenerId, Result<SocketAddr, IoError>),
    /// The answer to [`Cx::bind`]: the bound address, or why not. An error may also come later, and ends it.
    Bound(SocketId, Result<SocketAddr, IoError>),
    /// A datagram came in.
    Datagram(SocketId, Datagram),
    /// The answer to [`Cx::resolve`]: at least one address, or an error.
    Resolved(LookupId, Result<Vec<SocketAddr>, IoError>),
    /// The answer to [`Cx::run`].
    Job(JobId, JobDone),
    /// The application wants the machine to end: say good-bye, save, then [`Cx::halt`]. A driver waits for a grace
    /// period at most.
    Stop,
}

// Not derived: that would ask for machines that are `Debug` themselves.
impl<M: Machine> Debug for Input<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => write!(f, "Start"),
            Self::Op(op, input) => write!(f, "Op({op:?}, {input:?})"),
            Self::Timer(timer) => write!(f, "Timer({timer:?})"),
            Self::Stream(conn, input) => write!(f, "Stream({conn:?}, {input:?})"),
            Self::Listener(id, at) => write!(f, "Listener({id:?}, {at:?})"),
            Self::Bound(id, at) => write!(f, "Bound({id:?}, {at:?})"),
            Self::Datagram(id, datagram) => write!(f, "Datagram({id:?}, {datagram:?})"),
            Self::Resolved(id, found) => write!(f, "Resolved({id:?}, {found:?})"),
            Self::Job(id, done) => write!(f, "Job({id:?}, {done:?})"),
            Self::Stop => write!(f, "Stop"),
        }
    }
}

impl<M: Machine> Clone for Input<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Start => Self::Start,
            Self::Op(op, input) => Self::Op(*op, input.clone()),
            Self::Timer(timer) => Self::Timer(*timer),
            Self::Stream(conn, input) => Self::Stream(*conn, input.clone()),
            Self::Listener(id, at) => Self::Listener(*id, *at),
            Self::Bound(id, at) => Self::Bound(*id, *at),
            Self::Datagram(id, datagram) => Self::Datagram(*id, datagram.clone()),
            Self::Resolved(id, found) => Self::Resolved(*id, found.clone()),
            Self::Job(id, done) => Self::Job(*id, done.clone()),
            Self::Stop => Self::Stop,
        }
    }
}

/// What the application says of an operation.
#[derive(Debug, Clone)]
pub enum OpInput<C> {
    /// A new operation. It must end with exactly one [`Cx::finish`].
    Ask(C),
    /// The reader of the answers does not keep up: stop answering until `Ready`. Answers still sent are kept up to a
    /// hard cap; past it the driver ends the operation as lagged and sends `Cancel`.
    Full,
    /// The reader caught up.
    Ready,
    /// Nobody waits for this operation any more. Answers and the finish are dropped; `Cx::finish` is still owed.
    Cancel,
}

/// What can happen to a stream (a TCP connection, or whatever the driver's connector makes of it).
#[derive(Debug, Clone)]
pub enum StreamInput {
    /// It is open. `listener` says through which listener it came in; `None` if this node dialled.
    Open {
        /// The other end.
        peer: SocketAddr,
        /// The listener that accepted it.
        listener: Option<ListenerId>,
    },
    /// Bytes came in, at least one.
    Data(Bytes),
    /// The send queue passed its high mark: stop sending until `Ready` (what is sent anyway is still queued).
    Full,
    /// The send queue fell below its low mark.
    Ready,
    /// The answer to [`Cx::secure`]; on an error `Closed` follows.
    Secured(Result<(), IoError>),
    /// The last input of a stream: the other end finished (`Ok`), or it broke, or could not be opened. Not sent for a
    /// stream that the machine closed or aborted itself.
    Closed(Result<(), IoError>),
}

/// A datagram, received or to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The other end: its source when received, its destination when sent.
    pub peer: SocketAddr,
    /// The payload.
    pub data: Bytes,
    /// Received: the hop limit it still had, where the driver can tell. Sent: the hop limit to give it, if not the
    /// system's own (which is 1 for a multicast group).
    pub ttl: Option<u8>,
    /// The index of the network interface it came in by, or is to leave by.
    pub interface: Option<u32>,
}

impl Datagram {
    /// A datagram with the system's own hop limit and route.
    #[must_use]
    pub fn new(peer: SocketAddr, data: impl Into<Bytes>) -> Self {
        Self { peer, data: data.into(), ttl: None, interface: None }
    }
}
