//! What is too long for a datagram goes by a stream to the same port: [`Streams`].
//!
//! A stream carries one question and its answer, each as its length (4 bytes, big-endian) and then as in a datagram.

use super::answers::Asked;
use super::{Chord, Context, Purpose};
use crate::api::{Event, Timer};
use crate::contact::Contact;
use crate::peer::Peer;
use crate::wire::{Answer, Ask, LARGEST_FRAME, Packet};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::frames::Frames;
use p2p_core::{ConnId, Duration, IoError, ListenerId, StreamInput};

/// How long a question and its answer may take: 64 KiB at 7 KiB a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// Streams of others at a time: each may hold the longest of questions.
const GUESTS: usize = 64;
/// And of one address.
const ALIKE: usize = 8;

/// The streams of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    listener: Option<ListenerId>,
    calls: BTreeMap<ConnId, Call>,
    guests: BTreeMap<ConnId, Guest>,
}

/// A question of ours.
#[derive(Clone, Debug)]
struct Call {
    peer: Peer,
    transaction: u32,
    purpose: Purpose,
    frames: Frames,
}

/// A question of somebody else.
#[derive(Clone, Debug)]
struct Guest {
    from: SocketAddr,
    frames: Frames,
    /// It has asked.
    asked: bool,
}

impl Chord {
    /// Listens where the datagrams come in.
    pub(super) fn listen(&mut self, at: SocketAddr, cx: &mut Context<'_>) {
        if self.config.routes {
            self.streams.listener = Some(cx.listen(at));
        }
    }

    pub(super) fn listening(
        &mut self,
        listener: ListenerId,
        at: Result<SocketAddr, IoError>,
        cx: &mut Context<'_>,
    ) {
        if let Err(error) = at
            && self.streams.listener == Some(listener)
        {
            self.streams.listener = None;
            cx.tell(Event::NoStreams(error));
        }
    }

    /// Asks by a stream.
    pub(super) fn dial(&mut self, to: Contact, ask: Ask, purpose: Purpose, cx: &mut Context<'_>) {
        let conn = cx.connect(to.peer.addr());
        let transaction = cx.rng().bits() as u32;
        let member = self.config.routes && self.is_member();
        let packet = Packet::Ask { transaction, token: to.token(), member, ask };
        self.send_frame(conn, &packet, cx);
        cx.set_timer(Timer::Stream(conn), PATIENCE);
        self.streams.calls.insert(conn, Call { peer: to.peer, transaction, purpose, frames: Frames::new() });
    }

    fn send_frame(&mut self, conn: ConnId, packet: &Packet, cx: &mut Context<'_>) {
        let frame = packet.encode(self.config.network, 0, &mut BytesMut::new());
        cx.send(conn, Bytes::copy_from_slice(&(frame.len() as u32).to_be_bytes()));
        cx.send(conn, frame);
    }

    /// Ends questions that nobody wants answered any more.
    pub(super) fn hang_up(&mut self, is: impl Fn(&Purpose) -> bool, cx: &mut Context<'_>) {
        let over = self.streams.calls.extract_if(.., |_, call| is(&call.purpose));
        for (conn, _) in over {
            cx.abort(conn);
            cx.clear_timer(Timer::Stream(conn));
        }
    }

    pub(super) fn answer_stream(
        &mut self,
        conn: ConnId,
        transaction: u32,
        answer: Answer,
        cx: &mut Context<'_>,
    ) {
        let Some(guest) = self.streams.guests.remove(&conn) else { return };
        let token = self.tokens.of(guest.from, cx.now());
        self.send_frame(conn, &Packet::Answer { transaction, token, answer }, cx);
        cx.clear_timer(Timer::Stream(conn));
        cx.close(conn);
    }

    pub(super) fn stream(&mut self, conn: ConnId, input: StreamInput, cx: &mut Context<'_>) {
        match input {
            StreamInput::Open { peer, listener: Some(_) } => self.guest(conn, peer, cx),
            StreamInput::Data(data) => self.stream_data(conn, data, cx),
            StreamInput::Closed(_) => {
                cx.clear_timer(Timer::Stream(conn));
                self.stream_over(conn, cx);
            }
            StreamInput::Open { listener: None, .. }
            | StreamInput::Full
            | StreamInput::Ready
            | StreamInput::Secured(_) => {}
        }
    }

    fn guest(&mut self, conn: ConnId, from: SocketAddr, cx: &mut Context<'_>) {
        let guests = &mut self.streams.guests;
        let alike = guests.values().filter(|guest| guest.from.ip() == from.ip()).count();
        if guests.len() >= GUESTS || alike >= ALIKE {
            return cx.abort(conn);
        }
        guests.insert(conn, Guest { from, frames: Frames::new(), asked: false });
        cx.set_timer(Timer::Stream(conn), PATIENCE);
    }

    fn stream_data(&mut self, conn: ConnId, data: Bytes, cx: &mut Context<'_>) {
        let network = self.config.network;
        let frames = if let Some(call) = self.streams.calls.get_mut(&conn) {
            &mut call.frames
        } else if let Some(guest) = self.streams.guests.get_mut(&conn).filter(|guest| !guest.asked) {
            &mut guest.frames
        } else {
            return;
        };
        frames.push(data);
        let packet = match frame(frames) {
            Ok(None) => return,
            Ok(Some(frame)) => Packet::decode_within(&frame, network, LARGEST_FRAME).ok(),
            Err(()) => None,
        };
        match packet {
            Some(Packet::Ask { transaction, member, ask, .. }) => {
                let Some(guest) = self.streams.guests.get_mut(&conn) else { return self.cut(conn, cx) };
                guest.asked = true;
                let from = guest.from;
                if !matches!(ask, Ask::Get { .. } | Ask::Put { .. } | Ask::Keep(_) | Ask::Lodge { .. }) {
                    return self.cut(conn, cx);
                }
                let (is_proven, room) = (true, usize::MAX);
                let asked = Asked { from, transaction, member, is_proven, room, conn: Some(conn) };
                self.asked(asked, ask, cx);
            }
            Some(Packet::Answer { transaction, answer, .. }) => {
                let is_it = |call: &mut Call| call.transaction == transaction;
                if !self.streams.calls.get_mut(&conn).is_some_and(is_it) {
                    return self.cut(conn, cx);
                }
                let Some(call) = self.streams.calls.remove(&conn) else { return };
                cx.clear_timer(Timer::Stream(conn));
                cx.close(conn);
                let contact = self.known(call.peer).copied().unwrap_or_else(|| Contact::unmet(call.peer));
                match call.purpose {
                    Purpose::Get(task) => self.got(task, contact, answer, cx),
                    Purpose::Replica(task) => self.replica_told(task, contact, answer, cx),
                    Purpose::Put(task) => self.put_answered(task, answer, cx),
                    Purpose::Keep(placing) => self.copied_to(placing, call.peer, answer, cx),
                    Purpose::Hand => self.handed(call.peer, cx),
                    Purpose::Lodge(number) => self.lodge_answered(number, call.peer, answer, cx),
                    Purpose::Mend => self.mend_answered(contact, answer, cx),
                    _ => {}
                }
            }
            None => self.cut(conn, cx),
        }
    }

    /// A stream brings nothing that is of use.
    fn cut(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        cx.abort(conn);
        cx.clear_timer(Timer::Stream(conn));
        self.stream_over(conn, cx);
    }

    pub(super) fn stream_late(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if self.streams.calls.contains_key(&conn) || self.streams.guests.contains_key(&conn) {
            cx.abort(conn);
            self.stream_over(conn, cx);
        }
    }

    /// A stream is gone: whoever was asked does not answer.
    fn stream_over(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        self.streams.guests.remove(&conn);
        let Some(call) = self.streams.calls.remove(&conn) else { return };
        match call.purpose {
            Purpose::Get(task) => self.not_got(task, call.peer, cx),
            Purpose::Replica(task) => self.replica_failed(task, call.peer, cx),
            Purpose::Put(task) => self.not_put(task, cx),
            Purpose::Keep(placing) => self.not_copied(placing, call.peer, cx),
            Purpose::Hand => self.not_handed(call.peer, cx),
            Purpose::Lodge(number) => self.lodge_unanswered(number, call.peer, cx),
            Purpose::Mend => self.mend_unanswered(call.peer, cx),
            _ => {}
        }
    }

    /// Ends all streams.
    pub(super) fn close_streams(&mut self, cx: &mut Context<'_>) {
        let conns: Vec<ConnId> =
            self.streams.calls.keys().chain(self.streams.guests.keys()).copied().collect();
        (self.streams.calls, self.streams.guests) = (BTreeMap::new(), BTreeMap::new());
        for conn in conns {
            cx.abort(conn);
            cx.clear_timer(Timer::Stream(conn));
        }
    }
}

/// The next frame, if it is whole. An error: it is longer than any.
fn frame(frames: &mut Frames) -> Result<Option<Bytes>, ()> {
    let Some(head) = frames.peek_array::<4>() else { return Ok(None) };
    let len = u32::from_be_bytes(head) as usize;
    if len > LARGEST_FRAME {
        return Err(());
    }
    if frames.len() < 4 + len {
        return Ok(None);
    }
    frames.skip(4);
    Ok(frames.take(len))
}
