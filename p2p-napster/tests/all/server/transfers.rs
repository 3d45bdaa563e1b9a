//! Requests for files between users: who may say what to whom, and which address is told.

use super::rig::{Rig, lines};
use p2p_core::ConnId;

const FILE: &str = "\"Band - Song.mp3\"";

/// Alice shares a file and can be dialled at this port, or not at all (0); Bob wants it.
fn pair(alice_port: u16, bob_port: u16) -> (Rig, ConnId, ConnId) {
    let mut rig = Rig::new();
    let alice = rig.user_at("alice", "10.0.0.1", alice_port);
    let bob = rig.user_at("bob", "10.0.0.2", bob_port);
    rig.say(alice, 100, format!("{FILE} 0123456789abcdef0123456789abcdef 1000 128 44100 60"));
    (rig, alice, bob)
}

/// An address as the protocol counts it.
const ALICE_IP: u32 = u32::from_le_bytes([10, 0, 0, 1]);
const BOB_IP: u32 = u32::from_le_bytes([10, 0, 0, 2]);

#[test]
fn a_download_is_agreed_on_by_both() {
    let (mut rig, alice, bob) = pair(6_699, 6_700);
    assert_eq!(lines(&rig.exchange(bob, 203, format!("alice {FILE}"))), [""; 0]);
    assert_eq!(lines(&rig.hear(alice)), ["607 bob \\\"Band - Song.mp3\\\""]);
    rig.say(alice, 608, format!("bob {FILE}"));
    assert_eq!(
        lines(&rig.hear(bob)),
        [format!("204 alice {ALICE_IP} 6699 \\\"Band - Song.mp3\\\" 0123456789abcdef0123456789abcdef 7")]
    );
    for (kind, text, heard) in [
        (609, format!("bob {FILE}"), "609 alice \\\"Band - Song.mp3\\\""),
        (619, format!("bob {FILE} 3"), "620 alice \\\"Band - Song.mp3\\\" 1000 3"),
    ] {
        rig.exchange(bob, 203, format!("alice {FILE}"));
        rig.say(alice, kind, text);
        assert_eq!(lines(&rig.hear(bob)), [heard]);
    }
}

#[test]
fn who_was_not_asked_aims_nobody_at_anything() {
    let (mut rig, alice, bob) = pair(6_699, 6_700);
    let eve = rig.user_at("eve", "10.0.0.66", 25);
    rig.say(eve, 100, format!("{FILE} 0 1000 128 44100 60"));
    for kind in [608, 609] {
        rig.say(eve, kind, format!("bob {FILE}"));
    }
    rig.say(eve, 619, format!("bob {FILE} 1"));
    rig.say(eve, 641, "bob");
    rig.say(eve, 642, "bob \"no\"");
    assert_eq!(lines(&rig.hear(bob)), [""; 0], "he asked her for nothing");
    // He asked Alice: Eve's answer is none.
    rig.exchange(bob, 203, format!("alice {FILE}"));
    rig.say(eve, 608, format!("bob {FILE}"));
    assert_eq!(lines(&rig.hear(bob)), [""; 0]);
    // Alice's for another file is none either.
    rig.say(alice, 608, "bob \"other.mp3\"");
    assert!(lines(&rig.hear(bob)).iter().all(|line| !line.starts_with("204 ")));
    // And who has left and come back has asked for nothing.
    rig.leave(bob);
    let bob = rig.user_at("bob", "10.0.0.2", 6_700);
    rig.say(alice, 608, format!("bob {FILE}"));
    assert_eq!(lines(&rig.hear(bob)), [""; 0]);
}

#[test]
fn who_cannot_be_dialled_is_asked_to_dial() {
    let (mut rig, alice, bob) = pair(0, 6_700);
    let heard = lines(&rig.exchange(bob, 203, format!("alice {FILE}")));
    let zeros = "0".repeat(32);
    assert_eq!(heard, [format!("204 alice {ALICE_IP} 0 \\\"Band - Song.mp3\\\" {zeros} 7")]);
    assert_eq!(lines(&rig.hear(alice)), [""; 0], "she is asked only by 500");
    assert_eq!(lines(&rig.exchange(bob, 500, format!("alice {FILE}"))), [""; 0]);
    assert_eq!(lines(&rig.hear(alice)), ["607 bob \\\"Band - Song.mp3\\\""]);
    assert_eq!(
        lines(&rig.exchange(alice, 608, format!("bob {FILE}"))),
        [format!("501 bob {BOB_IP} 6700 \\\"Band - Song.mp3\\\" 0123456789abcdef0123456789abcdef 7")]
    );
    assert_eq!(lines(&rig.hear(bob)), [""; 0]);
    // Of two who cannot be dialled neither waits.
    let (mut rig, alice, bob) = pair(0, 0);
    for kind in [203, 500] {
        let heard = lines(&rig.exchange(bob, kind, format!("alice {FILE}")));
        assert!(heard.iter().any(|line| line.contains("is firewalled, and so are you")), "{heard:?}");
        assert_eq!(lines(&rig.hear(alice)), [""; 0]);
    }
    // Who can be dialled is.
    let (mut rig, _, bob) = pair(6_699, 6_700);
    let heard = lines(&rig.exchange(bob, 500, format!("alice {FILE}")));
    assert_eq!(heard, ["404 alice is not firewalled"]);
}

#[test]
fn what_is_not_there_is_said_at_once() {
    let (mut rig, alice, bob) = pair(6_699, 6_700);
    for (nick, file) in [("alice", "\"nothing.mp3\""), ("nobody", FILE), ("bob", FILE)] {
        let heard = lines(&rig.exchange(bob, 203, format!("{nick} {file}")));
        assert!(heard.iter().any(|line| line.starts_with("206 ")), "{nick}: {heard:?}");
    }
    assert_eq!(lines(&rig.hear(alice)), [""; 0]);
    // A file that was unshared between the question and the answer is gone.
    rig.exchange(bob, 203, format!("alice {FILE}"));
    rig.say(alice, 102, "Band - Song.mp3");
    rig.hear(alice);
    rig.say(alice, 608, format!("bob {FILE}"));
    assert!(lines(&rig.hear(bob)).iter().all(|line| !line.starts_with("204 ")));
}
