//! Who feeds which tree of the LAN, and what parents and children there are for that.

use crate::api::Event;
use crate::lan::Island;
use crate::lan::peers::rank;
use crate::lan::stripe::{STANDBYS, Sight, Step, Stripe};
use crate::member::children::MOVING;
use crate::member::hand_over::behind;
use crate::member::questions::Purpose;
use crate::member::witness::Brought;
use crate::member::{Context, Esm, Live, State};
use crate::shape::Shape;
use crate::symbol::Symbol;
use crate::wire::{Flow, Known, MemberId, Tell};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::{Duration, Instant};

/// Generations that a parent sends again to a child that it had let rest.
const CATCH_UP: u64 = 64;
/// Symbols of them at most.
const MOST_CAUGHT_UP: usize = 64;

impl Esm {
    /// What is to be done in each tree.
    pub(super) fn steps(&mut self, now: Instant) -> Vec<(u8, (Step, Sight))> {
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

    pub(super) fn step(&mut self, tree: u8, step: Step, see: &Sight, cx: &mut Context<'_>) {
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
                // It sends from now on, and is judged by that.
                parent.brought = Brought::new(see.now);
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
    pub(super) fn hush_again(&mut self, tree: u8, cx: &mut Context<'_>) {
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
                child.moves = Some(now + MOVING);
                children.push((child.addr, child.token));
            }
        }
        for (addr, token) in children {
            self.tell(addr, token, Tell::Move { tree, to }, cx);
        }
    }

    /// Whether a parent is looked for in a tree, or had.
    pub(in crate::member) fn wants_parent(&self, tree: u8, now: Instant) -> bool {
        self.lan.as_ref().is_none_or(|island| {
            let stripe = island.stripes.get(usize::from(tree));
            now >= island.listens && stripe.is_some_and(|stripe| stripe.is_own || stripe.is_standby)
        })
    }

    /// Whether all of the stream comes by the group: it forwards nothing, and asks nobody outside for anything.
    pub(in crate::member) fn is_sheltered(&self) -> bool {
        let stripes = self.lan.iter().flat_map(|lan| &lan.stripes);
        let mut own = stripes.map(|stripe| stripe.is_own).peekable();
        own.peek().is_some() && own.all(|is_own| !is_own)
    }

    /// What is asked of a parent in a tree: to send what comes, or what came since the group was silent, or nothing yet.
    pub(in crate::member) fn flow(&mut self, tree: u8) -> Flow {
        let shape = self.live().map_or(Shape::SINGLE, |live| live.broadcast.shape);
        let stripe = self.lan.as_mut().and_then(|lan| lan.stripes.get_mut(usize::from(tree)));
        let Some(stripe) = stripe else { return Flow::All };
        stripe.asked_to_rest = !stripe.is_own;
        match (stripe.is_own, stripe.mine, stripe.newest) {
            (false, ..) => Flow::Rest,
            // The low 32 bits are what the wire has.
            (true, None, Some(newest)) => Flow::From(behind(newest, shape) as u32),
            (true, ..) => Flow::All,
        }
    }

    /// Whether a parent that was asked last was asked to rest.
    pub(in crate::member) fn rests(&self, tree: u8) -> bool {
        let stripe = self.lan.as_ref().and_then(|lan| lan.stripes.get(usize::from(tree)));
        stripe.is_some_and(|stripe| stripe.asked_to_rest)
    }

    /// Whether it is in our LAN, and so no parent for us: what it has is on the group.
    pub(in crate::member) fn is_near(&self, addr: SocketAddr, now: Instant) -> bool {
        self.lan.as_ref().is_some_and(|lan| lan.is_willing() && lan.peers.is_at(addr, now))
    }

    /// Whether one of these is in our LAN: whoever has the stream from it would have it from us.
    pub(in crate::member) fn leads_through_us(&self, path: &[MemberId], now: Instant) -> bool {
        self.lan.as_ref().is_some_and(|lan| lan.is_willing() && path.iter().any(|id| lan.peers.has(*id, now)))
    }

    /// Sends a child that rested what came meanwhile in a tree.
    pub(in crate::member) fn catch_up(
        &mut self,
        child: SocketAddr,
        tree: u8,
        from: u32,
        cx: &mut Context<'_>,
    ) {
        let (Some(socket), State::Live(live)) = (self.socket, &self.state) else { return };
        let heard = live.playout.heard();
        let from = live.playout.number(from).max(live.playout.oldest());
        if from >= heard || heard - from > CATCH_UP {
            return;
        }
        let mut sent = live.caught_up(from..heard, tree);
        let at = &live.trees[usize::from(tree)];
        if let Some(child) = at.children.iter().find(|other| other.addr == child) {
            sent.iter_mut().for_each(|wire| *wire = child.as_sent(wire));
        }
        for wire in sent {
            self.counts.sends(1, wire.len());
            cx.send_to(socket, child, wire);
        }
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
