//! The members that a member knows of: a small part of all of them, that changes all the time ([`View`]).

use crate::wire::{Known, MemberId, SAMPLE, TreeStatus};
use alloc::vec::Vec;
use core::net::SocketAddr;
use p2p_core::{Duration, Instant, Rng};

/// Members that are known of at most.
const MOST: usize = 64;
/// Who was not heard of for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Questions in a row without an answer after which a member is gone.
const SILENT: u8 = 2;
/// What a member said of itself counts for so long.
const FRESH: Duration = Duration::from_secs(30);
/// What it said may be asked for again after so long.
const STALE: Duration = Duration::from_secs(8);

/// A member that is known of.
#[derive(Clone, Debug)]
pub(crate) struct Acquaintance {
    pub(crate) id: MemberId,
    pub(crate) addr: SocketAddr,
    /// When anybody heard of it last.
    pub(crate) heard: Instant,
    /// To prove our address to it with; 0 if it gave us nothing yet.
    pub(crate) token: u32,
    /// What it said of itself, and when.
    pub(crate) status: Option<(Instant, Vec<TreeStatus>)>,
    /// How long an answer of it takes.
    pub(crate) round_trip: Option<Duration>,
    /// It refused, or did not answer: it is not asked before.
    pub(crate) shunned: Instant,
    /// Questions in a row that it did not answer.
    pub(crate) silent: u8,
    /// Since when it is taken for gone. Its token is kept: should it be there after all, it is to be told that we are no
    /// child of it.
    gone: Option<Instant>,
}

impl Acquaintance {
    /// What it said of itself in a tree, if it is not too long ago.
    pub(crate) fn status(&self, tree: u8, now: Instant) -> Option<TreeStatus> {
        let (said, trees) = self.status.as_ref()?;
        (now.since(*said) < FRESH).then(|| trees.get(usize::from(tree)).copied()).flatten()
    }

    /// Whether it may be asked again how it is.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.status.as_ref().is_none_or(|(said, _)| now.since(*said) >= STALE)
    }
}

/// Some members of the group.
#[derive(Clone, Debug, Default)]
pub(crate) struct View(Vec<Acquaintance>);

impl View {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Acquaintance> {
        self.0.iter().filter(|known| known.gone.is_none())
    }

    pub(crate) fn get(&self, addr: SocketAddr) -> Option<&Acquaintance> {
        self.0.iter().find(|known| known.addr == addr)
    }

    pub(crate) fn get_mut(&mut self, addr: SocketAddr) -> Option<&mut Acquaintance> {
        self.0.iter_mut().find(|known| known.addr == addr)
    }

    /// Notes a member that we heard of so long ago, or that was. Where there is no room, another one that was heard of
    /// even longer ago gives way.
    pub(crate) fn note(&mut self, id: MemberId, addr: SocketAddr, heard: Instant) {
        if let Some(known) = self.get_mut(addr) {
            if known.id != id && heard > known.heard {
                // It started again.
                (known.id, known.status, known.token) = (id, None, 0);
            }
            known.heard = known.heard.max(heard);
            known.gone = known.gone.filter(|gone| *gone >= heard);
            return;
        }
        let new = Acquaintance {
            id,
            addr,
            heard,
            token: 0,
            status: None,
            round_trip: None,
            shunned: Instant::ZERO,
            silent: 0,
            gone: None,
        };
        if self.0.len() < MOST {
            self.0.push(new);
        } else if let Some(oldest) = self.0.iter_mut().min_by_key(|known| (known.gone.is_none(), known.heard))
            && (oldest.gone.is_some() || oldest.heard < heard)
        {
            *oldest = new;
        }
    }

    /// Notes whom another member names.
    pub(crate) fn learn(&mut self, sample: &[Known], now: Instant) {
        for known in sample {
            let age = Duration::from_secs(known.age.into());
            if age < FORGOTTEN && known.addr.port() != 0 && !known.addr.ip().is_unspecified() {
                // Only what was heard of counts: the age a member is said to have grows on its way.
                self.note(known.id, known.addr, now - age);
            }
        }
    }

    /// It did not answer: once is a lost datagram, then it is gone.
    pub(crate) fn unanswered(&mut self, addr: SocketAddr, until: Instant) {
        if let Some(known) = self.get_mut(addr) {
            known.silent += 1;
            known.shunned = until;
            if known.silent >= SILENT {
                self.forget(addr, until);
            }
        }
    }

    /// It is gone, until somebody hears of it later than now.
    pub(crate) fn forget(&mut self, addr: SocketAddr, now: Instant) {
        if let Some(known) = self.get_mut(addr) {
            (known.gone, known.status, known.silent) = (Some(now), None, 0);
        }
    }

    /// Forgets who was not heard of for long.
    pub(crate) fn tidy(&mut self, now: Instant) {
        self.0.retain(|known| now.since(known.heard) < FORGOTTEN);
    }

    /// Some members, other than the one that is told.
    pub(crate) fn sample(&self, but: SocketAddr, now: Instant, rng: &mut Rng) -> Vec<Known> {
        let mut sample: Vec<Known> = Vec::new();
        let others = self.iter().filter(|known| known.addr != but);
        // Reservoir sampling (Vitter 1985): each with the same chance, in one pass.
        for (at, known) in others.enumerate() {
            let age = now.since(known.heard).as_secs().min(255) as u8;
            let known = Known { id: known.id, addr: known.addr, age };
            if sample.len() < SAMPLE {
                sample.push(known);
            } else if let Some(place) = sample.get_mut(rng.index(at + 1)) {
                *place = known;
            }
        }
        sample
    }
}
