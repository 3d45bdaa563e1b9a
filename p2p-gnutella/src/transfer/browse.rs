//! What another servent shares, fetched as messages of the network.

use super::event::{Error, Event, SourceError};
use super::http::PACKETS;
use super::{Context, Stream, Timer, Transfers};
use crate::head::{Head, HeadReader};
use crate::wire::{Decoder, Message, SizeLimits};
use alloc::string::ToString;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::http::{BodyLen, BodyPart, Chunked, Request};
use p2p_core::{ConnId, Frames, IoError, OpId};

#[derive(Debug)]
enum Body {
    /// The head has not come.
    Not,
    Sized(u64),
    UntilClose(u64),
    Chunked(Chunked),
}

/// A list under way.
#[derive(Debug)]
pub(super) struct Listing {
    op: OpId,
    addr: SocketAddr,
    head: HeadReader,
    body: Body,
    chunks: Frames,
    messages: Decoder,
}

impl Listing {
    pub(super) const fn op(&self) -> OpId {
        self.op
    }

    pub(super) fn held(&self) -> usize {
        self.head.len() + self.chunks.len() + self.messages.len()
    }
}

impl Transfers {
    pub(super) fn browse(&mut self, op: OpId, addr: SocketAddr, cx: &mut Context<'_>) {
        let conn = cx.connect(addr);
        let messages = Decoder::new(SizeLimits::default());
        let listing = Listing {
            op,
            addr,
            head: HeadReader::default(),
            body: Body::Not,
            chunks: Frames::new(),
            messages,
        };
        self.streams.insert(conn, Stream::Browse(listing));
        cx.set_timer(Timer::Stream(conn), self.config.limits.connect);
    }

    pub(super) fn listing_opened(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(Stream::Browse(listing)) = self.streams.get(&conn) else { return };
        let request = Request::get("/")
            .header("Host", listing.addr.to_string())
            .header("User-Agent", &self.config.agent)
            .header("Accept", PACKETS)
            .header("Connection", "close");
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes);
        cx.send(conn, bytes);
        cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
    }

    pub(super) fn listing_said(&mut self, conn: ConnId, data: Bytes, cx: &mut Context<'_>) {
        cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
        match self.listing_read(conn, data, cx) {
            Ok(false) => {}
            Ok(true) => self.listing_over(conn, Ok(()), cx),
            Err(why) => self.listing_over(conn, Err(why), cx),
        }
    }

    fn listing_over(&mut self, conn: ConnId, result: Result<(), SourceError>, cx: &mut Context<'_>) {
        if let Some(Stream::Browse(listing)) = self.drop_stream(conn, true, cx) {
            cx.finish(listing.op, result.map_err(Error::Browse));
        }
    }

    /// Reads on; whether that was all.
    fn listing_read(
        &mut self,
        conn: ConnId,
        mut data: Bytes,
        cx: &mut Context<'_>,
    ) -> Result<bool, SourceError> {
        let limit = self.config.limits.listing;
        let Some(Stream::Browse(listing)) = self.streams.get_mut(&conn) else { return Ok(false) };
        if matches!(listing.body, Body::Not) {
            let head = listing.head.read(&mut data).map_err(|_| SourceError::Malformed("head"))?;
            let Some(answer) = head.map(Head::into_response) else { return Ok(false) };
            let answer = answer.map_err(|_| SourceError::Malformed("head"))?;
            if answer.status != 200 {
                return Err(SourceError::Status(answer.status));
            }
            let is_packets = answer.headers.get("content-type").is_some_and(|of| of.starts_with(PACKETS));
            if !is_packets {
                return Err(SourceError::Malformed("type"));
            }
            listing.body = match answer.body().map_err(|_| SourceError::Malformed("length"))? {
                BodyLen::Sized(len) if len <= limit => Body::Sized(len),
                BodyLen::Sized(_) => return Err(SourceError::Malformed("length")),
                BodyLen::Chunked => Body::Chunked(Chunked::new(limit)),
                BodyLen::UntilClose => Body::UntilClose(limit),
            };
        }
        let mut over = false;
        match &mut listing.body {
            Body::Not => {}
            Body::Sized(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left -= len as u64;
                over = *left == 0;
                listing.messages.push(data.split_to(len));
            }
            Body::UntilClose(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(SourceError::Malformed("length"))?;
                listing.messages.push(data);
            }
            Body::Chunked(chunked) => {
                listing.chunks.push(data);
                loop {
                    match chunked.next(&mut listing.chunks).map_err(|_| SourceError::Malformed("chunk"))? {
                        None => break,
                        Some(BodyPart::Data(data)) => {
                            listing.messages.push(data);
                            tell(&mut listing.messages, listing.op, cx)?;
                        }
                        Some(BodyPart::End) => {
                            over = true;
                            break;
                        }
                    }
                }
            }
        }
        tell(&mut listing.messages, listing.op, cx)?;
        Ok(over)
    }

    pub(super) fn listing_gone(&mut self, listing: Listing, how: Result<(), IoError>, cx: &mut Context<'_>) {
        let result = match (&listing.body, how) {
            (Body::UntilClose(_), Ok(())) => Ok(()),
            (_, how) => Err(SourceError::Connection(how.err().unwrap_or(IoError::Reset))),
        };
        cx.finish(listing.op, result.map_err(Error::Browse));
    }
}

/// Tells the hits that came.
fn tell(messages: &mut Decoder, op: OpId, cx: &mut Context<'_>) -> Result<(), SourceError> {
    while let Some(frame) = messages.next().map_err(|_| SourceError::Malformed("message"))? {
        if let Ok(Message::QueryHit(hit)) = Message::parse(frame.header.kind, &frame.payload) {
            cx.answer(op, Event::Listed(hit));
        }
    }
    Ok(())
}
