//! How a member is placed, as words and as JSON.

use p2p_core::Node;
use p2p_esm::{Command, Esm, Event, Picture};
use p2p_examples::Output;
use p2p_examples::json::Line;
use std::time::Duration;

/// How often it is shown.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// How it is placed now; `None` if it takes part in nothing.
pub(crate) async fn of(node: &Node<Esm>) -> Option<Box<Picture>> {
    let mut look = node.ask(Command::Look);
    let mut found = None;
    while let Ok(Some(event)) = look.try_next().await {
        if let Event::Picture(picture) = event {
            found = Some(picture);
        }
    }
    found
}

/// In a line, for people.
pub(crate) fn show(picture: &Picture, packets: u64, out: &mut Output) {
    let children: usize = picture.trees.iter().map(|tree| tree.children.len()).sum();
    let placed = picture.trees.iter().filter(|tree| tree.parent.is_some() || tree.by_group).count();
    let delay = picture.trees.iter().filter_map(|tree| tree.delay).max();
    let trees = picture.trees.len();
    let place = match delay {
        _ if picture.is_source => String::from("source"),
        Some(delay) => format!("{placed} of {trees} trees, {delay} ms from the source"),
        None => format!("{placed} of {trees} trees"),
    };
    out.status(format_args!(
        "{packets} packets, {} lost, {place}, sends on to {children} in {trees} trees",
        picture.lost
    ));
}

/// For the page and other programs.
#[cfg(feature = "page")]
pub(crate) fn json(picture: &Picture) -> String {
    let trees = picture.trees.iter().map(|tree| {
        let line = Line::part()
            .texts("path", tree.path.iter().map(|member| format!("{:016x}", member.0)))
            .flag("group", tree.by_group)
            .texts("children", &tree.children)
            .number("came", tree.came)
            .number("sent", tree.sent);
        let line = match tree.parent {
            Some(parent) => line.text("parent", parent),
            None => line,
        };
        match tree.delay {
            Some(delay) => line.number("delay", delay),
            None => line,
        }
    });
    let counts = picture.counts;
    Line::part()
        .text("me", format_args!("{:016x}", picture.me.0))
        .number("rate", picture.rate)
        .number("known", picture.known as u64)
        .number("behind", picture.behind)
        .number("lost", picture.lost)
        .number("symbols", counts.symbols)
        .number("twice", counts.twice + counts.asked_twice)
        .number("bad", counts.bad)
        .number("sent", counts.sent)
        .number("lost_parents", counts.lost_parents)
        .lines("trees", trees)
        .finish()
}

/// How it ended, as the last line for programs.
pub(crate) fn ended(counts: p2p_esm::Counts, packets: u64, gaps: u64) -> Line {
    Line::new("ended")
        .number("packets", packets)
        .number("gaps", gaps)
        .number("lost_parents", counts.lost_parents)
        .number("symbols", counts.symbols)
        .number("sent", counts.sent)
        .number("group", counts.group)
        .number("group_twice", counts.group_twice)
        .number("multicast", counts.multicast)
        .number("far", counts.far)
        .number("bad", counts.bad)
}
