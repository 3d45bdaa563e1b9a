//! What there is of a file (`msg/head_ping`, LIME/23 and LIME/24): asked by UDP or by a neighbour, and for a leaf by way of its
//! ultrapeer, which hands the question on once and the answer back once. This servent asks for its downloads, by UDP.

use super::Servent;
use super::hits::VENDOR;
use super::hosts::is_sane;
use super::links::LinkId;
use crate::wire::vendor::{HeadCode, HeadPing, HeadPong, HeadReport, MessageType, Vendor};
use crate::wire::{Header, Message, VendorCode, VendorMessage};
use crate::{Guid, Urn};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::net::SocketAddr;
use p2p_core::hash::Sha1Hash;
use p2p_core::{Cx, Duration, Instant};

/// Both versions of the question.
pub(super) const ASKED: [MessageType; 2] =
    [MessageType::new(VendorCode::LIME, 23, 1), MessageType::new(VendorCode::LIME, 23, 2)];

/// Others who have a file that are told.
const ALTERNATES: usize = 10;
/// How long a leaf may take to answer.
const LIFE: Duration = Duration::from_secs(30);
/// The longest answer of a leaf that is handed on: whoever asked by UDP may be another.
const PONG_MAX: usize = 512;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    ByUdp(SocketAddr),
    Link(LinkId),
}

/// A question of this servent.
#[derive(Debug)]
struct OwnHead {
    since: Instant,
    guid: Guid,
    to: SocketAddr,
    sha1: Sha1Hash,
    leaf: Option<Guid>,
}

/// Questions that were handed on to leaves, and those of this servent.
#[derive(Debug)]
pub(super) struct Heads {
    cap: usize,
    asked: VecDeque<(Instant, Guid, LinkId, Asker)>,
    own: VecDeque<OwnHead>,
}

impl Heads {
    /// As many at once as `cap`.
    pub(super) const fn new(cap: usize) -> Self {
        Self { cap, asked: VecDeque::new(), own: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.asked.len() + self.own.len()
    }

    /// Keeps in mind what this servent asks; the oldest questions are as good as answered.
    fn keep_own(&mut self, own: OwnHead) {
        while self.own.len() >= self.cap.max(1)
            || self.own.front().is_some_and(|old| own.since.since(old.since) >= LIFE)
        {
            self.own.pop_front();
        }
        self.own.push_back(own);
    }

    /// What of this servent's an answer is to, once, and only of who was asked.
    fn take_own(&mut self, now: Instant, guid: Guid, peer: SocketAddr) -> Option<OwnHead> {
        let at = self.own.iter().position(|own| own.guid == guid && own.to == peer)?;
        self.own.remove(at).filter(|own| now.since(own.since) < LIFE)
    }

    /// Keeps in mind who asked; false if it was asked already, or there are too many.
    fn keep(&mut self, now: Instant, guid: Guid, leaf: LinkId, asker: Asker) -> bool {
        while self.asked.front().is_some_and(|(since, ..)| now.since(*since) >= LIFE) {
            self.asked.pop_front();
        }
        let fits = self.asked.len() < self.cap && !self.asked.iter().any(|(_, of, ..)| *of == guid);
        if fits {
            self.asked.push_back((now, guid, leaf, asker));
        }
        fits
    }

    /// Who asked what this leaf answers, once.
    fn take(&mut self, now: Instant, guid: Guid, leaf: LinkId) -> Option<Asker> {
        let at = self.asked.iter().position(|(_, of, by, _)| *of == guid && *by == leaf)?;
        let (since, .., asker) = self.asked.remove(at)?;
        (now.since(since) < LIFE).then_some(asker)
    }
}

impl Servent {
    /// The leaf that a question is for, if it is for one of this ultrapeer's; `None` of one that is for this servent.
    fn head_target(&self, ping: &HeadPing) -> Result<Option<LinkId>, ()> {
        let Some(leaf) = ping.leaf().filter(|leaf| *leaf != self.guid) else { return Ok(None) };
        self.way_to(&leaf).filter(|id| self.links.is_leaf(*id)).map(Some).ok_or(())
    }

    /// A question by UDP. Whoever asks may be another, so few are answered.
    pub(super) fn head_by_datagram(
        &mut self,
        peer: SocketAddr,
        guid: Guid,
        ping: &HeadPing,
        cx: &mut Cx<'_, Self>,
    ) {
        let Ok(target) = self.head_target(ping) else {
            self.counts.datagrams_dropped += 1;
            return;
        };
        if !self.may_answer(peer, cx) {
            return;
        }
        match target {
            Some(leaf) => self.hand_on(leaf, guid, ping, Asker::ByUdp(peer), cx),
            None => {
                let pong = VendorMessage::HeadPong(self.head_pong(ping));
                self.answer_by_udp(peer, guid, &pong, cx);
            }
        }
    }

    /// A question of a neighbour.
    pub(super) fn head_by_link(&mut self, id: LinkId, guid: Guid, ping: &HeadPing, cx: &mut Cx<'_, Self>) {
        // Each costs a look at what is shared: as many as it may send queries.
        let now = cx.now();
        if !self.links.get_mut(id).is_some_and(|link| link.queries.take(now, 1)) {
            return;
        }
        match self.head_target(ping) {
            Ok(Some(leaf)) if leaf != id => self.hand_on(leaf, guid, ping, Asker::Link(id), cx),
            Ok(None) => {
                let pong = Message::Vendor(VendorMessage::HeadPong(self.head_pong(ping)).to_vendor());
                self.send(id, &Header::neighbour(guid, pong.kind()), &pong.to_bytes());
            }
            _ => {}
        }
    }

    fn hand_on(&mut self, leaf: LinkId, guid: Guid, ping: &HeadPing, asker: Asker, cx: &mut Cx<'_, Self>) {
        if self.heads.keep(cx.now(), guid, leaf, asker) {
            let message = Message::Vendor(VendorMessage::HeadPing(ping.clone()).to_vendor());
            self.send(leaf, &Header::neighbour(guid, message.kind()), &message.to_bytes());
        }
    }

    /// An answer of a neighbour: of a leaf that was asked for somebody.
    pub(super) fn head_answered(&mut self, id: LinkId, guid: Guid, pong: &Vendor, cx: &mut Cx<'_, Self>) {
        let Some(asker) = self.heads.take(cx.now(), guid, id).filter(|_| pong.body.len() <= PONG_MAX) else {
            self.counts.astray += 1;
            return;
        };
        let message = Message::Vendor(pong.clone());
        let header = Header::neighbour(guid, message.kind());
        match asker {
            Asker::ByUdp(peer) => self.send_by_udp(peer, header, &message, cx),
            Asker::Link(to) => self.send(to, &header, &message.to_bytes()),
        }
    }

    /// Asks by UDP what there is of a file that is fetched.
    pub(super) fn ask_head(
        &mut self,
        sha1: Sha1Hash,
        to: SocketAddr,
        leaf: Option<Guid>,
        cx: &mut Cx<'_, Self>,
    ) {
        let (now, families) = (cx.now(), self.families());
        let reaches = self.listening.is_some_and(|at| at.is_ipv6() || to.is_ipv4()) && families.has(to.ip());
        if self.socket.is_none() || !is_sane(to) || !reaches || !self.datagrams.take(now, 1) {
            return;
        }
        let guid = Guid::of_message(cx.rng());
        let ping = HeadPing::new(&Urn::Sha1(sha1), HeadPing::ALTERNATES).wanting(families);
        let ping = match leaf {
            Some(leaf) => ping.through(leaf),
            None => ping,
        };
        self.heads.keep_own(OwnHead { since: now, guid, to, sha1, leaf });
        self.answer_by_udp(to, guid, &VendorMessage::HeadPing(ping), cx);
    }

    /// An answer by UDP: to a question of this servent, by its name, which only who was asked has heard.
    pub(super) fn head_told(&mut self, peer: SocketAddr, guid: Guid, pong: &HeadPong, cx: &mut Cx<'_, Self>) {
        let own = self.heads.take_own(cx.now(), guid, peer);
        let Some((own, report)) = own.and_then(|own| Some((own, pong.report()?))) else {
            self.counts.datagrams_dropped += 1;
            return;
        };
        self.with_transfers(cx, |transfers, cx| {
            transfers.head_told(&own.sha1, peer, own.leaf, &report, cx);
        });
    }

    /// What there is of a file. An answer of version 1 has none of the lists that may be asked for.
    fn head_pong(&self, asked: &HeadPing) -> HeadPong {
        let sha1 = asked.urn().and_then(|urn| urn.sha1());
        let file = sha1.and_then(|sha1| self.transfers.library().by_sha1(&sha1));
        let reached = if self.is_firewalled() { 4 } else { 0 };
        let code = HeadCode(file.map_or(HeadCode::NOT_FOUND, |_| HeadCode::COMPLETE).0 | reached);
        let queue = i8::from(self.transfers.is_busy());
        if asked.version < 2 {
            let mut rest = BytesMut::new();
            if file.is_some() {
                rest.extend_from_slice(&VENDOR.0);
                rest.extend_from_slice(&queue.to_le_bytes());
            }
            return HeadPong::V1 { flags: 0, code: code.0, rest: rest.freeze() };
        }
        let wanted = asked.flags & HeadPing::ALTERNATES != 0;
        let families = asked.extensions().families();
        let alternates = sha1
            .filter(|_| wanted)
            .map_or_else(Vec::new, |sha1| self.transfers.alternates(&sha1, ALTERNATES))
            .into_iter()
            .filter(|addr| families.has(addr.ip()))
            .collect();
        HeadPong::new(&HeadReport { code, vendor: Some(VENDOR), queue: Some(queue), alternates })
    }
}
