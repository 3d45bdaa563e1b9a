//! What the application asks for.

use super::{Client, Context, Timer, TorrentKey};
use crate::candidates::{Candidates, PeerSource};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::event::Torrent as Wanted;
use crate::event::{Bootstrap, Command, Event, PeerStatus, Status};
use crate::info_hash::InfoHash;
use crate::metainfo::Layout;
use crate::peer::session::Pieces;
use crate::rate::Rate;
use crate::reader::Reader;
use crate::store::Store;
use crate::super_seed::SuperSeed;
use crate::suspects::Suspects;
use crate::torrent::{Gained, Goal, Phase, Torrent, USUAL};
use crate::tracker::Totals;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::limit::TokenBucket;
use p2p_core::{Bitfield, Duration, OpId};

impl Client {
    pub(super) fn command(&mut self, op: OpId, command: Command, cx: &mut Context<'_>) {
        if self.stopping.is_some() {
            return cx.finish(op, Err(Error::Stopping));
        }
        let result = match command {
            Command::Join(bootstrap) => return self.join(op, bootstrap, cx),
            Command::Download(wanted) => return self.add(op, *wanted, Goal::Download, false, cx),
            Command::Fetch(wanted) => return self.add(op, *wanted, Goal::Download, true, cx),
            Command::Seed(wanted) => return self.add(op, *wanted, Goal::Seed, false, cx),
            Command::Verify(wanted) => return self.verify(op, *wanted, cx),
            Command::Save(hash) => match self.find(hash) {
                Ok(key) => return self.wait_for(op, key, Goal::Save, cx),
                Err(error) => Err(error),
            },
            Command::Scrape(hash) => match self.find(hash) {
                Ok(key) => return self.scrape(op, key, cx),
                Err(error) => Err(error),
            },
            Command::Remove(hash) => self.find(hash).map(|key| self.remove(key, cx)),
            Command::Pause(hash, paused) => self.find(hash).map(|key| self.pause(key, paused, cx)),
            Command::AddPeers(hash, peers) => self.find(hash).map(|key| {
                self.add_candidates(key, &peers, PeerSource::User, cx);
                self.dial(key, cx);
            }),
            Command::SetPriority(hash, file, priority) => {
                self.find(hash).and_then(|key| self.set_priority(key, file, priority, cx))
            }
            Command::SetOrder(hash, order) => self.find(hash).map(|key| {
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.order = order;
                    if let Some(picker) = &mut torrent.picker {
                        picker.set_mode(order);
                    }
                }
            }),
            Command::SetDeadline(hash, piece, within) => {
                self.find(hash).and_then(|key| self.set_deadline(key, piece, within, cx))
            }
            Command::SetRates { upload, download } => {
                self.set_rates(upload, download, cx);
                Ok(())
            }
            Command::Announce(hash) => self.find(hash).map(|key| self.announce_now(key, cx)),
            Command::Recheck(hash) => self.find(hash).map(|key| {
                self.check_again(key, cx);
            }),
            Command::Status(hash) => self.find(hash).map(|key| {
                if let Some(status) = self.status(key, cx) {
                    cx.answer(op, Event::Status(Box::new(status)));
                }
            }),
        };
        cx.finish(op, result);
    }

    fn find(&self, hash: InfoHash) -> Result<TorrentKey, Error> {
        self.by_hash.get(&hash).copied().ok_or(Error::Unknown)
    }

    fn join(&mut self, op: OpId, bootstrap: Bootstrap, cx: &mut Context<'_>) {
        let keys: Vec<TorrentKey> = self.torrents.keys().copied().collect();
        for key in keys {
            self.add_trackers(key, &bootstrap.trackers, cx);
            self.add_candidates(key, &bootstrap.peers, PeerSource::User, cx);
            self.dial(key, cx);
        }
        self.bootstrap.trackers.extend(bootstrap.trackers);
        self.bootstrap.peers.extend(bootstrap.peers);
        if self.listener.is_some() && self.listening.is_none() {
            self.joining.push(op);
        } else {
            cx.finish(op, Ok(()));
        }
    }

    fn verify(&mut self, op: OpId, wanted: Wanted, cx: &mut Context<'_>) {
        if let Some(&key) = self.by_hash.get(&wanted.metainfo.info.info_hash()) {
            self.wait_for(op, key, Goal::Verify, cx);
            return self.check_again(key, cx);
        }
        self.add(op, Wanted { recheck: true, ..wanted }, Goal::Verify, false, cx);
    }

    /// Digests every piece of a torrent that is here.
    fn check_again(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        self.check(key, true, cx);
        self.drop_all(key, DropReason::Checking, cx);
    }

    /// Adds a torrent, or joins the wait for one that is here.
    fn add(&mut self, op: OpId, wanted: Wanted, goal: Goal, read: bool, cx: &mut Context<'_>) {
        let hash = wanted.metainfo.info.info_hash();
        if let Some(files) = &wanted.select
            && files.iter().any(|&file| file as usize >= wanted.metainfo.info.files().len())
        {
            return cx.finish(op, Err(Error::OutOfRange { what: "file" }));
        }
        let key = match self.by_hash.get(&hash) {
            Some(&key) => {
                self.add_candidates(key, &wanted.peers, PeerSource::User, cx);
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.kept = true;
                    torrent.paused = false;
                    if matches!(torrent.phase, Phase::Failed(_) | Phase::Paused) {
                        self.go_on(key, cx);
                    }
                }
                key
            }
            None if self.config.state == Some(wanted.root)
                && crate::resume::is_own_folder(&wanted.metainfo.info) =>
            {
                return cx.finish(op, Err(Error::OwnFolder));
            }
            None if self.torrents.len() >= self.config.limits.torrents => {
                return cx.finish(op, Err(Error::Limit { what: "torrents" }));
            }
            None => self.insert(&wanted, goal != Goal::Verify, cx),
        };
        if read {
            let ranges = self.ranges(key, wanted.select.as_deref());
            if let Some(torrent) = self.torrents.get_mut(&key) {
                torrent.readers.push(Reader::new(op, ranges));
            }
            self.ops.insert(op, key);
            self.feed_readers(key, cx);
            self.start_reporting(key, cx);
        } else {
            self.wait_for(op, key, goal, cx);
        }
    }

    fn insert(&mut self, wanted: &Wanted, kept: bool, cx: &mut Context<'_>) -> TorrentKey {
        let key = TorrentKey(self.next_torrent);
        self.next_torrent += 1;
        let info = &wanted.metainfo.info;
        let priorities = wanted.select.as_ref().map(|files| {
            let mut all: Box<[u8]> = alloc::vec![0; info.files().len()].into();
            for &file in files {
                all[file as usize] = USUAL;
            }
            all
        });
        // Without a folder in front, a layout's paths are the torrent's own, which are paths.
        let Ok(layout) = Layout::new(info.clone(), wanted.root, None) else { return key };
        let torrent = Torrent {
            key,
            layout,
            phase: Phase::Paused,
            have: Bitfield::new(info.pieces().count()),
            checked: false,
            paused: false,
            kept,
            priorities,
            order: wanted.order,
            picker: None,
            store: Store::default(),
            peers: BTreeMap::new(),
            dialling: 0,
            candidates: Candidates::default(),
            more_at: cx.now(),
            more_asked: 0,
            hungry: 0,
            announcer: self.new_announcer(&wanted.metainfo, cx),
            gained: Gained::default(),
            choker: None,
            served: 0,
            rate_in: Rate::new(cx.now()),
            rate_out: Rate::new(cx.now()),
            downloaded: 0,
            uploaded: 0,
            wasted: 0,
            suspects: Suspects::default(),
            accused: BTreeMap::new(),
            super_seed: wanted.super_seed.then(|| Box::new(SuperSeed::new(info.pieces().count()))),
            offers: None,
            readers: Vec::new(),
            waiting: Vec::new(),
            unsynced: BTreeSet::new(),
            saving: None,
            save_again: false,
            complete_told: false,
            fetched: false,
            timers: Default::default(),
            jobs: 0,
            metainfo: wanted.metainfo.clone(),
        };
        self.by_hash.insert(torrent.info_hash(), key);
        self.torrents.insert(key, Box::new(torrent));
        self.add_candidates(key, &wanted.peers, PeerSource::User, cx);
        let known = self.bootstrap.peers.clone();
        self.add_candidates(key, &known, PeerSource::User, cx);
        self.check(key, wanted.recheck, cx);
        key
    }

    /// The byte ranges of the selected files, or of all.
    fn ranges(&self, key: TorrentKey, select: Option<&[u32]>) -> Vec<(u64, u64)> {
        let Some(torrent) = self.torrents.get(&key) else { return Vec::new() };
        let info = &torrent.metainfo.info;
        match select {
            None => alloc::vec![(0, info.total())],
            Some(files) => {
                let mut files = files.to_vec();
                files.sort_unstable();
                files.dedup();
                files
                    .iter()
                    .filter_map(|&file| info.files().get(file as usize))
                    .map(|file| (file.offset, file.offset + file.len))
                    .collect()
            }
        }
    }

    /// Keeps an operation until its goal is reached; at once, if it is.
    pub(super) fn wait_for(&mut self, op: OpId, key: TorrentKey, goal: Goal, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return cx.finish(op, Err(Error::Removed)) };
        torrent.waiting.push((op, goal));
        self.ops.insert(op, key);
        let checked = !matches!(torrent.phase, Phase::Checking(_));
        match goal {
            Goal::Download if checked && torrent.is_active() && torrent.is_complete() => {
                self.report_now(key, cx);
                self.end_ops(key, Goal::Download, cx, |_| Ok(()));
            }
            Goal::Seed if checked => {
                let (missing, pieces) = (torrent.have.len() - torrent.have.count(), torrent.have.len());
                self.end_ops(key, Goal::Seed, cx, |_| match missing {
                    0 => Ok(()),
                    missing => Err(Error::Incomplete { missing, pieces }),
                });
            }
            Goal::Save => self.save_now(key, cx),
            _ => {}
        }
        self.start_reporting(key, cx);
    }

    /// Ends all operations that wait for this goal of a torrent.
    pub(super) fn end_ops(
        &mut self,
        key: TorrentKey,
        goal: Goal,
        cx: &mut Context<'_>,
        result: impl Fn(&Goal) -> Result<(), Error>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let ops = &mut self.ops;
        torrent.waiting.retain(|(op, waits)| {
            if *waits != goal {
                return true;
            }
            ops.remove(op);
            cx.finish(*op, result(waits));
            false
        });
    }

    /// Ends every operation of a torrent with an error.
    pub(super) fn fail_ops(&mut self, key: TorrentKey, error: &Error, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let readers = core::mem::take(&mut torrent.readers);
        let waiting = core::mem::take(&mut torrent.waiting);
        for op in waiting.into_iter().map(|(op, _)| op).chain(readers.into_iter().map(|reader| reader.op)) {
            self.ops.remove(&op);
            cx.finish(op, Err(error.clone()));
        }
    }

    pub(super) fn end_reader(
        &mut self,
        key: TorrentKey,
        op: OpId,
        result: Result<(), Error>,
        cx: &mut Context<'_>,
    ) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.readers.retain(|reader| reader.op != op);
        }
        self.ops.remove(&op);
        cx.finish(op, result);
    }

    /// Nobody waits for this operation any more. The torrent itself stays: it is the application's to remove.
    pub(super) fn cancel(&mut self, op: OpId, cx: &mut Context<'_>) {
        let joining = self.joining.len();
        self.joining.retain(|joining| *joining != op);
        let key = self.ops.remove(&op);
        if key.is_none() && joining == self.joining.len() {
            // It ended before it was cancelled.
            return;
        }
        if let Some(torrent) = key.and_then(|key| self.torrents.get_mut(&key)) {
            torrent.readers.retain(|reader| reader.op != op);
            torrent.waiting.retain(|(waiting, _)| *waiting != op);
        }
        cx.finish(op, Ok(()));
    }

    fn remove(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        self.flush(key, cx);
        self.save_now(key, cx);
        self.fail_ops(key, &Error::Removed, cx);
        // So that nobody is dialled in place of those that are dropped.
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.phase = Phase::Paused;
        }
        self.drop_all(key, DropReason::TorrentRemoved, cx);
        self.leave_trackers(key, cx);
        self.forget_torrent(key, cx);
    }

    pub(super) fn forget_torrent(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(mut torrent) = self.torrents.remove(&key) else { return };
        self.held = self.held.saturating_sub(torrent.store.drop_waiting());
        self.by_hash.remove(&torrent.info_hash());
        if torrent.jobs > 0 {
            self.lingering.insert(key, (torrent.info_hash(), torrent.jobs));
        }
        self.forget_timers(key, cx);
        let totals =
            Totals { uploaded: torrent.uploaded, downloaded: torrent.downloaded, left: Some(torrent.left()) };
        self.keep_announcer(key, torrent.announcer, totals, cx);
    }

    #[allow(clippy::unused_self)]
    pub(super) fn forget_timers(&self, key: TorrentKey, cx: &mut Context<'_>) {
        for timer in
            [Timer::Round(key), Timer::Announce(key), Timer::Flush(key), Timer::Save(key), Timer::Report(key)]
        {
            cx.clear_timer(timer);
        }
    }

    fn pause(&mut self, key: TorrentKey, paused: bool, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        // A torrent that is being checked rests, or does not, once it is.
        torrent.paused = paused;
        match (&torrent.phase, paused) {
            (Phase::Active, true) => {
                self.flush(key, cx);
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.phase = Phase::Paused;
                }
                self.drop_all(key, DropReason::Paused, cx);
                self.leave_trackers(key, cx);
                self.save_now(key, cx);
            }
            (Phase::Paused | Phase::Failed(_), false) => self.go_on(key, cx),
            _ => {}
        }
    }

    fn set_priority(
        &mut self,
        key: TorrentKey,
        file: u32,
        priority: u8,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let Some(torrent) = self.torrents.get_mut(&key) else { return Err(Error::Unknown) };
        let count = torrent.metainfo.info.files().len();
        if file as usize >= count {
            return Err(Error::OutOfRange { what: "file" });
        }
        torrent.priorities.get_or_insert_with(|| alloc::vec![USUAL; count].into())[file as usize] =
            priority.min(7);
        for piece in torrent.metainfo.info.pieces_of(file as usize).into_iter().flatten() {
            let priority = torrent.piece_priority(piece);
            if let Some(picker) = &mut torrent.picker {
                picker.set_priority(piece, priority);
            }
        }
        torrent.complete_told &= torrent.is_complete();
        self.recount_interest(key, cx);
        self.check_complete(key, cx);
        Ok(())
    }

    /// Counts anew what each peer has that is wanted.
    fn recount_interest(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        let Some(picker) = &torrent.picker else { return };
        let conns: Vec<_> = torrent.peers.values().copied().collect();
        for conn in &conns {
            let Some(peer) = self.peers.get_mut(conn) else { continue };
            peer.wanted = match &peer.pieces {
                Pieces::All => picker.missing(),
                Pieces::Some(bits) => {
                    bits.ones_not_in(&torrent.have).filter(|&piece| picker.wants(piece)).count() as u32
                }
                Pieces::Unsaid => 0,
            };
        }
        for conn in conns {
            self.update_interest(conn);
            self.send_out(conn, cx);
            self.ask_more(conn, cx);
        }
    }

    fn set_deadline(
        &mut self,
        key: TorrentKey,
        piece: u32,
        within: Option<u32>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let Some(torrent) = self.torrents.get_mut(&key) else { return Err(Error::Unknown) };
        if piece >= torrent.have.len() {
            return Err(Error::OutOfRange { what: "piece" });
        }
        self.need_picker(key, cx);
        if let Some(picker) = self.torrents.get_mut(&key).and_then(|torrent| torrent.picker.as_mut()) {
            picker.set_deadline(piece, within.map(|ms| cx.now() + Duration::from_millis(u64::from(ms))));
        }
        Ok(())
    }

    fn set_rates(&mut self, upload: Option<u64>, download: Option<u64>, cx: &mut Context<'_>) {
        let now = cx.now();
        let bucket = |rate: Option<u64>| {
            rate.map_or_else(TokenBucket::unlimited, |rate| TokenBucket::new(now, rate, rate))
        };
        self.config.upload_rate = upload;
        self.config.download_rate = download;
        self.upload_bucket = bucket(upload);
        self.download_bucket = bucket(download);
        self.upload_refilled(cx);
        self.download_refilled(cx);
    }

    /// Remembers addresses of peers.
    pub(super) fn add_candidates(
        &mut self,
        key: TorrentKey,
        addrs: &[SocketAddr],
        source: PeerSource,
        cx: &mut Context<'_>,
    ) {
        let limit = self.config.limits.candidates;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        for addr in addrs {
            torrent.candidates.add(*addr, source, limit, cx.now());
        }
    }

    /// Tells those who wait for a torrent how it does, now and regularly.
    pub(super) fn report(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.timers.report = false;
        }
        self.report_now(key, cx);
        // Nothing changes of a torrent without peers.
        let Some(torrent) = self.torrents.get(&key) else { return };
        if matches!(torrent.phase, Phase::Checking(_)) || !torrent.peers.is_empty() || torrent.jobs > 0 {
            self.start_reporting(key, cx);
        }
    }

    pub(super) fn report_now(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        if torrent.waiting.is_empty() {
            return;
        }
        let progress = torrent.progress(self.seeds_of(torrent), cx.now());
        for (op, goal) in &torrent.waiting {
            if matches!(goal, Goal::Download | Goal::Verify | Goal::Seed) {
                cx.answer(*op, Event::Progress(Box::new(progress.clone())));
            }
        }
    }

    pub(super) fn start_reporting(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if !torrent.waiting.is_empty() && !torrent.timers.report {
            torrent.timers.report = true;
            cx.set_timer(Timer::Report(key), self.config.report_every);
        }
    }

    pub(super) fn status(&self, key: TorrentKey, cx: &Context<'_>) -> Option<Status> {
        let torrent = self.torrents.get(&key)?;
        let now = cx.now();
        let peers = torrent.peers.values().filter_map(|conn| self.peers.get(conn)).map(|peer| PeerStatus {
            addr: peer.addr,
            source: peer.source,
            agent: peer.extended.as_ref().and_then(|e| e.agent.as_deref()).unwrap_or_default().into(),
            pieces: peer.pieces.count(torrent.have.len()),
            rate_in: peer.rate_in.per_second(now),
            rate_out: peer.rate_out.per_second(now),
            downloaded: peer.downloaded,
            uploaded: peer.uploaded,
            choking_us: peer.is_choking,
            choked: peer.am_choking,
            interesting: peer.am_interested,
            interested: peer.is_interested,
            snubbed: peer.snubbed,
        });
        Some(Status {
            progress: torrent.progress(self.seeds_of(torrent), now),
            have: torrent.have.clone(),
            error: match &torrent.phase {
                Phase::Failed(error) => Some(error.clone()),
                _ => None,
            },
            peers: peers.collect(),
            candidates: torrent.candidates.len() as u32,
        })
    }
}
