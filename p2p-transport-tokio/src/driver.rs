//! The loop: everything that can happen to a machine, taken turn by turn in one task.
//!
//! A turn collects what came in (results of jobs, due timers, asks, sockets that are ready), gives it to the machine
//! input by input and carries out the effects, then writes what was queued and hands jobs over, both once per turn.
//! Each turn reads a ready socket twice at most and ends with a yield to the runtime, so that neither a flood on one
//! socket nor a machine that feeds itself keeps the others waiting.

use crate::Counts;
use crate::conn::{Conn, Phase, Read, Written};
use crate::connector::{Opening, Stream, resolve};
use crate::datagram::{Scratch, Udp};
use crate::error::io_error;
use crate::options::{Options, Rate};
use crate::ready::{Ready, SlotWaker};
use crate::receive::Receive;
use crate::timers::Timers;
use crate::work::Pool;
use bytes::Bytes;
use p2p_core::limit::TokenBucket;
use p2p_core::node::Desk;
use p2p_core::{
    ConnId, Cx, Duration, Effect, Input, Instant, IoError, JobDone, JobId, ListenerId, LookupId, Machine,
    OpInput, Rng, Security, SocketId, Source, StreamInput, Target,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// Reads of one socket in one turn.
const READS: usize = 2;
/// Accepted streams of one listener in one turn.
const ACCEPTS: usize = 32;
/// Datagrams of one socket in one turn.
const DATAGRAMS: usize = 64;
/// Asks, and answers of the driver itself, in one turn.
const INPUTS: usize = 256;
/// Timers in one turn.
const TIMERS: usize = 256;
/// Bytes that one stream gets of a limited rate before the next has its turn.
const GRANT: u64 = 16 * 1024;
/// How long a listener rests when the system has no more sockets to give.
const REST: Duration = Duration::from_millis(100);
/// The longest sleep: a timer of a runtime need not reach further.
const NAP: Duration = Duration::from_secs(3600);

enum Slot {
    Free,
    Conn(Box<Conn>),
    Listener(Box<Listener>),
    Udp(Box<Udp>),
    Lookup(Box<Lookup>),
}

struct Listener {
    id: ListenerId,
    security: Security,
    tcp: TcpListener,
    wake: Arc<SlotWaker>,
    waker: Waker,
}

struct Lookup {
    id: LookupId,
    wake: Arc<SlotWaker>,
    waker: Waker,
    found: Opening<Vec<SocketAddr>>,
}

/// Where a stream is: in a slot, or over with its end still to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    At(u32),
    Over,
}

pub(crate) struct Driver<M: Machine> {
    machine: M,
    desk: Desk<M>,
    options: Options,
    counts: Arc<Counts>,
    source: Source,
    epoch: tokio::time::Instant,
    now: Instant,
    effects: Vec<Effect<M>>,
    /// Answers of the driver itself, which must not be given while effects are carried out.
    answers: VecDeque<Input<M>>,
    timers: Timers<M::Timer>,
    /// What the driver itself waits for, one per slot: a dial, a rest, an end.
    deadlines: Timers<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    conns: HashMap<ConnId, Place>,
    listeners: BTreeMap<ListenerId, u32>,
    sockets: BTreeMap<SocketId, u32>,
    streams: usize,
    dialling: usize,
    waiting: VecDeque<(u32, ConnId)>,
    /// Listeners that wait until a stream is gone.
    stalled: Vec<u32>,
    addresses: HashMap<IpAddr, usize>,
    ready: Arc<Ready>,
    list: Vec<u32>,
    touched: Vec<u32>,
    spare: Vec<VecDeque<Bytes>>,
    receive: Receive,
    scratch: Scratch,
    pool: Pool,
    results: Vec<(JobId, JobDone)>,
    download: TokenBucket,
    upload: TokenBucket,
    /// Slots that wait for the rate, and until when.
    starved: Vec<u32>,
    starved_until: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    sleep_until: Instant,
    halted: bool,
}

impl<M: Machine> Driver<M> {
    pub(crate) fn new(machine: M, desk: Desk<M>, options: Options, counts: Arc<Counts>) -> Self {
        let ready = Arc::new(Ready::default());
        let seed = options.seed.unwrap_or_else(os_seed);
        Self {
            machine,
            desk,
            counts,
            source: Source::new(Rng::strong(seed)),
            epoch: tokio::time::Instant::now(),
            now: Instant::ZERO,
            effects: Vec::new(),
            answers: VecDeque::new(),
            timers: Timers::new(),
            deadlines: Timers::new(),
            slots: Vec::new(),
            free: Vec::new(),
            conns: HashMap::new(),
            listeners: BTreeMap::new(),
            sockets: BTreeMap::new(),
            streams: 0,
            dialling: 0,
            waiting: VecDeque::new(),
            stalled: Vec::new(),
            addresses: HashMap::new(),
            list: Vec::new(),
            touched: Vec::new(),
            spare: Vec::new(),
            receive: Receive::new(options.receive_buffer, options.receive_buffers),
            scratch: Scratch::default(),
            pool: Pool::new(Arc::clone(&options.storage), &ready, options.workers, options.jobs),
            results: Vec::new(),
            download: Rate::bucket(options.download),
            upload: Rate::bucket(options.upload),
            starved: Vec::new(),
            starved_until: None,
            sleep: None,
            sleep_until: Instant::MAX,
            halted: false,
            ready,
            options,
        }
    }

    /// Runs the machine until it halts, or `stop` is there and the grace period over.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) -> M {
        let mut stop = Box::pin(stop);
        let mut deadline = None;
        self.give(Input::Start);
        while !self.halted {
            let asked =
                deadline.is_none() && poll_fn(|cx| Poll::Ready(stop.as_mut().poll(cx).is_ready())).await;
            if asked {
                deadline = Some(self.now + self.options.grace);
                self.give(Input::Stop);
            }
            if deadline.is_some_and(|deadline| self.now >= deadline) {
                break;
            }
            let more = poll_fn(|cx| Poll::Ready(self.turn(cx))).await;
            if !self.halted {
                self.rest(more, deadline).await;
            }
        }
        self.wind_down().await;
        self.machine
    }

    /// Sends what is queued and waits for jobs under way, for a bounded time.
    async fn wind_down(&mut self) {
        self.halted = true;
        self.tick();
        let deadline = self.now + self.options.linger;
        for slot in 0..self.slots.len() as u32 {
            match self.slots.get(slot as usize) {
                Some(Slot::Conn(conn)) if matches!(conn.phase, Phase::Closing { .. }) => {}
                Some(Slot::Conn(_)) => self.close_slot(slot, false),
                Some(Slot::Udp(_)) => {
                    self.flush_datagrams(slot);
                    self.free(slot);
                }
                Some(Slot::Free) | None => {}
                Some(_) => self.free(slot),
            }
        }
        while (self.streams > 0 || self.pool.pending() > 0) && self.now < deadline {
            let more = poll_fn(|cx| Poll::Ready(self.turn(cx))).await;
            if self.streams > 0 || self.pool.pending() > 0 {
                self.rest(more, Some(deadline)).await;
            }
        }
    }

    /// Lets others run, and sleeps if there is nothing to do.
    async fn rest(&mut self, more: bool, deadline: Option<Instant>) {
        if more {
            // Polls the sockets of the runtime before this task is woken again.
            tokio::task::yield_now().await;
            return;
        }
        let mut until = deadline.unwrap_or(Instant::MAX);
        for at in [self.timers.next(), self.deadlines.next(), self.starved_until].into_iter().flatten() {
            until = until.min(at);
        }
        let until = until.min(self.now + NAP);
        let mut slept = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(());
            }
            if self.sleep.is_none() || until != self.sleep_until {
                self.sleep_until = until;
                let at = self.epoch + Duration::from_nanos(until.as_nanos());
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(at),
                    none => *none = Some(Box::pin(tokio::time::sleep_until(at))),
                }
            }
            let due = self.sleep.as_mut().is_none_or(|sleep| sleep.as_mut().poll(cx).is_ready());
            if due {
                self.sleep = None;
            }
            if due || !self.ready.park(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn tick(&mut self) {
        let nanos = self.epoch.elapsed().as_nanos();
        self.now = Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    }

    /// One turn. Says whether there is more to do at once.
    fn turn(&mut self, cx: &mut Context<'_>) -> bool {
        self.tick();
        // Before the results are taken: a nudge that comes with one that is not taken must not be lost.
        let mut list = std::mem::take(&mut self.list);
        self.ready.take(&mut list);
        let mut more = self.take_results();
        more |= self.take_timers();
        self.take_deadlines();
        more |= self.take_asks(cx);
        for slot in list.drain(..) {
            self.poll_slot(slot);
        }
        self.list = list;
        for _ in 0..INPUTS {
            let Some(input) = self.answers.pop_front() else { break };
            self.give_answer(input);
        }
        self.flush();
        self.pool.hand_over();
        more || !self.answers.is_empty()
    }

    fn take_results(&mut self) -> bool {
        let mut results = std::mem::take(&mut self.results);
        self.pool.results(&mut results);
        let any = !results.is_empty();
        for (id, done) in results.drain(..) {
            self.give(Input::Job(id, done));
        }
        self.results = results;
        any
    }

    fn take_timers(&mut self) -> bool {
        for _ in 0..TIMERS {
            let Some(name) = self.timers.pop(self.now) else { return false };
            self.give(Input::Timer(name));
        }
        true
    }

    fn take_deadlines(&mut self) {
        while let Some(slot) = self.deadlines.pop(self.now) {
            self.deadline(slot);
        }
        if self.starved_until.is_some_and(|until| until <= self.now) {
            self.starved_until = None;
            for slot in std::mem::take(&mut self.starved) {
                if let Some(conn) = conn_at(&mut self.slots, slot) {
                    conn.starved = false;
                }
                self.wake(slot);
            }
        }
    }

    fn take_asks(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..INPUTS {
            match self.desk.poll_input(cx) {
                Poll::Ready(Some(input)) => self.give(input),
                Poll::Ready(None) | Poll::Pending => return false,
            }
        }
        true
    }

    /// Gives one input to the machine and carries out what it wants.
    fn give(&mut self, input: Input<M>) {
        if self.halted {
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        let civil = (self.options.civil)();
        let mut cx = Cx::new(self.now, civil, &mut self.source, &mut effects);
        self.machine.handle(input, &mut cx);
        for effect in effects.drain(..) {
            if !self.halted {
                self.carry_out(effect);
            }
        }
        self.effects = effects;
    }

    /// Gives an answer of the driver itself, unless the machine let go of what it is about.
    fn give_answer(&mut self, input: Input<M>) {
        match &input {
            Input::Stream(id, told) => {
                let Some(place) = self.conns.get(id) else { return };
                if matches!(told, StreamInput::Closed(_)) && *place == Place::Over {
                    self.conns.remove(id);
                }
            }
            Input::Listener(id, Ok(_)) if !self.listeners.contains_key(id) => return,
            Input::Bound(id, Ok(_)) if !self.sockets.contains_key(id) => return,
            _ => {}
        }
        self.give(input);
    }

    fn carry_out(&mut self, effect: Effect<M>) {
        match effect {
            Effect::Listen(id, at, security) => self.listen(id, at, security),
            Effect::Unlisten(id) => {
                if let Some(slot) = self.listeners.remove(&id) {
                    self.free(slot);
                }
            }
            Effect::Connect(id, to, security) => self.connect(id, to, security),
            Effect::Secure(id, security) => {
                if let Some((slot, conn)) = self.conn(id) {
                    conn.phase = Phase::Draining(security);
                    self.touch(slot);
                }
            }
            Effect::Send(id, data) => self.send(id, data),
            Effect::Pause(id, paused) => {
                if let Some((_, conn)) = self.conn(id) {
                    conn.paused = paused;
                    if !paused {
                        conn.wake.wake_by_ref();
                    }
                }
            }
            Effect::Close(id) => match self.conns.remove(&id) {
                Some(Place::At(slot)) => self.close_slot(slot, false),
                Some(Place::Over) | None => {}
            },
            Effect::Abort(id) => {
                if let Some(Place::At(slot)) = self.conns.remove(&id) {
                    self.abort_slot(slot);
                }
            }
            Effect::Bind(id, at) => self.bind(id, at),
            Effect::Unbind(id) => {
                if let Some(slot) = self.sockets.remove(&id) {
                    self.flush_datagrams(slot);
                    self.free(slot);
                }
            }
            Effect::JoinGroup(id, group) => {
                if let Some(Err(_)) = self.udp(id).map(|(_, udp)| udp.join(group)) {
                    self.counts.groups_refused.fetch_add(1, Ordering::Relaxed);
                }
            }
            Effect::LeaveGroup(id, group) => {
                // It may have been left already, with its interface.
                let _ = self.udp(id).map(|(_, udp)| udp.leave(group));
            }
            Effect::SendTo(id, datagram) => {
                let most = self.options.datagrams;
                let Some((slot, udp)) = self.udp(id) else { return };
                let fresh = !std::mem::replace(&mut udp.touched, true);
                let queued = udp.queue(datagram, most);
                if fresh {
                    self.touched.push(slot);
                }
                if !queued {
                    self.counts.datagrams_dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Effect::Resolve(id, host, port) => {
                let slot = self.slot();
                let (wake, waker) = self.waker(slot);
                let found = Box::pin(async move { resolve(&host, port).await });
                wake.wake_by_ref();
                self.put(slot, Slot::Lookup(Box::new(Lookup { id, wake, waker, found })));
                self.deadlines.set(slot, self.now + self.options.connect_timeout);
            }
            Effect::SetTimer(name, at) => self.timers.set(name, at),
            Effect::ClearTimer(name) => self.timers.clear(name),
            Effect::Run(id, job) => {
                if let Some(refused) = self.pool.take(id, job) {
                    self.answers.push_back(Input::Job(id, refused));
                }
            }
            Effect::Event(op, event) => {
                if let Some(input) = self.desk.event(op, event) {
                    debug_assert!(matches!(input, Input::Op(_, OpInput::Full | OpInput::Cancel)));
                    self.answers.push_back(input);
                }
            }
            Effect::Finish(op, result) => self.desk.finish(op, result),
            Effect::Halt => self.halted = true,
        }
    }

    // Slots.

    fn slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::Free);
            (self.slots.len() - 1) as u32
        })
    }

    fn put(&mut self, slot: u32, what: Slot) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = what;
        }
    }

    fn waker(&self, slot: u32) -> (Arc<SlotWaker>, Waker) {
        let wake = SlotWaker::new(slot, &self.ready);
        (Arc::clone(&wake), Waker::from(wake))
    }

    fn wake(&self, slot: u32) {
        match self.slots.get(slot as usize) {
            Some(Slot::Conn(conn)) => conn.wake.wake_by_ref(),
            Some(Slot::Listener(listener)) => listener.wake.wake_by_ref(),
            Some(Slot::Udp(udp)) => udp.wake.wake_by_ref(),
            Some(Slot::Lookup(lookup)) => lookup.wake.wake_by_ref(),
            Some(Slot::Free) | None => {}
        }
    }

    fn conn(&mut self, id: ConnId) -> Option<(u32, &mut Conn)> {
        let Place::At(slot) = *self.conns.get(&id)? else { return None };
        Some((slot, conn_at(&mut self.slots, slot)?))
    }

    fn udp(&mut self, id: SocketId) -> Option<(u32, &mut Udp)> {
        let slot = *self.sockets.get(&id)?;
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Udp(udp)) => Some((slot, udp)),
            _ => None,
        }
    }

    /// Empties a slot, and starts what waited for it.
    fn free(&mut self, slot: u32) {
        let Some(place) = self.slots.get_mut(slot as usize) else { return };
        let was = std::mem::replace(place, Slot::Free);
        self.deadlines.clear(slot);
        self.free.push(slot);
        let Slot::Conn(conn) = was else { return };
        self.streams -= 1;
        if let Some(addr) = conn.counted
            && let Some(n) = self.addresses.get_mut(&addr)
        {
            *n -= 1;
            if *n == 0 {
                self.addresses.remove(&addr);
            }
        }
        if matches!(conn.phase, Phase::Opening { dialled: true, .. }) {
            self.dialled();
        }
        for listener in std::mem::take(&mut self.stalled) {
            self.wake(listener);
        }
    }

    // Listening and dialling.

    fn listen(&mut self, id: ListenerId, at: SocketAddr, security: Security) {
        let bound = listener(at).and_then(|tcp| Ok((tcp.local_addr()?, tcp)));
        let answer = match bound {
            Ok((addr, tcp)) => {
                let slot = self.slot();
                let (wake, waker) = self.waker(slot);
                wake.wake_by_ref();
                self.put(slot, Slot::Listener(Box::new(Listener { id, security, tcp, wake, waker })));
                self.listeners.insert(id, slot);
                Ok(addr)
            }
            Err(error) => Err(io_error(&error)),
        };
        self.answers.push_back(Input::Listener(id, answer));
    }

    fn bind(&mut self, id: SocketId, at: SocketAddr) {
        let slot = self.slot();
        let wake = SlotWaker::new(slot, &self.ready);
        let bound = Udp::bind(id, at, wake).and_then(|udp| Ok((udp.local_addr()?, udp)));
        let answer = match bound {
            Ok((addr, udp)) => {
                udp.wake.wake_by_ref();
                self.put(slot, Slot::Udp(Box::new(udp)));
                self.sockets.insert(id, slot);
                Ok(addr)
            }
            Err(error) => {
                self.free.push(slot);
                Err(io_error(&error))
            }
        };
        self.answers.push_back(Input::Bound(id, answer));
    }

    fn connect(&mut self, id: ConnId, to: Target, security: Security) {
        if self.streams >= self.options.connections {
            self.conns.insert(id, Place::Over);
            self.answers.push_back(Input::Stream(id, StreamInput::Closed(Err(IoError::Limit))));
            return;
        }
        let connector = Arc::clone(&self.options.connector);
        let opening: Opening<(Stream, SocketAddr)> = Box::pin(async move {
            let (stream, peer) = connector.dial(to).await?;
            match security {
                Security::None => Ok((stream, peer)),
                security => Ok((connector.secure(stream, security).await?, peer)),
            }
        });
        let slot = self.add_conn(id, Phase::Waiting(Some(opening)));
        self.waiting.push_back((slot, id));
        self.dial();
    }

    fn add_conn(&mut self, id: ConnId, phase: Phase) -> u32 {
        let slot = self.slot();
        let wake = SlotWaker::new(slot, &self.ready);
        wake.wake_by_ref();
        self.put(slot, Slot::Conn(Box::new(Conn::new(id, wake, phase, self.now))));
        self.conns.insert(id, Place::At(slot));
        self.streams += 1;
        slot
    }

    /// Begins dials that wait, as many as may be under way.
    fn dial(&mut self) {
        while self.dialling < self.options.half_open.max(1) {
            let Some((slot, id)) = self.waiting.pop_front() else { return };
            let Some(conn) = conn_at(&mut self.slots, slot).filter(|conn| conn.id == id) else { continue };
            let Phase::Waiting(opening) = &mut conn.phase else { continue };
            let Some(opening) = opening.take() else { continue };
            conn.phase = Phase::Opening { opening, listener: None, dialled: true };
            conn.wake.wake_by_ref();
            self.dialling += 1;
            self.deadlines.set(slot, self.now + self.options.connect_timeout);
        }
    }

    fn dialled(&mut self) {
        self.dialling = self.dialling.saturating_sub(1);
        self.dial();
    }

    fn accept(&mut self, slot: u32) {
        for _ in 0..ACCEPTS {
            if self.streams >= self.options.connections {
                self.stalled.push(slot);
                return;
            }
            let Some(Slot::Listener(listener)) = self.slots.get_mut(slot as usize) else { return };
            listener.wake.begin();
            let mut cx = Context::from_waker(&listener.waker);
            let (id, security) = (listener.id, listener.security.clone());
            match listener.tcp.poll_accept(&mut cx) {
                Poll::Pending => return,
                Poll::Ready(Ok((tcp, peer))) => self.accepted(id, security, tcp, peer),
                Poll::Ready(Err(error)) => match io_error(&error) {
                    // It was gone before it was taken.
                    IoError::Reset => {}
                    // No sockets left, most likely; nothing is lost by waiting.
                    _ => {
                        self.deadlines.set(slot, self.now + REST);
                        return;
                    }
                },
            }
        }
        self.wake(slot);
    }

    fn accepted(&mut self, listener: ListenerId, security: Security, tcp: TcpStream, peer: SocketAddr) {
        let addr = peer.ip().to_canonical();
        let many =
            !addr.is_loopback() && self.addresses.get(&addr).is_some_and(|n| *n >= self.options.per_address);
        if many || tcp.set_nodelay(true).is_err() {
            let _ = socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO));
            self.counts.streams_refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let id = ConnId::from_raw(self.source.draw());
        let plain = security == Security::None;
        let stream = Stream::from(tcp);
        let slot = if plain {
            let slot = self.add_conn(id, Phase::Open);
            if let Some(conn) = conn_at(&mut self.slots, slot) {
                conn.stream = Some(stream);
            }
            self.watch_idle(slot);
            slot
        } else {
            let secured = self.options.connector.secure(stream, security);
            let opening: Opening<(Stream, SocketAddr)> = Box::pin(async move { Ok((secured.await?, peer)) });
            let listener = Some(listener);
            let slot = self.add_conn(id, Phase::Opening { opening, listener, dialled: false });
            self.deadlines.set(slot, self.now + self.options.connect_timeout);
            slot
        };
        if let Some(conn) = conn_at(&mut self.slots, slot) {
            conn.counted = Some(addr);
        }
        *self.addresses.entry(addr).or_default() += 1;
        if plain {
            self.give(Input::Stream(id, StreamInput::Open { peer, listener: Some(listener) }));
        }
    }

    // What is ready.

    fn poll_slot(&mut self, slot: u32) {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Conn(conn)) => {
                conn.wake.begin();
                self.poll_conn(slot);
            }
            Some(Slot::Listener(_)) => self.accept(slot),
            Some(Slot::Udp(udp)) => {
                udp.wake.begin();
                let id = udp.id;
                self.poll_udp(slot, id);
            }
            Some(Slot::Lookup(lookup)) => {
                lookup.wake.begin();
                let id = lookup.id;
                let mut cx = Context::from_waker(&lookup.waker);
                if let Poll::Ready(found) = lookup.found.as_mut().poll(&mut cx) {
                    self.free(slot);
                    self.give(Input::Resolved(id, found));
                }
            }
            Some(Slot::Free) | None => {}
        }
    }

    fn poll_udp(&mut self, slot: u32, id: SocketId) {
        for _ in 0..DATAGRAMS {
            let Some(Slot::Udp(udp)) = self.slots.get_mut(slot as usize) else { return };
            if udp.id != id {
                return;
            }
            match udp.receive(&mut self.scratch) {
                Poll::Pending => {
                    self.touch_udp(slot);
                    return;
                }
                Poll::Ready(Ok(datagram)) => self.give(Input::Datagram(id, datagram)),
                Poll::Ready(Err(error)) => {
                    self.sockets.remove(&id);
                    self.free(slot);
                    self.answers.push_back(Input::Bound(id, Err(error)));
                    return;
                }
            }
        }
        self.touch_udp(slot);
        self.wake(slot);
    }

    fn poll_conn(&mut self, slot: u32) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        let mut cx = Context::from_waker(&conn.waker);
        match &mut conn.phase {
            Phase::Waiting(_) => {}
            Phase::Opening { opening, listener, dialled } => {
                let (listener, dialled) = (*listener, *dialled);
                if let Poll::Ready(opened) = opening.as_mut().poll(&mut cx) {
                    self.opened(slot, opened, listener, dialled);
                }
            }
            Phase::Open => {
                if !conn.queue.is_empty() || conn.unfinished() {
                    self.touch(slot);
                }
                self.read_conn(slot);
            }
            Phase::Draining(_) => self.touch(slot),
            Phase::Securing(securing) => {
                if let Poll::Ready(secured) = securing.as_mut().poll(&mut cx) {
                    self.secured(slot, secured);
                }
            }
            Phase::Closing { .. } => self.touch(slot),
        }
    }

    fn opened(
        &mut self,
        slot: u32,
        opened: Result<(Stream, SocketAddr), IoError>,
        listener: Option<ListenerId>,
        dialled: bool,
    ) {
        match opened {
            Ok((stream, peer)) => {
                let Some(conn) = conn_at(&mut self.slots, slot) else { return };
                conn.stream = Some(stream);
                conn.phase = Phase::Open;
                conn.last = self.now;
                conn.wake.wake_by_ref();
                let id = conn.id;
                self.deadlines.clear(slot);
                self.watch_idle(slot);
                if dialled {
                    self.dialled();
                }
                self.give(Input::Stream(id, StreamInput::Open { peer, listener }));
            }
            // The machine never heard of one that came in and could not be secured.
            Err(_) if listener.is_some() => {
                self.counts.streams_refused.fetch_add(1, Ordering::Relaxed);
                if let Some(conn) = conn_at(&mut self.slots, slot) {
                    let id = conn.id;
                    self.conns.remove(&id);
                }
                self.free(slot);
            }
            Err(error) => self.end(slot, Err(error)),
        }
    }

    fn secured(&mut self, slot: u32, secured: Result<Stream, IoError>) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        let id = conn.id;
        match secured {
            Ok(stream) => {
                conn.stream = Some(stream);
                conn.phase = Phase::Open;
                conn.wake.wake_by_ref();
                self.deadlines.clear(slot);
                self.watch_idle(slot);
                self.touch(slot);
                self.answers.push_back(Input::Stream(id, StreamInput::Secured(Ok(()))));
            }
            Err(error) => {
                self.answers.push_back(Input::Stream(id, StreamInput::Secured(Err(error))));
                self.end(slot, Err(error));
            }
        }
    }

    /// Reads a stream, twice at most, and gives what came.
    fn read_conn(&mut self, slot: u32) {
        for _ in 0..READS {
            let Some(conn) = conn_at(&mut self.slots, slot).filter(|conn| conn.reads()) else { return };
            let room = usize::try_from(self.download.available(self.now)).unwrap_or(usize::MAX);
            if room == 0 {
                let until = grant(&self.download, self.now);
                self.starve(slot, until);
                return;
            }
            let share = if self.download.is_unlimited() { room } else { room.min(GRANT as usize) };
            let id = conn.id;
            match conn.read(&mut self.receive, self.options.read_at_once.min(share)) {
                Read::Nothing => return,
                Read::Data(data) => {
                    conn.last = self.now;
                    self.download.spend(self.now, data.len() as u64);
                    if !self.answers.is_empty() {
                        // What was said of this stream before comes first.
                        self.answers.push_back(Input::Stream(id, StreamInput::Data(data)));
                    } else {
                        self.give(Input::Stream(id, StreamInput::Data(data)));
                    }
                }
                Read::End => {
                    let result = conn.broken.map_or(Ok(()), Err);
                    return self.end(slot, result);
                }
                Read::Failed(error) => {
                    let error = conn.broken.unwrap_or(error);
                    return self.end(slot, Err(error));
                }
            }
        }
        self.wake(slot);
    }

    /// A stream is over: the machine is told, and what is queued still goes out if it can.
    fn end(&mut self, slot: u32, result: Result<(), IoError>) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        let id = conn.id;
        self.conns.insert(id, Place::Over);
        self.answers.push_back(Input::Stream(id, StreamInput::Closed(result)));
        if result.is_ok() && conn.stream.is_some() {
            self.close_slot(slot, true);
        } else {
            self.free(slot);
        }
    }

    fn close_slot(&mut self, slot: u32, heard_end: bool) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        if conn.stream.is_none() || conn.broken.is_some() {
            // Not open yet, or not able to send: there is nothing to finish.
            return self.free(slot);
        }
        conn.phase = Phase::Closing { shut: false, heard_end };
        self.deadlines.set(slot, self.now + self.options.linger);
        self.touch(slot);
    }

    fn abort_slot(&mut self, slot: u32) {
        if let Some(conn) = conn_at(&mut self.slots, slot) {
            conn.reset();
            self.free(slot);
        }
    }

    fn deadline(&mut self, slot: u32) {
        let Some(conn) = conn_at(&mut self.slots, slot) else {
            match self.slots.get(slot as usize) {
                Some(Slot::Listener(listener)) => listener.wake.wake_by_ref(),
                Some(Slot::Lookup(lookup)) => {
                    let id = lookup.id;
                    self.free(slot);
                    self.give(Input::Resolved(id, Err(IoError::TimedOut)));
                }
                _ => {}
            }
            return;
        };
        match &conn.phase {
            Phase::Opening { listener, dialled, .. } => {
                let (listener, dialled) = (*listener, *dialled);
                self.opened(slot, Err(IoError::TimedOut), listener, dialled);
            }
            Phase::Securing(_) => self.secured(slot, Err(IoError::TimedOut)),
            Phase::Closing { .. } => self.abort_slot(slot),
            Phase::Open | Phase::Draining(_) => {
                let Some(idle) = self.options.idle_timeout else { return };
                if self.now.since(conn.last) >= idle {
                    self.end(slot, Err(IoError::TimedOut));
                } else {
                    self.watch_idle(slot);
                }
            }
            Phase::Waiting(_) => {}
        }
    }

    fn watch_idle(&mut self, slot: u32) {
        if let Some(idle) = self.options.idle_timeout
            && let Some(conn) = conn_at(&mut self.slots, slot)
        {
            self.deadlines.set(slot, conn.last + idle);
        }
    }

    // Sending.

    fn send(&mut self, id: ConnId, data: Bytes) {
        let high = self.options.high_mark;
        let Some(Place::At(slot)) = self.conns.get(&id).copied() else { return };
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        if conn.broken.is_some() {
            return;
        }
        if conn.queue.capacity() == 0 {
            conn.queue = self.spare.pop().unwrap_or_default();
        }
        conn.queued += data.len();
        conn.queue.push_back(data);
        if conn.queued >= high && !conn.told_full {
            conn.told_full = true;
            self.answers.push_back(Input::Stream(id, StreamInput::Full));
        }
        self.touch(slot);
    }

    fn touch(&mut self, slot: u32) {
        if let Some(conn) = conn_at(&mut self.slots, slot)
            && !std::mem::replace(&mut conn.touched, true)
        {
            self.touched.push(slot);
        }
    }

    fn touch_udp(&mut self, slot: u32) {
        if let Some(Slot::Udp(udp)) = self.slots.get_mut(slot as usize)
            && !std::mem::replace(&mut udp.touched, true)
        {
            self.touched.push(slot);
        }
    }

    /// Writes what was queued in this turn, each stream's in as few calls as can be.
    fn flush(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for slot in touched.drain(..) {
            match self.slots.get_mut(slot as usize) {
                Some(Slot::Conn(conn)) => {
                    conn.touched = false;
                    self.flush_conn(slot);
                }
                Some(Slot::Udp(udp)) => {
                    udp.touched = false;
                    self.flush_datagrams(slot);
                }
                _ => {}
            }
        }
        // Carrying on may have touched others: what `flush_conn` itself touched waits for the next turn.
        let fresh = std::mem::replace(&mut self.touched, touched);
        for slot in fresh {
            if let Some(Slot::Conn(conn)) = self.slots.get_mut(slot as usize) {
                conn.touched = false;
            }
            self.wake(slot);
        }
    }

    fn flush_datagrams(&mut self, slot: u32) {
        if let Some(Slot::Udp(udp)) = self.slots.get_mut(slot as usize) {
            let dropped = udp.flush();
            self.counts.datagrams_dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    fn flush_conn(&mut self, slot: u32) {
        let room = usize::try_from(self.upload.available(self.now)).unwrap_or(usize::MAX);
        let low = self.options.low_mark;
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        if matches!(conn.phase, Phase::Waiting(_) | Phase::Opening { .. } | Phase::Securing(_)) {
            return;
        }
        if room == 0 && !conn.queue.is_empty() {
            let until = grant(&self.upload, self.now);
            self.starve(slot, until);
            return;
        }
        let room = if self.upload.is_unlimited() { room } else { room.min(GRANT as usize) };
        let id = conn.id;
        let (sent, all) = match conn.write(room, &mut self.spare) {
            Written::All(sent) => (sent, true),
            Written::Part(sent) => (sent, false),
            Written::Failed(error) => return self.write_failed(slot, error),
        };
        let starving = !all && sent >= room;
        let ready = conn.told_full && conn.queued <= low;
        if sent > 0 {
            conn.last = self.now;
        }
        if ready {
            conn.told_full = false;
        }
        self.upload.spend(self.now, sent as u64);
        if ready && self.conns.get(&id) == Some(&Place::At(slot)) {
            self.answers.push_back(Input::Stream(id, StreamInput::Ready));
        }
        if starving {
            self.wake(slot);
        } else if all {
            self.written(slot);
        }
    }

    /// All that was queued on a stream is on its way: what waited for that goes on.
    fn written(&mut self, slot: u32) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        match &mut conn.phase {
            Phase::Draining(security) => {
                let security = std::mem::take(security);
                let Some(stream) = conn.stream.take() else { return };
                conn.phase = Phase::Securing(self.options.connector.secure(stream, security));
                conn.wake.wake_by_ref();
                self.deadlines.set(slot, self.now + self.options.connect_timeout);
            }
            Phase::Closing { shut, heard_end } => {
                let heard_end = *heard_end;
                if !*shut {
                    if conn.shut().is_pending() {
                        return;
                    }
                    if let Phase::Closing { shut, .. } = &mut conn.phase {
                        *shut = true;
                    }
                }
                // A socket that is dropped with bytes unread tells the other end to forget what it was sent: hear
                // it out first.
                if heard_end || drained(conn, &mut self.receive) {
                    self.free(slot);
                }
            }
            _ => {}
        }
    }

    fn write_failed(&mut self, slot: u32, error: IoError) {
        let Some(conn) = conn_at(&mut self.slots, slot) else { return };
        conn.queue = VecDeque::new();
        conn.queued = 0;
        match conn.phase {
            Phase::Closing { .. } => self.free(slot),
            // What the other end said before it went may still be there to be read.
            Phase::Open => {
                conn.broken = Some(error);
                conn.wake.wake_by_ref();
            }
            _ => self.end(slot, Err(error)),
        }
    }

    /// Puts a slot aside until the rate allows more.
    fn starve(&mut self, slot: u32, until: Option<Instant>) {
        let until = until.unwrap_or(Instant::MAX).max(self.now + Duration::from_millis(1));
        self.starved_until = Some(self.starved_until.map_or(until, |before| before.min(until)));
        if let Some(conn) = conn_at(&mut self.slots, slot)
            && !std::mem::replace(&mut conn.starved, true)
        {
            self.starved.push(slot);
        }
    }
}

/// When a stream that waits for the rate may go on.
fn grant(bucket: &TokenBucket, now: Instant) -> Option<Instant> {
    bucket.when(now, GRANT).or_else(|| bucket.when(now, 1))
}

fn conn_at(slots: &mut [Slot], slot: u32) -> Option<&mut Conn> {
    match slots.get_mut(slot as usize) {
        Some(Slot::Conn(conn)) => Some(conn),
        _ => None,
    }
}

/// Reads and forgets; true when the other end has finished.
fn drained(conn: &mut Conn, receive: &mut Receive) -> bool {
    for _ in 0..READS {
        match conn.read(receive, usize::MAX) {
            Read::Data(_) => {}
            Read::Nothing => return false,
            Read::End | Read::Failed(_) => return true,
        }
    }
    conn.wake.wake_by_ref();
    false
}

fn listener(at: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(at),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    if at.is_ipv6() {
        // An address means itself, so that both families can be listened to at the same port.
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

fn os_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        // Every supported system has a source of randomness; without one there is no safe way on.
        panic!("the operating system gives no randomness");
    }
    seed
}
