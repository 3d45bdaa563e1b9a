//! A stranger's answer to a probe, compared with what we have of the same piece.

use super::{Client, Context, TorrentKey, Work};
use crate::drop_reason::DropReason;
use crate::peer::wire::Block;
use crate::picker::PeerKey;
use alloc::boxed::Box;
use p2p_core::{Bytes, Digest, DigestKind, Digester, Job};

impl Client {
    /// A peer gave a block of a piece that we have: what is on the disk shows whether it is right.
    pub(super) fn probe_here(
        &mut self,
        key: TorrentKey,
        peer: PeerKey,
        block: Block,
        data: &[Bytes],
        cx: &mut Context<'_>,
    ) {
        let mut digester = Digester::new(DigestKind::Sha1);
        data.iter().for_each(|part| digester.update(part));
        let work = Work::Probe { peer, piece: block.piece, given: Box::new(digester.finish()) };
        self.digest_part(key, block, work, cx);
    }

    fn digest_part(&mut self, key: TorrentKey, part: Block, work: Work, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let spans = torrent.spans(part.piece, part.begin, part.len);
        let job = cx.run(Job::DigestSpans { kind: DigestKind::Sha1, spans });
        torrent.jobs += 1;
        self.jobs.insert(job, (key, work));
    }

    /// The digest of our own block. If it is another one, the peer lied, or our disk does: the whole piece tells.
    pub(super) fn probe_compared(
        &mut self,
        key: TorrentKey,
        (peer, piece): (PeerKey, u32),
        given: Digest,
        ours: Option<Digest>,
        cx: &mut Context<'_>,
    ) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        if ours.is_none_or(|ours| ours == given) {
            return self.probe_passed(key, peer, cx);
        }
        let whole = Block { piece, begin: 0, len: torrent.pieces().len_of(piece) };
        self.digest_part(key, whole, Work::ProbeDoubt { peer, piece }, cx);
    }

    /// The digest of the piece that a peer's probe differs from. Unless it is right, nobody is found guilty.
    pub(super) fn probe_doubted(
        &mut self,
        key: TorrentKey,
        peer: PeerKey,
        piece: u32,
        ours: Option<Digest>,
        cx: &mut Context<'_>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let right = torrent.metainfo.info.piece_hash(piece);
        if ours.zip(right).is_none_or(|(ours, right)| ours.as_ref() != right.as_ref()) {
            return self.probe_passed(key, peer, cx);
        }
        if let Some(picker) = &mut torrent.picker {
            picker.probed(peer, false);
        }
        if let Some(addr) = torrent.address_of(peer, &self.peers) {
            self.ban(addr, DropReason::BadBlock, cx);
        }
    }

    fn probe_passed(&mut self, key: TorrentKey, peer: PeerKey, cx: &mut Context<'_>) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if let Some(picker) = &mut torrent.picker {
            picker.probed(peer, true);
        }
        if let Some(&conn) = torrent.peers.get(&peer) {
            self.ask_more(conn, cx);
        }
    }
}
