//! One connected peer: [`Peer`], what both sides said to each other and what is under way between them.

use crate::candidates::PeerSource;
use crate::client::TorrentKey;
use crate::info_hash::PeerId;
use crate::peer::extension::{PeerIds, Registry};
use crate::peer::handshake::HandshakeDecoder;
use crate::peer::link::Link;
use crate::peer::wire::{Block, Decoder, Message, encode};
use crate::picker::{Has, PeerKey};
use crate::rate::{Pipeline, Rate};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::{Bitfield, Duration, Instant};

/// The extensions that this client offers: none yet. Another one registers its name here.
pub(crate) const EXTENSIONS: Registry = Registry::new(&[]);

/// A peer that wanted nothing and gave nothing for this long may have to make room.
const USELESS_AFTER: Duration = Duration::from_secs(60);

/// Parts of a block smaller than this are joined by copying them.
const DROP: usize = 1024;

/// What is kept of a peer's extension handshakes.
#[derive(Debug)]
pub(crate) struct Extended {
    /// The program that it says it is.
    pub(crate) agent: Option<Box<str>>,
    /// The requests that it takes.
    pub(crate) reqq: Option<u16>,
    /// The port on which it listens.
    pub(crate) port: Option<u16>,
    pub(crate) ids: PeerIds,
}

/// The pieces a peer has.
#[derive(Debug, Clone)]
pub(crate) enum Pieces {
    /// It has not said yet.
    Unsaid,
    /// All: it is a seed.
    All,
    /// These.
    Some(Bitfield),
}

impl Pieces {
    pub(crate) fn has(&self, piece: u32) -> bool {
        match self {
            Self::Unsaid => false,
            Self::All => true,
            Self::Some(bits) => bits.get(piece),
        }
    }

    /// How many of a torrent's `all` pieces.
    pub(crate) fn count(&self, all: u32) -> u32 {
        match self {
            Self::Unsaid => 0,
            Self::All => all,
            Self::Some(bits) => bits.count(),
        }
    }

    pub(crate) const fn as_has(&self) -> Option<Has<'_>> {
        match self {
            Self::Unsaid => None,
            Self::All => Some(Has::All),
            Self::Some(bits) => Some(Has::Some(bits)),
        }
    }
}

/// A block asked of a peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) block: Block,
    pub(crate) at: Instant,
}

/// A block that a peer is sending.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receiving {
    pub(crate) block: Block,
    pub(crate) got: u32,
}

/// What only a peer with traffic needs; an idle peer has none of it.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// Blocks asked of it, oldest first.
    pub(crate) asked: VecDeque<Asked>,
    pub(crate) pipeline: Pipeline,
    pub(crate) receiving: Option<Receiving>,
    /// Segments of the block being received; its capacity is reused.
    pub(crate) segments: Vec<Bytes>,
    /// The end of them, if it came in drops: joined, so that a peer that dribbles costs no more than it sends.
    pub(crate) drops: BytesMut,
    /// Blocks it asked of us that are not being read yet, oldest first.
    pub(crate) wants: VecDeque<Block>,
    /// Blocks being read for it, in the order in which it asked and gets them.
    pub(crate) reading: VecDeque<Read>,
    /// The blocks of these reads, and whether each was cancelled meanwhile.
    pub(crate) serving: VecDeque<(Block, bool)>,
}

/// A read for a peer under way: neighbouring blocks in one job.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) job: p2p_core::JobId,
    pub(crate) len: u32,
    /// How many of the blocks in `serving` it is for.
    pub(crate) blocks: usize,
    /// What was read, while an earlier read is still under way.
    pub(crate) data: Option<Bytes>,
}

impl Traffic {
    pub(crate) fn new(limit: u16, now: Instant) -> Self {
        Self {
            asked: VecDeque::new(),
            pipeline: Pipeline::new(limit, now),
            receiving: None,
            segments: Vec::new(),
            drops: BytesMut::new(),
            wants: VecDeque::new(),
            reading: VecDeque::new(),
            serving: VecDeque::new(),
        }
    }

    /// Keeps a part of the block that is being received; `last` says that it is the last one.
    pub(crate) fn keep(&mut self, data: Bytes, last: bool) {
        if data.len() < DROP && !last {
            self.drops.extend_from_slice(&data);
            return;
        }
        if !self.drops.is_empty() {
            self.segments.push(self.drops.split().freeze());
        }
        self.segments.push(data);
    }

    pub(crate) fn reading_bytes(&self) -> u32 {
        self.reading.iter().map(|read| read.len).sum()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.receiving.is_none() && self.wants.is_empty() && self.reading.is_empty()
    }
}

/// One connected peer, or one that is being dialled.
///
/// In this order in memory: a torrent's peers are walked whenever a piece is verified and in every round, and what is
/// looked at then lies together.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Peer {
    pub(crate) open: bool,
    /// All places were taken: it is here only to say which pieces it has.
    pub(crate) guest: bool,
    pub(crate) fast: bool,
    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) is_choking: bool,
    pub(crate) is_interested: bool,
    pub(crate) snubbed: bool,
    /// Its send queue is above the mark.
    pub(crate) full: bool,
    /// We stopped reading it, because the disk does not keep up.
    pub(crate) paused: bool,
    pub(crate) strikes: u8,
    /// Messages that said nothing new; halved every round.
    pub(crate) idle_messages: u16,
    /// How many of its pieces we want and have not verified.
    pub(crate) wanted: u32,
    /// How many of the pieces that the torrent gained it was told of, as far as it lacked them.
    pub(crate) told: u32,
    pub(crate) pieces: Pieces,
    pub(crate) last_in: Instant,
    pub(crate) last_out: Instant,
    pub(crate) traffic: Option<Box<Traffic>>,
    pub(crate) link: Link,
    pub(crate) key: PeerKey,
    pub(crate) torrent: Option<TorrentKey>,
    /// Present until the other's handshake is read.
    pub(crate) greeting: Option<Box<HandshakeDecoder>>,
    pub(crate) decoder: Decoder,
    pub(crate) last_block: Instant,
    pub(crate) extended: Option<Box<Extended>>,
    pub(crate) rate_in: Rate,
    pub(crate) rate_out: Rate,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    /// What was uploaded when it was last unchoked.
    pub(crate) uploaded_before: u64,
    pub(crate) unchoked_at: Option<Instant>,
    pub(crate) connected_at: Instant,
    /// Pieces it lets us ask for while it chokes us (BEP 6).
    pub(crate) allowed_in: Vec<u32>,
    /// Pieces we let it ask for while we choke it (BEP 6).
    pub(crate) allowed_out: Vec<u32>,
    /// The piece a super-seed showed it last (BEP 16).
    pub(crate) shown: Option<u32>,
    pub(crate) addr: SocketAddr,
    pub(crate) source: PeerSource,
    pub(crate) id: PeerId,
}

impl Peer {
    pub(crate) fn new(
        key: PeerKey,
        link: Link,
        addr: SocketAddr,
        source: PeerSource,
        decoder: Decoder,
        now: Instant,
    ) -> Self {
        Self {
            key,
            torrent: None,
            link,
            addr,
            source,
            id: PeerId([0; 20]),
            greeting: Some(Box::new(HandshakeDecoder::new())),
            decoder,
            pieces: Pieces::Unsaid,
            wanted: 0,
            told: 0,
            traffic: None,
            extended: None,
            allowed_in: Vec::new(),
            allowed_out: Vec::new(),
            rate_in: Rate::new(now),
            rate_out: Rate::new(now),
            connected_at: now,
            unchoked_at: None,
            last_in: now,
            last_out: now,
            last_block: now,
            uploaded: 0,
            uploaded_before: 0,
            downloaded: 0,
            shown: None,
            open: false,
            guest: false,
            fast: false,
            am_choking: true,
            am_interested: false,
            is_choking: true,
            is_interested: false,
            snubbed: false,
            full: false,
            paused: false,
            strikes: 0,
            idle_messages: 0,
        }
    }

    pub(crate) fn traffic(&mut self, now: Instant) -> &mut Traffic {
        let limit = self.extended.as_ref().and_then(|e| e.reqq).unwrap_or(Pipeline::PEER_TAKES);
        self.traffic.get_or_insert_with(|| Box::new(Traffic::new(limit, now)))
    }

    /// Whether it only takes a place: it moved no payload and wanted none, long after it could have.
    pub(crate) fn is_useless(&self, now: Instant) -> bool {
        self.downloaded == 0
            && self.uploaded == 0
            && !self.am_interested
            && !self.is_interested
            && now.since(self.connected_at) >= USELESS_AFTER
    }

    /// Whether it waits for us to unchoke it, and so cannot make use of what we gained just now.
    pub(crate) const fn waits(&self) -> bool {
        self.is_interested && self.am_choking
    }

    /// Appends a HAVE for each piece gained that it was not told of and lacks.
    pub(crate) fn tell(&mut self, gained: &[u32], out: &mut BytesMut) {
        let untold = gained.get(self.told as usize..).unwrap_or_default();
        for piece in untold.iter().filter(|piece| !self.pieces.has(**piece)) {
            encode(&Message::Have(*piece), out);
        }
        self.told = gained.len() as u32;
    }

    /// Whether it has something that we want, and lets us ask for it.
    pub(crate) const fn may_be_asked(&self) -> bool {
        self.am_interested && !self.paused && !(self.is_choking && self.allowed_in.is_empty())
    }

    /// Whether blocks are asked of it and not here yet.
    pub(crate) fn owes(&self) -> bool {
        self.traffic.as_ref().is_some_and(|traffic| !traffic.asked.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::wire::WireLimits;
    use p2p_core::{ConnId, Rng};

    #[test]
    fn a_peer_is_told_once_of_what_it_lacks_however_often_news_are_put_off() {
        for seed in 0..200 {
            let mut rng = Rng::fast_from(seed);
            let link = Link::Tcp(ConnId::from_raw(1));
            let (addr, decoder) =
                (SocketAddr::from(([10, 0, 0, 1], 1)), Decoder::new(&WireLimits::default()));
            let mut peer = Peer::new(0, link, addr, PeerSource::Inbound, decoder, Instant::ZERO);
            let mut order: Vec<u32> = (0..40).collect();
            rng.shuffle(&mut order);
            let (mut gained, mut out, mut lacked) = (Vec::new(), BytesMut::new(), Vec::new());
            let mut bits = Bitfield::new(40);
            let mut asked = 0;
            for &piece in &order {
                gained.push(piece);
                if rng.chance(0.5) {
                    bits.set(rng.below(40) as u32);
                }
                peer.pieces = Pieces::Some(bits.clone());
                if rng.chance(0.3) || gained.len() == order.len() {
                    lacked.extend(gained[asked..].iter().filter(|piece| !bits.get(**piece)));
                    asked = gained.len();
                    peer.tell(&gained, &mut out);
                    peer.tell(&gained, &mut out);
                }
            }
            let (mut told, mut said) = (Vec::new(), out.freeze());
            while let Ok(Some(Message::Have(piece))) = peer.decoder.next(&mut said) {
                told.push(piece);
            }
            assert_eq!(told, lacked, "seed {seed}");
        }
    }

    #[test]
    fn a_block_in_drops_is_kept_in_few_parts() {
        let mut traffic = Traffic::new(100, Instant::ZERO);
        let block: Vec<u8> = (0..16_384u32).map(|at| at as u8).collect();
        // A byte at a time, now and then a large part.
        let mut at = 0;
        while at < block.len() {
            let len = if at % 4_000 == 999 { 2_000.min(block.len() - at) } else { 1 };
            traffic.keep(Bytes::copy_from_slice(&block[at..at + len]), at + len == block.len());
            at += len;
        }
        assert!(traffic.segments.len() <= 12, "{}", traffic.segments.len());
        assert!(traffic.drops.is_empty());
        assert_eq!(traffic.segments.concat(), block);
        // Large parts are not copied.
        traffic.segments.clear();
        let large = Bytes::from(block);
        traffic.keep(large.clone(), true);
        assert_eq!(traffic.segments[0].as_ptr(), large.as_ptr());
    }
}
