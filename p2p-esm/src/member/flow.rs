//! The stream on its way: from parents to children, and to whoever watches.

use super::{Context, Esm, Live, State};
use crate::api::Timer;
use crate::error::Error;
use crate::member::join::unix_micros;
use crate::member::lan::cast;
use crate::member::source::Outgoing;
use crate::member::tree::Child;
use crate::playout::Taken;
use crate::shape::LARGEST_PACKET;
use crate::symbol::Symbol;
use crate::wire::Tell;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::{Datagram, Duration, Instant, OpId, SocketId};

/// A symbol is in time if it is not so many packets before what is signed.
const IN_TIME: u64 = 32;

/// Once it is known that the stream ends, children hear of it within so long, should they have missed it.
pub(super) const SOON: Duration = Duration::from_millis(300);

/// How often somebody is told that we are no child of it.
const GONE_AGAIN: Duration = Duration::from_millis(200);

impl Live {
    /// Sends on to the children of a tree, but not to where it came from.
    pub(super) fn send_on(
        &self,
        socket: SocketId,
        (tree, generation): (u8, u64),
        data: &Bytes,
        but: SocketAddr,
        cx: &mut Context<'_>,
    ) -> u64 {
        let Some(at) = self.trees.get(usize::from(tree)) else { return 0 };
        let children = at.children.iter().filter(|child| child.addr != but && child.takes(generation));
        children.fold(0, |sent, child| {
            cx.send_to(socket, child.addr, child.as_sent(data));
            sent + 1
        })
    }

    /// Sends a manifest on down its trees: once to who is a child in both, and to who takes it by the first one only.
    fn send_manifest(
        &self,
        socket: SocketId,
        (one, other): (u8, Option<u8>),
        data: &Bytes,
        but: SocketAddr,
        cx: &mut Context<'_>,
    ) -> u64 {
        let children = |tree: u8| {
            let at = self.trees.get(usize::from(tree)).into_iter().flat_map(|at| &at.children);
            at.filter(|child| child.addr != but && !child.rests && !child.is_handed_over())
        };
        let twice = |child: &Child| child.like.island || children(one).any(|first| first.addr == child.addr);
        let others = other.into_iter().flat_map(children).filter(|child| !twice(child));
        children(one).chain(others).fold(0, |sent, child| {
            cx.send_to(socket, child.addr, data.clone());
            sent + 1
        })
    }

    /// The trees that a manifest goes down: two that are far from each other, others each time.
    fn manifest_trees(&self, first: u64) -> (u8, Option<u8>) {
        let trees = u64::from(self.broadcast.shape.trees());
        // Below 64.
        let one = (first % trees) as u8;
        let other = ((first + trees / 2) % trees) as u8;
        (one, (other != one).then_some(other))
    }

    /// Whether we expect symbols from there.
    fn expects(&self, from: SocketAddr, now: Instant) -> bool {
        let is = |tree: &super::Tree| {
            tree.parent.as_ref().is_some_and(|parent| parent.addr == from)
                || tree.former.iter().any(|(former, until)| *former == from && now < *until)
                // It took us for its child, and is not to hear that we are none while the parent is doubted.
                || tree.reserve.as_ref().is_some_and(|(_, addr, _)| *addr == from)
        };
        self.trees.iter().any(is) || self.repair.asked(from)
    }
}

impl Esm {
    /// A symbol came in, with a stamp of who sent it or without.
    pub(super) fn symbol(&mut self, datagram: &Datagram, is_stamped: bool, cx: &mut Context<'_>) {
        let now = cx.now();
        let (Some(socket), State::Live(live)) = (self.socket, &mut self.state) else { return };
        let from = datagram.peer;
        let Ok(symbol) = Symbol::decode(&datagram.data, live.tag) else {
            self.counts.bad += 1;
            return;
        };
        let tree = live.broadcast.shape.tree(symbol.index);
        // Symbols may overtake the answer of who takes us for its child.
        if live.source.is_some() || !live.expects(from, now) && !self.questions.is_asked_to_adopt(from) {
            self.counts.bad += 1;
            // Who takes us for its child has not heard that we are none; nobody is told so for each symbol.
            if live.next_gone <= now && live.source.is_none() {
                live.next_gone = now + GONE_AGAIN;
                self.tell_known(from, Tell::Gone { trees: 1 << tree }, cx);
            }
            return;
        }
        let generation = live.playout.number(symbol.generation);
        let is_signed = live.playout.is_listed(generation);
        if !is_stamped && !is_signed && live.needs_stamp(from, tree, now) {
            // Whoever wrote that address on it.
            self.counts.bad += 1;
            return;
        }
        let taken = live.playout.insert(&symbol, now);
        match taken {
            Taken::New => {
                self.counts.symbols += 1;
                self.counts.sends(
                    live.send_on(socket, (tree, generation), &datagram.data, from, cx),
                    datagram.data.len(),
                );
            }
            Taken::Twice | Taken::Late => {
                let of = live.trees.get(usize::from(tree)).and_then(|at| at.parent.as_ref());
                match of.is_some_and(|parent| parent.addr == from) {
                    true => self.counts.twice += 1,
                    false => self.counts.asked_twice += 1,
                }
            }
            Taken::Ahead => {}
            Taken::Forged => {
                self.counts.bad += 1;
            }
        }
        let in_time = IN_TIME / u64::from(live.broadcast.shape.data()).max(1);
        let at = &mut live.trees[usize::from(tree)];
        let is_parent = at.parent.as_ref().is_some_and(|parent| parent.addr == from);
        let is_fed = at.came_by_former(from, generation, now) || is_parent;
        // What is far ahead may be anybody's, and is no sign of how far the tree is.
        if is_parent && taken != Taken::Ahead {
            at.fed(generation, now);
            if let Some(parent) = &mut at.parent {
                parent.stamps.seen(is_stamped);
                match taken {
                    Taken::Forged => {}
                    _ if generation + in_time >= live.signed => parent.brought.came(),
                    _ => {}
                }
            }
        }
        if !is_signed && matches!(taken, Taken::New | Taken::Twice | Taken::Forged) {
            live.witness.note(generation, symbol.index, (from, is_stamped), symbol.body);
        }
        if taken == Taken::Forged {
            // Nobody passes on what it knows to be forged.
            if is_signed && is_parent {
                self.is_forged(from, is_stamped, cx);
            }
            return;
        }
        self.take_from_outside((tree, generation), taken == Taken::New, is_fed, datagram, cx);
        self.play(cx);
        self.mind_the_gaps(cx);
    }

    /// A manifest came in. False if it is none, or not expected.
    pub(super) fn manifest(&mut self, datagram: &Datagram, by_group: bool, cx: &mut Context<'_>) -> bool {
        let now = cx.now();
        let (Some(socket), State::Live(live)) = (self.socket, &mut self.state) else { return false };
        let is_expected =
            by_group || live.expects(datagram.peer, now) || self.questions.is_asked_to_adopt(datagram.peer);
        if live.source.is_some() || !is_expected {
            self.counts.bad += 1;
            return false;
        }
        // A verification costs more than everything else: what is known is not verified again.
        if live.repair.is_known(&datagram.data) {
            self.counts.signed_twice += 1;
            return true;
        }
        let Ok(manifest) = live.checker.check(&datagram.data) else {
            self.counts.bad += 1;
            return false;
        };
        let (first, counts): (_, Vec<u8>) =
            (manifest.first, manifest.generations.iter().map(|listed| listed.count).collect());
        let oldest = live.playout.oldest();
        if first + counts.len() as u64 <= oldest {
            // It is not kept, so it would be passed on each time it comes: where parents are each other's for a moment, for ever.
            self.counts.signed_twice += 1;
            return true;
        }
        live.repair.note(manifest.first, manifest.generations.len(), &datagram.data, oldest);
        let (one, other) = live.manifest_trees(manifest.first);
        if manifest.last {
            live.repair.ended = true;
            live.next_place = live.next_place.min(now + SOON);
        }
        live.waited_for_manifest(first, first + counts.len() as u64, now);
        live.playout.sign(manifest, now);
        self.counts.sends(
            live.send_manifest(socket, (one, other), &datagram.data, datagram.peer, cx),
            datagram.data.len(),
        );
        if !by_group && self.casts((one, other)) {
            cast(self.lan.as_mut(), socket, &datagram.data, &mut self.counts, cx);
        }
        if let Some(live) = self.live() {
            live.signed = live.signed.max(first + counts.len() as u64);
        }
        self.judge(first, &counts, now);
        self.judge_parents(first, &counts, cx);
        self.play(cx);
        self.mind_all_gaps(cx);
        true
    }

    /// The application has the next packets.
    pub(super) fn publish(&mut self, op: OpId, packets: Vec<Bytes>, last: bool, cx: &mut Context<'_>) {
        let Some(live) = self.live() else {
            cx.finish(op, Err(Error::NotJoined));
            return;
        };
        if live.leaving.is_some() {
            cx.finish(op, Err(Error::Stopped));
            return;
        }
        let Some(source) = &mut live.source else {
            cx.finish(op, Err(Error::NotTheSource));
            return;
        };
        if packets.iter().any(|packet| packet.len() > LARGEST_PACKET) {
            cx.finish(op, Err(Error::TooLong));
            return;
        }
        if source.is_ended {
            cx.finish(op, Err(Error::Ended));
            return;
        }
        source.queue(op, packets, last);
        self.pour(cx);
    }

    /// Sends what the pace allows.
    pub(super) fn pour(&mut self, cx: &mut Context<'_>) {
        let (now, micros, flush) = (cx.now(), unix_micros(cx), self.config.flush);
        let Some(live) = self.live() else { return };
        let Some(source) = &mut live.source else { return };
        let mut out = Vec::new();
        let was_open = source.is_open();
        let (done, more) = source.pour(live.seal.as_ref(), now, micros, &mut out);
        match (source.is_open(), was_open) {
            (true, false) => cx.set_timer(Timer::Flush, flush),
            (false, _) => cx.clear_timer(Timer::Flush),
            (true, true) => {}
        }
        if let Some(more) = more {
            cx.set_timer_at(Timer::Pace, more);
        }
        self.emit(out, cx);
        for op in done {
            cx.finish(op, Ok(()));
        }
    }

    /// Nobody waits for this operation any more: what of it was not sent is not sent. False if it is none of these.
    pub(super) fn is_not_sent(&mut self, op: OpId, cx: &mut Context<'_>) -> bool {
        let source = self.live().and_then(|live| live.source.as_mut());
        let forgotten = source.is_some_and(|source| source.forget(op));
        if forgotten {
            cx.finish(op, Err(Error::Cancelled));
        }
        forgotten
    }

    /// What is open was open for long enough.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        let micros = unix_micros(cx);
        let mut out = Vec::new();
        if let Some(live) = self.live()
            && let Some(source) = &mut live.source
        {
            source.flush(micros, false, &mut out);
        }
        self.emit(out, cx);
    }

    /// Sends what the source has, and keeps it for who asks again.
    pub(super) fn emit(&mut self, out: Vec<Outgoing>, cx: &mut Context<'_>) {
        let now = cx.now();
        let (Some(socket), State::Live(live)) = (self.socket, &mut self.state) else { return };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut casts = Vec::new();
        for outgoing in out {
            let mut wire = BytesMut::new();
            match outgoing {
                Outgoing::Symbol(symbol) => {
                    symbol.encode(live.tag, &mut wire);
                    let tree = live.broadcast.shape.tree(symbol.index);
                    let wire = wire.freeze();
                    let generation = live.playout.number(symbol.generation);
                    self.counts
                        .sends(live.send_on(socket, (tree, generation), &wire, nowhere, cx), wire.len());
                    live.trees[usize::from(tree)].turn(generation, now);
                    casts.push((tree, generation, wire));
                    live.playout.insert(&symbol, now);
                }
                Outgoing::Manifest(manifest) => {
                    let Some(source) = &live.source else { return };
                    manifest.encode(&live.broadcast, &source.key, &mut wire);
                    let wire = wire.freeze();
                    let (one, other) = live.manifest_trees(manifest.first);
                    live.repair.note(
                        manifest.first,
                        manifest.generations.len(),
                        &wire,
                        live.playout.oldest(),
                    );
                    live.repair.ended |= manifest.last;
                    live.playout.sign(manifest, now);
                    self.counts
                        .sends(live.send_manifest(socket, (one, other), &wire, nowhere, cx), wire.len());
                    casts.push((one, live.playout.heard(), wire));
                }
            }
        }
        for (tree, generation, wire) in casts {
            self.source_cast(tree, generation, &wire, cx);
        }
        self.play(cx);
    }
}
