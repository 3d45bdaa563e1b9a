//! `esm watch`: the stream into a file, from when it joined on.

use crate::args::Watch;
use p2p_esm::playout::Output as Played;
use p2p_esm::{Command, Config, Esm, Event};
use p2p_examples::json::Line;
use p2p_examples::program::INTERRUPTED;
use p2p_examples::{Failure, Output, Stop};
use p2p_transport_tokio::{Options, spawn};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

pub(crate) async fn run(args: Watch, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let mut config = Config::default();
    config.listen = args.listen;
    config.upload = args.member.upload();
    config.lan = args.member.lan()?;
    let writing = || Failure::during(args.out.display());
    let mut file = BufWriter::new(File::create(&args.out).map_err(writing())?);
    let mut running = spawn(Esm::new(config), Options::default());
    let join = running.node.run(Command::Join { group: args.group, by: args.join });
    tokio::select! {
        joined = join => joined.map_err(Failure::during("joining"))?,
        () = stop.asked() => return Ok(ExitCode::from(INTERRUPTED)),
    }
    out.say("joined");
    out.event(Line::new("joined"));
    let mut watch = running.node.ask(Command::Watch);
    let (mut packets, mut gaps) = (0_u64, 0_u64);
    let code = loop {
        tokio::select! {
            () = stop.asked() => break ExitCode::from(INTERRUPTED),
            Some(news) = running.news.next() => {
                if let Event::Forwards { tree, active } = news {
                    let word = if active { "forwards" } else { "forwards no more" };
                    out.note(format_args!("{word} tree {tree} to its LAN"));
                    out.event(Line::new("forwards").number("tree", tree).flag("active", active));
                }
            }
            played = watch.try_next() => match played.map_err(Failure::during("watching"))? {
                Some(Event::Output(Played::Packet { data, .. })) => {
                    packets += 1;
                    file.write_all(&data).map_err(writing())?;
                }
                Some(Event::Output(Played::Gap { .. } | Played::Jump { .. })) => {
                    gaps += 1;
                    out.note("packets are missing");
                    out.event(Line::new("gap"));
                }
                Some(_) => {}
                None => break ExitCode::SUCCESS,
            },
        }
    };
    file.flush().map_err(writing())?;
    drop(watch);
    let counts = running.stop().await.counts();
    out.say(format_args!("{packets} packets, {gaps} gaps"));
    out.event(
        Line::new("ended")
            .number("packets", packets)
            .number("gaps", gaps)
            .number("symbols", counts.symbols)
            .number("group", counts.group)
            .number("group_twice", counts.group_twice)
            .number("multicast", counts.multicast)
            .number("far", counts.far)
            .number("bad", counts.bad),
    );
    Ok(code)
}
