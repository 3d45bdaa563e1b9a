//! What the machine allocates per block in steady state, both sides together. Counts do not depend on the computer.

#[path = "../benches/pair/mod.rs"]
mod pair;

use pair::Pair;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: u64 = 1 << 20;

/// Jobs are asked for by the run, of 8 and of 16 blocks, and each has its lists; nothing is allocated for a block.
#[test]
fn nothing_is_allocated_per_block() {
    let mut pair = Pair::new(256);
    pair.run_to(64 * MIB);
    let region = Region::new(ALLOCATOR);
    let from = pair.written;
    pair.run_to(192 * MIB);
    let counted = region.change();
    let blocks = (pair.written - from) / (16 * 1024);
    let per_block = (counted.allocations + counted.reallocations) as f64 / blocks as f64;
    assert!(per_block <= 0.45, "{per_block:.3} allocations per block");
    assert!(pair.finish());
}
