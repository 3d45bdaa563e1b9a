//! The server has started again, and everybody comes back with all files.

use crate::args::Storm;
use crate::client::Client;
use crate::crowd;
use crate::fill::{SEED, now};
use crate::process::Process;
use crate::report::{Goal, Report};
use crate::workload::Workload;
use p2p_examples::Failure;
use std::net::SocketAddrV4;
use std::sync::Arc;

pub(crate) async fn run(
    server: SocketAddrV4,
    process: &Process,
    args: &Storm,
    report: &mut Report,
) -> Result<(), Failure> {
    let load = Arc::new(Workload::new(args.users * args.files, SEED));
    let files = args.files;
    let (before, began) = (process.cpu()?, now());
    let users = crowd::each(0..args.users as u64, |user| {
        let load = load.clone();
        async move {
            let mut text = Vec::new();
            let shared = load.shares(user, files, &mut text);
            let mut client = Client::login(server, user).await?;
            client.write(&text).await?;
            client.settle().await?;
            Ok::<_, Failure>((client, shared))
        }
    })
    .await?;
    let (spent, wall) = (process.cpu()? - before, began.elapsed());
    let users: Vec<(Client, usize)> = users.into_iter().collect::<Result<_, _>>()?;
    let shared: usize = users.iter().map(|(_, shared)| shared).sum();
    report.add("users who came back", users.len() as f64, "", Goal::None);
    report.add("shared files", shared as f64, "", Goal::None);
    report.add("the clock, from the first to the last", wall.as_secs_f64(), "s", Goal::AtMost(40.0));
    report.add("the server's CPU", spent.as_secs_f64(), "s", Goal::AtMost(40.0));
    report.add("resident bytes at the end", process.resident()? as f64 / 1e6, "MB", Goal::AtMost(600.0));
    report.add("resident bytes at most", process.peak()? as f64 / 1e6, "MB", Goal::None);
    Ok(())
}
