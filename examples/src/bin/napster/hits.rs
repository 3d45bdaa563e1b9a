//! Files that a server knows of: as a table for people, as lines for programs, and which of them are one file.

use crate::args::link;
use crate::text;
use p2p_examples::units::Size;
use p2p_examples::{Line, Output, Table};
use p2p_napster::client::Hit;
use std::collections::BTreeMap;

/// Shows files: those found, or those of one user.
pub(crate) fn show(hits: &[Hit], out: &mut Output) {
    if out.is_json() {
        for hit in hits {
            out.event(line(hit));
        }
        return;
    }
    if hits.is_empty() {
        return;
    }
    let mut table = Table::new(["size", "kbit/s", "time", "link", "user", "name"]).right(0).right(1).right(2);
    for hit in hits {
        table = table.row([
            Size(hit.size).to_string(),
            known(hit.bitrate, hit.bitrate),
            known(hit.seconds, format_args!("{}:{:02}", hit.seconds / 60, hit.seconds % 60)),
            link(hit.speed).into(),
            text::name(&hit.nick),
            text::name(&hit.name),
        ]);
    }
    out.say(table);
}

fn known(number: u32, shown: impl ToString) -> String {
    if number == 0 { String::new() } else { shown.to_string() }
}

fn line(hit: &Hit) -> Line {
    let line = Line::new("hit")
        .text("nick", text::whole(&hit.nick))
        .text("name", text::whole(&hit.name))
        .number("size", hit.size)
        .number("bitrate", hit.bitrate)
        .number("frequency", hit.frequency)
        .number("seconds", hit.seconds)
        .number("speed", hit.speed)
        .text("md5", text::whole(&hit.md5));
    match hit.address {
        Some(address) => line.text("address", address),
        None => line,
    }
}

/// The holders of the file that most users have, the fastest first; of several such files the one found first.
///
/// Files are one if size and digest are the same. A digest that is none joins nothing: then each hit is a file.
pub(crate) fn most_held(hits: &[Hit]) -> Vec<&Hit> {
    let mut files = BTreeMap::<_, Vec<(usize, &Hit)>>::new();
    for (at, hit) in hits.iter().enumerate() {
        let is_digest = hit.md5.len() == 32
            && hit.md5.iter().all(u8::is_ascii_hexdigit)
            && hit.md5.iter().any(|c| *c != b'0');
        let key = if is_digest { hit.md5.to_ascii_lowercase() } else { format!("none {at}").into_bytes() };
        files.entry((hit.size, key)).or_default().push((at, hit));
    }
    let best = files.into_values().max_by_key(|holders| {
        (holders.len(), std::cmp::Reverse(holders.first().map_or(usize::MAX, |(at, _)| *at)))
    });
    let mut holders: Vec<&Hit> = best.unwrap_or_default().into_iter().map(|(_, hit)| hit).collect();
    holders.sort_by_key(|hit| std::cmp::Reverse(hit.speed));
    holders
}
