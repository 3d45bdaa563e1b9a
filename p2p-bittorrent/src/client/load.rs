//! What a client holds at the moment: [`Load`], to be watched and to show that strangers cannot make it grow.

use super::Client;

/// What a [`Client`] holds at the moment, all torrents together. What strangers can make grow has a limit, named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Load {
    /// Torrents: [`Limits::torrents`](crate::Limits::torrents).
    pub torrents: usize,
    /// Streams to peers, those that are dialled and those that have not greeted among them.
    pub streams: usize,
    /// Of these, accepted ones that have not greeted: [`Limits::unknown_streams`](crate::Limits::unknown_streams).
    pub greeting: usize,
    /// Peers that have greeted: [`Limits::peers_per_torrent`](crate::Limits::peers_per_torrent) and
    /// [`Limits::guests`](crate::Limits::guests) for each torrent.
    pub peers: usize,
    /// Blocks that peers asked for and that are not being read yet:
    /// [`Limits::requests_in`](crate::Limits::requests_in) for each peer.
    pub wants: usize,
    /// Bytes being read for peers: [`Limits::read_ahead`](crate::Limits::read_ahead) and one read for each peer.
    pub reading: u64,
    /// Blocks asked of peers: [`Limits::requests_out`](crate::Limits::requests_out) for each peer.
    pub asked: usize,
    /// Bytes of blocks of which a part has come: one block of 16 KiB for each peer.
    pub incoming: u64,
    /// Received bytes that are not on disk yet. Past [`Limits::unwritten`](crate::Limits::unwritten) peers are not read
    /// until half of it is written; only what their streams had at hand is added to it.
    pub held: u64,
    /// Of these, bytes being written.
    pub writing: u64,
    /// Jobs under way.
    pub jobs: usize,
    /// Addresses known to dial: [`Limits::candidates`](crate::Limits::candidates) for each torrent.
    pub candidates: usize,
    /// Banned addresses: [`Limits::banned`](crate::Limits::banned).
    pub banned: usize,
    /// Operations that are not over.
    pub operations: usize,
}

impl Client {
    /// What it holds at the moment. Looks at every peer.
    #[must_use]
    pub fn load(&self) -> Load {
        let mut load = Load {
            torrents: self.torrents.len(),
            streams: self.peers.len(),
            greeting: self.greeting.len(),
            held: self.held,
            writing: self.writing,
            jobs: self.jobs.len(),
            banned: self.banned.len(),
            operations: self.ops.len() + self.joining.len(),
            ..Load::default()
        };
        for torrent in self.torrents.values() {
            load.peers += torrent.peers.len();
            load.candidates += torrent.candidates.len();
        }
        for traffic in self.peers.values().filter_map(|peer| peer.traffic.as_ref()) {
            load.wants += traffic.wants.len();
            load.reading += u64::from(traffic.reading_bytes());
            load.asked += traffic.asked.len();
            load.incoming += traffic.segments.iter().map(|part| part.len() as u64).sum::<u64>();
            load.incoming += traffic.drops.len() as u64;
        }
        load
    }
}
