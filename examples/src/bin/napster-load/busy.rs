//! Many users search at the same time: the server never waits for the next question.

use crate::client::Client;
use crate::fill::{micros, now};
use crate::workload::{Sort, Workload};
use p2p_core::Rng;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Users who search at once.
const USERS: usize = 64;

/// The users are given back.
pub(crate) async fn run(
    process: &Process,
    load: &Arc<Workload>,
    users: &mut Vec<Client>,
    searches: usize,
    report: &mut Report,
) -> Result<(), Failure> {
    for most in [100, 10] {
        let each = searches.div_ceil(USERS);
        let mut under_way = JoinSet::new();
        let (before, began) = (process.cpu()?, now());
        for at in 0..USERS.min(users.len()) as u64 {
            let Some(mut client) = users.pop() else { break };
            let load = load.clone();
            under_way.spawn(async move {
                let (rng, mut results) = (&mut Rng::fast_from(23 + at), 0);
                for _ in 0..each {
                    let query = load.query(Sort::Song, rng);
                    let query = query.replace("MAX_RESULTS 100", &format!("MAX_RESULTS {most}"));
                    results += client.search(&query).await?;
                }
                Ok::<_, Failure>((client, results))
            });
        }
        let (count, mut results) = (under_way.len() * each, 0);
        while let Some(one) = under_way.join_next().await {
            let (client, found) = one.map_err(Failure::new)??;
            users.push(client);
            results += found;
        }
        let (spent, wall) = (process.cpu()? - before, began.elapsed());
        let mean = results as f64 / count as f64;
        let name = format!("CPU of a song search, {USERS} at once ({mean:.1} results)");
        let goal = if most == 100 { Goal::AtMost(30.0) } else { Goal::None };
        report.add(&name, micros(spent) / count as f64, "us", goal);
        let goal = if most == 10 { Goal::AtLeast(20_000.0) } else { Goal::None };
        report.add("  searches per second of the server's CPU", count as f64 / spent.as_secs_f64(), "", goal);
        report.add("  per second of the clock", count as f64 / wall.as_secs_f64(), "", Goal::None);
    }
    Ok(())
}
