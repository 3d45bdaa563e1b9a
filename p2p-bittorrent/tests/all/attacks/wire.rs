//! Bytes that are no messages: lengths that lie, messages out of shape.

use super::scene::{dropped_for, once};
use p2p_bittorrent::DropReason;
use p2p_bittorrent::peer::WireError;

fn malformed(bytes: &'static [u8]) -> WireError {
    match dropped_for(once(true, move |mouth| mouth.raw(bytes)))[..] {
        [DropReason::Malformed(why)] => why,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn an_oversized_length_prefix_is_refused_before_its_bytes_come() {
    // A piece message of 4 GiB, a bitfield of 1 GiB, an extended message of 16 MiB, an unknown one of 2 GiB.
    assert!(matches!(malformed(&[255, 255, 255, 255, 7]), WireError::TooLong { id: 7, .. }));
    assert!(matches!(malformed(&[64, 0, 0, 0, 5]), WireError::TooLong { id: 5, limit: 3, .. }));
    assert!(matches!(malformed(&[1, 0, 0, 0, 20]), WireError::TooLong { id: 20, .. }));
    assert!(matches!(malformed(&[128, 0, 0, 0, 99]), WireError::TooLong { id: 99, .. }));
}

#[test]
fn a_message_whose_length_does_not_fit_its_kind_is_refused() {
    for (bytes, id) in [
        (&[0, 0, 0, 2, 0, 0][..], 0),
        (&[0, 0, 0, 1, 4], 4),
        (&[0, 0, 0, 12, 6], 6),
        (&[0, 0, 0, 8, 7], 7),
        (&[0, 0, 0, 14, 8], 8),
        (&[0, 0, 0, 2, 14, 0], 14),
        (&[0, 0, 0, 1, 20], 20),
    ] {
        assert!(matches!(malformed(bytes), WireError::Length { id: of, .. } if of == id), "{id}");
    }
}

#[test]
fn bytes_at_random_after_the_handshake_end_the_stream() {
    let mut rng = p2p_core::Rng::fast_from(5);
    let drops = dropped_for(once(true, move |mouth| mouth.raw(rng.bytes::<4096>().to_vec())));
    assert!(matches!(drops[..], [why] if why.is_offence()), "{drops:?}");
}
