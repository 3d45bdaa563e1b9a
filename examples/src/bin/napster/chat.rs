//! `napster chat`: what others say, and what the lines of standard input say.

use crate::INTERRUPTED;
use crate::args::Chat as Args;
use crate::session::Session;
use crate::text::{line, name, whole};
use p2p_core::Bytes;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_napster::client::{Chat, Command, Event};
use std::io::BufRead;
use std::process::ExitCode;
use tokio::sync::mpsc;

/// The longest line that fits a message with its names.
const LONGEST: usize = 1_500;
/// Lines of standard input that wait to be said.
const WAITING: usize = 16;

/// What a line of standard input wants.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// Said where lines go.
    Say(Bytes),
    Message {
        to: Bytes,
        text: Bytes,
    },
    Join(Bytes),
    Part(Bytes),
    /// To where lines go: what one does, and another topic.
    Emote(Bytes),
    Topic(Bytes),
    /// A message of the protocol, most of which only operators may say.
    Order(u16, Bytes),
    List,
    Quit,
}

/// What orders there are, for who gives none of them.
const ORDERS: &str = "/msg NICK TEXT, /me TEXT, /join CHANNEL, /part CHANNEL, /topic TEXT, /list, /quit; operators: /kill, /muzzle \
    or /ban WHO [WHY], /unmuzzle or /unban WHO, /level NICK LEVEL, /bans; `//` says a line that begins with `/`";

/// Where lines go that do not say where.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Nowhere,
    Channel(Bytes),
    User(Bytes),
}

pub(crate) async fn run(args: &Args, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut session = Session::fetching(&args.login, None, out).await?;
    let result = talk(&mut session, args, out, stop).await;
    session.stop().await;
    result
}

async fn talk(
    session: &mut Session,
    args: &Args,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    if !session.log_in(&args.login, out, stop, heard).await? {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let mut place = match &args.to {
        Some(nick) => Place::User(Bytes::copy_from_slice(nick.as_bytes())),
        None => Place::Nowhere,
    };
    for channel in &args.channels {
        carry_out(session, Wish::Join(channel_name(channel)), &mut place, out).await?;
    }
    let mut lines = standard_input();
    loop {
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(ExitCode::SUCCESS),
            news = session.news() => heard(session, &news?, out),
            typed = lines.recv() => {
                let Some(typed) = typed else { return Ok(ExitCode::SUCCESS) };
                match wish(&typed) {
                    Ok(Wish::Quit) => return Ok(ExitCode::SUCCESS),
                    Ok(wish) => carry_out(session, wish, &mut place, out).await?,
                    Err(why) => not_said(why, out),
                }
            }
        }
    }
}

/// The lines of standard input, read by a thread of their own: it can be waited for in no other way everywhere.
fn standard_input() -> mpsc::Receiver<String> {
    let (tell, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Channels begin with `#`, which some shells take for a remark.
fn channel_name(name: &str) -> Bytes {
    if name.starts_with(['#', '&']) { name.to_owned().into() } else { format!("#{name}").into() }
}

fn wish(typed: &str) -> Result<Wish, &'static str> {
    let typed = typed.trim_end();
    if typed.len() > LONGEST {
        return Err("a line has at most 1500 bytes");
    }
    let owned = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let Some(order) = typed.strip_prefix('/').filter(|rest| !rest.starts_with('/')) else {
        return Ok(Wish::Say(owned(typed.strip_prefix('/').unwrap_or(typed))));
    };
    let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
    match (verb, rest.trim()) {
        ("msg", rest) => {
            let (to, text) = rest.split_once(' ').ok_or("/msg NICK TEXT")?;
            Ok(Wish::Message { to: owned(to), text: owned(text.trim_start()) })
        }
        ("join", channel) if !channel.is_empty() => Ok(Wish::Join(channel_name(channel))),
        ("part", channel) if !channel.is_empty() => Ok(Wish::Part(channel_name(channel))),
        ("me", text) if !text.is_empty() => Ok(Wish::Emote(owned(text))),
        ("topic", text) if !text.is_empty() => Ok(Wish::Topic(owned(text))),
        ("list", _) => Ok(Wish::List),
        ("quit", _) => Ok(Wish::Quit),
        ("bans", "") => Ok(Wish::Order(615, Bytes::new())),
        (verb, rest) => of_operator(verb, rest).ok_or(ORDERS),
    }
}

/// An order about somebody, perhaps with a reason, which goes in quotes.
fn of_operator(verb: &str, rest: &str) -> Option<Wish> {
    let (kind, reasoned) = match verb {
        "kill" => (610, true),
        "ban" => (612, true),
        "muzzle" => (622, true),
        "unban" => (614, false),
        "unmuzzle" => (623, false),
        "level" => (606, false),
        _ => return None,
    };
    let (who, why) = rest.split_once(' ').unwrap_or((rest, ""));
    let text = match why.trim() {
        _ if who.is_empty() => return None,
        "" => who.to_owned(),
        why if reasoned => format!("{who} \"{}\"", why.replace('"', "'")),
        why => format!("{who} {why}"),
    };
    Some(Wish::Order(kind, text.into()))
}

/// Says that a line came to nothing.
fn not_said(why: impl std::fmt::Display, out: &mut Output) {
    out.event(Line::new("not_said").text("why", &why));
    out.note(Failure::new(format_args!("not said: {why}")));
}

async fn carry_out(
    session: &Session,
    wish: Wish,
    place: &mut Place,
    out: &mut Output,
) -> Result<(), Failure> {
    let command = match wish {
        Wish::Say(text) if text.is_empty() => return Ok(()),
        Wish::Say(text) => match place.clone() {
            Place::Channel(channel) => Command::Say { channel, text },
            Place::User(to) => Command::Message { to, text },
            Place::Nowhere => {
                not_said("/join a channel first, or /msg NICK TEXT", out);
                return Ok(());
            }
        },
        wish @ (Wish::Emote(_) | Wish::Topic(_)) => match (place.clone(), wish) {
            (Place::Channel(channel), Wish::Emote(text)) => Command::Emote { channel, text },
            (Place::Channel(channel), Wish::Topic(text)) => Command::SetTopic { channel, text },
            _ => {
                not_said("/join a channel first", out);
                return Ok(());
            }
        },
        Wish::Order(kind, text) => Command::Raw { kind, text },
        Wish::Message { to, text } => Command::Message { to, text },
        Wish::Join(channel) => {
            *place = Place::Channel(channel.clone());
            Command::Enter(channel)
        }
        Wish::Part(channel) => {
            if *place == Place::Channel(channel.clone()) {
                *place = Place::Nowhere;
            }
            Command::Part(channel)
        }
        Wish::List => return list(session, out).await,
        Wish::Quit => return Ok(()),
    };
    // Not logged in for a moment, as a rule: that is no reason to end.
    if let Err(why) = session.node().run(command).await {
        not_said(why, out);
    }
    Ok(())
}

async fn list(session: &Session, out: &mut Output) -> Result<(), Failure> {
    let mut asked = session.node().ask(Command::Channels);
    loop {
        match asked.try_next().await {
            Ok(Some(Event::Channel { name: channel, users, topic })) => {
                out.event(
                    Line::new("channel")
                        .text("channel", whole(&channel))
                        .number("users", users)
                        .text("topic", whole(&topic)),
                );
                out.say(format_args!("{} {users} {}", name(&channel), line(&topic)));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(why) => {
                not_said(why, out);
                return Ok(());
            }
        }
    }
}

fn heard(session: &Session, news: &Event, out: &mut Output) {
    match news {
        Event::Chat(chat) => chatted(chat, out),
        Event::Message { from, text: said } => {
            out.event(Line::new("message").text("from", whole(from)).text("text", whole(said)));
            out.say(format_args!("*{}* {}", name(from), line(said)));
        }
        Event::Notice(said) => {
            out.event(Line::new("notice").text("text", whole(said)));
            out.note(format_args!("the server: {}", line(said)));
        }
        Event::Motd(said) => {
            out.event(Line::new("motd").text("text", whole(said)));
            out.note(line(said));
        }
        Event::Other { kind, text: said } => {
            out.event(Line::new("other").number("type", *kind).text("text", whole(said)));
            // Who is banned; the rest is for programs.
            if matches!(kind, 616 | 629) {
                out.note(line(said));
            }
        }
        other => session.tell(other, out),
    }
}

fn chatted(chat: &Chat, out: &mut Output) {
    match chat {
        Chat::Entered(channel) => {
            out.event(Line::new("entered").text("channel", whole(channel)));
            out.note(format_args!("in {}", name(channel)));
        }
        Chat::Left(channel) => {
            out.event(Line::new("left").text("channel", whole(channel)));
            out.note(format_args!("out of {}", name(channel)));
        }
        Chat::Member { channel, nick, shared, came } => {
            out.event(
                Line::new("member")
                    .text("channel", whole(channel))
                    .text("nick", whole(nick))
                    .number("shared", *shared)
                    .flag("came", *came),
            );
            let how = if *came { "came into" } else { "is in" };
            out.note(format_args!("{} {how} {}", name(nick), name(channel)));
        }
        Chat::Parted { channel, nick } => {
            out.event(Line::new("parted").text("channel", whole(channel)).text("nick", whole(nick)));
            out.note(format_args!("{} left {}", name(nick), name(channel)));
        }
        Chat::Topic { channel, text: topic } => {
            out.event(Line::new("topic").text("channel", whole(channel)).text("text", whole(topic)));
            out.note(format_args!("{}: {}", name(channel), line(topic)));
        }
        Chat::Said { channel, nick, text: said, emote } => {
            out.event(
                Line::new("said")
                    .text("channel", whole(channel))
                    .text("nick", whole(nick))
                    .text("text", whole(said))
                    .flag("emote", *emote),
            );
            let (channel, nick, said) = (name(channel), name(nick), line(said));
            out.say(if *emote {
                format!("{channel} * {nick} {said}")
            } else {
                format!("{channel} <{nick}> {said}")
            });
        }
        other => out.note(escape::text_of(&format!("{other:?}"), 500)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_orders() {
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(wish("hello there \n"), Ok(Wish::Say(text("hello there"))));
        assert_eq!(wish("//etc is a folder"), Ok(Wish::Say(text("/etc is a folder"))));
        assert_eq!(wish("/msg bob  hi you"), Ok(Wish::Message { to: text("bob"), text: text("hi you") }));
        assert_eq!(wish("/join music"), Ok(Wish::Join(text("#music"))));
        assert_eq!(wish("/part #music"), Ok(Wish::Part(text("#music"))));
        assert_eq!(wish("/quit"), Ok(Wish::Quit));
        assert_eq!(wish("/me  waves"), Ok(Wish::Emote(text("waves"))));
        assert_eq!(wish("/kill bob floods \"us\""), Ok(Wish::Order(610, text("bob \"floods 'us'\""))));
        assert_eq!(wish("/ban 10.0.0.0/8"), Ok(Wish::Order(612, text("10.0.0.0/8"))));
        assert_eq!(wish("/level bob Moderator"), Ok(Wish::Order(606, text("bob Moderator"))));
        assert_eq!(wish("/bans"), Ok(Wish::Order(615, Bytes::new())));
        for bad in ["/msg bob", "/join", "/what", "/kill", "/topic", &"x".repeat(1_501)] {
            assert!(wish(bad).is_err(), "{bad}");
        }
    }
}
