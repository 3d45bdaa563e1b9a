//! What a seed sends, with a disk that answers as the test likes.

use crate::made::made;
use p2p_bittorrent::metainfo::Builder;
use p2p_bittorrent::peer::handshake::{Handshake, Reserved};
use p2p_bittorrent::peer::wire::{Block, Decoder, Message, encode};
use p2p_bittorrent::{Client, Command, Config, InfoHash, PeerId, Torrent};
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
    sent: Vec<(ConnId, Bytes)>,
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
                    Effect::Send(conn, data) => self.sent.push((conn, data)),
                    Effect::Run(id, Job::Read { spans }) => {
                        let span = &spans[0];
                        let (begin, len) = (span.offset as usize, span.len as usize);
                        self.reads.push((id, self.content.slice(begin..begin + len)));
                    }
                    Effect::Run(id, Job::Stat { .. }) => {
                        let stat = Stat { len: self.content.len() as u64, modified: UnixTime::from_secs(1) };
                        inputs.push(Input::Job(id, JobDone::Stat(Ok(Some(stat)))));
                    }
                    Effect::Run(id, Job::DigestSpans { spans, .. }) => {
                        let (begin, len) = (spans[0].offset as usize, spans[0].len as usize);
                        let mut digester = Digester::new(DigestKind::Sha1);
                        digester.update(&self.content[begin..begin + len]);
                        inputs.push(Input::Job(id, JobDone::Digest(Ok(digester.finish()))));
                    }
                    _ => {}
                }
            }
        }
    }

    /// A seed of this content, with these slots.
    fn seed(content: &Bytes, piece_len: usize, slots: Option<u16>) -> (Self, InfoHash) {
        let builder = Builder::file("served", content.len() as u64, Some(piece_len as u32)).unwrap();
        let metainfo = made(builder, content);
        let info_hash = metainfo.info.info_hash();
        let mut config = Config::default();
        config.state = None;
        config.listen = None;
        config.upload_slots = slots;
        let mut host = Self {
            client: Client::new(config),
            source: Source::new(Rng::fast_from(1)),
            content: content.clone(),
            reads: Vec::new(),
            sent: Vec::new(),
        };
        host.give(Input::Start);
        let seed = Command::Seed(Box::new(Torrent::new(metainfo)));
        host.give(Input::Op(OpId::from_raw(1), OpInput::Ask(seed)));
        (host, info_hash)
    }

    /// A peer comes in that wants something.
    fn join(&mut self, conn: ConnId, info_hash: InfoHash, fast: bool) {
        let peer = ([10, 0, 0, conn.raw() as u8], 6881).into();
        let open = StreamInput::Open { peer, listener: Some(ListenerId::from_raw(1)) };
        self.give(Input::Stream(conn, open));
        let reserved = if fast { Reserved([0, 0, 0, 0, 0, 0, 0, 4]) } else { Reserved([0; 8]) };
        let mut peer_id = *b"-XX0001-012345678901";
        peer_id[19] = conn.raw() as u8;
        let greeting = Handshake { reserved, info_hash, peer_id: PeerId(peer_id) }.encode();
        self.give(Input::Stream(conn, StreamInput::Data(Bytes::copy_from_slice(&greeting))));
        if fast {
            self.hear(conn, &[Message::HaveNone]);
        }
        self.hear(conn, &[Message::Interested]);
    }

    fn hear(&mut self, conn: ConnId, messages: &[Message]) {
        let mut said = bytes::BytesMut::new();
        messages.iter().for_each(|message| encode(message, &mut said));
        self.give(Input::Stream(conn, StreamInput::Data(said.freeze())));
    }

    /// What was sent to a peer since this was last called, its handshake aside.
    fn heard(&mut self, conn: ConnId) -> Vec<Message> {
        let mut stream = Bytes::from(
            self.sent
                .extract_if(.., |(to, _)| *to == conn)
                .map(|(_, data)| data)
                .collect::<Vec<_>>()
                .concat(),
        );
        if stream.starts_with(b"\x13BitTorrent protocol") {
            drop(stream.split_to(68));
        }
        let mut decoder = Decoder::default();
        core::iter::from_fn(|| decoder.next(&mut stream).unwrap()).collect()
    }
}

fn blocks(piece: u32, count: u32) -> Vec<Block> {
    (0..count).map(|index| Block { piece, begin: index * BLOCK as u32, len: BLOCK as u32 }).collect()
}

/// Reads end in any order; a peer gets its blocks in the order in which it asked.
#[test]
fn blocks_are_sent_in_the_order_asked_whichever_read_is_done_first() {
    let content: Bytes = (0..PIECE).map(|at| (at / BLOCK) as u8).collect::<Vec<_>>().into();
    let (mut host, info_hash) = Host::seed(&content, PIECE, None);
    host.join(CONN, info_hash, false);
    host.sent.clear();
    let asked = blocks(0, 24);
    host.hear(CONN, &asked.iter().map(|block| Message::Request(*block)).collect::<Vec<_>>());

    assert!(host.reads.len() > 1, "one read tells nothing");
    while let Some((job, data)) = host.reads.pop() {
        host.give(Input::Job(job, JobDone::Read(Ok(data))));
    }
    let mut blocks = Vec::new();
    for message in host.heard(CONN) {
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

/// A piece that was begun for a peer whose turn is over is of no use to anybody: the turn ends with a piece, and the
/// next one is another's, even if it is being read.
#[test]
fn a_first_seed_ends_a_turn_with_a_piece() {
    const SMALL: usize = 16 * BLOCK;
    let content: Bytes = (0..8 * SMALL).map(|at| (at / BLOCK) as u8).collect::<Vec<_>>().into();
    let (mut host, info_hash) = Host::seed(&content, SMALL, Some(1));
    let conns = [1, 2, 3].map(|nth| ConnId::from_raw((1 << 40) + nth));
    conns.iter().for_each(|&conn| host.join(conn, info_hash, true));
    let suggested = |said: &[Message]| {
        said.iter()
            .filter_map(|message| if let Message::Suggest(piece) = message { Some(*piece) } else { None })
            .collect::<Vec<_>>()
    };
    let said = conns.map(|conn| host.heard(conn));
    let (first, second) = (suggested(&said[0]), suggested(&said[1]));
    assert!(first.len() == 1 && second.len() == 1 && first != second, "{said:?}");
    assert!(!said[2].contains(&Message::Unchoke), "one slot, and an optimistic one");

    // It asks for its piece, and for the start of the one that it is offered then.
    let ask = |piece, count| blocks(piece, count).into_iter().map(Message::Request).collect::<Vec<_>>();
    host.hear(conns[0], &ask(first[0], 16));
    let next = suggested(&host.heard(conns[0]));
    assert!(next.len() == 1 && next != first && next != second);
    host.hear(conns[0], &ask(next[0], 6));
    while !host.reads.is_empty() {
        let (job, data) = host.reads.remove(0);
        host.give(Input::Job(job, JobDone::Read(Ok(data))));
    }
    let said = host.heard(conns[0]);
    let sent = said
        .iter()
        .filter_map(|message| if let Message::Piece(block) = message { Some(*block) } else { None });
    assert_eq!(sent.collect::<Vec<_>>(), blocks(first[0], 16));
    assert!(said.contains(&Message::Choke));
    assert!(blocks(next[0], 6).into_iter().all(|block| said.contains(&Message::Reject(block))), "{said:?}");
    let said = host.heard(conns[2]);
    assert!(said.contains(&Message::Unchoke) && suggested(&said) == next, "{said:?}");
}
