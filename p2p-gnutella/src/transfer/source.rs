//! Who may have a file: [`Locator`] says who, [`Source`] is one in a download.

use super::event::SourceError;
use crate::Guid;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;
use p2p_core::{ConnId, Instant};

/// Push proxies of a source that are kept.
pub(crate) const PROXIES_MAX: usize = 4;

/// Who may have a file, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator {
    /// Where it listens; `None` if it has to be told to connect.
    pub addr: Option<SocketAddr>,
    /// Where it listens too; dialled if it cannot be reached at the first.
    pub other: Option<SocketAddr>,
    /// Its name, by which it can be told to connect.
    pub servent: Option<Guid>,
    /// The number of the file in its hits.
    pub number: Option<u32>,
    /// Who can tell it to connect.
    pub proxies: Vec<SocketAddr>,
}

impl Locator {
    /// A servent that listens here.
    #[must_use]
    pub const fn at(addr: SocketAddr) -> Self {
        Self { addr: Some(addr), other: None, servent: None, number: None, proxies: Vec::new() }
    }

    /// A servent that has to be told to connect, by the way of its hits or by one of these.
    #[must_use]
    pub const fn pushed(servent: Guid, proxies: Vec<SocketAddr>) -> Self {
        Self { addr: None, other: None, servent: Some(servent), number: None, proxies }
    }

    /// Takes what another locator of the same servent knows more.
    pub(super) fn add(&mut self, other: Self) {
        self.other = self.other.or(other.other);
        self.servent = self.servent.or(other.servent);
        self.number = self.number.or(other.number);
        for proxy in other.proxies {
            if self.proxies.len() < PROXIES_MAX && !self.proxies.contains(&proxy) {
                self.proxies.push(proxy);
            }
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_addr = self.addr.is_some() && self.addr == other.addr;
        same_addr || self.addr.is_none() && self.servent.is_some() && self.servent == other.servent
    }
}

/// What a source does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing, until then.
    Resting(Instant),
    /// It was told to connect, which it has to do until then.
    Pushed(Instant),
    /// There is a stream, opening or open.
    Connected(ConnId),
    /// We wait in its queue, on an open stream, and ask again then.
    Queued(ConnId, Instant),
    /// It is given up.
    Lost,
}

/// A source of a file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) at: Locator,
    pub(super) stage: Stage,
    /// Failures since it last gave something.
    pub(super) failures: u32,
    /// The next attempt is at its other address, for it could not be reached at the first.
    pub(super) at_other: bool,
    /// The next attempt is a push, for it could not be dialled.
    pub(super) push: bool,
    /// What it has, if it is not all.
    pub(super) available: Option<Vec<Range<u64>>>,
    /// Bytes a second of its last range.
    pub(super) rate: u64,
    /// Bytes of it that were verified.
    pub(super) good: u64,
    /// Whether it was asked for the tree.
    pub(super) gave_tree: bool,
    /// Times that it and the tree contradicted each other.
    pub(super) strikes: u32,
    /// Its answer to a request of a range was another range: it is asked for the whole only.
    pub(super) whole_only: bool,
    /// When it may be asked by a datagram what it has; `None` once it answered anything.
    pub(super) head_at: Option<Instant>,
    /// It answered that it has the file, or a part of it.
    pub(super) has_it: bool,
}

impl Source {
    pub(super) const fn new(at: Locator, now: Instant) -> Self {
        Self {
            at,
            stage: Stage::Resting(now),
            failures: 0,
            at_other: false,
            push: false,
            available: None,
            rate: 0,
            good: 0,
            gave_tree: false,
            strikes: 0,
            whole_only: false,
            head_at: Some(now),
            has_it: false,
        }
    }

    /// It was dialled in vain: whether it is dialled at its other address at once, as there may be no way at all to the first.
    /// Else it may dial, if it is told to.
    pub(super) const fn unreached(&mut self) -> bool {
        self.at_other = self.at.other.is_some() && !self.at_other;
        self.push = self.at.servent.is_some() && !self.at_other;
        self.at_other
    }

    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self.stage {
            Stage::Connected(conn) | Stage::Queued(conn, _) => Some(conn),
            _ => None,
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.stage == Stage::Lost
    }
}

/// Whether what a source did ends it at once, or it may be asked again.
pub(super) const fn is_final(why: &SourceError) -> bool {
    match why {
        SourceError::Connection(_) | SourceError::Push | SourceError::Silent | SourceError::Range => false,
        SourceError::Status(status) => !matches!(*status, 408 | 416 | 429 | 500..=599),
        _ => true,
    }
}
