//! Files that others have: as a table for people, as lines for programs.

use p2p_examples::units::Size;
use p2p_examples::{Line, Output, Table, escape};
use p2p_gnutella::servent::Hit;

/// A hit for programs. `link` is what `get` takes.
pub(crate) fn line(hit: &Hit) -> Line {
    let line = Line::new("hit")
        .text("name", String::from_utf8_lossy(&hit.name))
        .number("size", hit.size)
        .text("addr", hit.addr)
        .text("servent", hit.servent)
        .number("hops", hit.hops)
        .flag("firewalled", hit.push == Some(true))
        .flag("busy", hit.busy == Some(true))
        .text("vendor", String::from_utf8_lossy(&hit.vendor.0));
    match hit.magnet() {
        Some(magnet) => line.text("link", magnet),
        None => line,
    }
}

/// Shows hits to people: a row each, and below each the link that `get` takes.
pub(crate) fn show(hits: &[Hit], out: &mut Output) {
    if hits.is_empty() {
        return;
    }
    let mut table = Table::new(["size", "hops", "who", "where", "name"]).right(0).right(1);
    for hit in hits {
        let place = match (hit.push, hit.busy) {
            (Some(true), _) => "behind a firewall".into(),
            (_, Some(true)) => format!("{} (busy)", hit.addr),
            _ => hit.addr.to_string(),
        };
        table = table.row([
            Size(hit.size).to_string(),
            hit.hops.to_string(),
            escape::name(&String::from_utf8_lossy(&hit.vendor.0)).to_string(),
            place,
            escape::name(&String::from_utf8_lossy(&hit.name)).to_string(),
        ]);
    }
    out.say(table);
    let mut links: Vec<String> =
        hits.iter().filter_map(|hit| hit.magnet().map(|magnet| magnet.to_string())).collect();
    links.dedup();
    for link in links {
        out.say(format_args!("{}", escape::text_of(&link, 4_000)));
    }
}
