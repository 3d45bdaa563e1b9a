//! CPU time of puts and gets over loopback UDP: 256 nodes of one ring in one process, each with a socket and a driver of
//! its own, 8 replicas, values of 100 bytes. `cargo bench -p p2p-examples --bench loopback`; `-- --check` fails when a
//! goal is missed.

use p2p_chord::record::{Kind, Record};
use p2p_chord::{Config, RingId};
use p2p_core::Rng;
use p2p_examples::cost::cpu;
use p2p_examples::loopback::{Loopback, get, put};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

const NODES: usize = 256;
const OPS: usize = 4_000;
/// Milliseconds of a get and of a put (issue 4's table).
const GET: f64 = 0.2;
const PUT: f64 = 0.5;

/// Milliseconds of CPU, and messages, for each.
struct Cost {
    cpu: f64,
    messages: f64,
}

async fn puts(ring: &Loopback, rng: &mut Rng, records: &[Record]) -> Cost {
    let (began, mut messages) = (cpu(), 0u64);
    for record in records {
        let done = put(ring.node(rng.index(NODES)), record.clone()).await;
        messages += u64::from(done.expect("every put succeeds").1.messages);
    }
    cost(began, messages, records.len())
}

async fn gets(ring: &Loopback, rng: &mut Rng, keys: &[RingId]) -> Cost {
    let (began, mut messages) = (cpu(), 0u64);
    for key in keys {
        let done = get(ring.node(rng.index(NODES)), *key, Kind::Value).await;
        messages += u64::from(done.expect("every get succeeds").1.messages);
    }
    cost(began, messages, keys.len())
}

fn cost(began: Duration, messages: u64, count: usize) -> Cost {
    let count = count as f64;
    Cost { cpu: (cpu() - began).as_secs_f64() * 1e3 / count, messages: messages as f64 / count }
}

async fn run(ops: usize) -> (Cost, Cost) {
    let mut config = Config::default();
    config.base_bits = 4;
    let ring = Loopback::settled(NODES, &config).await.expect("so many free ports");
    let (mut rng, mut dice) = (Rng::fast_from(1), Rng::fast_from(2));
    let mut values = |count: usize| -> Vec<Record> {
        (0..count).map(|_| Record::Value(dice.bytes::<100>().to_vec().into())).collect()
    };
    // Everybody has met whom it talks to, as on a ring that is looked after.
    puts(&ring, &mut rng, &values(ops / 4)).await;
    let records = values(ops);
    let put = puts(&ring, &mut rng, &records).await;
    let keys: Vec<RingId> = records.iter().map(Record::key).collect();
    let get = gets(&ring, &mut rng, &keys).await;
    (put, get)
}

fn main() -> ExitCode {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    let ops = if has("--test") { 200 } else { OPS };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (put, get) = runtime.expect("a runtime").block_on(run(ops));
    let _ = writeln!(
        std::io::stdout(),
        "{NODES} nodes over loopback UDP: {:.3} ms and {:.1} messages a get, {:.3} ms and {:.1} messages a put \
         (goals {GET} and {PUT} ms)",
        get.cpu,
        get.messages,
        put.cpu,
        put.messages
    );
    let met = get.cpu <= GET && put.cpu <= PUT;
    if has("--check") && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
