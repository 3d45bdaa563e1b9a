//! The streams of links: behind the handshake each direction that was agreed on is one zlib stream (gtk-gnutella's
//! `compression`, 2003), which begins with the first byte behind the handshake's empty line.
//!
//! A writer [pushes](Deflater::push) messages and [flushes](Deflater::flush) when 4 kB are on their way or nothing has been
//! added for 200 ms: a flush costs up to half of what compression saves, and without one the neighbour starves. A
//! compressor takes 320 kB and a decompressor 43 kB, so a servent with many leaves offers to read compressed streams and
//! writes plain ones.

pub use p2p_core::deflate::{
    Deflater, INFLATED_MAX, InflateError, InflateLimits, Inflater, LEVEL_MAX, deflate, inflate,
};

/// How much a link's stream may grow. Messages reach 5, a routing table of nothing that is sent without compression of its
/// own 400: one of 128 Ki slots and a byte each passes. What comes out is handed on 8 kB at a time, so this bounds work and
/// not memory.
pub const LINK: InflateLimits = InflateLimits { ratio: 100, slack: 512 << 10 };

/// The level of the streams that are written: more costs twice as much and gains a few per cent.
pub const LINK_LEVEL: u8 = 6;
