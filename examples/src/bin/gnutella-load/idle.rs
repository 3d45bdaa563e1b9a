//! Neighbours that do nothing, and what that costs.

use crate::args::Idle;
use crate::neighbour::Neighbour;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report};
use p2p_gnutella::handshake::Role;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Slots of a leaf's table, as bits of a slot's number.
const BITS: u8 = 16;

pub(crate) async fn run(
    servent: SocketAddrV4,
    process: &Process,
    asked: &Idle,
    report: &mut Report,
) -> Result<(), Failure> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut kept = vec![
        Neighbour::link(servent, 1, Role::Ultrapeer).await?,
        Neighbour::link(servent, 2, Role::Ultrapeer).await?,
    ];
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = process.cpu()?;
    tokio::time::sleep(Duration::from_secs(asked.seconds)).await;
    let share = (process.cpu()? - began).as_secs_f64() / asked.seconds.max(1) as f64;
    report.add("CPU with two neighbours", share * 100.0, "%", Goal::AtMost(0.1));
    let alone = process.resident()?;
    report.add("resident with two neighbours", mib(alone), "MiB", Goal::AtMost(8.0));
    for number in 0..asked.leaves {
        let mut leaf = Neighbour::link(servent, 10 + number, Role::Leaf).await?;
        leaf.tell_table(BITS, number).await?;
        kept.push(leaf);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = process.resident()?.saturating_sub(alone) as f64 / f64::from(asked.leaves.max(1)) / 1024.0;
    report.add("resident for each leaf", each, "KiB", Goal::AtMost(64.0));
    report.add("the most that was resident", mib(process.peak()?), "MiB", Goal::None);
    drop(kept);
    Ok(())
}
