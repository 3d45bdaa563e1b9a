//! Users who do nothing, and what that costs those who do something.

use crate::args::Idle;
use crate::client::Client;
use crate::crowd;
use crate::fill::{SEED, micros, now};
use crate::workload::{Sort, Workload};
use p2p_core::Rng;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report, quantile};
use std::net::SocketAddrV4;

/// Those who are busy, their files, and what each of them does.
const BUSY: u64 = 100;
const FILES: usize = 100;
const ROUNDS: usize = 10;

pub(crate) async fn run(
    server: SocketAddrV4,
    process: &Process,
    args: &Idle,
    report: &mut Report,
) -> Result<(), Failure> {
    let load = Workload::new(BUSY as usize * FILES, SEED);
    let mut busy = crowd::login(server, 0..BUSY).await?;
    for (user, client) in (0..).zip(&mut busy) {
        let mut text = Vec::new();
        load.shares(user, FILES, &mut text);
        client.write(&text).await?;
        client.settle().await?;
    }
    talk(process, &load, &mut busy).await?;
    let alone = talk(process, &load, &mut busy).await?;
    report.add("CPU of a message among 0 idle users", alone, "us", Goal::None);
    let mut idle: Vec<Client> = Vec::new();
    for crowd in args.crowds.iter().copied() {
        let (before, began) = (process.resident()?, now());
        let cpu = process.cpu()?;
        let new = 10_000 + idle.len() as u64..10_000 + crowd as u64;
        let count = (crowd - idle.len()) as f64;
        idle.extend(crowd::login(server, new).await?);
        report.add(
            &format!("CPU of a login, up to {crowd} users"),
            micros(process.cpu()? - cpu) / count,
            "us",
            Goal::None,
        );
        report.add("  logins per second of the clock", count / began.elapsed().as_secs_f64(), "", Goal::None);
        let each = process.resident()?.saturating_sub(before) as f64 / count;
        report.add("  resident bytes per idle user", each, "", Goal::AtMost(2048.0));
        talk(process, &load, &mut busy).await?;
        let among = talk(process, &load, &mut busy).await?;
        report.add(&format!("CPU of a message among {crowd} idle users"), among, "us", Goal::None);
        report.add("  times that without them", among / alone, "", Goal::AtMost(1.2));
    }
    Ok(())
}

/// CPU microseconds of a message, the median of some rounds: each busy user searches, and says something to the next.
async fn talk(process: &Process, load: &Workload, busy: &mut [Client]) -> Result<f64, Failure> {
    let rng = &mut Rng::fast_from(5);
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = process.cpu()?;
        for at in 0..busy.len() {
            busy[at].search(&load.query(Sort::Song, rng)).await?;
            let next = (at + 1) % busy.len();
            busy[at].say(205, format!("user{next} have you got the other one too").as_bytes()).await?;
            busy[next].until(205).await?;
        }
        rounds.push(micros(process.cpu()? - before) / (2 * busy.len()) as f64);
        // So that nobody is held back for talking too much.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    Ok(quantile(&mut rounds, 0.5))
}
