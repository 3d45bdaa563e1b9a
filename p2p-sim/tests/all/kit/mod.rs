//! A machine that does what it is asked, effect by effect, and notes every input: for tests of the simulator itself.
#![allow(dead_code, reason = "a kit is more than one test needs")]

use bytes::Bytes;
use p2p_core::{
    ConnId, Cx, Datagram, Effect, Input, Instant, JobDone, ListenerId, Machine, OpInput, SocketId,
    StreamInput,
};
use std::collections::BTreeMap;

type Act = dyn Fn(&mut Puppet, &mut Cx<'_, Puppet>) + Send + Sync;

/// What the application asks for: anything, as a function of the context.
#[derive(Clone)]
pub(crate) struct Do(pub(crate) std::sync::Arc<Act>);

impl std::fmt::Debug for Do {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Do")
    }
}

pub(crate) fn act(f: impl Fn(&mut Puppet, &mut Cx<'_, Puppet>) + Send + Sync + 'static) -> Do {
    Do(std::sync::Arc::new(f))
}

#[derive(Debug, thiserror::Error)]
#[error("refused")]
pub(crate) struct Refused;

#[derive(Default)]
pub(crate) struct Puppet {
    pub(crate) log: Vec<(Instant, String)>,
    pub(crate) conns: Vec<ConnId>,
    pub(crate) listeners: Vec<ListenerId>,
    pub(crate) sockets: Vec<SocketId>,
    pub(crate) bytes: BTreeMap<ConnId, u64>,
    pub(crate) got: Vec<u8>,
    pub(crate) datagrams: Vec<(Instant, Datagram)>,
    pub(crate) done: Vec<JobDone>,
    /// Sends back what comes in on streams.
    pub(crate) echo: bool,
    /// Keeps the bytes of streams.
    pub(crate) keep: bool,
    /// Stops reading a stream when so many bytes of it are here.
    pub(crate) pause_at: u64,
    /// Halts when it is asked to stop.
    pub(crate) polite: bool,
    pub(crate) last_data: Instant,
}

impl Machine for Puppet {
    type Command = Do;
    type Event = String;
    type Error = Refused;
    type Timer = u32;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        match input {
            Input::Op(op, OpInput::Ask(Do(f))) => {
                f(self, cx);
                cx.finish(op, Ok(()));
            }
            Input::Stream(conn, StreamInput::Data(data)) => {
                *self.bytes.entry(conn).or_default() += data.len() as u64;
                self.last_data = now;
                if self.keep {
                    self.got.extend_from_slice(&data);
                }
                if self.pause_at > 0 && self.bytes[&conn] == self.pause_at {
                    cx.pause(conn, true);
                }
                if self.echo {
                    cx.send(conn, data);
                }
            }
            Input::Stream(conn, input) => {
                if matches!(input, StreamInput::Open { .. }) && !self.conns.contains(&conn) {
                    self.conns.push(conn);
                }
                self.log.push((now, format!("{input:?}")));
            }
            Input::Datagram(_, datagram) => self.datagrams.push((now, datagram)),
            Input::Job(_, done) => self.done.push(done),
            Input::Stop => {
                self.log.push((now, "Stop".to_owned()));
                if self.polite {
                    cx.halt();
                }
            }
            other => self.log.push((now, format!("{other:?}"))),
        }
    }
}

impl Puppet {
    /// Whether an input whose text begins so was noted.
    pub(crate) fn saw(&self, what: &str) -> bool {
        self.log.iter().any(|(_, line)| line.starts_with(what))
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.log.iter().filter(|(_, line)| line.starts_with(what)).count()
    }

    pub(crate) fn when(&self, what: &str) -> Option<Instant> {
        self.log.iter().find(|(_, line)| line.starts_with(what)).map(|(at, _)| *at)
    }

    pub(crate) fn total(&self) -> u64 {
        self.bytes.values().sum()
    }
}

pub(crate) fn listen(port: u16) -> Do {
    act(move |me, cx| {
        let id = cx.listen(([0, 0, 0, 0], port).into());
        me.listeners.push(id);
    })
}

pub(crate) fn bind(port: u16) -> Do {
    act(move |me, cx| {
        let id = cx.bind(([0, 0, 0, 0], port).into());
        me.sockets.push(id);
    })
}

pub(crate) fn dial(ip: std::net::IpAddr, port: u16) -> Do {
    act(move |me, cx| {
        let id = cx.connect(std::net::SocketAddr::new(ip, port));
        me.conns.push(id);
    })
}

/// Sends so many bytes on the newest stream, in pieces of 16 KiB.
pub(crate) fn push(total: usize) -> Do {
    act(move |me, cx| {
        let conn = *me.conns.last().unwrap();
        let mut left = total;
        while left > 0 {
            let len = left.min(16_384);
            cx.send(conn, p2p_sim::zeros(len));
            left -= len;
        }
    })
}

pub(crate) fn send(text: &'static [u8]) -> Do {
    act(move |me, cx| cx.send(*me.conns.last().unwrap(), Bytes::from_static(text)))
}

pub(crate) fn tell(ip: std::net::IpAddr, port: u16, text: &'static [u8]) -> Do {
    act(move |me, cx| {
        cx.send_to(me.sockets[0], std::net::SocketAddr::new(ip, port), Bytes::from_static(text));
    })
}

pub(crate) fn effects(f: impl Fn(&Puppet) -> Vec<Effect<Puppet>> + Send + Sync + 'static) -> Do {
    act(move |me, cx| f(me).into_iter().for_each(|effect| cx.push(effect)))
}
