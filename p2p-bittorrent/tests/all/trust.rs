//! Whom the picker believes once a piece failed: strangers on probation, and swarms in which many lie.

use p2p_bittorrent::peer::Block;
use p2p_bittorrent::picker::{Has, PeerKey, PeerSpeed, Picker, Received};
use p2p_core::{Bitfield, Duration, Instant, Pieces, Rng};
use std::collections::{BTreeMap, BTreeSet};

const BLOCKS: u32 = 8;

/// A picker, its dice and its clock.
struct Table {
    picker: Picker,
    rng: Rng,
    now: Instant,
    /// What the trusted peer still owes.
    asked: Vec<Block>,
}

impl Table {
    fn new(pieces: u32) -> Self {
        let mut rng = Rng::fast_from(7);
        let cut = Pieces::new(u64::from(pieces * BLOCKS) * 16384, BLOCKS * 16384).unwrap();
        let mut picker = Picker::new(cut, &Bitfield::new(pieces), &mut rng);
        (0..10).for_each(|_| picker.peer_has_all());
        Self { picker, rng, now: Instant::ZERO + Duration::from_secs(100), asked: Vec::new() }
    }

    fn ask(&mut self, peer: PeerKey, n: usize) -> Vec<Block> {
        self.ask_for(peer, Has::All, n)
    }

    fn ask_for(&mut self, peer: PeerKey, has: Has<'_>, n: usize) -> Vec<Block> {
        let mut out = Vec::new();
        self.picker.pick(peer, has, n, self.now, PeerSpeed::Fast, &mut self.rng, &mut out);
        out
    }

    fn probe(&mut self, peer: PeerKey) -> Option<Block> {
        self.picker.probe(peer, Has::All, self.now, &mut self.rng)
    }

    fn give(&mut self, peer: PeerKey, blocks: &[Block]) -> bool {
        let mut whole = false;
        for &block in blocks {
            let Received::Wanted { piece_complete, .. } = self.picker.received(peer, block) else { panic!() };
            whole |= piece_complete;
        }
        whole
    }

    /// A peer gives a piece of its own, little by little if need be; which one.
    fn whole(&mut self, peer: PeerKey) -> u32 {
        loop {
            let blocks = self.ask(peer, 1);
            if self.give(peer, &blocks) {
                return blocks[0].piece;
            }
        }
    }

    /// Peer 1 is proved, peer 9 gave a piece that failed.
    fn wary(pieces: u32) -> Self {
        let mut table = Self::new(pieces);
        let right = table.whole(1);
        table.picker.verified(right);
        let wrong = table.whole(9);
        assert!(
            !table.picker.is_wary() && table.picker.trusts(2),
            "before a piece fails everybody is trusted"
        );
        table.picker.failed(wrong);
        table.picker.peer_gone(9, Has::All);
        assert!(table.picker.is_wary() && table.picker.trusts(1) && !table.picker.trusts(2));
        table
    }
}

#[test]
fn a_stranger_gives_one_block_until_it_is_proved() {
    let mut table = Table::wary(20);
    let most = table.ask(1, 7);
    let last = table.ask(2, 40);
    assert_eq!((last.len(), last[0].piece), (1, most[0].piece), "of what trusted peers complete soonest");
    // A second stranger has no part in the same piece.
    let other = table.ask(3, 40);
    assert_eq!(other.len(), 1);
    assert_ne!(other[0].piece, last[0].piece);
    assert_eq!(table.ask(2, 40), []);
    table.give(2, &last);
    assert_eq!((table.ask(2, 40), table.picker.unproven(2)), (vec![], 1), "it owes the proof");
    assert!(table.give(1, &most));
    table.picker.verified(last[0].piece);
    assert!(table.picker.trusts(2));
    assert_eq!(table.ask(2, 40).len(), 40);
}

#[test]
fn a_strangers_block_alone_is_fetched_again() {
    let mut table = Table::wary(20);
    let most = table.ask(1, 7);
    let last = table.ask(2, 40);
    table.give(1, &most);
    assert!(table.give(2, &last));
    let piece = last[0].piece;
    assert_eq!(table.picker.accuse(piece), [2]);
    assert_eq!(table.picker.fetch_again(piece, &[2]), last[0].len);
    assert_eq!(table.ask(1, 1), last);
    assert_eq!(table.ask(2, 40), [], "others give");
    // Better of a liar than of nobody.
    table.picker.peer_gone(1, Has::All);
    assert!(!table.ask(2, 40).is_empty());
}

/// Of a piece that only those gave who are not trusted nobody stands out; of others it is those.
#[test]
fn several_strangers_may_be_accused() {
    let mut table = Table::new(20);
    let piece = table.whole(1);
    table.picker.verified(piece);
    let first = table.ask(1, 5);
    let piece = first[0].piece;
    table.give(1, &first);
    table.picker.choked(1);
    for peer in [2, 3] {
        let blocks = table.ask(peer, if peer == 2 { 1 } else { 2 });
        assert!(blocks.iter().all(|block| block.piece == piece));
        table.give(peer, &blocks);
        table.picker.choked(peer);
    }
    assert_eq!(table.picker.accuse(piece), [2, 3]);
    assert_eq!(table.picker.fetch_again(piece, &[2, 3]), 3 * 16384);
    assert_eq!(table.picker.received_blocks(), 5);
}

/// At the start nobody is proved: strangers give pieces alone, little by little, and only the foremost of them goes on
/// once so much is owed as a liar may cost.
#[test]
fn the_foremost_stranger_goes_on() {
    let mut table = Table::new(40);
    let wrong = table.whole(99);
    table.picker.failed(wrong);
    table.picker.peer_gone(99, Has::All);
    let mut asked: BTreeMap<PeerKey, Vec<Block>> =
        (0..20).map(|peer| (peer, table.ask(peer, 40))).filter(|(_, blocks)| !blocks.is_empty()).collect();
    let pieces: BTreeSet<u32> = asked.values().flatten().map(|block| block.piece).collect();
    assert_eq!(pieces.len(), asked.len(), "each its own piece");
    assert_eq!(asked.values().map(Vec::len).sum::<usize>(), 16);
    assert!(asked.values().all(|blocks| blocks.len() == 2));
    // The fastest takes the lead, the others rest.
    let foremost = 3;
    let piece = asked[&foremost][0].piece;
    loop {
        let blocks = asked.remove(&foremost).unwrap();
        if table.give(foremost, &blocks) {
            break;
        }
        asked.insert(foremost, table.ask(foremost, 40));
    }
    let second = asked.remove(&4).unwrap();
    table.give(4, &second[..1]);
    assert_eq!(table.ask(4, 40).len(), 1, "the first is no longer asked for anything, so this one is ahead");
    assert_eq!(table.ask(5, 40), []);
    table.picker.verified(piece);
    assert!(table.picker.trusts(foremost));
    // What others began is completed by the one that is trusted, and they give no more of it.
    let rest = table.ask(foremost, 6);
    assert!(rest.iter().all(|block| pieces.contains(&block.piece)), "{rest:?}");
    table.give(4, &second[1..]);
    assert_eq!(table.ask(4, 40), []);
    // A stall holds nobody up for long.
    table.picker.choked(foremost);
    table.now += Duration::from_secs(20);
    assert_eq!(table.ask(11, 40).len(), 2);
}

/// While nobody who is trusted gives, a stranger gives a block of what is here before it gives a piece alone.
#[test]
fn a_stranger_is_probed_before_it_goes_alone() {
    let mut table = Table::new(20);
    let right = table.whole(1);
    table.picker.verified(right);
    assert_eq!(table.probe(2), None, "no piece failed yet");
    let wrong = table.whole(9);
    table.picker.failed(wrong);
    table.picker.peer_gone(9, Has::All);
    let most = table.ask(1, 4);
    assert_eq!(table.probe(2), None, "a trusted peer gives: a block that is of use shows the same");
    table.give(1, &most);
    assert_eq!(table.probe(1), None, "it is trusted");
    let lacks = Bitfield::new(20);
    assert_eq!(
        table.picker.probe(2, Has::Some(&lacks), table.now, &mut table.rng),
        None,
        "it has none of ours"
    );
    let probe = table.probe(2).unwrap();
    assert_eq!((probe.piece, probe.len, table.picker.outstanding(2)), (right, 16384, 1));
    // Nothing else is asked of it until the answer was compared.
    assert_eq!((table.probe(2), table.ask(2, 40)), (None, vec![]));
    assert_eq!(table.picker.received(2, probe), Received::Probe);
    assert_eq!((table.probe(2), table.ask(2, 40)), (None, vec![]));
    table.picker.probed(2, true);
    assert_eq!((table.probe(2), table.ask(2, 40).len()), (None, 2));
    assert!(!table.picker.trusts(2), "it may have known what that was");
    table.picker.choked(2);
    // A liar gives no more.
    let probe = table.probe(3).unwrap();
    assert_eq!(table.picker.received(3, probe), Received::Probe);
    table.picker.probed(3, false);
    let honest = table.ask(1, 1);
    assert_eq!((table.probe(3), table.ask(3, 40)), (None, vec![]));
    table.give(1, &honest);
    table.picker.peer_gone(3, Has::All);
    // Who was choked is probed anew, and whose answer comes too late, or never, has to do without.
    let probe = table.probe(4).unwrap();
    table.picker.choked(4);
    assert_eq!(table.picker.received(4, probe), Received::Duplicate);
    let probe = table.probe(4).unwrap();
    table.picker.rejected(4, probe);
    assert_eq!((table.probe(4), table.ask(4, 40).len()), (None, 2));
    // Nobody else gives: who had a part in a piece that failed is probed once more.
    table.picker.choked(4);
    let again = table.whole(2);
    table.picker.failed(again);
    assert_eq!(table.probe(2).map(|block| block.piece), Some(right));
}

/// A stranger with a piece that no trusted peer has: after a while it gives all of it.
#[test]
fn what_nobody_completes_a_stranger_may() {
    let mut table = Table::wary(300);
    let rare = (0..300).find(|piece| !table.picker.had(*piece)).unwrap();
    let only = |is: bool| {
        let mut bits = Bitfield::new(300);
        (0..300).filter(|piece| (*piece == rare) == is).for_each(|piece| {
            bits.set(piece);
        });
        bits
    };
    let (stranger, others) = (only(true), only(false));
    let began = table.now;
    let mut owes_one = Duration::ZERO;
    while !table.picker.trusts(2) {
        assert!(table.now - began < Duration::from_secs(200), "it never gets to prove itself");
        // The trusted one always owes something.
        let blocks = table.ask_for(1, Has::Some(&others), 2);
        table.now += Duration::from_secs(1);
        let blocks = if blocks.is_empty() { table.asked.clone() } else { blocks };
        table.give(1, &blocks[..1]);
        table.asked = blocks[1..].to_vec();
        let more = table.ask_for(2, Has::Some(&stranger), 40);
        assert!(more.len() <= 2);
        if table.give(2, &more) {
            table.picker.verified(rare);
        }
        if table.picker.unproven(2) == 1 {
            owes_one = table.now - began;
        }
    }
    assert!(owes_one >= Duration::from_secs(140), "{owes_one:?}");
}

/// Somebody in a life.
struct Somebody {
    /// The share of its blocks that are wrong.
    lies: f64,
    /// It never answers.
    stalls: bool,
    /// It came when strangers were not trusted, and was never trusted since: who was and fell may owe a pipeline.
    late: bool,
    asked: Vec<Block>,
}

/// A swarm driven by dice in which one honest peer stays and all others may lie, stall, choke and leave. Who is found out
/// never comes back, as in the client.
fn life(seed: u64) {
    let mut rng = Rng::fast_from(seed);
    let count = 1 + rng.below(40) as u32;
    let blocks = 1 + rng.below(20) as u32;
    let cut = Pieces::new(u64::from(count * blocks) * 16384, blocks * 16384).unwrap();
    let mut picker = Picker::new(cut, &Bitfield::new(count), &mut rng.split());
    let mut now = Instant::ZERO;
    let mut peers: BTreeMap<PeerKey, Somebody> = BTreeMap::new();
    // Of each block received: who gave it, and whether it is wrong. Of each piece: who gave wrong blocks when it failed.
    let mut stored: BTreeMap<Block, (PeerKey, bool)> = BTreeMap::new();
    let mut wrong: BTreeMap<u32, BTreeSet<PeerKey>> = BTreeMap::new();
    let mut right: BTreeMap<u32, BTreeSet<PeerKey>> = BTreeMap::new();
    let mut next = 0;
    let honest_first = rng.below(30);
    let mut step = 0u64;
    while !picker.is_complete() {
        assert!(step < 60_000, "seed {seed} never ends: {:?}", picker.missing());
        if step == honest_first {
            picker.peer_has_all();
            let late = picker.is_wary();
            peers.insert(1000, Somebody { lies: 0.0, stalls: false, late, asked: Vec::new() });
        }
        step += 1;
        now += Duration::from_millis(rng.below(2_000));
        let Some(&peer) = peers.keys().nth(rng.index(peers.len().max(1))) else { continue };
        let somebody = peers.get_mut(&peer).unwrap();
        somebody.late &= !picker.trusts(peer);
        match rng.below(20) {
            0 if next < 60 => {
                let lies = [1.0, 0.5, 0.1, 0.0][rng.index(4)];
                let late = picker.is_wary();
                let stalls = rng.chance(0.2);
                picker.peer_has_all();
                peers.insert(next, Somebody { lies, stalls, late, asked: Vec::new() });
                next += 1;
            }
            1 if peer < 1000 => {
                picker.peer_gone(peer, Has::All);
                peers.remove(&peer);
            }
            2 if rng.chance(0.2) => {
                picker.choked(peer);
                somebody.asked.clear();
            }
            3 => {
                if let Some(block) = somebody.asked.pop() {
                    picker.timed_out(peer, block);
                }
            }
            4..10 => {
                // Every other picker is used without probes.
                let probe =
                    seed.is_multiple_of(2).then(|| picker.probe(peer, Has::All, now, &mut rng)).flatten();
                if let Some(block) = probe {
                    assert!(picker.had(block.piece) && !picker.trusts(peer));
                    somebody.asked.push(block);
                    continue;
                }
                let mut out = Vec::new();
                picker.pick(peer, Has::All, 1 + rng.index(12), now, PeerSpeed::Fast, &mut rng, &mut out);
                assert!(!out.iter().any(|block| stored.contains_key(block)), "a block that is here");
                if picker.is_wary() && !picker.trusts(peer) {
                    assert!(out.len() <= 2);
                }
                somebody.asked.append(&mut out);
                if somebody.late {
                    let owed = picker.unproven(peer);
                    assert!(owed <= blocks as usize + 2, "seed {seed}: {owed} of {blocks}");
                }
            }
            _ => {
                if somebody.stalls || somebody.asked.is_empty() {
                    continue;
                }
                let block = somebody.asked.remove(0);
                let (piece_complete, others) = match picker.received(peer, block) {
                    Received::Wanted { piece_complete, others } => (piece_complete, others),
                    Received::Probe => {
                        let right = !rng.chance(somebody.lies);
                        picker.probed(peer, right);
                        if !right {
                            picker.peer_gone(peer, Has::All);
                            peers.remove(&peer);
                        }
                        continue;
                    }
                    Received::Duplicate | Received::Unasked => continue,
                };
                let spoilt = rng.chance(somebody.lies);
                stored.insert(block, (peer, spoilt));
                for other in others {
                    peers.get_mut(&other).unwrap().asked.retain(|asked| *asked != block);
                }
                if piece_complete {
                    let banned = judge(&mut picker, block.piece, &mut stored, &mut wrong, &mut right);
                    for liar in banned {
                        assert!(liar < 1000, "seed {seed}: the honest one is found guilty");
                        if peers.remove(&liar).is_some() {
                            picker.peer_gone(liar, Has::All);
                        }
                    }
                }
            }
        }
    }
}

/// What the client does with a piece that is complete; who is found guilty.
fn judge(
    picker: &mut Picker,
    piece: u32,
    stored: &mut BTreeMap<Block, (PeerKey, bool)>,
    wrong: &mut BTreeMap<u32, BTreeSet<PeerKey>>,
    right: &mut BTreeMap<u32, BTreeSet<PeerKey>>,
) -> BTreeSet<PeerKey> {
    let of_it: Vec<(PeerKey, bool)> =
        stored.iter().filter(|(block, _)| block.piece == piece).map(|(_, from)| *from).collect();
    if of_it.iter().all(|(_, spoilt)| !spoilt) {
        picker.verified(piece);
        right.remove(&piece).unwrap_or_default().into_iter().for_each(|peer| picker.acquitted(peer));
        return wrong.remove(&piece).unwrap_or_default();
    }
    let givers: BTreeSet<PeerKey> = of_it.iter().map(|(peer, _)| *peer).collect();
    if givers.len() == 1 {
        picker.failed(piece);
        stored.retain(|block, _| block.piece != piece);
        return givers;
    }
    let accused = picker.accuse(piece);
    for (peer, spoilt) in of_it.into_iter().filter(|(peer, _)| accused.is_empty() || accused.contains(peer)) {
        let list = if spoilt { &mut *wrong } else { &mut *right };
        list.entry(piece).or_default().insert(peer);
    }
    if accused.is_empty() {
        picker.failed(piece);
        stored.retain(|block, _| block.piece != piece);
    } else {
        assert!(picker.fetch_again(piece, &accused) > 0);
        stored.retain(|block, (peer, _)| block.piece != piece || !accused.contains(peer));
    }
    BTreeSet::new()
}

#[test]
fn any_life_among_liars_ends_if_one_honest_peer_stays() {
    (0..150).for_each(life);
}
