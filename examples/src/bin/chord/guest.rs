//! Asking a ring without being a member of it: a guest, by a node that is one.

use crate::args::Via;
use p2p_chord::{Bootstrap, Config, Report};
use p2p_core::node::Node;
use p2p_core::{Join, Machine, OpError};
use p2p_examples::{Failure, Line, Stop};
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Any address of the family that the ring has; of this machine alone if the ring is there.
pub(crate) fn any(via: &Via) -> SocketAddr {
    let ip: IpAddr = match via.via.first().map(SocketAddr::ip) {
        Some(ip) if via.via.iter().all(|at| at.ip().is_loopback()) => ip,
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, 0)
}

/// A node that only asks.
pub(crate) fn config(via: &Via) -> Config {
    let mut config = Config::default();
    config.network = via.network.id();
    config.listen = any(via);
    config.routes = false;
    config
}

/// Finds a node of the ring that answers; false if somebody interrupted.
pub(crate) async fn join<M>(node: &Node<M>, via: &Via, stop: &Stop) -> Result<bool, Failure>
where
    M: Join<Bootstrap = Bootstrap>,
    OpError<M::Error>: Display,
{
    let all = via.via.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    tokio::select! {
        () = stop.asked() => Ok(false),
        () = tokio::time::sleep(Duration::from_secs(via.patience)) => Err(Failure::new(format_args!("nobody of that network answers at {all}"))),
        joined = node.join(Bootstrap(via.via.clone())) => joined.map(|()| true).map_err(Failure::during(all)),
    }
}

/// The answers of an operation until it ends; `None` if somebody interrupted. What fails is told with what was answered.
pub(crate) async fn answers<M: Machine>(
    node: &Node<M>,
    command: M::Command,
    stop: &Stop,
) -> Option<(Vec<M::Event>, Result<(), OpError<M::Error>>)> {
    let mut asked = node.ask(command);
    let mut answers = Vec::new();
    loop {
        tokio::select! {
            answer = asked.try_next() => match answer {
                Ok(Some(event)) => answers.push(event),
                Ok(None) => return Some((answers, Ok(()))),
                Err(error) => return Some((answers, Err(error))),
            },
            () = stop.asked() => return None,
        }
    }
}

/// A line with what an operation cost.
pub(crate) fn cost(line: Line, report: Report) -> Line {
    line.number("hops", report.hops).number("messages", report.messages).number("timeouts", report.timeouts)
}
