//! Our Chord: machines in one loop, and nodes over UDP.

use crate::figures::{Cost, Figures, Idle, Watch};
use p2p_chord::record::{Kind, Record};
use p2p_chord::{Command, Config, Get, Put, RingId};
use p2p_core::Rng;
use p2p_examples::loopback::{Loopback, get, put};
use p2p_examples::rings::Handed;
use std::error::Error;
use std::time::Duration;

const OPS: usize = 2_000;
/// How long is watched what passes when nothing is asked.
const REST: Duration = Duration::from_secs(10);

fn config() -> Config {
    let mut config = Config::default();
    config.base_bits = 4;
    config
}

fn values(seed: u64, count: usize) -> Vec<Record> {
    let mut dice = Rng::fast_from(seed);
    (0..count).map(|_| Record::Value(dice.bytes::<100>().to_vec().into())).collect()
}

fn run(ring: &mut Handed, rng: &mut Rng, commands: Vec<Command>) -> Cost {
    let (count, watch) = (commands.len(), Watch::new(Idle::default()));
    let (succeeded, messages) = ring.ask(rng, commands);
    watch.stop(count, count - succeeded, Some(messages))
}

pub fn in_process(count: usize) -> Figures {
    let (mut ring, mut rng) = (Handed::settled(count, &config()), Rng::fast_from(1));
    let puts =
        |records: &[Record]| records.iter().cloned().map(|record| Command::Put(Put::new(record))).collect();
    // Everybody has met whom it talks to.
    run(&mut ring, &mut rng, puts(&values(2, OPS / 2)));
    let records = values(3, OPS);
    let put = run(&mut ring, &mut rng, puts(&records));
    let gets = records.iter().map(|record| Command::Get(Get::new(record.key(), Kind::Value))).collect();
    let get = run(&mut ring, &mut rng, gets);
    Figures { put, get }
}

pub fn over_udp(count: usize) -> Result<Figures, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (ring, mut rng) = (Loopback::settled(count, &config()).await?, Rng::fast_from(1));
        for record in values(2, OPS / 2) {
            put(ring.node(rng.index(count)), record).await?;
        }
        // They look after each other all the time; that is not what is asked about.
        let rest = Watch::new(Idle::default());
        tokio::time::sleep(REST).await;
        let idle = rest.idle();
        let records = values(3, OPS);
        let (watch, mut failed) = (Watch::new(idle), 0);
        for record in &records {
            failed += usize::from(put(ring.node(rng.index(count)), record.clone()).await.is_err());
        }
        let put = watch.stop(OPS, failed, None);
        let (watch, mut failed) = (Watch::new(idle), 0);
        for record in &records {
            let key: RingId = record.key();
            failed += usize::from(get(ring.node(rng.index(count)), key, Kind::Value).await.is_err());
        }
        let get = watch.stop(OPS, failed, None);
        Ok(Figures { put, get })
    })
}
