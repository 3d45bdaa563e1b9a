//! Clients that asked for zlib: behind the acknowledgement of their login both directions are one stream each.
//!
//! A client that asks waits for a stream, whatever it costs the server. To compress one takes 320 kB, so only so many are;
//! the others get stored blocks, which any reader of zlib takes, and for which no state is kept. To read a stream takes
//! 43 kB (its window is 32 KiB), so there is a limit of those too, and past it a login is refused that says so.

use super::Server;
use crate::deflate::{Deflater, LEVEL_MAX, Streams};
use alloc::format;
use alloc::string::String;
use p2p_core::ConnId;

/// How many connections have streams, and of how many the server compresses its own.
#[derive(Debug, Default)]
pub(super) struct ZlibCount {
    streams: usize,
    compressed: usize,
}

impl Server {
    /// Why a login that asks for this level of zlib cannot be let in.
    pub(super) fn no_zlib(&self, asked: Option<u8>) -> Option<String> {
        match asked {
            None | Some(0) => None,
            Some(level) if level > LEVEL_MAX => Some(format!("invalid zlib level {level}: 1 to 9")),
            Some(_) if self.zlib.streams >= self.config.limits.zlib => Some(format!(
                "{} compressed connections are all there can be: log in without",
                self.zlib.streams
            )),
            Some(_) => None,
        }
    }

    /// From here on a connection is two streams; what it sent behind its login is the beginning of its own.
    pub(super) fn begin_zlib(&mut self, conn: ConnId, level: u8) {
        let compress = self.zlib.compressed < self.config.limits.zlib_compressed;
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let streams = Streams::new(Deflater::new(if compress { level } else { 0 }), session.take_rest());
        self.zlib.streams += 1;
        self.zlib.compressed += usize::from(streams.compresses());
        session.streams = Some(streams);
    }

    /// A connection with streams is no more.
    pub(super) fn end_zlib(&mut self, streams: &Streams) {
        self.zlib.streams -= 1;
        self.zlib.compressed -= usize::from(streams.compresses());
    }
}
