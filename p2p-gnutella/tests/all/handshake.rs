//! Handshakes: two of ours in every pairing, what strangers write in their own way, and what a servent decides.

use bytes::{Bytes, BytesMut};
use p2p_core::Rng;
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::{
    Event, Greeting, Handshake, HandshakeError, Introduction, Link, Peer, Policy, Refusal, Role, Situation,
    Terms, Verdict, Version, greeting,
};
use p2p_gnutella::head::HeadReader;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn us(role: Role, seed: u64) -> Introduction {
    let mut us = Introduction::new(role, Guid::of_servent(&mut Rng::fast_from(seed)), "p2p/0.1");
    us.listens_at = Some("198.51.100.1:6346".parse().unwrap());
    us
}

/// Pushes bytes one at a time; what happened, and what was left.
fn push(handshake: &mut Handshake, bytes: &[u8]) -> Result<Option<Event>, HandshakeError> {
    let mut happened = None;
    for byte in bytes {
        let event = handshake.push(Bytes::copy_from_slice(&[*byte]))?;
        assert!(event.is_none() || happened.is_none(), "one event");
        happened = event.or(happened);
    }
    Ok(happened)
}

/// Two of ours meet: what each has in the end.
fn meet(dialler: &Introduction, other: &Introduction, terms: Terms) -> (Link, Link) {
    let (mut to, mut back) = (BytesMut::new(), BytesMut::new());
    let mut dialled = Handshake::dial(dialler, THERE, &mut to);
    let mut hears = Handshake::accept();
    assert!(matches!(push(&mut hears, &to), Ok(Some(Event::Asked))));
    assert!(hears.agree(other, THERE, terms, &mut back).is_none());
    assert!(matches!(push(&mut dialled, &back), Ok(Some(Event::Answered))));
    to.clear();
    let one = dialled.agree(dialler, THERE, terms, &mut to).unwrap();
    to.extend_from_slice(b"first bytes");
    let Ok(Some(Event::Linked(mut two))) = hears.push(to.freeze()) else { panic!() };
    assert_eq!(two.rest, "first bytes");
    two.rest = Bytes::new();
    (one, *two)
}

#[test]
fn every_pairing_agrees_on_both_sides() {
    for case in 0..256u32 {
        let bit = |at: u32| case >> at & 1 == 1;
        let (mut a, mut b) =
            (us(if bit(0) { Role::Leaf } else { Role::Ultrapeer }, 1), us(Role::Ultrapeer, 2));
        (a.accepts_deflate, a.sends_deflate, a.tls) = (bit(1), bit(2), bit(3));
        (b.accepts_deflate, b.sends_deflate, b.tls) = (bit(4), bit(5), bit(6));
        let (one, two) = meet(&a, &b, Terms { ultrapeer_needed: bit(7), become_leaf: false });
        assert_eq!((one.inflate, one.deflate), (two.deflate, two.inflate), "case {case}");
        assert_eq!((one.inflate, two.inflate), (bit(1) && bit(5), bit(2) && bit(4)));
        assert_eq!((one.tls, two.tls), (bit(3) && bit(6), bit(3) && bit(6)), "case {case}");
        assert_eq!((one.role, one.peer_role), (two.peer_role, two.role));
        assert_eq!((two.peer_role, one.old, two.old), (a.role, false, false));
        assert_eq!((one.peer.guid, two.peer.guid), (Some(b.guid), Some(a.guid)));
        assert_eq!(one.peer.ultrapeer_needed, Some(bit(7)));
        assert_eq!((two.peer.listens_at, two.peer.sees_us_at), (a.listens_at, Some(THERE)));
        assert!(one.peer.is_good() && two.peer.is_good());
        assert_eq!(one.peer.vendor_messages, Some(Version(0, 2)));
        assert!(one.peer.has_feature("Browse") && !one.peer.has_feature("rowse"));
    }
}

#[test]
fn an_ultrapeer_becomes_a_leaf() {
    let (one, two) = meet(
        &us(Role::Ultrapeer, 1),
        &us(Role::Ultrapeer, 2),
        Terms { become_leaf: true, ..Terms::default() },
    );
    assert_eq!((one.role, one.peer_role), (Role::Leaf, Role::Ultrapeer));
    assert_eq!((two.role, two.peer_role), (Role::Ultrapeer, Role::Leaf));
}

#[test]
fn both_dialects_are_answered_at_one_port() {
    let (mut to, mut back) = (BytesMut::new(), BytesMut::new());
    let mut dialled = Handshake::dial_old(&mut to);
    assert_eq!(&to[..], b"GNUTELLA CONNECT/0.4\n\n");
    let mut hears = Handshake::accept();
    assert!(matches!(push(&mut hears, &to), Ok(Some(Event::Asked))) && hears.is_old());
    let link = hears.agree(&us(Role::Ultrapeer, 1), THERE, Terms::default(), &mut back).unwrap();
    assert_eq!(
        (&back[..], link.old, link.inflate, link.deflate, link.tls),
        (&b"GNUTELLA OK\n\n"[..], true, false, false, false)
    );
    back.extend_from_slice(b"ping");
    let Ok(Some(Event::Linked(link))) = dialled.push(back.freeze()) else { panic!() };
    assert_eq!((link.old, &link.rest[..], link.peer), (true, &b"ping"[..], Peer::default()));
    // A refusal of 0.4 is the end of the connection, and nothing more.
    let mut hears = Handshake::accept();
    push(&mut hears, &to).unwrap();
    let mut out = BytesMut::new();
    hears.refuse(&us(Role::Ultrapeer, 1), THERE, &Refusal::new(503, "full"), &mut out);
    assert!(out.is_empty());
    // A later version is answered as 0.6, an earlier one not at all.
    for (version, taken) in
        [("0.6", true), ("0.7", true), ("1.0", true), ("0.5", false), ("0.3", false), ("x", false)]
    {
        let mut hears = Handshake::accept();
        let asked = push(&mut hears, format!("GNUTELLA CONNECT/{version}\r\n\r\n").as_bytes());
        assert_eq!(matches!(asked, Ok(Some(Event::Asked))), taken, "{version}: {asked:?}");
    }
}

#[test]
fn headers_are_written_in_many_ways() {
    // Newlines only, any case, folded, repeated, with and without spaces, and lines that are no headers.
    let came = b"GNUTELLA CONNECT/0.6\nuser-agent:  LimeWire/4.18.8  \nX-ULTRAPEER:false\nx-try-ultrapeers: 192.0.2.1:6346,\n\t192.0.2.2:6347 ,\r\n   [2001:db8::1]:6348\r\nX-Try-Ultrapeers: 192.0.2.3, 192.0.2.1:6346, nonsense\nno header at all\n: no name\nX-Degree: 32\nX-Degree: 31\nAccept-Encoding: gzip, Deflate\nX-Max-TTL: many\n\nrest";
    let mut hears = Handshake::accept();
    let Ok(Some(Event::Asked)) = hears.push(Bytes::from_static(came)) else { panic!() };
    let peer = hears.peer();
    assert_eq!(
        (peer.user_agent.as_deref(), peer.ultrapeer, peer.degree),
        (Some("LimeWire/4.18.8"), Some(false), Some(32))
    );
    assert_eq!((peer.accepts_deflate, peer.max_ttl), (true, None));
    let tries: Vec<String> = peer.ultrapeers.iter().map(SocketAddr::to_string).collect();
    assert_eq!(tries, ["192.0.2.1:6346", "192.0.2.2:6347", "[2001:db8::1]:6348", "192.0.2.3:6346"]);
    assert!(matches!(push(&mut hears, b"more"), Ok(None)));
}

#[test]
fn a_crawler_is_told() {
    let mut hears = Handshake::accept();
    push(&mut hears, b"GNUTELLA CONNECT/0.6\r\nCrawler: 0.1\r\nX-Ultrapeer: False\r\n\r\n").unwrap();
    let situation = Situation { leaf_place: false, ultrapeer_place: false, linked: false };
    let us = us(Role::Ultrapeer, 1);
    assert_eq!(Policy::default().judge(&us, hears.peer(), situation, false), Verdict::Crawl);
    let mut out = BytesMut::new();
    let (up, leaf): (SocketAddr, SocketAddr) =
        ("192.0.2.1:6346".parse().unwrap(), "[2001:db8::1]:1".parse().unwrap());
    hears.tell_crawler(&us, &[up, leaf], &[leaf], &mut out);
    // A crawler of ours reads it.
    let mut crawler = Handshake::dial(&us, THERE, &mut BytesMut::new());
    assert!(matches!(push(&mut crawler, &out), Ok(Some(Event::Answered))));
    assert_eq!((&crawler.peer().ultrapeers[..], &crawler.peer().others[..]), (&[up, leaf][..], &[leaf][..]));
}

#[test]
fn a_refusal_names_others() {
    let us = us(Role::Ultrapeer, 1);
    let (mut to, mut back) = (BytesMut::new(), BytesMut::new());
    let mut dialled = Handshake::dial(&us, THERE, &mut to);
    let mut hears = Handshake::accept();
    push(&mut hears, &to).unwrap();
    let tries = vec!["192.0.2.7:6346".parse().unwrap()];
    let refusal = Refusal { ultrapeers: tries.clone(), ..Refusal::new(503, "Too many\r\nleaves") };
    hears.refuse(&us, THERE, &refusal, &mut back);
    assert!(
        matches!(push(&mut dialled, &back), Ok(Some(Event::Refused(503, reason))) if reason == "Too many  leaves")
    );
    assert_eq!(dialled.peer().ultrapeers, tries);
    assert!(matches!(dialled.push(Bytes::from_static(b"x")), Err(HandshakeError::Turn)));
    // Who dialled refuses in the third leg.
    let (mut to, mut back) = (BytesMut::new(), BytesMut::new());
    let mut dialled = Handshake::dial(&us, THERE, &mut to);
    let mut hears = Handshake::accept();
    push(&mut hears, &to).unwrap();
    hears.agree(&us, THERE, Terms::default(), &mut back);
    push(&mut dialled, &back).unwrap();
    to.clear();
    dialled.refuse(&us, THERE, &Refusal::new(409, "Already connected"), &mut to);
    assert!(matches!(push(&mut hears, &to), Ok(Some(Event::Refused(409, _)))));
}

/// What gtk-gnutella does when it is asked: section 3 of what was measured.
#[test]
fn decisions_of_a_servent() {
    let ultrapeer = us(Role::Ultrapeer, 1);
    let free = Situation { leaf_place: true, ultrapeer_place: true, linked: false };
    let told = |headers: &str| {
        let mut hears = Handshake::accept();
        push(&mut hears, format!("GNUTELLA CONNECT/0.6\r\n{headers}\r\n").as_bytes()).unwrap();
        hears.peer().clone()
    };
    let judged = |policy: Policy, us: &Introduction, headers: &str, situation, dialled| match policy.judge(
        us,
        &told(headers),
        situation,
        dialled,
    ) {
        Verdict::Agree(Role::Leaf) => "leaf".to_owned(),
        Verdict::Agree(Role::Ultrapeer) => "ultrapeer".to_owned(),
        Verdict::Refuse(refusal) => format!("{} {}", refusal.code, refusal.reason),
        other => format!("{other:?}"),
    };
    let lax = Policy::default();
    let good = "X-Query-Routing: 0.2\r\nX-Ultrapeer-Query-Routing: 0.1\r\nX-Degree: 32\r\nX-Max-TTL: 4\r\nX-Dynamic-Querying: 0.1\r\nAccept-Encoding: deflate\r\n";
    let (leaf, up) = (format!("X-Ultrapeer: False\r\n{good}"), format!("X-Ultrapeer: True\r\n{good}"));
    assert_eq!(judged(lax, &ultrapeer, "", free, false), "403 Normal nodes refused");
    let mut old = lax;
    old.roles = false;
    assert_eq!(judged(old, &ultrapeer, "", free, false), "ultrapeer");
    let mut strict = lax;
    strict.deflate = true;
    assert_eq!(
        judged(strict, &ultrapeer, "X-Ultrapeer: True\r\n", free, false),
        "403 Gnet connection not compressed"
    );
    assert_eq!(
        judged(lax, &ultrapeer, "X-Ultrapeer: False\r\n", free, false),
        "403 Leaf without query routing"
    );
    assert_eq!(judged(lax, &ultrapeer, &leaf, free, false), "leaf");
    assert_eq!(judged(lax, &ultrapeer, &up, free, false), "ultrapeer");
    strict.good = true;
    assert_eq!(judged(strict, &ultrapeer, &up, free, false), "ultrapeer");
    for lacking in ["X-Degree: 14\r\n", "X-Max-TTL: 5\r\n"] {
        // The first line of a name counts.
        let bad = judged(strict, &ultrapeer, &format!("{lacking}{up}"), free, false);
        assert!(bad.starts_with("403 Lacks"), "{lacking}: {bad}");
    }
    let full = Situation { leaf_place: false, ultrapeer_place: false, linked: false };
    assert_eq!(judged(lax, &ultrapeer, &leaf, full, false), "503 Too many leaves");
    assert_eq!(judged(lax, &ultrapeer, &up, full, false), "503 Too many ultrapeers");
    let itself = format!("{up}GUID: {}\r\n", ultrapeer.guid);
    assert_eq!(judged(lax, &ultrapeer, &itself, free, false), "409 Connected to itself");
    let twice = Situation { linked: true, ..free };
    assert_eq!(judged(lax, &ultrapeer, &up, twice, false), "409 Already connected");
    // A leaf links to ultrapeers that it dials, and to nobody else.
    let we_leaf = us(Role::Leaf, 3);
    assert_eq!(judged(lax, &we_leaf, &up, free, true), "ultrapeer");
    assert_eq!(judged(lax, &we_leaf, &up, free, false), "503 I am a shielded leaf node");
    assert_eq!(judged(lax, &we_leaf, &leaf, free, true), "503 I am a shielded leaf node");
    // Leaf guidance.
    let guided = format!("{up}X-Ultrapeer-Needed: False\r\n");
    assert_eq!(judged(lax, &ultrapeer, &guided, free, true), "BecomeLeaf");
    assert_eq!(judged(lax, &ultrapeer, &guided, free, false), "ultrapeer");
    assert_eq!(judged(lax, &ultrapeer, &format!("{up}Crawler: 0.1\r\n"), full, false), "Crawl");
}

#[test]
fn a_port_for_all() {
    for (first, what) in [
        (&b"GNUTELLA CONNECT/0.6\r\n"[..], Greeting::Gnutella),
        (b"GET /uri-res/N2R?", Greeting::Http),
        (b"HEAD / HTTP/1.1", Greeting::Http),
        (b"GIV 0:", Greeting::Giv),
        (b"\n\n", Greeting::ConnectBack),
        (b"\x16\x03\x01\x02\x00", Greeting::Tls),
        (b"GNUTELLA/0.6 200 OK", Greeting::Unknown),
        (b"\r\n", Greeting::Unknown),
        (b"\x13BitTorrent protocol", Greeting::Unknown),
    ] {
        let known = (0..=first.len()).find_map(|len| greeting(&first[..len]).map(|greeting| (len, greeting)));
        let (len, found) = known.unwrap();
        assert_eq!(found, what, "{first:?}");
        assert!(len <= 17 && greeting(first) == Some(what), "it does not change its mind");
    }
    assert_eq!(greeting(b""), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_the_same_however_they_are_cut(
        lines in prop::collection::vec("([A-Za-z-]{1,12}: ?[ -~é]{0,30})|[ \\t][ -~]{0,20}|[ -~]{0,20}", 0..20),
        first in prop::sample::select(vec!["GNUTELLA CONNECT/0.6", "GNUTELLA/0.6 200 OK", "GNUTELLA OK", "GNUTELLA CONNECT/0.4", "GET / HTTP/1.1", "?"]),
        end in prop::sample::select(vec!["\r\n", "\n"]),
        cut in 1usize..50,
    ) {
        let text = [&[first.to_owned()], &lines[..], &[String::new(), String::new()]].concat().join(end);
        let read = |cut: usize| {
            let (mut reader, mut heads) = (HeadReader::new(), Vec::new());
            for part in text.as_bytes().chunks(cut) {
                let mut input = Bytes::copy_from_slice(part);
                match reader.read(&mut input) {
                    Ok(Some(head)) => {
                        heads.push(Ok(head));
                        break;
                    }
                    Ok(None) => assert!(input.is_empty()),
                    Err(why) => {
                        heads.push(Err(why));
                        break;
                    }
                }
            }
            heads
        };
        let whole = read(usize::MAX);
        prop_assert_eq!(&read(cut), &whole);
        prop_assert_eq!(whole.len(), 1);
        if let Ok(head) = &whole[0] {
            Peer::default().learn(&head.headers);
        }
        let hear = |cut: usize| {
            let mut hears = Handshake::accept();
            let events = text.as_bytes().chunks(cut).map(|part| push(&mut hears, part));
            events.filter(|event| !matches!(event, Ok(None))).map(|event| event.map(|_| ()).map_err(|why| why.to_string())).next()
        };
        prop_assert_eq!(hear(cut), hear(usize::MAX));
    }

    #[test]
    fn any_legs_in_any_order(legs in prop::collection::vec(prop::sample::select(vec![
        "GNUTELLA CONNECT/0.6\r\n\r\n", "GNUTELLA CONNECT/0.4\n\n", "GNUTELLA/0.6 200 OK\r\n\r\n", "GNUTELLA/0.6 503 no\r\n\r\n",
        "GNUTELLA OK\n\n", "X", "GNUTELLA/0.6 200", "\r\n\r\n",
    ]), 0..6), answers in any::<u8>(), dial in any::<bool>()) {
        let us = us(Role::Ultrapeer, 1);
        let mut out = BytesMut::new();
        let mut handshake = if dial { Handshake::dial(&us, THERE, &mut out) } else { Handshake::accept() };
        for (at, leg) in legs.iter().enumerate() {
            match handshake.push(Bytes::from_static(leg.as_bytes())) {
                Ok(None) => {}
                Ok(Some(Event::Asked | Event::Answered)) if answers >> at & 1 == 1 => {
                    handshake.agree(&us, THERE, Terms::default(), &mut out);
                }
                _ => break,
            }
        }
    }
}
