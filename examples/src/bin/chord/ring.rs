//! `chord ring`: the ring as its nodes see it, one after the other.

use crate::args::Ring;
use crate::{INTERRUPTED, guest};
use p2p_chord::{Chord, Command, Event, Peer, RingId};
use p2p_examples::{Failure, Line, Output, Stop, Table};
use p2p_transport_tokio::{Options, spawn};
use std::process::ExitCode;

/// A node that was met.
struct Met {
    peer: Peer,
    small: bool,
    predecessor: Option<Peer>,
    successors: Vec<Peer>,
    silent: Vec<Peer>,
}

pub(crate) async fn run(args: &Ring, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut options = Options::default();
    options.desk.answers_hard = args.most.saturating_add(2);
    let running = spawn(Chord::new(guest::config(&args.via)), options);
    let walked = match guest::join(&running.node, &args.via, stop).await {
        Ok(true) => Ok(guest::answers(&running.node, Command::Walk { most: args.most }, stop).await),
        Ok(false) => Ok(None),
        Err(why) => Err(why),
    };
    running.stop().await;
    let Some((events, result)) = walked? else { return Ok(ExitCode::from(INTERRUPTED)) };
    let (mut all, mut closed) = (Vec::new(), false);
    for event in events {
        match event {
            Event::Met { peer, small, predecessor, successors, silent } => {
                all.push(Met { peer, small, predecessor, successors, silent });
            }
            Event::Walked { closed: is_closed, .. } => closed = is_closed,
            _ => {}
        }
    }
    show(&all, closed, out);
    result.map_err(Failure::during("on the way around"))?;
    Ok(ExitCode::SUCCESS)
}

fn show(all: &[Met], closed: bool, out: &mut Output) {
    let mut table = Table::new(["place", "address", "owns", "successors", "notes"]).right(2).right(3);
    let mut faults = 0u64;
    for (at, met) in all.iter().enumerate() {
        let notes = notes(all, at, closed);
        faults += u64::from(!notes.is_empty());
        let owns = met.predecessor.map_or(1.0, |before| part(before.id(), met.peer.id()));
        let (mut place, address) = (met.peer.id().to_string(), met.peer.addr().to_string());
        let line = Line::new("node").text("id", &place).text("addr", &address).flag("small", met.small);
        let line = match met.predecessor {
            Some(before) => line.text("predecessor", before.addr()),
            None => line,
        };
        let line = line.texts("successors", met.successors.iter().map(Peer::addr));
        out.event(line.texts("silent", met.silent.iter().map(Peer::addr)).text("notes", &notes));
        place.truncate(12);
        let owns = format!("{:.2}%", owns * 100.0);
        table = table.row([place, address, owns, met.successors.len().to_string(), notes]);
    }
    let line = Line::new("ring").number("nodes", all.len() as u64).flag("closed", closed);
    out.event(line.number("faults", faults));
    out.say(table);
    let end = if closed { "and back to the first" } else { "and not back to the first" };
    let wrong = if faults == 0 { String::new() } else { format!("; {faults} see it otherwise") };
    out.say(format_args!("{} nodes, {end}{wrong}", all.len()));
}

/// What a node sees otherwise than the walk.
fn notes(all: &[Met], at: usize, closed: bool) -> String {
    let met = &all[at];
    let mut notes = Vec::new();
    if !met.silent.is_empty() {
        notes.push(format!("{} before it do not answer", met.silent.len()));
    }
    let before = if at > 0 { all.get(at - 1) } else { all.last().filter(|_| closed && all.len() > 1) };
    let before = before.map(|before| before.peer);
    if before.is_some() && met.predecessor != before {
        notes.push("another predecessor".to_owned());
    }
    notes.join("; ")
}

/// Which part of the ring lies between two places.
fn part(from: RingId, to: RingId) -> f64 {
    let [a, b, c, d, ..] = *from.distance_to(to).as_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / 2f64.powi(32)
}
