//! Heads and header values, as they come in pieces, as junk, and as gtk-gnutella wrote them.

use bytes::Bytes;
use p2p_core::http::{HeadError, Headers};
use p2p_gnutella::Guid;
use p2p_gnutella::head::{Head, HeadReader};
use p2p_gnutella::transfer::http::{
    Asked, Place, address, alternates, available_ranges, parse_giv, ranges_text,
};
use proptest::prelude::*;

/// The head of bytes that come in pieces of `step`, and what is left behind it.
fn read(bytes: &[u8], step: usize) -> Result<Option<(Head, usize)>, HeadError> {
    let mut reader = HeadReader::default();
    let mut used = 0;
    for piece in bytes.chunks(step) {
        let mut input = Bytes::copy_from_slice(piece);
        let head = reader.read(&mut input)?;
        used += piece.len() - input.len();
        if let Some(head) = head {
            return Ok(Some((head, bytes.len() - used)));
        }
    }
    Ok(None)
}

fn headers(lines: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    lines.iter().for_each(|(name, value)| headers.push(name, value));
    headers
}

#[test]
fn old_and_odd_heads() {
    let text = b"\r\nGET /get/7/a song of spaces.mp3 HTTP/1.1\nHost: x\nX-Long: one\n\ttwo\n  three\nno header\n: nameless\nX-Empty:\n\nrest";
    for step in [1, 7, 1_000] {
        let (head, left) = read(text, step).unwrap().unwrap();
        assert_eq!(left, 4);
        let request = head.into_request().unwrap();
        assert_eq!(Asked::of(&request.target), Asked::Numbered(7, "a song of spaces.mp3".into()));
        assert_eq!(request.headers.get("x-long"), Some("one two three"));
        assert_eq!((request.headers.len(), request.headers.get("x-empty")), (3, Some("")));
    }
    for (line, status) in [("HTTP 200 OK", 200), ("HTTP/1.1 503 Queued (slot 1)", 503), ("HTTP/1.0 404", 404)]
    {
        let (head, _) = read(format!("{line}\r\nA: b\r\n\r\n").as_bytes(), 5).unwrap().unwrap();
        assert_eq!(head.into_response().unwrap().status, status);
    }
    for line in
        ["HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "ICY 200 OK", "200 OK", "GNUTELLA/0.6 200 OK"]
    {
        let (head, _) = read(format!("{line}\r\n\r\n").as_bytes(), 5).unwrap().unwrap();
        assert!(head.into_response().is_err(), "{line}");
    }
    for line in ["GET /", "GET HTTP/1.1", "get / HTTP/1.1", "GET / HTTP/2.0", " / HTTP/1.1", "/"] {
        let (head, _) = read(format!("{line}\r\n\r\n").as_bytes(), 5).unwrap().unwrap();
        assert!(head.into_request().is_err(), "{line}");
    }
}

#[test]
fn targets() {
    let sha1 = "urn:sha1:WWGRI4MKNVGVEZJPP76TXPECPUNWOJXP";
    let urn = sha1.parse().unwrap();
    assert_eq!(Asked::of(&format!("/uri-res/N2R?{sha1}")), Asked::Content(urn));
    assert_eq!(Asked::of(&format!("/URI-RES/n2r?{}", sha1.to_lowercase())), Asked::Content(urn));
    assert_eq!(Asked::of(&format!("/uri-res/N2R?{}", sha1.replace(':', "%3A"))), Asked::Content(urn));
    assert_eq!(Asked::of(&format!("/uri-res/{sha1}")), Asked::Content(urn));
    assert_eq!(Asked::of(&format!("/uri-res/N2X?{sha1}")), Asked::Tree(urn));
    assert_eq!(Asked::of("/"), Asked::Browse);
    assert_eq!(Asked::of("/get/1/100%.mp3"), Asked::Numbered(1, "100%.mp3".into()));
    assert_eq!(Asked::of("/get/1/../../etc/passwd"), Asked::Numbered(1, "../../etc/passwd".into()));
    let guid = Guid(*b"0123456789abcdef");
    for text in [guid.to_base32(), guid.to_string()] {
        assert_eq!(Asked::of(&format!("/gnutella/push-proxy?guid={text}&file=5")), Asked::PushProxy(guid, 5));
    }
    for other in [
        "/get/x/y",
        "/get/4294967296/y",
        "/get/1",
        "/uri-res/N2R?urn:sha1:short",
        "",
        "*",
        "/gnutella/push-proxy?guid=1",
    ] {
        assert_eq!(Asked::of(other), Asked::Other, "{other:?}");
    }
}

#[test]
fn places_in_queues() {
    let limewire = headers(&[("X-Queue", "position=2,length=10,limit=4,pollMin=45,pollMax=120")]);
    let place = Place::of(&limewire).unwrap();
    assert_eq!((place.position, place.length, place.poll_min.unwrap().as_secs()), (2, Some(10), 45));
    let gtkg = headers(&[(
        "X-Queued",
        "ID=396f965e13f020db9ac589e73ccae8d9; position=3; lifetime=99; length=7; ETA=60",
    )]);
    let place = Place::of(&gtkg).unwrap();
    assert_eq!((place.position, place.id.as_deref()), (3, Some("396f965e13f020db9ac589e73ccae8d9")));
    assert_eq!(place.poll_max.unwrap().as_secs(), 99);
    for none in ["0.1", "position=-1", "position=99999999999", "", "length=5", "ID=396f"] {
        assert_eq!(Place::of(&headers(&[("X-Queue", none)])), None, "{none}");
    }
}

#[test]
fn ranges_and_addresses() {
    let of = |text: &str| available_ranges(&headers(&[("X-Available-Ranges", text)]));
    assert_eq!(of("bytes 0-9,20-29"), Some(vec![0..10, 20..30]));
    assert_eq!(of("bytes=20-29, 5-9,0-4,junk,9-5,1-18446744073709551615"), Some(vec![0..10, 20..30]));
    assert_eq!((of("bytes"), available_ranges(&Headers::new())), (Some(vec![]), None));
    let many: String = (0..10_000).map(|at| format!("{}-{},", at * 2, at * 2)).collect();
    assert!(of(&many).unwrap().len() <= 128);
    assert_eq!(address("[2001:db8::1]").unwrap().port(), 6346);
    let list = "1.2.3.4, 5.6.7.8:99,tls=40,0.0.0.0,224.0.0.1,[2001:db8::1]:5";
    let old = "http://9.9.9.9:7/uri-res/N2R?urn:sha1:X 2004-01-01T00:00Z";
    let found = alternates(&headers(&[("X-Alt", list), ("X-Alt", old)]), "x-alt");
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["1.2.3.4:6346", "5.6.7.8:99", "[2001:db8::1]:5", "9.9.9.9:7"]);
    let giv = "GIV 0:e733310201148172f3c9e0a34f943dee/file";
    assert_eq!(parse_giv(giv).unwrap().1.to_string(), "e733310201148172f3c9e0a34f943dee");
    for junk in [
        "GIV 0:e733/file",
        "GIV :e733310201148172f3c9e0a34f943dee/",
        "GIV 0e733310201148172f3c9e0a34f943dee",
        "GIV 0:é733310201148172f3c9e0a34f943de/",
    ] {
        assert_eq!(parse_giv(junk), None, "{junk}");
    }
}

proptest! {
    #[test]
    fn heads_do_not_depend_on_how_they_are_cut(lines in prop::collection::vec("[A-Za-z-]{1,8}: ?[ -~]{0,12}", 0..8), step in 1usize..40) {
        let text = format!("GET / HTTP/1.1\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        prop_assert_eq!(read(text.as_bytes(), step), read(text.as_bytes(), 10_000));
        let (head, left) = read(text.as_bytes(), step).unwrap().unwrap();
        prop_assert_eq!((head.headers.len(), left), (lines.len(), 0));
    }

    #[test]
    fn junk_never_panics_and_nothing_grows(junk in prop::collection::vec(prop::sample::select(&b"GETHP/1.: \r\n\x00\xc3=,;-0"[..]), 0..400), step in 1usize..50) {
        if let Ok(Some((head, _))) = read(&junk, step) {
            let _ = head.clone().into_request().map(|request| Asked::of(&request.target));
            let _ = head.into_response();
        }
        let text = String::from_utf8_lossy(&junk);
        let all = headers(&[("X-Alt", &text), ("X-Queue", &text), ("X-Available-Ranges", &text)]);
        let ranges = available_ranges(&all).unwrap();
        prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
        let _ = (alternates(&all, "x-alt"), Place::of(&all), parse_giv(&text), Asked::of(&text));
    }

    #[test]
    fn ranges_come_back(starts in prop::collection::btree_set(0u64..1_000, 1..60)) {
        let ranges: Vec<_> = starts.iter().map(|start| start * 10..start * 10 + 5).collect();
        let text = ranges_text(&ranges);
        prop_assert_eq!(available_ranges(&headers(&[("X-Available-Ranges", &text)])), Some(ranges));
    }
}
