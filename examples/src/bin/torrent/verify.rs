//! `torrent verify`: compares the files of a torrent with it.

use crate::args::Verify;
use crate::{INTERRUPTED, load, session};
use p2p_bittorrent::metainfo::{FileKind, Info};
use p2p_bittorrent::{Client, Command, Config, Error, Event, Torrent};
use p2p_core::Bitfield;
use p2p_core::node::OpError;
use p2p_examples::progress::Figures;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use std::process::ExitCode;
use std::sync::Arc;

/// Files that are named to a person; programs are told all.
const NAMED: usize = 50;

pub(crate) async fn run(args: &Verify, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let metainfo = load::torrent(&args.torrent)?;
    if !args.dir.is_dir() {
        return Err(Failure::new(format_args!("{} is no folder", args.dir.display())));
    }
    let mut config = Config::default();
    config.listen = None;
    config.state = None;
    let running = p2p_transport_tokio::spawn(Client::new(config), session::options(&args.dir)?);
    let mut asked = running.node.ask(Command::Verify(Box::new(Torrent::new(Arc::clone(&metainfo)))));
    let mut have = None;
    let result = loop {
        let answer = tokio::select! {
            () = stop.asked() => break Ok(ExitCode::from(INTERRUPTED)),
            answer = asked.next() => answer,
        };
        match answer {
            Some(Ok(Event::Status(status))) => have = Some(status.have),
            Some(Ok(Event::Progress(progress))) => {
                let (done, all) = (progress.wanted_verified, progress.wanted);
                out.progress(&Figures { doing: "verifying", done, all, ..Figures::default() }, |_| false);
            }
            Some(Ok(_)) => {}
            // An incomplete torrent is a finding, not a failure to find out.
            None | Some(Err(OpError::Failed(Error::Incomplete { .. }))) => {
                break match &have {
                    Some(have) => Ok(report(&metainfo.info, have, out)),
                    None => Err(Failure::new("the client did not say what it found")),
                };
            }
            Some(Err(error)) => break Err(Failure::new(error)),
        }
    };
    drop(asked);
    running.stop().await;
    result
}

fn report(info: &Info, have: &Bitfield, out: &mut Output) -> ExitCode {
    let mut damaged = Vec::new();
    for (index, file) in info.files().iter().enumerate() {
        if file.kind != FileKind::Data {
            continue;
        }
        let Some(pieces) = info.pieces_of(index) else { continue };
        let of = pieces.end() - pieces.start() + 1;
        let bad = pieces.filter(|&piece| !have.get(piece)).count();
        if bad > 0 {
            damaged.push((file.path.as_str(), bad as u64, of));
        }
    }
    let (ok, pieces) = (have.count(), have.len());
    out.event(
        Line::new("verified").number("ok", ok).number("missing", pieces - ok).number("pieces", pieces).lines(
            "damaged",
            damaged.iter().map(|&(path, bad, of)| {
                Line::part().text("path", path).number("missing", bad).number("pieces", of)
            }),
        ),
    );
    out.say(format_args!(
        "{}: {ok} of {pieces} pieces ok, {} missing",
        escape::name(info.name()),
        pieces - ok
    ));
    for &(path, bad, of) in damaged.iter().take(NAMED) {
        let what = if bad == u64::from(of) { "missing" } else { "damaged" };
        out.say(format_args!("{what}: {} ({bad} of {of} pieces)", escape::name(path)));
    }
    if damaged.len() > NAMED {
        out.say(format_args!("... and {} more files", damaged.len() - NAMED));
    }
    if ok == pieces { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
