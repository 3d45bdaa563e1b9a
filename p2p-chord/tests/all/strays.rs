//! Copies that are nobody's business any more go, and no sooner than others have them.

use crate::copies::{all_are_found, fill, thrice};
use crate::rings::{add, chord, joined, owners, settle};
use crate::storing::holders;
use p2p_chord::record::Kind;
use p2p_core::{Duration, Rng};

/// The ring grows to three times its size: what each of the first nodes had for half of the ring is not kept for ever.
#[test]
fn who_is_not_responsible_any_more_forgets() {
    for seed in [1] {
        println!("seed {seed}");
        let config = thrice();
        let (mut sim, mut members) = joined(seed, 16, &config);
        settle(&mut sim, &members, 4, 300);
        let mut rng = Rng::fast_from(seed);
        let records = fill(&mut sim, &members, &mut rng, 40);
        for _ in 0..34 {
            let new = add(&mut sim, &members, &config);
            members.push(new);
        }
        settle(&mut sim, &members, 4, 300);
        let copies = |sim: &crate::rings::World| -> usize {
            members.iter().map(|node| chord(sim, *node).store().len()).sum()
        };
        let before = copies(&sim);
        let mut after = before;
        for _ in 0..8 {
            sim.run_for(Duration::from_secs(300));
            after = copies(&sim);
            for record in &records {
                let right = &owners(&sim, &members, record.key())[..3];
                assert!(holders(&sim, right, record.key(), Kind::Value) > 0, "never the last one");
            }
        }
        println!("{before} copies of {} records, {after} 40 minutes later", records.len());
        assert!(before > 5 * records.len() && after < 4 * records.len());
        all_are_found(&mut sim, &members, &mut rng, &records);
        for record in &records {
            let right = &owners(&sim, &members, record.key())[..3];
            assert_eq!(holders(&sim, right, record.key(), Kind::Value), 3);
        }
    }
}
