//! Links are looked after: as many as there should be, none that is dead.

use super::elect::{Standing, elected};
use super::event::{Bootstrap, Event, Parting};
use super::links::Link;
use super::tables::Updates;
use super::{Error, Mode, Servent, Timer};
use crate::handshake::Role;
use crate::wire::bye_code;
use p2p_core::{Cx, Duration, Instant, OpId};

impl Servent {
    /// Joins: dials those that are named, and asks host caches.
    pub(super) fn join_to(&mut self, op: OpId, to: Bootstrap, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        let anybody = !to.peers.is_empty() || !to.udp_caches.is_empty() || !to.web_caches.is_empty();
        if !anybody && self.hosts.is_empty() {
            return cx.finish(op, Err(Error::NobodyKnown));
        }
        self.joins.insert(op, true);
        cx.set_timer(Timer::Join(op), self.config.limits.greeting * 3);
        for peer in to.peers {
            if self.config.fixed {
                self.dial(peer, cx);
            } else {
                self.hosts.named(peer, now);
            }
        }
        for (host, port) in to.udp_caches {
            self.ask_udp_cache(&host, port, cx);
        }
        for url in to.web_caches {
            self.ask_web_cache(&url, cx);
        }
        self.joined(cx);
        self.fill(cx);
    }

    /// Tells those that joined, if there is a neighbour.
    pub(super) fn joined(&mut self, cx: &mut Cx<'_, Self>) {
        if self.links.len() == 0 {
            return;
        }
        while let Some((op, _)) = self.joins.pop_first() {
            cx.clear_timer(Timer::Join(op));
            cx.finish(op, Ok(()));
        }
        self.search_for_transfers(cx);
    }

    pub(super) fn join_late(&mut self, op: OpId, cx: &mut Cx<'_, Self>) {
        if self.joins.remove(&op).is_some() {
            cx.finish(op, Err(Error::NoNeighbour));
        }
    }

    /// How many ultrapeers it wants to link to.
    fn wanted(&self) -> usize {
        match self.role {
            Role::Leaf => self.config.leaf_ultrapeers,
            Role::Ultrapeer => usize::from(self.config.degree).min(self.config.limits.ultrapeers),
        }
    }

    /// Dials as many as there lack, of those that are known.
    pub(super) fn fill(&mut self, cx: &mut Cx<'_, Self>) {
        if self.config.fixed || self.stopping {
            return;
        }
        let now = cx.now();
        loop {
            let (dialling, _) = self.dialling(core::net::SocketAddr::from(([0, 0, 0, 0], 0)));
            let linked = self.links.count(Role::Ultrapeer);
            if linked + dialling >= self.wanted() || dialling >= self.config.limits.dials {
                return;
            }
            let is_free = |addr| {
                let (_, dialled) = self.dialling(addr);
                let linked = self.links.iter().any(|link| link.addr == addr || link.listens_at == Some(addr));
                !dialled && !linked && Some(addr) != self.listening && addr != self.reached_at().into()
            };
            let Some(addr) = self.hosts.next(now, self.config.redial_after, is_free) else {
                // One of those that are known may be dialled again in a while.
                return self.tend_by(now, cx);
            };
            self.hosts.tried(addr, now);
            self.dial(addr, cx);
        }
    }

    /// Looks after links: when the first of them was silent for too long, or something else is to be done by then.
    pub(super) fn tend(&mut self, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        self.tends_at = None;
        if self.links.iter().any(|link| self.silent_at(link) <= now) {
            self.ping_the_silent(cx);
        }
        self.tend_reached(cx);
        if self.config.mode == Mode::Auto {
            self.elect(cx);
            self.tend_by(now, cx);
        }
        self.search_for_transfers(cx);
        self.fill(cx);
        // Whoever becomes a neighbour meanwhile is not silent for long before that.
        let latest = match self.role {
            Role::Leaf => self.config.leaf_silence,
            Role::Ultrapeer => self.config.silence,
        };
        let latest = now + latest + self.config.tend_every;
        let first = self.links.iter().map(|link| self.silent_at(link)).fold(latest, Instant::min);
        self.tend_by(first, cx);
    }

    /// Links are to be looked after by then, but not at once: what is due within `tend_every` is done together.
    pub(super) fn tend_by(&mut self, at: Instant, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        let at = at.max(now + self.config.tend_every);
        if !self.config.fixed && self.tends_at.is_none_or(|before| at < before) {
            self.tends_at = Some(at);
            cx.set_timer(Timer::Tend, at.since(now));
        }
    }

    /// How long a neighbour may be silent.
    fn silence(&self, link: &Link) -> Duration {
        match (self.role, link.peer_role) {
            (Role::Ultrapeer, Role::Ultrapeer) => self.config.silence,
            _ => self.config.leaf_silence,
        }
    }

    /// When something is to be done about a neighbour if it says nothing. Who was dialled waits twice as long as who dialled:
    /// one question for each link is enough.
    fn silent_at(&self, link: &Link) -> Instant {
        let silence = self.silence(link);
        match link.pinged_at {
            // Its answer is under way, and all is well until it would be asked again.
            Some(at) => at + silence + self.config.tend_every,
            None if link.dialled => link.heard_at + silence,
            None => link.heard_at + silence * 2,
        }
    }

    /// Pings those that are silent, with those that soon would be; ends links with those that do not answer.
    fn ping_the_silent(&mut self, cx: &mut Cx<'_, Self>) {
        for id in self.links.ids() {
            let Some(link) = self.links.get(id) else { continue };
            let at = self.silent_at(link);
            // Those that he dialled together, who was dialled not before he must: the other is about to.
            let soon = cx.now() + if link.dialled { self.silence(link) / 4 } else { Duration::ZERO };
            match link.pinged_at {
                None if at <= soon => self.ping_silent(id, cx),
                Some(_) if at <= cx.now() => {
                    self.say_bye(id, bye_code::NO_PONG, "No answer to a ping", Parting::Silent, cx);
                }
                _ => {}
            }
        }
    }

    fn elect(&mut self, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        let since = self.role_since.max(self.started);
        let (ultrapeers, leaves) = (self.links.count(Role::Ultrapeer), self.links.count(Role::Leaf));
        if ultrapeers > 0 {
            self.guided_at = now;
        }
        if leaves > 0 {
            self.unneeded = 0;
        }
        let standing = Standing {
            role: self.role,
            // Who was not needed the last time waits anew, and longer each time.
            uptime: now.since(if self.unneeded > 0 { since } else { self.started }),
            uptime_wanted: self.config.ultrapeer_uptime * (1 << self.unneeded.min(6)),
            reachable: self.reached.tcp == Some(true),
            uplink_kilobytes: self.config.uplink_kilobytes,
            leaves,
            ultrapeers,
            since: now.since(since),
            alone: now.since(self.guided_at.max(since)),
            lot: self.guid.0[0],
        };
        let role = elected(standing);
        if role != self.role {
            self.unneeded = self.unneeded.saturating_add(u32::from(role == Role::Leaf));
            self.become_role(role, cx);
        }
    }

    /// Becomes a leaf or an ultrapeer: links of the other role end, for neighbours agreed to that one.
    pub(super) fn become_role(&mut self, role: Role, cx: &mut Cx<'_, Self>) {
        if self.role == role {
            return;
        }
        self.role = role;
        self.updates = Updates::default();
        self.role_since = cx.now();
        cx.tell(Event::Became(role));
        for id in self.links.ids() {
            self.say_bye(id, bye_code::MODE_CHANGED, "Leaf or ultrapeer mode changed", Parting::Ours, cx);
        }
        self.tables_changed(cx);
    }
}
