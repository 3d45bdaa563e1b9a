//! Serving peers: requests are queued, neighbours are read in one job, and go out behind their heads without a copy.

use super::{Client, Context, Timer, Work};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::peer::session::Read;
use crate::peer::wire::{Block, Message, encode, piece_head};
use bytes::BufMut;
use p2p_core::{Bytes, ConnId, IoError, Job, JobId};

/// The most bytes read in one job for one peer.
const READ: u32 = 128 * 1024;

impl Client {
    /// A peer asks for a block.
    pub(super) fn requested(
        &mut self,
        conn: ConnId,
        block: Block,
        cx: &mut Context<'_>,
    ) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get(&key)) else { return Ok(()) };
        let pieces = torrent.pieces();
        if block.piece >= pieces.count()
            || block.len == 0
            || block.begin.checked_add(block.len).is_none_or(|end| end > pieces.len_of(block.piece))
        {
            return Err(DropReason::RequestOutOfRange);
        }
        if block.len > self.config.limits.block {
            return Err(DropReason::RequestTooLarge);
        }
        let hidden =
            torrent.super_seed.is_some() && peer.shown != Some(block.piece) && !peer.pieces.has(block.piece);
        let mut why_not = None;
        if !torrent.have.get(block.piece) || hidden {
            why_not = Some(DropReason::RequestNotHad);
        } else if peer
            .traffic
            .as_ref()
            .is_some_and(|traffic| traffic.wants.len() >= self.config.limits.requests_in)
        {
            why_not = Some(DropReason::RequestFlood);
        } else if peer.am_choking && !peer.allowed_out.contains(&block.piece) {
            // A request that crossed our choke on the wire is no fault.
            if peer.fast {
                encode(&Message::Reject(block), &mut self.out);
            }
            return self.says_nothing_new(conn);
        }
        if let Some(why) = why_not {
            if peer.fast {
                encode(&Message::Reject(block), &mut self.out);
            }
            peer.strikes = peer.strikes.saturating_add(1);
            return if peer.strikes > self.config.limits.strikes { Err(why) } else { Ok(()) };
        }
        peer.traffic(cx.now()).wants.push_back(block);
        self.taken(conn, block.piece, cx);
        Ok(())
    }

    /// A peer does not want a block any more.
    pub(super) fn cancelled(&mut self, conn: ConnId, block: Block) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let fast = peer.fast;
        let Some(traffic) = &mut peer.traffic else { return self.says_nothing_new(conn) };
        if let Some(at) = traffic.wants.iter().position(|waiting| *waiting == block) {
            traffic.wants.remove(at);
        } else if let Some(entry) =
            traffic.serving.iter_mut().find(|(reading, gone)| *reading == block && !gone)
        {
            entry.1 = true;
        } else {
            // It crossed the block on the wire.
            return self.says_nothing_new(conn);
        }
        if fast {
            // BEP 6: a cancel is answered, by the piece or by a reject.
            encode(&Message::Reject(block), &mut self.out);
        }
        Ok(())
    }

    /// What a peer asked for will not come, because we choke it; of the pieces `unbegun` not even what is being read.
    pub(super) fn reject_waiting(&mut self, conn: ConnId, unbegun: &[u32]) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(traffic) = &mut peer.traffic else { return };
        let allowed = &peer.allowed_out;
        let (fast, out) = (peer.fast, &mut self.out);
        for (block, gone) in &mut traffic.serving {
            if fast && !*gone && unbegun.contains(&block.piece) && !allowed.contains(&block.piece) {
                *gone = true;
                encode(&Message::Reject(*block), out);
            }
        }
        traffic.wants.retain(|block| {
            let stays = fast && allowed.contains(&block.piece);
            if fast && !stays {
                encode(&Message::Reject(*block), out);
            }
            stays
        });
    }

    /// Reads what a peer waits for, as far as its stream, the limits and the read-ahead allow.
    pub(super) fn serve(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(key) = peer.torrent else { return };
        let Some(traffic) = &mut peer.traffic else { return };
        if traffic.wants.is_empty() || peer.full {
            return;
        }
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let limit = self.config.limits.read_ahead;
        let mut ahead = traffic.reading_bytes();
        while ahead < limit {
            let Some(&first) = traffic.wants.front() else { return };
            let most = READ.min(self.upload_bucket.available(cx.now()).min(u64::from(READ)) as u32);
            if most < first.len && !self.upload_bucket.take(cx.now(), u64::from(first.len)) {
                if !self.upload_waits
                    && let Some(at) = self.upload_bucket.when(cx.now(), u64::from(first.len))
                {
                    self.upload_waits = true;
                    cx.set_timer_at(Timer::Upload, at);
                }
                return;
            }
            let (mut blocks, mut len) = (0, 0);
            while let Some(&next) = traffic.wants.front() {
                let joins = next.piece == first.piece && next.begin == first.begin + len;
                if len > 0 && (!joins || len + next.len > most) {
                    break;
                }
                traffic.wants.pop_front();
                traffic.serving.push_back((next, false));
                blocks += 1;
                len += next.len;
            }
            if most >= first.len {
                self.upload_bucket.spend(cx.now(), u64::from(len));
            }
            ahead += len;
            let spans = torrent.spans(first.piece, first.begin, len);
            let job = cx.run(Job::Read { spans });
            torrent.jobs += 1;
            self.jobs.insert(job, (key, Work::Upload(conn)));
            traffic.reading.push_back(Read { job, len, blocks, data: None });
        }
    }

    /// A read for a peer is done.
    pub(super) fn read_done(
        &mut self,
        conn: ConnId,
        job: JobId,
        data: Result<Bytes, IoError>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(traffic) = &mut peer.traffic else { return Ok(()) };
        let Some(at) = traffic.reading.iter().position(|read| read.job == job) else { return Ok(()) };
        match data {
            Ok(data) => {
                if let Some(read) = traffic.reading.get_mut(at) {
                    read.data = Some(data);
                }
                self.send_read(conn, cx);
                self.serve(conn, cx);
                Ok(())
            }
            Err(why) => {
                let before: usize = traffic.reading.iter().take(at).map(|read| read.blocks).sum();
                let blocks = traffic.reading.remove(at).map_or(0, |read| read.blocks);
                for (block, gone) in traffic.serving.drain(before..before + blocks) {
                    // A cancelled one was rejected when it was cancelled.
                    if peer.fast && !gone {
                        encode(&Message::Reject(block), &mut self.out);
                    }
                }
                self.send_out(conn, cx);
                Err(Error::Disk { doing: "reading", path: "".into(), why })
            }
        }
    }

    /// Sends what was read, in the order in which the peer asked: most peers hash a piece while its blocks come in
    /// order, and have to read it back when they do not.
    fn send_read(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(traffic) = &mut peer.traffic else { return };
        let (mut sent, mut ended) = (0, false);
        while let Some(data) = traffic.reading.front_mut().and_then(|read| read.data.take()) {
            let Some(read) = traffic.reading.pop_front() else { break };
            let (mut offset, mut served) = (0, None);
            for (block, gone) in traffic.serving.drain(..read.blocks) {
                let len = block.len as usize;
                if !gone && offset + len <= data.len() {
                    self.heads.put_slice(&piece_head(block));
                    peer.link.send(self.heads.split().freeze(), cx);
                    peer.link.send(data.slice(offset..offset + len), cx);
                    sent += u64::from(block.len);
                    served = Some((block.piece, served.map_or(0, |(_, bytes)| bytes) + block.len));
                }
                offset += len;
            }
            // A read lies in one piece.
            if let (Some(key), Some((piece, bytes))) = (peer.torrent, served)
                && let Some(torrent) = self.torrents.get_mut(&key)
            {
                let len = torrent.pieces().len_of(piece);
                let offers = torrent.offers.as_mut();
                ended |= offers.is_some_and(|offers| offers.sent(peer.key, piece, bytes, len));
            }
        }
        if sent == 0 {
            return;
        }
        peer.last_out = now;
        let before = peer.uploaded - peer.uploaded_before;
        peer.uploaded += sent;
        peer.rate_out.add(sent, now);
        if let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) {
            torrent.uploaded += sent;
            torrent.rate_out.add(sent, now);
            let turn = u64::from(torrent.pieces().piece_len());
            let full = before / turn < (before + sent) / turn;
            // A turn ends with a piece: what is given in part is of no use to anybody.
            let over = if ended { before + sent >= turn / 2 } else { full };
            let takes_turns = super::choking::role(torrent) != crate::choke::Role::Leech;
            if over && takes_turns && !torrent.owes_rest(peer.key, before + sent) {
                let key = torrent.key;
                self.turn_over(key, conn, cx);
            }
        }
    }

    /// The upload limit lets more out.
    pub(super) fn upload_refilled(&mut self, cx: &mut Context<'_>) {
        self.upload_waits = false;
        let mut conns =
            self.conns_where(|peer| peer.traffic.as_ref().is_some_and(|traffic| !traffic.wants.is_empty()));
        // No peer is always first in line.
        cx.rng().shuffle(&mut conns);
        for conn in conns {
            self.serve(conn, cx);
        }
    }
}
