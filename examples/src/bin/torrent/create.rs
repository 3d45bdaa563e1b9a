//! `torrent create`: makes a torrent of a file or a folder.

use crate::args::Create;
use crate::{INTERRUPTED, session};
use p2p_bittorrent::creator::{self, Creator, Event};
use p2p_bittorrent::metainfo::{Details, Limits, Metainfo};
use p2p_core::Bytes;
use p2p_examples::progress::Figures;
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::time::Instant;

pub(crate) async fn run(args: Create, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    // `.` and `..` have a name, too.
    let path = args.path.canonicalize().map_err(Failure::during(args.path.display()))?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::new("the root of a file system has no name to give to a torrent"));
    };
    let name =
        name.to_str().ok_or_else(|| Failure::new("the name is no Unicode, which torrents are written in"))?;
    let target = args.output.unwrap_or_else(|| PathBuf::from(format!("{name}.torrent")));
    let tiers = args.announce.iter().map(|urls| urls.split(',').map(|url| url.trim().to_owned()).collect());
    let mut wanted = creator::Create::new(name);
    wanted.piece_len = args.piece_length;
    wanted.dated = !args.anonymous;
    wanted.details = Details {
        announce: tiers.collect(),
        private: args.private,
        comment: args.comment,
        created_by: (!args.anonymous).then(|| concat!("p2p ", env!("CARGO_PKG_VERSION")).into()),
        ..Details::default()
    };
    let started = Instant::now();
    let Some(file) = make(wanted, parent, out, stop).await? else { return Ok(ExitCode::from(INTERRUPTED)) };
    let torrent = Metainfo::parse(&file, &Limits::default())
        .map_err(Failure::during("the torrent made is not sound"))?;
    put(&target, &file).map_err(Failure::during(format_args!("writing {}", target.display())))?;
    let info = &torrent.info;
    out.event(
        Line::new("created")
            .text("info_hash", info.info_hash())
            .text("file", target.display())
            .number("bytes", info.total())
            .number("pieces", info.pieces().count())
            .number("piece_length", info.pieces().piece_len())
            .number("files", info.files().len() as u64)
            .number("milliseconds", started.elapsed().as_millis() as u64),
    );
    out.say(format_args!(
        "{}: {} in {} pieces, info-hash {}",
        escape::name(&target.display().to_string()),
        Size(info.total()),
        info.pieces().count(),
        info.info_hash()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The torrent file, or nothing if it was interrupted.
async fn make(
    wanted: creator::Create,
    parent: &Path,
    out: &mut Output,
    stop: &Stop,
) -> Result<Option<Bytes>, Failure> {
    let options = session::options(parent)?;
    let running = p2p_transport_tokio::spawn(Creator::new(creator::Config::default()), options);
    let mut making = running.node.ask(wanted);
    let (started, mut made) = (Instant::now(), None);
    let result = loop {
        let answer = tokio::select! {
            () = stop.asked() => break Ok(None),
            answer = making.next() => answer,
        };
        match answer {
            Some(Ok(Event::Progress { digested, pieces, piece_len, .. })) => {
                let done = u64::from(digested) * u64::from(piece_len);
                let rate = (done as f64 / started.elapsed().as_secs_f64().max(0.001)) as u64;
                let all = u64::from(pieces) * u64::from(piece_len);
                let figures = Figures { doing: "hashing", done, all, rate_in: rate, ..Figures::default() };
                out.progress(&figures, |_| false);
                out.event(Line::new("progress").number("digested", digested).number("pieces", pieces));
            }
            Some(Ok(Event::Created(file))) => made = Some(file),
            Some(Ok(_)) => {}
            Some(Err(error)) => break Err(Failure::new(error)),
            None => break Ok(made.take()),
        }
    };
    drop(making);
    running.stop().await;
    result
}

/// Puts a whole file in place of what was there.
fn put(target: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = target.with_file_name(name);
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, target).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })
}
