//! `napster search`: who has files of such names.

use crate::args::{Bounds, Media, Search};
use crate::session::Session;
use crate::{INTERRUPTED, hits};
use p2p_core::Keywords;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_napster::Client;
use p2p_napster::client::{self, Bound, Charset, Hit, Query};
use p2p_napster::wire::query::{Attribute, Comparison};
use p2p_napster::wire::text::to_cp1252;
use std::process::ExitCode;

pub(crate) async fn run(args: &Search, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let query = query(&args.words, &args.bounds)?;
    // It listens, too: servers hide those behind firewalls from others behind firewalls.
    let mut session = Session::fetching(&args.login, None, out).await?;
    let mut found = Ok(None);
    match session.log_in(&args.login, out, stop, Session::tell).await {
        Ok(true) => found = find(&session, query, stop).await,
        Ok(false) => {}
        Err(why) => found = Err(why),
    }
    session.stop().await;
    let Some(found) = found? else { return Ok(ExitCode::from(INTERRUPTED)) };
    tell(&found, &args.words, out);
    Ok(ExitCode::SUCCESS)
}

/// What a search finds; `None` if somebody interrupted. Words beyond ASCII are asked for twice, as today's programs write
/// them and as those of the time did: a server compares bytes, and does not know what they mean.
pub(crate) async fn find(session: &Session, query: Query, stop: &Stop) -> Result<Option<Vec<Hit>>, Failure> {
    use p2p_core::Search as _;
    let words = format!("{} {}", query.words, query.without);
    let max = if query.max == 0 { usize::MAX } else { query.max as usize };
    let mut old = query.clone();
    old.charset = Charset::Cp1252;
    let Some(mut found) = session.answers(Client::search(query), stop, Client::hit).await? else {
        return Ok(None);
    };
    if !words.is_ascii() && found.len() < max && to_cp1252(&words).is_some() {
        let Some(more) = session.answers(Client::search(old), stop, Client::hit).await? else {
            return Ok(None);
        };
        for hit in more {
            // A name may have both.
            if found.len() < max
                && !found.iter().any(|other| (&other.nick, &other.name) == (&hit.nick, &hit.name))
            {
                found.push(hit);
            }
        }
    }
    Ok(Some(found))
}

fn tell(found: &[Hit], words: &[String], out: &mut Output) {
    hits::show(found, out);
    out.event(Line::new("found").number("hits", found.len() as u64));
    if found.is_empty() {
        out.note(format_args!("nothing found for {}", escape::name(&words.join(" "))));
    }
}

/// What is asked of the server. Words with a `-` before them exclude.
pub(crate) fn query(words: &[String], bounds: &Bounds) -> Result<Query, Failure> {
    let words = words.iter().flat_map(|words| words.split_whitespace());
    let (without, with): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with('-'));
    let mut query = Query::from(Keywords::new(&with.join(" ")));
    query.without = Keywords::new(&without.join(" "));
    if query.words.is_empty() {
        return Err(Failure::new("there is no word to search for"));
    }
    query.max = bounds.max;
    query.local = bounds.local;
    query.media = bounds.media.map(media);
    query.any_media = bounds.media.is_none();
    let numbers = [
        (Attribute::Bitrate, Comparison::AtLeast, bounds.min_bitrate),
        (Attribute::Bitrate, Comparison::AtBest, bounds.max_bitrate),
        (Attribute::Size, Comparison::AtLeast, bounds.min_size),
        (Attribute::Size, Comparison::AtBest, bounds.max_size),
        (Attribute::Duration, Comparison::AtLeast, bounds.min_seconds),
        (Attribute::Duration, Comparison::AtBest, bounds.max_seconds),
        (Attribute::Frequency, Comparison::EqualTo, bounds.frequency),
        (Attribute::LineSpeed, Comparison::AtLeast, bounds.min_speed.map(u64::from)),
    ];
    let asked = numbers.into_iter().filter_map(|(of, comparison, number)| Some((of, comparison, number?)));
    query.bounds = asked.map(|(of, comparison, number)| Bound { of, comparison, number }).collect();
    Ok(query)
}

const fn media(media: Media) -> client::Media {
    match media {
        Media::Mp3 => client::Media::Mp3,
        Media::Audio => client::Media::Audio,
        Media::Video => client::Media::Video,
        Media::Application => client::Media::Application,
        Media::Image => client::Media::Image,
        Media::Text => client::Media::Text,
    }
}
