//! `napster browse`: all that a user shares.

use crate::args::Browse;
use crate::session::Session;
use crate::{INTERRUPTED, hits, text};
use p2p_core::Bytes;
use p2p_examples::{Failure, Line, Output, Stop};
use p2p_napster::Client;
use p2p_napster::client::{Command, Hit};
use std::process::ExitCode;

pub(crate) async fn run(args: &Browse, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut session = Session::fetching(&args.login, None, out).await?;
    let files = ask(&mut session, args, out, stop).await;
    session.stop().await;
    let Some(files) = files? else { return Ok(ExitCode::from(INTERRUPTED)) };
    hits::show(&files, out);
    out.event(Line::new("listed").number("files", files.len() as u64));
    if files.is_empty() {
        out.note(format_args!("{} shares nothing", text::name(args.user.as_bytes())));
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(
    session: &mut Session,
    args: &Browse,
    out: &mut Output,
    stop: &Stop,
) -> Result<Option<Vec<Hit>>, Failure> {
    use p2p_core::Search as _;
    if !session.log_in(&args.login, out, stop, Session::tell).await? {
        return Ok(None);
    }
    let nick = Bytes::copy_from_slice(args.user.as_bytes());
    let command = if args.direct { Command::BrowseDirect(nick) } else { Command::Browse(nick) };
    session.answers(command, stop, Client::hit).await
}
