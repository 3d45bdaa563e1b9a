//! A member in its LAN: beacons, what comes by the group and what is sent to it, and who feeds which tree.

use super::{Context, Counts, Esm, Live, State};
use crate::api::{Event, Timer};
use crate::group::GroupKey;
use crate::lan::beacon::{self, Beacon, Sends};
use crate::lan::peers::rank;
use crate::lan::stripe::{STANDBYS, Sight, Step, Stripe};
use crate::lan::{Island, Lan};
use crate::manifest;
use crate::member::questions::Purpose;
use crate::playout::Taken;
use crate::symbol::{self, Symbol};
use crate::wire::{Ask, Flow, Known, MemberId, Tell};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::{Datagram, Duration, Instant, IoError, SocketId};

/// Others answer a new host within so long, each at another moment.
const WELCOME: Duration = Duration::from_millis(40);
/// Generations that a parent sends again to a child that it had let rest.
const CATCH_UP: u64 = 64;
/// Symbols of them at most.
const MOST_CAUGHT_UP: usize = 64;

/// Sends a symbol or a manifest to the group, if anybody is there.
pub(super) fn cast(
    island: Option<&mut Island>,
    socket: SocketId,
    data: &Bytes,
    counts: &mut Counts,
    cx: &mut Context<'_>,
) -> bool {
    let now = cx.now();
    let Some(island) = island.filter(|island| island.has_listeners(now)) else { return false };
    island.cast(now);
    counts.multicast += 1;
    cx.send_datagram(socket, to_group(island, data.clone()));
    true
}

/// Never farther than the LAN, and never by an interface that the system chooses.
const fn to_group(island: &Island, data: Bytes) -> Datagram {
    Datagram { peer: island.group, data, ttl: Some(1), interface: island.lan.interface }
}

impl Esm {
    /// The stream is known: the others in the LAN are looked for.
    pub(super) fn enter_lan(&mut self, group: GroupKey, cx: &mut Context<'_>) {
        let Some(lan) = self.config.lan else { return };
        self.exit_lan(cx);
        let now = cx.now();
        let is_ipv6 = self.config.listen.is_ipv6();
        self.lan = Some(Island::new(lan, group, is_ipv6, now, |at| cx.bind(at)));
    }

    pub(super) fn exit_lan(&mut self, cx: &mut Context<'_>) {
        if let Some(island) = self.lan.take() {
            if island.is_joined {
                cx.leave_group(island.socket, island.membership());
            }
            cx.unbind(island.socket);
            cx.clear_timer(Timer::Lan);
        }
    }

    pub(super) fn lan_bound(
        &mut self,
        socket: SocketId,
        bound: Result<SocketAddr, IoError>,
        cx: &mut Context<'_>,
    ) {
        let Some(island) = self.lan.as_mut().filter(|island| island.socket == socket) else { return };
        if bound.is_err() {
            // Without a group it is as if nobody were there.
            self.lan = None;
            cx.clear_timer(Timer::Lan);
            self.seek_all(cx);
            return;
        }
        island.is_joined = true;
        cx.join_group(socket, island.membership());
        cx.set_timer(Timer::Lan, Duration::ZERO);
    }

    /// Whether a datagram came by the group.
    pub(super) fn is_by_group(&self, socket: SocketId) -> bool {
        self.lan.as_ref().is_some_and(|island| island.socket == socket)
    }

    pub(super) fn by_group(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        let Some(Island { lan: Lan { interface, .. }, .. }) = self.lan else { return };
        let is_near = datagram.ttl == Some(1);
        let is_here = interface.is_none() || datagram.interface.is_none_or(|by| Some(by) == interface);
        if !is_near || !is_here {
            // It crossed a router, or came by another network.
            self.counts.far += 1;
            return;
        }
        match datagram.data.first() {
            Some(&symbol::KIND) => self.symbol_by_group(datagram, cx),
            Some(&manifest::KIND) => self.manifest_by_group(datagram, cx),
            Some(&beacon::KIND) => self.beacon(datagram, cx),
            _ => self.counts.bad += 1,
        }
    }

    fn beacon(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        let (me, now) = (self.me, cx.now());
        let Some(tag) = self.tag() else { return };
        let Some(island) = &mut self.lan else { return };
        let Ok(beacon) = Beacon::decode(&datagram.data, tag) else {
            self.counts.bad += 1;
            return;
        };
        if beacon.from == me {
            island.me_at = Some(datagram.peer);
            return;
        }
        let live = if let State::Live(live) = &self.state { Some(live) } else { None };
        let claims: Vec<_> = live.map_or_else(Vec::new, |live| {
            let trees = live.trees.len();
            let known = beacon.sends.iter().filter(|sends| usize::from(sends.tree) < trees);
            known.map(|sends| (sends.tree, live.playout.number(sends.newest))).collect()
        });
        let sends = !claims.is_empty();
        let peer = datagram.peer;
        if island.peers.note(&beacon, peer, claims, me, now) {
            island.hasten(now, WELCOME, cx.rng());
            let due = island.pace(now);
            cx.set_timer(Timer::Lan, due);
        }
        // Who sends is asked for what is lost, and for that one needs its token.
        let is_mutual = island.peers.is_at(peer, now);
        if sends && is_mutual && live.is_some_and(|live| live.source.is_none()) {
            self.view.note(beacon.from, peer, now);
            let has_token = self.view.get(peer).is_some_and(|known| known.token != 0);
            if !has_token && !self.questions.any(|question| question.to == peer) {
                self.ask(peer, Ask::Probe, Purpose::Probe, cx);
            }
        }
    }

    fn symbol_by_group(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        let now = cx.now();
        let (Some(socket), State::Live(live), Some(island)) = (self.socket, &mut self.state, &mut self.lan)
        else {
            return;
        };
        let from = datagram.peer;
        if island.me_at == Some(from) || live.source.is_some() {
            return;
        }
        let Some(sender) = island.peers.sender(from, now) else {
            self.counts.bad += 1;
            return;
        };
        let is_proven = sender.is_proven(now);
        let Ok(symbol) = Symbol::decode(&datagram.data, live.tag) else {
            self.counts.bad += 1;
            return;
        };
        let tree = live.broadcast.shape.tree(symbol.index);
        let generation = live.playout.number(symbol.generation);
        if !is_proven && !live.playout.is_listed(generation) {
            island.quality.note(generation, symbol.index, from, symbol.body, true);
            return;
        }
        match live.playout.insert(&symbol, now) {
            Taken::New => {
                self.counts.symbols += 1;
                self.counts.group += 1;
                self.counts.sent += live.send_on(socket, tree, &datagram.data, from, cx);
            }
            Taken::Twice => {
                self.counts.group += 1;
                self.counts.group_twice += 1;
            }
            Taken::Late | Taken::Ahead => return,
            Taken::Forged => {
                self.counts.bad += 1;
                island.peers.blame(from, now);
                return;
            }
        }
        let mut is_sound = is_proven;
        match live.playout.symbol(generation, symbol.index) {
            Some(body) if *body == symbol.body => {
                island.quality.came();
                island.peers.prove(from, now);
                is_sound = true;
            }
            Some(_) => {
                self.counts.bad += 1;
                island.peers.blame(from, now);
                return;
            }
            None => island.quality.note(generation, symbol.index, from, symbol.body, false),
        }
        if is_sound && let Some(stripe) = island.stripes.get_mut(usize::from(tree)) {
            stripe.came_by_group(generation, now);
            let at = &mut live.trees[usize::from(tree)];
            at.newest = at.newest.max(generation);
        }
        self.play(cx);
        self.mind_the_gaps(cx);
    }

    fn manifest_by_group(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        let now = cx.now();
        let (State::Live(live), Some(island)) = (&self.state, &self.lan) else { return };
        if island.me_at == Some(datagram.peer) || live.source.is_some() {
            return;
        }
        if island.peers.sender(datagram.peer, now).is_none() {
            self.counts.bad += 1;
            return;
        }
        if !self.manifest(datagram, true, cx)
            && let Some(island) = &mut self.lan
        {
            island.peers.blame(datagram.peer, now);
        }
    }

    /// A manifest is here of the generations from `first` on that have so many packets: whoever sent their symbols to
    /// the group is judged by it.
    pub(super) fn judge(&mut self, first: u64, counts: &[u8], now: Instant) {
        let (State::Live(live), Some(island)) = (&mut self.state, &mut self.lan) else { return };
        let shape = live.broadcast.shape;
        for verdict in island.quality.judge(first + counts.len() as u64, shape, &mut live.playout, now) {
            if verdict.sound {
                let was_proven =
                    island.peers.sender(verdict.from, now).is_some_and(|sender| sender.is_proven(now));
                island.peers.prove(verdict.from, now);
                if !was_proven && let Some(stripe) = island.stripes.get_mut(usize::from(verdict.tree)) {
                    stripe.came_by_group(first, now);
                }
            } else {
                self.counts.bad += 1;
                island.peers.blame(verdict.from, now);
            }
        }
        let is_poor = !island.is_willing();
        for (tree, stripe) in (0_u8..).zip(&island.stripes) {
            let sent = island.peers.forwarders(tree, now).any(|peer| peer.claim(tree, now).is_some());
            if sent && (is_poor || !stripe.is_own) {
                let symbols = |count: &u8| {
                    let numbers = (0..*count).chain(shape.data()..shape.symbols());
                    numbers.filter(|index| shape.tree(*index) == tree).count()
                };
                // At most 64 in a generation, and sixteen generations.
                island.quality.expect(counts.iter().map(symbols).sum::<usize>() as u32, now);
            }
        }
    }

    /// A symbol came from outside: it is sent to the group if nobody else did.
    pub(super) fn take_from_outside(
        &mut self,
        (tree, generation): (u8, u64),
        is_new: bool,
        is_parent: bool,
        datagram: &Datagram,
        cx: &mut Context<'_>,
    ) {
        let now = cx.now();
        let (Some(socket), Some(island)) = (self.socket, &mut self.lan) else { return };
        let Some(stripe) = island.stripes.get_mut(usize::from(tree)) else { return };
        if !stripe.is_own {
            if is_parent {
                self.hush_again(tree, cx);
            }
            return;
        }
        if is_parent {
            stripe.came_from_outside(generation, now);
        }
        if !is_new {
            return;
        }
        if let Some(boaster) = stripe.suspect.take_if(|_| is_parent) {
            island.peers.disbelieve(boaster, tree, now);
        }
        if cast(self.lan.as_mut(), socket, &datagram.data, &mut self.counts, cx) {
            self.is_active(tree, cx);
        }
    }

    /// A tree is sent to the group.
    fn is_active(&mut self, tree: u8, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(island) = &mut self.lan else { return };
        let Some(stripe) = island.stripes.get_mut(usize::from(tree)) else { return };
        if !core::mem::replace(&mut stripe.is_active, true) {
            island.tell(now);
            let due = island.pace(now);
            cx.set_timer(Timer::Lan, due);
            cx.tell(Event::Forwards { tree, active: true });
        }
    }

    /// The source sent a symbol.
    pub(super) fn source_cast(&mut self, tree: u8, generation: u64, data: &Bytes, cx: &mut Context<'_>) {
        let Some(socket) = self.socket else { return };
        let now = cx.now();
        if cast(self.lan.as_mut(), socket, data, &mut self.counts, cx) {
            if let Some(stripe) = self.lan.as_mut().and_then(|lan| lan.stripes.get_mut(usize::from(tree))) {
                stripe.came_from_outside(generation, now);
            }
            self.is_active(tree, cx);
        }
    }

    /// Whether a manifest that goes down these trees is ours to send to the group.
    pub(super) fn casts(&self, trees: (u8, Option<u8>)) -> bool {
        let Some(island) = &self.lan else { return false };
        let own = |tree: u8| island.stripes.get(usize::from(tree)).is_some_and(|stripe| stripe.is_own);
        own(trees.0) || trees.1.is_some_and(own)
    }

    pub(super) fn lan_tick(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(island) = self.lan.as_mut().filter(|island| island.is_joined) else { return };
        island.peers.tidy(now);
        let changed = island.listen(now);
        let steps = self.steps(now);
        let is_news = changed || steps.iter().any(|(_, step)| step.0 != Step::Stay);
        for (tree, (step, see)) in steps {
            self.step(tree, step, &see, cx);
        }
        self.joined(cx);
        let Some(tag) = self.tag() else { return };
        let Some(island) = &mut self.lan else { return };
        if is_news {
            island.tell(now);
        }
        if island.is_due(now) {
            island.beaconed(now, cx.rng());
            self.send_beacon(tag, cx);
        }
        if let Some(island) = &self.lan {
            let due = island.pace(now);
            cx.set_timer(Timer::Lan, due);
        }
    }

    fn send_beacon(&mut self, tag: [u8; 4], cx: &mut Context<'_>) {
        let now = cx.now();
        let (Some(socket), Some(island)) = (self.socket, &mut self.lan) else { return };
        let live = if let State::Live(live) = &self.state { Some(live) } else { None };
        let is_source = live.is_some_and(|live| live.source.is_some());
        let is_leaving = live.is_some_and(|live| live.leaving.is_some()) && !is_source;
        let willing = island.is_willing() && !is_leaving;
        let sends = live.filter(|_| willing && island.lan.uplink > 0).map_or_else(Vec::new, |live| {
            let claims = island.stripes.iter().zip(&live.trees).zip(0_u8..);
            let claims = claims.filter_map(|((stripe, at), tree)| {
                let has_parent = at.parent.as_ref().is_some_and(|parent| !parent.rests && !parent.doubted);
                if !(is_source || stripe.is_own && has_parent) {
                    return None;
                }
                // Before the first symbol it says so only if nobody else feeds this tree.
                let begins = (!stripe.is_fed(now)).then(|| live.playout.heard().saturating_sub(1));
                // The low 32 bits are what the wire has.
                stripe.mine.or(begins).map(|newest| Sends { tree, newest: newest as u32 })
            });
            claims.collect()
        });
        let uplink = if is_source { u32::MAX } else { island.lan.uplink };
        let beacon = Beacon { from: self.me, uplink, willing, sends, heard: island.peers.heard(now) };
        let wire = beacon.encode(tag);
        self.counts.beacons += 1;
        cx.send_datagram(socket, to_group(island, wire));
    }

    /// What is to be done in each tree.
    fn steps(&mut self, now: Instant) -> Vec<(u8, (Step, Sight))> {
        let (State::Live(live), Some(island)) = (&self.state, &mut self.lan) else { return Vec::new() };
        let trees = live.trees.len();
        if island.stripes.is_empty() {
            let from = now.max(island.listens);
            island.stripes = (0..trees).map(|_| Stripe::new(from)).collect();
        }
        if live.source.is_some() {
            // It needs nobody, and goes before everybody.
            island.stripes.iter_mut().for_each(|stripe| stripe.is_own = true);
            return Vec::new();
        }
        if now < island.listens {
            return Vec::new();
        }
        let is_willing = island.is_willing() && live.leaving.is_none();
        let Island { lan, peers, stripes, .. } = island;
        let sight = |(tree, stripe): (u8, &mut Stripe)| {
            let mine = rank(lan.uplink, self.me, tree, trees as u64);
            let before = || peers.before(mine, tree, trees as u64, now);
            let better = before().filter_map(|peer| Some((peer.addr, peer.claim(tree, now)?)));
            let claimed = peers.forwarders(tree, now).filter_map(|peer| peer.claim(tree, now)).max();
            let see = Sight {
                now,
                rank: before().count(),
                has_peers: peers.forwarders(tree, now).next().is_some(),
                is_willing,
                better: better.max_by_key(|(_, newest)| *newest),
                any_claim: stripe.is_claimed(claimed.is_some(), now),
                claimed,
                heard: live.playout.heard(),
            };
            (tree, (stripe.decide(&see), see))
        };
        (0_u8..).zip(stripes).map(sight).collect()
    }

    fn step(&mut self, tree: u8, step: Step, see: &Sight, cx: &mut Context<'_>) {
        let (State::Live(live), Some(island)) = (&mut self.state, &mut self.lan) else { return };
        let (at, stripe) = (&mut live.trees[usize::from(tree)], &mut island.stripes[usize::from(tree)]);
        match step {
            Step::Wake => stripe.wake(see),
            Step::Rest => {
                if stripe.is_active {
                    cx.tell(Event::Forwards { tree, active: false });
                }
                stripe.rest(see);
                island.quality.begin();
            }
            Step::Stay => {}
        }
        stripe.is_standby = !stripe.is_own && see.rank <= STANDBYS && island.lan.uplink > 0;
        let (is_own, is_standby) = (stripe.is_own, stripe.is_standby);
        match &mut at.parent {
            None => {
                if is_own || is_standby {
                    self.seek(tree, cx);
                }
            }
            Some(parent) if is_own && parent.rests => {
                parent.rests = false;
                parent.heard = see.now;
                self.doubt(tree, cx);
            }
            Some(parent) if is_standby && !parent.rests => {
                parent.rests = true;
                self.send_children_away(tree, see.better.map(|(addr, _)| addr), cx);
                self.doubt(tree, cx);
            }
            Some(parent) if !is_own && !is_standby => {
                let addr = parent.addr;
                at.parent = None;
                cx.tell(Event::Parent { tree, parent: None });
                self.send_children_away(tree, see.better.map(|(addr, _)| addr), cx);
                self.tell_known(addr, Tell::Gone { trees: 1 << tree }, cx);
            }
            Some(_) => {}
        }
    }

    /// Tells the parent in a tree whether it is to send, and asks whether it is there.
    fn doubt(&mut self, tree: u8, cx: &mut Context<'_>) {
        let now = cx.now();
        let State::Live(live) = &self.state else { return };
        let Some(parent) = &live.trees[usize::from(tree)].parent else { return };
        let (addr, patience) = (parent.addr, parent.round_trip * 2 + Duration::from_millis(50));
        let ask = self.adopt_me(addr, tree, now);
        self.ask_within(addr, ask, Purpose::Doubt(tree), Some(patience), cx);
    }

    /// A parent that is to rest sends all the same.
    fn hush_again(&mut self, tree: u8, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        if live.next_gone <= now {
            live.next_gone = now + Duration::from_millis(500);
            self.doubt(tree, cx);
        }
    }

    /// Who passes nothing on from outside has no children: the forwarder takes them.
    fn send_children_away(&mut self, tree: u8, to: Option<SocketAddr>, cx: &mut Context<'_>) {
        let now = cx.now();
        let id = to.and_then(|to| self.view.get(to)).map(|known| known.id);
        let to = to.zip(id).map(|(addr, id)| Known { id, addr, age: 0 });
        let Some(live) = self.live() else { return };
        let mut children = Vec::new();
        for child in &mut live.trees[usize::from(tree)].children {
            if child.moves.is_none() {
                child.moves = Some(now + super::children::MOVING);
                children.push((child.addr, child.token));
            }
        }
        for (addr, token) in children {
            self.tell(addr, token, Tell::Move { tree, to }, cx);
        }
    }

    /// Whether a parent is looked for in a tree, or had.
    pub(super) fn wants_parent(&self, tree: u8, now: Instant) -> bool {
        self.lan.as_ref().is_none_or(|island| {
            let stripe = island.stripes.get(usize::from(tree));
            now >= island.listens && stripe.is_some_and(|stripe| stripe.is_own || stripe.is_standby)
        })
    }

    /// What is asked of a parent in a tree: to send what comes, or what came since the group was silent, or nothing yet.
    pub(super) fn flow(&mut self, tree: u8) -> Flow {
        let stripe = self.lan.as_mut().and_then(|lan| lan.stripes.get_mut(usize::from(tree)));
        let Some(stripe) = stripe else { return Flow::All };
        stripe.asked_to_rest = !stripe.is_own;
        match (stripe.is_own, stripe.mine, stripe.newest) {
            (false, ..) => Flow::Rest,
            // The low 32 bits are what the wire has.
            (true, None, Some(newest)) => Flow::From(newest.wrapping_add(1) as u32),
            (true, ..) => Flow::All,
        }
    }

    /// Whether a parent that was asked last was asked to rest.
    pub(super) fn rests(&self, tree: u8) -> bool {
        let stripe = self.lan.as_ref().and_then(|lan| lan.stripes.get(usize::from(tree)));
        stripe.is_some_and(|stripe| stripe.asked_to_rest)
    }

    /// Whether it is in our LAN, and so no parent for us: what it has is on the group.
    pub(super) fn is_near(&self, addr: SocketAddr, now: Instant) -> bool {
        self.lan.as_ref().is_some_and(|lan| lan.is_willing() && lan.peers.is_at(addr, now))
    }

    /// Whether one of these is in our LAN: whoever has the stream from it would have it from us.
    pub(super) fn leads_through_us(&self, path: &[MemberId], now: Instant) -> bool {
        self.lan.as_ref().is_some_and(|lan| lan.is_willing() && path.iter().any(|id| lan.peers.has(*id, now)))
    }

    /// Who sends us trees by the group, and can be asked for what is lost.
    pub(super) fn forwarders(&self, now: Instant) -> Vec<SocketAddr> {
        let (Some(island), State::Live(live)) = (&self.lan, &self.state) else { return Vec::new() };
        if live.source.is_some() || !island.is_willing() {
            return Vec::new();
        }
        let trees = (0_u8..).zip(&island.stripes).filter(|(_, stripe)| !stripe.is_own);
        let mut addrs: Vec<_> = trees
            .flat_map(|(tree, _)| {
                let peers = island.peers.forwarders(tree, now);
                peers.filter(move |peer| peer.claim(tree, now).is_some()).map(|peer| peer.addr)
            })
            .filter(|addr| self.view.get(*addr).is_some_and(|known| known.token != 0))
            .collect();
        addrs.sort_unstable();
        addrs.dedup();
        addrs
    }

    /// Whether a tree comes by the group, or will as soon as anything is sent.
    pub(super) fn is_fed_by_group(&self, tree: usize, now: Instant) -> bool {
        let Some(island) = self.lan.as_ref().filter(|lan| lan.is_willing()) else { return false };
        // A tree's number is below 64.
        let (at, stripe) = (tree as u8, island.stripes.get(tree));
        let claimed = || island.peers.forwarders(at, now).any(|peer| peer.claim(at, now).is_some());
        stripe.is_some_and(|stripe| !stripe.is_own && (stripe.is_fed(now) || claimed()))
    }

    /// Another parent: what we say that we send may be other trees now.
    pub(super) fn tell_lan(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        if let Some(island) = self.lan.as_mut().filter(|island| island.is_joined) {
            island.tell(now);
            let due = island.pace(now);
            cx.set_timer(Timer::Lan, due);
        }
    }

    /// Sends a child that rested what came meanwhile in a tree.
    pub(super) fn catch_up(&mut self, child: SocketAddr, tree: u8, from: u32, cx: &mut Context<'_>) {
        let (Some(socket), State::Live(live)) = (self.socket, &self.state) else { return };
        let heard = live.playout.heard();
        let from = live.playout.number(from).max(live.playout.oldest());
        if from >= heard || heard - from > CATCH_UP {
            return;
        }
        let sent = live.caught_up(from..heard, tree);
        self.counts.sent += sent.len() as u64;
        for wire in sent {
            cx.send_to(socket, child, wire);
        }
    }

    /// Which trees it sends to the group of its LAN.
    pub fn forwards(&self) -> impl Iterator<Item = bool> {
        self.lan.iter().flat_map(|lan| &lan.stripes).map(|stripe| stripe.is_active && stripe.is_own)
    }

    /// The hosts of its LAN that it hears and that hear it.
    pub fn neighbours(&self, now: Instant) -> impl Iterator<Item = SocketAddr> {
        let peers = self.lan.iter().flat_map(|lan| lan.peers.iter());
        peers.filter(move |peer| peer.is_mutual(now)).map(|peer| peer.addr)
    }
}

impl Live {
    /// What is here of a tree's symbols, and the manifests that they may need.
    fn caught_up(&self, generations: core::ops::Range<u64>, tree: u8) -> Vec<Bytes> {
        let shape = self.broadcast.shape;
        let mut sent: Vec<Bytes> = self.repair.manifests_from(generations.start).cloned().collect();
        let numbers = || (0..shape.symbols()).filter(|index| shape.tree(*index) == tree);
        for generation in generations {
            for index in numbers() {
                if sent.len() == MOST_CAUGHT_UP {
                    return sent;
                }
                if let Some(body) = self.playout.held(generation, index) {
                    let mut wire = BytesMut::new();
                    // The low 32 bits are what the wire has.
                    let generation = generation as u32;
                    Symbol { generation, index, body: body.clone() }.encode(self.tag, &mut wire);
                    sent.push(wire.freeze());
                }
            }
        }
        sent
    }
}
