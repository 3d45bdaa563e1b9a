//! `chord get`: what is stored under a key.

use crate::args::Get;
use crate::{INTERRUPTED, guest, key};
use p2p_chord::record::{Kind, PublicKey, Record, SecretKey};
use p2p_chord::{Chord, Command, Event, RingId};
use p2p_core::Bytes;
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_transport_tokio::{Options, spawn};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

pub(crate) async fn run(args: &Get, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let (place, kind) = place(args)?;
    let running = spawn(Chord::new(guest::config(&args.via)), Options::default());
    let get = p2p_chord::Get {
        quorum: if kind == Kind::Signed { 3 } else { 1 },
        ..p2p_chord::Get::new(place, kind)
    };
    let found = match guest::join(&running.node, &args.via, stop).await {
        Ok(true) => Ok(guest::answers(&running.node, Command::Get(get), stop).await),
        Ok(false) => Ok(None),
        Err(why) => Err(why),
    };
    running.stop().await;
    let Some((events, result)) = found? else { return Ok(ExitCode::from(INTERRUPTED)) };
    result.map_err(Failure::during(escape::name(&args.key)))?;
    for event in events {
        if let Event::Found { records, report, .. } = event
            && let Some(record) = records.into_iter().next()
        {
            let value = record.value().cloned().unwrap_or_default();
            let mut line = Line::new("value").text("key", &args.key).text("place", place);
            line = line.number("bytes", value.len() as u64);
            line = match std::str::from_utf8(&value) {
                Ok(text) => line.text("text", text),
                Err(_) => line.text("hex", hex(&value)),
            };
            if let Record::Signed(signed) = &record {
                line = line.number("seq", signed.seq);
            }
            out.event(guest::cost(line, report));
            if !out.is_json() {
                print(&value)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
    }
    Err(Failure::new("nothing was found"))
}

/// Where it is on the ring, and as what.
fn place(args: &Get) -> Result<(RingId, Kind), Failure> {
    if args.by_hash {
        let place = args.key.parse().map_err(|_| Failure::new("a hash has 40 hexadecimal digits"))?;
        return Ok((place, Kind::Value));
    }
    let (public, salt) = match args.public {
        Some(public) => (PublicKey(public.0), key::salt(&args.key)?),
        None => (SecretKey::of_word(&args.key).public(), Bytes::new()),
    };
    Ok((public.place(&salt), Kind::Signed))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes as they are; where a person looks, harmless and with a line end.
fn print(value: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = match out.is_terminal() {
        true => writeln!(out, "{}", escape::text_of(&String::from_utf8_lossy(value), usize::MAX)),
        false => out.write_all(value),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::during("writing the value")(error))
        }
        _ => Ok(()),
    }
}
