//! Torrents of content that a test has at hand.

use p2p_bittorrent::Metainfo;
use p2p_bittorrent::metainfo::{Builder, Details, Limits};
use p2p_core::hash::{Hasher, Sha1};
use std::sync::Arc;

/// The torrent that a builder's files with this content, in their order, make; as it is read.
pub(crate) fn made(mut builder: Builder, content: &[u8]) -> Arc<Metainfo> {
    let piece_len = builder.pieces().piece_len() as usize;
    for (piece, data) in (0u32..).zip(content.chunks(piece_len)) {
        builder.set(piece, Sha1::digest(data)).unwrap();
    }
    let torrent = builder.finish(&Details::default()).unwrap();
    Arc::new(Metainfo::parse(&torrent, &Limits::default()).unwrap())
}
