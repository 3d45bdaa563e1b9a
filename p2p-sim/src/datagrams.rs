//! Datagrams: sockets, what is lost and doubled on the way, and multicast groups.

use crate::node::{NO_LAN, NodeIx, Socket};
use crate::sim::{Happening, Sim};
use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};
use p2p_core::{Datagram, Duration, Group, Input, Instant, Machine, SocketId};

/// The hop limit that systems give to datagrams, less a few hops.
const TTL: u8 = 64;

impl<M: Machine> Sim<M> {
    pub(crate) fn bind(&mut self, node: u32, id: SocketId, at: SocketAddr) {
        let ports: Vec<u16> = self.nodes[node as usize].sockets.iter().map(|socket| socket.port).collect();
        let bound = self.local_port(node, at, |port| ports.contains(&port)).map(|(port, local)| {
            self.nodes[node as usize].sockets.push(Socket { id, port, local, ttl: 1, looped: true });
            SocketAddr::new(at.ip(), port)
        });
        self.answer(node, Duration::ZERO, Input::Bound(id, bound));
    }

    pub(crate) fn unbind(&mut self, node: u32, id: SocketId) {
        self.nodes[node as usize].sockets.retain(|socket| socket.id != id);
        self.groups.values_mut().for_each(|members| members.retain(|member| *member != (node, id)));
    }

    pub(crate) fn join_group(&mut self, node: u32, id: SocketId, group: Group) {
        let sockets = &mut self.nodes[node as usize].sockets;
        let Some(socket) = sockets.iter_mut().find(|socket| socket.id == id) else { return };
        socket.looped = group.looped;
        if let Some(ttl) = group.ttl {
            socket.ttl = ttl;
        }
        let members = self.groups.entry(group.addr).or_default();
        if !members.contains(&(node, id)) {
            members.push((node, id));
        }
    }

    pub(crate) fn leave_group(&mut self, node: u32, id: SocketId, group: IpAddr) {
        if let Some(members) = self.groups.get_mut(&group) {
            members.retain(|member| *member != (node, id));
            if members.is_empty() {
                self.groups.remove(&group);
            }
        }
    }

    pub(crate) fn send_datagram(&mut self, node: u32, id: SocketId, datagram: Datagram) {
        let sockets = &self.nodes[node as usize].sockets;
        let Some(socket) = sockets.iter().find(|socket| socket.id == id).copied() else { return };
        let Datagram { peer, data, ttl, .. } = datagram;
        let bytes = data.len();
        if bytes > self.options.mtu {
            self.traffic.dropped += 1;
            return;
        }
        let ip = peer.ip();
        let group = ip.is_multicast();
        let to = if ip.is_loopback() { Some(NodeIx::new(node)) } else { self.node_at(ip) };
        if group {
            self.traffic.multicast.sent(bytes);
        } else {
            self.traffic.datagrams.sent(bytes);
        }
        self.nodes[node as usize].sent += bytes as u64;
        let Some(at) = self.leaves_at(node, to, bytes) else {
            self.traffic.dropped += 1;
            return;
        };
        if group {
            return self.send_to_group(node, socket, peer, ttl.unwrap_or(socket.ttl), &data, at);
        }
        match to {
            Some(to) => {
                self.launch((node, socket.port), (to.raw(), peer.port()), false, ttl.unwrap_or(TTL), data, at)
            }
            None => self.traffic.lost += 1,
        }
    }

    /// When a datagram has left a node; `None` if too many wait.
    fn leaves_at(&mut self, node: u32, to: Option<NodeIx>, bytes: usize) -> Option<Instant> {
        if to.is_some_and(|to| to.raw() == node) {
            return Some(self.now);
        }
        match self.pipes.get_mut(self.nodes[node as usize].pipe as usize) {
            Some(pipe) => pipe.datagram_out(bytes, self.options.datagram_queue, self.now),
            None => Some(self.now),
        }
    }

    fn launch(
        &mut self,
        from: (u32, u16),
        to: (u32, u16),
        to_group: bool,
        ttl: u8,
        data: Bytes,
        at: Instant,
    ) {
        if self.world.duplicates() {
            self.launch_one(from, to, to_group, ttl, data.clone(), at);
        }
        // Not a clone of it: buffers that nobody shares are cheaper.
        self.launch_one(from, to, to_group, ttl, data, at);
    }

    fn launch_one(
        &mut self,
        (from, from_port): (u32, u16),
        (to, to_port): (u32, u16),
        to_group: bool,
        ttl: u8,
        data: Bytes,
        at: Instant,
    ) {
        match self.world.datagram(from, to, to_group, data.len(), at) {
            Some(delay) => {
                let what = Happening::Datagram { to, from, to_port, from_port, ttl, received: false, data };
                self.push_at(at + delay, what);
            }
            None => self.traffic.lost += 1,
        }
    }

    fn send_to_group(
        &mut self,
        node: u32,
        socket: Socket,
        peer: SocketAddr,
        ttl: u8,
        data: &Bytes,
        at: Instant,
    ) {
        let Some(members) = self.groups.get(&peer.ip()) else { return };
        let lan = self.nodes[node as usize].lan;
        let everywhere = self.options.multicast_everywhere || ttl > 1;
        let mut heirs = Vec::new();
        for (member, id) in members {
            let place = &self.nodes[*member as usize];
            let listens = place
                .sockets
                .iter()
                .any(|other| other.id == *id && other.port == peer.port() && !other.local);
            let same_lan = *member == node || (lan != NO_LAN && place.lan == lan);
            let reached = match *member == node {
                true => socket.looped,
                false => ttl > 0 && (everywhere || same_lan),
            };
            if listens && reached {
                // Routers count a hop, and there is none within a LAN.
                heirs.push((*member, if same_lan { ttl } else { ttl.saturating_sub(1) }));
            }
        }
        for (member, ttl) in heirs {
            self.launch((node, socket.port), (member, peer.port()), true, ttl, data.clone(), at);
        }
    }

    #[allow(clippy::too_many_arguments)]
    pub(crate) fn datagram_came(
        &mut self,
        to: u32,
        from: u32,
        to_port: u16,
        from_port: u16,
        ttl: u8,
        received: bool,
        data: Bytes,
    ) {
        let place = &self.nodes[to as usize];
        let socket = place.sockets.iter().find(|socket| socket.port == to_port).copied();
        let Some(socket) = socket.filter(|socket| place.alive && (!socket.local || from == to)) else {
            self.traffic.unheard += 1;
            return;
        };
        if self.world.apart(from, to) {
            self.traffic.lost += 1;
            return;
        }
        if !received
            && from != to
            && let Some(pipe) = self.pipes.get_mut(place.pipe as usize)
        {
            match pipe.datagram_in(data.len(), self.options.datagram_queue, self.now) {
                None => {
                    self.traffic.dropped += 1;
                    return;
                }
                Some(done) if done > self.now => {
                    let received = true;
                    let what = Happening::Datagram { to, from, to_port, from_port, ttl, received, data };
                    return self.push_at(done, what);
                }
                Some(_) => {}
            }
        }
        self.nodes[to as usize].received += data.len() as u64;
        self.traffic.datagrams.delivered(data.len());
        let peer = SocketAddr::new(self.nodes[from as usize].addr, from_port);
        let datagram = Datagram { peer, data, ttl: Some(ttl), interface: None };
        self.give(to, Input::Datagram(socket.id, datagram));
    }
}
