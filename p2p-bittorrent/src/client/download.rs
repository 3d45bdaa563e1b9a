//! Fetching: requests to peers, blocks from them, runs to the disk, and what follows when a piece verifies or fails.

use super::{Client, Context, Timer, TorrentKey, Work};
use crate::drop_reason::DropReason;
use crate::event::Event;
use crate::peer::session::{Asked, Peer, Receiving, Traffic};
use crate::peer::wire::{Block, Message, encode};
use crate::picker::{PeerSpeed, Received};
use crate::rate::Pipeline;
use crate::store::{Progress, Urgency};
use crate::torrent::Goal;
use alloc::vec::Vec;
use p2p_core::chunk::BLOCK;
use p2p_core::{Bytes, ConnId, Digest, DigestKind, Duration, Instant, Job};

/// A peer that lets us ask and gives nothing for this long is snubbing us (Cohen 2003: "over a minute").
const SNUBBED: Duration = Duration::from_secs(60);

/// A peer that cannot ask anyway is told of what we gained at once if that is more than this part of what we have.
const UNTOLD: u32 = 16;

/// A block sent to a seed counts as so many messages that say nothing new.
const USELESS_BLOCK: u16 = 4;

impl Client {
    /// Keeps as many requests waiting with a peer as its rate and delay call for.
    pub(super) fn ask_more(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if self.disk_behind || self.stopping.is_some() {
            return;
        }
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if !peer.may_be_asked() {
            return;
        }
        let Some(torrent) = peer.torrent.and_then(|key| self.torrents.get_mut(&key)) else { return };
        let Some(picker) =
            torrent.picker.as_mut().filter(|_| matches!(torrent.phase, crate::torrent::Phase::Active))
        else {
            return;
        };
        let Some(has) = peer.pieces.as_has() else { return };
        let now = cx.now();
        let rate = peer.rate_in.per_second(now);
        let limit = peer.extended.as_ref().and_then(|e| e.reqq).unwrap_or(Pipeline::PEER_TAKES);
        let traffic = peer.traffic.get_or_insert_with(|| alloc::boxed::Box::new(Traffic::new(limit, now)));
        let target = match peer.snubbed {
            true => 1,
            false => traffic.pipeline.target().min(self.config.limits.requests_out),
        };
        let asked = traffic.asked.len();
        // Ask in handfuls: one message for several blocks, and one search for them.
        if asked > 0 && asked + (target / 4).clamp(1, 32) > target {
            return;
        }
        let mut count = target.saturating_sub(asked);
        let room = self.download_bucket.available(now) / u64::from(BLOCK);
        if room < count as u64 {
            count = room as usize;
            if !self.download_waits
                && let Some(at) = self.download_bucket.when(now, u64::from(BLOCK))
            {
                self.download_waits = true;
                cx.set_timer_at(Timer::Download, at);
            }
        }
        if count == 0 {
            return;
        }
        self.picked.clear();
        if peer.is_choking {
            picker.pick_allowed(peer.key, has, &peer.allowed_in, count, now, &mut self.picked);
        } else if let Some(block) = picker.probe(peer.key, has, now, cx.rng()) {
            self.picked.push(block);
        } else {
            let speed = PeerSpeed::of(rate, torrent.metainfo.info.pieces().piece_len());
            picker.pick(peer.key, has, count, now, speed, cx.rng(), &mut self.picked);
        }
        for &block in &self.picked {
            traffic.asked.push_back(Asked { block, at: now });
            encode(&Message::Request(block), &mut self.out);
            self.download_bucket.spend(now, u64::from(block.len));
        }
        self.send_out(conn, cx);
    }

    /// The download limit lets more be asked for.
    pub(super) fn download_refilled(&mut self, cx: &mut Context<'_>) {
        self.download_waits = false;
        let mut conns = self.conns_where(|peer| peer.am_interested);
        cx.rng().shuffle(&mut conns);
        for conn in conns {
            self.ask_more(conn, cx);
        }
    }

    /// A piece message begins.
    pub(super) fn piece_begins(
        &mut self,
        conn: ConnId,
        block: Block,
        now: Instant,
    ) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        if block.len == 0 {
            return self.unrequested(conn);
        }
        let traffic = peer.traffic(now);
        traffic.segments.clear();
        traffic.drops.clear();
        traffic.receiving = Some(Receiving { block, got: 0 });
        Ok(())
    }

    /// A block that nobody asked for.
    fn unrequested(&mut self, conn: ConnId) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        peer.strikes = peer.strikes.saturating_add(1);
        if peer.strikes > self.config.limits.strikes { Err(DropReason::Unrequested) } else { Ok(()) }
    }

    /// A part of the block that is being received.
    pub(super) fn payload(
        &mut self,
        conn: ConnId,
        data: Bytes,
        cx: &mut Context<'_>,
    ) -> Result<(), DropReason> {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(traffic) = &mut peer.traffic else { return Ok(()) };
        let Some(receiving) = &mut traffic.receiving else { return Ok(()) };
        receiving.got += data.len() as u32;
        let block = receiving.block;
        let whole = receiving.got >= block.len;
        // What is larger than we ever ask for is not kept: it can only be counted.
        if block.len <= BLOCK {
            traffic.keep(data, whole);
        }
        if !whole {
            return Ok(());
        }
        traffic.receiving = None;
        self.block_here(conn, block, cx)
    }

    fn block_here(&mut self, conn: ConnId, block: Block, cx: &mut Context<'_>) -> Result<(), DropReason> {
        let now = cx.now();
        let len = u64::from(block.len);
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(key) = peer.torrent else { return Ok(()) };
        let Some(torrent) = self.torrents.get_mut(&key) else { return Ok(()) };
        let Some(traffic) = &mut peer.traffic else { return Ok(()) };
        // Peers answer in order, so this is nearly always the first.
        let place = (block.piece, block.begin);
        let at = traffic.asked.iter().position(|asked| (asked.block.piece, asked.block.begin) == place);
        if let Some(at) = at
            && let Some(asked) = traffic.asked.get(at).copied()
        {
            if asked.block.len != block.len {
                return Err(DropReason::WrongBlockSize);
            }
            traffic.asked.remove(at);
            traffic.pipeline.received(block.len, Some(now - asked.at), now);
        }
        peer.rate_in.add(len, now);
        peer.downloaded += len;
        torrent.rate_in.add(len, now);
        torrent.downloaded += len;
        let received = match &mut torrent.picker {
            Some(picker) => picker.received(peer.key, block),
            None => Received::Duplicate,
        };
        match received {
            Received::Wanted { others, .. } => {
                peer.last_block = now;
                peer.snubbed = false;
                let piece_len = torrent.metainfo.info.pieces().len_of(block.piece);
                torrent.store.add(block, piece_len, &mut traffic.segments);
                self.held += len;
                if !others.is_empty() {
                    // What is written for this peer must not go to another.
                    self.send_out(conn, cx);
                }
                for other in others {
                    self.take_back(key, other, block, cx);
                }
                self.write_runs(key, block.piece, Urgency::Usual, cx);
                self.hold_back(key, cx);
            }
            Received::Duplicate => {
                traffic.segments.clear();
                torrent.wasted += len;
                if torrent.picker.is_none() {
                    // The end of an end game, or payload that a seed is flooded with: at most so much of it.
                    peer.idle_messages = peer.idle_messages.saturating_add(USELESS_BLOCK - 1);
                    return self.says_nothing_new(conn);
                }
            }
            Received::Probe => {
                torrent.wasted += len;
                peer.last_block = now;
                peer.snubbed = false;
                let (data, peer) = (core::mem::take(&mut traffic.segments), peer.key);
                self.probe_here(key, peer, block, &data, cx);
            }
            Received::Unasked => {
                traffic.segments.clear();
                torrent.wasted += len;
                return self.unrequested(conn);
            }
        }
        Ok(())
    }

    /// The end game: a block came from one peer, another need not send it.
    fn take_back(&mut self, key: TorrentKey, other: u32, block: Block, cx: &mut Context<'_>) {
        let Some(conn) = self.torrents.get(&key).and_then(|torrent| torrent.peers.get(&other)).copied()
        else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(traffic) = &mut peer.traffic else { return };
        if let Some(at) = traffic.asked.iter().position(|asked| asked.block == block) {
            traffic.asked.remove(at);
            let mut cancel = bytes::BytesMut::with_capacity(17);
            encode(&Message::Cancel(block), &mut cancel);
            peer.link.send(cancel.freeze(), cx);
            self.ask_more(conn, cx);
        }
    }

    /// Hands the runs of a piece that are due to the disk.
    fn write_runs(&mut self, key: TorrentKey, piece: u32, urgency: Urgency, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        while let Some(run) = torrent.store.next_run(piece, urgency) {
            let spans = torrent.spans(piece, run.begin, run.len);
            let job = cx.run(Job::Write { spans, data: run.data, digest: run.digest });
            torrent.jobs += 1;
            self.writing += u64::from(run.len);
            self.jobs.insert(job, (key, Work::Write { piece, begin: run.begin, len: run.len }));
        }
        if !torrent.timers.flush && !torrent.store.is_idle() {
            torrent.timers.flush = true;
            cx.set_timer(Timer::Flush(key), self.config.flush_after);
        }
    }

    /// Blocks have waited long enough for the rest of their run.
    pub(super) fn flush_due(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.timers.flush = false;
        }
        self.flush(key, cx);
    }

    /// Writes all that waits in memory.
    pub(super) fn flush(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        self.write_waiting(key, Urgency::All, cx);
    }

    fn write_waiting(&mut self, key: TorrentKey, urgency: Urgency, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        let waiting: Vec<u32> = torrent.store.waiting().collect();
        for piece in waiting {
            self.write_runs(key, piece, urgency, cx);
        }
    }

    /// Stops reading peers while too much waits for the disk.
    fn hold_back(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let limit = self.config.limits.unwritten;
        if self.disk_behind || self.held <= limit {
            return;
        }
        if self.writing < limit / 2 {
            self.write_waiting(key, Urgency::Short, cx);
        }
        if self.writing == 0 {
            // The disk is idle: what fills the memory are blocks that came too early.
            self.flush(key, cx);
        }
        if self.writing == 0 {
            return;
        }
        self.disk_behind = true;
        for conn in self.conns_where(Peer::owes) {
            if let Some(peer) = self.peers.get_mut(&conn) {
                peer.paused = true;
                peer.link.pause(true, cx);
            }
        }
    }

    pub(super) fn disk_caught_up(&mut self, cx: &mut Context<'_>) {
        if !self.disk_behind || (self.held > self.config.limits.unwritten / 2 && self.writing > 0) {
            return;
        }
        self.disk_behind = false;
        for conn in self.conns_where(|peer| peer.paused) {
            if let Some(peer) = self.peers.get_mut(&conn) {
                peer.paused = false;
                peer.link.pause(false, cx);
            }
            self.ask_more(conn, cx);
        }
    }

    /// A run was written.
    pub(super) fn run_written(
        &mut self,
        key: TorrentKey,
        (piece, begin, len): (u32, u32, u32),
        digest: Option<alloc::boxed::Box<p2p_core::Digester>>,
        cx: &mut Context<'_>,
    ) {
        self.held = self.held.saturating_sub(u64::from(len));
        // Nobody comes to a torrent that rests; what is left of its pieces is written as it is.
        let all = self.stopping.is_some();
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        for span in torrent.metainfo.info.spans(piece, begin, len).filter(|span| !span.padding) {
            torrent.unsynced.insert(span.file as u32);
        }
        let all = all || !torrent.is_active();
        match torrent.store.written(piece, len, digest) {
            Progress::Partial => {
                self.write_runs(key, piece, if all { Urgency::All } else { Urgency::Usual }, cx);
            }
            Progress::Hashed(digest) => self.piece_digested(key, piece, &digest, cx),
            Progress::Reread => self.reread(key, piece, cx),
        }
        self.save_later(key, cx);
    }

    /// Digests a piece from the disk.
    pub(super) fn reread(&mut self, key: TorrentKey, piece: u32, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let whole = torrent.pieces().len_of(piece);
        let spans = torrent.spans(piece, 0, whole);
        let job = cx.run(Job::DigestSpans { kind: DigestKind::Sha1, spans });
        torrent.jobs += 1;
        self.jobs.insert(job, (key, Work::Reread(piece)));
    }

    /// A whole piece is on disk, and this is its digest.
    pub(super) fn piece_digested(
        &mut self,
        key: TorrentKey,
        piece: u32,
        digest: &Digest,
        cx: &mut Context<'_>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.metainfo.info.piece_hash(piece).is_some_and(|right| digest.as_ref() == right.as_ref()) {
            self.piece_verified(key, piece, cx);
        } else {
            self.piece_failed(key, piece, cx);
        }
        self.ask_idle(key, cx);
    }

    /// After a piece showed what somebody is worth, other peers may be asked than before.
    fn ask_idle(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        if !torrent.picker.as_ref().is_some_and(|picker| picker.is_wary()) {
            return;
        }
        let idle = |conn: &&ConnId| {
            self.peers.get(*conn).is_some_and(|peer| peer.am_interested && !peer.is_choking && !peer.owes())
        };
        let idle: Vec<ConnId> = torrent.peers.values().filter(idle).copied().collect();
        for conn in idle {
            self.ask_more(conn, cx);
        }
    }

    fn piece_verified(&mut self, key: TorrentKey, piece: u32, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.have.set(piece);
        torrent.fetched = true;
        self.held = self.held.saturating_sub(torrent.store.remove(piece));
        if let Some(picker) = &mut torrent.picker {
            picker.verified(piece);
        }
        self.acquit(key, piece, cx);
        self.tell_have(key, piece, cx);
        self.feed_readers(key, cx);
        self.check_complete(key, cx);
    }

    /// Tells the peers that lack it of a piece, and those that have it that we need it no more.
    ///
    /// A peer that waits for us to unchoke it cannot ask for the piece: it is told with the next message that it is sent,
    /// before it is unchoked at the latest, or when there is so much news that its picture of us grows old.
    fn tell_have(&mut self, key: TorrentKey, piece: u32, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.gained.push(piece);
        encode(&Message::Have(piece), &mut self.out);
        let have = self.out.split().freeze();
        encode(&Message::NotInterested, &mut self.out);
        let not_interested = self.out.split().freeze();
        let now = cx.now();
        let gained = torrent.gained.pieces();
        let all = gained.len() as u32;
        for conn in torrent.peers.values() {
            let Some(peer) = self.peers.get_mut(conn) else { continue };
            if peer.pieces.has(piece) {
                peer.told += u32::from(peer.told + 1 == all);
                peer.wanted = peer.wanted.saturating_sub(1);
                if peer.wanted == 0 && peer.am_interested {
                    peer.am_interested = false;
                    peer.link.send(not_interested.clone(), cx);
                    peer.last_out = now;
                }
                continue;
            }
            if peer.waits() && (all - peer.told) * UNTOLD <= torrent.have.count() {
                continue;
            }
            let news = if peer.told + 1 == all {
                peer.told = all;
                have.clone()
            } else {
                peer.tell(gained, &mut self.out);
                self.out.split().freeze()
            };
            peer.link.send(news, cx);
            peer.last_out = now;
        }
    }

    /// Tells all peers of all that was gained.
    pub(super) fn tell_all(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let gained = core::mem::take(&mut torrent.gained);
        if gained.pieces().is_empty() {
            return;
        }
        for conn in torrent.peers.values() {
            let Some(peer) = self.peers.get_mut(conn) else { continue };
            peer.tell(gained.pieces(), &mut self.out);
            peer.told = 0;
            if !self.out.is_empty() {
                peer.link.send(self.out.split().freeze(), cx);
                peer.last_out = cx.now();
            }
        }
    }

    fn piece_failed(&mut self, key: TorrentKey, piece: u32, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(picker) = &mut torrent.picker else { return };
        let contributors: Vec<(u32, u32)> = picker.contributors(piece).collect();
        let mut from: Vec<u32> = contributors.iter().map(|(_, peer)| *peer).collect();
        from.sort_unstable();
        from.dedup();
        let all_known = contributors.len() as u32 == torrent.metainfo.info.pieces().blocks_in(piece);
        if let ([only], true) = (&from[..], all_known) {
            // Nobody else gave a block of it, nor are any from before a restart: no need to compare.
            let only = *only;
            self.fetch_again(key, piece, &[]);
            let Some(torrent) = self.torrents.get(&key) else { return };
            if let Some(addr) = torrent.address_of(only, &self.peers) {
                self.ban(addr, DropReason::BadPiece, cx);
            }
            return;
        }
        let accused = picker.accuse(piece);
        let addresses: Vec<_> = contributors
            .iter()
            .filter(|(_, peer)| accused.is_empty() || accused.contains(peer))
            .filter_map(|(block, peer)| Some((*block, torrent.address_of(*peer, &self.peers)?)))
            .collect();
        if !torrent.suspects.open(piece, addresses.iter().copied()) {
            return self.fetch_again(key, piece, &accused);
        }
        if !accused.is_empty() {
            torrent.accused.insert(piece, accused);
        }
        for (block, _) in addresses {
            self.digest_block(key, piece, block, Work::Suspect { piece, block }, cx);
        }
    }

    fn digest_block(&mut self, key: TorrentKey, piece: u32, block: u32, work: Work, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let pieces = torrent.pieces();
        let spans = torrent.spans(piece, block * BLOCK, pieces.block_len(piece, block));
        let job = cx.run(Job::DigestSpans { kind: DigestKind::Sha1, spans });
        torrent.jobs += 1;
        self.jobs.insert(job, (key, work));
    }

    /// A failed piece's block was digested; once all are, the piece is fetched again.
    pub(super) fn suspect_digested(
        &mut self,
        key: TorrentKey,
        piece: u32,
        block: u32,
        digest: Option<Digest>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.suspects.digested(piece, block, digest) {
            let accused = torrent.accused.remove(&piece).unwrap_or_default();
            self.fetch_again(key, piece, &accused);
            if accused.is_empty() {
                self.fetch_of_one(key, piece);
            }
        }
    }

    /// Peers shared a piece and one of them lied. If one peer gives all of it, either it is right and shows who lied, or
    /// that peer did.
    fn fetch_of_one(&mut self, key: TorrentKey, piece: u32) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(picker) = &mut torrent.picker else { return };
        let willing =
            torrent.peers.values().filter_map(|conn| self.peers.get(conn)).filter(|peer| {
                !peer.is_choking && !peer.snubbed && peer.am_interested && peer.pieces.has(piece)
            });
        let chosen = willing.min_by_key(|peer| {
            let suspects = &torrent.suspects;
            (
                suspects.tried(piece, peer.key),
                suspects.cases_of(peer.addr),
                !picker.trusts(peer.key),
                peer.key,
            )
        });
        if let Some(key) = chosen.map(|peer| peer.key) {
            torrent.suspects.try_alone(piece, key);
            picker.reserve(piece, key);
        }
    }

    /// What accused peers gave of a failed piece is fetched again, or all of it if nobody stands out.
    fn fetch_again(&mut self, key: TorrentKey, piece: u32, accused: &[u32]) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let len = torrent.pieces().len_of(piece);
        self.held = self.held.saturating_sub(torrent.store.remove(piece));
        let Some(picker) = &mut torrent.picker else { return };
        let lost = if accused.is_empty() {
            picker.failed(piece);
            len
        } else {
            picker.fetch_again(piece, accused)
        };
        torrent.wasted += u64::from(lost);
        if lost < len {
            torrent.store.restore(piece, len, len - lost);
        }
    }

    /// A piece verified that had failed before: its blocks show who lied.
    fn acquit(&mut self, key: TorrentKey, piece: u32, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if !torrent.suspects.has(piece) {
            return;
        }
        for block in torrent.suspects.blocks(piece) {
            self.digest_block(key, piece, block, Work::Acquit { piece, block }, cx);
        }
    }

    pub(super) fn acquitted(
        &mut self,
        key: TorrentKey,
        piece: u32,
        block: u32,
        right: Option<Digest>,
        cx: &mut Context<'_>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let (liars, honest) = match right {
            Some(right) => torrent.suspects.acquit(piece, block, right),
            // The disk does not tell what is right: nobody is found guilty.
            None => (Vec::new(), torrent.suspects.forget(piece, block)),
        };
        for addr in honest {
            let peer =
                torrent.peers.iter().find(|(_, conn)| self.peers.get(*conn).is_some_and(|p| p.addr == addr));
            if let (Some((&peer, _)), Some(picker)) = (peer, &mut torrent.picker) {
                picker.acquitted(peer);
            }
        }
        for liar in liars {
            self.ban(liar, DropReason::BadBlock, cx);
        }
    }

    /// What to do when all that is wanted is verified.
    pub(super) fn check_complete(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if !torrent.checked || !torrent.is_complete() || torrent.complete_told {
            return;
        }
        torrent.complete_told = true;
        if torrent.have.is_full() {
            torrent.picker = None;
        }
        let info_hash = torrent.info_hash();
        self.tell_all(key, cx);
        cx.tell(Event::Complete(info_hash));
        self.announce_completed(key, cx);
        self.report_now(key, cx);
        self.end_ops(key, Goal::Download, cx, |_| Ok(()));
        self.save_now(key, cx);
        for conn in
            self.torrents.get(&key).map(|t| t.peers.values().copied().collect::<Vec<_>>()).unwrap_or_default()
        {
            self.part_seeds(conn, cx);
        }
    }

    /// Requests that take too long.
    pub(super) fn late_requests(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let now = cx.now();
        let timeout = self.config.limits.request_timeout;
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(traffic) = &mut peer.traffic else { return };
        if traffic.asked.is_empty() || peer.paused || self.disk_behind {
            return;
        }
        let Some(picker) = peer
            .torrent
            .and_then(|key| self.torrents.get_mut(&key))
            .and_then(|torrent| torrent.picker.as_mut())
        else {
            return;
        };
        if !peer.is_choking && now.since(peer.last_block) >= SNUBBED {
            peer.snubbed = true;
        }
        let patience = timeout;
        // A peer that still sends blocks is slow, not dead; only one that sends none loses its requests.
        if now.since(peer.last_block) < patience {
            return;
        }
        while let Some(asked) = traffic.asked.front().copied() {
            if now.since(asked.at) < patience {
                break;
            }
            traffic.asked.pop_front();
            picker.timed_out(peer.key, asked.block);
            encode(&Message::Cancel(asked.block), &mut self.out);
        }
        self.send_out(conn, cx);
    }
}
