//! What a flood of puts leaves behind, by the machine's own figures and by the allocator's.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and says what it counted"
)]

mod alone;

use alone::Alone;
use p2p_chord::Config;
use p2p_chord::record::Record;
use p2p_chord::wire::{Answer, Ask};
use p2p_core::Duration;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocator counts for all threads: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

/// So many unsolicited puts of values of `len` bytes, from 4,096 addresses of 1,024 blocks, as fast as one a
/// millisecond, to a node that may keep `bytes`. Its neighbours keep
/// all copies.
fn flood(puts: u32, len: usize, bytes: usize) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut config = Config::default();
    config.listen = SocketAddr::from(([0, 0, 0, 0], 4000));
    config.successors = 4;
    (config.limits.bytes, config.limits.records) = (bytes, bytes / 256);
    (config.limits.publisher_bytes, config.limits.publisher_records) = (bytes / 8, bytes / 2_048);
    let mut node = Alone::member(config);
    let from = |number: u32| {
        let number = number % 4_096;
        SocketAddr::from(([203, (number >> 10) as u8, (number >> 2) as u8, number as u8 & 3], 5000))
    };
    let mut tokens = Vec::with_capacity(4_096);
    for number in 0..4_096 {
        tokens.push(node.token_of(from(number)));
    }
    let region = Region::new(ALLOCATOR);
    let (mut stored, mut refused, mut most, mut most_live) = (0_u32, 0_u32, 0, 0);
    let mut value = vec![0; len];
    let mut salt = 0_u64;
    for number in 0..puts {
        salt += 1;
        value[..8].copy_from_slice(&salt.to_be_bytes());
        // For any place: those that are not of this neighbourhood are refused for that.
        let record = Record::Value(value.clone().into());
        let ask = Ask::Put { record, ttl: 86_400, swap: None, heir: true };
        let from = from(number.wrapping_mul(2_654_435_761) >> 7);
        let at = tokens[from_index(from)];
        match node.ask(from, at, ask).first() {
            Some((_, Answer::Refused(_))) => refused += 1,
            Some((_, Answer::Prove)) => {
                let index = from_index(from);
                tokens[index] = node.token_of(from);
            }
            _ => stored += 1,
        }
        node.answer_keeps();
        node.pass(Duration::from_millis(1));
        if number % 256 == 0 {
            most = most.max(node.node.store().bytes());
            let change = region.change();
            most_live = most_live.max(change.bytes_allocated.saturating_sub(change.bytes_deallocated));
        }
    }
    println!("{puts} puts of {len} bytes: {stored} taken or waiting, {refused} refused");
    println!("{most} of {bytes} bytes by its own figures, {most_live} by the allocator's");
    assert!(most <= bytes && most * 10 >= bytes * 8, "full, and not more than full");
    assert!(refused > puts / 4);
    // What it counts for a record covers what is allocated for it; what is on its way to replicas is beside it.
    assert!(most_live <= bytes + bytes / 2 + (4 << 20), "{most_live} bytes allocated");
    assert!(node.node.questions().count() <= 8 * 1_024);
}

const fn from_index(from: SocketAddr) -> usize {
    match from {
        SocketAddr::V4(from) => {
            let [_, a, b, c] = from.ip().octets();
            (a as usize) << 10 | (b as usize) << 2 | c as usize
        }
        SocketAddr::V6(_) => 0,
    }
}

#[test]
fn many_unsolicited_puts_leave_memory_at_its_limit() {
    flood(8_000, 100, 1 << 20);
}

#[test]
#[ignore = "a million puts to a whole node: a minute in release"]
fn a_million_unsolicited_puts_leave_memory_at_its_limit() {
    flood(1_000_000, 100, 16 << 20);
    flood(200_000, 1_000, 16 << 20);
}
