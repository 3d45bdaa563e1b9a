//! What users say on the data port: as recorded, whole and byte by byte, and as nobody should say it.

use bytes::BytesMut;
use p2p_napster::transfer::wire::{
    GREETING, LINE_MAX, ListItem, ListReader, REQUEST_MAX, Read, Refusal, Reply, Request, TransferError,
    put_list_end, put_list_file, put_list_nick, put_reply, put_send_list, read_greeting, read_reply,
    read_request,
};
use p2p_napster::wire::message::SharedFile;
use proptest::prelude::*;

use crate::capture::{Conversation, From, conversations};

/// The recordings with data connections.
const RECORDED: [&str; 5] = [
    "02-share-search-get-browse-whois",
    "03-firewalled-push",
    "04-teknap-both-sides",
    "11-teknap-data-port-cases",
    "12-mp3napster-data-port-cases",
];

/// A request as its arguments on the wire, and how much was read.
fn shown(read: Result<Read<Request<'_>>, TransferError>) -> String {
    let text = |request: Request<'_>| {
        let mut out = BytesMut::from(request.verb());
        out.extend_from_slice(b"|");
        request.put_arguments(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    match read {
        Ok(Read::Incomplete) => "incomplete".into(),
        Ok(Read::Maybe(request, _) | Read::Done(request, _)) => text(request),
        Err(error) => format!("{error:?}"),
    }
}

/// What a dialler says, as a listener reads it: all at once, and the same byte by byte.
fn request(conversation: &Conversation) -> String {
    let said = conversation.sent_by(From::Client);
    let said = &said[..said.len().min(200)];
    let whole = shown(read_request(said));
    // Byte by byte, a reader that waits as long as more digits may follow comes to the same.
    let settled = (1..=said.len())
        .map(|len| read_request(&said[..len]))
        .find(|read| matches!(read, Ok(Read::Done(..)) | Err(_)))
        .unwrap_or_else(|| read_request(said));
    assert_eq!(shown(settled), whole);
    whole
}

#[test]
fn what_was_recorded_is_read() {
    let mut requests = Vec::new();
    for name in RECORDED {
        for conversation in conversations(name) {
            if !(6600..6800).contains(&conversation.server.port()) {
                continue;
            }
            let answered = conversation.sent_by(From::Server);
            assert_eq!(read_greeting(&answered), Ok(Some(())), "every listener greets");
            let answer = &answered[1..];
            let reply = match read_reply(answer, Some(40_000)) {
                Ok(Read::Done(Reply::Number(number), len) | Read::Maybe(Reply::Number(number), len)) => {
                    let payload = answer.len() - len;
                    assert!(payload == 0 || payload == 40_000 || payload == 10, "{payload}");
                    number.to_string()
                }
                Ok(Read::Done(Reply::Refused(refusal), _)) => refusal.to_string(),
                // Byte by byte: only a list, or nothing, is no reply.
                other => format!("{other:?}"),
            };
            requests.push(format!("{} -> {reply}", request(&conversation)));
        }
    }
    let tek = r#""\srv\napster\tek\up\Tek Band - Tek Song.mp3""#;
    let zed = r#""Z:\nap\Generic Band - Generic Song.mp3""#;
    let no = "the request is invalid";
    let odd = |song: &str| {
        vec![
            format!("GET|dl {song} 0"),
            // Both in one segment: real clients refuse it, we would not.
            format!("GET|dl {song} 0"),
            format!("GET|dl {song} 0"),
            format!("GET|dl {song} 39990"),
            format!("GET|dl {song} 99999"),
            "Number".into(),
            r#"GET|dl "nosuch.mp3" 0"#.into(),
            format!("GET|stranger {song} 0"),
            r#"GET|dl "../../../../etc/passwd" 0"#.into(),
            r#"GET|dl "/etc/passwd" 0"#.into(),
            "Verb".into(),
            "Arguments".into(),
            "GETLIST|".into(),
            "GETLIST|".into(),
            "SENDLIST|".into(),
            "incomplete".into(),
        ]
    };
    let (list, none) = ("Err(Number)", "Ok(Incomplete)");
    // The last listener greets once more when the dialler is gone.
    let answers11 = ["40000", no, no, no, none, no, no, no, no, no, none, no, list, list, none, "1"];
    let answers12 =
        ["40000", no, none, "40000", no, none, no, no, no, no, none, none, none, none, none, none];
    let mut expected = vec![
        format!("GET|downloader {zed} 0 -> 40000"),
        // The push: the answer is the offset.
        r#"SEND|uploader "Generic Band - Generic Song.mp3" 40000 -> 0"#.into(),
        format!("GET|tek2 {tek} 0 -> 40000"),
        format!("GETLIST| -> {list}"),
    ];
    for (song, answers) in [(tek, answers11), (zed, answers12)] {
        expected.extend(odd(song).iter().zip(answers).map(|(asked, got)| format!("{asked} -> {got}")));
    }
    assert_eq!(requests, expected);
}

#[test]
fn a_recorded_list_is_read() {
    let all = conversations("11-teknap-data-port-cases");
    let asked = |conversation: &&Conversation| conversation.sent_by(From::Client) == b"GETLIST";
    let said = all.iter().find(asked).unwrap().sent_by(From::Server);
    let list = said.strip_prefix(&[GREETING]).unwrap();
    for piece in [1, 5, usize::MAX] {
        let (mut reader, mut items, mut done) = (ListReader::new(), Vec::new(), false);
        for piece in list.chunks(piece) {
            done = reader.push(piece, |item| items.push(format!("{item:?}"))).unwrap();
        }
        assert!(done && reader.skipped() == 0);
        let file = SharedFile {
            name: br"\srv\napster\tek\up\Tek Band - Tek Song.mp3",
            md5: b"NOMD5COMPUTED",
            size: 40_000,
            bitrate: 128,
            frequency: 44_100,
            seconds: 2,
        };
        assert_eq!(file.digest(), None);
        assert_eq!(items, [format!("{:?}", ListItem::Nick(b"tek1")), format!("{:?}", ListItem::File(file))]);
        let mut written = BytesMut::from(&b"SENDLIST\n"[..]);
        put_list_nick(&mut written, b"tek1");
        put_list_file(&mut written, &file);
        put_list_end(&mut written);
        assert_eq!(written, list);
    }
}

#[test]
fn a_pushed_list_is_read_from_its_verb_on() {
    let mut list = BytesMut::new();
    put_send_list(&mut list, b"shy");
    list.extend_from_slice(
        b"\"a \"quoted\" name.mp3\" 0 1 2 3 4\n\"b\nc.mp3\" 0 1 2 3 4\n\"d.mp3\" 0 1 2 3 4\n\n1",
    );
    let mut said = Vec::new();
    assert_eq!(read_request(&list), Ok(Read::Done(Request::SendList, 0)));
    let mut reader = ListReader::new();
    let done = reader.push(&list, |item| said.push(format!("{item:?}"))).unwrap();
    assert!(done && said.len() == 2 && reader.skipped() == 3, "{said:?}");
    let long = vec![b'x'; LINE_MAX + 1];
    assert_eq!(ListReader::new().push(&long, |_| ()), Err(TransferError::TooLong(LINE_MAX)));
}

#[test]
fn a_size_ends_where_the_expected_one_does() {
    // A file that begins with digits, behind a size that has no end.
    let read = |text: &[u8], expected| read_reply(text, expected).unwrap();
    assert_eq!(read(b"4000012345", Some(40_000)), Read::Done(Reply::Number(40_000), 5));
    assert_eq!(read(b"4000012345", None), Read::Maybe(Reply::Number(4_000_012_345), 10));
    assert_eq!(read(b"40000ID3", Some(50_000)), Read::Done(Reply::Number(40_000), 5));
    assert_eq!(read(b"400", Some(40_000)), Read::Maybe(Reply::Number(400), 3));
    assert_eq!(read(b"0", None), Read::Done(Reply::Number(0), 1));
    assert_eq!(read(b"0123", None), Read::Done(Reply::Number(0), 1));
    assert_eq!(read(b"", None), Read::Incomplete);
    assert_eq!(read(b"FILE NOT", Some(1)), Read::Incomplete);
    for refusal in Refusal::ALL {
        let mut text = BytesMut::new();
        put_reply(&mut text, Reply::Refused(refusal));
        assert_eq!(read(&text, None), Read::Done(Reply::Refused(refusal), 15));
    }
    assert_eq!(read_reply(b"-5", None), Err(TransferError::Number));
    assert_eq!(read_reply(b"99999999999999999999999", None), Err(TransferError::Number));
    assert_eq!(read_greeting(b"2"), Err(TransferError::Greeting));
    assert_eq!(read_greeting(b""), Ok(None));
}

#[test]
fn users_may_be_named_like_verbs() {
    let done = |text: &[u8]| shown(read_request(text));
    assert_eq!(done(br#"GETLISTener "a b" 7"#), r#"GET|LISTener "a b" 7"#);
    assert_eq!(done(br#"GETLIST "a b" 7"#), r#"GET|LIST "a b" 7"#);
    assert_eq!(done(br#"SENDLIST "a b" 7"#), r#"SEND|LIST "a b" 7"#);
    assert_eq!(done(b"GETLIST\r\n"), "GETLIST|");
    assert_eq!(done(b"SENDLIST"), "incomplete");
    let long = [&b"GET"[..], &vec![b'x'; REQUEST_MAX]].concat();
    assert_eq!(read_request(&long), Err(TransferError::TooLong(REQUEST_MAX)));
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>().prop_filter("a quote", |byte| *byte != b'"'), 1..40)
}

fn nick() -> impl Strategy<Value = Vec<u8>> {
    "[a-zA-Z0-9_]{1,12}".prop_map(String::into_bytes)
}

proptest! {
    #[test]
    fn requests_come_back(nick in nick(), file in name(), number: u64, is_push: bool) {
        let (nick, file) = (&nick[..], &file[..]);
        let request = if is_push {
            Request::Upload { nick, file, size: number }
        } else {
            Request::Download { nick, file, offset: number }
        };
        let mut out = BytesMut::from(request.verb());
        request.put_arguments(&mut out);
        let len = out.len();
        prop_assert!(matches!(
            read_request(&out),
            Ok(Read::Maybe(read, used) | Read::Done(read, used)) if read == request && used == len
        ));
        // Whatever part has come, it is never an error, and never another request than one with fewer digits.
        for part in 0..len {
            match read_request(&out[..part]) {
                Ok(Read::Maybe(Request::Upload { file: other, .. } | Request::Download { file: other, .. }, _)) => {
                    prop_assert_eq!(other, file)
                }
                Ok(Read::Incomplete | Read::Maybe(..)) => {}
                other => prop_assert!(false, "{:?} of {:?}", other, &out[..part]),
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), verb in 0usize..5) {
        let text = [[&b"GET"[..], b"SEND", b"GETLIST", b"SENDLIST ", b""][verb], &bytes].concat();
        if let Ok(Read::Maybe(_, len) | Read::Done(_, len)) = read_request(&text) {
            prop_assert!(len <= text.len());
        }
        for expected in [None, Some(40_000)] {
            if let Ok(Read::Maybe(_, len) | Read::Done(_, len)) = read_reply(&bytes, expected) {
                prop_assert!(len <= bytes.len());
            }
        }
        let mut reader = ListReader::new();
        let mut files = 0;
        let _ = reader.push(&bytes, |_| files += 1);
        prop_assert!(files <= bytes.len());
    }
}
