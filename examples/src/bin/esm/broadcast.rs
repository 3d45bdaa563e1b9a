//! `esm broadcast`: a file or a pipe becomes a live stream.

use crate::args::Broadcast;
use p2p_core::Bytes;
use p2p_esm::{Command, Config, Esm, Event, LARGEST_PACKET, SourceKey};
use p2p_examples::json::Line;
use p2p_examples::program::INTERRUPTED;
use p2p_examples::{Failure, Output, Stop};
use p2p_transport_tokio::{Options, spawn};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Packets go out in portions of so long at most.
const TURN: Duration = Duration::from_millis(10);
/// Packets that were read and not sent.
const AHEAD: usize = 64;

pub(crate) async fn run(args: Broadcast, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(Failure::during("drawing a key"))?;
    let key = SourceKey::new(secret);
    let group = key.group();
    let mut config = Config::default();
    config.listen = args.listen;
    config.rate = u32::try_from(args.rate).unwrap_or(u32::MAX);
    config.upload = args.member.upload();
    config.lan = args.member.lan()?;
    config.source = Some(key);
    let mut packets = read(&args.input)?;
    let mut running = spawn(Esm::new(config), Options::default());
    running.node.run(Command::Broadcast).await.map_err(Failure::during("broadcasting"))?;
    while let Some(news) = running.news.next().await {
        if let Event::Listening(at) = news {
            out.say(format_args!("listening on {at}, group {group}"));
            out.event(Line::new("broadcasting").text("at", at).text("group", group));
            break;
        }
    }
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut budget = 0.0;
    let mut next = None;
    let code = 'stream: loop {
        tokio::select! {
            () = stop.asked() => break ExitCode::from(INTERRUPTED),
            _ = turns.tick() => {}
        }
        budget += args.rate as f64 * TURN.as_secs_f64();
        let mut portion: Vec<Bytes> = Vec::new();
        let mut ended = false;
        loop {
            if next.is_none() {
                match packets.try_recv() {
                    Ok(packet) => next = Some(packet.map_err(Failure::during("reading"))?),
                    Err(mpsc::error::TryRecvError::Empty) => {
                        // What a pipe does not have now is not caught up with.
                        budget = budget.min(LARGEST_PACKET as f64);
                        break;
                    }
                    Err(mpsc::error::TryRecvError::Disconnected) => {
                        ended = true;
                        break;
                    }
                }
            }
            let Some(packet) = next.take_if(|packet| packet.len() as f64 <= budget) else { break };
            budget -= packet.len() as f64;
            portion.push(packet);
        }
        if !portion.is_empty() {
            running.node.run(Command::Send(portion)).await.map_err(Failure::during("sending"))?;
        }
        if ended {
            break 'stream ExitCode::SUCCESS;
        }
    };
    // It stays for a while, for who misses the end.
    running.node.run(Command::Leave).await.map_err(Failure::during("leaving"))?;
    let counts = running.stop().await.counts();
    out.event(Line::new("ended").number("sent", counts.sent).number("multicast", counts.multicast));
    Ok(code)
}

/// Packets of the stream, as they are read.
fn read(input: &Path) -> Result<mpsc::Receiver<io::Result<Bytes>>, Failure> {
    let mut from: Box<dyn Read + Send> = if input.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(input).map_err(Failure::during(input.display()))?)
    };
    let (tell, packets) = mpsc::channel(AHEAD);
    // Reading a pipe may wait for ever; such a thread ends with the program.
    std::thread::spawn(move || {
        loop {
            let mut packet = vec![0; LARGEST_PACKET];
            let mut len = 0;
            while len < packet.len() {
                match from.read(&mut packet[len..]) {
                    Ok(0) => break,
                    Ok(more) => len += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        let _ = tell.blocking_send(Err(error));
                        return;
                    }
                }
            }
            packet.truncate(len);
            if len == 0 || tell.blocking_send(Ok(packet.into())).is_err() {
                return;
            }
        }
    });
    Ok(packets)
}
