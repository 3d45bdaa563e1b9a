//! Links between servers: a handshake in clear, then one zlib stream each way.

pub mod proof;
