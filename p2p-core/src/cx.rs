//! The machine's view of its driver during one input: [`Cx`].

use crate::effect::{ConnId, Effect, Group, JobId, ListenerId, LookupId, OpId, Security, SocketId, Target};
use crate::job::Job;
use crate::machine::{Datagram, Machine};
use crate::rng::Rng;
use crate::time::{Duration, Instant, UnixTime};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// What a driver keeps for a node beside its machine: the dice, and the counter that numbers its handles.
#[derive(Debug, Clone)]
pub struct Source {
    /// The dice.
    pub rng: Rng,
    next: u64,
}

impl Source {
    /// A new node's, with these dice.
    #[must_use]
    pub const fn new(rng: Rng) -> Self {
        Self { rng, next: 1 }
    }

    /// The same dice, with handles numbered from `next` on.
    #[must_use]
    pub const fn resume(rng: Rng, next: u64) -> Self {
        Self { rng, next }
    }

    /// The number of the next handle.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Draws the number of a handle. A driver numbers the streams that it accepts with this.
    pub const fn draw(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }
}

/// The machine's view of its driver during one input: the time, the dice, and where effects go.
pub struct Cx<'a, M: Machine> {
    now: Instant,
    civil: UnixTime,
    source: &'a mut Source,
    effects: &'a mut Vec<Effect<M>>,
}

impl<M: Machine> core::fmt::Debug for Cx<'_, M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cx")
            .field("now", &self.now)
            .field("effects", &self.effects.len())
            .finish_non_exhaustive()
    }
}

impl<'a, M: Machine> Cx<'a, M> {
    /// A context for one input, made by a driver. Effects are appended to `effects`.
    pub const fn new(
        now: Instant,
        civil: UnixTime,
        source: &'a mut Source,
        effects: &'a mut Vec<Effect<M>>,
    ) -> Self {
        Self { now, civil, source, effects }
    }

    /// The time of this input.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The civil time of this input. It may jump; never measure with it.
    #[must_use]
    pub const fn unix_now(&self) -> UnixTime {
        self.civil
    }

    /// The node's dice.
    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.source.rng
    }

    /// What numbers this node's handles and rolls its dice: for wrappers of machines.
    pub const fn source(&mut self) -> &mut Source {
        self.source
    }

    /// Adds an effect as it is: for wrappers of machines, which restate the effects of what they wrap.
    pub fn push(&mut self, effect: Effect<M>) {
        self.effects.push(effect);
    }

    /// Listens for streams at an address (port 0: any free one). Answered by `Input::Listener`.
    pub fn listen(&mut self, at: SocketAddr) -> ListenerId {
        self.listen_secured(at, Security::None)
    }

    /// Listens for streams that are secured from their first byte.
    pub fn listen_secured(&mut self, at: SocketAddr, security: Security) -> ListenerId {
        let id = ListenerId::from_raw(self.source.draw());
        self.push(Effect::Listen(id, at, security));
        id
    }

    /// Stops listening. Streams already accepted live on.
    pub fn unlisten(&mut self, listener: ListenerId) {
        self.push(Effect::Unlisten(listener));
    }

    /// Dials. Answered by `StreamInput::Open` or `StreamInput::Closed`.
    pub fn connect(&mut self, to: impl Into<Target>) -> ConnId {
        self.connect_secured(to, Security::None)
    }

    /// Dials and secures the stream before it is said to be open.
    pub fn connect_secured(&mut self, to: impl Into<Target>, security: Security) -> ConnId {
        let id = ConnId::from_raw(self.source.draw());
        self.push(Effect::Connect(id, to.into(), security));
        id
    }

    /// Secures an open stream from here on, in either role: what was sent before goes out plain. Answered by
    /// `StreamInput::Secured`.
    pub fn secure(&mut self, conn: ConnId, security: Security) {
        self.secure_with(conn, security, Bytes::new());
    }

    /// Secures an open stream, of which more came than the last plain word: `unread` is given back to the driver, which
    /// reads it before what comes next. So the hello of the other end may come in one read with what it follows.
    pub fn secure_with(&mut self, conn: ConnId, security: Security, unread: impl Into<Bytes>) {
        self.push(Effect::Secure(conn, security, unread.into()));
    }

    /// Queues bytes on a stream. Neighbouring sends are gathered into one write, so a head and a payload need not be
    /// joined first.
    pub fn send(&mut self, conn: ConnId, data: impl Into<Bytes>) {
        let data = data.into();
        if !data.is_empty() {
            self.push(Effect::Send(conn, data));
        }
    }

    /// Stops or goes on reading a stream: backpressure on the other end.
    pub fn pause(&mut self, conn: ConnId, paused: bool) {
        self.push(Effect::Pause(conn, paused));
    }

    /// Closes a stream after all queued bytes are sent. The handle is dead at once; no input follows.
    pub fn close(&mut self, conn: ConnId) {
        self.push(Effect::Close(conn));
    }

    /// Closes a stream now; queued bytes are lost. The handle is dead at once; no input follows.
    pub fn abort(&mut self, conn: ConnId) {
        self.push(Effect::Abort(conn));
    }

    /// Opens a datagram socket at an address (port 0: any free one). Answered by `Input::Bound`.
    pub fn bind(&mut self, at: SocketAddr) -> SocketId {
        let id = SocketId::from_raw(self.source.draw());
        self.push(Effect::Bind(id, at));
        id
    }

    /// Closes a datagram socket.
    pub fn unbind(&mut self, socket: SocketId) {
        self.push(Effect::Unbind(socket));
    }

    /// Joins a multicast group on a socket.
    pub fn join_group(&mut self, socket: SocketId, group: Group) {
        self.push(Effect::JoinGroup(socket, group));
    }

    /// Leaves a multicast group.
    pub fn leave_group(&mut self, socket: SocketId, group: Group) {
        self.push(Effect::LeaveGroup(socket, group));
    }

    /// Sends a datagram. It may be dropped anywhere on its way, here first.
    pub fn send_to(&mut self, socket: SocketId, peer: SocketAddr, data: impl Into<Bytes>) {
        self.push(Effect::SendTo(socket, Datagram::new(peer, data)));
    }

    /// Sends a datagram with a hop limit or an interface of its own.
    pub fn send_datagram(&mut self, socket: SocketId, datagram: Datagram) {
        self.push(Effect::SendTo(socket, datagram));
    }

    /// Resolves a host name, for datagrams or to choose among its addresses. Answered by `Input::Resolved`.
    pub fn resolve(&mut self, host: impl Into<String>, port: u16) -> LookupId {
        let id = LookupId::from_raw(self.source.draw());
        self.push(Effect::Resolve(id, host.into(), port));
        id
    }

    /// Sets a timer to go off `after` this input, in place of one of the same name.
    pub fn set_timer(&mut self, timer: M::Timer, after: Duration) {
        self.push(Effect::SetTimer(timer, self.now + after));
    }

    /// Sets a timer to go off at an instant; at once if it has passed.
    pub fn set_timer_at(&mut self, timer: M::Timer, at: Instant) {
        self.push(Effect::SetTimer(timer, at));
    }

    /// Forgets a timer, if it is set.
    pub fn clear_timer(&mut self, timer: M::Timer) {
        self.push(Effect::ClearTimer(timer));
    }

    /// Runs a job. Answered by `Input::Job`.
    pub fn run(&mut self, job: Job) -> JobId {
        let id = JobId::from_raw(self.source.draw());
        self.push(Effect::Run(id, job));
        id
    }

    /// Tells whoever listens.
    pub fn tell(&mut self, news: M::Event) {
        self.push(Effect::Event(None, news));
    }

    /// Tells whoever asked.
    pub fn answer(&mut self, op: OpId, event: M::Event) {
        self.push(Effect::Event(Some(op), event));
    }

    /// Ends an operation; owed exactly once per operation.
    pub fn finish(&mut self, op: OpId, result: Result<(), M::Error>) {
        self.push(Effect::Finish(op, result));
    }

    /// Ends the machine: the answer to `Input::Stop`. No effect may follow.
    pub fn halt(&mut self) {
        self.push(Effect::Halt);
    }

    /// Lends this context to a machine that is a part of this one (a DHT in a BitTorrent client). Its effects are
    /// appended to `into`; restate each with [`Effect::lift`] and [`push`](Self::push) it.
    pub fn lend<C: Machine, R>(
        &mut self,
        into: &mut Vec<Effect<C>>,
        f: impl FnOnce(&mut Cx<'_, C>) -> R,
    ) -> R {
        let mut cx = Cx { now: self.now, civil: self.civil, source: self.source, effects: into };
        f(&mut cx)
    }
}
