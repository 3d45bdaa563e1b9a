//! Trees come about, and carry the stream whatever happens to their members.

use crate::group::Group;
use p2p_core::Duration;
use p2p_esm::{Command, Config, Shape};
use p2p_sim::Uniform;

const EVERY: Duration = Duration::from_millis(50);

fn config(shape: Shape) -> Config {
    let mut config = Config::default();
    config.shape = shape;
    // Twenty packets of 200 bytes a second.
    config.rate = 4_000;
    config.upload = 16_000;
    config
}

#[test]
fn everybody_is_given_everything() {
    for (seed, shape) in [(1, Shape::SIX_OF_FOUR), (2, Shape::SINGLE), (3, Shape::new(5, 16, 4).expect("a shape"))] {
        let mut group = Group::new(seed, Uniform::ms(10..60), config(shape));
        group.add(40);
        let members = group.members.clone();
        let depths: Vec<_> =
            (0..usize::from(shape.trees())).map(|tree| members.iter().map(|node| group.depth(*node, tree)).max()).collect();
        assert!(depths.iter().all(|depth| matches!(depth, Some(Some(1..=12)))), "seed {seed}: {depths:?}");
        group.stream(200, EVERY);
        group.sim.ask(group.source, Command::Leave);
        group.sim.run_for(Duration::from_secs(5));
        for node in members {
            let given = group.given(node);
            assert_eq!(given.packets.len(), 200, "seed {seed}, {node:?}: {given:?}, {:?}", group.machine(node).counts());
            assert!(given.ended && given.gaps == 0, "seed {seed}, {node:?}: {} gaps, {}", given.gaps, given.ended);
        }
    }
}
