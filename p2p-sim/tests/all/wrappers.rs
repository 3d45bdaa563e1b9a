//! Audits that catch, traces that replay, two kinds in one simulation.

use crate::kit::{Do, Puppet, Refused, act, bind, dial, effects, listen, push, tell};
use p2p_core::{ConnId, Cx, Duration, Effect, Input, Machine, OpId, OpInput};
use p2p_sim::audit::Violation;
use p2p_sim::either::EitherError;
use p2p_sim::{Audit, Either, Recorder, Sim, Uniform};

fn caught(command: Do) -> Vec<Violation> {
    let mut sim = Sim::new(1, Uniform::ms(1..2));
    let node = sim.add(Audit::new(Puppet::default()).collecting().most_effects(50));
    sim.ask(node, command);
    sim.run_for(Duration::from_secs(100));
    sim.machine(node).violations().to_vec()
}

#[test]
fn an_audit_of_a_sound_machine_finds_nothing() {
    let mut sim = Sim::new(1, Uniform::ms(1..20));
    let a = sim.add(Audit::new(Puppet { echo: true, polite: true, ..Puppet::default() }));
    let b = sim.add(Audit::new(Puppet { polite: true, ..Puppet::default() }));
    sim.ask(a, listen(1));
    sim.ask(a, bind(2));
    sim.ask(b, bind(2));
    sim.ask(b, dial(sim.addr(a), 1));
    sim.run_for(Duration::from_secs(1));
    sim.ask(b, push(300_000));
    sim.ask(b, tell(sim.addr(a), 2, b"x"));
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.machine(b).inner().total(), 300_000);
    sim.ask(b, act(|me, cx| cx.close(me.conns[0])));
    sim.run_for(Duration::from_secs(1));
    sim.stop(a);
    sim.stop(b);
    assert!(!sim.is_alive(a) && !sim.is_alive(b));
}

#[test]
fn an_audit_catches_a_second_finish() {
    // The puppet finishes every operation by itself.
    let found = caught(effects(|_| vec![Effect::Finish(OpId::from_raw(1), Ok(()))]));
    assert_eq!(found, [Violation::FinishOfNothing(OpId::from_raw(1))]);
}

#[test]
fn an_audit_catches_a_finish_and_an_answer_that_nobody_asked_for() {
    let op = OpId::from_raw(77);
    let found =
        caught(effects(move |_| vec![Effect::Event(Some(op), String::new()), Effect::Finish(op, Ok(()))]));
    assert_eq!(found, [Violation::AnswerToNothing(op), Violation::FinishOfNothing(op)]);
}

#[test]
fn an_audit_catches_effects_on_dead_handles() {
    let conn = ConnId::from_raw(99);
    let found = caught(effects(move |_| vec![Effect::Send(conn, p2p_sim::zeros(1)), Effect::Close(conn)]));
    assert_eq!(found, vec![Violation::DeadHandle("ConnId#99".to_owned()); 2]);
    let found = caught(act(|_, cx| {
        let socket = cx.bind(([0, 0, 0, 0], 0).into());
        cx.unbind(socket);
        cx.unbind(socket);
    }));
    assert_eq!(found, [Violation::DeadHandle("SocketId#1".to_owned())]);
}

#[test]
fn an_audit_catches_a_send_after_the_stream_ended() {
    let found = caught(act(|me, cx| {
        // Nobody listens: the stream ends, and the timer's input sends on it all the same.
        let conn = cx.connect(std::net::SocketAddr::from(([10, 0, 0, 1], 9)));
        me.conns.push(conn);
        cx.close(conn);
        cx.send(conn, p2p_sim::zeros(1));
    }));
    assert_eq!(found, [Violation::DeadHandle("ConnId#1".to_owned())]);
}

#[test]
fn an_audit_catches_a_flood_of_effects() {
    let found = caught(act(|_, cx| (0..60).for_each(|n| cx.set_timer(n, Duration::ZERO))));
    assert_eq!(found, [Violation::TooManyEffects(61)]);
}

#[test]
fn an_audit_catches_an_effect_after_the_halt_and_an_unfinished_operation() {
    let found = caught(act(|_, cx| cx.halt()));
    assert_eq!(found, [Violation::UnfinishedAtHalt(1), Violation::EffectAfterHalt]);
}

#[test]
#[should_panic(expected = "was finished, but is not under way")]
fn an_audit_panics_unless_it_collects() {
    let mut sim = Sim::new(1, Uniform::ms(1..2));
    let node = sim.add(Audit::new(Puppet::default()));
    sim.ask(node, effects(|_| vec![Effect::Finish(OpId::from_raw(1), Ok(()))]));
}

/// Throws dice at every input, so that a replay with other dice would differ.
struct Gambler(Puppet);

impl Machine for Gambler {
    type Command = u8;
    type Event = u64;
    type Error = Refused;
    type Timer = u8;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let roll = cx.rng().bits();
        cx.tell(roll);
        match input {
            Input::Start => {
                cx.listen(([0, 0, 0, 0], 1).into());
            }
            Input::Op(op, OpInput::Ask(host)) => {
                cx.connect(std::net::SocketAddr::from(([10, 0, 0, host], 1)));
                cx.set_timer(host, Duration::from_millis(roll % 1000));
                cx.finish(op, Ok(()));
            }
            Input::Stream(conn, _) if self.0.bytes.insert(conn, 0).is_none() => {
                cx.send(conn, roll.to_be_bytes().to_vec());
            }
            _ => {}
        }
    }
}

#[test]
fn a_trace_replays_to_the_same_effects_and_notices_another_machine() {
    let mut sim = Sim::new(5, Uniform::ms(1..200).loss(0.1));
    let nodes: Vec<_> = (0..4).map(|_| sim.add(Recorder::new(Gambler(Puppet::default()), 10_000))).collect();
    for n in 0..20usize {
        sim.ask(nodes[n % 4], (n * 3 % 4) as u8 + 1);
        sim.run_for(Duration::from_millis(300));
    }
    sim.run_for(Duration::from_secs(100));
    for node in nodes {
        let trace = sim.machine(node).trace();
        assert!(trace.steps().len() > 20 && !trace.is_cut());
        let again = trace.replay(Gambler(Puppet::default())).unwrap();
        assert_eq!(again.0.bytes, sim.machine(node).inner().0.bytes);
        let mut other = Puppet::default();
        other.bytes.insert(trace_conn(trace), 0);
        assert!(trace.replay(Gambler(other)).is_err());
    }
}

fn trace_conn(trace: &p2p_sim::Trace<Gambler>) -> ConnId {
    trace
        .steps()
        .iter()
        .find_map(|step| match step.input {
            Input::Stream(conn, _) => Some(conn),
            _ => None,
        })
        .unwrap()
}

#[test]
fn two_kinds_of_machine_talk_in_one_simulation() {
    let mut sim: Sim<Either<Gambler, Puppet>> = Sim::new(1, Uniform::ms(1..20));
    let gambler = sim.add(Either::Left(Gambler(Puppet::default())));
    let puppet = sim.add(Either::Right(Puppet::default()));
    sim.run_for(Duration::from_secs(1));
    let op = sim.ask(puppet, Either::Right(dial(sim.addr(gambler), 1)));
    let wrong = sim.ask(puppet, Either::Left(1));
    sim.run_for(Duration::from_secs(1));
    assert!(matches!(sim.outcome(op), Some(Ok(()))));
    assert!(matches!(sim.outcome(wrong), Some(Err(EitherError::OtherKind))));
    assert_eq!(sim.machine(puppet).right().unwrap().total(), 8);
    assert!(matches!(sim.events(gambler)[0].event, Either::Left(_)));
}
