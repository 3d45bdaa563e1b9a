//! What comes by the group of the LAN, and what is sent to it.

use super::to_group;
use crate::api::{Event, Timer};
use crate::lan::beacon;
use crate::lan::{Island, Lan};
use crate::manifest;
use crate::member::{Context, Counts, Esm, State};
use crate::playout::Taken;
use crate::symbol::{self, Symbol};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Datagram, Instant, SocketId};

/// Sends a symbol or a manifest to the group, if anybody is there.
pub(in crate::member) fn cast(
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

impl Esm {
    /// Whether a datagram came by the group.
    pub(in crate::member) fn is_by_group(&self, socket: SocketId) -> bool {
        self.lan.as_ref().is_some_and(|island| island.socket == socket)
    }

    pub(in crate::member) fn by_group(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
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
                self.counts.sends(
                    live.send_on(socket, (tree, generation), &datagram.data, from, cx),
                    datagram.data.len(),
                );
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
            at.turn(generation, now);
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
    pub(in crate::member) fn judge(&mut self, first: u64, counts: &[u8], now: Instant) {
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
        let is_sent =
            |tree: u8| island.peers.forwarders(tree, now).any(|peer| peer.claim(tree, now).is_some());
        let from_group: u64 = (0_u8..)
            .zip(&island.stripes)
            .filter(|(tree, stripe)| (is_poor || !stripe.is_own) && is_sent(*tree))
            .fold(0, |bits, (tree, _)| bits | 1 << tree);
        let symbols = |count: &u8| {
            let numbers = (0..*count).chain(shape.data()..shape.symbols());
            numbers.filter(|index| from_group >> shape.tree(*index) & 1 == 1).count()
        };
        if from_group != 0 {
            // At most 64 in a generation, and sixteen generations.
            island.quality.expect(counts.iter().map(symbols).sum::<usize>() as u32, now);
        }
    }

    /// A symbol came from outside: it is sent to the group if nobody else did.
    pub(in crate::member) fn take_from_outside(
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
    pub(in crate::member) fn source_cast(
        &mut self,
        tree: u8,
        generation: u64,
        data: &Bytes,
        cx: &mut Context<'_>,
    ) {
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
    pub(in crate::member) fn casts(&self, trees: (u8, Option<u8>)) -> bool {
        let Some(island) = &self.lan else { return false };
        let own = |tree: u8| island.stripes.get(usize::from(tree)).is_some_and(|stripe| stripe.is_own);
        own(trees.0) || trees.1.is_some_and(own)
    }

    /// Who sends us trees by the group, and can be asked for what is lost.
    pub(in crate::member) fn forwarders(&self, now: Instant) -> Vec<SocketAddr> {
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
    pub(in crate::member) fn is_fed_by_group(&self, tree: usize, now: Instant) -> bool {
        let Some(island) = self.lan.as_ref().filter(|lan| lan.is_willing()) else { return false };
        // A tree's number is below 64.
        let (at, stripe) = (tree as u8, island.stripes.get(tree));
        let claimed = || island.peers.forwarders(at, now).any(|peer| peer.claim(at, now).is_some());
        stripe.is_some_and(|stripe| !stripe.is_own && (stripe.is_fed(now) || claimed()))
    }
}
