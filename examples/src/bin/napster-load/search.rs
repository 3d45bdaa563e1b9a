//! One search after the other, each by another user.

use crate::client::Client;
use crate::echo::{self, Echo};
use crate::fill::{micros, now};
use crate::workload::{Sort, Workload};
use p2p_core::Rng;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report, quantile};

pub(crate) async fn run(
    process: &Process,
    load: &Workload,
    users: &mut [Client],
    searches: usize,
    report: &mut Report,
) -> Result<(), Failure> {
    let count = users.len();
    let echo = Echo::start()?;
    let mut listeners = Vec::with_capacity(count);
    for user in 0..count as u64 {
        listeners.push(Client::connect(echo.addr, user).await?);
    }
    for sort in Sort::ALL {
        let rng = &mut Rng::fast_from(11 + sort as u64);
        let (mut waits, mut results) = (Vec::with_capacity(searches), 0);
        let received = |users: &[Client]| users.iter().map(|user| user.received).sum::<u64>();
        let (came, before) = (received(users), process.cpu()?);
        for at in 0..searches {
            let query = load.query(sort, rng);
            let began = now();
            let found = users[at % count].search(&query).await?;
            results += found;
            if found > 0 || sort == Sort::Miss {
                waits.push(micros(began.elapsed()));
            }
        }
        let spent = micros(process.cpu()? - before) / searches as f64;
        let name = format!("{} ({:.1} results)", sort.name(), results as f64 / searches as f64);
        let goal = match sort {
            // Asked by one at a time, most of it is a processor that is woken; the goal of songs is that of many who ask.
            Sort::TwoCommon => Goal::AtMost(100.0),
            _ => Goal::None,
        };
        report.add(&format!("CPU of a search: {name}"), spent, "us", goal);
        let bytes = (received(users) - came) / searches as u64;
        let floor = echo::cost(&echo, &mut listeners, searches, bytes as u32).await?;
        report.add(&format!("  of a server that only answers {bytes} bytes"), floor, "us", Goal::None);
        let goal = if sort == Sort::Song { Goal::AtMost(1_000.0) } else { Goal::None };
        report.add("  until it is answered: half of them within", quantile(&mut waits, 0.5), "us", goal);
        report.add("  99 of 100 within", quantile(&mut waits, 0.99), "us", Goal::None);
    }
    Ok(())
}
