//! What a leg begins with, [`FirstLine`], and why a handshake ends, [`HandshakeError`].

use alloc::borrow::ToOwned;
use alloc::string::String;
use p2p_core::http::HeadError;

/// Why a handshake cannot go on; the connection is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A leg over a limit of [`p2p_core::http`].
    #[error("{0}")]
    Head(#[from] HeadError),
    /// A first line that is none of Gnutella's, or not that of this leg.
    #[error("not a line of this leg: {0:?}")]
    Line(String),
    /// More came where the other side had to wait.
    #[error("it is not the other side's turn")]
    Turn,
}

/// The longest first line that an error shows, in characters.
const SHOWN: usize = 64;

/// What a leg begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstLine {
    /// `GNUTELLA CONNECT/0.6`: a link is asked for.
    Connect {
        /// The major number.
        major: u8,
        /// The minor number.
        minor: u8,
    },
    /// `GNUTELLA/0.6 200 OK`: an answer.
    Response {
        /// 200 to go on; anything else ends it.
        code: u16,
        /// For people.
        reason: String,
    },
    /// `GNUTELLA OK`: the answer of 0.4.
    Old,
}

impl FirstLine {
    /// # Errors
    /// If it is none of Gnutella's.
    pub(super) fn parse(line: &str) -> Result<Self, HandshakeError> {
        Self::read(line).ok_or_else(|| HandshakeError::Line(line.chars().take(SHOWN).collect()))
    }

    fn read(line: &str) -> Option<Self> {
        if let Some(version) = line.strip_prefix("GNUTELLA CONNECT/") {
            let (major, minor) = version.split_once('.')?;
            return Some(Self::Connect { major: major.parse().ok()?, minor: minor.parse().ok()? });
        }
        if line == "GNUTELLA OK" {
            return Some(Self::Old);
        }
        let (version, rest) = line.strip_prefix("GNUTELLA/")?.split_once(' ')?;
        let (major, minor) = version.split_once('.')?;
        let numbers = [major, minor].iter().all(|number| number.parse::<u8>().is_ok());
        let (code, reason) = rest.trim_start().split_once(' ').unwrap_or_else(|| (rest.trim_start(), ""));
        let code = code.parse().ok().filter(|code| numbers && (100..1_000).contains(code))?;
        Some(Self::Response { code, reason: reason.trim().to_owned() })
    }
}
