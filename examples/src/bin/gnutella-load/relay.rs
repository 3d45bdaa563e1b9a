//! One neighbour asks, and others get its queries: messages of a CPU second of the servent.

use crate::args::Relay;
use crate::neighbour::Neighbour;
use bytes::{Bytes, BytesMut};
use p2p_core::Rng;
use p2p_examples::Failure;
use p2p_examples::load::{Goal, Process, Report};
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::Role;
use p2p_gnutella::wire::{Frame, Header, Kind, Message, Ping};
use std::net::SocketAddrV4;
use tokio::io::AsyncWriteExt;

/// Bytes that are written at once: as much as a burst of an ultrapeer.
const PIECE: usize = 16 << 10;

/// Queries that a servent is sure to remember.
const REMEMBERED: usize = 30_000;
/// How often those are sent again.
const AGAIN: usize = 6;

/// Queries of three words, all of the same length, each with a name of its own.
fn queries(rng: &mut Rng, messages: usize) -> Bytes {
    let mut out = BytesMut::new();
    for at in 0..messages {
        let text = format!("word{:03} quartz song", at % 1_000);
        let payload = [b"\xb9\0", text.as_bytes(), b"\0\xc3\x82PR\x40\x1curn:\0"].concat().into();
        let header = Header { guid: Guid::of_message(rng), kind: Kind::QUERY, ttl: 4, hops: 1 };
        Frame { header, payload }.encode(&mut out);
    }
    out.freeze()
}

/// A ping, whose pong says that all before it was dealt with.
fn ping(rng: &mut Rng) -> BytesMut {
    let mut out = BytesMut::new();
    let header = Header { guid: Guid::of_message(rng), kind: Kind::PING, ttl: 1, hops: 0 };
    Frame { header, payload: Message::Ping(Ping { extensions: Bytes::new() }).to_bytes() }.encode(&mut out);
    out
}

pub(crate) async fn run(
    servent: SocketAddrV4,
    process: &Process,
    asked: &Relay,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut rng = Rng::fast_from(1);
    for (round, fan_out) in asked.fan_outs.iter().copied().enumerate() {
        let number = |at: u8| 1 + at + 40 * round as u8;
        let (mut writes, mut pongs) = Neighbour::link(servent, number(0), Role::Ultrapeer).await?.split();
        let mut readers = Vec::new();
        for at in 1..=fan_out {
            readers.push(Neighbour::link(servent, number(at), Role::Ultrapeer).await?.split());
        }
        let queries = queries(&mut rng, asked.messages);
        let began = process.cpu()?;
        let reading: Vec<_> = readers
            .into_iter()
            .map(|(keeps, mut reader)| {
                let count = asked.messages;
                tokio::spawn(async move {
                    let read = reader.read(Kind::QUERY, count).await;
                    read.map(|()| (keeps, reader))
                })
            })
            .collect();
        let written = async {
            for piece in queries.chunks(PIECE) {
                writes.write_all(piece).await.map_err(Failure::during("sending"))?;
            }
            Ok::<(), Failure>(())
        };
        written.await?;
        let mut kept = Vec::new();
        for reader in reading {
            kept.push(reader.await.map_err(Failure::new)??);
        }
        let spent = (process.cpu()? - began).as_secs_f64();
        let rate = asked.messages as f64 / spent;
        let goal = if fan_out == 1 { Goal::AtLeast(150_000.0) } else { Goal::None };
        report.add(&format!("queries in a CPU second, fan-out {fan_out}"), rate, "", goal);
        let goal = if fan_out == 16 { Goal::AtLeast(600_000.0) } else { Goal::None };
        report.add("  out", rate * f64::from(fan_out), "", goal);
        // The last of them again and again: nobody gets them.
        let again = asked.messages.min(REMEMBERED);
        let len = queries.len() / asked.messages * again;
        let began = process.cpu()?;
        for _ in 0..AGAIN {
            for piece in queries.slice(queries.len() - len..).chunks(PIECE) {
                writes.write_all(piece).await.map_err(Failure::during("sending"))?;
            }
        }
        let mut last = ping(&mut rng);
        writes.write_all_buf(&mut last).await.map_err(Failure::during("sending"))?;
        pongs.read(Kind::PONG, 1).await?;
        let spent = (process.cpu()? - began).as_secs_f64();
        drop(kept);
        report.add("  duplicates", (AGAIN * again) as f64 / spent, "", Goal::AtLeast(1_500_000.0));
    }
    Ok(())
}
