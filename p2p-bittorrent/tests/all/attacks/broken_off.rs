//! What is in memory, under way or half said when a disk fails, a torrent is checked anew, or a block comes twice.

use super::attacker::{bytes, hello};
use super::rig::Rig;
use super::scene::{PIECE, torrent};
use p2p_bittorrent::peer::wire::{Decoder, Message, WireLimits, piece_head};
use p2p_bittorrent::peer::{Block, HandshakeDecoder};
use p2p_bittorrent::{Client, Command, Config, Metainfo, Torrent};
use p2p_core::{Bytes, ConnId, Duration, Input, IoError, Job, JobDone, JobId};
use std::net::SocketAddr;
use std::sync::Arc;

struct Peer {
    conn: ConnId,
    hello: HandshakeDecoder,
    decoder: Decoder,
}

/// A client that fetches, and what it says to its peers.
struct Table {
    rig: Rig<Client>,
    metainfo: Arc<Metainfo>,
    content: Bytes,
    peers: Vec<Peer>,
}

impl Table {
    fn of((metainfo, content): (Arc<Metainfo>, Bytes)) -> Self {
        let mut rig = Rig::new(Client::new(Config::default()), 4);
        rig.settle_sockets(true);
        rig.ask(Command::Download(Box::new(Torrent::new(metainfo.clone()))));
        rig.drain();
        Self { rig, metainfo, content, peers: Vec::new() }
    }

    /// A seed comes, and lets the client ask.
    fn seed(&mut self) -> usize {
        let n = self.peers.len() as u8 + 1;
        let conn = self.rig.accept(SocketAddr::from(([10, 0, 0, n], 1))).unwrap();
        let hash = self.metainfo.info.info_hash();
        let said = [hello(hash, n, true), bytes(&Message::HaveAll), bytes(&Message::Unchoke)].concat();
        self.rig.data(conn, said);
        let decoder = Decoder::new(&WireLimits::default());
        self.peers.push(Peer { conn, hello: HandshakeDecoder::new(), decoder });
        self.peers.len() - 1
    }

    /// What the client said to a peer since the last call.
    fn heard(&mut self, peer: usize) -> Vec<Message> {
        let Peer { conn, hello, decoder } = &mut self.peers[peer];
        let Some(stream) = self.rig.streams.get_mut(conn) else { return Vec::new() };
        let mut messages = Vec::new();
        for mut data in stream.sent.drain(..) {
            if hello.held().len() < 68 {
                hello.next(&mut data).unwrap();
            }
            while let Some(message) = decoder.next(&mut data).unwrap() {
                messages.push(message);
            }
        }
        messages
    }

    fn asked(&mut self, peer: usize) -> Vec<Block> {
        let heard = self.heard(peer).into_iter();
        heard.filter_map(|said| if let Message::Request(block) = said { Some(block) } else { None }).collect()
    }

    fn block(&self, block: Block) -> Vec<u8> {
        let at = (block.piece * self.metainfo.info.pieces().piece_len() + block.begin) as usize;
        [&piece_head(block)[..], &self.content[at..at + block.len as usize]].concat()
    }

    fn gives(&mut self, peer: usize, block: Block) {
        let data = self.block(block);
        self.rig.data(self.peers[peer].conn, data);
    }

    fn writes(&self) -> Vec<JobId> {
        self.rig.jobs.iter().filter(|(_, job)| matches!(job, Job::Write { .. })).map(|(id, _)| *id).collect()
    }

    /// Gives all blocks of the first piece that is asked for, and one of the next; returns the write of the first.
    fn begin_to_write(&mut self) -> JobId {
        let peer = self.seed();
        let mut given: Vec<Block> = Vec::new();
        for _ in 0..50 {
            for block in self.asked(peer) {
                given.push(block);
                self.gives(peer, block);
                if !self.writes().is_empty() && self.rig.machine.inner().load().held > u64::from(PIECE) {
                    return self.writes()[0];
                }
            }
        }
        panic!("it asks for more: {given:?}");
    }

    fn fail(&mut self, job: JobId, why: IoError) {
        self.rig.jobs.remove(&job);
        self.rig.give(Input::Job(job, JobDone::Written { result: Err(why), digest: None }));
    }

    fn looks_at_files(&self) -> bool {
        let looks = |job: &Job| matches!(job, Job::Load { .. } | Job::Stat { .. } | Job::DigestSpans { .. });
        self.rig.jobs.values().any(looks)
    }
}

#[test]
fn what_waits_for_a_disk_that_failed_is_forgotten() {
    let mut table = Table::of(torrent());
    let write = table.begin_to_write();
    let load = table.rig.machine.inner().load();
    assert!(
        load.held > load.writing && load.writing > 0,
        "one run is being written, a block waits: {load:?}"
    );
    table.fail(write, IoError::NoSpace);
    let load = table.rig.machine.inner().load();
    assert_eq!(load.held, load.writing, "what waited is gone");
    table.rig.drain();
    let load = table.rig.machine.inner().load();
    assert_eq!((load.held, load.writing, load.streams), (0, 0, 0));
}

#[test]
fn files_are_not_looked_at_while_a_write_of_before_is_under_way() {
    let hash = torrent().0.info.info_hash();
    for again in 0..4 {
        let mut table = Table::of(torrent());
        table.begin_to_write();
        let fetch = Command::Download(Box::new(Torrent::new(table.metainfo.clone())));
        match again {
            0 => {
                table.rig.ask(Command::Pause(hash, true));
                table.rig.ask(Command::Pause(hash, false));
            }
            1 => table.rig.ask(Command::Recheck(hash)),
            2 => table.rig.ask(Command::Verify(Box::new(Torrent::new(table.metainfo.clone())))),
            _ => {
                table.rig.ask(Command::Remove(hash));
                table.rig.ask(fetch);
            }
        }
        // All but the writes is done; the writes take their time.
        loop {
            let ready = table.rig.jobs.keys().copied().find(|id| !table.writes().contains(id));
            let Some(id) = ready else { break };
            assert!(!looks(&table.rig.jobs[&id]), "way {again}: {:?}", table.rig.jobs[&id]);
            table.rig.do_job(id);
        }
        assert!(!table.looks_at_files() && !table.writes().is_empty(), "way {again}");
        while let Some(&id) = table.writes().first() {
            table.rig.do_job(id);
        }
        assert!(table.looks_at_files(), "way {again}: and then they are");
        table.rig.drain();
        assert_eq!(table.rig.machine.inner().load().held, 0);
    }
}

/// What a check asks of the disk; resume data that is being written asks for sizes, too, but not before its turn.
fn looks(job: &Job) -> bool {
    matches!(job, Job::Load { .. } | Job::DigestSpans { .. })
}

#[test]
fn what_is_said_to_one_peer_does_not_go_to_another() {
    let content = Bytes::from_static(b"hello");
    let builder = p2p_bittorrent::metainfo::Builder::file("tiny", 5, Some(16 * 1024)).unwrap();
    let mut table = Table::of((crate::made::made(builder, &content), content));
    let (first, second) = (table.seed(), table.seed());
    table.rig.now += Duration::from_secs(6);
    table.rig.fire();
    let block = Block { piece: 0, begin: 0, len: 5 };
    assert_eq!((table.asked(first), table.asked(second)), (vec![block], vec![block]), "the end game");
    // A request that is rejected, and in the same read the block that both were asked for.
    let said = [bytes(&Message::Request(block)).to_vec(), table.block(block)].concat();
    let conn = table.peers[first].conn;
    table.rig.data(conn, said);
    assert!(table.heard(first).contains(&Message::Reject(block)));
    assert_eq!(table.heard(second), [Message::Cancel(block)]);
}

#[test]
fn a_block_of_before_a_restart_that_is_wrong_is_nobodys_lie() {
    let mut table = Table::of(torrent());
    let peer = table.seed();
    // Two blocks of a piece, then an orderly end.
    let asked = table.asked(peer);
    let piece = asked[0].piece;
    let mine: Vec<Block> = asked.iter().copied().filter(|block| block.piece == piece).take(2).collect();
    mine.iter().for_each(|block| table.gives(peer, *block));
    table.rig.end();
    let mut files = std::mem::take(&mut table.rig.files);
    // The disk spoils what it holds of it, and tells nobody.
    for (file, data) in &mut files {
        if !file.path().as_str().ends_with(".resume") {
            data.iter_mut().for_each(|byte| *byte ^= 0x55);
        }
    }
    let mut rig = Rig::new(Client::new(Config::default()), 5);
    rig.files = files;
    rig.settle_sockets(true);
    rig.ask(Command::Download(Box::new(Torrent::new(table.metainfo.clone()))));
    rig.drain();
    let mut table = Table { rig, metainfo: table.metainfo, content: table.content, peers: Vec::new() };
    let peer = table.seed();
    let mut asked = 0;
    for _ in 0..200 {
        for block in table.asked(peer) {
            asked += u32::from(mine.contains(&block));
            table.gives(peer, block);
        }
        table.rig.drain();
        table.rig.now += Duration::from_secs(1);
        table.rig.fire();
    }
    let hash = table.metainfo.info.info_hash();
    let progress = table.rig.machine.inner().progress(hash, table.rig.now).unwrap();
    assert_eq!(progress.verified, table.content.len() as u64, "{:?}", table.rig.news);
    assert_eq!(asked, 2, "the blocks of before were believed until they proved wrong");
    let banned = |event: &p2p_bittorrent::Event| matches!(event, p2p_bittorrent::Event::Banned { .. });
    assert!(!table.rig.news.iter().any(banned), "{:?}", table.rig.news);
}
