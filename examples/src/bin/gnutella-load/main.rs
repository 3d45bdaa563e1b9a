//! `gnutella-load`: what an ultrapeer costs, measured from outside: CPU time and memory of its process while neighbours that
//! this program plays send it queries, or do nothing. It runs against any servent on the same machine, and against one of
//! its own if none is named.
#![forbid(unsafe_code)]

mod args;
mod idle;
mod neighbour;
#[path = "../napster-load/process.rs"]
mod process;
mod relay;
#[path = "../napster-load/report.rs"]
#[expect(dead_code, reason = "quantiles are for who waits")]
mod report;
mod serve;

use args::{Args, What};
use clap::Parser;
use p2p_examples::Failure;
use process::Process;
use report::Report;
use std::io::Write as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(Failure::new).and_then(|runtime| runtime.block_on(run(&args)));
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) if args.check => {
            let _ = writeln!(std::io::stderr(), "{missed} goals were missed");
            ExitCode::FAILURE
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "gnutella-load: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The servent as a child, with that much CPU time and memory.
fn start(args: &Args) -> Result<Child, Failure> {
    let mut command = match &args.start {
        Some(line) => {
            let mut words = line.split_whitespace();
            let program = words.next().ok_or_else(|| Failure::new("--start: no command"))?;
            let mut command = Command::new(program);
            command.args(words);
            command
        }
        None => {
            let own = std::env::current_exe().map_err(Failure::during("looking for this program"))?;
            let mut command = Command::new(own);
            command.arg(args.addr.to_string()).arg("serve");
            command
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(Failure::during("starting the servent"))
}

/// How many goals were missed.
async fn run(args: &Args) -> Result<usize, Failure> {
    if matches!(args.what, What::Serve) {
        serve::run(args.addr).await?;
        return Ok(0);
    }
    let mut report = Report::default();
    if let Some(pid) = args.pid {
        measure(args, pid, &mut report).await?;
        return Ok(report.missed());
    }
    let mut child = start(args)?;
    let result = measure(args, child.id(), &mut report).await;
    // It may have ended by itself, which the result tells.
    let _ = child.kill();
    let _ = child.wait();
    result?;
    Ok(report.missed())
}

async fn measure(args: &Args, pid: u32, report: &mut Report) -> Result<(), Failure> {
    let process = Process::new(pid)?;
    let took = neighbour::ready(args.addr, Duration::from_secs(60)).await?;
    match &args.what {
        What::Relay(asked) => relay::run(args.addr, &process, asked, report).await,
        What::Idle(asked) => {
            let goal = if args.pid.is_none() { report::Goal::AtMost(0.2) } else { report::Goal::None };
            report.add("seconds until the first handshake", took.as_secs_f64(), "s", goal);
            idle::run(args.addr, &process, asked, report).await
        }
        What::Serve => Ok(()),
    }
}
