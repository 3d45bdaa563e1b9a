//! What comes out of what goes in, by any way through the network.

use super::*;
use crate::code::Encoder;
use crate::manifest::{Batch, Listed};
use alloc::vec::Vec;
use proptest::prelude::*;

const PATIENCE: Duration = Duration::from_secs(2);

enum Sent {
    Symbol(Symbol),
    Manifest(Manifest),
}

/// What a source sends for these packets, a generation closed early where one says so.
fn source(shape: Shape, first: u64, packets: &[(Vec<u8>, bool)]) -> Vec<Sent> {
    let (mut encoder, mut batch, mut sent, mut digests) =
        (Encoder::new(shape), Batch::starting(shape, first), Vec::new(), Vec::new());
    let mut generation = first;
    for (at, (packet, early)) in packets.iter().enumerate() {
        let index = encoder.push(packet).unwrap();
        digests.push(Symbol::digest(generation, index, packet));
        sent.push(Sent::Symbol(Symbol { generation: generation as u32, index, body: packet.clone().into() }));
        if *early || encoder.count() == shape.data() || at + 1 == packets.len() {
            let count = encoder.count();
            for (index, body) in (shape.data()..).zip(encoder.close()) {
                digests.push(Symbol::digest(generation, index, &body));
                sent.push(Sent::Symbol(Symbol { generation: generation as u32, index, body }));
            }
            batch.push(count, core::mem::take(&mut digests));
            generation += 1;
            if batch.is_full() || at + 1 == packets.len() {
                sent.push(Sent::Manifest(batch.close(0, at + 1 == packets.len())));
            }
        }
    }
    sent
}

/// A symbol that is late, though its packet is known already, goes to those that may need it.
#[test]
fn what_is_known_is_passed_on_once() {
    let packets: Vec<_> = (0..4).map(|n| (alloc::vec![n; 9], false)).collect();
    let (mut symbols, mut manifest) = (Vec::new(), None);
    for sent in source(Shape::SIX_OF_FOUR, 0, &packets) {
        match sent {
            Sent::Symbol(symbol) => symbols.push(symbol),
            Sent::Manifest(listed) => manifest = Some(listed),
        }
    }
    let (now, mut playout) =
        (Instant::ZERO, Playout::new(Shape::SIX_OF_FOUR, 0, 16, 8, Duration::from_secs(2)));
    for symbol in &symbols[2..] {
        assert_eq!(playout.insert(symbol, now), Taken::New);
    }
    assert!(playout.sign(manifest.unwrap(), now));
    let mut given = Vec::new();
    drain(&mut playout, &mut Cursor::new(0), now, &mut given);
    assert_eq!(given.len(), 5, "four packets, and the end: {given:?}");
    let other = Symbol { body: Bytes::from_static(b"another"), ..symbols[0].clone() };
    assert_eq!(playout.insert(&other, now), Taken::Twice);
    assert_eq!(playout.insert(&symbols[0], now), Taken::New);
    assert_eq!(playout.insert(&symbols[0], now), Taken::Twice);
    assert_eq!(playout.insert(&symbols[2], now), Taken::Twice);
}

/// What goes out, to a reader that was there from the beginning.
fn drain(playout: &mut Playout, reader: &mut Cursor, now: Instant, into: &mut Vec<Output>) {
    loop {
        let moved = playout.advance(now);
        while let Some(output) = playout.read(reader) {
            into.push(output);
        }
        if !moved {
            return;
        }
    }
}

fn stream() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    let packet = proptest::collection::vec(any::<u8>(), 0..64);
    proptest::collection::vec((packet, proptest::bool::weighted(0.1)), 1..200)
}

fn shapes() -> impl Strategy<Value = Shape> {
    proptest::sample::select(alloc::vec![
        Shape::SINGLE,
        Shape::SIX_OF_FOUR,
        Shape::new(5, 16, 4).unwrap(),
        Shape::new(1, 1, 0).unwrap(),
    ])
}

proptest! {
    /// Symbols in any order within the window, some twice, as many lost as parity allows, and forgeries among them,
    /// around the turn of the numbers on the wire: every packet comes out once, in order, and nothing else.
    #[test]
    fn whole_and_in_order(
        shape in shapes(),
        packets in stream(),
        first in prop_oneof![Just(0), Just((1_u64 << 32) - 3), Just((7 << 32) - 20)],
        seed: u64,
    ) {
        let mut dice = p2p_core::Rng::fast_from(seed);
        let mut sent = source(shape, first, &packets);
        // Each generation loses as many symbols as it has parity.
        let mut lost = alloc::collections::BTreeMap::<u32, u8>::new();
        sent.retain(|sent| match sent {
            Sent::Symbol(symbol) if dice.below(3) == 0 => {
                let lost = lost.entry(symbol.generation).or_default();
                *lost += 1;
                *lost > shape.parity()
            }
            _ => true,
        });
        // A symbol is passed by some of those behind it.
        for at in 0..sent.len() {
            let with = (at + dice.below(6) as usize).min(sent.len() - 1);
            sent.swap(at, with);
        }
        let mut playout = Playout::new(shape, first, 256, 3, PATIENCE);
        let (mut out, now, mut reader) = (Vec::new(), Instant::ZERO, Cursor::new(first));
        for sent in sent {
            match sent {
                Sent::Symbol(symbol) => {
                    let number = playout.number(symbol.generation);
                    let forged = Symbol { body: Bytes::from_static(b"forged"), ..symbol.clone() };
                    if dice.below(4) == 0 {
                        playout.insert(&forged, now);
                    }
                    let fits = number >= playout.oldest();
                    let taken = playout.insert(&symbol, now);
                    prop_assert!(taken == Taken::New || !fits || (taken == Taken::Twice), "{:?}", taken);
                    prop_assert_ne!(playout.insert(&symbol, now), Taken::New);
                    if dice.below(4) == 0 {
                        playout.insert(&forged, now);
                    }
                }
                Sent::Manifest(manifest) => {
                    prop_assert!(playout.sign(manifest.clone(), now));
                    prop_assert!(!playout.sign(manifest, now));
                }
            }
            drain(&mut playout, &mut reader, now, &mut out);
        }
        prop_assert_eq!(out.pop(), Some(Output::End));
        let got: Vec<_> = out.iter().map(|output| match output {
            Output::Packet { data, .. } => data.to_vec(),
            other => panic!("{other:?}"),
        }).collect();
        let expected: Vec<_> = packets.iter().map(|(packet, _)| packet.clone()).collect();
        prop_assert_eq!(got, expected);
        prop_assert!(playout.missing().next().is_none());
    }

    /// Whatever is lost, what goes out is a part of the stream in its order, and holes are told in time.
    #[test]
    fn holes_are_told(shape in shapes(), packets in stream(), seed: u64) {
        let mut dice = p2p_core::Rng::fast_from(seed);
        let mut playout = Playout::new(shape, 0, 64, 3, PATIENCE);
        let (mut out, mut now, mut reader) = (Vec::new(), Instant::ZERO, Cursor::new(0));
        let mut sent = source(shape, 0, &packets);
        // The end is heard of.
        let end = sent.pop();
        for sent in sent {
            if dice.below(3) == 0 {
                continue;
            }
            match sent {
                Sent::Symbol(symbol) => { playout.insert(&symbol, now); }
                Sent::Manifest(manifest) => { playout.sign(manifest, now); }
            }
            now += Duration::from_millis(100);
            drain(&mut playout, &mut reader, now, &mut out);
            prop_assert!(playout.due().is_none_or(|due| due > now));
        }
        if let Some(Sent::Manifest(manifest)) = end {
            playout.sign(manifest, now);
        }
        now += PATIENCE;
        drain(&mut playout, &mut reader, now, &mut out);
        prop_assert_eq!(out.last(), Some(&Output::End));
        let mut at = 0;
        for output in out {
            if let Output::Packet { data, .. } = output {
                let behind = packets[at..].iter().position(|(packet, _)| packet[..] == data[..]);
                prop_assert!(behind.is_some());
                at += behind.unwrap() + 1;
            }
        }
    }

    /// Any symbols and manifests: no panic, no more slots than the window has, no `Forged` goes out.
    #[test]
    fn anything(
        inputs in proptest::collection::vec((any::<u32>(), 0..8_u8, any::<bool>(), 0..5_u8), 0..200),
    ) {
        let shape = Shape::SIX_OF_FOUR;
        let mut playout = Playout::new(shape, 5, 16, 4, PATIENCE);
        let (mut now, mut reader) = (Instant::ZERO, Cursor::new(5));
        for (number, index, sign, count) in inputs {
            now += Duration::from_millis(u64::from(number % 1_000));
            if sign {
                let digests = alloc::vec![[0; 12]; usize::from(count + 2)];
                let generations = if count == 0 { Vec::new() } else { alloc::vec![Listed { count, digests }] };
                let first = u64::from(number) << (number % 31);
                playout.sign(Manifest { first, closed: 0, last: generations.is_empty(), generations }, now);
            } else {
                playout.insert(&Symbol { generation: number % 64, index, body: Bytes::from_static(b"x") }, now);
            }
            let mut out = Vec::new();
            drain(&mut playout, &mut reader, now, &mut out);
            for output in out {
                prop_assert!(!matches!(output, Output::Packet { .. }), "nothing was signed");
            }
            prop_assert!(playout.slots.len() <= 16);
        }
    }
}

#[test]
fn a_source_far_ahead_is_followed() {
    let mut playout = Playout::new(Shape::SINGLE, 0, 16, 4, PATIENCE);
    let now = Instant::ZERO;
    let ahead = Symbol { generation: 1_000, index: 0, body: Bytes::from_static(b"x") };
    assert_eq!(playout.insert(&ahead, now), Taken::Ahead, "anybody can say so");
    let listed = Listed { count: 1, digests: alloc::vec![Symbol::digest(1_000, 0, b"x")] };
    assert!(
        playout
            .sign(Manifest { first: 1_000, closed: 0, last: false, generations: alloc::vec![listed] }, now)
    );
    assert_eq!(playout.insert(&ahead, now), Taken::New);
    let (mut reader, mut out) = (Cursor::new(0), Vec::new());
    drain(&mut playout, &mut reader, now, &mut out);
    assert_eq!(out, [Output::Jump { from: 0, to: 985 }]);
    assert_eq!(playout.missing().next().unwrap().generation, 985, "what may still be had is asked for");
    let mut out = Vec::new();
    drain(&mut playout, &mut reader, now + PATIENCE, &mut out);
    assert_eq!(out.len(), 16);
    assert_eq!(
        out.last(),
        Some(&Output::Packet { generation: 1_000, index: 0, offset: 0, data: Bytes::from_static(b"x") })
    );
}

#[test]
fn history_is_kept_for_others() {
    let shape = Shape::SIX_OF_FOUR;
    let packets: Vec<_> = (0..40_u8).map(|n| (alloc::vec![n; 20], false)).collect();
    let mut playout = Playout::new(shape, 0, 16, 4, PATIENCE);
    let now = Instant::ZERO;
    for sent in source(shape, 0, &packets) {
        match sent {
            Sent::Symbol(symbol) => assert_eq!(playout.insert(&symbol, now), Taken::New),
            Sent::Manifest(manifest) => assert!(playout.sign(manifest, now)),
        }
        while playout.advance(now) {}
    }
    assert_eq!(playout.position(), 10);
    assert_eq!(playout.oldest(), 6);
    assert_eq!(playout.symbol(5, 0), None);
    assert_eq!(playout.symbol(6, 3).map(|body| body[0]), Some(27));
    assert!(playout.symbol(9, 5).is_some(), "parity too");
    assert_eq!(playout.symbol(9, 6), None);
    // And for readers of our own: one that is slow, and one that begins late.
    let (mut slow, mut late) = (Cursor::new(2), Cursor::new(8));
    assert_eq!(playout.read(&mut slow), Some(Output::Jump { from: 2, to: 6 }));
    for (reader, first, packets) in [(&mut slow, 24, 16), (&mut late, 32, 8)] {
        let mut out = Vec::new();
        drain(&mut playout, reader, now, &mut out);
        assert_eq!(out.pop(), Some(Output::End));
        assert_eq!(out.len(), packets);
        for (at, output) in out.into_iter().enumerate() {
            let Output::Packet { offset, data, .. } = output else { panic!("{output:?}") };
            assert_eq!((offset, usize::from(data[0])), (20 * at as u64, first + at));
        }
    }
}

/// Who begins in the past waits longer for what it has to ask for.
#[test]
fn the_past_takes_longer() {
    let shape = Shape::SIX_OF_FOUR;
    let packets: Vec<_> = (0..40_u8).map(|n| (alloc::vec![n; 20], false)).collect();
    let mut playout = Playout::new(shape, 2, 32, 8, PATIENCE);
    let now = Instant::ZERO;
    let until = now + PATIENCE * 3;
    playout.begin_in_the_past(6, until, now);
    assert_eq!(playout.missing().map(|missing| missing.generation).collect::<Vec<_>>(), [2, 3, 4, 5]);
    let (mut reader, mut out) = (Cursor::new(2), Vec::new());
    let sent = source(shape, 0, &packets);
    let give = |playout: &mut Playout, from, to| {
        for sent in &sent {
            match sent {
                Sent::Symbol(symbol) if (from..to).contains(&symbol.generation) => {
                    playout.insert(symbol, now);
                }
                Sent::Symbol(_) => {}
                Sent::Manifest(manifest) => {
                    playout.sign(manifest.clone(), now);
                }
            }
        }
    };
    give(&mut playout, 4, 8);
    drain(&mut playout, &mut reader, now + PATIENCE * 2, &mut out);
    assert_eq!(out, [], "it is not too late");
    give(&mut playout, 2, 3);
    drain(&mut playout, &mut reader, now + PATIENCE * 2, &mut out);
    assert_eq!(out.len(), 4);
    out.clear();
    drain(&mut playout, &mut reader, until, &mut out);
    assert_eq!(out[0], Output::Gap { generation: 3, packets: Some(4) });
    assert!(matches!(out[1], Output::Packet { generation: 4, index: 0, offset: 80, .. }), "{out:?}");
}
