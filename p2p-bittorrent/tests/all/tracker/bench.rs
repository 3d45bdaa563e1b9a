//! A driver in memory for one machine, and a client around an [`Announcer`].

use p2p_bittorrent::tracker::{Announcer, Identity, Owner, Sockets, Totals, Update};
use p2p_bittorrent::{InfoHash, PeerId};
use p2p_core::{Cx, Duration, Effect, Input, Instant, Machine, OpId, OpInput, Rng, Source, UnixTime};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const HASH: InfoHash = InfoHash([0xaa; 20]);

/// Runs one machine: keeps its timers and events, hands out its other effects.
pub(crate) struct Bench<M: Machine> {
    pub(crate) machine: M,
    pub(crate) now: Instant,
    pub(crate) source: Source,
    timers: BTreeMap<M::Timer, Instant>,
    pub(crate) events: Vec<M::Event>,
    pub(crate) finished: Vec<Result<(), M::Error>>,
    out: Vec<Effect<M>>,
}

impl<M: Machine> Bench<M> {
    pub(crate) fn new(machine: M) -> Self {
        let mut bench = Self {
            machine,
            now: Instant::ZERO + Duration::from_secs(1_000),
            source: Source::new(Rng::fast_from(7)),
            timers: BTreeMap::new(),
            events: Vec::new(),
            finished: Vec::new(),
            out: Vec::new(),
        };
        bench.give(Input::Start);
        bench
    }

    pub(crate) fn give(&mut self, input: Input<M>) {
        let mut effects = Vec::new();
        let mut cx = Cx::new(self.now, UnixTime::default(), &mut self.source, &mut effects);
        self.machine.handle(input, &mut cx);
        for effect in effects {
            match effect {
                Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
                Effect::ClearTimer(timer) => drop(self.timers.remove(&timer)),
                Effect::Event(_, event) => self.events.push(event),
                Effect::Finish(_, result) => self.finished.push(result),
                other => self.out.push(other),
            }
        }
    }

    pub(crate) fn ask(&mut self, command: M::Command) {
        let op = OpId::from_raw(self.source.draw());
        self.give(Input::Op(op, OpInput::Ask(command)));
    }

    /// What it wants done since the last call.
    pub(crate) fn take(&mut self) -> Vec<Effect<M>> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn events(&mut self) -> Vec<M::Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.values().min().copied()
    }

    /// Lets time pass to the next timer, and fires it.
    pub(crate) fn fire(&mut self) {
        let (timer, at) =
            self.timers.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(_, at)| *at).unwrap();
        self.timers.remove(&timer);
        self.now = self.now.max(at);
        self.give(Input::Timer(timer));
    }

    /// Lets time pass, and fires what is due.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while self.next_timer().is_some_and(|at| at <= until) {
            self.fire();
        }
        self.now = until;
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Do {
    Start,
    Complete,
    Stop,
    Scrape,
    More,
}

/// The least machine that owns an announcer.
pub(crate) struct Client {
    pub(crate) identity: Identity,
    pub(crate) announcer: Announcer,
    pub(crate) totals: Totals,
}

impl Client {
    pub(crate) fn new(id: u8, tiers: &[&[&str]]) -> Self {
        let mut rng = Rng::fast_from(id.into());
        let tiers = tiers.iter().map(|tier| tier.iter().map(|url| Arc::from(*url)));
        Self {
            identity: Identity::new(PeerId([id; 20]), 6_000 + u16::from(id), &mut rng),
            announcer: Announcer::new(HASH, tiers, &mut rng),
            totals: Totals { uploaded: 1, downloaded: 2, left: Some(3) },
        }
    }
}

impl Machine for Client {
    type Command = Do;
    type Event = Update;
    type Error = std::io::Error;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let mut news = Vec::new();
        let Self { identity, announcer, totals } = self;
        if matches!(input, Input::Start) {
            let v4 = Some(cx.bind("0.0.0.0:0".parse().unwrap()));
            identity.sockets = Sockets { v4, v6: Some(cx.bind("[::]:0".parse().unwrap())) };
        }
        let owner = Owner { identity, totals: *totals, news: &mut news };
        match input {
            Input::Op(op, OpInput::Ask(command)) => {
                match command {
                    Do::Start => announcer.start(cx, owner),
                    Do::Complete => announcer.complete(cx, owner),
                    Do::Stop => announcer.stop(cx, owner),
                    Do::Scrape => announcer.scrape(cx, owner),
                    Do::More => announcer.request_more(cx.now()),
                }
                cx.finish(op, Ok(()));
            }
            Input::Timer(()) => announcer.tick(cx, owner),
            Input::Stream(conn, input) => announcer.stream(cx, owner, conn, input),
            Input::Datagram(_, datagram) => announcer.datagram(cx, owner, &datagram),
            Input::Resolved(lookup, found) => announcer.resolved(cx, owner, lookup, found),
            _ => {}
        }
        news.into_iter().for_each(|update| cx.tell(update));
        match self.announcer.next_due() {
            Some(at) => cx.set_timer_at((), at),
            None => cx.clear_timer(()),
        }
    }
}
