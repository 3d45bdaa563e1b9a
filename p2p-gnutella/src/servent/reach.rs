//! Whether others reach this servent (`msg/connect_back`): [`Reached`]. Neighbours are asked to dial it and to ping it; who
//! is asked in turn does so for the address at the other end of the link and for no other.

use super::door::Visitor;
use super::links::LinkId;
use super::{Event, Mode, Servent, Timer};
use crate::Guid;
use crate::handshake::Role;
use crate::wire::vendor::{MessageType, SupportedMessages};
use crate::wire::{Header, Kind, Message, Ping, VendorCode, VendorMessage};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Cx, Duration, Instant, Rng};

/// Asks to be dialled.
pub(super) const DIAL_BACK: MessageType = MessageType::new(VendorCode::BEAR, 7, 1);
/// Asks to be pinged, with the GUID of the ping behind the port, or as the message's own.
pub(super) const PING_BACK: [MessageType; 2] =
    [MessageType::new(VendorCode::GTKG, 7, 1), MessageType::new(VendorCode::GTKG, 7, 2)];

/// How long whoever was asked is given.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it stays so that nobody could.
const ASKED_AGAIN: Duration = Duration::from_secs(1_800);
/// Neighbours that are asked: some of them cannot either.
const ASKED: u8 = 4;
/// All that is said to who asked to be dialled.
const KNOCK: &[u8] = b"\n\n";

/// What is known of whether others reach this servent.
#[derive(Debug)]
pub(super) struct Reached {
    /// Whether somebody dialled it and said something that makes sense; `None` as long as nobody had to.
    pub(super) tcp: Option<bool>,
    /// Whether somebody sent it a datagram that was asked for of another port, or not at all.
    pub(super) udp: Option<bool>,
    /// What pings are called that were asked for.
    pings: Guid,
    asked: u8,
    since: Option<Instant>,
    /// What the application was told last.
    told: (Option<bool>, Option<bool>),
}

impl Reached {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { tcp: None, udp: None, pings: Guid::of_message(rng), asked: 0, since: None, told: (None, None) }
    }

    /// Whether a ping is one that was asked for.
    pub(super) fn is_asked(&self, guid: &Guid) -> bool {
        *guid == self.pings
    }
}

impl Servent {
    /// A neighbour told which types it understands: it may be asked.
    pub(super) fn ask_back(&mut self, id: LinkId, types: &SupportedMessages, cx: &mut Cx<'_, Self>) {
        let is_known =
            self.reached.tcp == Some(true) && (self.reached.udp == Some(true) || self.socket.is_none());
        if is_known || self.config.fixed || self.config.mode == Mode::Flat || self.reached.asked >= ASKED {
            return;
        }
        let Some(port) = self.listening.map(|at| at.port()) else { return };
        if self.links.get(id).is_none_or(|link| link.peer_role != Role::Ultrapeer) {
            return;
        }
        let mut asks = Vec::new();
        if self.reached.tcp != Some(true) && types.has(DIAL_BACK) {
            asks.push((Guid::ZERO, VendorMessage::TcpConnectBack(port)));
        }
        if self.reached.udp != Some(true) && self.socket.is_some() {
            let [long, short] = PING_BACK.map(|of| types.has(of));
            let guid = self.reached.pings;
            if short {
                asks.push((guid, VendorMessage::UdpConnectBack(port, None)));
            } else if long {
                asks.push((Guid::ZERO, VendorMessage::UdpConnectBack(port, Some(guid))));
            }
        }
        if asks.is_empty() {
            return;
        }
        self.reached.asked += 1;
        self.reached.since.get_or_insert_with(|| cx.now());
        self.tend_by(cx.now() + PATIENCE, cx);
        for (guid, ask) in asks {
            let message = Message::Vendor(ask.to_vendor());
            self.send(id, &Header::neighbour(guid, message.kind()), &message.to_bytes());
        }
    }

    /// Somebody dialled this servent, whoever and whatever for.
    pub(super) fn was_reached_by_tcp(&mut self, cx: &mut Cx<'_, Self>) {
        self.reached.tcp = Some(true);
        self.tell_reached(cx);
    }

    /// A ping came that was asked for.
    pub(super) fn was_reached_by_udp(&mut self, cx: &mut Cx<'_, Self>) {
        self.reached.udp = Some(true);
        self.tell_reached(cx);
    }

    /// Looks from time to time whether those who were asked had long enough.
    pub(super) fn tend_reached(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(since) = self.reached.since else { return };
        let waited = cx.now().since(since);
        if waited >= PATIENCE {
            self.reached.tcp.get_or_insert(false);
            if self.socket.is_some() {
                self.reached.udp.get_or_insert(false);
            }
            self.tell_reached(cx);
        }
        if waited >= ASKED_AGAIN {
            // New neighbours are asked; what is known stays until they have answered.
            self.reached.asked = 0;
            self.reached.since = None;
        }
    }

    fn tell_reached(&mut self, cx: &mut Cx<'_, Self>) {
        let is = (self.reached.tcp, self.reached.udp);
        if core::mem::replace(&mut self.reached.told, is) != is {
            cx.tell(Event::Reached { tcp: is.0, udp: is.1 });
            self.ask_push_proxies();
        }
    }

    /// A neighbour asks to be dialled: at its own address.
    pub(super) fn dial_back(&mut self, id: LinkId, port: u16, cx: &mut Cx<'_, Self>) {
        let Some(to) = self.back_to(id, port, cx) else { return };
        let conn = cx.connect(to);
        self.visitors.insert(conn, Visitor::Knocking(to));
        cx.set_timer(Timer::Door(conn), self.config.limits.greeting);
    }

    /// What is said to it.
    pub(super) fn knock(&mut self, conn: p2p_core::ConnId, cx: &mut Cx<'_, Self>) {
        self.visitors.remove(&conn);
        cx.clear_timer(Timer::Door(conn));
        cx.send(conn, Bytes::from_static(KNOCK));
        cx.close(conn);
    }

    /// A neighbour asks to be pinged: at its own address.
    pub(super) fn ping_back(&mut self, id: LinkId, port: u16, guid: Guid, cx: &mut Cx<'_, Self>) {
        let Some(to) = self.back_to(id, port, cx) else { return };
        let header = Header { guid, kind: Kind::PING, ttl: 1, hops: 0 };
        self.send_by_udp(to, header, &Message::Ping(Ping { extensions: Bytes::new() }), cx);
    }

    fn back_to(&mut self, id: LinkId, port: u16, cx: &mut Cx<'_, Self>) -> Option<SocketAddr> {
        let ip = self.links.get(id)?.addr.ip();
        let may = port != 0 && !self.stopping && self.calls.take(cx.now(), 60);
        may.then_some(SocketAddr::new(ip, port))
    }
}
