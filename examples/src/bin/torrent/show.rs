//! `torrent show`: what a torrent file says.

use crate::args::Show;
use crate::load;
use p2p_bittorrent::metainfo::{FileKind, Metainfo};
use p2p_examples::escape::{name, text_of};
use p2p_examples::units::{Size, Utc};
use p2p_examples::{Failure, Line, Output, Table};
use std::process::ExitCode;

/// Files that are named to a person; programs are told all.
const FILES: usize = 100;

pub(crate) fn run(show: &Show, out: &mut Output) -> Result<ExitCode, Failure> {
    let torrent = load::torrent(&show.torrent)?;
    if out.is_json() {
        out.event(line(&torrent));
    } else {
        text(&torrent, out);
    }
    Ok(ExitCode::SUCCESS)
}

fn text(torrent: &Metainfo, out: &mut Output) {
    let info = &torrent.info;
    let pieces = info.pieces();
    let stored = info.files().iter().filter(|file| file.kind == FileKind::Data).count();
    let mut facts = Table::new(["name", &name(info.name()).to_string()])
        .row(["info-hash", &info.info_hash().to_string()])
        .row(["size", &format!("{} ({} bytes)", Size(info.total()), info.total())])
        .row(["pieces", &format!("{} of {} bytes", pieces.count(), pieces.piece_len())])
        .row(["files", &stored.to_string()])
        .row(["private", if info.is_private() { "yes" } else { "no" }]);
    if let Some(comment) = &torrent.comment {
        facts = facts.row(["comment", &text_of(comment, 500).to_string()]);
    }
    if let Some(program) = &torrent.created_by {
        facts = facts.row(["made by", &name(program).to_string()]);
    }
    if let Some(date) = torrent.creation_date {
        facts = facts.row(["made at", &Utc(date.as_secs()).to_string()]);
    }
    for (tier, urls) in torrent.announce.iter().enumerate() {
        for url in urls {
            facts = facts.row([format!("tracker {}", tier + 1), name(url).to_string()]);
        }
    }
    for url in &torrent.web_seeds {
        facts = facts.row(["web seed", &name(url).to_string()]);
    }
    out.say(facts);
    let mut files = Table::new(["bytes", "file"]).right(0);
    for file in info.files().iter().filter(|file| file.kind == FileKind::Data).take(FILES) {
        files = files.row([file.len.to_string(), text_of(file.path.as_str(), 1_000).to_string()]);
    }
    out.say(format_args!("\n{files}"));
    if stored > FILES {
        out.say(format_args!("... and {} more", stored - FILES));
    }
}

fn line(torrent: &Metainfo) -> Line {
    let info = &torrent.info;
    let files = info.files().iter().filter(|file| file.kind == FileKind::Data);
    let mut line = Line::new("torrent")
        .text("name", info.name())
        .text("info_hash", info.info_hash())
        .number("bytes", info.total())
        .number("pieces", info.pieces().count())
        .number("piece_length", info.pieces().piece_len())
        .flag("private", info.is_private())
        .texts("trackers", torrent.announce.iter().flatten())
        .texts("web_seeds", &torrent.web_seeds);
    if let Some(comment) = &torrent.comment {
        line = line.text("comment", comment);
    }
    if let Some(program) = &torrent.created_by {
        line = line.text("created_by", program);
    }
    if let Some(date) = torrent.creation_date {
        line = line.number("creation_date", date.as_secs());
    }
    line.lines(
        "files",
        files.map(|file| Line::part().text("path", file.path.as_str()).number("bytes", file.len)),
    )
}
