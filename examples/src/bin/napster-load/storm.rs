//! The server has started again, and everybody comes back with all files.

use crate::args::Storm;
use crate::client::Client;
use crate::crowd;
use crate::fill::{SEED, now};
use crate::workload::Workload;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report};
use std::net::SocketAddrV4;

pub(crate) async fn run(
    server: SocketAddrV4,
    process: &Process,
    args: &Storm,
    report: &mut Report,
) -> Result<(), Failure> {
    let load = Workload::new(args.users * args.files, SEED);
    // All that they will say is made before the first one comes.
    let mut texts = Vec::with_capacity(args.users);
    for user in 0..args.users as u64 {
        let mut text = Vec::new();
        let shared = load.shares(user, args.files, &mut text);
        texts.push((text, shared));
    }
    let mut texts = texts.into_iter();
    let (before, began) = (process.cpu()?, now());
    let users = crowd::each(0..args.users as u64, |user| {
        let text = texts.next();
        async move {
            let (text, shared) = text.ok_or_else(|| Failure::new("a user too many"))?;
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
