//! The stream to a server: messages in clear, or in two zlib streams behind the acknowledgement of the login.

use super::Error;
use crate::deflate::{Deflater, Streams};
use crate::wire::frame::{Decoder, FROM_SERVER_MAX, Frame};
use alloc::boxed::Box;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::ConnId;

/// An open stream to a server.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) conn: ConnId,
    pub(super) server: SocketAddr,
    decoder: Decoder,
    /// The zlib level that the login asked for.
    pub(super) asked: Option<u8>,
    /// What the messages lie in, once the server has agreed.
    streams: Option<Box<Streams>>,
}

impl Connection {
    pub(super) const fn new(conn: ConnId, server: SocketAddr) -> Self {
        Self { conn, server, decoder: Decoder::new(FROM_SERVER_MAX), asked: None, streams: None }
    }

    pub(super) fn push(&mut self, data: Bytes) {
        match &mut self.streams {
            Some(streams) => streams.push(data),
            None => self.decoder.push(data),
        }
    }

    /// What is sent of what is said.
    pub(super) fn written(&mut self, data: Bytes) -> Bytes {
        match &mut self.streams {
            Some(streams) => streams.write(&data),
            None => data,
        }
    }

    /// The next message; `None` if more has to come.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(|_| Error::Garbled)? {
                return Ok(Some(frame));
            }
            let Some(streams) = &mut self.streams else { return Ok(None) };
            let data = streams.read().map_err(|_| Error::Garbled)?;
            if data.is_empty() {
                return Ok(None);
            }
            self.decoder.push(data);
        }
    }

    /// Behind the acknowledgement both directions are streams, if that says so; false if nobody asked for them.
    pub(super) fn acknowledged(&mut self, zlib: Option<u8>) -> bool {
        match (self.asked, zlib) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(level), Some(_)) => {
                let clear = core::mem::replace(&mut self.decoder, Decoder::new(FROM_SERVER_MAX));
                self.streams = Some(Streams::new(Deflater::new(level), clear.into_rest()));
                true
            }
        }
    }

    pub(super) fn held(&self) -> usize {
        self.decoder.len() + self.streams.as_ref().map_or(0, |streams| streams.waiting())
    }
}
