//! Files, fetched by ranges straight from those who have them: [`Files`].
//!
//! The ring knows who has a file, and its size and SHA-256 ([`Provider`](crate::record::Provider)); the file itself goes
//! by TCP from its holders, several at once. [`Archive`](crate::Archive) is a node of the ring and this in one machine: it publishes and
//! fetches by name.
//!
//! The wire is HTTP/1.1: `GET /sha256/` and the digest in hexadecimal digits, with a `Range` of bytes, so that any
//! client of HTTP can fetch. See the source of `wire` for an exchange.
//!
//! ```text
//!            holders          all chunks             the digest fits
//!  Fetch ─────────────► Getting ─────────► Checking ─────────────────► Naming ─► Saving ─► its name
//!    (goes on where        ▲                  │ it does not
//!    an earlier run        └──── Blaming ◄────┘
//!    stopped)                    who gave what is noted, and one holder gives all: if it still does not fit, that one
//!                                lied; if it does, those whose chunks differed did
//! ```
//!
//! A holder that lies, breaks off, stalls, or has another file is dropped and named ([`Event::Dropped`]).

mod api;
mod chunks;
mod fetching;
mod holders;
mod jobs;
mod resume;
mod serving;
mod sharing;
mod wire;

pub use api::{Command, Config, Error, Event, Fault, Fetch, Limits, Timer};

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use fetching::Fetching;
use jobs::Errand;
use p2p_core::{ConnId, Cx, FileId, Input, JobId, ListenerId, Machine, OpId, OpInput, Stat, StreamInput};
use serving::Guest;

type Context<'a> = Cx<'a, Files>;

/// What is shared.
#[derive(Debug, Clone)]
struct Shared {
    file: FileId,
    /// What it was when it was digested.
    stat: Stat,
}

/// Shares files and fetches them.
#[derive(Debug)]
pub struct Files {
    config: Config,
    listener: Option<ListenerId>,
    at: Option<SocketAddr>,
    shared: BTreeMap<[u8; 32], Shared>,
    guests: BTreeMap<ConnId, Guest>,
    fetches: BTreeMap<OpId, Box<Fetching>>,
    /// Which fetch a connection to a holder is of.
    links: BTreeMap<ConnId, OpId>,
    jobs: BTreeMap<JobId, Errand>,
    stopping: bool,
}

impl Files {
    /// A machine that shares nothing yet.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            listener: None,
            at: None,
            shared: BTreeMap::new(),
            guests: BTreeMap::new(),
            fetches: BTreeMap::new(),
            links: BTreeMap::new(),
            jobs: BTreeMap::new(),
            stopping: false,
        }
    }

    /// Where files can be had, once it listens.
    #[must_use]
    pub const fn at(&self) -> Option<SocketAddr> {
        self.at
    }

    /// How much strangers made it keep: connections of guests, and of holders.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        (self.guests.len(), self.links.len())
    }

    fn listening(&mut self, at: Result<SocketAddr, p2p_core::IoError>, cx: &mut Context<'_>) {
        match at {
            Ok(at) => {
                self.at = Some(at);
                cx.tell(Event::Listening(at));
            }
            Err(why) => {
                (self.listener, self.at) = (None, None);
                cx.tell(Event::NotListening(why));
            }
        }
    }

    fn stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        match input {
            StreamInput::Open { peer, listener: Some(_) } => self.guest(conn, peer, cx),
            input if self.guests.contains_key(&conn) => self.guest_stream(conn, input, cx),
            input => self.holder_stream(conn, input, cx),
        }
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        self.stopping = true;
        if let Some(listener) = self.listener.take() {
            cx.unlisten(listener);
        }
        self.stop_fetches(cx);
        self.stop_sharing(cx);
        while let Some((&conn, _)) = self.guests.first_key_value() {
            self.dismiss(conn, cx);
        }
        self.halt_when_idle(cx);
    }

    fn halt_when_idle(&self, cx: &mut Context<'_>) {
        if self.stopping && self.jobs.is_empty() {
            cx.halt();
        }
    }
}

impl Machine for Files {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => self.listener = self.config.listen.map(|at| cx.listen(at)),
            Input::Listener(listener, at) if self.listener == Some(listener) => self.listening(at, cx),
            Input::Op(op, OpInput::Ask(_)) if self.stopping => cx.finish(op, Err(Error::Stopped)),
            Input::Op(op, OpInput::Ask(Command::Share(file))) => self.share(op, file, cx),
            Input::Op(op, OpInput::Ask(Command::Unshare(sha256))) => {
                let was = self.shared.remove(&sha256).is_some();
                cx.finish(op, if was { Ok(()) } else { Err(Error::NotShared) });
            }
            Input::Op(op, OpInput::Ask(Command::Fetch(fetch))) => self.fetch(op, fetch, cx),
            Input::Op(op, OpInput::Cancel) => self.cancel(op, cx),
            Input::Op(op, OpInput::Full) => self.set_full(op, true, cx),
            Input::Op(op, OpInput::Ready) => self.set_full(op, false, cx),
            Input::Stream(conn, input) => self.stream(conn, input, cx),
            Input::Timer(Timer::Guest(conn)) => self.dismiss(conn, cx),
            Input::Timer(Timer::Holder(conn)) => self.look_at_pace(conn, cx),
            Input::Timer(Timer::Report(op)) => self.report(op, cx),
            Input::Timer(Timer::Rest(op)) => self.ask_holders(op, cx),
            Input::Job(job, done) => self.job(job, done, cx),
            Input::Stop => self.stop(cx),
            Input::Listener(..) | Input::Bound(..) | Input::Datagram(..) | Input::Resolved(..) => {}
        }
    }
}
