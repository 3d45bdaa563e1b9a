//! `gnutella search`: who has files of such names.

use crate::args::Search;
use crate::session::{self, Session};
use crate::{INTERRUPTED, hits};
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_gnutella::servent::{Hit, Strategy, Wish};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) async fn run(args: &Search, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    if args.network.is_empty() {
        return Err(Failure::new("nobody to ask: give --peer, --udp-cache or --web-cache"));
    }
    let config = session::guest(&args.network, None);
    let mut session = Session::start(config, session::options(&[""; 0], &args.network)?, out).await?;
    let result = search(&mut session, args, out, stop).await;
    session.stop().await;
    result
}

async fn search(
    session: &mut Session,
    args: &Search,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    if !session.join(&args.network, stop).await? {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let words = args.words.join(" ");
    let (node, news) = session.parts();
    let wish = Wish::words(&words);
    let mut asked = node.search(match args.guess {
        Some(most) => wish.by(Strategy::Guess(most)),
        None => wish,
    });
    let end = tokio::time::sleep(Duration::from_secs(args.seconds));
    tokio::pin!(end);
    let mut found: Vec<Hit> = Vec::new();
    let mut interrupted = false;
    while found.len() < args.most {
        tokio::select! {
            biased;
            // What came is shown all the same.
            () = stop.asked() => {
                interrupted = true;
                break;
            }
            told = news.next() => if told.is_none() {
                return Err(Failure::new("the servent stopped"));
            },
            hit = asked.try_next() => match hit.map_err(Failure::new)? {
                Some(hit) => {
                    out.event(hits::line(&hit));
                    found.push(hit);
                    out.status(format_args!("{} found", found.len()));
                }
                None => break,
            },
            () = &mut end => break,
        }
    }
    // The same file of many stands together.
    found.sort_by_key(|hit| (hit.urn.and_then(|urn| urn.sha1()), hit.name.clone(), hit.addr));
    hits::show(&found, out);
    out.event(Line::new("searched").number("hits", found.len() as u64));
    if found.is_empty() {
        out.note(format_args!("nothing found for {}", escape::name(&words)));
    }
    Ok(if interrupted && found.is_empty() { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}
