//! What a machine wants of the world, as data: [`Effect`], and the handles and targets it names.

use crate::job::Job;
use crate::machine::{Datagram, Machine};
use crate::time::Instant;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

macro_rules! handle {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The handle with this number. Drivers number handles; tests may.
            #[must_use]
            pub const fn from_raw(raw: u64) -> Self {
                Self(raw)
            }

            /// Its number.
            #[must_use]
            pub const fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "#{}"), self.0)
            }
        }
    )*};
}

handle! {
    /// A stream, dialled or accepted.
    ConnId;
    /// A listening socket for streams.
    ListenerId;
    /// A datagram socket.
    SocketId;
    /// A name look-up under way.
    LookupId;
    /// A job under way.
    JobId;
    /// An operation that the application asked for.
    OpId;
}

/// What a machine wants done. Made by the methods of [`Cx`](crate::Cx), carried out by a driver in their order.
pub enum Effect<M: Machine> {
    /// Listen for streams; answered by [`Input::Listener`](crate::Input::Listener).
    Listen(ListenerId, SocketAddr, Security),
    /// Stop listening; streams already accepted live on.
    Unlisten(ListenerId),
    /// Dial; answered by `Open` or `Closed`.
    Connect(ConnId, Target, Security),
    /// Secure an open stream from here on; answered by `Secured`. The bytes are what came of it and belongs to what is
    /// secured, such as a hello that came with the last plain word: they are read before what comes next.
    Secure(ConnId, Security, Bytes),
    /// Queue bytes on a stream.
    Send(ConnId, Bytes),
    /// Stop (`true`) or go on (`false`) reading a stream.
    Pause(ConnId, bool),
    /// Close a stream after all queued bytes are sent. The handle is dead at once.
    Close(ConnId),
    /// Close a stream now; queued bytes are lost. The handle is dead at once.
    Abort(ConnId),
    /// Open a datagram socket; answered by [`Input::Bound`](crate::Input::Bound).
    Bind(SocketId, SocketAddr),
    /// Close a datagram socket.
    Unbind(SocketId),
    /// Join a multicast group on a socket.
    JoinGroup(SocketId, Group),
    /// Leave it.
    LeaveGroup(SocketId, Group),
    /// Send a datagram, or drop it if there is no room.
    SendTo(SocketId, Datagram),
    /// Resolve a host name; answered by [`Input::Resolved`](crate::Input::Resolved).
    Resolve(LookupId, String, u16),
    /// Set a timer, in place of one of the same name.
    SetTimer(M::Timer, Instant),
    /// Forget a timer.
    ClearTimer(M::Timer),
    /// Run a job; answered by [`Input::Job`](crate::Input::Job).
    Run(JobId, Job),
    /// Tell something: to whoever asked, or to whoever listens.
    Event(Option<OpId>, M::Event),
    /// End an operation.
    Finish(OpId, Result<(), M::Error>),
    /// The machine is done; no effect follows, no input will be given.
    Halt,
}

impl<M: Machine> fmt::Debug for Effect<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(id, at, security) => write!(f, "Listen({id:?}, {at}, {security:?})"),
            Self::Unlisten(id) => write!(f, "Unlisten({id:?})"),
            Self::Connect(id, to, security) => write!(f, "Connect({id:?}, {to:?}, {security:?})"),
            Self::Secure(id, security, unread) => write!(f, "Secure({id:?}, {security:?}, {unread:?})"),
            Self::Send(id, data) => write!(f, "Send({id:?}, {data:?})"),
            Self::Pause(id, paused) => write!(f, "Pause({id:?}, {paused})"),
            Self::Close(id) => write!(f, "Close({id:?})"),
            Self::Abort(id) => write!(f, "Abort({id:?})"),
            Self::Bind(id, at) => write!(f, "Bind({id:?}, {at})"),
            Self::Unbind(id) => write!(f, "Unbind({id:?})"),
            Self::JoinGroup(id, group) => write!(f, "JoinGroup({id:?}, {group:?})"),
            Self::LeaveGroup(id, group) => write!(f, "LeaveGroup({id:?}, {group:?})"),
            Self::SendTo(id, datagram) => write!(f, "SendTo({id:?}, {datagram:?})"),
            Self::Resolve(id, host, port) => write!(f, "Resolve({id:?}, {host:?}, {port})"),
            Self::SetTimer(timer, at) => write!(f, "SetTimer({timer:?}, {at:?})"),
            Self::ClearTimer(timer) => write!(f, "ClearTimer({timer:?})"),
            Self::Run(id, job) => write!(f, "Run({id:?}, {job:?})"),
            Self::Event(op, event) => write!(f, "Event({op:?}, {event:?})"),
            Self::Finish(op, result) => write!(f, "Finish({op:?}, {result:?})"),
            Self::Halt => write!(f, "Halt"),
        }
    }
}

/// Where to dial.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// An address.
    Addr(SocketAddr),
    /// A name to be resolved by the driver (or by the proxy that it dials through).
    Name {
        /// A host name, or an address as text.
        host: String,
        /// The port.
        port: u16,
    },
}

impl From<SocketAddr> for Target {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(addr)
    }
}

/// Whether a stream is secured (TLS, or whatever the driver's connector offers), and in which role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Security {
    /// Plain.
    #[default]
    None,
    /// Secured as the client; the certificate must be for this name.
    Client(String),
    /// Secured as the server, with the driver's own certificate.
    Server,
}

/// A multicast group on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Group {
    /// The group's address.
    pub addr: IpAddr,
    /// The index of the interface to join on; the system's choice if `None`.
    pub interface: Option<u32>,
    /// The hop limit of what this socket sends to groups; the system's own (1) if `None`.
    pub ttl: Option<u8>,
    /// Whether the sender's own machine hears what it sends.
    pub looped: bool,
}

/// Why something could not be done: small, comparable, the same in every driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// No such file, host or interface.
    #[error("not found")]
    NotFound,
    /// Not allowed.
    #[error("permission denied")]
    Denied,
    /// The other end refused.
    #[error("connection refused")]
    Refused,
    /// The other end broke off.
    #[error("connection reset")]
    Reset,
    /// No route to there.
    #[error("unreachable")]
    Unreachable,
    /// The address is taken.
    #[error("address in use")]
    InUse,
    /// It took too long.
    #[error("timed out")]
    TimedOut,
    /// No room left on the disk, or past a quota.
    #[error("no space left")]
    NoSpace,
    /// A file is shorter than the span asked for.
    #[error("the file ends early")]
    Short,
    /// It exists, and must not.
    #[error("already exists")]
    Exists,
    /// A folder where a file is wanted, or the other way round.
    #[error("not a file")]
    NotAFile,
    /// A path leads out of its root, through a link for example.
    #[error("outside of the root folder")]
    Outside,
    /// The disk has a name there that is not Unicode, so it cannot be said.
    #[error("a name that is not Unicode")]
    BadName,
    /// A limit of the driver (connections, half-open, per address, memory).
    #[error("limit reached")]
    Limit,
    /// The name could not be resolved.
    #[error("name not resolved")]
    Unresolved,
    /// The stream could not be secured.
    #[error("securing failed")]
    Insecure,
    /// This driver, or this build of it, cannot do that.
    #[error("not supported")]
    Unsupported,
    /// The device failed.
    #[error("input/output error")]
    Device,
    /// The file system is read-only.
    #[error("read-only file system")]
    ReadOnly,
    /// The driver is stopping.
    #[error("stopped")]
    Stopped,
    /// Something else.
    #[error("failed")]
    Other,
}
