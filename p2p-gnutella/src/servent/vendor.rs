//! Vendor messages of links, and what is said on a new link.

use super::heads::ASKED;
use super::links::LinkId;
use super::proxied::VETO;
use super::reach::{DIAL_BACK, PING_BACK};
use super::{Mode, Servent};
use crate::handshake::Role;
use crate::wire::vendor::{Feature, Features, MessageType, SupportedMessages, Vendor};
use crate::wire::{Header, Message, VendorCode, VendorMessage};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::Cx;

/// The types that are understood.
const SUPPORTED: [MessageType; 13] = [
    MessageType::new(VendorCode::BEAR, 4, 1),
    MessageType::new(VendorCode::BEAR, 11, 1),
    MessageType::new(VendorCode::BEAR, 12, 1),
    MessageType::new(VendorCode::LIME, 21, 1),
    MessageType::new(VendorCode::LIME, 21, 2),
    DIAL_BACK,
    PING_BACK[0],
    PING_BACK[1],
    MessageType::new(VendorCode::LIME, 11, 3),
    MessageType::new(VendorCode::LIME, 12, 3),
    VETO,
    ASKED[0],
    ASKED[1],
];

/// Patches of tables with a bit for each slot are understood.
const BIT_PATCHES: &[u8; 4] = b"QRP1";
/// The newest files are told.
const WHATS_NEW: &[u8; 4] = b"WHAT";

impl Servent {
    /// Says what is said first: the table, types and features, a ping for addresses.
    pub(super) fn greet_link(&mut self, id: LinkId, cx: &mut Cx<'_, Self>) {
        if self.config.mode == Mode::Flat {
            return;
        }
        let Some(link) = self.links.get(id) else { return };
        let (vendor, plain, tables, peer) =
            (link.speaks_vendor, link.plain, link.takes_tables, link.peer_role);
        let dialled = link.dialled;
        // In the order of gtk-gnutella.
        if tables {
            let table = self.known_table();
            self.tell_table(id, &table);
        }
        let asks = !plain && peer == Role::Ultrapeer;
        if asks && dialled {
            self.ping_for_hosts(id, cx);
        }
        if vendor {
            let types = VendorMessage::Supported(SupportedMessages::new(&SUPPORTED));
            self.say(id, &Message::Vendor(types.to_vendor()));
            let feature = |name: &[u8; 4]| Feature { name: VendorCode(*name), version: 1 };
            let features = VendorMessage::Features(Features::new(&[BIT_PATCHES, WHATS_NEW].map(feature)));
            self.say(id, &Message::Vendor(features.to_vendor()));
        }
        if asks && !dialled {
            self.ping_for_hosts(id, cx);
        }
    }

    /// A vendor message of a neighbour.
    pub(super) fn vendor(&mut self, id: LinkId, header: Header, vendor: &Vendor, cx: &mut Cx<'_, Self>) {
        // They go no farther than to neighbours, whatever their heads say.
        let Ok(said) = vendor.read() else {
            self.counts.malformed += 1;
            return;
        };
        let Some(link) = self.links.get_mut(id) else { return };
        match said {
            VendorMessage::HeadPing(ping) => self.head_by_link(id, header.guid, &ping, cx),
            VendorMessage::HeadPong(_) => self.head_answered(id, header.guid, vendor, cx),
            VendorMessage::Supported(types) if link.peer_role == Role::Ultrapeer => {
                // The newest version of it that is spoken here as there.
                link.push_proxy =
                    (1..=2).rev().find(|v| types.has(MessageType::new(VendorCode::LIME, 21, *v)));
                self.veto(id, &types);
                self.ask_back(id, &types, cx);
                self.ask_push_proxies();
            }
            VendorMessage::TcpConnectBack(port) => self.dial_back(id, port, cx),
            VendorMessage::UdpConnectBack(port, guid) => {
                self.ping_back(id, port, guid.unwrap_or(header.guid), cx);
            }
            VendorMessage::QueryStatusRequest => self.status_asked(id, header.guid),
            VendorMessage::Features(features) => {
                link.whats_new |= features.version(WHATS_NEW).is_some();
                if features.version(BIT_PATCHES).is_some() {
                    link.takes_bits();
                }
            }
            VendorMessage::OobProxyVeto(version) => link.oob_veto = version.unwrap_or(u8::MAX),
            VendorMessage::HopsFlow(hops) => link.hops_flow = hops,
            VendorMessage::QueryStatus(hits) => {
                // Of a leaf whose query this is: it knows of hits that did not come by here.
                let name = self.proxied.name_of(&header.guid);
                if let Some(dynamic) = self.dynamics.get_mut(&name).filter(|dynamic| dynamic.is_of(id)) {
                    dynamic.told(hits);
                }
            }
            VendorMessage::PushProxyRequest(version) if link.peer_role == Role::Leaf => {
                // Pushes for the leaf that says so come its way from here on. The GUID is its own word: it is that of no
                // other neighbour.
                if self.called(&header.guid).is_some_and(|other| other != id) {
                    return;
                }
                if let Some(link) = self.links.get_mut(id) {
                    link.guid = Some(header.guid);
                }
                let at = self.reached_at();
                let ack = match version {
                    1 => VendorMessage::PushProxyAck(Err(at.port())),
                    _ => VendorMessage::PushProxyAck(Ok(at)),
                };
                let message = Message::Vendor(ack.to_vendor());
                let header = Header { guid: header.guid, ..Header::neighbour(header.guid, message.kind()) };
                self.send(id, &header, &message.to_bytes());
            }
            VendorMessage::PushProxyAck(Ok(at)) if link.listens_at.is_none() => {
                link.listens_at = Some(SocketAddr::V4(at)).filter(|at| at.ip() == link.addr.ip());
            }
            _ => {}
        }
    }

    /// Asks ultrapeers to lead pushes here, whoever they come from: each once, as soon as it is known that nobody dials in.
    pub(super) fn ask_push_proxies(&mut self) {
        if !self.is_firewalled() {
            return;
        }
        let asked: Vec<_> =
            self.links.iter_mut().filter_map(|link| Some((link.id, link.push_proxy.take()?))).collect();
        for (id, version) in asked {
            let message = Message::Vendor(VendorMessage::PushProxyRequest(version).to_vendor());
            // Its GUID says for whom.
            self.send(id, &Header::neighbour(self.guid, message.kind()), &message.to_bytes());
        }
    }
}
