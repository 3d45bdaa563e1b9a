//! What is said on the data port, cut anywhere: requests, answers, lists, and a file's way from a holder to here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_core::Bytes;
use p2p_fuzz::Script;
use p2p_napster::transfer::intake::{Intake, Known, OVERLAP};
use p2p_napster::transfer::name;
use p2p_napster::transfer::wire::{ListReader, Read, read_reply, read_request};

/// The files of a list, and how it ends.
fn list(bytes: &[u8], cut: usize) -> (usize, Result<bool, String>) {
    let (mut reader, mut count, mut end) = (ListReader::new(), 0, Ok(false));
    for part in bytes.chunks(cut) {
        end = reader.push(part, |_| count += 1).map_err(|why| why.to_string());
        if end != Ok(false) {
            break;
        }
    }
    (count, end)
}

/// A file comes in, beside what is here of it already.
fn intake(script: &mut Script<'_>) {
    let flags = script.byte();
    let size = match flags & 3 {
        0 => None,
        1 => Some(u64::from(script.byte())),
        _ => Some(u64::from(u16::from_le_bytes([script.byte(), script.byte()]))),
    };
    // A file of a pattern, so that the script can be right about it.
    let file: Vec<u8> =
        (0..70_000_u32).map(|n| if flags & 4 == 0 { (n / 3) as u8 } else { b'0' + (n % 10) as u8 }).collect();
    let here = usize::from(u16::from_le_bytes([script.byte(), script.byte()]));
    let base = if flags & 8 == 0 { 0 } else { 2_048 };
    let here = size.map_or(here, |size| here.min(usize::try_from(size).unwrap_or(0).saturating_sub(base)));
    let mut known = Known::nothing();
    known.append(&file[base..base + here]);
    let mut intake = Intake::with_size(size, &known);
    if base > 0 {
        intake = intake.in_range(base as u64, &file[..OVERLAP]);
    }
    let asked = intake.asks_from();
    let mut end = size.unwrap_or(u64::MAX);
    if flags & 16 != 0 {
        end = end.min((base + here) as u64 + u64::from(script.byte()) * 64);
        intake.set_end(end);
    }
    let before = known.len;
    let mut new = 0;
    while !script.is_over() {
        let data = match script.byte() % 4 {
            0 => Bytes::copy_from_slice(script.bytes()),
            // The size, the file from where it was asked for, and the file from its beginning.
            1 => size.unwrap_or(60_000).to_string().into(),
            2 => file[usize::try_from(asked).unwrap_or(0).min(file.len())..].to_vec().into(),
            _ => file[..usize::from(script.byte()) * 200].to_vec().into(),
        };
        match intake.take(data, &mut known) {
            Ok(some) => new += some.len() as u64,
            Err(_) => {
                let _ = intake.refusal();
                return;
            }
        }
        assert_eq!(known.len, before + new);
        assert!(base as u64 + known.len <= end.max(base as u64 + before), "past the end");
        assert!(known.head().len() <= OVERLAP && known.tail().len() <= OVERLAP);
    }
    if flags & 16 != 0 {
        let more = intake.extend(end.saturating_add(100), &mut known);
        assert_eq!(known.len, before + new + more.len() as u64);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (what, cut) = (script.byte(), usize::from(script.byte()) + 1);
    if what & 1 == 1 {
        return intake(&mut script);
    }
    let rest = script.rest();
    let verb: &[u8] = [&b"GET"[..], b"SEND", b"GETLIST", b"SENDLIST ", b""][usize::from(what >> 1) % 5];
    let text = [verb, rest].concat();
    // What is done when more comes was done before: a longer text never takes a decision back.
    let mut done = None;
    for len in 0..text.len().min(64) {
        match read_request(&text[..len]) {
            Ok(Read::Done(request, used)) => {
                assert!(used <= len);
                let request = format!("{request:?}");
                assert!(done.as_ref().is_none_or(|before| *before == request), "{done:?} became {request}");
                done = Some(request);
            }
            Ok(Read::Maybe(_, used)) => assert!(used <= len && done.is_none()),
            Ok(Read::Incomplete) => assert!(done.is_none()),
            Err(_) => assert!(done.is_none(), "{done:?} became an error"),
        }
    }
    let _ = read_request(&text);
    for expected in [None, Some(40_000)] {
        if let Ok(Read::Done(_, used) | Read::Maybe(_, used)) = read_reply(rest, expected) {
            assert!(used <= rest.len());
        }
    }
    assert_eq!(list(rest, cut), list(rest, usize::MAX));
    // Whatever the name, it is one plain part of a path.
    let target = name::target(rest, |bytes| p2p_napster::wire::text::shown(bytes).to_string());
    for path in [name::part(&target, Some(7)), name::range(&target, 7, 3), name::numbered(&target, 2), target]
    {
        let path = path.as_str();
        assert!(
            !path.is_empty() && path.len() <= 255 && !path.contains(['/', '\\']) && !path.starts_with('.')
        );
        assert!(!path.ends_with(['.', ' ']) && !path.chars().any(char::is_control), "{path:?}");
    }
});
