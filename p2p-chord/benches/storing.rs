//! CPU time of puts and gets: 256 machines in one process, with 8 replicas and values of 100 bytes, whose datagrams are
//! handed from one to the other without sockets or simulated time. `cargo bench -p p2p-chord`; `-- --check` fails when a
//! goal is missed.

use p2p_chord::record::{Coded, Kind, Record, SecretKey, Signed};
use p2p_chord::{Chord, Command, Config, Get, Peer, Put, RingId};
use p2p_core::{
    Cx, Datagram, Duration, Effect, Input, Instant, Machine as _, OpId, OpInput, Rng, SocketId, Source,
    UnixTime,
};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

const NODES: usize = 256;
const OPS: usize = 4_000;
/// Milliseconds of a get and of a put (issue 4's table).
const GET: f64 = 0.1;
const PUT: f64 = 0.2;

/// All nodes, and what is on its way between them.
struct World {
    nodes: Vec<(SocketAddr, Chord, Source)>,
    index: BTreeMap<SocketAddr, usize>,
    wire: VecDeque<(usize, Datagram)>,
    effects: Vec<Effect<Chord>>,
    messages: u64,
    ended: u64,
    succeeded: u64,
}

impl World {
    fn new() -> Self {
        let mut config = Config::default();
        config.base_bits = 4;
        let at = |node: usize| SocketAddr::from(([10, 0, (node >> 8) as u8, node as u8], 4000));
        let mut peers: Vec<Peer> = (0..NODES).map(|node| Peer::new(config.network, at(node))).collect();
        peers.sort_by_key(Peer::id);
        let around = |place: usize| peers[place % NODES];
        let nodes = peers.iter().enumerate().map(|(place, me)| {
            let successors: Vec<Peer> = (1..=config.successors).map(|step| around(place + step)).collect();
            let fingers = (config.successors + 1..NODES).map(|step| around(place + step));
            let chord = Chord::settled(config.clone(), *me, around(place + NODES - 1), &successors, fingers);
            (me.addr(), chord, Source::new(Rng::fast_from(place as u64)))
        });
        let nodes: Vec<_> = nodes.collect();
        let index = nodes.iter().enumerate().map(|(node, (addr, ..))| (*addr, node)).collect();
        let (wire, effects) = (VecDeque::new(), Vec::new());
        let mut world = Self { nodes, index, wire, effects, messages: 0, ended: 0, succeeded: 0 };
        (0..NODES).for_each(|node| world.input(node, Input::Start));
        world
    }

    fn input(&mut self, node: usize, input: Input<Chord>) {
        let (addr, chord, source) = &mut self.nodes[node];
        let civil = UnixTime::from_secs(1_767_225_600);
        chord.handle(input, &mut Cx::new(Instant::ZERO, civil, source, &mut self.effects));
        for effect in self.effects.drain(..) {
            match effect {
                Effect::SendTo(_, datagram) => {
                    let to = self.index[&datagram.peer];
                    self.wire.push_back((to, Datagram { peer: *addr, ..datagram }));
                    self.messages += 1;
                }
                Effect::Finish(_, result) => {
                    self.ended += 1;
                    self.succeeded += u64::from(result.is_ok());
                }
                _ => {}
            }
        }
    }

    fn run(&mut self, node: usize, op: u64, command: Command) {
        self.input(node, Input::Op(OpId::from_raw(op), OpInput::Ask(command)));
        while let Some((to, datagram)) = self.wire.pop_front() {
            self.input(to, Input::Datagram(SocketId::from_raw(1), datagram));
        }
    }

    /// Milliseconds and messages for each of these.
    fn measure(&mut self, rng: &mut Rng, commands: impl Iterator<Item = Command>) -> (f64, f64) {
        let commands: Vec<Command> = commands.collect();
        let (count, before, succeeded) = (commands.len() as f64, self.messages, self.succeeded);
        let began = cpu();
        for (op, command) in (1..).zip(commands) {
            let node = rng.index(NODES);
            self.run(node, op, command);
        }
        let seconds = (cpu() - began).as_secs_f64();
        assert_eq!((self.succeeded - succeeded) as f64, count, "all succeed");
        (seconds * 1e3 / count, (self.messages - before) as f64 / count)
    }
}

/// CPU time of this thread, where the system tells; else the time that passes.
#[allow(clippy::disallowed_methods, reason = "a stopwatch")]
fn cpu() -> Duration {
    static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    // Nanoseconds on a CPU, the first number.
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next().and_then(|nanos| nanos.parse().ok()));
    nanos.map_or_else(|| BEGAN.get_or_init(std::time::Instant::now).elapsed(), Duration::from_nanos)
}

fn main() -> ExitCode {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    let ops = if has("--test") { 200 } else { OPS };
    let mut world = World::new();
    let mut rng = Rng::fast_from(1);
    let mut dice = Rng::fast_from(2);
    let mut values = |count: usize| -> Vec<Record> {
        (0..count).map(|_| Record::Value(dice.bytes::<100>().to_vec().into())).collect()
    };
    let puts = |records: Vec<Record>| records.into_iter().map(|record| Command::Put(Put::new(record)));
    // Everybody has met whom it talks to, as on a ring that is looked after.
    world.measure(&mut rng, puts(values(1_000)));
    let records = values(ops);
    let keys: Vec<RingId> = records.iter().map(Record::key).collect();
    let (put, put_messages) = world.measure(&mut rng, puts(records));
    let gets = keys.iter().map(|key| Command::Get(Get::new(*key, Kind::Value)));
    let (get, get_messages) = world.measure(&mut rng, gets);
    let secret = SecretKey([1; 32]);
    let signed = (0..ops as u64 / 10).map(|number| {
        let salt = number.to_be_bytes().to_vec();
        Record::Signed(Signed::sign(&secret, salt, 1, vec![7; 100]).unwrap_or_else(|why| panic!("{why}")))
    });
    let signed: Vec<Record> = signed.collect();
    let keys: Vec<RingId> = signed.iter().map(Record::key).collect();
    let (put_signed, signed_messages) = world.measure(&mut rng, puts(signed.clone()));
    let (put_again, _) = world.measure(&mut rng, puts(signed));
    // What fits into a datagram, in copies and in fragments.
    let mut dice = Rng::fast_from(3);
    let mut large = |count: usize| -> Vec<Vec<u8>> {
        (0..count)
            .map(|_| std::iter::repeat_with(|| dice.bytes::<64>()).take(16).flatten().collect())
            .collect()
    };
    let (copies, _) = world.measure(
        &mut rng,
        puts(large(ops / 10).into_iter().map(|value| Record::Value(value.into())).collect()),
    );
    let coded =
        large(ops / 10).into_iter().map(|value| Coded::new(value).unwrap_or_else(|why| panic!("{why}")));
    let coded: Vec<Record> = coded.map(Record::Coded).collect();
    let coded_keys: Vec<RingId> = coded.iter().map(Record::key).collect();
    let (fragments, fragment_messages) = world.measure(&mut rng, puts(coded));
    let gets = coded_keys.iter().map(|key| Command::Get(Get::new(*key, Kind::Coded)));
    let (get_coded, coded_messages) = world.measure(&mut rng, gets);
    let gets = keys.iter().map(|key| Command::Get(Get::new(*key, Kind::Signed)));
    let (get_signed, _) = world.measure(&mut rng, gets);
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
