//! The loop: everything that can happen to a machine, taken turn by turn in one task.
//!
//! A turn collects what came in (results of jobs, due timers, asks, sockets that are ready), gives it to the machine
//! input by input and carries out the effects, then writes what was queued and hands jobs over, both once per turn.
//! Each turn reads a ready socket twice at most and ends with a yield to the runtime, so that neither a flood on one
//! socket nor a machine that feeds itself keeps the others waiting. Answers of the driver itself come before anything
//! that is read after them: sockets wait while any are left.

mod opening;
mod sending;
mod streams;

use crate::Counts;
use crate::conn::{Conn, Phase};
use crate::connector::Opening;
use crate::datagram::{Scratch, Udp};
use crate::options::{Options, Rate};
use crate::ready::{Ready, SlotWaker};
use crate::receive::Receive;
use crate::timers::Timers;
use crate::work::Pool;
use bytes::Bytes;
use p2p_core::limit::TokenBucket;
use p2p_core::node::Desk;
use p2p_core::{
    ConnId, Cx, Datagram, Duration, Effect, Input, Instant, JobDone, JobId, ListenerId, LookupId, Machine,
    OpInput, Rng, Security, SocketId, Source, StreamInput,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use tokio::net::TcpListener;
use tokio::time::Sleep;

/// Reads of one socket in one turn.
const READS: usize = 2;
/// Datagrams of one socket in one turn, and what came with the last of them.
const DATAGRAMS: usize = 64;
/// Asks, and answers of the driver itself, in one turn.
const INPUTS: usize = 256;
/// Turns that sockets wait for answers to be given: longer than honest bursts take, so that a machine which asks again
/// for what it was just refused, for ever, does not stop its own sockets.
const WAIT: u32 = 64;
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
    /// Slots that are ready and were not polled yet.
    list: Vec<u32>,
    /// How many more of its own answers the driver gives in this turn.
    allowance: usize,
    /// Turns in a row in which sockets waited for those.
    waited: u32,
    lookups: usize,
    touched: Vec<u32>,
    spare: Vec<VecDeque<Bytes>>,
    receive: Receive,
    scratch: Scratch,
    /// Datagrams that a call received, until they are given; empty between calls.
    arrived: Vec<Datagram>,
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
            allowance: 0,
            waited: 0,
            lookups: 0,
            touched: Vec::new(),
            spare: Vec::new(),
            receive: Receive::new(options.receive_buffer, options.receive_buffers),
            scratch: Scratch::default(),
            arrived: Vec::new(),
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
        for slot in &self.slots {
            // The other end shall not take what it got for all.
            if let Slot::Conn(conn) = slot
                && !matches!(conn.phase, Phase::Closing { shut: true, .. })
            {
                conn.reset();
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
        let busy = poll_fn(|cx| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(false);
            }
            // One that is set too early costs a turn when it is due; setting it anew in each turn costs more.
            if self.sleep.is_none() || until < self.sleep_until {
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
            if due || !self.ready.park(cx.waker()) { Poll::Ready(true) } else { Poll::Pending }
        })
        .await;
        if busy {
            tokio::task::yield_now().await;
        }
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
        self.allowance = INPUTS;
        let mut more = self.take_results();
        more |= self.take_timers();
        self.take_deadlines();
        more |= self.take_asks(cx);
        let mut polled = 0;
        while let Some(slot) = list.get(polled)
            && (self.answer() || self.waited >= WAIT)
        {
            self.poll_slot(*slot);
            polled += 1;
        }
        self.waited = if polled < list.len() { self.waited + 1 } else { 0 };
        list.drain(..polled);
        more |= !list.is_empty();
        self.list = list;
        more |= !self.answer();
        self.flush();
        self.pool.hand_over();
        // Writing may have left some as well.
        more || !self.answers.is_empty()
    }

    /// Gives the answers of the driver itself, so many in a turn. Says whether none are left.
    fn answer(&mut self) -> bool {
        while !self.answers.is_empty() && self.allowance > 0 {
            self.allowance -= 1;
            if let Some(input) = self.answers.pop_front() {
                self.give_answer(input);
            }
        }
        self.answers.is_empty()
    }

    fn take_results(&mut self) -> bool {
        let mut results = std::mem::take(&mut self.results);
        self.pool.results(&mut results);
        let any = !results.is_empty();
        for (id, done) in results.drain(..) {
            // `Full` must not wait until all that it is to stop was given.
            self.answer();
            self.give(Input::Job(id, done));
        }
        self.results = results;
        any
    }

    fn take_timers(&mut self) -> bool {
        for _ in 0..TIMERS {
            self.answer();
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
            self.answer();
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
            Effect::Secure(id, security, unread) => {
                if let Some((slot, conn)) = self.conn(id)
                    && matches!(conn.phase, Phase::Open)
                {
                    // What is sent from here on waits in the queue behind what may still go out plain.
                    conn.phase = Phase::Draining { security, unread, plain: conn.queued };
                    self.touch(slot);
                }
            }
            Effect::Send(id, data) => self.send(id, data),
            Effect::Pause(id, paused) => {
                if let Some((_, conn)) = self.conn(id) {
                    // Woken in both cases: a paused stream is watched for its end.
                    if std::mem::replace(&mut conn.paused, paused) != paused {
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
            Effect::Resolve(id, host, port) => self.look_up(id, host, port),
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
        let conn = match was {
            Slot::Conn(conn) => conn,
            Slot::Lookup(_) => {
                self.lookups -= 1;
                return;
            }
            Slot::Free | Slot::Listener(_) | Slot::Udp(_) => return,
        };
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
        let mut arrived = std::mem::take(&mut self.arrived);
        let mut taken = 0;
        while taken < DATAGRAMS {
            let Some(udp) = udp_at(&mut self.slots, slot, id) else { break };
            match udp.receive(&mut self.scratch, &mut arrived) {
                Poll::Pending => {
                    self.touch_udp(slot);
                    self.arrived = arrived;
                    return;
                }
                Poll::Ready(Ok(())) => {
                    taken += arrived.len();
                    for datagram in arrived.drain(..) {
                        // `Full` must not wait until all that it is to stop was given.
                        self.answer();
                        // The machine may have let go of the socket meanwhile.
                        if udp_at(&mut self.slots, slot, id).is_some() {
                            self.give(Input::Datagram(id, datagram));
                        }
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.sockets.remove(&id);
                    self.free(slot);
                    self.answers.push_back(Input::Bound(id, Err(error)));
                    break;
                }
            }
        }
        self.arrived = arrived;
        if udp_at(&mut self.slots, slot, id).is_some() {
            self.touch_udp(slot);
            self.wake(slot);
        }
    }
}

fn udp_at(slots: &mut [Slot], slot: u32, id: SocketId) -> Option<&mut Udp> {
    match slots.get_mut(slot as usize) {
        Some(Slot::Udp(udp)) if udp.id == id => Some(udp),
        _ => None,
    }
}

fn conn_at(slots: &mut [Slot], slot: u32) -> Option<&mut Conn> {
    match slots.get_mut(slot as usize) {
        Some(Slot::Conn(conn)) => Some(conn),
        _ => None,
    }
}

fn os_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        // Every supported system has a source of randomness; without one there is no safe way on.
        panic!("the operating system gives no randomness");
    }
    seed
}
