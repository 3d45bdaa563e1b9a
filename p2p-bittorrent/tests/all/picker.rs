//! What the picker asks for: random lives of swarms, and the preferences one by one.

use p2p_bittorrent::peer::Block;
use p2p_bittorrent::picker::{Has, Mode, PeerKey, PeerSpeed, Picker, Received};
use p2p_core::{Bitfield, Duration, Instant, Pieces, Rng};
use std::collections::{BTreeMap, BTreeSet};

const NOW: Instant = Instant::ZERO;

fn picker(pieces: u32, blocks: u32) -> (Picker, Rng) {
    let mut rng = Rng::fast_from(7);
    let cut = Pieces::new(u64::from(pieces * blocks) * 16384, blocks * 16384).unwrap();
    (Picker::new(cut, &Bitfield::new(pieces), &mut rng), rng)
}

fn bits(len: u32, ones: impl IntoIterator<Item = u32>) -> Bitfield {
    let mut bits = Bitfield::new(len);
    ones.into_iter().for_each(|one| {
        bits.set(one);
    });
    bits
}

fn pick(picker: &mut Picker, peer: PeerKey, has: Has<'_>, n: usize, rng: &mut Rng) -> Vec<Block> {
    let mut out = Vec::new();
    picker.pick(peer, has, n, NOW, PeerSpeed::Fast, rng, &mut out);
    assert!(out.len() <= n);
    out
}

/// A swarm driven by dice; checks every promise on the way, and that it ends.
fn life(seed: u64) {
    let mut rng = Rng::fast_from(seed);
    let count = 1 + rng.below(90) as u32;
    let blocks = 1 + rng.below(6) as u32;
    let total = u64::from(count) * u64::from(blocks) * 16384 - rng.below(16384);
    let cut = Pieces::new(total, blocks * 16384).unwrap();
    let start = bits(count, (0..count).filter(|_| rng.chance(0.1)));
    let mut picker = Picker::new(cut, &start, &mut rng.split());
    if rng.chance(0.3) {
        picker.set_mode(Mode::Sequential);
    }
    let mut had: BTreeSet<u32> = start.ones().collect();
    let mut peers: BTreeMap<PeerKey, Option<Bitfield>> = BTreeMap::new();
    let mut asked: BTreeMap<PeerKey, Vec<Block>> = BTreeMap::new();
    let mut stored: BTreeSet<Block> = BTreeSet::new();
    let mut complete: Vec<u32> = Vec::new();
    let mut next = 0;
    for step in 0..20_000 {
        let closing = step > 600;
        if picker.is_complete() {
            break;
        }
        if closing && !peers.values().any(Option::is_none) {
            picker.peer_has_all();
            peers.insert(next, None);
            next += 1;
        }
        let some_peer = |rng: &mut Rng| peers.keys().nth(rng.index(peers.len())).copied();
        match rng.below(if closing { 8 } else { 16 }) {
            0..4 => {
                let Some(peer) = some_peer(&mut rng) else { continue };
                let has = peers[&peer].as_ref().map_or(Has::All, Has::Some);
                let speed = [PeerSpeed::Slow, PeerSpeed::Medium, PeerSpeed::Fast][rng.index(3)];
                let n = 1 + rng.index(12);
                let mut out = Vec::new();
                picker.pick(peer, has, n, NOW, speed, &mut rng, &mut out);
                assert!(out.len() <= n);
                let end_game = picker.in_end_game();
                for &block in &out {
                    assert!(!had.contains(&block.piece) && !stored.contains(&block), "{block:?} is had");
                    assert!(peers[&peer].as_ref().is_none_or(|has| has.get(block.piece)));
                    assert!(picker.priority(block.piece) > 0);
                    assert!(cut.holds(block.piece, block.begin, block.len));
                    let before = asked.iter().filter(|(_, blocks)| blocks.contains(&block)).count();
                    assert!(before == 0 || (end_game && before < 3), "{block:?} asked again");
                    assert!(!asked.get(&peer).is_some_and(|blocks| blocks.contains(&block)));
                    asked.entry(peer).or_default().push(block);
                }
            }
            4..7 => {
                let Some(peer) = some_peer(&mut rng) else { continue };
                let blocks = asked.entry(peer).or_default();
                if blocks.is_empty() {
                    continue;
                }
                let block = blocks.remove(if rng.chance(0.8) { 0 } else { rng.index(blocks.len()) });
                match picker.received(peer, block) {
                    Received::Wanted { piece_complete, others } => {
                        assert!(stored.insert(block));
                        let expected: Vec<_> = asked
                            .iter()
                            .filter(|(_, blocks)| blocks.contains(&block))
                            .map(|(peer, _)| *peer)
                            .collect();
                        let mut others = others;
                        others.sort_unstable();
                        assert_eq!(others, expected);
                        for other in others {
                            asked.get_mut(&other).unwrap().retain(|asked| *asked != block);
                        }
                        let whole = (0..cut.blocks_in(block.piece))
                            .all(|at| stored.iter().any(|b| b.piece == block.piece && b.begin == at * 16384));
                        assert_eq!(piece_complete, whole);
                        if whole {
                            complete.push(block.piece);
                        }
                    }
                    other => panic!("{other:?} for {block:?}"),
                }
                // Asked twice with a time-out between, a second answer is a duplicate; else it is a liberty.
                assert!(!matches!(picker.received(peer, block), Received::Wanted { .. }));
            }
            7 => {
                if let Some(piece) = complete.pop() {
                    if rng.chance(0.85) {
                        picker.verified(piece);
                        had.insert(piece);
                    } else {
                        let contributors = picker.failed(piece);
                        assert_eq!(contributors.len() as u32, cut.blocks_in(piece));
                        stored.retain(|block| block.piece != piece);
                    }
                }
            }
            8 => {
                let has = bits(count, (0..count).filter(|_| rng.chance(0.5)));
                picker.peer_bitfield(&has);
                peers.insert(next, Some(has));
                next += 1;
            }
            9 => {
                picker.peer_has_all();
                peers.insert(next, None);
                next += 1;
            }
            10 => {
                let Some(peer) = some_peer(&mut rng) else { continue };
                let piece = rng.below(u64::from(count)) as u32;
                if let Some(Some(has)) = peers.get_mut(&peer)
                    && has.set(piece)
                {
                    picker.peer_has(piece);
                }
            }
            11 => {
                let Some(peer) = some_peer(&mut rng) else { continue };
                picker.choked(peer);
                assert_eq!(picker.outstanding(peer), 0);
                asked.remove(&peer);
            }
            12 => {
                let Some(peer) = some_peer(&mut rng) else { continue };
                let has = peers.remove(&peer).unwrap();
                picker.peer_gone(peer, has.as_ref().map_or(Has::All, Has::Some));
                asked.remove(&peer);
            }
            13 => {
                let Some(peer) = some_peer(&mut rng) else { continue };
                if let Some(block) = asked.get_mut(&peer).and_then(Vec::pop) {
                    if rng.chance(0.5) {
                        picker.rejected(peer, block);
                    } else {
                        picker.timed_out(peer, block);
                    }
                }
            }
            14 => picker.set_priority(rng.below(u64::from(count)) as u32, [0, 1, 4, 4, 7][rng.index(5)]),
            _ => {
                let piece = rng.below(u64::from(count)) as u32;
                let due = rng.chance(0.7).then(|| NOW + Duration::from_secs(rng.below(60)));
                picker.set_deadline(piece, due);
            }
        }
        if step % 8 > 0 {
            continue;
        }
        let outstanding: usize = asked.values().map(Vec::len).sum();
        assert_eq!(asked.keys().map(|&peer| picker.outstanding(peer)).sum::<usize>(), outstanding);
        assert_eq!(
            picker.received_blocks() as usize,
            stored.iter().filter(|b| !had.contains(&b.piece)).count()
        );
        assert_eq!(picker.had_count() as usize, had.len());
        for piece in 0..count {
            let have = peers.values().filter(|has| has.as_ref().is_none_or(|has| has.get(piece))).count();
            assert_eq!(picker.availability(piece) as usize, have);
            assert_eq!(picker.had(piece), had.contains(&piece));
            assert_eq!(picker.wants(piece), !had.contains(&piece) && picker.priority(piece) > 0);
        }
        for has in peers.values().flatten() {
            assert_eq!(picker.wants_any(has), has.ones().any(|piece| picker.wants(piece)));
        }
    }
    assert!(picker.is_complete(), "seed {seed} never ends");
}

#[test]
fn any_life_keeps_the_promises_and_ends() {
    (0..40).for_each(life);
}

#[test]
fn the_rarest_piece_comes_first() {
    let (mut picker, mut rng) = picker(100, 4);
    (0..4).for_each(|piece| picker.verified(piece));
    for _ in 0..5 {
        picker.peer_bitfield(&bits(100, (0..100).filter(|piece| *piece != 42 && *piece != 57)));
    }
    let both = bits(100, 0..100);
    picker.peer_bitfield(&both);
    picker.peer_has(57);
    let blocks = pick(&mut picker, 1, Has::Some(&both), 12, &mut rng);
    let order: Vec<u32> = blocks.chunks(4).map(|piece| piece[0].piece).collect();
    assert_eq!(order[..2], [42, 57]);
    assert!(blocks.chunks(4).all(|piece| piece.iter().map(|block| block.begin).eq([0, 16384, 32768, 49152])));
    // A peer without the rare ones gets something else.
    let few = bits(100, [9]);
    picker.peer_bitfield(&few);
    assert!(pick(&mut picker, 2, Has::Some(&few), 8, &mut rng).iter().all(|block| block.piece == 9));
}

#[test]
fn a_peer_that_lacks_what_is_rare_gets_the_rarest_of_its_own() {
    let (mut picker, mut rng) = picker(5000, 1);
    (0..4).for_each(|piece| picker.verified(piece));
    let common = bits(5000, 4000..5000);
    (0..3).for_each(|_| picker.peer_bitfield(&common));
    picker.peer_bitfield(&bits(5000, 0..4000));
    let rarer = bits(5000, [10, 4500]);
    picker.peer_bitfield(&rarer);
    let mine = bits(5000, [4100, 4500, 4700]);
    assert_ne!(pick(&mut picker, 9, Has::Some(&mine), 1, &mut rng)[0].piece, 4500);
}

#[test]
fn the_first_pieces_are_random_and_ties_too() {
    let mut firsts = BTreeSet::new();
    for seed in 0..40 {
        let mut rng = Rng::fast_from(seed);
        let cut = Pieces::new(1000 * 16384, 16384).unwrap();
        let mut picker = Picker::new(cut, &Bitfield::new(1000), &mut rng);
        picker.peer_has_all();
        firsts.insert(pick(&mut picker, 1, Has::All, 1, &mut rng)[0].piece);
    }
    assert!(firsts.len() > 35, "{firsts:?}");
}

#[test]
fn sequential_deadlines_and_priorities() {
    let (mut picker, mut rng) = picker(50, 1);
    picker.peer_has_all();
    picker.set_mode(Mode::Sequential);
    picker.set_priority(2, 0);
    picker.set_deadline(40, Some(NOW + Duration::from_secs(60)));
    picker.set_deadline(30, Some(NOW + Duration::from_secs(90)));
    let order = |blocks: Vec<Block>| blocks.into_iter().map(|block| block.piece).collect::<Vec<_>>();
    assert_eq!(order(pick(&mut picker, 1, Has::All, 5, &mut rng)), [40, 30, 0, 1, 3]);
    picker.set_mode(Mode::RarestFirst);
    picker.set_priority(20, 7);
    picker.set_priority(21, 6);
    assert_eq!(order(pick(&mut picker, 1, Has::All, 2, &mut rng)), [20, 21]);
    assert!(!picker.wants(2) && picker.wants(3));
}

#[test]
fn fast_peers_have_pieces_to_themselves_and_slow_ones_share() {
    let (mut picker, mut rng) = picker(50, 8);
    picker.peer_has_all();
    let mut by_peer: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for round in 0..4 {
        for peer in 0..5 {
            for block in pick(&mut picker, peer, Has::All, 2, &mut rng) {
                assert_eq!(block.begin / 32768, round);
                by_peer.entry(peer).or_default().insert(block.piece);
            }
        }
    }
    assert!(by_peer.values().all(|pieces| pieces.len() == 1));
    assert_eq!(by_peer.values().flatten().collect::<BTreeSet<_>>().len(), 5);
    let mut shared = BTreeSet::new();
    for peer in 10..14 {
        let mut out = Vec::new();
        picker.pick(peer, Has::All, 2, NOW, PeerSpeed::Slow, &mut rng, &mut out);
        shared.extend(out.iter().map(|block| block.piece));
    }
    assert_eq!(shared.len(), 1);
    assert!(picker.partial_count() <= 6);
}

#[test]
fn the_end_game_asks_two_at_most_and_cancels() {
    let (mut picker, mut rng) = picker(1, 2);
    (0..5).for_each(|_| picker.peer_has_all());
    let first = pick(&mut picker, 0, Has::All, 2, &mut rng);
    assert_eq!(first.len(), 2);
    assert!(picker.in_end_game());
    let asked: Vec<usize> = (1..5).map(|peer| pick(&mut picker, peer, Has::All, 9, &mut rng).len()).collect();
    assert_eq!(asked, [2, 0, 0, 0]);
    assert_eq!(picker.received(1, first[0]), Received::Wanted { piece_complete: false, others: vec![0] });
    assert_eq!(picker.received(0, first[0]), Received::Duplicate);
    assert_eq!(picker.received(4, first[0]), Received::Unasked);
    picker.choked(0);
    // The one who is left has it to give alone, and another may be asked beside it.
    assert_eq!(pick(&mut picker, 2, Has::All, 9, &mut rng).len(), 1);
    assert_eq!(picker.received(2, first[1]), Received::Wanted { piece_complete: true, others: vec![1] });
    assert_eq!(picker.failed(0), [(0, 1), (1, 2)]);
    assert_eq!(pick(&mut picker, 3, Has::All, 9, &mut rng).len(), 2);
}

#[test]
fn late_answers_count_and_wrong_ones_do_not() {
    let (mut picker, mut rng) = picker(3, 2);
    picker.peer_has_all();
    let blocks = pick(&mut picker, 1, Has::All, 2, &mut rng);
    picker.choked(1);
    assert_eq!(picker.partial_count(), 0);
    assert_eq!(picker.received(1, blocks[0]), Received::Wanted { piece_complete: false, others: vec![] });
    let wrong = Block { len: 1, ..blocks[1] };
    assert_eq!(picker.received(1, wrong), Received::Unasked);
    assert_eq!(picker.received(1, Block { begin: 1, ..blocks[1] }), Received::Unasked);
    assert_eq!(picker.received(1, Block { piece: 3, ..blocks[1] }), Received::Unasked);
    assert_eq!(picker.received(2, blocks[1]), Received::Unasked);
}

#[test]
fn partial_pieces_survive_a_restart() {
    let (mut picker, mut rng) = picker(4, 3);
    picker.peer_has_all();
    let blocks = pick(&mut picker, 1, Has::All, 2, &mut rng);
    blocks.iter().for_each(|&block| assert!(matches!(picker.received(1, block), Received::Wanted { .. })));
    let saved: Vec<_> = picker.partial().collect();
    assert_eq!(saved, [(blocks[0].piece, bits(3, [0, 1]))]);
    let mut again = Picker::new(picker.pieces(), &Bitfield::new(4), &mut rng);
    again.peer_has_all();
    assert!(!again.restore_partial(saved[0].0, &saved[0].1));
    let next = pick(&mut again, 1, Has::All, 1, &mut rng);
    assert_eq!(next, [Block { piece: blocks[0].piece, begin: 32768, len: 16384 }]);
    assert_eq!(again.received(1, next[0]), Received::Wanted { piece_complete: true, others: vec![] });
    assert_eq!(again.failed(next[0].piece), [(2, 1)]);
}

#[test]
fn copies_say_whether_it_will_finish() {
    let (mut picker, _) = picker(4, 1);
    picker.peer_bitfield(&bits(4, [0, 1, 2]));
    assert_eq!((picker.copies().whole, picker.copies().more), (0, 750));
    picker.verified(3);
    assert_eq!((picker.copies().whole, picker.copies().more), (1, 0));
    picker.peer_has_all();
    assert_eq!(picker.copies().whole, 2);
    picker.peer_gone(9, Has::All);
    picker.peer_has(3);
    assert_eq!((picker.copies().whole, picker.copies().more), (1, 250));
}

#[test]
fn what_is_reserved_is_asked_of_one_peer_only() {
    let (mut picker, mut rng) = picker(4, 4);
    (0..3).for_each(|_| picker.peer_has_all());
    picker.reserve(2, 7);
    // Others get all else, and in the end game nothing of it either.
    let others = [1, 2].map(|peer| pick(&mut picker, peer, Has::All, 40, &mut rng));
    assert!(others.iter().flatten().all(|block| block.piece != 2));
    assert_eq!(others[0].len(), 12);
    let own = pick(&mut picker, 7, Has::All, 4, &mut rng);
    assert_eq!(own.iter().map(|block| block.piece).collect::<Vec<_>>(), [2; 4]);
    assert!(pick(&mut picker, 1, Has::All, 40, &mut rng).iter().all(|block| block.piece != 2));
    // Once it leaves one out, anybody may help.
    picker.rejected(7, own[3]);
    assert_eq!(pick(&mut picker, 2, Has::All, 1, &mut rng), [own[3]]);
}

#[test]
fn what_is_reserved_for_who_leaves_is_anybodys() {
    for leave in 0..3 {
        let (mut picker, mut rng) = picker(1, 4);
        (0..2).for_each(|_| picker.peer_has_all());
        picker.reserve(0, 7);
        assert_eq!(pick(&mut picker, 7, Has::All, 2, &mut rng).len(), 2);
        assert_eq!(pick(&mut picker, 1, Has::All, 4, &mut rng), []);
        match leave {
            0 => picker.peer_gone(7, Has::All),
            1 => picker.choked(7),
            _ => picker.unreserve(7),
        }
        // What it was asked for is not asked again while it may still come.
        let open = if leave < 2 { 4 } else { 2 };
        assert_eq!(pick(&mut picker, 1, Has::All, 4, &mut rng).len(), open);
    }
}

/// What a peer suggests is its next piece of its own, also where one call ends a piece and begins another.
#[test]
fn a_suggestion_is_the_next_piece() {
    let (mut picker, mut rng) = picker(50, 4);
    (0..2).for_each(|_| picker.peer_has_all());
    assert!(picker.suggested(1, 33) && !picker.suggested(1, 33), "the second time it is no news");
    let first = pick(&mut picker, 1, Has::All, 3, &mut rng);
    assert!(first.iter().all(|block| block.piece == 33));
    assert!(picker.suggested(1, 44));
    let next = pick(&mut picker, 1, Has::All, 4, &mut rng);
    assert_eq!(next.iter().map(|block| block.piece).collect::<Vec<_>>(), [33, 44, 44, 44]);
    // Several are taken in turn, those of no use skipped; none after a choke.
    assert!([11, 12, 13].iter().all(|&piece| picker.suggested(4, piece)));
    picker.verified(11);
    let (own, new) =
        (pick(&mut picker, 4, Has::All, 5, &mut rng), |piece| move |block: &Block| block.piece == piece);
    assert!(own[..4].iter().all(new(12)) && new(13)(&own[4]), "{own:?}");
    assert!(picker.suggested(5, 21));
    picker.unsuggest(5);
    assert!(picker.suggested(5, 22), "it is news again");
    assert!(pick(&mut picker, 5, Has::All, 1, &mut rng).iter().all(new(22)));
    // Not of a piece that is had, nor by who does not have it, nor in another order.
    picker.verified(7);
    assert!(!picker.suggested(2, 7));
    assert!(picker.suggested(2, 8));
    assert!(
        pick(&mut picker, 2, Has::Some(&bits(50, [9])), 1, &mut rng).iter().all(|block| block.piece == 9)
    );
    picker.set_mode(Mode::Sequential);
    assert!(picker.suggested(3, 20));
    assert_eq!(pick(&mut picker, 3, Has::All, 1, &mut rng)[0].piece, 0);
}
