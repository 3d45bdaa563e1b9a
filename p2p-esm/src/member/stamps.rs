//! Symbols that somebody sends in a parent's name ([`Stamps`]).
//!
//! What a parent says is believed for the token that goes with it, symbols only for their sender's address, which anybody
//! can write on a datagram: then they go down as they came, and cost no more. When one that a parent seems to have sent is
//! not what the source signed, the parent is asked to put its child's token before each. From then on what has no such
//! stamp is not its, unless it is signed already; and it is blamed for what has one, or for not doing as it was asked.

use super::{Context, Esm, Live, SLACK};
use crate::member::questions::Purpose;
use crate::member::tree::{Child, Parent};
use crate::symbol;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::{Datagram, Duration, Instant};

/// After a forged symbol new parents are asked for stamps from the start, for so long.
const WARY: Duration = Duration::from_secs(60);
/// How often a parent is asked before it is blamed for having no stamps.
const ASKED: u8 = 3;

/// Whether what a parent sends is known by a stamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stamps {
    /// Nobody asked it to.
    #[default]
    None,
    /// It was asked so often, and may be asked again from then on.
    Asked(u8, Instant),
    /// It stamps what it sends.
    Seen,
}

impl Stamps {
    /// A symbol came of it.
    pub(super) fn seen(&mut self, is_stamped: bool) {
        if is_stamped {
            *self = Self::Seen;
        }
    }
}

impl Parent {
    /// It seems to have sent a forged symbol. Whether it is to be asked for stamps.
    fn is_forged(&mut self, is_stamped: bool, now: Instant) -> bool {
        let times = match self.stamps {
            _ if is_stamped => {
                self.brought.forged += 1;
                return false;
            }
            // Who is to begin with a later generation is silent until then.
            _ if now < self.heard => return false,
            Stamps::Seen => return false,
            Stamps::Asked(_, again) if now < again => return false,
            Stamps::Asked(ASKED.., _) => {
                self.brought.forged += 1;
                return false;
            }
            Stamps::Asked(times, _) => times,
            Stamps::None => 0,
        };
        self.stamps = Stamps::Asked(times + 1, now + self.round_trip * 2 + SLACK);
        true
    }
}

impl Child {
    /// A datagram as this child is to get it.
    pub(super) fn as_sent(&self, data: &Bytes) -> Bytes {
        let is_symbol = data.first() == Some(&symbol::KIND);
        if self.like.stamped && is_symbol { symbol::stamped(data, self.token) } else { data.clone() }
    }
}

impl Live {
    /// Whether somebody that is asked to be a parent, or is one, is to stamp what it sends.
    pub(super) fn wants_stamps(&self, from: SocketAddr, now: Instant) -> bool {
        let parents = self.trees.iter().filter_map(|tree| tree.parent.as_ref());
        let mut its = parents.filter(|parent| parent.addr == from);
        now < self.wary || its.any(|parent| parent.stamps != Stamps::None)
    }

    /// Whether an unsigned symbol of a tree from there counts only if it has a stamp.
    pub(super) fn needs_stamp(&self, from: SocketAddr, tree: u8, now: Instant) -> bool {
        let parent = self.trees[usize::from(tree)].parent.as_ref().filter(|parent| parent.addr == from);
        parent.map_or(now < self.wary, |parent| parent.stamps == Stamps::Seen)
    }
}

impl Esm {
    /// A symbol came in that has a stamp.
    pub(super) fn stamped_symbol(&mut self, datagram: &Datagram, cx: &mut Context<'_>) {
        match symbol::unstamped(&datagram.data) {
            Some((token, data)) if self.tokens.is_of(token, datagram.peer, cx.now()) => {
                self.symbol(&Datagram { data, ..datagram.clone() }, true, cx);
            }
            _ => self.counts.bad += 1,
        }
    }

    /// The source did not sign what seems to come from there.
    pub(super) fn is_forged(&mut self, from: SocketAddr, is_stamped: bool, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(live) = self.live() else { return };
        let mut asked: u64 = 0;
        for (at, tree) in live.trees.iter_mut().enumerate() {
            // Who sends us away is another one's to be soon.
            if let Some(parent) = tree.parent.as_mut().filter(|parent| parent.addr == from && !parent.moves)
                && parent.is_forged(is_stamped, now)
            {
                asked |= 1 << at;
                live.wary = now + WARY;
            }
        }
        for tree in (0_u8..64).filter(|tree| asked >> tree & 1 == 1) {
            self.counts.stamps += 1;
            let ask = self.adopt_me(from, tree, now);
            self.ask(from, ask, Purpose::Renew(tree), cx);
        }
    }
}
