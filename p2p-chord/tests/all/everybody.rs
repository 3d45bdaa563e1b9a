//! Rings of which everybody knows everybody.

use crate::recursive::Member;
use crate::rings::{World, add, begin, chord, config, drawn_up, joined, lookups_are_right, settle};
use p2p_chord::wire::{Answer, Ask};
use p2p_chord::{Command, Config, Event, Place, Report, RingId};
use p2p_core::{Duration, OpId, Rng};
use p2p_sim::{Audit, NodeIx};

fn knowing(r: usize, most: usize) -> Config {
    let mut config = config(r);
    config.everybody = most;
    config
}

/// Members that do not know exactly so many.
fn unsure(sim: &World, members: &[NodeIx], known: usize) -> usize {
    let mut counts = std::collections::BTreeMap::<usize, usize>::new();
    members.iter().for_each(|node| *counts.entry(chord(sim, *node).members_known()).or_default() += 1);
    println!("{known} others; known by how many: {counts:?}");
    members.iter().filter(|node| chord(sim, **node).members_known() != known).count()
}

/// What lookups cost; all of them are right.
fn costs(sim: &mut World, members: &[NodeIx], seed: u64, count: usize) -> Vec<Report> {
    lookups_are_right(sim, members, seed, count);
    let mut rng = Rng::fast_from(seed + 1);
    let ops: Vec<(NodeIx, OpId)> = (0..count)
        .map(|_| {
            let node = *rng.choose(members).unwrap();
            (node, sim.ask(node, Command::Lookup(RingId::random(&mut rng))))
        })
        .collect();
    assert!(sim.finish(&ops.iter().map(|(_, op)| *op).collect::<Vec<_>>(), Duration::from_secs(60)));
    let report = |(node, op): (NodeIx, OpId)| {
        let told = sim.events(node).iter().find(|told| told.op == Some(op)).unwrap();
        let Event::Owners { report, .. } = told.event else { panic!("{told:?}") };
        report
    };
    ops.into_iter().map(report).collect()
}

#[test]
fn all_are_told_who_comes_and_who_goes() {
    for seed in 1..=2 {
        println!("seed {seed}");
        let config = knowing(4, 1_000);
        let (mut sim, mut members) = joined(seed, 60, &config);
        settle(&mut sim, &members, 4, 300);
        // Six levels, a round each.
        sim.run_for(Duration::from_secs(60));
        assert_eq!(unsure(&sim, &members, 59), 0);
        let reports = costs(&mut sim, &members, seed, 300);
        let mean = |of: fn(&Report) -> u16| {
            reports.iter().map(|report| f64::from(of(report))).sum::<f64>() / reports.len() as f64
        };
        println!("{:.3} hops, {:.3} messages", mean(|report| report.hops), mean(|report| report.messages));
        assert!(mean(|report| report.hops) <= 1.0 && mean(|report| report.messages) <= 2.0);
        // Some crash, some leave, some come.
        for turn in 0..12 {
            match turn % 3 {
                0 => sim.kill(members.swap_remove(5 + turn)),
                1 => {
                    let leaver = members.swap_remove(7 + turn);
                    let op = sim.ask(leaver, Command::Leave);
                    assert!(sim.finish(&[op], Duration::from_secs(5)));
                }
                _ => {
                    let new = add(&mut sim, &members, &config);
                    members.push(new);
                }
            }
        }
        settle(&mut sim, &members, 4, 300);
        sim.run_for(Duration::from_secs(90));
        assert_eq!(unsure(&sim, &members, members.len() - 1), 0);
        costs(&mut sim, &members, seed + 5, 100);
        assert!(members.iter().all(|node| Audit::violations(sim.machine(*node)).is_empty()));
    }
}

#[test]
fn a_ring_that_was_drawn_up_learns_of_everybody_by_asking() {
    let mut config = knowing(8, 1_000);
    // No fingers: they would be all that there is.
    config.proximity = false;
    let (mut sim, members) = drawn_up(2, 100, &config);
    // It doubles in each round.
    sim.run_for(Duration::from_secs(200));
    assert_eq!(unsure(&sim, &members, 99), 0);
    let reports = costs(&mut sim, &members, 2, 200);
    assert!(reports.iter().all(|report| report.hops <= 1 && report.messages <= 2));
}

#[test]
fn lookups_are_right_where_news_is_late_and_rosters_too_short() {
    for most in [10, 1_000] {
        let config = knowing(4, most);
        let (mut sim, mut members) = joined(3, 50, &config);
        settle(&mut sim, &members, 4, 300);
        let new: Vec<_> = (0..10).map(|_| begin(&mut sim, &members[..1], &config)).collect();
        let ops: Vec<OpId> = new.iter().map(|(_, op)| *op).collect();
        assert!(sim.finish(&ops, Duration::from_secs(60)));
        members.extend(new.iter().map(|(node, _)| *node));
        let dead: Vec<NodeIx> = (0..6).map(|turn| members.swap_remove(3 + 4 * turn)).collect();
        dead.iter().for_each(|node| sim.kill(*node));
        // The ring is right before everybody has heard of it.
        let seconds = settle(&mut sim, &members, 4, 300);
        println!("right after {seconds} s; {} are not sure", unsure(&sim, &members, members.len() - 1));
        lookups_are_right(&mut sim, &members, 3, 300);
        assert!(members.iter().all(|node| chord(&sim, *node).members_known() <= most));
        for node in &members {
            assert_eq!(chord(&sim, *node).check(), Ok(()));
        }
    }
}

#[test]
fn hearsay_needs_a_proven_address_and_has_a_limit() {
    let mut member = Member::new(|config| config.everybody = 300);
    let from = std::net::SocketAddr::from(([192, 0, 2, 7], 5000));
    let me = member.node.peer().unwrap().place();
    let fakes = |number: u16| {
        (0..50).map(move |last| Place::V4([203, (number >> 8) as u8, number as u8, last], 4000))
    };
    let news = |number, gone: Vec<Place>| Ask::News { level: 9, came: fakes(number).collect(), gone };
    let sent = member.ask(from, 0, news(0, vec![me]), 0);
    let (token, answer) = member.answer(&sent[0].1);
    assert_eq!((sent.len(), answer), (1, Some(Answer::Prove)));
    assert_eq!(member.node.members_known(), 1, "its predecessor");
    let mut most = 0;
    for number in 0..2_000 {
        let sent = member.ask(from, token, news(number, vec![me]), 0);
        assert_eq!((sent.len(), member.answer(&sent[0].1).1), (1, Some(Answer::Passed)));
        most = most.max(member.node.members_known());
    }
    assert_eq!(most, 300, "as many as it is to know, and never more");
    assert!(member.node.is_member());
    // Whom it knows is more than an unproven address sent.
    let all = || {
        let from = RingId::new([0; 20]);
        Ask::Members { from, to: from, known: 0 }
    };
    let sent = member.ask(from, 0, all(), 0);
    assert_eq!(member.answer(&sent[0].1).1, Some(Answer::Prove));
    let sent = member.ask(from, token, all(), 0);
    let Some(Answer::Members(Some(list))) = member.answer(&sent[0].1).1 else { panic!("{sent:?}") };
    assert!(list.len() > 100 && sent[0].1.len() <= p2p_chord::wire::LARGEST);
}
