//! Two users with one nick, on two servers that meet.

use super::neighbour::{Neighbour, nicks, rig};
use crate::server::rig::lines;

#[test]
fn of_two_with_one_nick_the_older_stays() {
    let mut rig = rig();
    let ann = rig.user("ann");
    let now = rig.civil + 1_000;
    let mut other = Neighbour::up(&mut rig, "serverb");
    let mut third = Neighbour::up(&mut rig, "serverc");
    third.hear(&mut rig);
    // Younger: it does not come, and its server will hear of ours. The same second: the lesser server's name.
    for since in [now + 1, now] {
        other.user(&mut rig, "ANN", "serverb", since);
        assert!(rig.is_open(ann) && third.hear(&mut rig).is_empty());
    }
    other.raw(&mut rig, 10000, "ann");
    assert_eq!(nicks(&rig), ["ann"]);
    // Older: ours is told, and goes.
    other.user(&mut rig, "ANN", "serverb", now - 1);
    let heard = lines(&rig.hear(ann));
    assert!(heard.iter().any(|line| line.contains("has had your nick for longer")), "{heard:?}");
    assert!(!rig.is_open(ann));
    assert_eq!(nicks(&rig), ["ANN"]);
    let heard = third.hear(&mut rig);
    assert!(heard[0] == "10000 ann" && heard[1].starts_with("2 ANN * 6699 "), "{heard:?}");
    // And the same between two links.
    other.hear(&mut rig);
    third.user(&mut rig, "ann", "serverc", now - 2);
    assert_eq!(nicks(&rig), ["ann"]);
    let heard = other.hear(&mut rig);
    assert!(heard.last().unwrap().starts_with("2 ann * 6699 "), "{heard:?}");
    // What its old server still says of it is of nobody.
    other.raw(&mut rig, 10000, "ANN");
    assert_eq!(nicks(&rig), ["ann"]);
}
