//! A client's trackers: whose answer is whose among the torrents' announcers, and what follows from the answers.

use super::{Client, Context, Timer, TorrentKey};
use crate::candidates::PeerSource;
use crate::event::Event;
use crate::metainfo::Metainfo;
use crate::torrent::Goal;
use crate::tracker::{Announcer, Identity, Owner, Pending, Totals, Update, udp};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use p2p_core::{ConnId, Datagram, IoError, LookupId, OpId, SocketId, StreamInput};

/// Whose answer is whose.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Present from the start on.
    identity: Option<Box<Identity>>,
    lookups: BTreeMap<LookupId, TorrentKey>,
    conns: BTreeMap<ConnId, TorrentKey>,
    transactions: BTreeMap<u32, TorrentKey>,
    /// What each announcer waits for.
    pending: BTreeMap<TorrentKey, Pending>,
    /// Announcers of removed torrents that still say good-bye.
    leaving: BTreeMap<TorrentKey, (Box<Announcer>, Totals)>,
    udp_bound: bool,
}

impl Routes {
    pub(super) fn owns_conn(&self, conn: ConnId) -> bool {
        self.conns.contains_key(&conn)
    }

    fn reroute(&mut self, key: TorrentKey, pending: Option<Pending>) {
        if self.pending.get(&key).copied() == pending {
            return;
        }
        match self.pending.remove(&key) {
            Some(Pending::Lookup(id)) => drop(self.lookups.remove(&id)),
            Some(Pending::Conn(id)) => drop(self.conns.remove(&id)),
            Some(Pending::Transaction(id)) => drop(self.transactions.remove(&id)),
            None => {}
        }
        let Some(pending) = pending else { return };
        match pending {
            Pending::Lookup(id) => self.lookups.insert(id, key),
            Pending::Conn(id) => self.conns.insert(id, key),
            Pending::Transaction(id) => self.transactions.insert(id, key),
        };
        self.pending.insert(key, pending);
    }
}

impl Client {
    pub(super) fn identify(&mut self, cx: &mut Context<'_>) {
        let port = self.config.listen.map_or(0, |at| at.port());
        let mut identity = Identity::new(self.id, port, cx.rng());
        identity.user_agent.clone_from(&self.config.agent);
        self.trackers.identity = Some(Box::new(identity));
    }

    pub(super) fn listening_on(&mut self, port: u16) {
        if let Some(identity) = &mut self.trackers.identity {
            identity.port = port;
        }
    }

    pub(super) fn new_announcer(&self, metainfo: &Metainfo, cx: &mut Context<'_>) -> Box<Announcer> {
        let tiers =
            metainfo.announce.iter().map(|tier| tier.iter().map(|url| Arc::<str>::from(url.as_str())));
        let mut announcer = Announcer::new(metainfo.info.info_hash(), tiers, cx.rng());
        if !metainfo.info.is_private() {
            for url in &self.bootstrap.trackers {
                announcer.add(url.as_str().into(), cx.now());
            }
        }
        Box::new(announcer)
    }

    pub(super) fn add_trackers(&mut self, key: TorrentKey, urls: &[String], cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.metainfo.info.is_private() {
            return;
        }
        for url in urls {
            torrent.announcer.add(url.as_str().into(), cx.now());
        }
        if torrent.is_active() {
            self.bind_udp(key, cx);
            self.announcing(key, cx, |announcer, cx, owner| announcer.tick(cx, owner));
        }
    }

    /// Calls a torrent's announcer, then follows up what it says and waits for.
    fn announcing(
        &mut self,
        key: TorrentKey,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut Announcer, &mut Context<'_>, Owner<'_>),
    ) {
        let Some(identity) = &mut self.trackers.identity else { return };
        let mut news = Vec::new();
        let (announcer, totals) = match self.torrents.get_mut(&key) {
            Some(torrent) => {
                let totals = Totals {
                    uploaded: torrent.uploaded,
                    downloaded: torrent.downloaded,
                    left: Some(torrent.left()),
                };
                (&mut torrent.announcer, totals)
            }
            None => match self.trackers.leaving.get_mut(&key) {
                Some((announcer, totals)) => (announcer, *totals),
                None => return,
            },
        };
        call(announcer, cx, Owner { identity, totals, news: &mut news });
        let (pending, due) = (announcer.pending(), announcer.next_due());
        self.trackers.reroute(key, pending);
        match due {
            Some(at) => cx.set_timer_at(Timer::Announce(key), at),
            None => cx.clear_timer(Timer::Announce(key)),
        }
        for update in news {
            self.tracker_says(key, update, cx);
        }
    }

    fn tracker_says(&mut self, key: TorrentKey, update: Update, cx: &mut Context<'_>) {
        let info_hash = self.torrents.get(&key).map(|torrent| torrent.info_hash());
        match (update, info_hash) {
            (Update::Announced { tracker, reply, .. }, Some(info_hash)) => {
                let result = Ok(reply.peers.len() as u32);
                cx.tell(Event::Announced { info_hash, tracker, result });
                let own = self.listening;
                let peers: Vec<SocketAddr> =
                    reply.peers.into_iter().filter(|peer| Some(*peer) != own).collect();
                self.add_candidates(key, &peers, PeerSource::Tracker, cx);
                self.dial(key, cx);
            }
            (Update::Failed { tracker, why }, Some(info_hash)) => {
                cx.tell(Event::Announced { info_hash, tracker, result: Err(why.to_string()) });
            }
            (Update::Scraped { tracker, counts }, Some(info_hash)) => {
                let event = Event::Scraped {
                    info_hash,
                    tracker,
                    seeds: counts.complete,
                    leechers: counts.incomplete,
                };
                if let Some(torrent) = self.torrents.get(&key) {
                    for (op, _) in torrent.waiting.iter().filter(|(_, goal)| *goal == Goal::Scrape) {
                        cx.answer(*op, event.clone());
                    }
                }
                self.end_ops(key, Goal::Scrape, cx, |_| Ok(()));
            }
            (Update::Stopped, _) => {
                self.trackers.leaving.remove(&key);
            }
            _ => {}
        }
    }

    /// UDP trackers are asked through one socket per address family, opened when the first one is needed.
    fn bind_udp(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        let needed = |announcer: &Announcer| announcer.trackers().any(|url| url.starts_with("udp:"));
        if self.trackers.udp_bound
            || !self.torrents.get(&key).is_some_and(|torrent| needed(&torrent.announcer))
        {
            return;
        }
        self.trackers.udp_bound = true;
        let Some(identity) = &mut self.trackers.identity else { return };
        // A client that listens on one address only speaks from it only.
        match self.config.listen.map(|at| at.ip()).filter(|ip| !ip.is_unspecified()) {
            Some(ip @ IpAddr::V4(_)) => identity.sockets.v4 = Some(cx.bind(SocketAddr::new(ip, 0))),
            Some(ip @ IpAddr::V6(_)) => identity.sockets.v6 = Some(cx.bind(SocketAddr::new(ip, 0))),
            None => {
                identity.sockets.v4 = Some(cx.bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)));
                identity.sockets.v6 = Some(cx.bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)));
            }
        }
    }

    pub(super) fn start_trackers(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        self.bind_udp(key, cx);
        if self.listener.is_some() && self.listening.is_none() {
            // The port is not known yet; the torrents announce once it is.
            return;
        }
        self.announcing(key, cx, |announcer, cx, owner| announcer.start(cx, owner));
    }

    pub(super) fn announce_due(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        self.announcing(key, cx, |announcer, cx, owner| announcer.tick(cx, owner));
    }

    pub(super) fn announce_now(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        self.announcing(key, cx, |announcer, cx, owner| {
            announcer.request_more(cx.now());
            announcer.tick(cx, owner);
        });
    }

    pub(super) fn announce_completed(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        // "completed" is for a download that became whole, not for files that were whole at the start (BEP 3).
        if self.torrents.get(&key).is_some_and(|torrent| torrent.is_seed() && torrent.fetched) {
            self.announcing(key, cx, |announcer, cx, owner| announcer.complete(cx, owner));
        }
    }

    pub(super) fn scrape(&mut self, op: OpId, key: TorrentKey, cx: &mut Context<'_>) {
        self.wait_for(op, key, Goal::Scrape, cx);
        self.announcing(key, cx, |announcer, cx, owner| announcer.scrape(cx, owner));
    }

    pub(super) fn leave_trackers(&mut self, key: TorrentKey, cx: &mut Context<'_>) {
        self.announcing(key, cx, |announcer, cx, owner| announcer.stop(cx, owner));
    }

    /// A torrent is being forgotten; its announcer may still have to say good-bye.
    pub(super) fn keep_announcer(
        &mut self,
        key: TorrentKey,
        announcer: Box<Announcer>,
        totals: Totals,
        cx: &mut Context<'_>,
    ) {
        if announcer.is_idle() {
            self.trackers.reroute(key, None);
            return;
        }
        if let Some(at) = announcer.next_due() {
            cx.set_timer_at(Timer::Announce(key), at);
        }
        self.trackers.leaving.insert(key, (announcer, totals));
    }

    pub(super) fn tracker_stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        if let Some(&key) = self.trackers.conns.get(&conn) {
            self.announcing(key, cx, |announcer, cx, owner| announcer.stream(cx, owner, conn, input));
        }
    }

    pub(super) fn tracker_resolved(
        &mut self,
        lookup: LookupId,
        found: Result<Vec<SocketAddr>, IoError>,
        cx: &mut Context<'_>,
    ) {
        if let Some(&key) = self.trackers.lookups.get(&lookup) {
            self.announcing(key, cx, |announcer, cx, owner| announcer.resolved(cx, owner, lookup, found));
        }
    }

    pub(super) fn tracker_datagram(&mut self, socket: SocketId, datagram: &Datagram, cx: &mut Context<'_>) {
        let sockets = self.trackers.identity.as_ref().map(|identity| identity.sockets);
        if !sockets.is_some_and(|sockets| [sockets.v4, sockets.v6].contains(&Some(socket))) {
            return;
        }
        let key = udp::transaction_of(&datagram.data).and_then(|id| self.trackers.transactions.get(&id));
        if let Some(&key) = key {
            self.announcing(key, cx, |announcer, cx, owner| announcer.datagram(cx, owner, datagram));
        }
    }

    pub(super) fn tracker_socket(
        &mut self,
        socket: SocketId,
        at: Result<SocketAddr, IoError>,
        _: &mut Context<'_>,
    ) {
        let Some(identity) = &mut self.trackers.identity else { return };
        if at.is_err() {
            // No such address family here: its trackers count as unreachable.
            let sockets = &mut identity.sockets;
            sockets.v4 = sockets.v4.filter(|v4| *v4 != socket);
            sockets.v6 = sockets.v6.filter(|v6| *v6 != socket);
        }
    }

    pub(super) fn trackers_busy(&self) -> bool {
        !self.trackers.leaving.is_empty()
            || self.torrents.values().any(|torrent| !torrent.announcer.is_idle())
    }

    /// Trackers had their time: what is under way is broken off.
    pub(super) fn abort_trackers(&mut self, cx: &mut Context<'_>) {
        for conn in core::mem::take(&mut self.trackers.conns).into_keys() {
            cx.abort(conn);
        }
        for (key, _) in core::mem::take(&mut self.trackers.leaving) {
            cx.clear_timer(Timer::Announce(key));
        }
        self.trackers.pending.clear();
    }

    pub(super) fn close_trackers(&mut self, cx: &mut Context<'_>) {
        self.abort_trackers(cx);
        if let Some(identity) = &mut self.trackers.identity {
            for socket in [identity.sockets.v4.take(), identity.sockets.v6.take()].into_iter().flatten() {
                cx.unbind(socket);
            }
        }
    }
}
