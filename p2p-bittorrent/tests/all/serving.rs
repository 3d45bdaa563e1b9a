//! What a seed sends, with a disk that answers as the test likes.

use crate::made::made;
use p2p_bittorrent::metainfo::Builder;
use p2p_bittorrent::peer::handshake::{Handshake, Reserved};
use p2p_bittorrent::peer::wire::{Block, Decoder, Message, encode};
use p2p_bittorrent::{Client, Command, Config, PeerId, Torrent};
use p2p_core::hash::{DigestKind, Digester};
use p2p_core::{
    Bytes, ConnId, Cx, Effect, Input, Instant, Job, JobDone, JobId, ListenerId, Machine, OpId, OpInput, Rng,
    Source, Stat, StreamInput, UnixTime,
};

const BLOCK: usize = 16 * 1024;
const PIECE: usize = 1 << 20;
const CONN: ConnId = ConnId::from_raw(1 << 40);

/// A client whose jobs wait until the test does them.
struct Host {
    client: Client,
    source: Source,
    content: Bytes,
    reads: Vec<(JobId, Bytes)>,
    sent: Vec<Bytes>,
}

impl Host {
    fn give(&mut self, input: Input<Client>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            let now = Instant::from_nanos(1_000_000_000);
            let mut cx = Cx::new(now, UnixTime::from_secs(1), &mut self.source, &mut effects);
            self.client.handle(input, &mut cx);
            for effect in effects {
                match effect {
                    Effect::Send(CONN, data) => self.sent.push(data),
                    Effect::Run(id, Job::Read { spans }) => {
                        let span = &spans[0];
                        let (begin, len) = (span.offset as usize, span.len as usize);
                        self.reads.push((id, self.content.slice(begin..begin + len)));
                    }
                    Effect::Run(id, Job::Stat { .. }) => {
                        let stat = Stat { len: self.content.len() as u64, modified: UnixTime::from_secs(1) };
                        inputs.push(Input::Job(id, JobDone::Stat(Ok(Some(stat)))));
                    }
                    Effect::Run(id, Job::DigestSpans { .. }) => {
                        let mut digester = Digester::new(DigestKind::Sha1);
                        digester.update(&self.content);
                        inputs.push(Input::Job(id, JobDone::Digest(Ok(digester.finish()))));
                    }
                    _ => {}
                }
            }
        }
    }

    fn hear(&mut self, data: &[u8]) {
        self.give(Input::Stream(CONN, StreamInput::Data(Bytes::copy_from_slice(data))));
    }
}

/// Reads end in any order; a peer gets its blocks in the order in which it asked.
#[test]
fn blocks_are_sent_in_the_order_asked_whichever_read_is_done_first() {
    let content: Bytes = (0..PIECE).map(|at| (at / BLOCK) as u8).collect::<Vec<_>>().into();
    let builder = Builder::file("served", PIECE as u64, Some(PIECE as u32)).unwrap();
    let metainfo = made(builder, &content);
    let info_hash = metainfo.info.info_hash();
    let mut config = Config::default();
    config.state = None;
    config.listen = None;
    let mut host = Host {
        client: Client::new(config),
        source: Source::new(Rng::fast_from(1)),
        content: content.clone(),
        reads: Vec::new(),
        sent: Vec::new(),
    };
    host.give(Input::Start);
    let seed = Command::Seed(Box::new(Torrent::new(metainfo)));
    host.give(Input::Op(OpId::from_raw(1), OpInput::Ask(seed)));
    let peer = ([10, 0, 0, 2], 6881).into();
    host.give(Input::Stream(CONN, StreamInput::Open { peer, listener: Some(ListenerId::from_raw(1)) }));
    let greeting =
        Handshake { reserved: Reserved([0; 8]), info_hash, peer_id: PeerId(*b"-XX0001-012345678901") };
    host.hear(&greeting.encode());
    let mut said = bytes::BytesMut::new();
    encode(&Message::Interested, &mut said);
    host.hear(&said.split());
    host.sent.clear();
    let asked: Vec<Block> =
        (0..24).map(|index| Block { piece: 0, begin: index * BLOCK as u32, len: BLOCK as u32 }).collect();
    asked.iter().for_each(|block| encode(&Message::Request(*block), &mut said));
    host.hear(&said.split());

    assert!(host.reads.len() > 1, "one read tells nothing");
    while let Some((job, data)) = host.reads.pop() {
        host.give(Input::Job(job, JobDone::Read(Ok(data))));
    }
    let mut stream = Bytes::from(host.sent.concat());
    let mut decoder = Decoder::default();
    let mut blocks = Vec::new();
    while let Some(message) = decoder.next(&mut stream).unwrap() {
        match message {
            Message::Piece(block) => blocks.push(block),
            Message::Payload(data) => {
                assert_eq!(data, content.slice((blocks.len() - 1) * BLOCK..blocks.len() * BLOCK));
            }
            _ => {}
        }
    }
    assert_eq!(blocks, asked);
}
