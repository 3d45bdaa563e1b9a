//! Datagram sockets: received with hop limit and interface, sent with them, multicast groups joined and left.

use crate::error::io_error;
use crate::ready::SlotWaker;
use bytes::Bytes;
use p2p_core::{Datagram, Group, IoError, SocketId};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The largest payload that UDP can carry.
const LARGEST: usize = 65_535;

/// A bound socket, and what waits to be sent on it.
pub(crate) struct Udp {
    pub(crate) id: SocketId,
    pub(crate) wake: Arc<SlotWaker>,
    pub(crate) waker: Waker,
    socket: UdpSocket,
    queue: VecDeque<Datagram>,
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
        Ok(Self { id, wake, waker, socket, queue: VecDeque::new(), group_interface: None, touched: false })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next datagram. Too large a one, which cannot be, and errors that an earlier send left behind are passed
    /// over.
    pub(crate) fn receive(&self, scratch: &mut Scratch) -> Poll<Result<Datagram, IoError>> {
        scratch.prepare();
        let mut cx = Context::from_waker(&self.waker);
        loop {
            match self.socket.poll_recv_ready(&mut cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(io_error(&error))),
                Poll::Ready(Ok(())) => {}
            }
            match self.socket.try_io(Interest::READABLE, || control::receive(&self.socket, scratch)) {
                Ok((len, peer, ttl, interface)) => {
                    let data = Bytes::copy_from_slice(scratch.payload.get(..len).unwrap_or_default());
                    return Poll::Ready(Ok(Datagram { peer, data, ttl, interface }));
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
            self.queue.push_back(datagram);
        }
        room
    }

    /// Sends what is queued, as far as the socket takes it. Returns how many were refused and dropped.
    pub(crate) fn flush(&mut self) -> u64 {
        let mut cx = Context::from_waker(&self.waker);
        let mut dropped = 0;
        while let Some(datagram) = self.queue.front() {
            if !matches!(self.socket.poll_send_ready(&mut cx), Poll::Ready(Ok(()))) {
                return dropped;
            }
            match self.socket.try_io(Interest::WRITABLE, || control::send(&self.socket, datagram)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => dropped += 1,
            }
            self.queue.pop_front();
        }
        self.queue.shrink_to(64);
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

type Received = (usize, SocketAddr, Option<u8>, Option<u32>);

/// Hop limit and interface, through the control messages of recvmsg and sendmsg.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod control {
    use super::{Received, Scratch};
    use nix::libc;
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
    };
    use p2p_core::Datagram;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;
    use tokio::net::UdpSocket;

    /// Asks for them; a system that refuses leaves them unknown.
    pub(super) fn enable(socket: &socket2::Socket, at: SocketAddr) {
        let _ = if at.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4RecvTtl, &true)
                .and_then(|()| setsockopt(socket, sockopt::Ipv4PacketInfo, &true))
        } else {
            setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true)
                .and_then(|()| setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true))
        };
    }

    pub(super) fn receive(socket: &UdpSocket, scratch: &mut Scratch) -> io::Result<Received> {
        let Scratch { payload, control } = scratch;
        let mut parts = [IoSliceMut::new(payload)];
        let got = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut parts,
            Some(control.as_mut_slice()),
            MsgFlags::empty(),
        )?;
        let peer = got.address.and_then(addr).ok_or(io::ErrorKind::InvalidData)?;
        let (mut ttl, mut interface) = (None, None);
        for message in got.cmsgs().into_iter().flatten() {
            match message {
                ControlMessageOwned::Ipv4Ttl(n) | ControlMessageOwned::Ipv6HopLimit(n) => {
                    ttl = u8::try_from(n).ok();
                }
                ControlMessageOwned::Ipv4PacketInfo(info) => interface = u32::try_from(info.ipi_ifindex).ok(),
                ControlMessageOwned::Ipv6PacketInfo(info) => interface = Some(info.ipi6_ifindex),
                _ => {}
            }
        }
        Ok((got.bytes, peer, ttl, interface))
    }

    fn addr(from: SockaddrStorage) -> Option<SocketAddr> {
        if let Some(v4) = from.as_sockaddr_in() {
            return Some(SocketAddrV4::from(*v4).into());
        }
        from.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into())
    }

    pub(super) fn send(socket: &UdpSocket, datagram: &Datagram) -> io::Result<usize> {
        if datagram.ttl.is_none() && datagram.interface.is_none() {
            // Inside `try_io` already, so straight to the system.
            return socket2::SockRef::from(socket).send_to(&datagram.data, &datagram.peer.into());
        }
        let hops = libc::c_int::from(datagram.ttl.unwrap_or(0));
        let index = datagram.interface.unwrap_or(0);
        let info4 = libc::in_pktinfo {
            ipi_ifindex: libc::c_int::try_from(index).unwrap_or(0),
            ipi_spec_dst: libc::in_addr { s_addr: 0 },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let info6 = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: [0; 16] }, ipi6_ifindex: index };
        let mut messages = Vec::with_capacity(2);
        if datagram.ttl.is_some() {
            messages.push(match datagram.peer {
                SocketAddr::V4(_) => ControlMessage::Ipv4Ttl(&hops),
                SocketAddr::V6(_) => ControlMessage::Ipv6HopLimit(&hops),
            });
        }
        if datagram.interface.is_some() {
            messages.push(match datagram.peer {
                SocketAddr::V4(_) => ControlMessage::Ipv4PacketInfo(&info4),
                SocketAddr::V6(_) => ControlMessage::Ipv6PacketInfo(&info6),
            });
        }
        let to = SockaddrStorage::from(datagram.peer);
        let parts = [IoSlice::new(&datagram.data)];
        Ok(sendmsg(socket.as_raw_fd(), &parts, &messages, MsgFlags::empty(), Some(&to))?)
    }
}

/// Elsewhere hop limits and interfaces of what comes in are unknown, and those of what goes to a group are set for the
/// whole socket before each.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod control {
    use super::{Received, Scratch};
    use p2p_core::Datagram;
    use std::io;
    use std::net::SocketAddr;
    use tokio::net::UdpSocket;

    pub(super) fn enable(_: &socket2::Socket, _: SocketAddr) {}

    pub(super) fn receive(socket: &UdpSocket, scratch: &mut Scratch) -> io::Result<Received> {
        let (len, peer) = socket.try_recv_from(&mut scratch.payload)?;
        Ok((len, peer, None, None))
    }

    pub(super) fn send(socket: &UdpSocket, datagram: &Datagram) -> io::Result<usize> {
        let raw = socket2::SockRef::from(socket);
        if let SocketAddr::V4(peer) = datagram.peer
            && peer.ip().is_multicast()
        {
            if let Some(index) = datagram.interface {
                // The number of an interface in place of its address (RFC 1724, section 3.3).
                raw.set_multicast_if_v4(&index.into())?;
            }
            datagram.ttl.map_or(Ok(()), |ttl| raw.set_multicast_ttl_v4(ttl.into()))?;
        }
        if let SocketAddr::V6(peer) = datagram.peer
            && peer.ip().is_multicast()
        {
            datagram.interface.map_or(Ok(()), |index| raw.set_multicast_if_v6(index))?;
            datagram.ttl.map_or(Ok(()), |ttl| raw.set_multicast_hops_v6(ttl.into()))?;
        }
        raw.send_to(&datagram.data, &datagram.peer.into())
    }
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
}
