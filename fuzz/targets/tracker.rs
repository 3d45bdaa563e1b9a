//! A tracker with streams and datagrams of strangers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_bittorrent::tracker::{Config, Tracker};
use p2p_fuzz::{Bench, Script};

fuzz_target!(|bytes: &[u8]| {
    let at = "127.0.0.1:6969".parse().unwrap();
    let mut config = Config::default();
    config.http = vec![at];
    config.udp = vec![at];
    let mut bench = Bench::new(Tracker::new(config), Vec::new());
    bench.settle();
    let mut script = Script::new(bytes);
    while !script.is_over() {
        bench.step(&mut script, &mut |script| script.bytes().to_vec());
    }
});
