//! Clients that secure their streams: the second port of a server, and a certificate that is changed while it runs.

use super::peer::{Peer, frame};
use super::{Server, config};
use crate::rig::{PATIENCE, Place};
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

#[test]
fn a_second_port_with_a_certificate_that_changes() {
    let place = Place::new("napster-secured");
    place.put("certificate.pem", pem("CERTIFICATE", CERTIFICATE).as_bytes());
    place.put("key.pem", pem("PRIVATE KEY", KEY).as_bytes());
    place.put("napster.toml", config(TLS).as_bytes());
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &place.at("napster.toml")];
    let program = super::running(&args);
    let line: serde_json::Value = serde_json::from_str(&program.event("listening")).unwrap();
    let (at, secured) = (line["addr"].as_str().unwrap(), line["secured"][0].as_str().unwrap());
    let mut plain = Peer::login(at, "plain", "pw", 6699);
    assert_eq!(secured_login(secured, "alice").unwrap(), 3);
    assert!(secured_login(at, "bob").is_err(), "there is no TLS at the plain port");
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
    let failed = super::run(&args);
    assert_eq!(failed.status.code(), Some(1));
    assert!(crate::rig::text(&failed.stderr).contains("certificate.pem"));
    drop(Server { program, at: at.to_owned() });
}
