//! `esm watch`: the stream into a file, to a player, or onto a page.

use crate::args::Watch;
use crate::picture;
use p2p_core::Bytes;
use p2p_esm::playout::Output as Played;
use p2p_esm::{Command, Config, Esm, Event, Point};
use p2p_examples::json::Line;
use p2p_examples::program::INTERRUPTED;
use p2p_examples::{Failure, Output, Stop};
use p2p_transport_tokio::{Options, spawn};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::UdpSocket;

pub(crate) async fn run(args: Watch, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let (group, by) = args.joins()?;
    let mut config = Config::default();
    config.listen = args.listen;
    config.patience = std::time::Duration::from_secs(args.patience.into());
    args.member.settle(&mut config)?;
    if let Point::Ago(past) = args.from {
        config.begin = past;
    }
    let mut outlets = Outlets::open(&args, out).await?;
    let mut running = spawn(Esm::new(config), Options::default());
    #[cfg(feature = "page")]
    let page = match args.http {
        Some(at) => {
            Some(crate::page::serve(at, running.node.clone()).await.map_err(Failure::during("--http"))?)
        }
        None => None,
    };
    let join = running.node.run(Command::Join { group, by });
    tokio::select! {
        joined = join => joined.map_err(Failure::during("joining"))?,
        () = stop.asked() => return Ok(ExitCode::from(INTERRUPTED)),
    }
    out.note("joined");
    out.event(Line::new("joined"));
    #[cfg(feature = "page")]
    if let Some(at) = page {
        out.say(format_args!("http://{at}/"));
        out.event(Line::new("page").text("at", at));
    }
    // Who joins in the past has nothing older.
    let from = if matches!(args.from, Point::Ago(_)) { Point::Oldest } else { args.from };
    let mut watch = running.node.ask(Command::WatchFrom(from));
    let (mut packets, mut gaps) = (0_u64, 0_u64);
    let mut shown = tokio::time::interval(picture::EVERY);
    let code = loop {
        tokio::select! {
            () = stop.asked() => break ExitCode::from(INTERRUPTED),
            _ = shown.tick() => {
                if let Some(picture) = picture::of(&running.node).await {
                    picture::show(&picture, packets, out);
                }
            }
            Some(news) = running.news.next() => tell(&news, out),
            played = watch.try_next() => match played.map_err(Failure::during("watching"))? {
                Some(Event::Output(Played::Packet { data, .. })) => {
                    packets += 1;
                    outlets.put(&data).await?;
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
    outlets.flush()?;
    drop(watch);
    let counts = running.stop().await.counts();
    out.note(format_args!("{packets} packets, {gaps} gaps"));
    out.event(picture::ended(counts, packets, gaps));
    Ok(code)
}

fn tell(news: &Event, out: &mut Output) {
    match news {
        Event::Forwards { tree, active } => {
            let word = if *active { "forwards" } else { "forwards no more" };
            out.note(format_args!("{word} tree {tree} to its LAN"));
            out.event(Line::new("forwards").number("tree", *tree).flag("active", *active));
        }
        Event::Parent { tree, parent } => {
            let line = Line::new("parent").number("tree", *tree);
            out.event(match parent {
                Some(parent) => line.text("at", parent),
                None => line,
            });
        }
        _ => {}
    }
}

/// Where the stream goes.
struct Outlets {
    file: Option<(BufWriter<Box<dyn Write>>, PathBuf)>,
    player: Option<(UdpSocket, SocketAddr)>,
}

impl Outlets {
    async fn open(args: &Watch, out: &Output) -> Result<Self, Failure> {
        let mut file = None;
        if let Some(path) = &args.out {
            let to: Box<dyn Write> = if path.as_os_str() == "-" {
                if out.is_json() {
                    return Err(Failure::new("standard output has the lines of --json: give --out a file"));
                }
                Box::new(std::io::stdout())
            } else {
                Box::new(File::create(path).map_err(Failure::during(path.display()))?)
            };
            file = Some((BufWriter::new(to), path.clone()));
        }
        let mut player = None;
        if let Some(to) = args.udp {
            let from = match to {
                SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let socket = UdpSocket::bind((from, 0)).await.map_err(Failure::during("--udp"))?;
            player = Some((socket, to));
        }
        Ok(Self { file, player })
    }

    async fn put(&mut self, packet: &Bytes) -> Result<(), Failure> {
        if let Some((file, path)) = &mut self.file {
            file.write_all(packet).map_err(Failure::during(path.display()))?;
            if path.as_os_str() == "-" {
                file.flush().map_err(Failure::during("standard output"))?;
            }
        }
        if let Some((socket, to)) = &self.player {
            // Nobody may listen yet, or any more.
            let _ = socket.send_to(packet, to).await;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.file {
            Some((file, path)) => file.flush().map_err(Failure::during(path.display())),
            None => Ok(()),
        }
    }
}
