//! What members say of where they are: as much in a deep tree as in a shallow one, and all of it in the end.

use crate::group::Group;
use p2p_core::Duration;
use p2p_esm::wire::Kind;
use p2p_esm::{Command, Config, Event, Picture, Shape};
use p2p_sim::{NodeIx, Uniform};

const EVERY: Duration = Duration::from_millis(50);

/// Each may have so many children.
fn config(children: u32) -> Config {
    let mut config = Config::default();
    config.shape = Shape::SINGLE;
    // Twenty packets of 200 bytes a second.
    config.rate = 4_000;
    config.upload = 4_500 * children;
    config
}

fn picture(group: &mut Group, node: NodeIx) -> Box<Picture> {
    let op = group.sim.ask(node, Command::Look);
    assert!(group.sim.finish(&[op], Duration::from_secs(1)));
    let told = group.sim.events(node).iter().rev().find(|told| told.op == Some(op));
    match told.map(|told| &told.event) {
        Some(Event::Picture(picture)) => picture.clone(),
        other => panic!("{node:?}: {other:?}"),
    }
}

/// The longest thing that a parent says from time to time, in a tree of this kind, and how deep that is.
fn longest(children: u32) -> (u64, usize) {
    let mut group = Group::new(91, Uniform::ms(10..20), config(children));
    group.add(14);
    group.stream(400, EVERY);
    let before: Vec<_> = group.members.iter().map(|node| group.machine(*node).counts().control).collect();
    group.stream(200, EVERY);
    let (mut longest, mut deepest) = (0, 0);
    for (node, before) in group.members.iter().zip(before) {
        let now = group.machine(*node).counts().control;
        let since = |kind| {
            (now.of(kind).datagrams - before.of(kind).datagrams, now.of(kind).bytes - before.of(kind).bytes)
        };
        let (still, bytes) = since(Kind::Still);
        assert_eq!(since(Kind::Where).0, 0, "{node:?} missed nothing");
        if still > 0 {
            longest = longest.max(bytes.div_ceil(still));
        }
        let depth = group.depth(*node, 0).expect("in the tree");
        deepest = deepest.max(depth);
    }
    (longest, deepest)
}

#[test]
fn what_is_said_from_time_to_time_does_not_depend_on_depth() {
    let ((shallow, few), (deep, many)) = (longest(8), longest(1));
    assert!(few <= 3 && many >= 6, "{few} and {many} hops");
    assert!(shallow > 0 && deep <= shallow + 1, "{shallow} bytes at {few} hops, {deep} at {many}");
}

/// Whether each member knows the way from the source to itself as its parent has it.
fn agree(group: &mut Group) -> bool {
    let nodes: Vec<_> = [group.source].into_iter().chain(group.members.clone()).collect();
    let pictures: Vec<_> = nodes.iter().map(|node| (group.at(*node), picture(group, *node))).collect();
    let way_to = |picture: &Picture| {
        let above = picture.trees[0].path.iter().copied();
        above.chain([picture.me]).collect::<Vec<_>>()
    };
    pictures.iter().skip(1).all(|(_, member)| {
        let parent = member.trees[0].parent;
        let parent = pictures.iter().find(|(addr, _)| Some(*addr) == parent);
        parent.is_some_and(|(_, parent)| member.trees[0].path == way_to(parent))
    })
}

/// Where a tenth of all datagrams is lost, who missed where its parent went learns of it.
#[test]
fn who_missed_where_its_parent_is_asks() {
    let mut asked = 0;
    for seed in 92..95 {
        let mut group = Group::new(seed, Uniform::ms(10..60).loss(0.1), config(2));
        group.add(20);
        group.stream(400, EVERY);
        let agreed = (0..60).any(|_| {
            group.stream(20, EVERY);
            agree(&mut group)
        });
        assert!(agreed, "seed {seed}");
        let of = |node: &NodeIx| group.machine(*node).counts().control.of(Kind::Where).datagrams;
        asked += group.members.iter().map(of).sum::<u64>();
    }
    assert!(asked > 0);
}
