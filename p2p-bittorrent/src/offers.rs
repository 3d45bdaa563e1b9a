//! What a first seed offers: pieces that nobody has, each to one peer, and until that peer has the whole piece.
//!
//! Two peers that both fetch what is rarest from the only seed cannot see that they choose the same piece. The seed can:
//! it names another one to each whom it unchokes (`Suggest Piece`, BEP 6), until every piece was given once. This is what
//! Bharambe, Herley and Padmanabhan 2006 call a smart seed, without hiding pieces as BEP 16 does.
//!
//! ```text
//! open ── offered ──► offered ── asked, block sent ──► begun ── last block sent ──► given ── announced ──► forgotten
//!   ▲                  │                               │  ▲                          │
//!   └── choked, gone ──┘         choked: kept for it, ─┘  └─ unchoked again          │
//!   │                            or for whom nothing else is left                    │
//!   └──────────────────────────────── gone, and nobody has it ───────────────────────┘
//! ```
//!
//! A piece that is half given is worth nothing to anybody: a turn ends with a piece (see [`Offers::in_mid_piece`]), and
//! who was choked in the middle of one all the same is offered it again.

use crate::picker::PeerKey;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use p2p_core::{Bitfield, Rng};

/// A piece that one peer is to have first.
#[derive(Clone, Copy, Debug)]
struct Offer {
    piece: u32,
    /// The peer asked for some of it since it was unchoked.
    asked: bool,
    /// Bytes that it was sent.
    sent: u32,
    /// That is as much as the piece has.
    whole: bool,
}

impl Offer {
    const fn new(piece: u32, asked: bool) -> Self {
        Self { piece, asked, sent: 0, whole: false }
    }
}

/// Pieces that a peer may begin without being offered them, and keep from others by that.
const UNASKED: usize = 8;
/// Pieces remembered per peer once it has them whole, until somebody announces them.
const REMEMBERED: usize = 64;

/// What was offered to one peer.
#[derive(Debug, Default)]
struct Taker {
    choked: bool,
    offers: Vec<Offer>,
}

/// Which pieces are still to be given, and who is to have the others first; four bytes and a bit per piece while there
/// are any, twelve bytes for each that is under way.
#[derive(Debug)]
pub(crate) struct Offers {
    /// The pieces that nobody was offered, in random order; the same as bits.
    left: Vec<u32>,
    open: Bitfield,
    takers: BTreeMap<PeerKey, Taker>,
}

impl Offers {
    pub(crate) fn new(pieces: u32, rng: &mut Rng) -> Box<Self> {
        let mut left: Vec<u32> = (0..pieces).collect();
        rng.shuffle(&mut left);
        Box::new(Self { left, open: Bitfield::full(pieces), takers: BTreeMap::new() })
    }

    /// A peer is unchoked: the pieces that it has in part, and is offered again because nobody `has` them by now.
    pub(crate) fn unchoked(&mut self, peer: PeerKey, has: impl Fn(u32) -> bool) -> Vec<u32> {
        let Some(taker) = self.takers.get_mut(&peer) else { return Vec::new() };
        taker.choked = false;
        taker.offers.retain(|offer| !has(offer.piece));
        taker.offers.iter().filter(|offer| !offer.asked).map(|offer| offer.piece).collect()
    }

    /// Another piece for a peer of which fewer than `ahead` wait to be asked for. Pieces that somebody `has` are struck
    /// from the list; once it is empty, those are offered that were left in part by a peer that is choked.
    pub(crate) fn next(&mut self, peer: PeerKey, ahead: usize, has: impl Fn(u32) -> bool) -> Option<u32> {
        let taker = self.takers.entry(peer).or_default();
        taker.choked = false;
        taker.offers.retain(|offer| !has(offer.piece));
        if taker.offers.iter().filter(|offer| !offer.asked).count() >= ahead {
            return None;
        }
        while let Some(piece) = self.left.pop() {
            self.open.clear(piece);
            if !has(piece) {
                return Some(self.give(peer, piece));
            }
        }
        let piece = self.abandoned(has)?;
        Some(self.give(peer, piece))
    }

    fn give(&mut self, peer: PeerKey, piece: u32) -> u32 {
        self.takers.entry(peer).or_default().offers.push(Offer::new(piece, false));
        piece
    }

    /// Takes a piece from somebody who is choked in the middle of it.
    fn abandoned(&mut self, has: impl Fn(u32) -> bool) -> Option<u32> {
        for taker in self.takers.values_mut().filter(|taker| taker.choked) {
            taker.offers.retain(|offer| !has(offer.piece));
            if let Some(at) = taker.offers.iter().position(|offer| !offer.asked) {
                return Some(taker.offers.swap_remove(at).piece);
            }
        }
        None
    }

    /// A peer asks for a block of this piece. True if it was offered and not asked for before: it can have another
    /// offer. What it takes unasked is offered to nobody else.
    pub(crate) fn asked(&mut self, peer: PeerKey, piece: u32) -> bool {
        let known = self.takers.get_mut(&peer).map(|taker| &mut taker.offers);
        if let Some(offers) = known {
            if let Some(offer) = offers.iter_mut().rev().find(|offer| offer.piece == piece) {
                return !core::mem::replace(&mut offer.asked, true);
            }
            if offers.iter().filter(|offer| !offer.whole).count() >= UNASKED {
                return false;
            }
        }
        if self.open.clear(piece) {
            self.left.retain(|&other| other != piece);
            self.takers.entry(peer).or_default().offers.push(Offer::new(piece, true));
        }
        false
    }

    /// A peer was sent so many bytes of a piece of `len` bytes. True if it has all of it by that, having been offered it.
    pub(crate) fn sent(&mut self, peer: PeerKey, piece: u32, bytes: u32, len: u32) -> bool {
        let Some(taker) = self.takers.get_mut(&peer) else { return false };
        let offers = &mut taker.offers;
        let Some(offer) = offers.iter_mut().rev().find(|offer| offer.piece == piece) else { return false };
        offer.sent = offer.sent.saturating_add(bytes);
        if offer.whole || offer.sent < len {
            return false;
        }
        offer.whole = true;
        if offers.len() > REMEMBERED
            && let Some(oldest) = offers.iter().position(|offer| offer.whole)
        {
            offers.remove(oldest);
        }
        true
    }

    /// Whether a peer was sent some, but not all, of a piece that nobody else was given.
    pub(crate) fn in_mid_piece(&self, peer: PeerKey) -> bool {
        let offers = self.takers.get(&peer).map_or(&[][..], |taker| &taker.offers);
        offers.iter().any(|offer| offer.sent > 0 && !offer.whole)
    }

    /// A peer is choked. What it was sent nothing of goes to others: these pieces, of which nothing is to be sent any
    /// more.
    pub(crate) fn choked(&mut self, peer: PeerKey) -> Vec<u32> {
        let Some(taker) = self.takers.get_mut(&peer) else { return Vec::new() };
        taker.choked = true;
        let back: Vec<u32> =
            taker.offers.extract_if(.., |offer| offer.sent == 0).map(|offer| offer.piece).collect();
        for offer in &mut taker.offers {
            offer.asked = offer.whole;
        }
        back.iter().rev().for_each(|&piece| self.reopen(piece));
        back
    }

    /// A peer left: all that it was given, and nobody `has`, goes to others.
    pub(crate) fn gone(&mut self, peer: PeerKey, has: impl Fn(u32) -> bool) {
        let offers = self.takers.remove(&peer).map(|taker| taker.offers).unwrap_or_default();
        for offer in offers {
            if !has(offer.piece) {
                self.reopen(offer.piece);
            }
        }
    }

    fn reopen(&mut self, piece: u32) {
        if self.open.set(piece) {
            self.left.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u32 = 100;

    fn nobody(_: u32) -> bool {
        false
    }

    fn offers(pieces: u32) -> Box<Offers> {
        Offers::new(pieces, &mut Rng::fast_from(1))
    }

    #[test]
    fn each_piece_is_offered_once_unless_it_is_given_back() {
        let mut offers = offers(10);
        let mut seen: Vec<u32> =
            core::iter::from_fn(|| offers.next(1, 100, |piece| piece == 3)).take(20).collect();
        assert!(offers.asked(1, seen[0]) && !offers.asked(1, seen[0]), "the second time it is no news");
        assert!(offers.sent(1, seen[0], LEN, LEN));
        let back = offers.choked(1);
        assert_eq!(back, seen[1..], "what it has it keeps");
        assert_eq!(offers.next(2, 1, nobody), Some(seen[1]), "the first is the first again");
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn so_many_are_offered_ahead_of_what_is_asked_for() {
        let mut offers = offers(10);
        let first = offers.next(1, 2, nobody).unwrap();
        assert!(offers.next(1, 2, nobody).is_some());
        assert_eq!(offers.next(1, 2, nobody), None);
        assert!(offers.asked(1, first));
        assert!(offers.next(1, 2, nobody).is_some());
    }

    #[test]
    fn a_piece_in_part_stays_its_takers_until_there_is_nothing_else() {
        let mut offers = offers(2);
        let half = offers.next(1, 1, nobody).unwrap();
        offers.asked(1, half);
        assert!(!offers.in_mid_piece(1), "nothing was sent");
        assert!(!offers.sent(1, half, LEN / 2, LEN));
        assert!(offers.in_mid_piece(1));
        assert!(offers.choked(1).is_empty());
        // Another peer gets another one, and what is half here comes again first.
        let other = offers.next(2, 1, nobody).unwrap();
        assert_ne!(other, half);
        assert_eq!(offers.unchoked(1, nobody), [half]);
        assert!(offers.asked(1, half));
        assert_eq!(offers.next(3, 1, nobody), None, "both are being taken");
        offers.choked(1);
        assert_eq!(offers.next(3, 1, |piece| piece == half), None, "somebody has it by now");
        assert!(offers.unchoked(1, nobody).is_empty());
    }

    #[test]
    fn the_last_pieces_left_in_part_go_to_others() {
        let mut offers = offers(1);
        let half = offers.next(1, 1, nobody).unwrap();
        offers.asked(1, half);
        offers.sent(1, half, LEN / 2, LEN);
        assert_eq!(offers.next(2, 1, nobody), None);
        offers.choked(1);
        assert_eq!(offers.next(2, 1, nobody), Some(half));
        assert!(offers.unchoked(1, nobody).is_empty(), "it is the other's now");
        assert!(offers.asked(2, half) && offers.sent(2, half, LEN, LEN));
        assert!(!offers.in_mid_piece(2));
    }

    #[test]
    fn what_nobody_else_has_of_a_peer_that_left_is_offered_again() {
        let mut offers = offers(2);
        let (first, second) = (offers.next(1, 2, nobody).unwrap(), offers.next(1, 2, nobody).unwrap());
        offers.asked(1, first);
        offers.sent(1, first, LEN, LEN);
        offers.gone(1, |piece| piece == second);
        assert_eq!(offers.next(2, 9, nobody), Some(first));
        assert_eq!(offers.next(2, 9, nobody), None);
    }

    #[test]
    fn what_is_taken_unasked_is_offered_to_nobody_else() {
        let mut offers = offers(2);
        assert!(!offers.asked(1, 0), "it earns no offer");
        assert_eq!(offers.next(2, 9, nobody), Some(1));
        assert_eq!(offers.next(2, 9, nobody), None);
        assert_eq!(offers.choked(1), [0]);
        assert_eq!(offers.next(2, 9, nobody), Some(0));
    }

    #[test]
    fn who_begins_everything_keeps_little_of_it_from_others() {
        let mut offers = offers(100);
        (0..100).for_each(|piece| assert!(!offers.asked(1, piece)));
        let rest = core::iter::from_fn(|| offers.next(2, 100, nobody)).count();
        assert_eq!(rest, 100 - UNASKED);
    }

    #[test]
    fn what_a_peer_has_whole_is_not_remembered_for_ever() {
        let mut offers = offers(500);
        for piece in 0..500 {
            offers.asked(1, piece);
            assert!(offers.sent(1, piece, LEN, LEN));
        }
        assert_eq!(offers.takers[&1].offers.len(), REMEMBERED);
    }
}
