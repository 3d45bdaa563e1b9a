//! What a node stores has a limit, in all and for each publisher.

use bytes::Bytes;
use p2p_chord::record::{Kind, Provider, Record};
use p2p_chord::store::{Held, Limits, Prefix, Refusal, Store};
use p2p_chord::{Place, RingId};
use p2p_core::{Rng, UnixTime};
use std::net::{IpAddr, SocketAddr};

fn held(record: Record, publisher: [u8; 4], expires: u64) -> Held {
    Held { record, expires, publisher: Prefix::of(IpAddr::from(publisher)) }
}

fn numbered(number: u64) -> Record {
    Record::Value(number.to_be_bytes().to_vec().into())
}

#[test]
fn a_million_unsolicited_puts_leave_memory_at_its_limit() {
    let mut limits = Limits::default();
    (limits.bytes, limits.records) = (4 << 20, 8_192);
    (limits.publisher_bytes, limits.publisher_records) = (1 << 20, 2_048);
    let now = UnixTime::from_secs(1_000_000);
    let mut store = Store::new(limits);
    // Somebody who stores little, before the flood.
    for number in 0..5 {
        let little = held(Record::Value(format!("little {number}").into()), [198, 51, 100, 1], 1_050_000);
        store.put(little, None, now).unwrap();
    }
    let mut rng = Rng::fast_from(1);
    let (mut taken, mut most) = (0, 0);
    for number in 0..1_000_000 {
        // From a thousand blocks of addresses.
        let from = [203, (number % 4) as u8, rng.below(250) as u8, 1];
        taken += u64::from(store.put(held(numbered(number), from, 1_080_000), None, now).is_ok());
        most = most.max(store.bytes());
        assert!(store.len() <= 8_192);
    }
    println!("{taken} taken, {most} bytes at most, {} records", store.len());
    assert!(most <= 4 << 20);
    assert!(taken > 8_000);
    let little = store.iter().filter(|held| held.publisher == Prefix::of([198, 51, 100, 1].into())).count();
    assert_eq!(little, 5, "who stores little is not crowded out");
    // Somebody new finds room all the same: the heaviest gives way.
    let new = held(Record::Value(Bytes::from_static(b"new")), [192, 0, 2, 1], 1_080_000);
    assert_eq!(store.put(new.clone(), None, now).map(|_| ()), Ok(()));
    assert!(store.iter().any(|held| *held == new));
}

#[test]
fn one_publisher_has_a_quota() {
    let mut limits = Limits::default();
    limits.publisher_records = 10;
    let mut store = Store::new(limits);
    let now = UnixTime::from_secs(1_000_000);
    let put = |store: &mut Store, number, host| {
        store.put(held(numbered(number), [192, 0, 2, host], 1_001_000), None, now).map(drop)
    };
    for number in 0..10 {
        assert_eq!(put(&mut store, number, number as u8), Ok(()));
    }
    assert_eq!(put(&mut store, 10, 10), Err(Refusal::Quota), "another address of the same /24");
    assert_eq!(put(&mut store, 5, 5), Ok(()), "what is there may be put again");
    assert_eq!(store.put(held(numbered(11), [192, 0, 3, 1], 1_001_000), None, now).map(drop), Ok(()));
}

#[test]
fn a_store_full_of_expired_records_takes_new_ones() {
    let mut limits = Limits::default();
    (limits.records, limits.publisher_records) = (1_000, 1_000);
    let mut store = Store::new(limits);
    let now = UnixTime::from_secs(1_000_000);
    for number in 0..1_000 {
        store.put(held(numbered(number), [192, 0, 2, 1], 1_000_060), None, now).unwrap();
    }
    assert!(store.put(held(numbered(1_000), [192, 0, 2, 1], 1_000_090), None, now).is_err());
    let later = UnixTime::from_secs(1_000_060);
    assert_eq!(store.find(numbered(1).key(), Kind::Value, later).count(), 0);
    assert!(store.put(held(numbered(1_000), [192, 0, 2, 1], 1_000_090), None, later).is_ok());
    assert_eq!(store.len(), 1);
    assert_eq!(store.put(held(numbered(1), [1, 2, 3, 4], 1_000_060), None, later), Err(Refusal::Expired));
}

#[test]
fn a_key_has_so_many_providers_and_of_one_block_fewer() {
    let mut store = Store::new(Limits::default());
    let now = UnixTime::from_secs(1_000_000);
    let mut put = |ip: [u8; 4], port: u16| {
        let at = Place::from(SocketAddr::from((ip, port)));
        let provider = Provider { key: RingId::new([3; 20]), at, sha256: [0; 32], size: 1 };
        store.put(held(Record::Provider(provider), ip, 1_001_000), None, now)
    };
    for port in 1..=8 {
        assert!(put([192, 0, 2, port as u8], port).is_ok());
    }
    assert_eq!(put([192, 0, 2, 9], 9), Err(Refusal::Quota));
    for block in 0..120 {
        assert!(put([10, 0, block, 1], 80).is_ok());
    }
    assert_eq!(put([10, 0, 200, 1], 80), Err(Refusal::Full));
    assert!(put([10, 0, 7, 1], 80).is_ok(), "who is one already says so again");
}
