//! A stream to two LANs of three hosts and three others; what each wrote is the stream from where it joined.

use crate::calm::Calm;
use crate::namespace::Namespace;
use crate::network::{Network, has_ipv6};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of a packet.
const PACKET: usize = 1_316;
/// Bytes in a second: what a small picture takes.
const RATE: usize = 175_000;
/// Bytes of which something can be said: a third of a second of the stream.
const LEAST: u64 = 87_500;
/// More than one copy with what members say, and less than two.
const ONE: f64 = 1.3;
/// Whoever waits longer says what for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs, and the lines that it said.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: mpsc::Receiver<(Instant, String)>,
    said: Vec<(Instant, String)>,
}

impl Process {
    pub(crate) fn start(name: impl Into<String>, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Self { name: name.into(), child, lines, said: Vec::new() }
    }

    /// The first line, from `since` on, with this in it, and when it was said.
    pub(crate) fn says(&mut self, what: &str) -> (Instant, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.said.iter().find(|(_, line)| line.contains(what)) {
                return found.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                Err(error) => panic!("{} did not say {what}: {error}; it said {:?}", self.name, self.said),
            }
        }
    }

    fn hear(&mut self) {
        self.said.extend(self.lines.try_iter());
    }

    /// The trees that it sends to the group of its LAN.
    fn forwards(&mut self) -> Vec<i64> {
        self.hear();
        let mut trees = Vec::new();
        for line in
            self.said.iter().filter_map(|(_, line)| serde_json::from_str::<serde_json::Value>(line).ok())
        {
            if let (Some(tree), Some(active)) = (line["tree"].as_i64(), line["active"].as_bool()) {
                trees.retain(|other| *other != tree);
                if active {
                    trees.push(tree);
                }
            }
        }
        trees
    }

    /// After how long it began to send a tree to the group.
    fn forwarded(&mut self, tree: i64, since: Instant) -> Option<Duration> {
        self.hear();
        let begins = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line)
                .is_ok_and(|line| line["tree"] == tree && line["active"] == true)
        };
        let mut after = self.said.iter().filter(|(when, line)| *when > since && begins(line));
        after.next().map(|(when, _)| when.duration_since(since))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The figures of its last line.
    pub(crate) fn figures(&mut self) -> serde_json::Value {
        let (_, line) = self.says("\"ended\"");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Host `n` of a LAN, or outside.
fn addr(lan: usize, n: usize, is_ipv6: bool) -> String {
    if is_ipv6 { format!("fd77:{lan}::{n}") } else { format!("10.77.{lan}.{n}") }
}

/// Where a program is reached there.
fn port(addr: &str) -> String {
    if addr.contains(':') { format!("[{addr}]:4664") } else { format!("{addr}:4664") }
}

/// A broadcast in the network of [`Network`].
struct Event {
    network: Network,
    folder: PathBuf,
    input: Arc<[u8]>,
    /// What of that the source was given; nothing more once it is to end.
    feeder: Feeder,
    source: Process,
    group: String,
    is_ipv6: bool,
    /// Seconds that viewers wait for a packet.
    patience: u32,
}

/// Gives the source its stream, as fast as it takes it, until it is to end.
struct Feeder {
    ends: Arc<AtomicBool>,
    fed: Option<JoinHandle<usize>>,
    bytes: usize,
}

impl Feeder {
    fn new(input: Arc<[u8]>, mut to: ChildStdin) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let end = ends.clone();
        let feed = move || {
            let mut packets = input.chunks(PACKET);
            let mut is_taken = |packet: &&[u8]| !end.load(Ordering::Relaxed) && to.write_all(packet).is_ok();
            packets.by_ref().take_while(&mut is_taken).map(<[u8]>::len).sum()
        };
        Self { ends, fed: Some(std::thread::spawn(feed)), bytes: 0 }
    }

    fn end(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(fed) = self.fed.take() {
            self.bytes = fed.join().unwrap();
        }
    }
}

impl Event {
    fn new(name: &str, is_ipv6: bool) -> Option<Self> {
        let Some(network) = Network::new() else {
            println!("skipped: this machine allows no network namespaces");
            return None;
        };
        let folder = std::env::temp_dir().join(format!("p2p-esm-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // Each packet begins with its number: any two differ.
        let mut input = vec![0; 120 * RATE / PACKET * PACKET];
        for (n, packet) in input.chunks_mut(PACKET).enumerate() {
            packet.fill(n as u8);
            packet[..8].copy_from_slice(&(n as u64).to_be_bytes());
        }
        let input: Arc<[u8]> = input.into();
        let mut command = network.lone[0].command(env!("CARGO_BIN_EXE_esm"));
        command
            .args(["--json", "broadcast", "--listen", &port(&addr(0, 11, is_ipv6)), "--rate"])
            .arg(RATE.to_string())
            .args(["--input", "-"])
            .stdin(Stdio::piped());
        let mut source = Process::start("the source", command);
        let feeder = Feeder::new(input.clone(), source.child.stdin.take().unwrap());
        let (_, line) = source.says("\"broadcasting\"");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let group = line["group"].as_str().unwrap().to_owned();
        Some(Self { network, folder, input, feeder, source, group, is_ipv6, patience: 2 })
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn watch(&self, name: &str, host: &Namespace, at: &str, lan: bool) -> Process {
        let mut command = host.command(env!("CARGO_BIN_EXE_esm"));
        command.args([
            "--json",
            "watch",
            "--join",
            &port(&addr(0, 11, self.is_ipv6)),
            "--group",
            &self.group,
            "--patience",
            &self.patience.to_string(),
        ]);
        command.args(["--listen", &port(at), "--out"]).arg(self.out(name));
        if lan {
            command.args(["--interface", at]);
        }
        Process::start(name, command)
    }

    /// All hosts of a LAN, and the lone ones.
    fn everybody(&self) -> (Vec<Process>, Vec<Process>, Vec<Process>) {
        let lan = |lan: usize, letter: &str| {
            let hosts = self.network.hosts[lan].iter().zip(1..);
            hosts
                .map(|(host, n)| {
                    let addr = addr(lan + 1, 10 + n, self.is_ipv6);
                    self.watch(&format!("{letter}{n}"), host, &addr, true)
                })
                .collect::<Vec<_>>()
        };
        let (a, b) = (lan(0, "a"), lan(1, "b"));
        let lone = self.network.lone.iter().zip(11..).skip(1);
        let lone = lone.map(|(host, n)| self.watch(&format!("l{n}"), host, &addr(0, n, self.is_ipv6), false));
        let mut all = (a, b, lone.collect::<Vec<_>>());
        for one in all.0.iter_mut().chain(&mut all.1).chain(&mut all.2) {
            one.says("\"joined\"");
        }
        all
    }

    /// The stream ends.
    fn end(&mut self) {
        self.feeder.end();
        self.source.says("\"ended\"");
    }

    /// What it wrote are packets of the input in their order, each once, from where it joined on. What is missing of them,
    /// if anything is.
    fn missing(&self, process: &mut Process) -> Option<String> {
        let (figures, name) = (process.figures(), process.name.clone());
        let written = fs::read(self.out(&name)).unwrap();
        assert!(
            !written.is_empty() && written.len().is_multiple_of(PACKET),
            "{name}: {} bytes, {figures}",
            written.len()
        );
        let number = |packet: &[u8]| u64::from_be_bytes(packet[..8].try_into().unwrap()) as usize;
        let (first, fed) = (number(&written), self.feeder.bytes / PACKET);
        let mut next = first;
        for packet in written.chunks(PACKET) {
            let at = number(packet);
            assert!(at >= next && at < fed, "{name}: {at} behind {next}, {figures}");
            assert!(
                packet == &self.input[at * PACKET..][..PACKET],
                "{name}: packet {at} is another, {figures}"
            );
            next = at + 1;
        }
        assert_eq!(figures["far"], 0, "{name}: {figures}");
        println!("{name} from packet {first} on: {figures}");
        let missing = fed - first - written.len() / PACKET;
        assert_eq!(missing == 0, figures["gaps"] == 0, "{name}: {figures}");
        (missing > 0).then(|| format!("{name} misses {missing} packets of {}", fed - first))
    }

    /// The same of several.
    fn missing_of<'a>(&self, all: impl IntoIterator<Item = &'a mut Process>) -> Vec<String> {
        all.into_iter().filter_map(|process| self.missing(process)).collect()
    }
}

/// Waits for it, however slow the machine is.
fn until<T>(what: &str, mut is_there: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(there) = is_there() {
            return there;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What is given a buffer of so many seconds misses nothing: of two, as long as the machine has time for all of them. If it
/// has not, whoever stood still for longer may miss what came meanwhile, and then again with twenty.
fn nothing_is_missing(run: impl Fn(u32) -> Vec<String>) {
    let calm = Calm::watch();
    let missing = run(2);
    if missing.is_empty() {
        return;
    }
    let was_calm = calm.was();
    assert!(!was_calm, "{missing:?}");
    println!("{missing:?}: the machine is too busy for a buffer of 2 s; again with 20");
    assert_eq!(run(20), Vec::<String>::new());
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all::<&Path>(self.folder.as_ref());
    }
}

#[test]
fn one_copy_into_each_lan() {
    one_copy("copy", false);
}

/// The same by IPv6, whose group is of link-local scope.
#[test]
#[ignore = "a quarter of a minute of real time; `.ci/long` runs it"]
fn one_copy_by_ipv6() {
    if !has_ipv6() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    one_copy("copy6", true);
}

fn one_copy(name: &str, is_ipv6: bool) {
    let Some(mut event) = Event::new(name, is_ipv6) else { return };
    // Not about how fast the machine is.
    event.patience = 20;
    let (mut a, mut b, mut lone) = event.everybody();
    // Hosts that are alone get one copy each: what comes into a LAN in the same time is measured against that, so it does
    // not matter how fast the machine is. Where it stands still for a while others take a forwarder's part, so what
    // counts is the calmest moment; where each host has a copy of its own there is none.
    let received = |event: &Event| {
        let lone = event.network.lone[1..].iter().map(|host| host.received("e0")).sum::<u64>() / 3;
        (event.network.routers.each_ref().map(|router| router.received("out")), lone)
    };
    let mut shares = [const { Vec::new() }; 2];
    let mut before = received(&event);
    let calmest = |shares: &Vec<f64>| shares.iter().copied().fold(f64::INFINITY, f64::min);
    let since = Instant::now();
    // Six moments at least, and more while there is hope.
    while shares[0].len() < 6
        || shares.iter().any(|shares| calmest(shares) >= ONE) && since.elapsed() < PATIENCE
    {
        assert!(since.elapsed() < 2 * PATIENCE, "nothing comes any more: {shares:?}");
        std::thread::sleep(Duration::from_millis(500));
        let now = received(&event);
        let one = now.1 - before.1;
        if one < LEAST {
            continue;
        }
        for (lan, shares) in shares.iter_mut().enumerate() {
            shares.push((now.0[lan] - before.0[lan]) as f64 / one as f64);
        }
        before = now;
    }
    for (lan, shares) in shares.iter().enumerate() {
        println!("into LAN {lan}, of what comes to a host that is alone: {shares:.3?}");
        assert!(calmest(shares) < ONE, "{shares:?}");
    }
    event.end();
    let missing = event.missing_of(a.iter_mut().chain(&mut b).chain(&mut lone));
    assert_eq!(missing, Vec::<String>::new());
    for lan in [&mut a, &mut b] {
        let group: i64 = lan.iter_mut().map(|one| one.figures()["group"].as_i64().unwrap()).sum();
        assert!(group > 0, "what came by the group had a hop limit of 1, or it would not count");
    }
}

/// A forwarder loses its way out, and keeps the LAN. In the other LAN multicast is dropped from then on.
#[test]
#[ignore = "half a minute of real time; `.ci/long` runs it"]
fn cut_off_and_blocked() {
    nothing_is_missing(cut_off);
}

fn cut_off(patience: u32) -> Vec<String> {
    let Some(mut event) = Event::new("cut", false) else { return Vec::new() };
    event.patience = patience;
    let (mut a, mut b, mut lone) = event.everybody();
    std::thread::sleep(Duration::from_secs(4));
    let (busiest, trees) = until("somebody forwards", || {
        let busiest = (0..3).max_by_key(|at| a[*at].forwards().len())?;
        let trees = a[busiest].forwards();
        (!trees.is_empty()).then_some((busiest, trees))
    });
    let at = Instant::now();
    // Nothing comes to it from outside, and nothing goes out.
    event.network.hosts[0][busiest].run("ip route del default");
    event.network.routers[0].run(&format!("ip route add blackhole 10.77.1.{}/32", 11 + busiest));
    if !event.network.switches[1].loses_multicast(100) {
        println!("no nft here: the switch does not flood multicast instead");
        for port in ["h0", "h1", "h2"] {
            event.network.switches[1].run(&format!("bridge link set dev {port} mcast_flood off"));
        }
    }
    std::thread::sleep(Duration::from_secs(4));
    for tree in trees {
        let first = until("a tree is sent by somebody else", || {
            let others = a.iter_mut().enumerate().filter(|(other, _)| *other != busiest);
            others.filter_map(|(_, one)| one.forwarded(tree, at)).min()
        });
        println!("tree {tree} is sent again after {first:?}");
    }
    // Each of its hosts gets it from outside.
    let received = || (event.network.routers[1].received("out"), event.network.lone[1].received("e0"));
    let mut before = received();
    let share = until("more than one copy into the LAN without multicast", || {
        let now = received();
        let (all, one) = (now.0 - before.0, now.1 - before.1);
        if one < LEAST {
            return None;
        }
        before = now;
        Some(all as f64 / one as f64).filter(|share| *share > 1.5)
    });
    println!("into the LAN without multicast: {share:.2} of what comes to a host that is alone");
    std::thread::sleep(Duration::from_secs(8));
    event.end();
    event.missing_of(a.iter_mut().chain(&mut b).chain(&mut lone))
}

/// A switch loses one multicast datagram of ten, as a busy Wi-Fi does: for each of its hosts all of them are made good for.
#[test]
#[ignore = "needs nft (`.ci/clients media`), and a quarter of a minute of real time; `.ci/long` runs it"]
fn a_lan_that_loses() {
    nothing_is_missing(lossy);
}

fn lossy(patience: u32) -> Vec<String> {
    let Some(mut event) = Event::new("lossy", false) else { return Vec::new() };
    event.patience = patience;
    assert!(event.network.switches[0].loses_multicast(10), "nft is not installed, or not allowed");
    let (mut a, mut b, mut lone) = event.everybody();
    std::thread::sleep(Duration::from_secs(12));
    event.end();
    let missing = event.missing_of(a.iter_mut().chain(&mut b).chain(&mut lone));
    let rules = event.network.switches[0].run("nft list ruleset");
    let dropped =
        rules.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    println!("{dropped:?} datagrams dropped");
    assert!(dropped > Some(50_u64), "{rules}");
    missing
}

/// A forwarder is killed, another one stopped for a while; the others go on.
#[test]
#[ignore = "half a minute of real time; `.ci/long` runs it"]
fn forwarders_fail() {
    nothing_is_missing(fail);
}

fn fail(patience: u32) -> Vec<String> {
    let Some(mut event) = Event::new("fail", false) else { return Vec::new() };
    event.patience = patience;
    let (mut a, mut b, mut lone) = event.everybody();
    std::thread::sleep(Duration::from_secs(4));
    let busiest = |lan: &mut Vec<Process>| {
        let at = until("somebody forwards", || {
            let trees = lan.iter_mut().map(|one| one.forwards().len());
            trees.enumerate().filter(|(_, trees)| *trees > 0).max_by_key(|(_, trees)| *trees)
        });
        lan.remove(at.0)
    };
    let (mut killed, mut stopped) = (busiest(&mut a), busiest(&mut b));
    let trees = [killed.forwards(), stopped.forwards()];
    let at = Instant::now();
    killed.signal("-KILL");
    stopped.signal("-STOP");
    std::thread::sleep(Duration::from_secs(4));
    for (lan, trees) in [&mut a, &mut b].into_iter().zip(trees) {
        for tree in trees {
            let first = until("a tree is sent by somebody else", || {
                lan.iter_mut().filter_map(|one| one.forwarded(tree, at)).min()
            });
            println!("tree {tree} is sent again after {first:?}");
        }
    }
    stopped.signal("-CONT");
    std::thread::sleep(Duration::from_secs(8));
    event.end();
    event.missing_of(a.iter_mut().chain(&mut b).chain(&mut lone))
}
