//! Who else has a file: [`Mesh`], the alternates that servents tell each other (`X-Alt`, `X-NAlt`).
//!
//! What a stranger tells is passed on to strangers, so it is held short: a few for each file, of files that we have or fetch.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use p2p_core::hash::Sha1Hash;

/// Holders of one file that are remembered.
const HOLDERS_MAX: usize = 24;
/// Files whose holders are remembered.
const FILES_MAX: usize = 1_024;
/// How many strangers must say that a holder is none before it is forgotten, if it was not tried here.
const VOTES: usize = 2;

#[derive(Debug)]
struct Holder {
    addr: SocketAddr,
    /// It gave us bytes that were verified, or asked for itself from its own address.
    proved: bool,
    /// Who says that it is none.
    against: Vec<IpAddr>,
}

/// Holders of files.
#[derive(Debug, Default)]
pub struct Mesh {
    files: BTreeMap<Sha1Hash, Vec<Holder>>,
}

impl Mesh {
    /// Somebody is said to have a file. Proved ones push out others.
    pub fn add(&mut self, sha1: Sha1Hash, addr: SocketAddr, proved: bool) {
        if self.files.len() >= FILES_MAX && !self.files.contains_key(&sha1) {
            self.files.pop_first();
        }
        let holders = self.files.entry(sha1).or_default();
        if let Some(holder) = holders.iter_mut().find(|holder| holder.addr == addr) {
            holder.proved |= proved;
            return;
        }
        if holders.len() >= HOLDERS_MAX {
            let Some(at) = holders.iter().position(|holder| !holder.proved).filter(|_| proved) else {
                return;
            };
            holders.remove(at);
        }
        holders.push(Holder { addr, proved, against: Vec::new() });
    }

    /// Somebody at `by` says that a holder is none.
    pub fn vote_against(&mut self, sha1: &Sha1Hash, addr: SocketAddr, by: IpAddr) {
        let Some(holders) = self.files.get_mut(sha1) else { return };
        holders.retain_mut(|holder| {
            if holder.addr != addr {
                return true;
            }
            if !holder.against.contains(&by) {
                holder.against.push(by);
            }
            holder.against.len() < VOTES
        });
    }

    /// A holder was tried here, and is none.
    pub fn remove(&mut self, sha1: &Sha1Hash, addr: SocketAddr) {
        if let Some(holders) = self.files.get_mut(sha1) {
            holders.retain(|holder| holder.addr != addr);
        }
    }

    /// Holders to tell to somebody at `to`, the proved ones first; with those of IPv6 if they are of use to him.
    pub fn tell(&self, sha1: &Sha1Hash, to: IpAddr, most: usize, ipv6: bool) -> Vec<SocketAddr> {
        let holders = || self.files.get(sha1).into_iter().flatten();
        let sorted =
            holders().filter(|holder| holder.proved).chain(holders().filter(|holder| !holder.proved));
        let of_use = |addr: &SocketAddr| addr.ip() != to && (ipv6 || addr.is_ipv4());
        sorted.map(|holder| holder.addr).filter(of_use).take(most).collect()
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    /// Whether nobody is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
