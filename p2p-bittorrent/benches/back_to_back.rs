//! The machine alone: payload per second of two clients back to back, allocations per block, messages per second.
//! `cargo bench -p p2p-bittorrent`; `tests/allocations.rs` asserts what is counted here.

mod pair;

use p2p_bittorrent::peer::wire::encode;
use p2p_bittorrent::peer::{Block, Decoder, Message};
use p2p_core::Bytes;
use pair::Pair;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: u64 = 1 << 20;
/// Payload of one run, and what is passed before anything is counted.
const WARM: u64 = 512 * MIB;
const TOTAL: u64 = 8192 * MIB;
const BLOCK: u64 = 16 * 1024;

/// GiB of payload per second, allocations per block.
#[allow(clippy::disallowed_methods, reason = "a stopwatch")]
fn payload() -> (f64, f64) {
    let mut pair = Pair::new((TOTAL / MIB) as usize);
    pair.run_to(WARM);
    let region = Region::new(ALLOCATOR);
    let (began, from) = (Instant::now(), pair.written);
    pair.run_to(TOTAL - WARM);
    let (seconds, bytes) = (began.elapsed().as_secs_f64(), pair.written - from);
    let counted = region.change();
    let allocations = counted.allocations + counted.reallocations;
    assert!(pair.finish(), "the leech has everything");
    (bytes as f64 / (1024 * MIB) as f64 / seconds, allocations as f64 / (bytes / BLOCK) as f64)
}

/// Millions of messages per second: HAVEs and requests in turn, as they lie in a receive buffer.
#[allow(clippy::disallowed_methods, reason = "a stopwatch")]
fn messages() -> f64 {
    let mut text = bytes::BytesMut::new();
    for piece in 0..4000 {
        encode(&Message::Have(piece), &mut text);
        encode(&Message::Request(Block { piece, begin: 16384, len: 16384 }), &mut text);
    }
    let text: Bytes = text.freeze();
    let mut decoder = Decoder::default();
    let began = Instant::now();
    let mut count = 0u64;
    for _ in 0..2000 {
        let mut input = text.clone();
        while let Ok(Some(message)) = decoder.next(&mut input) {
            std::hint::black_box(&message);
            count += 1;
        }
    }
    count as f64 / began.elapsed().as_secs_f64() / 1e6
}

/// What the machine is to reach: `--check` fails below it.
const GIB_PER_SECOND: f64 = 4.0;
const MESSAGES: f64 = 30.0;

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() -> ExitCode {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    let rounds = if has("--test") { 1 } else { 5 };
    let (mut rates, mut decoded) = (Vec::new(), Vec::new());
    let mut out = std::io::stdout();
    for _ in 0..rounds {
        let (rate, allocations) = payload();
        let messages = messages();
        let _ = writeln!(
            out,
            "{rate:6.2} GiB/s of payload  {allocations:6.3} allocations per block  {messages:6.1} M messages/s decoded"
        );
        rates.push(rate);
        decoded.push(messages);
    }
    let (rate, messages) = (median(rates), median(decoded));
    let _ = writeln!(
        out,
        "medians: {rate:.2} GiB/s (goal {GIB_PER_SECOND}), {messages:.1} M messages/s (goal {MESSAGES})"
    );
    let met = rate >= GIB_PER_SECOND && messages >= MESSAGES;
    if has("--check") && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
