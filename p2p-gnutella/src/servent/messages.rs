//! What neighbours say: bytes to messages, and each to who knows about it.

use super::Servent;
use super::event::Parting;
use super::links::LinkId;
use crate::Guid;
use crate::wire::{Bye, Frame, FrameError, Header, Kind, Message, bye_code};
use alloc::string::ToString;
use bytes::{Bytes, BytesMut};
use p2p_core::Cx;

impl Servent {
    /// Bytes of a neighbour.
    pub(super) fn heard(&mut self, id: LinkId, mut data: Bytes, cx: &mut Cx<'_, Self>) {
        let Some(link) = self.links.get_mut(id) else { return };
        link.heard_at = cx.now();
        link.pinged_at = None;
        if link.inflater.is_none() {
            link.decoder.push(data);
            return self.frames(id, cx);
        }
        loop {
            let Some(link) = self.links.get_mut(id) else { return };
            let Some(inflater) = &mut link.inflater else { return };
            match inflater.read(&mut data) {
                Ok(some) if some.is_empty() => return,
                Ok(some) => {
                    link.decoder.push(some);
                    self.frames(id, cx);
                }
                Err(why) => {
                    let why = Parting::Garbled(why.to_string());
                    return self.say_bye(id, bye_code::OUT_OF_STEP, "Stream cannot be inflated", why, cx);
                }
            }
        }
    }

    fn frames(&mut self, id: LinkId, cx: &mut Cx<'_, Self>) {
        loop {
            // A message may end its link.
            let Some(link) = self.links.get_mut(id) else { return };
            match link.decoder.next() {
                Ok(Some(frame)) => self.message(id, frame, cx),
                Ok(None) => return,
                Err(why @ FrameError::TooLong { .. }) => {
                    let why = Parting::Garbled(why.to_string());
                    return self.say_bye(id, bye_code::TOO_LARGE, "Message too long", why, cx);
                }
                Err(why) => return self.part(id, Parting::Garbled(why.to_string()), cx),
            }
        }
    }

    fn message(&mut self, id: LinkId, frame: Frame, cx: &mut Cx<'_, Self>) {
        let Frame { header, payload } = frame;
        self.counts.messages_in += 1;
        match header.kind {
            Kind::QUERY => return self.query(id, header, &payload, cx),
            Kind::QUERY_HIT => return self.hit(id, header, &payload, cx),
            _ => {}
        }
        let Ok(message) = Message::parse(header.kind, &payload) else {
            self.counts.malformed += 1;
            return;
        };
        match message {
            Message::Ping(ping) => self.ping(id, header, &ping, &payload, cx),
            Message::Pong(pong) => self.pong(id, header, &pong, &payload, cx),
            Message::Push(push) => self.push(id, header, push, &payload, cx),
            Message::Route(route) => self.route(id, &route, cx),
            Message::Vendor(vendor) | Message::Standard(vendor) => self.vendor(id, header, &vendor, cx),
            Message::Bye(bye) => self.part(id, Parting::Bye(bye.code), cx),
            // Horizons are not counted.
            Message::Horizon(_) => {}
            _ => self.counts.malformed += 1,
        }
    }

    /// Writes a message that is for a neighbour alone.
    pub(super) fn say(&mut self, id: LinkId, message: &Message) {
        self.send(id, &Header::neighbour(Guid::ZERO, message.kind()), &message.to_bytes());
    }

    /// Ends a link, and says why if the neighbour understands it.
    pub(super) fn say_bye(
        &mut self,
        id: LinkId,
        code: u16,
        sentence: &str,
        why: Parting,
        cx: &mut Cx<'_, Self>,
    ) {
        if let Some(link) = self.links.get_mut(id).filter(|link| link.speaks_bye) {
            let bye = Message::Bye(Bye::new(code, sentence, &self.config.user_agent));
            let mut last = BytesMut::new();
            let header = Header::neighbour(Guid::ZERO, Kind::BYE);
            Frame { header, payload: bye.to_bytes() }.encode(&mut last);
            link.hand_out_last(&last, cx);
            self.counts.messages_out += 1;
        }
        self.part(id, why, cx);
    }
}
