//! The HTTP tracker protocol: queries, and bencoded answers (BEP 3, 7, 23, 24, 31, 48).

use super::{Announce, AnnounceReply, Event, Reply, Retry, Scraped, TEXT_MOST};
use crate::bencode::{self, Dict, Doc, Encoder, Mode, Value};
use crate::{InfoHash, PeerId, compact};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use p2p_core::Duration;
use p2p_core::http::Url;

/// Most info-hashes of one scrape that are looked at: their encoded hashes alone fill 4 kB.
pub const SCRAPE_MOST: usize = 64;
/// Longest tracker id that is kept and repeated, in bytes.
pub const TRACKER_ID_MOST: usize = 128;

/// Why a query is not an announce or a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A key is missing.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A value is not of its kind: not 20 bytes, not a number, not well encoded.
    #[error("invalid {0}")]
    Invalid(&'static str),
    /// More info-hashes than [`SCRAPE_MOST`].
    #[error("too many info_hash")]
    TooMany,
}

/// Why a body is not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// Not bencode.
    #[error(transparent)]
    Bencode(#[from] bencode::Error),
    /// Bencode, but not of this protocol.
    #[error("no {0} in the answer")]
    Missing(&'static str),
}

/// Adds an announce to a tracker's URL.
pub fn push_announce(url: &mut Url, announce: &Announce) {
    url.push_param("info_hash", &announce.info_hash.0);
    url.push_param("peer_id", &announce.peer_id.0);
    let mut number = String::with_capacity(20);
    let mut push = |url: &mut Url, key: &str, value: u64| {
        number.clear();
        let _ = write!(number, "{value}");
        url.push_param(key, number.as_bytes());
    };
    push(url, "port", announce.port.into());
    push(url, "uploaded", announce.uploaded);
    push(url, "downloaded", announce.downloaded);
    if let Some(left) = announce.left {
        push(url, "left", left);
    }
    push(url, "compact", announce.compact.into());
    if announce.no_peer_id {
        push(url, "no_peer_id", 1);
    }
    if let Some(want) = announce.want {
        push(url, "numwant", want.into());
    }
    if let Some(event) = announce.event.word() {
        url.push_param("event", event.as_bytes());
    }
    if let Some(key) = announce.key {
        number.clear();
        let _ = write!(number, "{key:08x}");
        url.push_param("key", number.as_bytes());
    }
    if let Some(ip) = announce.ip {
        number.clear();
        let _ = write!(number, "{ip}");
        url.push_param("ip", number.as_bytes());
    }
    if let Some(id) = &announce.tracker_id {
        url.push_param("trackerid", id);
    }
}

/// Adds info-hashes to a scrape URL.
pub fn push_scrape(url: &mut Url, hashes: &[InfoHash]) {
    for hash in hashes.iter().take(SCRAPE_MOST) {
        url.push_param("info_hash", &hash.0);
    }
}

/// The URL to scrape at (BEP 48): `announce`, where it begins the last part of the path, made `scrape`; `None` if it
/// does not begin it.
#[must_use]
pub fn scrape_url(announce: &Url) -> Option<Url> {
    let path = announce.path();
    let slash = path.rfind('/')? + 1;
    let (before, last) = announce.path_and_query.split_at_checked(slash)?;
    let rest = last.strip_prefix("announce")?;
    let mut url = announce.clone();
    url.path_and_query = [before, "scrape", rest].concat();
    Some(url)
}

/// The value of a hexadecimal digit.
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Decodes `%XX` once, into no more than `into` holds; the number of bytes.
fn unescape(text: &[u8], into: &mut [u8]) -> Option<usize> {
    let (mut text, mut len) = (text.iter().copied(), 0);
    while let Some(byte) = text.next() {
        let byte = if byte == b'%' { digit(text.next()?)? << 4 | digit(text.next()?)? } else { byte };
        *into.get_mut(len)? = byte;
        len += 1;
    }
    Some(len)
}

fn twenty(text: &[u8]) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    (unescape(text, &mut bytes) == Some(20)).then_some(bytes)
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = |value: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, digits) }
}

fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default())
    })
}

/// Reads the query of an announce: what follows `?`. Of a key that comes twice the last one counts; a negative
/// `numwant` is none, a negative or absent `left` means that the client does not know.
///
/// # Errors
/// If `info_hash`, `peer_id` or `port` are not there, or something is not what it should be.
pub fn parse_announce(query: &[u8]) -> Result<Announce, QueryError> {
    let (mut info_hash, mut peer_id, mut port) = (None, None, None);
    let mut announce = Announce::new(InfoHash([0; 20]), PeerId([0; 20]), 0);
    // Who asks for nothing in particular gets what every client of today takes.
    for (key, value) in pairs(query) {
        let need = |name| number(value).ok_or(QueryError::Invalid(name));
        match key {
            b"info_hash" => info_hash = Some(twenty(value).ok_or(QueryError::Invalid("info_hash"))?),
            b"peer_id" => peer_id = Some(twenty(value).ok_or(QueryError::Invalid("peer_id"))?),
            b"port" => {
                let number = need("port")?;
                port = Some(u16::try_from(number).map_err(|_| QueryError::Invalid("port"))?);
            }
            b"uploaded" => announce.uploaded = need("uploaded")?,
            b"downloaded" => announce.downloaded = need("downloaded")?,
            b"left" if value.first() != Some(&b'-') => announce.left = Some(need("left")?),
            b"compact" => announce.compact = value != b"0",
            b"no_peer_id" => announce.no_peer_id = value != b"0",
            b"numwant" if value.first() != Some(&b'-') && !value.is_empty() => {
                announce.want = Some(u32::try_from(need("numwant")?).unwrap_or(u32::MAX));
            }
            b"event" => announce.event = Event::from_word(value),
            b"key" => announce.key = key_of(value),
            b"ip" => announce.ip = ip_of(value),
            b"trackerid" => {
                let mut id = [0; TRACKER_ID_MOST];
                let len = unescape(value, &mut id).ok_or(QueryError::Invalid("trackerid"))?;
                announce.tracker_id = id.get(..len).map(Into::into);
            }
            _ => {}
        }
    }
    announce.info_hash = InfoHash(info_hash.ok_or(QueryError::Missing("info_hash"))?);
    announce.peer_id = PeerId(peer_id.ok_or(QueryError::Missing("peer_id"))?);
    announce.port = port.ok_or(QueryError::Missing("port"))?;
    Ok(announce)
}

/// A key is opaque; as most clients send hexadecimal digits, those are read, all else is not kept.
fn key_of(value: &[u8]) -> Option<u32> {
    u32::from_str_radix(str::from_utf8(value).ok()?, 16).ok()
}

fn ip_of(value: &[u8]) -> Option<IpAddr> {
    let mut text = [0; 64];
    let len = unescape(value, &mut text)?;
    str::from_utf8(text.get(..len)?).ok()?.parse().ok()
}

/// Reads the query of a scrape. None at all would be a scrape of everything, which nobody needs to answer.
///
/// # Errors
/// If there is no info-hash, too many, or something that is none.
pub fn parse_scrape(query: &[u8]) -> Result<Vec<InfoHash>, QueryError> {
    let mut hashes = Vec::new();
    for (_, value) in pairs(query).filter(|(key, _)| *key == b"info_hash") {
        if hashes.len() == SCRAPE_MOST {
            return Err(QueryError::TooMany);
        }
        hashes.push(InfoHash(twenty(value).ok_or(QueryError::Invalid("info_hash"))?));
    }
    if hashes.is_empty() { Err(QueryError::Missing("info_hash")) } else { Ok(hashes) }
}

/// The peers of an announce answer, in one of the two forms.
#[derive(Debug, Clone, Copy)]
pub enum Peers<'a> {
    /// Runs of 6 and of 18 bytes (BEP 23, BEP 7).
    Compact {
        /// 6 bytes each.
        v4: &'a [u8],
        /// 18 bytes each; the key is left out if there are none.
        v6: &'a [u8],
    },
    /// A dictionary each (BEP 3).
    Full {
        /// Who, and where.
        peers: &'a [(PeerId, SocketAddr)],
        /// Whether the peer ids are left out.
        no_peer_id: bool,
    },
}

/// Appends an answer to an announce. Peers are those given beside `reply`, not those in it: a server has them in bytes.
pub fn encode_announce(reply: &AnnounceReply, peers: Peers<'_>, into: &mut BytesMut) {
    let optional = |dict: &mut Dict<'_>, key: &str, value: Option<u64>| {
        if let Some(value) = value {
            dict.int(key, i64::try_from(value).unwrap_or(i64::MAX));
        }
    };
    Encoder::new(into).dict(|dict| {
        optional(dict, "complete", reply.complete);
        match reply.external_ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => dict.bytes("external ip", ip.octets()),
            Some(IpAddr::V6(ip)) => dict.bytes("external ip", ip.octets()),
            None => {}
        }
        optional(dict, "incomplete", reply.incomplete);
        optional(dict, "interval", reply.interval);
        optional(dict, "min interval", reply.min_interval);
        match peers {
            Peers::Compact { v4, v6 } => {
                dict.bytes("peers", v4);
                if !v6.is_empty() {
                    dict.bytes("peers6", v6);
                }
            }
            Peers::Full { peers, no_peer_id } => dict.list("peers", |list| {
                for (id, addr) in peers {
                    list.dict(|peer| {
                        let mut text = String::new();
                        let _ = write!(text, "{}", addr.ip().to_canonical());
                        peer.bytes("ip", text);
                        if !no_peer_id {
                            peer.bytes("peer id", id);
                        }
                        peer.int("port", addr.port().into());
                    });
                }
            }),
        }
        if let Some(id) = &reply.tracker_id {
            dict.bytes("tracker id", id);
        }
        if let Some(warning) = &reply.warning {
            dict.bytes("warning message", warning);
        }
    });
}

/// Appends a refusal.
pub fn encode_failure(reason: &str, retry: Option<Retry>, into: &mut BytesMut) {
    Encoder::new(into).dict(|dict| {
        dict.bytes("failure reason", reason);
        match retry {
            Some(Retry::Never) => dict.bytes("retry in", "never"),
            // Whole minutes, rounded up: BEP 31 has no other.
            Some(Retry::After(after)) => {
                dict.int("retry in", i64::try_from(after.as_secs().div_ceil(60)).unwrap_or(i64::MAX));
            }
            None => {}
        }
    });
}

/// Appends an answer to a scrape. The hashes must be sorted and unique.
pub fn encode_scrape(counts: &[(InfoHash, Scraped)], into: &mut BytesMut) {
    let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Encoder::new(into).dict(|dict| {
        dict.dict("files", |files| {
            for (hash, counts) in counts {
                files.dict(hash, |file| {
                    file.int("complete", int(counts.complete));
                    file.int("downloaded", int(counts.downloaded));
                    file.int("incomplete", int(counts.incomplete));
                });
            }
        });
    });
}

/// What an answer may ask of its reader: a table of 200,000 values is 2.4 MB, and peers in dictionaries take seven each.
const REPLY_LIMITS: bencode::Limits = bencode::Limits { bytes: 4 << 20, depth: 16, tokens: 200_000 };

fn text(value: Value<'_>) -> Option<String> {
    let bytes = value.as_bytes()?;
    Some(String::from_utf8_lossy(bytes.get(..TEXT_MOST).unwrap_or(bytes)).into_owned())
}

fn failure(root: &Value<'_>) -> Option<(String, Option<Retry>)> {
    let reason = root.get("failure reason").and_then(text)?;
    let retry = root.get("retry in").and_then(|retry| match retry.as_bytes() {
        Some(b"never") => Some(Retry::Never),
        // BEP 31 says an integer; its example writes a string of digits.
        Some(digits) => number(digits).map(minutes),
        None => retry.as_u64().map(minutes),
    });
    Some((reason, retry))
}

const fn minutes(n: u64) -> Retry {
    Retry::After(Duration::from_secs(n.saturating_mul(60)))
}

/// Reads the answer to an announce. At most `most` peers are kept, however many it names; those at no usable address
/// are passed over.
///
/// # Errors
/// If it is not one.
pub fn decode_announce(body: &[u8], most: usize) -> Result<Reply, ReplyError> {
    let doc = Doc::parse(body, &REPLY_LIMITS, Mode::Lenient)?;
    let root = doc.root();
    if let Some((reason, retry)) = failure(&root) {
        return Ok(Reply::Failure { reason, retry });
    }
    let mut reply = AnnounceReply::default();
    let mut has_peers = false;
    let entries = root.as_dict().ok_or(ReplyError::Missing("dictionary"))?;
    let (mut v4, mut v6): (Vec<SocketAddr>, Vec<SocketAddr>) = (Vec::new(), Vec::new());
    for (key, value) in entries {
        match key {
            b"interval" => reply.interval = value.as_u64(),
            b"min interval" => reply.min_interval = value.as_u64(),
            b"complete" => reply.complete = value.as_u64(),
            b"incomplete" => reply.incomplete = value.as_u64(),
            b"external ip" => reply.external_ip = value.as_bytes().and_then(ip_from),
            b"warning message" => reply.warning = text(value),
            b"tracker id" => {
                reply.tracker_id = value.as_bytes().filter(|id| id.len() <= TRACKER_ID_MOST).map(Into::into);
            }
            b"peers" if !has_peers => {
                has_peers = true;
                if let Some(bytes) = value.as_bytes() {
                    v4 = keep(compact::list_v4(bytes), most);
                } else if let Some(list) = value.as_list() {
                    v4 = keep(list.filter_map(peer), most);
                }
            }
            b"peers6" => {
                has_peers = true;
                v6 = value.as_bytes().map(|bytes| keep(compact::list_v6(bytes), most)).unwrap_or_default();
            }
            _ => {}
        }
    }
    if !has_peers && reply.interval.is_none() {
        return Err(ReplyError::Missing("peers"));
    }
    // An even share of both families, as far as both have so many.
    let share = v6.len().min(most.saturating_sub(v4.len()).max(most / 2));
    v4.truncate(most.saturating_sub(share));
    v6.truncate(share);
    v4.append(&mut v6);
    reply.peers = v4;
    Ok(Reply::Announce(reply))
}

fn keep(peers: impl Iterator<Item = SocketAddr>, most: usize) -> Vec<SocketAddr> {
    peers.filter(|addr| compact::is_dialable(*addr)).take(most).collect()
}

fn peer(value: Value<'_>) -> Option<SocketAddr> {
    let ip = value.get("ip")?.as_str()?.parse().ok()?;
    let port = value.get("port")?.as_u64()?.try_into().ok()?;
    Some(SocketAddr::new(ip, port))
}

fn ip_from(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::V6(Ipv6Addr::from(v6)).to_canonical())
}

/// An answer to a scrape, or a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScrapeReply {
    /// Numbers of the torrents that the tracker knows.
    Counts(Vec<(InfoHash, Scraped)>),
    /// A refusal.
    Failure {
        /// Why, for people.
        reason: String,
        /// When to come back, if the tracker says.
        retry: Option<Retry>,
    },
}

/// Reads the answer to a scrape; [`SCRAPE_MOST`] torrents of it are kept.
///
/// # Errors
/// If it is not one.
pub fn decode_scrape(body: &[u8]) -> Result<ScrapeReply, ReplyError> {
    let doc = Doc::parse(body, &REPLY_LIMITS, Mode::Lenient)?;
    let root = doc.root();
    if let Some((reason, retry)) = failure(&root) {
        return Ok(ScrapeReply::Failure { reason, retry });
    }
    let files = root.get("files").and_then(|files| files.as_dict()).ok_or(ReplyError::Missing("files"))?;
    let count = |file: Value<'_>, key: &str| file.get(key).and_then(|n| n.as_u64()).unwrap_or(0);
    let counts = files.filter_map(|(hash, file)| {
        let counts = Scraped {
            complete: count(file, "complete"),
            downloaded: count(file, "downloaded"),
            incomplete: count(file, "incomplete"),
        };
        Some((InfoHash::try_from(hash).ok()?, counts))
    });
    Ok(ScrapeReply::Counts(counts.take(SCRAPE_MOST).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    const HASH: InfoHash =
        InfoHash(*b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a");
    const ID: PeerId = PeerId(*b"-P20010-\x00%&+ \xff/=az~.");

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn query(url: &Url) -> &[u8] {
        url.path_and_query.split_once('?').unwrap().1.as_bytes()
    }

    #[test]
    fn info_hash_is_encoded_as_the_classic_example() {
        let mut url = url("http://t.example/announce?pass=1");
        push_announce(&mut url, &Announce { event: Event::Started, ..Announce::new(HASH, ID, 6881) });
        assert_eq!(
            url.path_and_query,
            "/announce?pass=1&info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
             &peer_id=-P20010-%00%25%26%2B%20%FF%2F%3Daz~.&port=6881&uploaded=0&downloaded=0&compact=1&event=started"
        );
        let announce = parse_announce(query(&url)).unwrap();
        assert_eq!((announce.info_hash, announce.peer_id, announce.event), (HASH, ID, Event::Started));
    }

    #[test]
    fn raw_bytes_and_percent_25_are_decoded_once() {
        let raw = b"info_hash=%25%32%35aaaaaaaaaaaaaaaaa&peer_id=\xff\xfebbbbbbbbbbbbbbbbbb&port=1";
        let announce = parse_announce(raw).unwrap();
        assert_eq!(&announce.info_hash.0, b"%25aaaaaaaaaaaaaaaaa");
        assert_eq!(&announce.peer_id.0, b"\xff\xfebbbbbbbbbbbbbbbbbb");
    }

    #[test]
    fn bad_queries() {
        let good = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1";
        assert!(parse_announce(good.as_bytes()).is_ok());
        for (query, error) in [
            ("", QueryError::Missing("info_hash")),
            ("info_hash=aaaaaaaaaaaaaaaaaaaa", QueryError::Missing("peer_id")),
            ("info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb", QueryError::Missing("port")),
            ("info_hash=aaaaaaaaaaaaaaaaaaa", QueryError::Invalid("info_hash")),
            ("info_hash=aaaaaaaaaaaaaaaaaaa%4", QueryError::Invalid("info_hash")),
            ("info_hash=aaaaaaaaaaaaaaaaaaa%zz", QueryError::Invalid("info_hash")),
            ("peer_id=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", QueryError::Invalid("peer_id")),
            ("port=65536", QueryError::Invalid("port")),
            ("port=-1", QueryError::Invalid("port")),
            ("left=99999999999999999999", QueryError::Invalid("left")),
        ] {
            assert_eq!(parse_announce(query.as_bytes()), Err(error), "{query}");
        }
        let wishes = [good, "&numwant=-1&left=-1&compact=0&no_peer_id=1&ip=%31.2.3.4&key=0aB"].concat();
        let announce = parse_announce(wishes.as_bytes()).unwrap();
        assert_eq!((announce.want, announce.left, announce.compact), (None, None, false));
        assert_eq!((announce.ip, announce.key), (Some([1, 2, 3, 4].into()), Some(0xab)));
    }

    #[test]
    fn scrapes() {
        let mut at = scrape_url(&url("http://t.example/x/announce.php?k=announce")).unwrap();
        assert_eq!(at.path_and_query, "/x/scrape.php?k=announce");
        push_scrape(&mut at, &[HASH, InfoHash(ID.0)]);
        assert_eq!(parse_scrape(query(&at)), Ok(vec![HASH, InfoHash(ID.0)]));
        assert_eq!(scrape_url(&url("http://t.example/a/")), None);
        assert_eq!(scrape_url(&url("http://t.example/x%064announce")), None);
        assert_eq!(parse_scrape(b"x=1"), Err(QueryError::Missing("info_hash")));
        let many = "info_hash=aaaaaaaaaaaaaaaaaaaa&".repeat(SCRAPE_MOST + 1);
        assert_eq!(parse_scrape(many.as_bytes()), Err(QueryError::TooMany));

        let counts = vec![(HASH, Scraped { complete: 5, downloaded: 50, incomplete: 10 })];
        let mut body = BytesMut::new();
        encode_scrape(&counts, &mut body);
        assert!(
            body.starts_with(b"d5:filesd20:\x124Vx")
                && body.ends_with(b"d8:completei5e10:downloadedi50e10:incompletei10eeee")
        );
        assert_eq!(decode_scrape(&body), Ok(ScrapeReply::Counts(counts)));
        assert_eq!(decode_scrape(b"de"), Err(ReplyError::Missing("files")));
    }

    fn decode(body: &[u8]) -> AnnounceReply {
        match decode_announce(body, 200).unwrap() {
            Reply::Announce(reply) => reply,
            Reply::Failure { .. } => panic!("refused"),
        }
    }

    #[test]
    fn answers_of_both_forms() {
        let compact = decode(
            b"d8:completei3e11:external ip4:\x01\x02\x03\x0410:incompletei4e8:intervali1800e12:min intervali60e\
              5:peers12:\x01\x02\x03\x04\x1a\xe1\x05\x06\x07\x08\x00\x506:peers618: \x01\r\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1\
              10:tracker id2:ab15:warning message2:hme",
        );
        assert_eq!(compact.peers.len(), 3);
        assert_eq!(compact.peers.last(), Some(&"[2001:db8::1]:6881".parse().unwrap()));
        assert_eq!((compact.complete, compact.incomplete), (Some(3), Some(4)));
        assert_eq!((compact.interval, compact.min_interval), (Some(1800), Some(60)));
        assert_eq!(compact.external_ip, Some([1, 2, 3, 4].into()));
        assert_eq!(compact.tracker_id.as_deref(), Some(&b"ab"[..]));
        assert_eq!(compact.warning.as_deref(), Some("hm"));
        let full = decode(
            b"d8:intervali-1e5:peersld2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881eed2:ip3:::14:porti1eed2:ip11:example.com4:porti1eed2:ip7:1.2.3.44:porti70000eeee",
        );
        assert_eq!(full.peers, ["1.2.3.4:6881".parse().unwrap(), "[::1]:1".parse().unwrap()]);
        assert_eq!(full.interval, None, "a negative interval is none");
    }

    #[test]
    fn refusals() {
        for (body, retry) in [
            (&b"d14:failure reason2:noe"[..], None),
            (b"d14:failure reason2:no8:retry in5:nevere", Some(Retry::Never)),
            (b"d14:failure reason2:no8:retry in1:9e", Some(minutes(9))),
            (b"d14:failure reason2:no8:retry ini9ee", Some(minutes(9))),
        ] {
            assert_eq!(decode_announce(body, 9), Ok(Reply::Failure { reason: "no".into(), retry }));
            assert_eq!(decode_scrape(body), Ok(ScrapeReply::Failure { reason: "no".into(), retry }));
        }
        let mut body = BytesMut::new();
        encode_failure("no", Some(Retry::After(Duration::from_secs(61))), &mut body);
        assert_eq!(&body[..], b"d14:failure reason2:no8:retry ini2ee");
    }

    #[test]
    fn garbage_is_no_answer() {
        for body in
            [&b""[..], b"<html>", b"de", b"le", b"i1e", b"d8:intervali1800e5:peers", &[0x1f, 0x8b, 8, 0]]
        {
            assert!(decode_announce(body, 200).is_err(), "{body:?}");
        }
        assert!(decode_announce(&b"l".repeat(40_000), 200).is_err());
    }

    #[test]
    fn of_a_flood_of_peers_two_hundred_are_kept() {
        let mut flood = b"d8:intervali1800e5:peers900003:".to_vec();
        flood.resize(flood.len() + 900_003, 7);
        flood.push(b'e');
        assert_eq!(decode(&flood).peers.len(), 200);
        let dicts = b"d2:ip7:1.2.3.44:porti1ee".repeat(20_000);
        let flood = [&b"d5:peersl"[..], &dicts, b"ee"].concat();
        assert_eq!(decode(&flood).peers.len(), 200);
        let both = [&b"d5:peers1800:"[..], &[7; 1800], b"6:peers65400:", &[7; 5400], b"e"].concat();
        let peers = decode(&both).peers;
        assert_eq!((peers.len(), peers.iter().filter(|peer| peer.is_ipv6()).count()), (200, 100));
    }

    proptest! {
        #[test]
        fn any_announce_survives(hash: [u8; 20], id: [u8; 20], port: u16, numbers: [u64; 3], event in 0u32..4, key: Option<u32>,
            want: Option<u32>, ip: Option<IpAddr>, compact: bool, no_peer_id: bool, tracker_id in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40))) {
            let announce = Announce {
                uploaded: numbers[0], downloaded: numbers[1], left: Some(numbers[2]), event: Event::from_code(event),
                want, key, ip, compact, no_peer_id, tracker_id: tracker_id.map(Into::into),
                ..Announce::new(InfoHash(hash), PeerId(id), port)
            };
            let mut url = url("http://t/announce");
            push_announce(&mut url, &announce);
            prop_assert_eq!(parse_announce(query(&url)), Ok(announce));
        }

        #[test]
        fn any_answer_survives(interval in 0u64..1 << 40, complete in 0u64..1 << 40, peers in proptest::collection::vec(any::<([u8; 4], u16)>(), 0..40), dicts: bool, no_peer_id: bool) {
            let addrs: Vec<SocketAddr> = peers.into_iter().map(SocketAddr::from).collect();
            let mut reply = AnnounceReply { interval: Some(interval), complete: Some(complete), warning: Some("w".into()), ..AnnounceReply::default() };
            let (mut v4, mut body) = (Vec::new(), BytesMut::new());
            addrs.iter().for_each(|addr| compact::put(*addr, &mut v4));
            let full: Vec<_> = addrs.iter().map(|addr| (ID, *addr)).collect();
            let form = if dicts { Peers::Full { peers: &full, no_peer_id } } else { Peers::Compact { v4: &v4, v6: &[] } };
            encode_announce(&reply, form, &mut body);
            reply.peers = addrs.into_iter().filter(|addr| compact::is_dialable(*addr)).collect();
            prop_assert_eq!(decode_announce(&body, 200), Ok(Reply::Announce(reply)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(junk in proptest::collection::vec(any::<u8>(), 0..200), query in "(info_hash|peer_id|port|left|=|&|%|[0-9a-f]){0,40}") {
            let _ = decode_announce(&junk, 10);
            let _ = decode_scrape(&junk);
            let _ = (parse_announce(&junk), parse_scrape(&junk), parse_announce(query.as_bytes()), parse_scrape(query.as_bytes()));
        }
    }
}
