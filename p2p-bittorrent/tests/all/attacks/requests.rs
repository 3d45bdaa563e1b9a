//! Requests that make no sense, or too many that do.

use super::attacker::Heard;
use super::scene::{LEN, PIECE, PIECES, Scene, dropped_for, ever, once};
use p2p_bittorrent::DropReason;
use p2p_bittorrent::peer::{Block, Message};

const fn block(piece: u32, begin: u32, len: u32) -> Block {
    Block { piece, begin, len }
}

fn asks(asked: Block) -> Vec<DropReason> {
    dropped_for(once(true, move |mouth| {
        mouth.say(&Message::Interested);
        mouth.say(&Message::Request(asked));
    }))
}

#[test]
fn a_request_past_the_last_piece() {
    assert_eq!(asks(block(PIECES, 0, 16384)), [DropReason::RequestOutOfRange]);
    assert_eq!(asks(block(u32::MAX, 0, 16384)), [DropReason::RequestOutOfRange]);
}

#[test]
fn a_request_past_the_end_of_a_piece() {
    assert_eq!(asks(block(0, PIECE, 1)), [DropReason::RequestOutOfRange]);
    assert_eq!(asks(block(0, PIECE - 16384, 16385)), [DropReason::RequestOutOfRange]);
    // The last piece is short.
    assert_eq!(asks(block(PIECES - 1, 32768, 16384)), [DropReason::RequestOutOfRange]);
}

#[test]
fn a_request_whose_end_overflows() {
    assert_eq!(asks(block(0, u32::MAX, 2)), [DropReason::RequestOutOfRange]);
    assert_eq!(asks(block(0, u32::MAX - 16383, 16384)), [DropReason::RequestOutOfRange]);
    assert_eq!(asks(block(0, 1, u32::MAX)), [DropReason::RequestOutOfRange]);
}

#[test]
fn a_request_for_nothing() {
    assert_eq!(asks(block(0, 0, 0)), [DropReason::RequestOutOfRange]);
}

#[test]
fn a_request_that_is_too_large() {
    let mut config = super::scene::config();
    config.limits.block = 32 * 1024;
    let mut scene =
        Scene::with(config, once(true, |mouth| mouth.say(&Message::Request(block(0, 0, 32 * 1024 + 1)))));
    scene.play(1);
    assert_eq!(scene.drops(), [DropReason::RequestTooLarge]);
}

#[test]
fn requests_for_pieces_that_are_not_had() {
    // The victim has nothing when it is asked, and a peer that was told of no piece asks for all.
    let mut scene = Scene::new(once(true, |mouth| {
        for piece in 0..PIECES {
            mouth.say(&Message::Request(block(piece, 0, 16384)));
        }
    }));
    scene.begin(&[]);
    scene.strike(1);
    scene.finish();
    assert_eq!(scene.drops(), [DropReason::RequestNotHad]);
}

#[test]
fn requests_while_choked_get_nothing_but_rejects_and_then_the_door() {
    let (mut scene, heard) = counting(false, 40);
    // Once it has everything, so that choking is the only reason not to serve.
    scene.begin(&[]);
    scene.finish();
    scene.strike(1);
    scene.watch(p2p_core::Duration::from_secs(20), |_| false);
    scene.honest_are_not_blamed();
    assert_eq!(scene.drops(), [DropReason::MessageFlood]);
    let (pieces, rejects) = *heard.lock().unwrap();
    assert_eq!(pieces, 0, "nothing is served to whom we choke");
    assert!(rejects > 1_000, "{rejects}");
}

/// Asks for the first piece at every tick, so often, interested or not; counts blocks and rejects.
fn counting(interested: bool, often: u32) -> (Scene, std::sync::Arc<std::sync::Mutex<(u32, u32)>>) {
    let heard = std::sync::Arc::new(std::sync::Mutex::new((0, 0)));
    let count = heard.clone();
    let piece = piece_to_ask();
    let mut say = ever(true, move |mouth| {
        if interested && mouth.step < 20 {
            mouth.say(&Message::Interested);
        }
        for _ in 0..often {
            mouth.say(&Message::Request(block(piece, 0, 16384)));
        }
    });
    let scene = Scene::new(move |what, mouth| {
        match &what {
            Heard::Said(Message::Piece(_)) => count.lock().unwrap().0 += 1,
            Heard::Said(Message::Reject(_)) => count.lock().unwrap().1 += 1,
            _ => {}
        }
        say(what, mouth);
    });
    (scene, heard)
}

/// A piece that the attacker's address may not ask for while it is choked.
fn piece_to_ask() -> u32 {
    let allowed = p2p_bittorrent::peer::allowed_fast(&super::scene::hash(), [10, 0, 0, 3].into(), 10, PIECES);
    (0..PIECES).find(|piece| !allowed.contains(piece)).unwrap()
}

#[test]
fn a_request_flood_is_bounded_and_ends() {
    // Unchoked, and asking a hundred times faster than it reads.
    let mut config = super::scene::config();
    config.upload_rate = Some(200_000);
    config.upload_slots = Some(8);
    let mut scene = Scene::with(
        config,
        ever(true, |mouth| {
            mouth.say(&Message::Interested);
            for n in 0..200 {
                mouth.say(&Message::Request(block(n % 4, 0, 16384)));
            }
        }),
    );
    scene.play(1);
    let drops = scene.drops();
    assert!(
        matches!(
            drops[..],
            [DropReason::RequestFlood | DropReason::MessageFlood | DropReason::RequestNotHad]
        ),
        "{drops:?}"
    );
    assert!(scene.peak.wants <= 512 + 80, "{:?}", scene.peak);
    let sent = scene.attacker().received;
    assert!(sent < 3 * LEN as u64, "{sent}");
}

#[test]
fn a_cancel_flood_ends() {
    let drops = dropped_for(ever(true, |mouth| {
        for n in 0..500 {
            mouth.say(&Message::Cancel(block(n % PIECES, 0, 16384)));
        }
    }));
    assert_eq!(drops, [DropReason::MessageFlood]);
}
