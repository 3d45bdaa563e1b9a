//! A member in its LAN: it enters and leaves it, and tells the others of itself.

mod group;
mod roles;

use super::{Context, Esm, State};
use crate::api::Timer;
use crate::group::GroupKey;
use crate::lan::Island;
use crate::lan::beacon::{Beacon, Sends};
use crate::lan::stripe::Step;
use crate::member::questions::Purpose;
use crate::wire::Ask;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
pub(super) use group::cast;
use p2p_core::{Datagram, Duration, Instant, IoError, SocketId};

/// Others answer a new host within so long, each at another moment.
const WELCOME: Duration = Duration::from_millis(40);

/// Never farther than the LAN, and never by an interface that the system chooses.
const fn to_group(island: &Island, data: Bytes) -> Datagram {
    Datagram { peer: island.group, data, ttl: Some(1), interface: island.lan.interface }
}

impl Esm {
    /// The stream is known: the others in the LAN are looked for.
    pub(super) fn enter_lan(&mut self, group: GroupKey, cx: &mut Context<'_>) {
        let Some(lan) = self.config.lan else { return };
        self.exit_lan(cx);
        let now = cx.now();
        let is_ipv6 = self.config.listen.is_ipv6();
        self.lan = Some(Island::new(lan, group, is_ipv6, now, |at| cx.bind(at)));
    }

    pub(super) fn exit_lan(&mut self, cx: &mut Context<'_>) {
        if let Some(island) = self.lan.take() {
            if island.is_joined {
                cx.leave_group(island.socket, island.membership());
            }
            cx.unbind(island.socket);
            cx.clear_timer(Timer::Lan);
        }
    }

    pub(super) fn lan_bound(
        &mut self,
        socket: SocketId,
        bound: Result<SocketAddr, IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(island) = self.lan.as_mut().filter(|island| island.socket == socket) else { return };
        if bound.is_err() {
            // Without a group it is as if nobody were there.
            self.lan = None;
            cx.clear_timer(Timer::Lan);
            self.seek_all(cx);
            return;
        }
        island.is_joined = true;
        cx.join_group(socket, island.membership());
        cx.set_timer(Timer::Lan, Duration::ZERO);
    }

    pub(super) fn lan_tick(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(island) = self.lan.as_mut().filter(|island| island.is_joined) else { return };
        island.peers.tidy(now);
        let changed = island.listen(now);
        let steps = self.steps(now);
        let is_news = changed || steps.iter().any(|(_, step)| step.0 != Step::Stay);
        for (tree, (step, see)) in steps {
            self.step(tree, step, &see, cx);
        }
        self.joined(cx);
        let Some(tag) = self.tag() else { return };
        let Some(island) = &mut self.lan else { return };
        if is_news {
            island.tell(now);
        }
        if island.is_due(now) {
            island.beaconed(now, cx.rng());
            self.send_beacon(tag, cx);
        }
        if let Some(island) = &self.lan {
            let due = island.pace(now);
            cx.set_timer(Timer::Lan, due);
        }
    }

    fn beacon(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        let (me, now) = (self.me, cx.now());
        let Some(tag) = self.tag() else { return };
        let Some(island) = &mut self.lan else { return };
        let Ok(beacon) = Beacon::decode(&datagram.data, tag) else {
            self.counts.bad += 1;
            return;
        };
        if beacon.from == me {
            island.me_at = Some(datagram.peer);
            return;
        }
        let live = if let State::Live(live) = &self.state { Some(live) } else { None };
        let claims: Vec<_> = live.map_or_else(Vec::new, |live| {
            let trees = live.trees.len();
            let known = beacon.sends.iter().filter(|sends| usize::from(sends.tree) < trees);
            known.map(|sends| (sends.tree, live.playout.number(sends.newest))).collect()
        });
        let sends = !claims.is_empty();
        let peer = datagram.peer;
        if island.peers.note(&beacon, peer, claims, me, now) {
            island.hasten(now, WELCOME, cx.rng());
            let due = island.pace(now);
            cx.set_timer(Timer::Lan, due);
        }
        // Who sends is asked for what is lost, and for that one needs its token.
        let is_mutual = island.peers.is_at(peer, now);
        if sends && is_mutual && live.is_some_and(|live| live.source.is_none()) {
            self.view.note(beacon.from, peer, now);
            let has_token = self.view.get(peer).is_some_and(|known| known.token != 0);
            if !has_token && !self.questions.any(|question| question.to == peer) {
                self.ask(peer, Ask::Probe, Purpose::Probe, cx);
            }
        }
    }

    fn send_beacon(&mut self, tag: [u8; 4], cx: &mut Context<'_>) {
        let now = cx.now();
        let (Some(socket), Some(island)) = (self.socket, &mut self.lan) else { return };
        let live = if let State::Live(live) = &self.state { Some(live) } else { None };
        let is_source = live.is_some_and(|live| live.source.is_some());
        let is_leaving = live.is_some_and(|live| live.leaving.is_some()) && !is_source;
        let willing = island.is_willing() && !is_leaving;
        let sends = live.filter(|_| willing && island.lan.uplink > 0).map_or_else(Vec::new, |live| {
            let claims = island.stripes.iter().zip(&live.trees).zip(0_u8..);
            let claims = claims.filter_map(|((stripe, at), tree)| {
                let has_parent = at.parent.as_ref().is_some_and(|parent| !parent.rests && !parent.doubted);
                if !(is_source || stripe.is_own && has_parent) {
                    return None;
                }
                // Before the first symbol it says so only if nobody else feeds this tree.
                let begins = (!stripe.is_fed(now)).then(|| live.playout.heard().saturating_sub(1));
                // The low 32 bits are what the wire has.
                stripe.mine.or(begins).map(|newest| Sends { tree, newest: newest as u32 })
            });
            claims.collect()
        });
        let uplink = if is_source { u32::MAX } else { island.lan.uplink };
        let beacon = Beacon { from: self.me, uplink, willing, sends, heard: island.peers.heard(now) };
        let wire = beacon.encode(tag);
        self.counts.beacons += 1;
        cx.send_datagram(socket, to_group(island, wire));
    }

    /// Another parent: what we say that we send may be other trees now.
    pub(super) fn tell_lan(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        if let Some(island) = self.lan.as_mut().filter(|island| island.is_joined) {
            island.tell(now);
            let due = island.pace(now);
            cx.set_timer(Timer::Lan, due);
        }
    }

    /// Which trees it sends to the group of its LAN.
    pub fn forwards(&self) -> impl Iterator<Item = bool> {
        self.lan.iter().flat_map(|lan| &lan.stripes).map(|stripe| stripe.is_active && stripe.is_own)
    }

    /// The hosts of its LAN that it hears and that hear it.
    pub fn neighbours(&self, now: Instant) -> impl Iterator<Item = SocketAddr> {
        let peers = self.lan.iter().flat_map(|lan| lan.peers.iter());
        peers.filter(move |peer| peer.is_mutual(now)).map(|peer| peer.addr)
    }
}
