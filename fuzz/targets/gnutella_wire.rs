//! Messages of Gnutella: a stream cut anywhere, each message read, written and read again, and all that hangs on it.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use p2p_fuzz::Script;
use p2p_gnutella::qrp::Wanted;
use p2p_gnutella::wire::{
    Decoder, Extension, Extensions, Frame, FrameError, Kind, Message, SizeLimits, VendorMessage,
};
use p2p_gnutella::{Magnet, Urn, dime, thex};

fn frames(bytes: &[u8], cut: usize) -> (Vec<Frame>, Result<usize, FrameError>) {
    let (mut decoder, mut all) = (Decoder::new(SizeLimits::default()), Vec::new());
    for part in bytes.chunks(cut) {
        decoder.push(Bytes::copy_from_slice(part));
        loop {
            match decoder.next() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(why) => return (all, Err(why)),
            }
        }
    }
    let left = decoder.len();
    (all, Ok(left))
}

fn extensions(bytes: &[u8]) {
    let all = Extensions(bytes);
    let _ = (all.urns().count(), all.huge().count(), all.xml());
    for extension in all {
        if let Extension::Ggep(field) = extension {
            let data = field.data();
            assert!(!field.is_plain() || data.as_deref() == Ok(field.raw()));
        }
    }
}

fn message(kind: Kind, payload: &Bytes) {
    let Ok(message) = Message::parse(kind, payload) else { return };
    assert_eq!((message.kind(), &message.to_bytes()), (kind, payload), "{message:?}");
    match &message {
        Message::Ping(ping) => extensions(&ping.extensions),
        Message::Pong(pong) => extensions(&pong.extensions),
        Message::Push(push) => extensions(&push.extensions),
        Message::Query(query) => {
            extensions(&query.extensions);
            let _ = Wanted::of(query);
        }
        Message::QueryHit(hit) => {
            assert_eq!(hit.records.iter().count(), hit.records.len());
            for record in hit.records.iter() {
                extensions(record.extensions.0);
                let _ = (record.size(), record.sha1(), record.tth(), record.created());
            }
            if let Some(trailer) = hit.trailer() {
                extensions(trailer.extensions().0);
                let _ = trailer.private.xml();
            }
        }
        Message::Vendor(vendor) => {
            let Ok(said) = vendor.read() else { return };
            let again = said.to_vendor();
            assert!(vendor.body.starts_with(&again.body), "{said:?}");
            match said {
                VendorMessage::HeadPong(pong) => drop(pong.report()),
                VendorMessage::HeadPing(ping) => drop((ping.urn(), ping.leaf())),
                VendorMessage::CrawlerPong(pong) => drop(pong.neighbours().count()),
                _ => {}
            }
        }
        _ => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (cut, kind) = (usize::from(script.byte()) + 1, Kind(script.byte()));
    let rest = script.rest();
    let (whole, end) = frames(rest, usize::MAX);
    assert_eq!(frames(rest, cut), (whole.clone(), end));
    let mut again = BytesMut::new();
    for frame in &whole {
        frame.encode(&mut again);
        message(frame.header.kind, &frame.payload);
        let _ = frame.header.stepped(7);
    }
    assert_eq!(again, rest[..again.len()]);
    let rest = Bytes::copy_from_slice(rest);
    let _ = Frame::from_datagram(rest.clone(), &SizeLimits::default());
    // As a payload of any kind, and of those that there are.
    for kind in [kind.0, 0x00, 0x01, 0x02, 0x30, 0x31, 0x40, 0x80, 0x81, 0xcd] {
        message(Kind(kind), &rest);
    }
    extensions(&rest);
    let _ = dime::parse(&rest);
    let _ = thex::TigerTree::from_dime(1 << 20, &thex::root(b""), &rest);
    let _ = Urn::parse(&rest);
    if let Ok(Ok(magnet)) = core::str::from_utf8(&rest).map(str::parse::<Magnet>) {
        assert_eq!(magnet.to_string().parse(), Ok(magnet));
    }
});
