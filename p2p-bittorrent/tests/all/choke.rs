//! Whom the choker lets in: by merit, by turn, by lot.

use p2p_bittorrent::choke::{Candidate, Choker, Config, Role, Slots};
use p2p_core::{Instant, Rng};
use std::collections::BTreeMap;

fn at(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

fn peer(key: u32, rate_in: u64) -> Candidate {
    Candidate {
        key,
        interested: true,
        unchoked: false,
        snubbed: false,
        rate_in,
        rate_out: 0,
        unchoked_at: None,
        given: 0,
        connected_at: at(0),
        empty: false,
        nearly: false,
    }
}

fn fixed(slots: u16) -> Choker {
    Choker::new(Config { slots: Slots::Fixed(slots), ..Config::default() })
}

/// Carries a decision out.
fn apply(peers: &mut [Candidate], chosen: &[u32], now: Instant) {
    for peer in peers {
        let on = chosen.binary_search(&peer.key).is_ok();
        if on && !peer.unchoked {
            peer.unchoked_at = Some(now);
        }
        peer.unchoked = on;
    }
}

#[test]
fn the_best_four_and_one_by_lot() {
    let mut rng = Rng::fast_from(1);
    let mut choker = fixed(4);
    let mut peers: Vec<_> = (0..20).map(|key| peer(key, u64::from(key) * 1000)).collect();
    let mut lots: BTreeMap<u32, u32> = BTreeMap::new();
    for round in 0..300 {
        let now = at(100 + round * 10);
        let chosen = choker.round(now, Role::Leech, 50_000, &peers, &mut rng).to_vec();
        assert_eq!(chosen.len(), 5);
        assert_eq!(chosen[1..], [16, 17, 18, 19]);
        *lots.entry(chosen[0]).or_default() += 1;
        apply(&mut peers, &chosen, now);
    }
    // Thirty seconds each, and everybody has a turn.
    assert!(lots.values().all(|rounds| rounds % 3 == 0), "{lots:?}");
    assert_eq!(lots.len(), 16);
}

#[test]
fn without_slots_nobody_is_unchoked() {
    let mut rng = Rng::fast_from(3);
    let peers: Vec<_> = (0..20).map(|key| peer(key, u64::from(key) * 1000)).collect();
    for role in [Role::Leech, Role::Seed, Role::Beginner] {
        assert!(fixed(0).round(at(1000), role, 50_000, &peers, &mut rng).is_empty());
        assert!(fixed(0).fill(role, &peers, &mut rng).is_empty());
    }
}

/// Of 2,000 draws among ten peers like this and ten others, how many one of the ten has.
fn drawn(dice: u64, mark: impl Fn(&mut Candidate)) -> u32 {
    let mut rng = Rng::fast_from(dice);
    let mut drawn = 0;
    for _ in 0..2000 {
        // The last one has the slot that is earned; the others draw lots.
        let mut peers: Vec<_> = (0..20).map(|key| peer(key, u64::from(key == 19))).collect();
        peers[..10].iter_mut().for_each(&mark);
        let chosen = fixed(1).round(at(1000), Role::Leech, 0, &peers, &mut rng).to_vec();
        assert_eq!((chosen.len(), chosen[1]), (2, 19));
        drawn += u32::from(chosen[0] < 10);
    }
    drawn
}

#[test]
fn new_peers_are_drawn_three_times_as_often() {
    let new = drawn(2, |peer| peer.connected_at = at(990));
    assert!((1400..1600).contains(&new), "{new}");
}

#[test]
fn who_has_nothing_is_drawn_three_times_as_often() {
    let drawn = drawn(9, |peer| peer.empty = true);
    assert!((1400..1600).contains(&drawn), "{drawn}");
}

#[test]
fn a_beginner_serves_one_at_a_time_and_first_who_has_nothing() {
    let mut rng = Rng::fast_from(10);
    let mut choker = fixed(4);
    let mut peers: Vec<_> = (0..6).map(|key| peer(key, 0)).collect();
    peers[4].empty = true;
    let chosen = choker.fill(Role::Beginner, &peers, &mut rng).to_vec();
    assert_eq!(chosen, [4]);
    apply(&mut peers, &chosen, at(0));
    assert!(choker.fill(Role::Beginner, &peers, &mut rng).is_empty(), "its slot is taken");
    // Its turn is not over: it keeps the slot over a round.
    peers[4].given = 1;
    assert_eq!(choker.round(at(5), Role::Beginner, 0, &peers, &mut rng), [4]);
    // The turn ends; somebody else is served before it is again.
    assert!(choker.relieve(&peers, &mut rng).is_some_and(|next| next != 4));
    // Where turns do not end, one more is served for each round.
    let counts: Vec<usize> =
        (1..8).map(|round| choker.round(at(10 * round), Role::Beginner, 0, &peers, &mut rng).len()).collect();
    assert_eq!(counts, [1, 1, 2, 3, 4, 5, 5]);
}

#[test]
fn a_seed_lets_finish_who_is_nearly_done() {
    let mut rng = Rng::fast_from(11);
    let mut peers: Vec<_> = (0..9).map(|key| peer(key, 0)).collect();
    peers[7].nearly = true;
    // Its turn was over, and others wait for theirs.
    (peers[7].unchoked, peers[7].unchoked_at, peers[7].given) = (true, Some(at(1)), 1 << 30);
    let chosen = fixed(1).round(at(20), Role::Seed, 0, &peers, &mut rng).to_vec();
    assert!(chosen.contains(&7), "{chosen:?}");
    assert_eq!(fixed(1).relieve(&peers, &mut rng).filter(|key| *key == 7), None);
    peers[7].unchoked = false;
    assert_eq!(fixed(1).relieve(&peers, &mut rng), Some(7));
    peers[7].nearly = false;
    assert_ne!(fixed(1).relieve(&peers, &mut rng), Some(7), "it was served, the others never");
}

#[test]
fn who_snubs_us_is_unchoked_only_by_lot() {
    let mut rng = Rng::fast_from(3);
    let mut peers: Vec<_> = (0..10).map(|key| peer(key, u64::from(key))).collect();
    peers[9].snubbed = true;
    let chosen = fixed(4).round(at(10), Role::Leech, 0, &peers, &mut rng).to_vec();
    assert_eq!(chosen.len(), 6);
    assert!([5, 6, 7, 8].iter().all(|key| chosen.contains(key)));
}

#[test]
fn slots_go_to_the_interested_and_the_rest_keep_theirs() {
    let mut rng = Rng::fast_from(4);
    let mut peers: Vec<_> = (0..8).map(|key| peer(key, u64::from(key) + 1)).collect();
    peers[7].interested = false;
    peers[7].unchoked = true;
    peers[0].interested = false;
    let chosen = fixed(2).round(at(10), Role::Leech, 0, &peers, &mut rng).to_vec();
    assert!([5, 6, 7].iter().all(|key| chosen.contains(key)) && !chosen.contains(&0) && chosen.len() == 4);
}

#[test]
fn a_seed_serves_all_alike_however_fast_they_are() {
    let mut rng = Rng::fast_from(5);
    let mut choker = fixed(4);
    let mut peers: Vec<_> = (0..30).map(|key| peer(key, 0)).collect();
    peers.iter_mut().for_each(|peer| peer.rate_out = if peer.key < 3 { 1_000_000 } else { 1_000 });
    let mut served = [0u32; 30];
    for round in 0..3000 {
        let now = at(round * 10);
        let chosen = choker.round(now, Role::Seed, 1_000, &peers, &mut rng).to_vec();
        assert_eq!(chosen.len(), 5);
        chosen.iter().for_each(|&key| served[key as usize] += 1);
        apply(&mut peers, &chosen, now);
    }
    // 3,000 rounds of 5 slots among 30.
    assert!(served.iter().all(|&rounds| (350..650).contains(&rounds)), "{served:?}");
}

#[test]
fn free_slots_are_filled_at_once() {
    let mut rng = Rng::fast_from(6);
    let mut choker = fixed(4);
    let mut peers: Vec<_> = (0..3).map(|key| peer(key, 0)).collect();
    assert!(choker.has_room(Role::Leech, 4) && !choker.has_room(Role::Leech, 5));
    assert!(choker.has_room(Role::Beginner, 0) && !choker.has_room(Role::Beginner, 1));
    let chosen = choker.fill(Role::Leech, &peers, &mut rng).to_vec();
    assert_eq!(chosen, [0, 1, 2]);
    apply(&mut peers, &chosen, at(0));
    peers.extend((3..9).map(|key| peer(key, u64::from(key))));
    assert_eq!(choker.fill(Role::Leech, &peers, &mut rng), [7, 8]);
    assert!(choker.fill(Role::Seed, &[], &mut rng).is_empty());
}

/// How many slots are open after half an hour behind an uplink of `capacity`, with peers that take `each` at most.
fn slots_after(capacity: u64, each: u64) -> usize {
    let mut rng = Rng::fast_from(7);
    let mut choker = Choker::new(Config::default());
    let mut peers: Vec<_> = (0..400).map(|key| peer(key, u64::from(key))).collect();
    for round in 0..180 {
        let unchoked = peers.iter().filter(|peer| peer.unchoked).count() as u64;
        let chosen = choker
            .round(at(round * 10), Role::Leech, capacity.min(unchoked * each), &peers, &mut rng)
            .to_vec();
        apply(&mut peers, &chosen, at(round * 10));
    }
    choker.regular_slots()
}

#[test]
fn slots_grow_until_the_uplink_is_full() {
    assert_eq!(slots_after(50_000, 1_000_000), 4);
    assert!(slots_after(1_000_000, 10_000_000) <= 5);
    let gigabit = slots_after(125_000_000, 1_000_000);
    // With the optimistic ones that is nineteen twentieths of it: what more would bring is not worth a trial.
    assert!((90..=200).contains(&gigabit), "{gigabit}");
}
