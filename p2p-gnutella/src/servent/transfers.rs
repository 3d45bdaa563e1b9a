//! The transfers that a servent embeds: it lends them its context, and does what they want of the overlay.

use super::event::{Event, Wish};
use super::{Error, Servent, Timer};
use crate::Guid;
use crate::transfer::{self, Ask, Locator, Transfers};
use crate::wire::{Header, Kind, Message, NO_ADDRESS, Push};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use p2p_core::hash::Sha1Hash;
use p2p_core::{Cx, Effect, Own};

/// What the overlay does for transfers, and has not done yet.
#[derive(Debug, Default)]
pub(super) struct Errands {
    /// Where their effects are gathered; kept for its memory.
    effects: Vec<Effect<Transfers>>,
    /// Files that others are searched for who have them, once there is a neighbour and a search is due.
    searches: VecDeque<Sha1Hash>,
    /// The library's version that neighbours are told of.
    version: u64,
    /// They have nothing to do any more.
    pub(super) over: bool,
}

/// Files whose holders are looked for at once: each is asked for again if it was not.
const SEARCHES_MAX: usize = 64;

impl Servent {
    /// The transfers: what is shared, served and fetched.
    #[must_use]
    pub const fn transfers(&self) -> &Transfers {
        &self.transfers
    }

    /// Where others can dial it, by IPv4 and by IPv6; nowhere if nobody can.
    fn dialled_at(&self) -> (Option<SocketAddrV4>, Option<SocketAddrV6>) {
        if self.is_firewalled() {
            return (None, None);
        }
        let at = self.reached_at();
        let v6 = self.reached_at6().map(|v6| SocketAddrV6::new(v6, at.port(), 0, 0));
        (Some(at).filter(|at| *at.ip() != NO_ADDRESS), v6)
    }

    /// Lends the context to the transfers, restates what they want, and does what they ask of the overlay.
    pub(super) fn with_transfers<R>(
        &mut self,
        cx: &mut Cx<'_, Self>,
        f: impl FnOnce(&mut Transfers, &mut Cx<'_, Transfers>) -> R,
    ) -> R {
        let done = self.lend(cx, f);
        while let Some(ask) = self.transfers.next_ask() {
            self.run_errand(ask, cx);
        }
        if self.errands.version != self.transfers.library().version() {
            self.errands.version = self.transfers.library().version();
            self.tables_changed(cx);
        }
        done
    }

    fn lend<R>(
        &mut self,
        cx: &mut Cx<'_, Self>,
        f: impl FnOnce(&mut Transfers, &mut Cx<'_, Transfers>) -> R,
    ) -> R {
        let (v4, v6) = self.dialled_at();
        self.transfers.set_address(v4.map(SocketAddr::V4).or_else(|| v6.map(SocketAddr::V6)));
        self.transfers.set_ipv6(self.families().v6);
        let mut effects = core::mem::take(&mut self.errands.effects);
        let done = cx.lend(&mut effects, |cx| f(&mut self.transfers, cx));
        for effect in effects.drain(..) {
            let lifted = effect.lift(Timer::Transfer, |own| match own {
                Own::Event(op, event) => Some(Effect::Event(op, Event::Transfer(event))),
                Own::Finish(op, result) => Some(Effect::Finish(op, result.map_err(Error::Transfer))),
                Own::Halt => {
                    self.errands.over = true;
                    None
                }
            });
            if let Some(effect) = lifted {
                cx.push(effect);
            }
        }
        self.errands.effects = effects;
        done
    }

    fn run_errand(&mut self, ask: Ask, cx: &mut Cx<'_, Self>) {
        match ask {
            Ask::Push { servent, number } => {
                // Who cannot be dialled has nothing of a push.
                let at = self.dialled_at();
                if at != (None, None) {
                    self.send_push(servent, number, at, cx);
                }
            }
            Ask::Head { sha1, to, leaf } => self.ask_head(sha1, to, leaf, cx),
            Ask::Search(urn) => {
                let Some(sha1) = urn.sha1() else { return };
                let waits = &mut self.errands.searches;
                if waits.len() < SEARCHES_MAX && !waits.contains(&sha1) {
                    waits.push_back(sha1);
                }
                self.search_for_transfers(cx);
            }
            Ask::Forward { conn, servent, number, to } => {
                // Only for leaves that are linked here: who asks for others may be after whoever is at `to`.
                let is_leaf = self.way_to(&servent).is_some_and(|way| self.links.is_leaf(way));
                let to = match to {
                    SocketAddr::V4(v4) => (Some(v4), None),
                    SocketAddr::V6(v6) => (None, Some(v6)),
                };
                let sent = is_leaf && self.send_push(servent, number, to, cx);
                self.lend(cx, |transfers, cx| transfers.proxied(conn, sent, cx));
            }
            Ask::Good(addr) => self.hosts.heard_of(addr, false, cx.now()),
            Ask::Bad(addr) => self.hosts.failed(addr, cx.now()),
        }
    }

    /// Searches for other holders of files, as many and as often as neighbours take it.
    pub(super) fn search_for_transfers(&mut self, cx: &mut Cx<'_, Self>) {
        while self.links.len() > 0 && !self.stopping {
            let Some(sha1) = self.errands.searches.front().copied() else { return };
            if self.transfers.fetches(&sha1) {
                let most = self.config.limits.own_searches / 2;
                if self.searches.len() >= most || !self.requeries.take(cx.now(), 60) {
                    return self.tend_by(cx.now(), cx);
                }
                self.search(None, &Wish::urn(crate::Urn::Sha1(sha1)), cx);
            }
            self.errands.searches.pop_front();
        }
    }

    /// Sends a push of this servent along the way that hits of the other came; whether there is one.
    fn send_push(
        &mut self,
        servent: Guid,
        index: u32,
        (v4, v6): (Option<SocketAddrV4>, Option<SocketAddrV6>),
        cx: &mut Cx<'_, Self>,
    ) -> bool {
        let Some(way) = self.way_to(&servent) else { return false };
        let push = Push::new(servent, index, v4, v6);
        let ttl = self.config.hops_max;
        let header = Header { guid: Guid::of_message(cx.rng()), kind: Kind::PUSH, ttl, hops: 0 };
        self.send(way, &header, &Message::Push(push).to_bytes());
        true
    }

    /// Somebody asks by a push for a connection, to fetch a file.
    pub(super) fn give(&mut self, push: &Push, cx: &mut Cx<'_, Self>) {
        let (to, index) = (push.target(), push.index);
        self.with_transfers(cx, |transfers, cx| transfers.give(to, index, cx));
    }

    /// A hit names somebody who has a file, and perhaps others: sources, if that file is fetched.
    pub(super) fn feed(
        &mut self,
        sha1: &Sha1Hash,
        source: Locator,
        alternates: &[SocketAddr],
        cx: &mut Cx<'_, Self>,
    ) {
        if !self.transfers.fetches(sha1) {
            return;
        }
        let others: BTreeSet<SocketAddr> = alternates.iter().copied().collect();
        self.with_transfers(cx, |transfers, cx| {
            transfers.found(sha1, source, cx);
            for other in others {
                transfers.found(sha1, Locator::at(other), cx);
            }
        });
    }

    /// A command of the transfers.
    pub(super) fn command_transfers(
        &mut self,
        op: p2p_core::OpId,
        command: transfer::Command,
        cx: &mut Cx<'_, Self>,
    ) {
        use p2p_core::{Input, Machine as _, OpInput};
        self.with_transfers(cx, |transfers, cx| transfers.handle(Input::Op(op, OpInput::Ask(command)), cx));
    }
}
