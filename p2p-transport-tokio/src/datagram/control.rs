//! Hop limit, interface and runs, through the control messages of recvmsg and sendmsg.

pub(super) use system::{RUNS, are_runs_refused, enable, receive, send};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use crate::datagram::outbox::{LONGEST, Run};
    use crate::datagram::{Received, Scratch};
    use nix::libc;
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
    };
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;
    use tokio::net::UdpSocket;

    /// Whether datagrams may be sent in runs.
    pub(in crate::datagram) const RUNS: bool = true;

    /// Asks for them; a system that refuses leaves them unknown, and hands datagrams over one by one.
    pub(in crate::datagram) fn enable(socket: &socket2::Socket, at: SocketAddr) {
        let _ = if at.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4RecvTtl, &true)
                .and_then(|()| setsockopt(socket, sockopt::Ipv4PacketInfo, &true))
        } else {
            setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true)
                .and_then(|()| setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true))
        };
        let _ = setsockopt(socket, sockopt::UdpGroSegment, &true);
    }

    /// Whether no run will be sent by this socket: its card, its kernel or a tunnel cannot cut it.
    pub(in crate::datagram) fn are_runs_refused(error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP))
    }

    pub(in crate::datagram) fn receive(socket: &UdpSocket, scratch: &mut Scratch) -> io::Result<Received> {
        let Scratch { payload, control } = scratch;
        let mut parts = [IoSliceMut::new(payload)];
        let got = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut parts,
            Some(control.as_mut_slice()),
            MsgFlags::empty(),
        )?;
        let peer = got.address.and_then(addr).ok_or(io::ErrorKind::InvalidData)?;
        let (mut ttl, mut interface, mut each) = (None, None, got.bytes);
        for message in got.cmsgs().into_iter().flatten() {
            match message {
                ControlMessageOwned::Ipv4Ttl(n) | ControlMessageOwned::Ipv6HopLimit(n) => {
                    ttl = u8::try_from(n).ok();
                }
                ControlMessageOwned::Ipv4PacketInfo(info) => interface = u32::try_from(info.ipi_ifindex).ok(),
                ControlMessageOwned::Ipv6PacketInfo(info) => interface = Some(info.ipi6_ifindex),
                ControlMessageOwned::UdpGroSegments(size) => each = usize::try_from(size).unwrap_or(each),
                _ => {}
            }
        }
        Ok(Received { len: got.bytes, each, peer, ttl, interface })
    }

    fn addr(from: SockaddrStorage) -> Option<SocketAddr> {
        if let Some(v4) = from.as_sockaddr_in() {
            return Some(SocketAddrV4::from(*v4).into());
        }
        from.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into())
    }

    pub(in crate::datagram) fn send(socket: &UdpSocket, run: &Run) -> io::Result<usize> {
        if run.count() == 1 && run.ttl.is_none() && run.interface.is_none() {
            // Inside `try_io` already, so straight to the system.
            return socket2::SockRef::from(socket).send_to(&run.first, &run.peer.into());
        }
        let hops = libc::c_int::from(run.ttl.unwrap_or(0));
        let index = run.interface.unwrap_or(0);
        let info4 = libc::in_pktinfo {
            ipi_ifindex: libc::c_int::try_from(index).unwrap_or(0),
            ipi_spec_dst: libc::in_addr { s_addr: 0 },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let info6 = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: [0; 16] }, ipi6_ifindex: index };
        let size = u16::try_from(run.first.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut messages = Vec::with_capacity(3);
        if run.ttl.is_some() {
            messages.push(match run.peer {
                SocketAddr::V4(_) => ControlMessage::Ipv4Ttl(&hops),
                SocketAddr::V6(_) => ControlMessage::Ipv6HopLimit(&hops),
            });
        }
        if run.interface.is_some() {
            messages.push(match run.peer {
                SocketAddr::V4(_) => ControlMessage::Ipv4PacketInfo(&info4),
                SocketAddr::V6(_) => ControlMessage::Ipv6PacketInfo(&info6),
            });
        }
        if run.count() > 1 {
            messages.push(ControlMessage::UdpGsoSegments(&size));
        }
        let to = SockaddrStorage::from(run.peer);
        let mut parts = [IoSlice::new(&[]); LONGEST];
        let all = std::iter::once(&run.first).chain(&run.more);
        let count = parts.iter_mut().zip(all).map(|(part, data)| *part = IoSlice::new(data)).count();
        let parts = parts.get(..count).unwrap_or_default();
        Ok(sendmsg(socket.as_raw_fd(), parts, &messages, MsgFlags::empty(), Some(&to))?)
    }
}

/// Elsewhere hop limits and interfaces of what comes in are unknown, those of what goes to a group are set for the whole
/// socket before each, and datagrams are sent one by one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use crate::datagram::outbox::Run;
    use crate::datagram::{Received, Scratch};
    use std::io;
    use std::net::SocketAddr;
    use tokio::net::UdpSocket;

    pub(in crate::datagram) const RUNS: bool = false;

    pub(in crate::datagram) fn enable(_: &socket2::Socket, _: SocketAddr) {}

    pub(in crate::datagram) fn are_runs_refused(_: &io::Error) -> bool {
        true
    }

    pub(in crate::datagram) fn receive(socket: &UdpSocket, scratch: &mut Scratch) -> io::Result<Received> {
        let (len, peer) = socket.try_recv_from(&mut scratch.payload)?;
        Ok(Received { len, each: len, peer, ttl: None, interface: None })
    }

    pub(in crate::datagram) fn send(socket: &UdpSocket, run: &Run) -> io::Result<usize> {
        let raw = socket2::SockRef::from(socket);
        if let SocketAddr::V4(peer) = run.peer
            && peer.ip().is_multicast()
        {
            if let Some(index) = run.interface {
                // The number of an interface in place of its address (RFC 1724, section 3.3).
                raw.set_multicast_if_v4(&index.into())?;
            }
            run.ttl.map_or(Ok(()), |ttl| raw.set_multicast_ttl_v4(ttl.into()))?;
        }
        if let SocketAddr::V6(peer) = run.peer
            && peer.ip().is_multicast()
        {
            run.interface.map_or(Ok(()), |index| raw.set_multicast_if_v6(index))?;
            run.ttl.map_or(Ok(()), |ttl| raw.set_multicast_hops_v6(ttl.into()))?;
        }
        raw.send_to(&run.first, &run.peer.into())
    }
}
