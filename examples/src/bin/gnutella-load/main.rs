//! `gnutella-load`: what an ultrapeer costs, measured from outside: CPU time and memory of its process while neighbours that
//! this program plays send it queries, or do nothing. It runs against any servent on the same machine, and against one of
//! its own if none is named.
#![forbid(unsafe_code)]

mod args;
mod idle;
mod neighbour;
mod relay;
mod serve;

use args::{Args, What};
use clap::Parser;
use p2p_examples::Failure;
use p2p_examples::load::{self, Goal, Process, Report, Served};
use std::process::{Command, ExitCode};
use std::time::Duration;

fn main() -> ExitCode {
    let args = Args::parse();
    load::run("gnutella-load", args.measured.check, run(&args))
}

/// This program itself, as a servent.
fn own(args: &Args) -> Result<Command, Failure> {
    let own = std::env::current_exe().map_err(Failure::during("looking for this program"))?;
    let mut command = Command::new(own);
    command.arg(args.addr.to_string()).arg("serve");
    Ok(command)
}

/// How many goals were missed.
async fn run(args: &Args) -> Result<usize, Failure> {
    if matches!(args.what, What::Serve) {
        serve::run(args.addr).await?;
        return Ok(0);
    }
    if let Some(pid) = args.measured.pid {
        return measure(args, pid).await;
    }
    let mut command = args.measured.command()?.map_or_else(|| own(args), Ok)?;
    let servent = Served::start(&mut command)?;
    measure(args, servent.pid()).await
}

async fn measure(args: &Args, pid: u32) -> Result<usize, Failure> {
    let process = Process::new(pid)?;
    let took = neighbour::ready(args.addr, Duration::from_secs(60)).await?;
    let mut report = Report::default();
    match &args.what {
        What::Relay(asked) => relay::run(args.addr, &process, asked, &mut report).await?,
        What::Idle(asked) => {
            let goal = if args.measured.pid.is_none() { Goal::AtMost(0.2) } else { Goal::None };
            report.add("seconds until the first handshake", took.as_secs_f64(), "s", goal);
            idle::run(args.addr, &process, asked, &mut report).await?;
        }
        What::Serve => {}
    }
    Ok(report.missed())
}
