//! What a connection to a servent's one port is for, by its first bytes: [`greeting`].

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// `GNUTELLA CONNECT/`: a link.
    Gnutella,
    /// `GET ` or `HEAD `: an upload, a browser, a push proxy's client.
    Http,
    /// `GIV `: a servent that was asked for a connection.
    Giv,
    /// `\n\n`, and nothing more: the answer to a connect back, or a servent that looks whether a port is open.
    ConnectBack,
    /// A TLS hello.
    Tls,
    /// None of these.
    Unknown,
}

const GREETINGS: [(&[u8], Greeting); 6] = [
    (b"GNUTELLA CONNECT/", Greeting::Gnutella),
    (b"GET ", Greeting::Http),
    (b"HEAD ", Greeting::Http),
    (b"GIV ", Greeting::Giv),
    (b"\n\n", Greeting::ConnectBack),
    (b"\x16\x03", Greeting::Tls),
];

/// What a connection is for; `None` if its first bytes do not tell yet, which 17 always do.
#[must_use]
pub fn greeting(first: &[u8]) -> Option<Greeting> {
    let whole = GREETINGS.iter().find(|(text, _)| first.starts_with(text));
    let begun = || GREETINGS.iter().any(|(text, _)| text.starts_with(first));
    match whole {
        Some((_, greeting)) => Some(*greeting),
        None if begun() => None,
        None => Some(Greeting::Unknown),
    }
}
