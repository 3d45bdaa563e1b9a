//! Channels.

use super::rig::{Rig, config, lines};
use p2p_napster::wire::Level;

#[test]
fn topics_members_and_lists() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.user("alice"), rig.user("bob"));
    rig.say(alice, 400, "Music");
    rig.say(bob, 400, "#music");
    rig.hear(alice);
    assert_eq!(lines(&rig.exchange(bob, 410, "#music mine")), ["404 topic failed: topic is restricted"]);
    assert_eq!(lines(&rig.exchange(bob, 410, "#music")), ["410 #Music Welcome to the #Music channel."]);
    rig.say(alice, 410, "#music all about it");
    assert_eq!(lines(&rig.hear(bob)), ["410 #Music all about it"]);
    assert_eq!(lines(&rig.exchange(bob, 617, "")), ["618 #Music 2 all about it", "617 "]);
    assert_eq!(lines(&rig.exchange(bob, 827, "")), [r#"828 #Music 2 1 1 0 \"all about it\""#, "827 "]);
    assert_eq!(
        lines(&rig.exchange(bob, 830, "#MUSIC")),
        ["825 #Music bob 0 7", "825 #Music alice 0 7", "830 "]
    );
    rig.hear(alice);
    assert_eq!(lines(&rig.exchange(bob, 401, "#music")), ["401 #music"]);
    assert_eq!(lines(&rig.hear(alice)), ["407 #Music bob 0 7"]);
    rig.leave(alice);
    assert_eq!(lines(&rig.exchange(bob, 617, "")), ["617 "], "an empty channel is no more");
}

#[test]
fn operators_of_a_channel_kick_ban_and_limit() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.user("alice"), rig.user_at("bob", "10.7.0.1", 0));
    rig.say(alice, 400, "#c");
    rig.say(bob, 400, "#c");
    assert_eq!(lines(&rig.exchange(bob, 829, "#c alice")), [r"404 permission denied"]);
    rig.say(alice, 829, "#c bob \"enough\"");
    assert_eq!(lines(&rig.hear(bob)).last().unwrap(), "404 You were kicked from #c by alice: enough");
    rig.say(alice, 422, "#c 10.7.0.0/16 \"spam\"");
    let refused = "404 join channel failed: you are banned from that channel";
    assert_eq!(lines(&rig.exchange(bob, 400, "#c")), [refused]);
    assert_eq!(lines(&rig.exchange(alice, 420, "#c")).last().unwrap(), "420 ");
    rig.say(alice, 423, "#c 10.7.0.0/16");
    rig.say(alice, 826, "#c 1");
    assert_eq!(lines(&rig.exchange(bob, 400, "#c")), ["404 join channel failed: channel is full"]);
    rig.say(alice, 826, "#c 0");
    rig.say(bob, 400, "#c");
    rig.say(alice, 10204, "#c bob");
    assert_eq!(lines(&rig.hear(bob)).last().unwrap(), "404 alice set you as operator on channel #c");
    rig.hear(alice);
    rig.say(bob, 820, "#c");
    assert_eq!(lines(&rig.hear(alice)), ["401 #c"]);
    // Only an operator of the server makes a channel one for operators.
    rig.say(bob, 823, "#c Admin");
    assert_eq!(lines(&rig.hear(bob)).last().unwrap(), "404 invalid level");
    let boss = rig.operator("boss", Level::Moderator);
    rig.say(boss, 823, "#c Moderator");
    assert_eq!(lines(&rig.exchange(alice, 400, "#c")), ["404 join channel failed: permission denied"]);
    rig.say(boss, 400, "#c");
    assert!(lines(&rig.hear(boss)).contains(&"405 #c".to_owned()));
}

#[test]
fn what_strangers_can_make_is_limited() {
    let mut config = config();
    config.limits.channels = 3;
    config.limits.channels_per_user = 2;
    config.limits.channel_members = 2;
    let mut rig = Rig::with(config);
    let users: Vec<_> = (0..3).map(|i| rig.user(&format!("user{i}"))).collect();
    let joined = |rig: &mut Rig, user: usize, name: &str| {
        lines(&rig.exchange(users[user], 400, name)).last().unwrap().clone()
    };
    assert!(joined(&mut rig, 0, "a").starts_with("404 Server servera set you"));
    assert!(joined(&mut rig, 0, "b").starts_with("404 Server"));
    assert_eq!(joined(&mut rig, 0, "c"), "404 join channel failed: you are in too many channels");
    assert_eq!(joined(&mut rig, 0, "a"), "404 join channel failed: you are in too many channels");
    assert!(joined(&mut rig, 1, "c").starts_with("404 Server"));
    assert_eq!(joined(&mut rig, 1, "d"), "404 join channel failed: too many channels");
    assert!(joined(&mut rig, 1, "a").starts_with("410 #a "));
    assert_eq!(joined(&mut rig, 2, "A"), "404 join channel failed: channel is full");
    assert_eq!(rig.server.counts().channels, 3);
    users.iter().for_each(|user| rig.leave(*user));
    assert_eq!(rig.server.counts().channels, 0);
}
