//! The server machine alone, in memory: what sharing, searching, idling and leaving cost, and the memory that it takes.
//! `cargo bench -p p2p-napster --bench server -- [sizes [FILES ...]] [idle] [storm] [--check]`;
//! `--check` fails if a goal is missed.
//!
//! Times are CPU time of the thread, around what the machine does and not around the making of messages. Memory is
//! what was asked of the allocator and not given back; the resident size of the process stands beside it where nothing
//! but the machine makes it grow.

mod clock;
mod figures;
mod idle;
mod sizes;
mod storm;
mod workload;
mod world;

use figures::Figures;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The dice of everything.
const SEED: u64 = 3;

/// Bytes that are allocated now.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    // Bytes of a reallocation are counted among either.
    stats.bytes_allocated - stats.bytes_deallocated
}

fn main() -> ExitCode {
    let has = |word: &str| std::env::args().any(|arg| arg == word);
    let some = ["sizes", "idle", "storm"].into_iter().any(has);
    let mut figures = Figures::default();
    // To see that it runs at all.
    let small = has("--test");
    if has("sizes") || !some {
        let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
        let all = if small { &[1_000][..] } else { &[10_000, 100_000, 1_000_000] };
        sizes::run(&mut figures, if numbers.is_empty() { all } else { &numbers });
    }
    if has("idle") || !some {
        idle::run(&mut figures, if small { &[100] } else { &[5_000, 15_000] });
    }
    if has("storm") || !some {
        storm::run(&mut figures, if small { 100 } else { 10_000 });
    }
    if has("--check") && figures.missed() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
