//! `napster-load`: what a server of Napster's or OpenNap's protocol costs, measured from outside: CPU time and memory of
//! its process, and how long its users wait. It runs against any such server on the same machine.
#![forbid(unsafe_code)]

mod args;
mod busy;
mod client;
mod crowd;
mod echo;
mod fill;
mod idle;
mod leave;
mod logins;
mod process;
mod report;
mod search;
mod storm;
#[path = "../../../../p2p-napster/benches/server/workload.rs"]
mod workload;

use args::{Args, What};
use clap::Parser;
use p2p_examples::Failure;
use process::Process;
use report::Report;
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

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
            let _ = writeln!(std::io::stderr(), "napster-load: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// How many goals were missed.
async fn run(args: &Args) -> Result<usize, Failure> {
    let Some(command) = &args.start else {
        let pid = args.pid.ok_or_else(|| Failure::new("whose cost? give --pid or --start"))?;
        return measure(args, pid).await;
    };
    let mut words = command.split_whitespace();
    let program = words.next().ok_or_else(|| Failure::new("--start: no command"))?;
    let mut server = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| Failure::new(format_args!("{program}: {why}")))?;
    let result = measure(args, server.id()).await;
    // It may have ended by itself, which the result tells.
    let _ = server.kill();
    let _ = server.wait();
    result
}

async fn measure(args: &Args, pid: u32) -> Result<usize, Failure> {
    let process = Process::new(pid)?;
    client::ready(args.addr).await?;
    let mut report = Report::default();
    match &args.what {
        What::Index(index) => {
            let (load, mut users) = fill::run(args.addr, &process, index, &mut report).await?;
            search::run(&process, &load, &mut users, index.searches, &mut report).await?;
            busy::run(&process, &load, &mut users, 4 * index.searches, &mut report).await?;
            leave::run(args.addr, &process, &load, &mut users, index, &mut report).await?;
        }
        What::Idle(idle) => idle::run(args.addr, &process, idle, &mut report).await?,
        What::Storm(storm) => storm::run(args.addr, &process, storm, &mut report).await?,
        What::Logins(logins) => logins::run(args.addr, &process, logins, &mut report).await?,
    }
    Ok(report.missed())
}
