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
mod search;
mod storm;
#[path = "../../../../p2p-napster/benches/server/workload.rs"]
mod workload;

use args::{Args, What};
use clap::Parser;
use p2p_examples::Failure;
use p2p_examples::load::{self, Process, Report, Served};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    load::run("napster-load", args.measured.check, run(&args))
}

/// How many goals were missed.
async fn run(args: &Args) -> Result<usize, Failure> {
    let Some(mut command) = args.measured.command()? else {
        let pid = args.measured.pid.ok_or_else(|| Failure::new("whose cost? give --pid or --start"))?;
        return measure(args, pid).await;
    };
    let server = Served::start(&mut command)?;
    measure(args, server.pid()).await
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
