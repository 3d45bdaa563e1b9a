//! `esm broadcast`: a file, a pipe or datagrams become a live stream.

use crate::args::Broadcast;
use crate::input::Packets;
use crate::picture;
use p2p_esm::{Command, Config, Esm, Event, SourceKey};
use p2p_examples::json::Line;
use p2p_examples::program::INTERRUPTED;
use p2p_examples::{Failure, Output, Stop, secret};
use p2p_transport_tokio::{Options, spawn};
use std::process::ExitCode;

/// Bytes of the stream in a second, where nobody says.
const RATE: u32 = 175_000;
/// So many times its rate a stream may be for a moment.
const BURST: u32 = 4;

pub(crate) async fn run(args: Broadcast, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let key = SourceKey::new(match &args.source_key {
        Some(file) => secret::of(file)?,
        None => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(Failure::during("drawing a key"))?;
            secret
        }
    });
    let group = key.group();
    let rate = args.rate.map(|rate| u32::try_from(rate).unwrap_or(u32::MAX));
    let rate = rate.or_else(|| args.input.rate()).unwrap_or(RATE);
    let mut config = Config::default();
    config.listen = args.listen;
    config.rate = rate;
    config.pace = rate.saturating_mul(BURST);
    config.shape = args.shape()?;
    config.source = Some(key);
    args.member.settle(&mut config)?;
    let mut packets = args.input.open(rate).await?;
    let mut running = spawn(Esm::new(config), Options::default());
    running.node.run(Command::Broadcast).await.map_err(Failure::during("broadcasting"))?;
    while let Some(news) = running.news.next().await {
        if let Event::Listening(at) = news {
            out.say(format_args!("listening on {at}, group {group}"));
            out.note(format_args!("to watch: esm watch --join {group}@{at} --out FILE"));
            out.event(Line::new("broadcasting").text("at", at).text("group", group).number("rate", rate));
            break;
        }
    }
    let is_live = matches!(packets, Packets::Live(_));
    let mut sent = 0_u64;
    let mut shown = tokio::time::interval(picture::EVERY);
    let code = loop {
        let portion = tokio::select! {
            () = stop.asked() => break ExitCode::from(INTERRUPTED),
            _ = shown.tick() => {
                if let Some(picture) = picture::of(&running.node).await {
                    picture::show(&picture, sent, out);
                }
                continue;
            }
            portion = packets.next() => portion.map_err(Failure::during("reading"))?,
        };
        if portion.is_empty() && !is_live {
            break ExitCode::SUCCESS;
        }
        sent += portion.len() as u64;
        running.node.run(Command::Send(portion)).await.map_err(Failure::during("sending"))?;
    };
    // It stays for a while, for who misses the end.
    running.node.run(Command::Leave).await.map_err(Failure::during("leaving"))?;
    let counts = running.stop().await.counts();
    out.event(
        Line::new("ended")
            .number("packets", sent)
            .number("sent", counts.sent)
            .number("multicast", counts.multicast),
    );
    Ok(code)
}
