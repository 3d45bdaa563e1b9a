//! Payload that nobody asked for, of the wrong size, or wrong: liars.

use super::attacker::{Heard, Mouth, hello};
use super::scene::{LEN, PIECE, PIECES, Scene, dropped_for, ever, hash, once, torrent};
use p2p_bittorrent::DropReason;
use p2p_bittorrent::peer::{Block, Message};
use p2p_core::Bytes;

#[test]
fn blocks_that_nobody_asked_for() {
    let drops = dropped_for(ever(true, |mouth| {
        for n in 0..5 {
            mouth.block(Block { piece: n, begin: 0, len: 16384 }, vec![7; 16384]);
        }
    }));
    assert_eq!(drops, [DropReason::Unrequested]);
}

#[test]
fn blocks_of_no_bytes() {
    let drops = dropped_for(once(true, |mouth| {
        for piece in 0..PIECES {
            mouth.block(Block { piece, begin: 0, len: 0 }, Bytes::new());
        }
    }));
    assert_eq!(drops, [DropReason::Unrequested]);
}

#[test]
fn blocks_of_pieces_that_are_not_the_torrents() {
    let drops = dropped_for(once(true, |mouth| {
        for n in 0..20 {
            mouth.block(Block { piece: u32::MAX - n, begin: n, len: 100 }, vec![0; 100]);
        }
    }));
    assert_eq!(drops, [DropReason::Unrequested]);
}

/// Says it has everything, lets the victim ask, and answers each request by `answer`.
fn serving(
    fast: bool,
    mut answer: impl FnMut(Block, &mut Mouth) + Send + 'static,
) -> impl FnMut(Heard, &mut Mouth) + Send {
    let hash = hash();
    move |heard, mouth| match heard {
        Heard::Open => mouth.raw(hello(hash, mouth.stream as u8, fast)),
        Heard::Hello => {
            let all =
                if fast { Message::HaveAll } else { Message::Bitfield(Bytes::from_static(&[255, 255, 240])) };
            mouth.say(&all);
            mouth.say(&Message::Unchoke);
        }
        Heard::Said(Message::Request(block)) => answer(block, mouth),
        _ => {}
    }
}

#[test]
fn blocks_that_are_larger_than_asked() {
    let drops = dropped_for(serving(true, |block, mouth| {
        mouth.block(Block { len: block.len + 1, ..block }, vec![1; block.len as usize + 1]);
    }));
    assert_eq!(drops, [DropReason::WrongBlockSize]);
}

#[test]
fn blocks_that_are_smaller_than_asked() {
    let drops = dropped_for(serving(true, |block, mouth| {
        mouth.block(Block { len: block.len - 1, ..block }, vec![1; block.len as usize - 1]);
    }));
    assert_eq!(drops, [DropReason::WrongBlockSize]);
}

#[test]
fn a_peer_that_promises_everything_and_rejects_everything() {
    let drops = dropped_for(serving(true, |block, mouth| mouth.say(&Message::Reject(block))));
    assert_eq!(drops, [DropReason::RejectsAll]);
}

#[test]
fn a_peer_that_promises_everything_and_sends_nothing_holds_up_nobody() {
    let mut scene = Scene::new(serving(true, |_, _| {}));
    scene.play(1);
    assert!(scene.drops().iter().all(|why| !why.is_offence()), "{:?}", scene.drops());
}

#[test]
fn a_block_in_drops_costs_no_more_than_its_bytes() {
    // One byte at a time, and never the last one.
    let mut scene = Scene::new(serving(true, |block, mouth| {
        mouth.raw(Bytes::copy_from_slice(&p2p_bittorrent::peer::wire::piece_head(block)));
        for _ in 0..200 {
            mouth.raw(vec![0]);
        }
    }));
    scene.play(1);
    assert!(scene.banned().is_empty());
}

/// What a block ought to be.
fn right(content: &[u8], block: Block) -> Vec<u8> {
    let at = (block.piece * PIECE + block.begin) as usize;
    content[at..at + block.len as usize].to_vec()
}

#[test]
fn a_liar_that_gives_whole_pieces_is_banned() {
    let (_, content) = torrent();
    let mut scene = Scene::new(serving(true, move |block, mouth| {
        let mut data = right(&content, block);
        data[17] ^= 1;
        mouth.block(block, data);
    }));
    scene.play(1);
    scene.honest_are_not_blamed();
    let attacker = scene.sim.addr(scene.attacker);
    let banned = scene.banned();
    assert!(
        matches!(banned[..], [(at, DropReason::BadPiece | DropReason::BadBlock)] if at.ip() == attacker),
        "{banned:?}"
    );
    assert!(
        matches!(scene.drops()[..], [DropReason::BadPiece | DropReason::BadBlock]),
        "{:?}",
        scene.drops()
    );
    assert!(scene.progress(scene.victim).wasted <= LEN as u64 / 2);
    // It comes back, and is not let in.
    scene.strike(3);
    scene.sim.run_for(p2p_core::Duration::from_secs(5));
    assert_eq!(scene.drops()[1..], [DropReason::BannedAddress; 3]);
}

#[test]
fn a_liar_that_gives_some_blocks_of_pieces_is_found_block_by_block() {
    // Every other block it rejects, so that each of its pieces has blocks of honest peers too.
    let (_, content) = torrent();
    let mut scene = Scene::new(serving(false, move |block, mouth| {
        if block.begin / 16384 % 2 == 1 {
            return;
        }
        let mut data = right(&content, block);
        data[5] ^= 0x80;
        mouth.block(block, data);
    }));
    scene.play(1);
    scene.honest_are_not_blamed();
    let attacker = scene.sim.addr(scene.attacker);
    let banned = scene.banned();
    assert!(matches!(banned[..], [(at, DropReason::BadBlock)] if at.ip() == attacker), "{banned:?}");
}

#[test]
fn a_flood_of_blocks_at_a_seed_ends() {
    let mut scene = Scene::new(ever(true, |mouth| {
        for _ in 0..100 {
            mouth.block(Block { piece: 0, begin: 0, len: 16384 }, vec![7; 16384]);
        }
    }));
    scene.begin(&[]);
    scene.finish();
    scene.strike(1);
    let seed_at = scene.sim.now();
    scene.watch(p2p_core::Duration::from_secs(60), |_| false);
    assert!(scene.sim.now() > seed_at);
    assert_eq!(scene.drops(), [DropReason::MessageFlood]);
}
