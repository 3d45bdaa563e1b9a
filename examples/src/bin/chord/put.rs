//! `chord put`: a value under a key.

use crate::args::Put;
use crate::{INTERRUPTED, guest, key};
use p2p_chord::record::{Kind, MAX_VALUE, Record, RecordError, SecretKey, Signed};
use p2p_chord::store::Refusal;
use p2p_chord::{Chord, Command, Error, Event, Get, Report, RingId};
use p2p_core::node::{Node, OpError};
use p2p_core::{Bytes, Duration};
use p2p_examples::{Failure, Line, Output, Stop, escape};
use p2p_transport_tokio::{Options, spawn};
use std::io::Read;
use std::process::ExitCode;

/// How often a newer version is put on top of one that came in between.
const TRIES: usize = 5;

pub(crate) async fn run(args: &Put, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    let what = match (&args.value, args.by_hash) {
        (None, true) => Under::Hash,
        (Some(_), true) => return Err(Failure::new("with --by-hash there is no KEY, only a VALUE")),
        (_, false) => match &args.secret {
            None => Under::Key(SecretKey::of_word(&args.first), Bytes::new()),
            Some(file) => Under::Key(key::secret(file)?, key::salt(&args.first)?),
        },
    };
    let value = value(args.value.as_ref().unwrap_or(&args.first))?;
    let running = spawn(Chord::new(guest::config(&args.via)), Options::default());
    let result = match guest::join(&running.node, &args.via, stop).await {
        Ok(true) => store(&running.node, what, value, args, out, stop).await,
        Ok(false) => Ok(ExitCode::from(INTERRUPTED)),
        Err(why) => Err(why),
    };
    running.stop().await;
    result
}

/// What a value is stored under.
enum Under {
    Hash,
    Key(SecretKey, Bytes),
}

/// The value, or what is in the file that it names.
fn value(text: &str) -> Result<Bytes, Failure> {
    let Some(file) = text.strip_prefix('@') else { return fits(text.as_bytes().to_vec(), text) };
    let most = MAX_VALUE as u64 + 1;
    let mut value = Vec::new();
    let read = match file {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut value),
        file => std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut value)),
    };
    read.map_err(Failure::during(escape::name(file)))?;
    fits(value, file)
}

fn fits(value: Vec<u8>, from: &str) -> Result<Bytes, Failure> {
    if value.len() > MAX_VALUE {
        let name = escape::text_of(from, 40);
        return Err(Failure::new(format_args!(
            "{name}: more than {MAX_VALUE} bytes; `chord publish FILE` is for what is larger"
        )));
    }
    Ok(value.into())
}

async fn store(
    node: &Node<Chord>,
    what: Under,
    value: Bytes,
    args: &Put,
    out: &mut Output,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    let bytes = value.len();
    let (stored, seq, public) = match what {
        Under::Hash => (put(node, Record::Value(value), None, args, stop).await, None, None),
        Under::Key(secret, salt) => {
            let public = secret.public();
            let place = Get { quorum: 3, ..Get::new(public.place(&salt), Kind::Signed) };
            let mut seq = match args.if_seq {
                Some(seq) => seq,
                None => match newest(node, place, stop).await? {
                    Some(seq) => seq,
                    None => return Ok(ExitCode::from(INTERRUPTED)),
                },
            };
            let mut tries = 0;
            loop {
                tries += 1;
                let signed = Signed::sign(&secret, salt.clone(), seq + 1, value.clone());
                let signed = Record::Signed(signed.map_err(Failure::new)?);
                let stored = put(node, signed, args.if_seq, args, stop).await;
                match stored {
                    Err(Some(OpError::Failed(Error::Refused(Refusal::Older { has }))))
                        if args.if_seq.is_none() && tries < TRIES =>
                    {
                        seq = has;
                    }
                    stored => break (stored, Some(seq + 1), args.secret.as_ref().map(|_| public)),
                }
            }
        }
    };
    let (place, copies, report) = match stored {
        Ok(stored) => stored,
        Err(None) => return Ok(ExitCode::from(INTERRUPTED)),
        Err(Some(OpError::Failed(Error::Record(RecordError::TooLarge(_))))) => {
            return Err(Failure::new("too large; `chord publish FILE` is for that"));
        }
        Err(Some(why)) => return Err(Failure::new(why)),
    };
    let key = if args.by_hash { place.to_string() } else { args.first.clone() };
    let mut line = Line::new("stored").text("key", &key).text("place", place).number("bytes", bytes as u64);
    line = line.number("copies", copies);
    if let Some(seq) = seq {
        line = line.number("seq", seq);
    }
    if let Some(public) = public {
        line = line.text("public", key::shown(public));
    }
    out.event(guest::cost(line, report));
    let version = seq.map(|seq| format!(", version {seq}")).unwrap_or_default();
    out.say(format_args!("{}: {bytes} bytes{version}, {copies} copies", escape::name(&key)));
    if let Some(public) = public {
        out.say(format_args!("signed with the public key {}", key::shown(public)));
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest version that is stored, 0 if none is; `None` if somebody interrupted.
async fn newest(node: &Node<Chord>, what: Get, stop: &Stop) -> Result<Option<u64>, Failure> {
    match guest::answers(node, Command::Get(what), stop).await {
        None => Ok(None),
        Some((_, Err(OpError::Failed(Error::Absent)))) => Ok(Some(0)),
        Some((_, Err(why))) => Err(Failure::new(why)),
        Some((events, Ok(()))) => {
            let records = events.into_iter().filter_map(|event| match event {
                Event::Found { records, .. } => Some(records),
                _ => None,
            });
            let seq = records.flatten().filter_map(|record| match record {
                Record::Signed(signed) => Some(signed.seq),
                _ => None,
            });
            Ok(Some(seq.max().unwrap_or(0)))
        }
    }
}

/// Puts a record: its place, the copies so far, and what it cost. No error: somebody interrupted.
async fn put(
    node: &Node<Chord>,
    record: Record,
    swap: Option<u64>,
    args: &Put,
    stop: &Stop,
) -> Result<(RingId, u8, Report), Option<OpError<Error>>> {
    let place = record.key();
    let ttl = Duration::from_secs(args.hours * 3_600);
    let put = p2p_chord::Put { ttl, swap, ..p2p_chord::Put::new(record) };
    let (events, result) = guest::answers(node, Command::Put(put), stop).await.ok_or(None)?;
    result.map_err(Some)?;
    let stored = events.into_iter().find_map(|event| match event {
        Event::Stored { copies, report, .. } => Some((place, copies, report)),
        _ => None,
    });
    stored.ok_or(Some(OpError::Gone))
}
