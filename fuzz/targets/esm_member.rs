//! A source and a viewer of a live stream: what they say to each other, some of it changed or lost, letters of strangers and
//! of whoever is answered, timers and commands, in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_core::{Bytes, Duration};
use p2p_esm::wire::{KIND, VERSION};
use p2p_esm::{Command, Config, Esm, Point, Shape, SourceKey};
use p2p_fuzz::{Bench, Script};
use std::net::SocketAddr;

fn at(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + host % 4], 4_000))
}

/// One of the two, and where the other one is.
fn one<'a>(
    script: &mut Script<'_>,
    [source, viewer]: [&'a mut Bench<Esm>; 2],
) -> (&'a mut Bench<Esm>, SocketAddr) {
    if script.byte() & 1 == 0 { (source, at(1)) } else { (viewer, at(0)) }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let key = SourceKey::new([7; 32]);
    let group = key.group();
    let mut config = Config::default();
    if script.byte() & 1 == 0 {
        config.shape = Shape::SINGLE;
    }
    let mut of_source = config.clone();
    of_source.source = Some(key);
    let (mut source, mut viewer) =
        (Bench::new(Esm::new(of_source), Vec::new()), Bench::new(Esm::new(config), Vec::new()));
    source.bind();
    viewer.bind();
    source.ask(Command::Broadcast);
    viewer.ask(Command::Join { group, by: vec![at(0), at(2)] });
    while !script.is_over() {
        let kind = script.byte() % 12;
        match kind {
            0..=3 => {
                let changed = |data: &Bytes, script: &mut Script<'_>| {
                    let mut data = data.to_vec();
                    if kind == 3 {
                        let at = script.below(data.len());
                        data[at] ^= script.byte();
                    }
                    data
                };
                if let Some(data) = viewer.last_to(at(0)).map(|data| changed(data, &mut script)) {
                    source.datagram(at(1), data);
                }
                if let Some(data) = source.last_to(at(1)).map(|data| changed(data, &mut script)) {
                    viewer.datagram(at(0), data);
                }
            }
            4 => source.ask(Command::Send(vec![vec![script.byte(); 100].into(); 1 + script.below(8)])),
            5 => viewer.ask(match script.byte() % 5 {
                0 => Command::Watch,
                1 => Command::WatchFrom(Point::Oldest),
                2 => Command::WatchFrom(Point::Ago(Duration::from_secs(script.byte().into()))),
                3 => Command::Look,
                _ => Command::Leave,
            }),
            6..=8 => one(&mut script, [&mut source, &mut viewer]).0.step(&mut script, &mut |_| Vec::new()),
            // A letter to one of them, with the number and the token that it showed last, or others.
            9 | 10 => {
                let (bench, other) = one(&mut script, [&mut source, &mut viewer]);
                let from = if script.byte() & 1 == 0 { other } else { at(script.byte()) };
                let shown = bench.last_to(from).and_then(|data| data.get(7..15)).map(<[u8]>::to_vec);
                let mut data = vec![KIND];
                data.extend(group.tag());
                data.extend([VERSION, kind % 3]);
                data.extend(shown.unwrap_or_else(|| vec![script.byte(); 8]));
                data.extend(script.bytes());
                bench.datagram(from, data);
            }
            _ => {
                let bench = one(&mut script, [&mut source, &mut viewer]).0;
                let mut data = script.bytes().to_vec();
                if let Some(tag) = data.get_mut(1..5) {
                    tag.copy_from_slice(&group.tag());
                }
                bench.datagram(at(script.byte()), data);
            }
        }
    }
});
