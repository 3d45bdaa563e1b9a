//! `napster whois`: what the server knows of a user.

use crate::args::{Whois, link};
use crate::session::Session;
use crate::{INTERRUPTED, text};
use p2p_core::Bytes;
use p2p_examples::units::{Span, Utc};
use p2p_examples::{Failure, Line, Output, Stop, Table};
use p2p_napster::client::{self, Command, Event};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) async fn run(args: &Whois, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut session = Session::fetching(&args.login, None, out).await?;
    let known = ask(&mut session, args, out, stop).await;
    session.stop().await;
    let Some(known) = known? else { return Ok(ExitCode::from(INTERRUPTED)) };
    let Some(user) = known.first() else { return Err(Failure::new("the server did not say")) };
    out.event(line(user));
    out.say(table(user));
    Ok(ExitCode::SUCCESS)
}

async fn ask(
    session: &mut Session,
    args: &Whois,
    out: &mut Output,
    stop: &Stop,
) -> Result<Option<Vec<client::Whois>>, Failure> {
    if !session.log_in(&args.login, out, stop, Session::tell).await? {
        return Ok(None);
    }
    let nick = Bytes::copy_from_slice(args.user.as_bytes());
    let read = |event| if let Event::Whois(whois) = event { Some(*whois) } else { None };
    session.answers(Command::Whois(nick), stop, read).await
}

fn line(user: &client::Whois) -> Line {
    let line = Line::new("whois")
        .text("nick", text::whole(&user.nick))
        .text("level", text::whole(&user.level))
        .flag("online", user.online);
    if !user.online {
        return line.number("last_seen", user.seconds);
    }
    line.number("seconds", user.seconds)
        .texts("channels", text::whole(&user.channels).split_whitespace())
        .text("status", text::whole(&user.status))
        .number("shared", user.shared)
        .number("downloads", user.downloads)
        .number("uploads", user.uploads)
        .number("speed", user.speed)
        .text("client", text::whole(&user.client))
}

fn table(user: &client::Whois) -> Table {
    let table = Table::new(["user", &text::name(&user.nick)]).row(["level", &text::name(&user.level)]);
    if !user.online {
        return table.row(["last seen", &Utc(user.seconds).to_string()]);
    }
    table
        .row(["here since", &Span(Duration::from_secs(user.seconds)).to_string()])
        .row(["channels", &text::name(&user.channels)])
        .row(["status", &text::name(&user.status)])
        .row(["shares", &format!("{} files", user.shared)])
        .row(["downloads", &user.downloads.to_string()])
        .row(["uploads", &user.uploads.to_string()])
        .row(["link", link(user.speed)])
        .row(["program", &text::name(&user.client)])
}
