//! A user with many files leaves while another one searches.

use crate::args::Index;
use crate::client::Client;
use crate::fill::{micros, now};
use crate::workload::Workload;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report};
use std::net::SocketAddrV4;

/// So many leave, one after the other.
const ROUNDS: u64 = 5;
/// Searches that find nothing, of which each tells how long the server did not listen.
const LOOKS: usize = 50;

pub(crate) async fn run(
    server: SocketAddrV4,
    process: &Process,
    load: &Workload,
    users: &mut [Client],
    args: &Index,
    report: &mut Report,
) -> Result<(), Failure> {
    let count = users.len();
    let (mut spent, mut usual, mut longest): (f64, f64, f64) = (0.0, 0.0, 0.0);
    for round in 0..ROUNDS {
        let user = 1_000_000 + round;
        let mut leaving = Client::login(server, user).await?;
        let mut text = Vec::new();
        load.shares(user, args.leaving, &mut text);
        leaving.write(&text).await?;
        leaving.settle().await?;
        let mut gone = false;
        // The first half says what the searches themselves cost.
        let mut before = process.cpu()?;
        let mut halves = [0.0; 2];
        for at in 0..2 * LOOKS {
            if at == LOOKS {
                halves[0] = micros(process.cpu()? - before);
                before = process.cpu()?;
                drop(std::mem::replace(&mut leaving, Client::connect(server, user).await?));
                gone = true;
            }
            let began = now();
            users[(round as usize * 2 * LOOKS + at) % count].settle().await?;
            let wait = micros(began.elapsed());
            if gone { longest = longest.max(wait) } else { usual = usual.max(wait) }
        }
        halves[1] = micros(process.cpu()? - before);
        spent += (halves[1] - halves[0]) / ROUNDS as f64;
    }
    let files = args.leaving;
    report.add(
        &format!("CPU of a logout with {files} files, mean of {ROUNDS}"),
        spent / 1e3,
        "ms",
        Goal::AtMost(5.0),
    );
    report.add("  the longest that another waited meanwhile", longest / 1e3, "ms", Goal::AtMost(2.0));
    report.add("  and before", usual / 1e3, "ms", Goal::None);
    Ok(())
}
