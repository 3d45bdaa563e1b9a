//! Users log in and share.

use crate::args::Index;
use crate::client::Client;
use crate::crowd;
use crate::workload::Workload;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The dice of everything, the same as those of the machine's bench.
pub(crate) const SEED: u64 = 3;

/// The users are there afterwards, and what they share is in the index.
pub(crate) async fn run(
    server: SocketAddrV4,
    process: &Process,
    args: &Index,
    report: &mut Report,
) -> Result<(Arc<Workload>, Vec<Client>), Failure> {
    let load = Arc::new(Workload::new(args.users * args.files, SEED));
    let (before, empty) = (process.cpu()?, process.resident()?);
    let users = crowd::login(server, 0..args.users as u64).await?;
    let logins = process.cpu()? - before;
    report.add("CPU of a login", micros(logins) / args.users as f64, "us", Goal::None);
    let (before, began) = (process.cpu()?, now());
    let mut waiting = users.into_iter();
    let users = crowd::each(0..args.users as u64, |user| {
        let (load, client, files) = (load.clone(), waiting.next(), args.files);
        async move {
            let mut client = client.ok_or_else(|| Failure::new("a user too many"))?;
            let mut text = Vec::new();
            let shared = load.shares(user, files, &mut text);
            client.write(&text).await?;
            client.settle().await?;
            Ok::<_, Failure>((client, shared))
        }
    })
    .await?;
    let (spent, wall) = (process.cpu()? - before, began.elapsed());
    let users: Vec<(Client, usize)> = users.into_iter().collect::<Result<_, _>>()?;
    let shared: usize = users.iter().map(|(_, shared)| shared).sum();
    let grown = process.resident()?.saturating_sub(empty) as f64;
    report.add("shared files", shared as f64, "", Goal::None);
    report.add("CPU of a share", micros(spent) / shared as f64, "us", Goal::AtMost(3.0));
    report.add(
        "shares per second of the server's CPU",
        shared as f64 / spent.as_secs_f64(),
        "",
        Goal::AtLeast(100_000.0),
    );
    report.add("shares per second of the clock", shared as f64 / wall.as_secs_f64(), "", Goal::None);
    // The users' own weight is much in a small index.
    let goal = if shared >= 1_000_000 { Goal::AtMost(150.0) } else { Goal::None };
    report.add("resident bytes per shared file, users included", grown / shared as f64, "", goal);
    Ok((load, users.into_iter().map(|(client, _)| client).collect()))
}

pub(crate) fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
