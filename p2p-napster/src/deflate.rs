//! The zlib streams of clients that log in with a level, and of links between servers: those of p2p-core.

pub use p2p_core::deflate::{Deflater, INFLATED_MAX, InflateError, InflateLimits, Inflater, LEVEL_MAX};
