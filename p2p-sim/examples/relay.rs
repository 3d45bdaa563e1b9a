//! How fast the simulator itself is: nodes that do nothing but pass a datagram on.
//!
//! `cargo run --release -p p2p-sim --example relay [nodes] [virtual seconds]`
#![allow(clippy::print_stdout)]

use p2p_core::{Cx, Duration, Input, Machine};
use p2p_sim::{Sim, Uniform};

struct Relay {
    nodes: u32,
    seen: u32,
}

impl Machine for Relay {
    type Command = ();
    type Event = ();
    type Error = std::fmt::Error;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                cx.bind(([0, 0, 0, 0], 4000).into());
            }
            Input::Bound(socket, Ok(_)) | Input::Datagram(socket, _) => {
                self.seen += 1;
                let next = cx.rng().below(u64::from(self.nodes)) as u32;
                cx.send_to(socket, ((0x0a00_0001 + next).to_be_bytes(), 4000).into(), &b"token"[..]);
            }
            _ => {}
        }
    }
}

/// CPU seconds of this process, in user mode and in the kernel, and resident bytes; zeros where there is no `/proc`.
fn usage() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| after.split_whitespace().nth(n).and_then(|word| word.parse::<f64>().ok());
    // Clock ticks are 1/100 s, pages 4 KiB.
    let cpu = (field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0)) / 100.0;
    (cpu, field(21).unwrap_or(0.0) * 4096.0)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let nodes = number(100_000) as u32;
    let span = Duration::from_secs(number(10));
    let (_, before) = usage();
    let mut sim = Sim::new(7, Uniform::ms(10..100));
    sim.reserve(nodes as usize);
    for _ in 0..nodes {
        sim.add(Relay { nodes, seen: 0 });
    }
    let (built, memory) = usage();
    sim.run_for(span);
    let (cpu, peak) = usage();
    let inputs = sim.traffic().inputs;
    println!("{nodes} nodes, {} virtual seconds, digest {:016x}", span.as_secs(), sim.digest());
    println!("{inputs} inputs in {:.2} CPU s: {:.2} M/s", cpu - built, inputs as f64 / (cpu - built) / 1e6);
    println!(
        "{:.0} bytes per node built, {:.0} while running",
        (memory - before) / f64::from(nodes),
        (peak - before) / f64::from(nodes)
    );
}
