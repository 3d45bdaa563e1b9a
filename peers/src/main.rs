//! What a put and a get cost in three distributed hash tables: libp2p's Kademlia, BitTorrent's (mainline), and our Chord.
//! Values of 100 bytes, a random node for each operation, all nodes in one process; 8 replicas, or as many as the system
//! insists on. `cargo run --release -- [--nodes 16,64,256] [--ours]`; the latter leaves the others away.
//!
//! Kademlia runs over libp2p's memory transport, so it is to be compared with Chord in process; mainline over UDP, so it is
//! to be compared with Chord over UDP. Messages are questions and answers: of Kademlia its requests times two; of Chord what
//! its machines sent; over UDP the datagrams that the system counted, so nothing else should send any meanwhile, less as many
//! as pass in the same time when nothing is asked (nodes look after each other), and with these.

mod chord;
mod figures;
mod kad;
mod krpc;

use figures::Figures;
use p2p_examples::Table;
use std::error::Error;

const USAGE: &str = "usage: p2p-peers [--nodes 16,64,256] [--ours]";

/// How many nodes, one run after the other; and whether only ours run.
fn arguments() -> Result<(Vec<usize>, bool), Box<dyn Error>> {
    let (mut nodes, mut ours) = (vec![16, 64], false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--nodes" => {
                let list = args.next().ok_or(USAGE)?;
                nodes = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--ours" => ours = true,
            _ => return Err(USAGE.into()),
        }
    }
    Ok((nodes, ours))
}

fn main() -> Result<(), Box<dyn Error>> {
    let head = [
        "system",
        "nodes",
        "messages get",
        "put",
        "CPU ms get",
        "put",
        "with upkeep: get",
        "put",
        "failed",
        "times ours: messages",
        "CPU",
    ];
    let mut table = Table::new(head);
    let (nodes, only_ours) = arguments()?;
    for count in nodes {
        let ours = chord::in_process(count);
        table = row(table, "chord, in process", count, &ours, None);
        if !only_ours {
            eprintln!("libp2p-kad, {count} nodes");
            let theirs = kad::in_process(count)?;
            table = row(table, "libp2p-kad, memory transport", count, &theirs, Some(&ours));
        }
        let ours = chord::over_udp(count)?;
        table = row(table, "chord, loopback UDP", count, &ours, None);
        if !only_ours {
            eprintln!("mainline, {count} nodes");
            let theirs = krpc::over_udp(count)?;
            table = row(table, "mainline, loopback UDP", count, &theirs, Some(&ours));
        }
    }
    println!("{table}");
    Ok(())
}

fn row(table: Table, system: &str, count: usize, is: &Figures, ours: Option<&Figures>) -> Table {
    // In process nothing passes but what is asked.
    let passed = |of: f64| if of > 0.0 { format!("{of:.1}") } else { String::new() };
    let ratios = |get: f64, put: f64| format!("{get:.0}x / {put:.0}x");
    let (messages, cpu) = ours.map_or_else(Default::default, |ours| {
        (
            ratios(is.get.messages / ours.get.messages, is.put.messages / ours.put.messages),
            ratios(is.get.cpu / ours.get.cpu, is.put.cpu / ours.put.cpu),
        )
    });
    table.row([
        system.to_owned(),
        count.to_string(),
        format!("{:.1}", is.get.messages),
        format!("{:.1}", is.put.messages),
        format!("{:.3}", is.get.cpu),
        format!("{:.3}", is.put.cpu),
        passed(is.get.passed),
        passed(is.put.passed),
        format!("{} of {}", is.get.failed + is.put.failed, is.get.count + is.put.count),
        messages,
        cpu,
    ])
}
