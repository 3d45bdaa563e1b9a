//! CPU time of puts and gets: 256 machines in one process, with 8 replicas and values of 100 bytes, whose datagrams are
//! handed from one to the other without sockets or simulated time. `cargo bench -p p2p-examples --bench storing`; `-- --check` fails when a
//! goal is missed.

use p2p_chord::record::{Coded, Kind, Record, SecretKey, Signed};
use p2p_chord::{Command, Config, Get, Put, RingId};
use p2p_core::Rng;
use p2p_examples::cost::cpu;
use p2p_examples::rings::Handed;
use std::io::Write;
use std::process::ExitCode;

const NODES: usize = 256;
const OPS: usize = 4_000;
/// Milliseconds of a get and of a put (issue 4's table).
const GET: f64 = 0.1;
const PUT: f64 = 0.2;

/// Milliseconds and messages for each of these.
fn measure(ring: &mut Handed, rng: &mut Rng, commands: impl Iterator<Item = Command>) -> (f64, f64) {
    let commands: Vec<Command> = commands.collect();
    let count = commands.len();
    let began = cpu();
    let (succeeded, messages) = ring.ask(rng, commands);
    let seconds = (cpu() - began).as_secs_f64();
    assert_eq!(succeeded, count, "all succeed");
    (seconds * 1e3 / count as f64, messages as f64 / count as f64)
}

fn main() -> ExitCode {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    let ops = if has("--test") { 200 } else { OPS };
    let mut config = Config::default();
    config.base_bits = 4;
    let mut ring = Handed::settled(NODES, &config);
    let mut rng = Rng::fast_from(1);
    let mut dice = Rng::fast_from(2);
    let mut values = |count: usize| -> Vec<Record> {
        (0..count).map(|_| Record::Value(dice.bytes::<100>().to_vec().into())).collect()
    };
    let puts = |records: Vec<Record>| records.into_iter().map(|record| Command::Put(Put::new(record)));
    // Everybody has met whom it talks to, as on a ring that is looked after.
    measure(&mut ring, &mut rng, puts(values(1_000)));
    let records = values(ops);
    let keys: Vec<RingId> = records.iter().map(Record::key).collect();
    let (put, put_messages) = measure(&mut ring, &mut rng, puts(records));
    let gets = keys.iter().map(|key| Command::Get(Get::new(*key, Kind::Value)));
    let (get, get_messages) = measure(&mut ring, &mut rng, gets);
    let secret = SecretKey([1; 32]);
    let signed = (0..ops as u64 / 10).map(|number| {
        let salt = number.to_be_bytes().to_vec();
        Record::Signed(Signed::sign(&secret, salt, 1, vec![7; 100]).unwrap_or_else(|why| panic!("{why}")))
    });
    let signed: Vec<Record> = signed.collect();
    let keys: Vec<RingId> = signed.iter().map(Record::key).collect();
    let (put_signed, signed_messages) = measure(&mut ring, &mut rng, puts(signed.clone()));
    let (put_again, _) = measure(&mut ring, &mut rng, puts(signed));
    // What fits into a datagram, in copies and in fragments.
    let mut dice = Rng::fast_from(3);
    let mut large = |count: usize| -> Vec<Vec<u8>> {
        (0..count)
            .map(|_| std::iter::repeat_with(|| dice.bytes::<64>()).take(16).flatten().collect())
            .collect()
    };
    let (copies, _) = measure(
        &mut ring,
        &mut rng,
        puts(large(ops / 10).into_iter().map(|value| Record::Value(value.into())).collect()),
    );
    let coded =
        large(ops / 10).into_iter().map(|value| Coded::new(value).unwrap_or_else(|why| panic!("{why}")));
    let coded: Vec<Record> = coded.map(Record::Coded).collect();
    let coded_keys: Vec<RingId> = coded.iter().map(Record::key).collect();
    let (fragments, fragment_messages) = measure(&mut ring, &mut rng, puts(coded));
    let gets = coded_keys.iter().map(|key| Command::Get(Get::new(*key, Kind::Coded)));
    let (get_coded, coded_messages) = measure(&mut ring, &mut rng, gets);
    let gets = keys.iter().map(|key| Command::Get(Get::new(*key, Kind::Signed)));
    let (get_signed, _) = measure(&mut ring, &mut rng, gets);
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "values: {get:.4} ms and {get_messages:.1} messages a get, {put:.4} ms and {put_messages:.1} messages a put \
         (goals {GET} and {PUT} ms)\nsigned: {get_signed:.4} ms a get, {put_signed:.4} ms and {signed_messages:.1} messages a put, which 8 nodes verify; \
         {put_again:.4} ms to put it again\nof 1,000 bytes: {copies:.4} ms a put in 8 copies, {fragments:.4} ms and \
         {fragment_messages:.1} messages in 14 fragments (lists of 8: 9 nodes), {get_coded:.4} ms and \
         {coded_messages:.1} messages a get"
    );
    let met = get <= GET && put <= PUT;
    if has("--check") && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
