//! Streams: opening, order, bandwidth, backpressure, partitions, crashes.

use crate::kit::{Puppet, act, dial, listen, push, send};
use p2p_core::{Duration, IoError};
use p2p_sim::{Bandwidth, Faults, NodeIx, Setup, Sim, Uniform};

const PORT: u16 = 7000;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Node 1 has dialled node 0, and the stream is open.
fn pair(seed: u64, links: Uniform, up: Bandwidth, down: Bandwidth) -> (Sim<Puppet>, NodeIx, NodeIx) {
    let mut sim = Sim::new(seed, links);
    let server = sim.add_with(Setup::new().bandwidth(down), Puppet::default());
    let client = sim.add_with(Setup::new().bandwidth(up), Puppet::default());
    sim.ask(server, listen(PORT));
    sim.ask(client, dial(sim.addr(server), PORT));
    sim.run_for(secs(1));
    assert!(sim.machine(server).saw("Open") && sim.machine(client).saw("Open"));
    (sim, server, client)
}

fn fixed() -> Uniform {
    Uniform::fixed(Duration::from_millis(50))
}

#[test]
fn opening_takes_a_round_trip_and_bytes_keep_their_order() {
    let (mut sim, server, client) = pair(1, Uniform::ms(1..90), Bandwidth::UNLIMITED, Bandwidth::UNLIMITED);
    assert!(sim.machine(server).when("Open") < sim.machine(client).when("Open"));
    sim.machine_mut(server).keep = true;
    let mut all = Vec::new();
    for n in 0..200u8 {
        sim.ask(
            client,
            act(move |me, cx| {
                cx.send(me.conns[0], vec![n; 3]);
                cx.send(me.conns[0], vec![n + 1; 2]);
            }),
        );
        all.extend([n, n, n, n + 1, n + 1]);
        sim.run_for(Duration::from_millis(2));
    }
    sim.ask(client, act(|me, cx| cx.close(me.conns[0])));
    sim.run_for(secs(1));
    assert_eq!(sim.machine(server).got, all);
    assert!(sim.machine(server).saw("Closed(Ok"));
    assert_eq!((sim.streams(server), sim.streams(client)), (0, 0));
    assert!(!sim.machine(client).saw("Closed"), "no news for the side that closed");
}

#[test]
fn nobody_listens_nobody_is_there_nobody_answers() {
    let mut sim = Sim::new(1, fixed());
    let a = sim.add(Puppet::default());
    let b = sim.add(Puppet::default());
    sim.ask(a, dial(sim.addr(b), 1));
    sim.run_for(secs(1));
    assert!(sim.machine(a).saw("Closed(Err(Refused))"));
    sim.ask(a, dial("192.0.2.1".parse().unwrap(), 1));
    sim.kill(b);
    sim.ask(a, dial(sim.addr(b), 1));
    sim.run_for(secs(20));
    assert_eq!(sim.machine(a).count("Closed"), 1);
    sim.run_for(secs(20));
    assert_eq!(sim.machine(a).count("Closed(Err(TimedOut))"), 2);
    assert_eq!(sim.streams(a), 0);
}

#[test]
fn a_bulk_transfer_takes_its_size_by_the_slower_rate() {
    for (up, down, rate) in [(50_000, 187_500, 50_000), (500_000, 100_000, 100_000), (80_000, 80_000, 80_000)]
    {
        let (mut sim, server, client) =
            pair(1, fixed(), Bandwidth::bytes(up, up), Bandwidth::bytes(down, down));
        let (size, begin) = (4_000_000, sim.now());
        sim.ask(client, push(size));
        sim.run_for(secs(600));
        assert_eq!(sim.machine(server).total(), size as u64);
        let took = sim.machine(server).last_data.since(begin).as_secs_f64();
        let ideal = size as f64 / f64::from(rate) + 0.05;
        assert!((took / ideal - 1.0).abs() < 0.01, "{took} against {ideal}");
    }
}

/// A head and its payload are one burst on a wire, and are no slower than as many bytes in one part.
#[test]
fn what_is_sent_together_is_received_together() {
    let (mut sim, server, client) =
        pair(1, fixed(), Bandwidth::bytes(50_000, 50_000), Bandwidth::bytes(187_500, 187_500));
    let begin = sim.now();
    sim.ask(
        client,
        act(|me, cx| {
            cx.send(me.conns[0], vec![1; 13]);
            cx.send(me.conns[0], vec![2; 16_384]);
        }),
    );
    assert!(sim.run_while(|sim| sim.machine(server).total() == 0));
    assert_eq!(sim.machine(server).total(), 13 + 16_384);
    let took = sim.now().since(begin).as_secs_f64();
    assert!((took - (16_397.0 / 50_000.0 + 0.05)).abs() < 1e-6, "{took}");
}

/// Whoever stops reading at the first part of a burst gets the second when it reads again.
#[test]
fn a_reader_may_pause_within_a_burst() {
    let (mut sim, server, client) = pair(1, fixed(), Bandwidth::bytes(50_000, 50_000), Bandwidth::UNLIMITED);
    sim.machine_mut(server).pause_at = 5;
    sim.ask(
        client,
        act(|me, cx| {
            cx.send(me.conns[0], vec![1; 5]);
            cx.send(me.conns[0], vec![2; 1000]);
            cx.close(me.conns[0]);
        }),
    );
    sim.run_for(secs(5));
    assert_eq!(sim.machine(server).total(), 5);
    assert!(!sim.machine(server).saw("Closed"));
    sim.ask(server, act(|me, cx| cx.pause(me.conns[0], false)));
    sim.run_for(secs(1));
    assert_eq!(sim.machine(server).total(), 1005);
    assert!(sim.machine(server).saw("Closed(Ok"));
}

#[test]
fn streams_share_an_uplink_evenly() {
    let mut sim = Sim::new(1, fixed());
    let servers: Vec<_> = (0..4).map(|_| sim.add(Puppet::default())).collect();
    let client = sim.add_with(Setup::new().bandwidth(Bandwidth::bytes(100_000, 100_000)), Puppet::default());
    for server in &servers {
        sim.ask(*server, listen(PORT));
        sim.ask(client, dial(sim.addr(*server), PORT));
    }
    sim.run_for(secs(1));
    let begin = sim.now();
    for n in 0..4 {
        sim.ask(client, act(move |me, cx| cx.send(me.conns[n], vec![0; 1_000_000])));
    }
    sim.run_for(secs(20));
    // Half of the time is over: each has half, within a turn.
    for server in &servers {
        let got = sim.machine(*server).total() as i64;
        assert!((got - 500_000).abs() <= 17_000, "{got}");
    }
    sim.run_for(secs(25));
    let last = servers.iter().map(|server| sim.machine(*server).last_data).max().unwrap();
    let took = last.since(begin).as_secs_f64();
    assert!((took / 40.05 - 1.0).abs() < 0.01, "{took}");
}

#[test]
fn a_full_queue_is_told_and_told_to_be_ready_again() {
    let (mut sim, server, client) =
        pair(1, fixed(), Bandwidth::bytes(100_000, 100_000), Bandwidth::UNLIMITED);
    sim.ask(client, push(200_000));
    sim.run_for(Duration::from_millis(1));
    assert_eq!((sim.machine(client).count("Full"), sim.machine(client).count("Ready")), (1, 0));
    sim.run_for(secs(1));
    assert_eq!(sim.machine(client).count("Ready"), 0, "100 kB are left");
    sim.run_for(secs(2));
    assert_eq!((sim.machine(client).count("Full"), sim.machine(client).count("Ready")), (1, 1));
    assert_eq!(sim.machine(server).total(), 200_000);
}

#[test]
fn a_paused_reader_stops_its_sender_within_the_window() {
    for up in [Bandwidth::UNLIMITED, Bandwidth::bytes(1_000_000, 1_000_000)] {
        let (mut sim, server, client) = pair(1, fixed(), up, Bandwidth::UNLIMITED);
        sim.ask(server, act(|me, cx| cx.pause(me.conns[0], true)));
        for _ in 0..100 {
            sim.ask(client, push(16_384));
            sim.run_for(Duration::from_millis(50));
        }
        assert_eq!(sim.machine(server).total(), 0);
        assert_eq!(sim.machine(client).count("Full"), 1);
        let (sent, _) = sim.bytes(client);
        assert!((256 * 1024..=256 * 1024 + 32_768).contains(&sent), "{sent}");
        sim.ask(server, act(|me, cx| cx.pause(me.conns[0], false)));
        sim.run_for(secs(5));
        assert_eq!(sim.machine(server).total(), 100 * 16_384);
        assert_eq!(sim.machine(client).count("Ready"), 1);
    }
}

#[test]
fn close_sends_what_is_queued_and_abort_does_not() {
    for abort in [false, true] {
        let (mut sim, server, client) =
            pair(1, fixed(), Bandwidth::bytes(100_000, 100_000), Bandwidth::UNLIMITED);
        sim.ask(client, push(500_000));
        sim.ask(client, act(move |me, cx| if abort { cx.abort(me.conns[0]) } else { cx.close(me.conns[0]) }));
        sim.run_for(secs(20));
        if abort {
            assert!(sim.machine(server).total() < 40_000);
            assert!(sim.machine(server).saw("Closed(Err(Reset))"));
        } else {
            assert_eq!(sim.machine(server).total(), 500_000);
            assert!(sim.machine(server).saw("Closed(Ok"));
        }
    }
}

#[test]
fn a_partition_delays_a_stream_and_a_long_one_ends_it() {
    for (span, survives) in [(20, true), (100, false)] {
        let (mut sim, server, client) = pair(1, fixed(), Bandwidth::UNLIMITED, Bandwidth::UNLIMITED);
        sim.partition(&[&[server]]);
        sim.ask(client, send(b"hello"));
        sim.run_for(secs(span));
        assert_eq!(sim.machine(server).total(), 0);
        sim.heal();
        sim.run_for(secs(5));
        assert_eq!(sim.machine(server).total(), if survives { 5 } else { 0 });
        assert_eq!(sim.machine(client).saw("Closed(Err(TimedOut))"), !survives);
        assert_eq!(sim.machine(server).saw("Closed(Err(TimedOut))"), !survives);
    }
}

#[test]
fn a_crash_resets_streams_and_a_restart_keeps_the_address() {
    let (mut sim, server, client) = pair(1, fixed(), Bandwidth::UNLIMITED, Bandwidth::UNLIMITED);
    sim.kill(server);
    sim.run_for(secs(1));
    assert!(sim.machine(client).saw("Closed(Err(Reset))"));
    assert!(!sim.is_alive(server));
    sim.restart(server, Puppet::default());
    sim.ask(server, listen(PORT));
    sim.ask(client, dial(sim.addr(server), PORT));
    sim.run_for(secs(1));
    assert_eq!(sim.machine(client).count("Open"), 2);
    assert_eq!(sim.machine(server).count("Start"), 1);
}

#[test]
fn stop_waits_for_the_grace_period_at_most() {
    let mut sim = Sim::new(1, fixed());
    let polite = sim.add(Puppet { polite: true, ..Puppet::default() });
    let rude = sim.add(Puppet::default());
    sim.stop(polite);
    sim.stop(rude);
    assert!(!sim.is_alive(polite) && sim.is_alive(rude));
    sim.run_for(secs(11));
    assert!(!sim.is_alive(rude));
}

#[test]
fn loss_on_a_stream_is_delay() {
    let (mut sim, server, client) =
        pair(3, Uniform::ms(10..20).loss(0.3), Bandwidth::UNLIMITED, Bandwidth::UNLIMITED);
    sim.machine_mut(server).keep = true;
    for _ in 0..100 {
        sim.ask(client, send(b"0123456789"));
        sim.run_for(Duration::from_millis(10));
    }
    sim.run_for(secs(60));
    assert_eq!(sim.machine(server).got, b"0123456789".repeat(100));
}

#[test]
fn a_fault_breaks_streams_at_both_ends() {
    let (mut sim, server, client) = pair(3, fixed(), Bandwidth::UNLIMITED, Bandwidth::UNLIMITED);
    sim.set_faults(Faults { reset: 1.0, ..Faults::default() });
    sim.ask(client, send(b"x"));
    sim.run_for(secs(1));
    assert!(sim.machine(client).saw("Closed(Err(Reset))") && sim.machine(server).saw("Closed(Err(Reset))"));
    assert_eq!((sim.streams(server), sim.streams(client)), (0, 0));
}

#[test]
fn securing_succeeds_unless_a_fault_refuses() {
    use p2p_core::Security;
    let (mut sim, _, client) = pair(3, fixed(), Bandwidth::UNLIMITED, Bandwidth::UNLIMITED);
    let secure = || act(|me, cx| cx.secure(me.conns[0], Security::Client("host".to_owned())));
    sim.ask(client, secure());
    sim.run_for(secs(1));
    assert!(sim.machine(client).saw("Secured(Ok"));
    sim.set_faults(Faults { insecure: 1.0, ..Faults::default() });
    sim.ask(client, secure());
    sim.run_for(secs(1));
    assert!(sim.machine(client).saw(&format!("Closed(Err({:?}))", IoError::Insecure)));
    assert_eq!(sim.traffic().secured, 2);
}

/// A machine that upgrades reads "GO" and what belongs to the secured stream, gives that back, and reads it again: once, in
/// order, and nothing while the stream is being secured.
#[test]
fn what_is_given_back_when_a_stream_is_secured_is_read_again() {
    use p2p_core::Security;
    for paused in [false, true] {
        let (mut sim, server, client) = pair(3, fixed(), Bandwidth::UNLIMITED, Bandwidth::UNLIMITED);
        sim.machine_mut(server).keep = true;
        sim.ask(client, send(b"GO hello"));
        sim.run_for(secs(1));
        let accepted = sim.machine(server).conns[0];
        assert_eq!(sim.machine(server).got, b"GO hello");
        sim.ask(client, send(b" friend"));
        sim.ask(
            server,
            act(move |_, cx| {
                cx.secure_with(accepted, Security::Server, &b" hello"[..]);
                cx.pause(accepted, paused);
            }),
        );
        sim.run_for(secs(1));
        assert!(sim.machine(server).saw("Secured(Ok"));
        if paused {
            assert_eq!(sim.machine(server).got, b"GO hello");
            sim.ask(server, act(move |_, cx| cx.pause(accepted, false)));
            sim.run_for(secs(1));
        }
        assert_eq!(sim.machine(server).got, b"GO hello hello friend");
        let traffic = sim.traffic().stream;
        assert_eq!((traffic.sent_bytes, traffic.delivered_bytes), (15, 15));
    }
}

#[test]
fn a_node_dials_itself_and_names_are_resolved() {
    let mut sim = Sim::new(1, fixed());
    let a = sim.add(Puppet::default());
    sim.name("self.example", sim.addr(a));
    sim.ask(a, listen(PORT));
    sim.ask(
        a,
        act(|_, cx| {
            cx.connect(p2p_core::Target::Name { host: "self.example".to_owned(), port: PORT });
            cx.connect(p2p_core::Target::Name { host: "nobody.example".to_owned(), port: PORT });
            cx.resolve("self.example", 5);
        }),
    );
    sim.run_for(secs(1));
    assert_eq!(sim.machine(a).count("Open"), 2);
    assert_eq!(sim.machine(a).count("Closed(Err(Unresolved))"), 1);
    assert!(sim.machine(a).saw("Resolved(LookupId#"));
}
