//! `napster share`: the files below a folder, for everybody who is on the same server.

use crate::args::Share;
use crate::folder::{self, Found};
use crate::session::Session;
use crate::uploads::Uploads;
use crate::{INTERRUPTED, text};
use p2p_core::node::Node;
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_napster::Client;
use p2p_napster::client::{Event, SharedFile, Suggestion};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Files that are looked at, digested and told side by side.
const AT_ONCE: usize = 32;
/// Files left out that are named to a person.
const NAMED: usize = 10;

pub(crate) async fn run(args: &Share, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    if !args.dir.is_dir() {
        return Err(Failure::new(format_args!("{} is no folder", args.dir.display())));
    }
    let found = folder::files(&args.dir)?;
    for (path, why) in &found.left_out {
        out.event(Line::new("left_out").text("path", path).text("why", why));
    }
    for (path, why) in found.left_out.iter().take(NAMED) {
        out.note(format_args!("left out: {} ({why})", escape::name(path)));
    }
    if found.left_out.len() > NAMED {
        out.note(format_args!("... and {} more", found.left_out.len() - NAMED));
    }
    let mut session = Session::sharing(&args.login, &args.dir, out).await?;
    let result = share(&mut session, args, found, out, stop).await;
    session.stop().await;
    result
}

async fn share(
    session: &mut Session,
    args: &Share,
    found: Found,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    if !session.log_in(&args.login, out, stop, heard).await? {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let mut files = found.files.into_iter();
    let dir: Arc<Path> = args.dir.as_path().into();
    let mut uploads = Uploads::default();
    let (mut under_way, mut told, mut bytes, mut ready) = (JoinSet::new(), 0u64, 0u64, false);
    loop {
        while under_way.len() < AT_ONCE
            && let Some(file) = files.next()
        {
            under_way.spawn(tell(session.node().clone(), Arc::clone(&dir), file));
        }
        if under_way.is_empty() && !ready {
            ready = true;
            out.event(
                Line::new("sharing")
                    .number("files", told)
                    .number("bytes", bytes)
                    .number("left_out", found.left_out.len() as u64),
            );
            out.say(format_args!("sharing {told} file{}, {}", if told == 1 { "" } else { "s" }, Size(bytes)));
        }
        tokio::select! {
            biased;
            () = stop.asked() => {
                out.lines(&[]);
                return Ok(ExitCode::SUCCESS);
            }
            Some(done) = under_way.join_next() => match done.map_err(Failure::new)? {
                Ok(size) => (told, bytes) = (told + 1, bytes + size),
                Err(why) => {
                    out.event(Line::new("not_shared").text("why", &why));
                    out.note(why);
                }
            },
            news = session.news() => {
                let news = news?;
                heard(session, &news, out);
                uploads.heard(&news, out);
            }
        }
    }
}

/// Shares one file; its size when the server was told.
async fn tell(node: Node<Client>, dir: Arc<Path>, file: folder::File) -> Result<u64, Failure> {
    let path = escape::name(&file.below).to_string();
    let shared = tokio::task::spawn_blocking(move || file.describe(&dir)).await.map_err(Failure::new)?;
    let shared: SharedFile = shared.map_err(Failure::during(&path))?;
    let size = shared.size.unwrap_or(0);
    node.publish(shared).await.map_err(Failure::during(&path))?;
    Ok(size)
}

fn heard(session: &Session, news: &Event, out: &mut Output) {
    match news {
        Event::Message { from, text: said } => {
            out.event(Line::new("message").text("from", text::whole(from)).text("text", text::whole(said)));
            out.note(format_args!("{}: {}", text::name(from), text::line(said)));
        }
        Event::Notice(said) => {
            out.event(Line::new("notice").text("text", text::whole(said)));
            out.note(format_args!("the server: {}", text::line(said)));
        }
        Event::Unreachable { nick } => {
            out.event(Line::new("unreachable").text("nick", text::whole(nick)));
            out.note(format_args!(
                "{} could not reach your data port: open it in your router, or give --firewalled, and files go by dialling",
                text::name(nick)
            ));
        }
        Event::Suggested(Suggestion::Port(port)) => {
            out.note(format_args!("the server wants another data port, {port}; that is for you to do"));
        }
        other => session.tell(other, out),
    }
}
