//! What peers say: one function per kind of message.

use super::{Client, Context};
use crate::drop_reason::DropReason;
use crate::peer::extension::{ExtendedHandshake, PeerIds};
use crate::peer::session::{EXTENSIONS, Extended, Pieces};
use crate::peer::wire::{Block, Message};
use p2p_core::{Bitfield, Bytes, ConnId};

/// Pieces a peer may name as allowed while it chokes us; BEP 6 suggests 10.
const ALLOWED: usize = 64;

impl Client {
    /// Bytes came from a peer.
    pub(super) fn data(&mut self, conn: ConnId, mut data: Bytes, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.last_in = cx.now();
        if peer.greeting.is_some() {
            match self.greet(conn, &mut data, cx) {
                Ok(true) => {}
                Ok(false) => return,
                Err(why) => return self.drop_peer(conn, why, cx),
            }
        }
        let mut news = false;
        loop {
            let Some(peer) = self.peers.get_mut(&conn) else { return };
            let guest = peer.guest;
            let said = match peer.decoder.next(&mut data) {
                Ok(Some(message)) => {
                    // After the head of a block, or a part of it, there is nothing new to ask for or to send.
                    news |= peer.decoder.is_idle();
                    self.message(conn, message, cx)
                }
                Ok(None) => break,
                Err(error) => Err(DropReason::Malformed(error)),
            };
            if let Err(why) = said {
                self.out.clear();
                return self.drop_peer(conn, why, cx);
            }
            if guest {
                self.seat_guest(conn, cx);
            }
        }
        if news {
            self.send_out(conn, cx);
            self.ask_more(conn, cx);
            self.serve(conn, cx);
        }
    }

    fn message(&mut self, conn: ConnId, message: Message, cx: &mut Context<'_>) -> Result<(), DropReason> {
        if matches!(
            message,
            Message::HaveAll
                | Message::HaveNone
                | Message::Suggest(_)
                | Message::AllowedFast(_)
                | Message::Reject(_)
        ) && self.peers.get(&conn).is_some_and(|peer| !peer.fast)
        {
            // BEP 6: "If the fast extension is not enabled, a peer that receives one of these MUST close."
            return Err(DropReason::NotFast);
        }
        match message {
            Message::Piece(block) => self.piece_begins(conn, block, cx.now()),
            Message::Payload(data) => self.payload(conn, data, cx),
            Message::Request(block) => self.requested(conn, block, cx),
            Message::Have(piece) => self.has_piece(conn, piece, cx),
            Message::Choke => self.choked(conn),
            Message::Unchoke => self.unchoked(conn, cx),
            Message::Interested => self.interested(conn, true, cx),
            Message::NotInterested => self.interested(conn, false, cx),
            Message::Bitfield(bits) => self.has_bits(conn, &bits, cx),
            Message::HaveAll => self.has_all(conn, cx),
            Message::HaveNone => self.has_none(conn),
            Message::Cancel(block) => self.cancelled(conn, block),
            Message::Reject(block) => self.rejected(conn, block),
            Message::Suggest(piece) => self.suggested(conn, piece),
            Message::AllowedFast(piece) => self.allowed(conn, piece),
            Message::Extended { id: 0, payload } => self.extension_handshake(conn, &payload),
            // Extensions register under an id; none is offered yet, so nothing else is meant for us. A port is the
            // DHT's.
            Message::Extended { .. } | Message::Port(_) | Message::KeepAlive | Message::Unknown { .. } => {
                self.says_nothing_new(conn)
            }
        }
    }

    /// A message that changes nothing, or may only change things back, costs us work and its sender nothing.
    pub(super) fn says_nothing_new(&mut self, conn: ConnId) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        peer.idle_messages = peer.idle_messages.saturating_add(1);
        if peer.idle_messages > self.config.limits.idle_messages {
            return Err(DropReason::MessageFlood);
        }
        Ok(())
    }

    fn first_word(&self, conn: ConnId) -> Result<(), DropReason> {
        match self.peers.get(&conn).map(|peer| &peer.pieces) {
            Some(Pieces::Unsaid) => Ok(()),
            _ => Err(DropReason::LateBitfield),
        }
    }

    fn has_bits(&mut self, conn: ConnId, bits: &[u8], cx: &mut Context<'_>) -> Result<(), DropReason> {
        let first = self.first_word(conn).is_ok();
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return Ok(()) };
        let bits = Bitfield::from_wire(torrent.have.len(), bits).map_err(|_| DropReason::WrongBitfield)?;
        if !first {
            return self.has_more(conn, &bits, cx);
        }
        if bits.is_full() {
            return self.has_all(conn, cx);
        }
        if let Some(picker) = &mut torrent.picker {
            picker.peer_bitfield(&bits);
            peer.wanted = bits.ones_not_in(&torrent.have).filter(|&piece| picker.wants(piece)).count() as u32;
        }
        peer.pieces = Pieces::Some(bits);
        self.update_interest(conn);
        Ok(())
    }

    /// BEP 3 has the bitfield first or never, but aria2 sends another one in place of many HAVEs.
    fn has_more(&mut self, conn: ConnId, bits: &Bitfield, cx: &mut Context<'_>) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let new: alloc::vec::Vec<u32> = match &peer.pieces {
            Pieces::Some(before) => bits.ones_not_in(before).collect(),
            _ => alloc::vec::Vec::new(),
        };
        if new.is_empty() {
            peer.strikes = peer.strikes.saturating_add(1);
            return if peer.strikes > self.config.limits.strikes {
                Err(DropReason::MessageFlood)
            } else {
                Ok(())
            };
        }
        new.into_iter().try_for_each(|piece| self.has_piece(conn, piece, cx))
    }

    fn has_all(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Result<(), DropReason> {
        self.first_word(conn)?;
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return Ok(()) };
        peer.pieces = Pieces::All;
        if let Some(picker) = &mut torrent.picker {
            picker.peer_has_all();
            peer.wanted = picker.missing();
        }
        self.update_interest(conn);
        self.part_seeds(conn, cx);
        Ok(())
    }

    fn has_none(&mut self, conn: ConnId) -> Result<(), DropReason> {
        self.first_word(conn)?;
        self.says_something(conn);
        Ok(())
    }

    /// A peer that sends no bitfield has nothing.
    fn says_something(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if matches!(peer.pieces, Pieces::Unsaid)
            && let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get(&key))
        {
            peer.pieces = Pieces::Some(Bitfield::new(torrent.have.len()));
        }
    }

    fn has_piece(&mut self, conn: ConnId, piece: u32, cx: &mut Context<'_>) -> Result<(), DropReason> {
        self.says_something(conn);
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return Ok(()) };
        if piece >= torrent.have.len() {
            return Err(DropReason::PieceOutOfRange);
        }
        let Pieces::Some(bits) = &mut peer.pieces else { return self.says_nothing_new(conn) };
        if !bits.set(piece) {
            return self.says_nothing_new(conn);
        }
        let full = bits.is_full();
        let key = peer.key;
        if full {
            peer.pieces = Pieces::All;
        }
        if let Some(picker) = &mut torrent.picker {
            picker.peer_has(piece);
            if full {
                picker.peer_completed();
            }
            if picker.wants(piece) {
                peer.wanted += 1;
                if peer.wanted == 1 {
                    self.update_interest(conn);
                }
            }
        }
        self.show_more(conn, key, piece, cx);
        if full {
            self.part_seeds(conn, cx);
        }
        Ok(())
    }

    /// A super-seed shows more pieces to those whose piece has spread to this peer.
    fn show_more(&mut self, conn: ConnId, key: u32, piece: u32, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get(&conn) else { return };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return };
        let Some(seed) = &mut torrent.super_seed else { return };
        for earned in seed.peer_has(key, piece) {
            let Some(&other) = torrent.peers.get(&earned) else { continue };
            let Some(peer) = self.peers.get_mut(&other) else { continue };
            let has = &peer.pieces;
            if let Some(next) = seed.show(earned, |piece| has.has(piece), cx.rng()) {
                peer.shown = Some(next);
                let mut head = bytes::BytesMut::with_capacity(9);
                crate::peer::wire::encode(&Message::Have(next), &mut head);
                peer.link.send(head.freeze(), cx);
            }
        }
    }

    /// Two seeds have nothing to say to each other.
    pub(super) fn part_seeds(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get(&conn) else { return };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get(&key)) else { return };
        let theirs = match &peer.pieces {
            Pieces::All => true,
            Pieces::Some(bits) => bits.is_full(),
            Pieces::Unsaid => false,
        };
        if theirs && torrent.is_seed() {
            self.out.clear();
            self.drop_peer(conn, DropReason::BothSeeds, cx);
        }
    }

    fn choked(&mut self, conn: ConnId) -> Result<(), DropReason> {
        self.says_nothing_new(conn)?;
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        peer.is_choking = true;
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return Ok(()) };
        if peer.fast {
            // BEP 6: what is not to come is rejected one by one.
            if let Some(picker) = &mut torrent.picker {
                picker.unreserve(peer.key);
                picker.unsuggest(peer.key);
            }
            return Ok(());
        }
        if let Some(traffic) = &mut peer.traffic {
            traffic.asked.clear();
        }
        if let Some(picker) = &mut torrent.picker {
            picker.choked(peer.key);
        }
        Ok(())
    }

    fn unchoked(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Result<(), DropReason> {
        self.says_nothing_new(conn)?;
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        peer.is_choking = false;
        peer.last_block = cx.now();
        if let Some(traffic) = &mut peer.traffic {
            traffic.pipeline.restart(cx.now());
        }
        Ok(())
    }

    fn interested(&mut self, conn: ConnId, is: bool, cx: &mut Context<'_>) -> Result<(), DropReason> {
        self.says_something(conn);
        self.says_nothing_new(conn)?;
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        if peer.is_interested == is {
            return Ok(());
        }
        peer.is_interested = is;
        let (Some(key), am_choking) = (peer.torrent, peer.am_choking) else { return Ok(()) };
        if let Some(torrent) = self.torrents.get_mut(&key).filter(|_| !am_choking) {
            torrent.count_served(is);
        }
        self.send_out(conn, cx);
        if !is && !am_choking {
            self.set_choke(conn, true, cx);
        }
        self.fill_slots(key, cx);
        Ok(())
    }

    fn rejected(&mut self, conn: ConnId, block: Block) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        // Of a block that we took back it says nothing that we do not know.
        let Some(traffic) = &mut peer.traffic else { return self.says_nothing_new(conn) };
        let Some(at) = traffic.asked.iter().position(|asked| asked.block == block) else {
            return self.says_nothing_new(conn);
        };
        traffic.asked.remove(at);
        if let Some(picker) = peer
            .torrent
            .and_then(|key| self.torrents.get_mut(&key))
            .and_then(|torrent| torrent.picker.as_mut())
        {
            picker.rejected(peer.key, block);
        }
        if !peer.is_choking {
            // A peer that rejects while it lets us ask does not serve this piece; asking on would only loop.
            peer.strikes = peer.strikes.saturating_add(1);
            if peer.strikes > self.config.limits.strikes {
                return Err(DropReason::RejectsAll);
            }
        }
        Ok(())
    }

    /// A peer names a piece that it would have us ask for next.
    fn suggested(&mut self, conn: ConnId, piece: u32) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return Ok(()) };
        if piece >= torrent.have.len() {
            return Err(DropReason::PieceOutOfRange);
        }
        let new = torrent.picker.as_mut().is_some_and(|picker| picker.suggested(peer.key, piece));
        if new { Ok(()) } else { self.says_nothing_new(conn) }
    }

    fn allowed(&mut self, conn: ConnId, piece: u32) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get(&key)) else { return Ok(()) };
        if piece >= torrent.have.len() {
            return Err(DropReason::PieceOutOfRange);
        }
        if peer.allowed_in.len() >= ALLOWED || peer.allowed_in.contains(&piece) {
            return self.says_nothing_new(conn);
        }
        peer.allowed_in.push(piece);
        Ok(())
    }

    fn extension_handshake(&mut self, conn: ConnId, payload: &[u8]) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        // A later handshake adds to the first one.
        if peer.extended.is_some() {
            self.says_nothing_new(conn)?;
        }
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let mut ids = peer.extended.take().map_or_else(PeerIds::new, |before| before.ids);
        let said = ExtendedHandshake::decode(payload, EXTENSIONS, &mut ids)
            .map_err(|_| DropReason::BadExtensionHandshake)?;
        if let (Some(traffic), Some(limit)) = (&mut peer.traffic, said.reqq) {
            traffic.pipeline.set_limit(limit);
        }
        let agent = said.version.map(alloc::string::String::into_boxed_str);
        let (reqq, port) = (said.reqq, said.port);
        peer.extended = Some(alloc::boxed::Box::new(Extended { agent, reqq, port, ids }));
        Ok(())
    }

    /// Tells a peer whether it has something we want, if that changed.
    pub(super) fn update_interest(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let interested = peer.wanted > 0;
        if interested == peer.am_interested {
            return;
        }
        peer.am_interested = interested;
        let message = if interested { Message::Interested } else { Message::NotInterested };
        crate::peer::wire::encode(&message, &mut self.out);
    }
}
