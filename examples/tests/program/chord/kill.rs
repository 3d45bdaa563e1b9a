//! kill -9 of a node that stores: what it said is stored is there when it comes back.

use super::Node;
use crate::rig::{Place, run, text};
use p2p_chord::record::{Kind, Record};
use p2p_chord::{Chord, Command, Config};
use p2p_core::Rng;
use p2p_examples::loopback::{get, put};
use p2p_transport_tokio::{Options, spawn};
use std::sync::{Arc, Mutex};

const ROUNDS: usize = 6;
/// Puts under way at a time.
const AT_ONCE: usize = 8;

#[test]
fn nothing_that_was_answered_is_lost() {
    println!("seeds 11 and 12");
    let place = Place::new("chord-kill");
    let store = place.at("store");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut node = Node::new(&["--listen", "127.0.0.1:0", "--store", &store]);
    let (mut rng, answered) = (Rng::fast_from(11), Arc::new(Mutex::new(Vec::<Record>::new())));
    let mut lost_in_flight = 0;
    for round in 0..ROUNDS {
        let at = node.at.parse().unwrap();
        // So many are answered before it is killed, and others are under way.
        let until = answered.lock().unwrap().len() + 20 + rng.index(100);
        lost_in_flight += runtime.block_on(async {
            let mut config = Config::default();
            config.listen = "127.0.0.1:0".parse().unwrap();
            config.routes = false;
            let guest = spawn(Chord::new(config), Options::default());
            guest.node.run(Command::Join(vec![at])).await.unwrap();
            let before = answered.lock().unwrap().clone();
            for record in before {
                let got = get(&guest.node, record.key(), Kind::Value).await;
                assert_eq!(got.unwrap_or_else(|why| panic!("lost after round {round}: {why}")).0, record);
            }
            let puts: Vec<_> = (0..AT_ONCE)
                .map(|number| {
                    let (node, answered) = (guest.node.clone(), Arc::clone(&answered));
                    let mut dice = Rng::fast_from((12 * round + number) as u64);
                    tokio::spawn(async move {
                        loop {
                            let value = vec![dice.bits() as u8; 1 + dice.index(900)];
                            let value = [&value[..], &dice.bytes::<8>()].concat();
                            let record = Record::Value(value.into());
                            if put(&node, record.clone()).await.is_err() {
                                return;
                            }
                            answered.lock().unwrap().push(record);
                        }
                    })
                })
                .collect();
            while answered.lock().unwrap().len() < until {
                tokio::task::yield_now().await;
            }
            node.running.signal("-KILL");
            let in_flight = puts.len();
            puts.iter().for_each(|put| put.abort());
            guest.stop().await;
            in_flight
        });
        let at = node.at.clone();
        drop(node);
        node = Node::new(&["--listen", &at, "--store", &store]);
    }
    let answered = answered.lock().unwrap().len();
    println!(
        "{answered} puts were answered and are there after {ROUNDS} kills; {lost_in_flight} were under way"
    );
    assert!(answered >= 20 * ROUNDS);
}

#[test]
fn a_store_is_one_nodes() {
    let place = Place::new("chord-store");
    let store = place.at("store");
    let first = Node::new(&["--listen", "127.0.0.1:0", "--store", &store]);
    let second = run("chord", &["node", "--listen", "127.0.0.1:0", "--store", &store]);
    let said = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&store) && said.contains("in use by another process"), "{said}");
    // Whoever is killed leaves no lock behind.
    first.running.signal("-KILL");
    drop(first);
    Node::new(&["--listen", "127.0.0.1:0", "--store", &store]);
}
