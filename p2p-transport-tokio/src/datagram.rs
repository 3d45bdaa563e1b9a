//! Datagram sockets: received with hop limit and interface, sent with them, multicast groups joined and left.
//!
//! Linux takes a run of datagrams to one receiver in one call, and hands one over in the same way (segmentation offload,
//! `UDP_SEGMENT` and `UDP_GRO`): the stack below carries a run as one packet, and a network card that can cuts it.

mod control;
mod outbox;

use crate::error::io_error;
use crate::ready::SlotWaker;
use bytes::Bytes;
use outbox::{Outbox, Run};
use p2p_core::{Datagram, Group, IoError, SocketId};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The largest payload that UDP can carry.
const LARGEST: usize = 65_535;

/// Datagrams of a run that are copied to one piece of memory, which is given back when none of them is kept.
const SHARE: usize = 8;

/// A bound socket, and what waits to be sent on it.
pub(crate) struct Udp {
    pub(crate) id: SocketId,
    pub(crate) wake: Arc<SlotWaker>,
    pub(crate) waker: Waker,
    socket: UdpSocket,
    queue: Outbox,
    /// Whether datagrams to one receiver are sent in runs.
    runs: bool,
    /// Where the group that was joined last was joined: what goes to a group goes there, unless it says where.
    group_interface: Option<u32>,
    pub(crate) touched: bool,
}

/// Where datagrams are received before they are copied to a place of their own size.
#[derive(Default)]
pub(crate) struct Scratch {
    payload: Vec<u8>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    control: Vec<u8>,
}

impl Scratch {
    fn prepare(&mut self) {
        if self.payload.is_empty() {
            self.payload = vec![0; LARGEST];
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                self.control = vec![0; 256];
            }
        }
    }
}

impl Udp {
    /// With room for `buffer` bytes that came in and were not read, as far as the system allows.
    pub(crate) fn bind(
        id: SocketId,
        at: SocketAddr,
        buffer: usize,
        wake: Arc<SlotWaker>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if at.ip().is_multicast() {
            // Several programs on one machine may listen to one group.
            socket.set_reuse_address(true)?;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // Linux hands a socket what came for groups that other sockets joined, unless told otherwise. A kernel that
            // knows no such option of IPv6 does as it always did.
            let _ = if at.is_ipv4() {
                socket.set_multicast_all_v4(false)
            } else {
                socket.set_multicast_all_v6(false)
            };
        }
        // The system gives what it has.
        let _ = socket.set_recv_buffer_size(buffer);
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        control::enable(&socket, at);
        let socket = UdpSocket::from_std(socket.into())?;
        let waker = Waker::from(Arc::clone(&wake));
        Ok(Self {
            id,
            wake,
            waker,
            socket,
            queue: Outbox::default(),
            runs: control::RUNS,
            group_interface: None,
            touched: false,
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What comes next: one datagram, or a run of them. Too large a one, which cannot be, and errors that an earlier send
    /// left behind are passed over.
    pub(crate) fn receive(
        &self,
        scratch: &mut Scratch,
        into: &mut Vec<Datagram>,
    ) -> Poll<Result<(), IoError>> {
        scratch.prepare();
        let mut cx = Context::from_waker(&self.waker);
        loop {
            match self.socket.poll_recv_ready(&mut cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(io_error(&error))),
                Poll::Ready(Ok(())) => {}
            }
            match self.socket.try_io(Interest::READABLE, || control::receive(&self.socket, scratch)) {
                Ok(Received { len, each, peer, ttl, interface }) => {
                    let all = scratch.payload.get(..len).unwrap_or_default();
                    let datagram = |data| Datagram { peer, data, ttl, interface };
                    if all.is_empty() {
                        into.push(datagram(Bytes::new()));
                    }
                    let each = each.max(1);
                    // Few share their memory: who keeps one shall not keep all.
                    for several in all.chunks(each * SHARE) {
                        let mut copy = Bytes::copy_from_slice(several);
                        while copy.len() > each {
                            into.push(datagram(copy.split_to(each)));
                        }
                        into.push(datagram(copy));
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::Interrupted
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable => {}
                    _ => return Poll::Ready(Err(io_error(&error))),
                },
            }
        }
    }

    /// Queues a datagram, unless `most` are waiting.
    pub(crate) fn queue(&mut self, mut datagram: Datagram, most: usize) -> bool {
        if datagram.interface.is_none() && datagram.peer.ip().is_multicast() {
            // The route that the system knows for groups is the one to everywhere else.
            datagram.interface = self.group_interface;
        }
        let room = self.queue.len() < most;
        if room {
            self.queue.push(datagram, self.runs);
        }
        room
    }

    /// Sends what is queued, as far as the socket takes it. Returns how many were refused and dropped.
    pub(crate) fn flush(&mut self) -> u64 {
        self.flush_with(control::send)
    }

    fn flush_with(&mut self, send: impl Fn(&UdpSocket, &Run) -> io::Result<usize>) -> u64 {
        let mut cx = Context::from_waker(&self.waker);
        let mut dropped = 0;
        while let Some(run) = self.queue.front() {
            if !matches!(self.socket.poll_send_ready(&mut cx), Poll::Ready(Ok(()))) {
                return dropped;
            }
            match self.socket.try_io(Interest::WRITABLE, || send(&self.socket, run)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                // A card that cannot cut it, or a path that takes less: one by one, they may pass.
                Err(error) if run.count() > 1 => {
                    self.runs &= !control::are_runs_refused(&error);
                    if let Some(run) = self.queue.pop() {
                        self.queue.put_back(run);
                    }
                    continue;
                }
                Ok(_) => {}
                Err(_) => dropped += 1,
            }
            self.queue.pop();
        }
        self.queue.shrink();
        dropped
    }

    pub(crate) fn join(&mut self, group: Group) -> io::Result<()> {
        self.group_interface = group.interface.or(self.group_interface);
        let socket = SockRef::from(&self.socket);
        match group.addr {
            IpAddr::V4(addr) => {
                socket.join_multicast_v4_n(&addr, &interface_v4(group.interface))?;
                socket.set_multicast_loop_v4(group.looped)?;
                group.ttl.map_or(Ok(()), |ttl| socket.set_multicast_ttl_v4(u32::from(ttl)))
            }
            IpAddr::V6(addr) => {
                socket.join_multicast_v6(&addr, group.interface.unwrap_or(0))?;
                socket.set_multicast_loop_v6(group.looped)?;
                group.ttl.map_or(Ok(()), |ttl| socket.set_multicast_hops_v6(u32::from(ttl)))
            }
        }
    }

    pub(crate) fn leave(&self, group: Group) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        match group.addr {
            IpAddr::V4(addr) => socket.leave_multicast_v4_n(&addr, &interface_v4(group.interface)),
            IpAddr::V6(addr) => socket.leave_multicast_v6(&addr, group.interface.unwrap_or(0)),
        }
    }
}

fn interface_v4(index: Option<u32>) -> InterfaceIndexOrAddress {
    index.map_or(InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED), InterfaceIndexOrAddress::Index)
}

/// What one call received: `len` bytes, a datagram in each `each` of them.
struct Received {
    len: usize,
    each: usize,
    peer: SocketAddr,
    ttl: Option<u8>,
    interface: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready::Ready;

    #[tokio::test]
    async fn room_for_what_is_not_read() {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let size = |buffer| {
            let wake = SlotWaker::new(0, &Arc::new(Ready::default()));
            let udp = Udp::bind(SocketId::from_raw(1), at, buffer, wake).expect("a socket");
            SockRef::from(&udp.socket).recv_buffer_size().expect("its size")
        };
        // Systems differ in what they add, and in the most that they give.
        let (small, large) = (size(16 * 1024), size(128 * 1024));
        assert!(small >= 16 * 1024 && large >= 128 * 1024 && small < large, "{small}, {large}");
    }
    /// What the system does not take in one call it may take in several.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn a_run_that_is_refused_goes_one_by_one() {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bind = |id| {
            let wake = SlotWaker::new(id, &Arc::new(Ready::default()));
            Udp::bind(SocketId::from_raw(id.into()), at, 64 * 1024, wake).expect("a socket")
        };
        let (mut from, to) = (bind(1), bind(2));
        let peer = to.local_addr().expect("its address");
        from.socket.writable().await.expect("it can be written to");
        for (refusal, goes_on) in [(nix::Error::EMSGSIZE, true), (nix::Error::EIO, false)] {
            for n in 0..5_u8 {
                assert!(from.queue(Datagram::new(peer, vec![n; 9]), 5));
            }
            assert!(!from.queue(Datagram::new(peer, vec![5; 9]), 5), "five wait");
            let dropped = from.flush_with(|socket, run| {
                // And one of them not at all.
                if run.count() > 1 || run.first[0] == 3 {
                    return Err(refusal.into());
                }
                control::send(socket, run)
            });
            assert_eq!((dropped, from.runs), (1, goes_on), "{refusal}");
            let (mut scratch, mut got) = (Scratch::default(), Vec::new());
            while got.len() < 4 {
                to.socket.readable().await.expect("more");
                let _ = to.receive(&mut scratch, &mut got);
            }
            let numbers: Vec<_> = got.iter().map(|datagram| datagram.data[0]).collect();
            assert_eq!(numbers, [0, 1, 2, 4]);
        }
    }
}
