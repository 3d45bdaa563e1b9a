//! A machine that sends back what it is sent, and reads no faster than it can.

use p2p_core::{ConnId, Cx, Input, IoError, Machine, OpInput, Security, StreamInput, Target};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Echoes on every stream, accepted or dialled. Pauses a stream whose echo is not taken.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    at: Option<SocketAddr>,
    security: Security,
    dials: BTreeMap<ConnId, p2p_core::OpId>,
    /// Streams that opened.
    pub(crate) opened: usize,
    /// Streams that ended well.
    pub(crate) ended: usize,
    /// Times that it was told `Full`.
    pub(crate) full: usize,
    /// Bytes it sent back.
    pub(crate) bytes: u64,
}

/// What it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// Where it listens.
    At(SocketAddr),
    /// A stream is over.
    Over,
}

/// Why it could not dial.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not reached: {0}")]
pub(crate) struct NotReached(pub(crate) IoError);

impl Echo {
    pub(crate) fn at(at: SocketAddr) -> Self {
        Self { at: Some(at), ..Self::default() }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn secured(self) -> Self {
        Self { security: Security::Server, ..self }
    }
}

impl Machine for Echo {
    /// Dial there.
    type Command = Target;
    type Event = Served;
    type Error = NotReached;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                if let Some(at) = self.at {
                    cx.listen_secured(at, self.security.clone());
                }
            }
            Input::Listener(_, Ok(at)) => cx.tell(Served::At(at)),
            Input::Op(op, OpInput::Ask(to)) => {
                self.dials.insert(cx.connect(to), op);
            }
            Input::Stream(conn, input) => self.stream(conn, input, cx),
            Input::Stop => cx.halt(),
            _ => {}
        }
    }
}

impl Echo {
    fn stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Cx<'_, Self>) {
        match input {
            StreamInput::Open { .. } => {
                self.opened += 1;
                if let Some(op) = self.dials.remove(&conn) {
                    cx.finish(op, Ok(()));
                }
            }
            StreamInput::Data(data) => {
                self.bytes += data.len() as u64;
                cx.send(conn, data);
            }
            StreamInput::Full => {
                self.full += 1;
                cx.pause(conn, true);
            }
            StreamInput::Ready => cx.pause(conn, false),
            StreamInput::Closed(result) => {
                self.ended += usize::from(result.is_ok());
                if let (Some(op), Err(error)) = (self.dials.remove(&conn), result) {
                    cx.finish(op, Err(NotReached(error)));
                }
                cx.tell(Served::Over);
            }
            StreamInput::Secured(_) => {}
        }
    }
}
