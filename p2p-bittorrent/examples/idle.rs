//! Torrents, and peers, that do nothing: what `examples/measure/idle.py` measures. `idle N --to DIR --listen ADDR` says
//! on stdout that it has started, waits for a line on stdin, adds N torrents of `--pieces` pieces that nobody has, says
//! `ready`, and stays idle until stdin ends. It runs the client as any program would: on tokio, its files in a folder.

use p2p_bittorrent::metainfo::{Limits, Metainfo};
use p2p_bittorrent::{Client, Command, Config, Event, InfoHash, Torrent};
use p2p_transport_tokio::{Folder, Options, Running, spawn};
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// As small as pieces come, so that a torrent of many is not large.
const PIECE: usize = 16 * 1024;

struct Args {
    torrents: usize,
    pieces: usize,
    to: String,
    listen: SocketAddr,
}

fn args() -> Result<Args, Box<dyn Error>> {
    let mut args =
        Args { torrents: 0, pieces: 256, to: String::new(), listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or("an option without a value");
        match word.as_str() {
            "--to" => args.to = value()?,
            "--listen" => args.listen = value()?.parse()?,
            "--pieces" => args.pieces = value()?.parse()?,
            number => args.torrents = number.parse()?,
        }
    }
    if args.to.is_empty() {
        Err("usage: idle N --to DIR [--listen ADDR] [--pieces N]".into())
    } else {
        Ok(args)
    }
}

/// A torrent of one file with hashes that nothing has.
fn torrent(number: usize, pieces: usize) -> Result<Metainfo, Box<dyn Error>> {
    let head = format!(
        "d4:infod6:lengthi{}e4:name{}:idle-{number}12:piece lengthi{PIECE}e6:pieces{}:",
        PIECE * pieces,
        format!("idle-{number}").len(),
        pieces * 20,
    );
    let mut text = head.into_bytes();
    let mut state = number as u64 + 1;
    for _ in 0..pieces * 20 {
        // xorshift64 (Marsaglia 2003): different everywhere is enough.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(state as u8);
    }
    text.extend(b"ee");
    Ok(Metainfo::parse(&text, &Limits::default())?)
}

/// Adds a torrent, and returns once its files were looked at.
async fn add(running: &Running<Client>, metainfo: Metainfo) -> Result<InfoHash, Box<dyn Error>> {
    let info_hash = metainfo.info.info_hash();
    let wanted = Box::new(Torrent::new(Arc::new(metainfo)));
    let mut download = running.node.ask(Command::Download(wanted));
    while let Some(event) = download.next().await {
        if matches!(event?, Event::Checked { .. }) {
            break;
        }
    }
    Ok(info_hash)
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Lines of stdin, read by a thread of their own: nothing of it wakes the client.
fn lines() -> Receiver<()> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while std::io::stdin().read_line(&mut line).is_ok_and(|n| n > 0) && tell.send(()).is_ok() {}
    });
    told
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = args()?;
    let mut config = Config::default();
    config.listen = Some(args.listen);
    // As many as anybody wants to measure.
    config.limits.peers_per_torrent = 10_000;
    config.limits.unknown_streams = 10_000;
    let mut running = spawn(Client::new(config), Options::default().with_storage(Folder::new(&args.to)?));
    let listening = loop {
        match running.news.next().await {
            Some(Event::Listening(at)) => break at,
            Some(_) => {}
            None => return Err("the client does not listen".into()),
        }
    };
    say(r#"{"event":"started"}"#)?;
    let told = lines();
    let wait = async |told: Receiver<()>| {
        tokio::task::spawn_blocking(move || told.recv().map(|()| told).ok()).await.ok().flatten()
    };
    let Some(told) = wait(told).await else { return Ok(()) };
    let mut last = None;
    for number in 0..args.torrents {
        last = Some(add(&running, torrent(number, args.pieces)?).await?);
    }
    let info_hash = last.map(|last| last.to_string()).unwrap_or_default();
    say(&format!(r#"{{"event":"ready","addr":"{listening}","info_hash":"{info_hash}"}}"#))?;
    wait(told).await;
    running.stop().await;
    Ok(())
}
