//! Doors: listening and accepting, dialling with a limit, binding, and what comes of it.

use super::{Driver, Listener, Lookup, Place, REST, Slot, conn_at};
use crate::conn::{Conn, Phase};
use crate::connector::{Opening, Stream, resolve};
use crate::datagram::Udp;
use crate::error::io_error;
use crate::ready::SlotWaker;
use p2p_core::{
    ConnId, Duration, Input, IoError, ListenerId, LookupId, Machine, Security, SocketId, StreamInput, Target,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake};
use tokio::net::{TcpListener, TcpStream};

/// Accepted streams of one listener in one turn.
const ACCEPTS: usize = 32;

impl<M: Machine> Driver<M> {
    pub(super) fn listen(&mut self, id: ListenerId, at: SocketAddr, security: Security) {
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

    pub(super) fn bind(&mut self, id: SocketId, at: SocketAddr) {
        let slot = self.slot();
        let wake = SlotWaker::new(slot, &self.ready);
        let bound = Udp::bind(id, at, self.options.datagram_buffer, wake)
            .and_then(|udp| Ok((udp.local_addr()?, udp)));
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

    pub(super) fn connect(&mut self, id: ConnId, to: Target, security: Security) {
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
        if self.waiting.len() > 2 * self.options.connections {
            // Dials that were given up before their turn are most of it by now.
            let slots = &mut self.slots;
            self.waiting.retain(|(slot, id)| conn_at(slots, *slot).is_some_and(|conn| conn.id == *id));
        }
        self.waiting.push_back((slot, id));
        self.dial();
    }

    pub(super) fn look_up(&mut self, id: LookupId, host: String, port: u16) {
        if self.lookups >= self.options.lookups {
            self.answers.push_back(Input::Resolved(id, Err(IoError::Limit)));
            return;
        }
        self.lookups += 1;
        let slot = self.slot();
        let (wake, waker) = self.waker(slot);
        let found = Box::pin(async move { resolve(&host, port).await });
        wake.wake_by_ref();
        self.put(slot, Slot::Lookup(Box::new(Lookup { id, wake, waker, found })));
        self.deadlines.set(slot, self.now + self.options.connect_timeout);
    }

    pub(super) fn add_conn(&mut self, id: ConnId, phase: Phase) -> u32 {
        let slot = self.slot();
        let wake = SlotWaker::new(slot, &self.ready);
        wake.wake_by_ref();
        self.put(slot, Slot::Conn(Box::new(Conn::new(id, wake, phase, self.now))));
        self.conns.insert(id, Place::At(slot));
        self.streams += 1;
        slot
    }

    /// Begins dials that wait, as many as may be under way.
    pub(super) fn dial(&mut self) {
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

    pub(super) fn dialled(&mut self) {
        self.dialling = self.dialling.saturating_sub(1);
        self.dial();
    }

    pub(super) fn accept(&mut self, slot: u32) {
        if let Some(Slot::Listener(listener)) = self.slots.get(slot as usize) {
            // Also where nothing will be accepted: the end of a stream must be able to wake it.
            listener.wake.begin();
        }
        for _ in 0..ACCEPTS {
            if self.streams >= self.options.connections {
                self.stalled.push(slot);
                return;
            }
            let Some(Slot::Listener(listener)) = self.slots.get_mut(slot as usize) else { return };
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

    pub(super) fn accepted(
        &mut self,
        listener: ListenerId,
        security: Security,
        tcp: TcpStream,
        peer: SocketAddr,
    ) {
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

    pub(super) fn opened(
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

    pub(super) fn secured(&mut self, slot: u32, secured: Result<Stream, IoError>) {
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
