//! Who is connected: dialling, accepting, greeting, dropping and banning peers, and a torrent's regular round.

use super::door::is_overdue;
use super::first_seed::is_had;
use super::{Client, Context, Timer, TorrentKey};
use crate::candidates::PeerSource;
use crate::drop_reason::DropReason;
use crate::event::Event;
use crate::peer::allowed_fast;
use crate::peer::extension::{ExtendedHandshake, HANDSHAKE_ID};
use crate::peer::handshake::{Handshake, Reserved};
use crate::peer::link::Link;
use crate::peer::session::{EXTENSIONS, Peer, Pieces};
use crate::peer::wire::{Decoder, Message, WireLimits};
use crate::torrent::{Phase, Torrent};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::{Bytes, ConnId, Duration, Instant, IoError};

/// How often a torrent with peers keeps house; every second time it chooses whom to choke.
pub(super) const ROUND: Duration = Duration::from_secs(5);
/// After so many rounds all peers are told of all that we gained.
const TELL: u32 = 6;
/// Between asking trackers for peers and asking for more; it doubles each time, up to eleven minutes.
const FIND_MORE: Duration = Duration::from_secs(20);
/// After so many rounds with next to nobody who gives, a leech looks for other peers.
const HUNGRY: u8 = 4;
/// A peer that had to go because it only choked us is not dialled again for so long.
const SULK: Duration = Duration::from_secs(1_800);
/// A peer that chokes a hungry leech for so long makes room for another, and one that a full seed served for so long.
const MUTE: Duration = Duration::from_secs(120);
/// So many times a hungry leech asks trackers for others before it does so ever more seldom.
const PERSISTENT: u8 = 16;
/// A keep-alive goes out when nothing else did for this long (BEP 3: "generally sent once every two minutes").
const KEEP_ALIVE: Duration = Duration::from_secs(110);
/// The bit of the fast extension in the last reserved byte (BEP 6).
const FAST_BIT: u8 = 0x04;
/// A peer that broke off may be dialled again after this, and up to as long again.
const REDIAL: Duration = Duration::from_secs(30);

impl Client {
    fn decoder(&self, bitfield_bytes: u32) -> Decoder {
        let limits = &self.config.limits;
        Decoder::new(&WireLimits {
            block: limits.block,
            extended: limits.extended,
            bitfield: bitfield_bytes,
            ..WireLimits::default()
        })
    }

    fn new_peer(
        &mut self,
        conn: ConnId,
        addr: SocketAddr,
        source: PeerSource,
        cx: &Context<'_>,
    ) -> Box<Peer> {
        let key = self.next_peer;
        self.next_peer = self.next_peer.wrapping_add(1);
        Box::new(Peer::new(key, Link::Tcp(conn), addr, source, self.decoder(0), cx.now()))
    }

    /// Dials as many known addresses of a torrent as it has room for.
    pub(super) fn dial(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        if self.stopping.is_some() {
            return;
        }
        loop {
            let limits = &self.config.limits;
            let Some(torrent) = self.torrents.get_mut(&key) else { return };
            if !torrent.is_active()
                || torrent.dialling as usize >= limits.dials_per_torrent
                || torrent.peers.len() + torrent.dialling as usize >= dialled_at_most(torrent, limits)
            {
                return;
            }
            let Some((addr, source)) = torrent.candidates.next(cx.now(), cx.rng()) else { break };
            if self.banned.contains(&addr.ip()) {
                torrent.candidates.forget(addr);
                continue;
            }
            torrent.dialling += 1;
            let conn = cx.connect(addr);
            let mut peer = self.new_peer(conn, addr, source, cx);
            peer.torrent = Some(key);
            self.peers.insert(conn, peer);
        }
        // Someone waits out a back-off: the round looks again.
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.peers.is_empty()
            && torrent.dialling == 0
            && !torrent.timers.round
            && let Some(at) = torrent.candidates.next_due()
            && at > cx.now()
        {
            torrent.timers.round = true;
            cx.set_timer_at(Timer::Round(key), at);
        }
    }

    pub(super) fn dialled(&mut self, conn: ConnId, addr: SocketAddr, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get_mut(&conn) else { return cx.abort(conn) };
        peer.open = true;
        peer.addr = addr;
        peer.last_in = cx.now();
        let key = peer.torrent;
        cx.set_timer(Timer::Greeting(conn), self.config.limits.handshake);
        if let Some(torrent) = key.and_then(|key| self.torrents.get(&key)) {
            let hello = self.hello(torrent);
            cx.send(conn, hello);
        }
    }

    pub(super) fn accepted(&mut self, conn: ConnId, addr: SocketAddr, cx: &mut Context<'_>) {
        if let Some(why) = self.not_accepted(addr, cx) {
            cx.abort(conn);
            return cx.tell(Event::Dropped { info_hash: None, peer: addr, why });
        }
        self.greeting.insert((addr.ip(), conn));
        let mut peer = self.new_peer(conn, addr, PeerSource::Inbound, cx);
        peer.open = true;
        self.peers.insert(conn, peer);
        cx.set_timer(Timer::Greeting(conn), self.config.limits.handshake);
    }

    /// Why a stream from there is not to be had; makes room among those that say nothing if there is none.
    fn not_accepted(&mut self, addr: SocketAddr, cx: &mut Context<'_>) -> Option<DropReason> {
        let limits = &self.config.limits;
        if self.stopping.is_some() {
            return Some(DropReason::Stopping);
        }
        if self.banned.contains(&addr.ip()) {
            return Some(DropReason::BannedAddress);
        }
        let of_address = (addr.ip(), ConnId::from_raw(0))..=(addr.ip(), ConnId::from_raw(u64::MAX));
        if !is_shared(addr) && self.greeting.range(of_address).count() >= limits.greeting_per_address {
            return Some(DropReason::TooManyOfAddress);
        }
        if self.greeting.len() >= limits.unknown_streams {
            // A peer greets within a round trip: who has waited longest is the least likely to be one.
            let oldest = self.greeting.iter().map(|(_, conn)| *conn).min()?;
            self.drop_peer(oldest, DropReason::TooManyGreeting, cx);
        }
        None
    }

    pub(super) fn greeting_late(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if self.peers.get(&conn).is_some_and(|peer| peer.greeting.is_some()) {
            self.drop_peer(conn, DropReason::NoHandshake, cx);
        }
    }

    fn hello(&self, torrent: &Torrent) -> Bytes {
        let mut reserved = Reserved::OURS;
        if !self.config.fast {
            reserved.0[7] &= !FAST_BIT;
        }
        let ours = Handshake { reserved, info_hash: torrent.info_hash(), peer_id: self.id };
        Bytes::copy_from_slice(&ours.encode())
    }

    /// Reads the other's handshake out of `data`; `Ok(true)` once it is whole.
    pub(super) fn greet(
        &mut self,
        conn: ConnId,
        data: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Result<bool, DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(false) };
        let Some(reader) = &mut peer.greeting else { return Ok(true) };
        let Some(theirs) = reader.next(data).map_err(|_| DropReason::NotBitTorrent)? else {
            return Ok(false);
        };
        let source = peer.source;
        let inbound = source == PeerSource::Inbound;
        let Some(&key) = self.by_hash.get(&theirs.info_hash) else { return Err(DropReason::UnknownTorrent) };
        let addr = peer.addr;
        if !inbound && peer.torrent != Some(key) {
            return Err(DropReason::OtherTorrent);
        }
        let Some(torrent) = self.torrents.get_mut(&key) else { return Err(DropReason::UnknownTorrent) };
        if !torrent.is_active() {
            return Err(DropReason::NotActive);
        }
        if theirs.peer_id == self.id {
            torrent.candidates.forget(addr);
            if inbound && let Some(torrent) = self.torrents.get(&key) {
                // So that our other end, which knows the address it dialled, learns it too.
                let hello = self.hello(torrent);
                cx.send(conn, hello);
            }
            return Err(DropReason::Ourselves);
        }
        let twin = torrent.peers.values().any(|other| {
            self.peers
                .get(other)
                .is_some_and(|other| other.id == theirs.peer_id && other.addr.ip() == addr.ip())
        });
        if twin {
            return Err(DropReason::Twin);
        }
        let mut guest = false;
        let useless = match self.place_for(key, addr, source, cx.now()) {
            Err(DropReason::NoRoom) if inbound && self.takes_guest(key) => {
                guest = true;
                None
            }
            Err(DropReason::NoRoom) if inbound => {
                // So that it knows that we are of its swarm, and comes again.
                if let Some(torrent) = self.torrents.get(&key) {
                    let hello = self.hello(torrent);
                    cx.send(conn, hello);
                }
                return Err(DropReason::NoRoom);
            }
            found => found?,
        };
        let Some(torrent) = self.torrents.get_mut(&key) else { return Ok(false) };
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(false) };
        peer.greeting = None;
        peer.guest = guest;
        peer.torrent = Some(key);
        peer.id = theirs.peer_id;
        peer.fast = theirs.reserved.fast() && self.config.fast;
        peer.connected_at = cx.now();
        peer.last_block = cx.now();
        // What follows says all that we have now.
        peer.told = torrent.gained.pieces().len() as u32;
        torrent.peers.insert(peer.key, conn);
        if inbound {
            self.greeting.remove(&(addr.ip(), conn));
        } else {
            torrent.dialling = torrent.dialling.saturating_sub(1);
        }
        cx.clear_timer(Timer::Greeting(conn));
        if let Some(useless) = useless {
            if let Some(choker) = self.torrents.get_mut(&key).and_then(|torrent| torrent.choker.as_mut()) {
                choker.rotated(cx.now());
            }
            self.drop_peer(useless, DropReason::MadeRoom, cx);
        }
        let bitfield_bytes = self.torrents.get(&key).map_or(0, |torrent| torrent.have.len().div_ceil(8));
        let decoder = self.decoder(bitfield_bytes);
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.decoder = decoder;
        }
        self.introduce(conn, key, inbound, theirs.reserved.extended(), cx);
        Ok(true)
    }

    /// Finds a place for a peer: a free one, or that of a peer which does not use its own.
    fn place_for(
        &self,
        key: TorrentKey,
        addr: SocketAddr,
        source: PeerSource,
        now: Instant,
    ) -> Result<Option<ConnId>, DropReason> {
        let limits = &self.config.limits;
        let Some(torrent) = self.torrents.get(&key) else { return Err(DropReason::UnknownTorrent) };
        let peers = || torrent.peers.values().filter_map(|conn| self.peers.get_key_value(conn));
        let neighbours = peers().filter(|(_, peer)| peer.addr.ip() == addr.ip()).count();
        // Whom the application names may well be many on one machine.
        if source != PeerSource::User && !is_shared(addr) && neighbours >= limits.peers_per_address {
            return Err(DropReason::TooManyOfAddress);
        }
        // The places of a hungry one are for those that it dials.
        let hungry = torrent.hungry >= HUNGRY && source == PeerSource::Inbound;
        let awaited = if hungry { torrent.dialling as usize } else { 0 };
        if torrent.peers.len() + awaited < limits.peers_per_torrent {
            return Ok(None);
        }
        let useless = peers().find(|(_, peer)| peer.is_useless(now));
        // A seed's place is had by one after another, as its slots are: who was served makes room.
        let rotates = torrent.is_complete() && torrent.choker.as_ref().is_some_and(|c| c.may_rotate(now));
        let turn = u64::from(torrent.pieces().piece_len());
        let had_its_turn =
            |peer: &Peer| peer.am_choking && peer.uploaded >= turn && now.since(peer.connected_at) >= MUTE;
        let served = || {
            let served = peers().filter(|(_, peer)| rotates && had_its_turn(peer));
            served.min_by_key(|(_, peer)| (peer.connected_at, peer.key))
        };
        useless.or_else(served).map(|(conn, _)| *conn).ok_or(DropReason::NoRoom).map(Some)
    }

    /// What follows the handshakes: what we have, and the extension handshake.
    fn introduce(
        &mut self,
        conn: ConnId,
        key: TorrentKey,
        inbound: bool,
        extended: bool,
        cx: &mut Context<'_>,
    ) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        if inbound {
            let hello = self.hello(torrent);
            cx.send(conn, hello);
        }
        self.need_picker(key, cx);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let shown = match &mut torrent.super_seed {
            Some(seed) if torrent.have.is_full() => {
                let piece = seed.show(peer.key, |_| false, cx.rng());
                peer.shown = piece;
                if peer.fast {
                    crate::peer::wire::encode(&Message::HaveNone, &mut self.out);
                }
                piece.map(Message::Have)
            }
            _ if peer.fast && torrent.have.is_full() => Some(Message::HaveAll),
            _ if torrent.have.count() == 0 => peer.fast.then_some(Message::HaveNone),
            _ => Some(Message::Bitfield(Bytes::copy_from_slice(torrent.have.as_bytes()))),
        };
        if let Some(message) = shown {
            crate::peer::wire::encode(&message, &mut self.out);
        }
        if extended {
            let ours = ExtendedHandshake {
                version: Some(self.config.agent.clone()),
                port: self.listening.map(|at| at.port()),
                reqq: Some(u16::try_from(self.config.limits.requests_in).unwrap_or(u16::MAX)),
                your_ip: Some(peer.addr.ip()),
                upload_only: torrent.have.is_full() && torrent.super_seed.is_none(),
                ..ExtendedHandshake::default()
            };
            let payload = ours.encode(EXTENSIONS);
            crate::peer::wire::encode(&Message::Extended { id: HANDSHAKE_ID, payload }, &mut self.out);
        }
        let free = self.config.allowed_fast;
        if let (true, None, IpAddr::V4(ip), 1..) = (peer.fast, &torrent.super_seed, peer.addr.ip(), free) {
            peer.allowed_out = allowed_fast(&torrent.info_hash(), ip, free, torrent.have.len());
            for &piece in peer.allowed_out.iter().filter(|&&piece| torrent.have.get(piece)) {
                crate::peer::wire::encode(&Message::AllowedFast(piece), &mut self.out);
            }
        }
        if !torrent.timers.round {
            torrent.timers.round = true;
            let phase = cx.rng().phase(ROUND);
            cx.set_timer(Timer::Round(key), phase + Duration::from_secs(1));
        }
        self.send_out(conn, cx);
        self.start_reporting(key, cx);
    }

    /// Sends what was encoded into the shared buffer.
    pub(super) fn send_out(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if self.out.is_empty() {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&conn) {
            if let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get(&key)) {
                peer.tell(torrent.gained.pieces(), &mut self.out);
            }
            peer.last_out = cx.now();
            peer.link.send(self.out.split().freeze(), cx);
        }
        self.out.clear();
    }

    pub(super) fn say(&mut self, conn: ConnId, message: &Message, cx: &mut Context<'_>) {
        crate::peer::wire::encode(message, &mut self.out);
        self.send_out(conn, cx);
    }

    /// A stream ended, or could not be opened.
    pub(super) fn closed(&mut self, conn: ConnId, how: Result<(), IoError>, cx: &mut Context<'_>) {
        let why = match how {
            Ok(()) => DropReason::Closed,
            Err(error) if self.peers.get(&conn).is_some_and(|peer| !peer.open) => {
                DropReason::NotReached(error)
            }
            Err(error) => DropReason::Broken(error),
        };
        self.remove_peer(conn, why, cx);
    }

    /// Ends a peer's stream.
    pub(super) fn drop_peer(&mut self, conn: ConnId, why: DropReason, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get(&conn) else { return };
        if why == DropReason::Ourselves
            && let (Some(key), PeerSource::Tracker | PeerSource::User) = (peer.torrent, peer.source)
            && let Some(torrent) = self.torrents.get_mut(&key)
        {
            torrent.candidates.forget(peer.addr);
        }
        // What waits may be blocks it asked for; they are of no use to it any more.
        match why {
            DropReason::Ourselves | DropReason::NoRoom => peer.link.close(cx),
            _ => peer.link.abort(cx),
        }
        self.remove_peer(conn, why, cx);
    }

    fn remove_peer(&mut self, conn: ConnId, why: DropReason, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.remove(&conn) else { return };
        if peer.greeting.is_some() {
            cx.clear_timer(Timer::Greeting(conn));
            self.greeting.remove(&(peer.addr.ip(), conn));
        }
        let torrent = peer.torrent.and_then(|key| self.torrents.get_mut(&key));
        let info_hash = torrent.as_ref().map(|torrent| torrent.info_hash());
        cx.tell(Event::Dropped { info_hash, peer: peer.addr, why });
        let (Some(key), Some(torrent)) = (peer.torrent, torrent) else { return };
        if peer.greeting.is_some() {
            torrent.dialling = torrent.dialling.saturating_sub(1);
            torrent.candidates.failed(peer.addr, cx.now(), cx.rng());
        } else {
            torrent.peers.remove(&peer.key);
            let wait = REDIAL + cx.rng().phase(REDIAL);
            torrent.candidates.gone(peer.addr, wait, cx.now());
            if let Some(picker) = &mut torrent.picker {
                match peer.pieces.as_has() {
                    Some(has) => picker.peer_gone(peer.key, has),
                    None => picker.choked(peer.key),
                }
            }
            if let Some(seed) = &mut torrent.super_seed {
                seed.gone(peer.key);
            }
            let (peers, among) = (&self.peers, &torrent.peers);
            if let Some(offers) = &mut torrent.offers {
                offers.gone(peer.key, |piece| is_had(peers, among, piece));
            }
            torrent.suspects.remember(peer.key, peer.addr);
            if peer.is_interested && !peer.am_choking {
                torrent.count_served(false);
            }
        }
        if !peer.am_choking && torrent.is_active() {
            self.fill_slots(key, cx);
        }
        self.dial(key, cx);
    }

    /// Drops a peer for good.
    pub(super) fn ban(&mut self, addr: SocketAddr, why: DropReason, cx: &mut Context<'_>) {
        let all = !is_shared(addr);
        // Peers behind one loopback address are often many; there only the connection is dropped.
        if all {
            if self.banned.contains(&addr.ip()) {
                return;
            }
            if self.banned.len() >= self.config.limits.banned {
                self.banned.pop_first();
            }
            self.banned.insert(addr.ip());
        }
        cx.tell(Event::Banned { peer: addr, why });
        for conn in
            self.conns_where(|peer| peer.addr == addr || all && peer.open && peer.addr.ip() == addr.ip())
        {
            if let Some(key) = self.peers.get(&conn).and_then(|peer| peer.torrent)
                && let Some(torrent) = self.torrents.get_mut(&key)
            {
                torrent.candidates.forget(addr);
            }
            self.drop_peer(conn, why, cx);
        }
    }

    /// A torrent's housekeeping.
    pub(super) fn round(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.timers.round = false;
        if !torrent.is_active() {
            return;
        }
        torrent.timers.rounds = torrent.timers.rounds.wrapping_add(1);
        let choosing = torrent.timers.rounds % 2 == 0;
        if torrent.timers.rounds % TELL == 0 {
            self.tell_all(key, cx);
        }
        let Some(torrent) = self.torrents.get(&key) else { return };
        let conns: Vec<ConnId> = torrent.peers.values().copied().collect();
        for conn in conns {
            self.tend(conn, cx);
        }
        if choosing {
            self.choose(key, cx);
        }
        self.hunger(key, cx);
        self.dial(key, cx);
        self.find_more(key, cx);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if !torrent.timers.round && (!torrent.peers.is_empty() || torrent.dialling > 0) {
            torrent.timers.round = true;
            cx.set_timer(Timer::Round(key), ROUND);
        } else if torrent.peers.is_empty() {
            torrent.choker = None;
            if torrent.picker.as_ref().is_some_and(|picker| picker.is_blank()) {
                torrent.picker = None;
            }
        }
    }

    /// Asks the trackers for more peers while there are few: who has few neighbours is served by few. In a swarm that
    /// has no more it asks ever more seldom.
    fn find_more(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let hungry = torrent.hungry >= HUNGRY;
        let enough = dialled_at_most(torrent, &self.config.limits) * if hungry { 4 } else { 3 } / 4;
        if torrent.peers.len() + torrent.dialling as usize >= enough || now < torrent.more_at {
            return;
        }
        // Each answer names a part of the swarm only: a hungry one asks some times in a row.
        let doubled = match torrent.more_asked {
            asked if hungry && asked < PERSISTENT => asked.min(2),
            asked => asked.min(5),
        };
        torrent.more_at = now + FIND_MORE * (1_u32 << doubled);
        torrent.more_asked = torrent.more_asked.saturating_add(1);
        if torrent.more_asked > 1 {
            self.announce_now(key, cx);
        }
    }

    /// A leech that next to nobody gives to is among the wrong people, however many: it looks for others, and lets one
    /// in for each round that it goes on.
    fn hunger(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let all = || torrent.peers.values().filter_map(|conn| self.peers.get_key_value(conn));
        let givers = all().filter(|(_, peer)| peer.am_interested && !peer.is_choking).count();
        if givers > 1 || torrent.is_complete() {
            torrent.hungry = 0;
            return;
        }
        if torrent.hungry == HUNGRY {
            // The back-off of one who had enough is not ours.
            (torrent.more_asked, torrent.more_at) = (torrent.more_asked.min(1), now);
        }
        torrent.hungry = torrent.hungry.saturating_add(1);
        let full = torrent.peers.len() >= self.config.limits.peers_per_torrent;
        let others = torrent.candidates.next_due().is_some_and(|at| at <= now);
        if torrent.hungry < HUNGRY || !full || !others {
            return;
        }
        let mute = |peer: &Peer| peer.is_choking && now.since(peer.connected_at) >= MUTE;
        let mute = all().filter(|(_, peer)| mute(peer)).min_by_key(|(_, peer)| (peer.downloaded, peer.key));
        let Some((&conn, peer)) = mute else { return };
        // Where it was dialled, or can be.
        let (addr, port) = (peer.addr, peer.extended.as_ref().and_then(|extended| extended.port));
        self.drop_peer(conn, DropReason::MadeRoom, cx);
        if let Some(torrent) = self.torrents.get_mut(&key) {
            for port in port.into_iter().chain([addr.port()]) {
                torrent.candidates.gone(SocketAddr::new(addr.ip(), port), SULK, now);
            }
        }
    }

    /// One peer's time-outs.
    fn tend(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        let limits = &self.config.limits;
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.strikes /= 2;
        peer.idle_messages /= 2;
        if now.since(peer.last_in) >= limits.silence {
            return self.drop_peer(conn, DropReason::Silent, cx);
        }
        if is_overdue(peer, now) {
            return self.drop_peer(conn, DropReason::NoRoom, cx);
        }
        if let Some(traffic) = &peer.traffic
            && traffic.is_idle()
        {
            // An idle peer holds no buffers.
            peer.traffic = None;
        }
        let idle = now.since(peer.last_out) >= KEEP_ALIVE;
        let (owes, may_be_asked) = (peer.owes(), peer.may_be_asked());
        if idle {
            self.say(conn, &Message::KeepAlive, cx);
        }
        if owes {
            self.late_requests(conn, cx);
        }
        if may_be_asked {
            self.ask_more(conn, cx);
        }
    }

    /// The connections of these peers, in the order they were opened: the map's own order is nobody's business.
    pub(super) fn conns_where(&self, is: impl Fn(&Peer) -> bool) -> Vec<ConnId> {
        let mut conns: Vec<ConnId> =
            self.peers.iter().filter(|(_, peer)| is(peer)).map(|(conn, _)| *conn).collect();
        conns.sort_unstable();
        conns
    }

    /// Ends all of a torrent's connections.
    pub(super) fn drop_all(&mut self, key: TorrentKey, why: DropReason, cx: &mut Context<'_>) {
        for conn in self.conns_where(|peer| peer.torrent == Some(key)) {
            self.drop_peer(conn, why, cx);
        }
    }

    /// Seeds among a torrent's peers.
    pub(super) fn seeds_of(&self, torrent: &Torrent) -> u32 {
        let is_seed = |peer: &Peer| match &peer.pieces {
            Pieces::All => true,
            Pieces::Some(bits) => bits.is_full(),
            Pieces::Unsaid => false,
        };
        torrent.peers.values().filter_map(|conn| self.peers.get(conn)).filter(|peer| is_seed(peer)).count()
            as u32
    }

    /// Puts a torrent into its swarm.
    pub(super) fn activate(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.phase = Phase::Active;
        }
        self.start_trackers(key, cx);
        self.dial(key, cx);
        self.start_reporting(key, cx);
    }
}

/// Connected peers at which no more are dialled.
fn dialled_at_most(torrent: &Torrent, limits: &crate::config::Limits) -> usize {
    let usual = if torrent.hungry >= HUNGRY { limits.peers_per_torrent } else { limits.peers_dialled };
    usual.min(limits.peers_per_torrent)
}

/// Whether many different peers may well share this address.
fn is_shared(addr: SocketAddr) -> bool {
    match addr.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}
