//! What carries a peer's bytes: [`Link`].

use p2p_core::{Bytes, ConnId, Cx, Machine};

/// What carries a peer's bytes. Another carrier (uTP, say) is another variant here and nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// A stream of the driver's.
    Tcp(ConnId),
}

impl Link {
    pub(crate) fn send<M: Machine>(self, data: Bytes, cx: &mut Cx<'_, M>) {
        match self {
            Self::Tcp(conn) => cx.send(conn, data),
        }
    }

    pub(crate) fn pause<M: Machine>(self, paused: bool, cx: &mut Cx<'_, M>) {
        match self {
            Self::Tcp(conn) => cx.pause(conn, paused),
        }
    }

    pub(crate) fn close<M: Machine>(self, cx: &mut Cx<'_, M>) {
        match self {
            Self::Tcp(conn) => cx.close(conn),
        }
    }

    pub(crate) fn abort<M: Machine>(self, cx: &mut Cx<'_, M>) {
        match self {
            Self::Tcp(conn) => cx.abort(conn),
        }
    }
}
