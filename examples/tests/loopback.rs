//! A ring of 256 nodes over real UDP in one process: whatever is put is what others get.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "what was measured is shown by --nocapture")]

use p2p_chord::record::{Kind, Record, SecretKey, Signed};
use p2p_chord::{Chord, Command, Config, Error, Event, RingId};
use p2p_core::Rng;
use p2p_core::node::OpError;
use p2p_examples::loopback::{Loopback, get, put};
use p2p_transport_tokio::{Options, spawn};

const NODES: usize = 256;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn what_is_put_by_some_is_got_by_others() {
    runtime().block_on(async {
        println!("seeds 3 and 4");
        let (mut rng, mut dice) = (Rng::fast_from(3), Rng::fast_from(4));
        let ring = Loopback::settled(NODES, &Config::default()).await.unwrap();
        let secret = SecretKey([7; 32]);
        let mut records = Vec::new();
        for number in 0..160u64 {
            // Some are too long for a datagram, some are signed.
            let mut value = vec![0; [20, 100, 900, 5_000][rng.index(4)]];
            dice.fill(&mut value);
            records.push(match number % 4 {
                0 => Record::Signed(Signed::sign(&secret, number.to_be_bytes().to_vec(), 1, value).unwrap()),
                _ => Record::Value(value.into()),
            });
        }
        let (mut messages, mut copies) = (0u64, 0u64);
        for record in &records {
            let (of, report) = put(ring.node(rng.index(NODES)), record.clone()).await.unwrap();
            messages += u64::from(report.messages);
            copies += u64::from(of);
            assert!(of >= 5, "{of} copies");
        }
        let each = |count: u64| count as f64 / records.len() as f64;
        println!(
            "puts: {:.1} messages and {:.1} copies when they were answered",
            each(messages),
            each(copies)
        );
        let mut messages = 0u64;
        for round in 0..2 {
            for record in &records {
                let node = ring.node(rng.index(NODES));
                let (got, report) = get(node, record.key(), record.kind()).await.unwrap();
                assert_eq!(got, *record, "round {round}");
                messages += u64::from(report.messages);
            }
        }
        println!("gets: {:.1} messages", each(messages) / 2.0);
        // What nobody put is nowhere.
        for _ in 0..20 {
            let key = RingId::random(&mut dice);
            let absent = get(ring.node(rng.index(NODES)), key, Kind::Value).await;
            assert_eq!(absent.unwrap_err(), OpError::Failed(Error::Absent));
        }
        guests(&ring, &records).await;
        for node in ring.stop().await {
            node.check().unwrap();
        }
    });
}

/// Those who are no members see the same, and the whole ring.
async fn guests(ring: &Loopback, records: &[Record]) {
    let mut config = Config::default();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.routes = false;
    let running = spawn(Chord::new(config), Options::default());
    running.node.run(Command::Join(vec![ring.peers()[9].addr()])).await.unwrap();
    for record in records.iter().step_by(8) {
        assert_eq!(get(&running.node, record.key(), record.kind()).await.unwrap().0, *record);
    }
    let mut walk = running.node.ask(Command::Walk { most: 1_000 });
    let (mut met, mut end) = (Vec::new(), None);
    while let Some(event) = walk.try_next().await.unwrap() {
        match event {
            Event::Met { peer, .. } => met.push(peer),
            Event::Walked { nodes, closed } => end = Some((nodes, closed)),
            _ => {}
        }
    }
    assert_eq!(end, Some((NODES, true)));
    met.sort_by_key(p2p_chord::Peer::id);
    assert_eq!(met, ring.peers());
    drop(walk);
    running.stop().await;
}
