//! Clients that secure their streams: the second port of a server, and a certificate that is changed while it runs.

use super::peer::{Peer, frame};
use super::{Server, config, events, run, running, share};
use crate::rig::{PATIENCE, Place, Running, content, field, number, text};
use data_encoding::BASE64;
use p2p_transport_tokio::rustls::pki_types::{CertificateDer, ServerName};
use p2p_transport_tokio::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

const CERTIFICATE: &[u8] =
    include_bytes!("../../../../p2p-transport-tokio/tests/all/data/localhost.cert.der");
const KEY: &[u8] = include_bytes!("../../../../p2p-transport-tokio/tests/all/data/localhost.key.der");
const TLS: &str = "[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"";

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64.encode(der))
}

/// The type of the first answer to a login over TLS.
fn secured_login(at: &str, nick: &str) -> std::io::Result<u16> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(CERTIFICATE)).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(&frame(2, format!("{nick} pw 6699 \"probe\" 7")))?;
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    Ok(u16::from_le_bytes([head[2], head[3]]))
}

/// A server with a plain and a secured port; where they are.
fn server(place: &Place, more: &str) -> (Running, String, String) {
    place.put("certificate.pem", pem("CERTIFICATE", CERTIFICATE).as_bytes());
    place.put("key.pem", pem("PRIVATE KEY", KEY).as_bytes());
    place.put("napster.toml", config(&format!("{TLS}\n{more}")).as_bytes());
    let program = running(&["serve", "--listen", "127.0.0.1:0", "--config", &place.at("napster.toml")]);
    let line: serde_json::Value = serde_json::from_str(&program.event("listening")).unwrap();
    let at = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (plain, secured) = (at(&line["addr"]), at(&line["secured"][0]));
    (program, plain, secured)
}

/// All that users do, with nothing said in clear to the server, compressed or not.
#[test]
fn users_secure_their_streams() {
    let place = Place::new("napster-secured-users");
    let (_server, plain, secured) = server(&place, "");
    let song = content(200_000, 12);
    place.put("alice/blue song.mp3", &song);
    let ca = place.at("certificate.pem");
    let at = secured.replace("127.0.0.1", "localhost");
    let tls = ["--tls", "--ca", &ca, "--json"];
    let sharer = share(&place, &at, "alice", &["--tls", "--ca", &ca, "--zlib"]);
    let to = place.at("got");
    let asked = |args: &[&str], more: &[&str]| run(&[args, &["--server", &at], &tls[..], more].concat());
    for zlib in [&[][..], &["--zlib"]] {
        assert_eq!(events(&asked(&["search", "blue"], zlib), "hit").len(), 1, "{zlib:?}");
        let got = asked(&["get", "blue", "--to", &to], zlib);
        assert!(got.status.success(), "{zlib:?} {}", text(&got.stdout));
        let listed = asked(&["browse", "alice"], zlib);
        assert_eq!(number(&events(&listed, "listed")[0], "files"), 1, "{zlib:?}");
        let whois = asked(&["whois", "alice"], zlib);
        assert_eq!(number(&events(&whois, "whois")[0], "shared"), 1, "{zlib:?}");
    }
    assert!(place.read("got/blue song.mp3") == song && place.read("got/blue song (2).mp3") == song);
    let chat = |nick: &str, more: &[&str]| {
        Running::talking("napster", &[&["chat", "music", "--nick", nick], more].concat())
    };
    let mut bob = chat("bob", &["--server", &at, "--tls", "--ca", &ca]);
    bob.event("entered");
    let mut carol = chat("carol", &["--server", &plain]);
    carol.event("entered");
    carol.say("hello");
    assert_eq!(field(&bob.wait("a word", |line| line.contains("\"said\"")), "text"), "hello");
    bob.say("hello yourself");
    carol.wait("an answer", |line| line.contains("hello yourself"));
    sharer.interrupt();
    assert_eq!(sharer.code(), 0);
}

/// Another name, nobody's trust, no TLS at all, and files that are no certificates: a line each, and nothing is said.
#[test]
fn who_cannot_be_trusted_is_told_nothing() {
    let place = Place::new("napster-untrusted");
    // A port without TLS waits for the rest of what looks like a long message.
    let (_server, plain, secured) = server(&place, "[limits]\nlogin_seconds = 1");
    let (named, ca, none) =
        (secured.replace("127.0.0.1", "localhost"), place.at("certificate.pem"), place.at("none"));
    place.put("empty.pem", b"");
    let (empty, plain) = (place.at("empty.pem"), plain.replace("127.0.0.1", "localhost"));
    for (server, ca, says) in [
        (&named, &[][..], "securing failed"),
        (&secured, &["--ca", &ca][..], "securing failed"),
        (&plain, &["--ca", &ca][..], "securing failed"),
        (&named, &["--ca", &none][..], "none"),
        (&named, &["--ca", &empty][..], "empty.pem has no certificate"),
    ] {
        let failed = run(&[&["search", "x", "--tls", "--server", server][..], ca].concat());
        let line = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1), "{server} {ca:?}: {line}");
        assert!(line.lines().count() == 1 && line.starts_with("error: ") && line.contains(says), "{line}");
    }
    // A metaserver says in clear whom to go to, and whoever stands in between could say it, too.
    for args in [["--tls", "--metaserver", &plain], ["--server", &plain, "--ca=x"]] {
        assert_eq!(run(&[&["search", "x"][..], &args].concat()).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_second_port_with_a_certificate_that_changes() {
    let place = Place::new("napster-secured");
    let (program, at, secured) = server(&place, "");
    let (at, secured) = (&at[..], &secured[..]);
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &place.at("napster.toml")];
    let mut plain = Peer::login(at, "plain", "pw", 6699);
    assert_eq!(secured_login(secured, "alice").unwrap(), 3);
    // Files that are no certificate change nothing; ones that are count from the next connection on.
    place.put("key.pem", b"nothing");
    program.signal("-HUP");
    assert!(program.event("not_reloaded").contains("key.pem"));
    assert_eq!(secured_login(secured, "alice").unwrap(), 3);
    place.put("key.pem", pem("PRIVATE KEY", KEY).as_bytes());
    program.signal("-HUP");
    program.event("reloaded");
    assert_eq!(secured_login(secured, "carol").unwrap(), 3);
    assert!(plain.users() >= 1, "and nobody was dropped");
    // A server whose files are missing does not start.
    place.put("certificate.pem", b"");
    let failed = run(&args);
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stderr).contains("certificate.pem"));
    drop(Server { program, at: at.to_owned() });
}
