//! What a client is asked: [`Command`] and what is in it.
//!
//! Nicks, names and texts are bytes of any charset. Show them through [`shown`](crate::wire::text::shown).

#[cfg(doc)]
use super::event::Event;
use super::event::Hit;
use crate::wire::query::{Attribute, Comparison};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::hash::Md5Hash;
use p2p_core::{FileId, Keywords, RelPath, Target};

/// Where to log in. With several servers, or a metaserver, the client goes on to the next one when one is gone.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Bootstrap {
    /// Servers whose streams are secured with TLS, tried first: the certificate must be for the host, or for the address,
    /// that is dialled. The driver needs a connector that can. Only what is said to the server is secured: users fetch
    /// from each other in clear.
    pub secured: Vec<Target>,
    /// Servers, in the order in which they are tried. Ports of the time: 8888, 7777, 4444.
    pub servers: Vec<Target>,
    /// Metaservers, which name a server. Port 8875. They say it in clear to whoever asks, and it is dialled in clear.
    pub metaservers: Vec<Target>,
    /// Whether to register the nick at the first login, where it is not registered yet.
    pub register: bool,
}

impl Bootstrap {
    /// These servers.
    #[must_use]
    pub fn servers(servers: impl IntoIterator<Item = impl Into<Target>>) -> Self {
        Self { servers: servers.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The same, with this server, whose stream is secured.
    #[must_use]
    pub fn with_secured(mut self, server: impl Into<Target>) -> Self {
        self.secured.push(server.into());
        self
    }

    /// The same, with this metaserver.
    #[must_use]
    pub fn with_metaserver(mut self, metaserver: impl Into<Target>) -> Self {
        self.metaservers.push(metaserver.into());
        self
    }

    /// The same, registering the nick.
    #[must_use]
    pub const fn registering(mut self) -> Self {
        self.register = true;
        self
    }

    /// How many there are to be tried.
    pub(super) const fn len(&self) -> usize {
        self.secured.len() + self.servers.len() + self.metaservers.len()
    }
}

/// A file to share.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SharedFile {
    /// The name told to servers: bytes of any charset, by custom a path with backslashes. A quote becomes an
    /// apostrophe, control characters become `_`.
    pub name: Bytes,
    /// Where it is.
    pub file: FileId,
    /// Bytes; looked up if `None`.
    pub size: Option<u64>,
    /// The MD5 of its first 300,032 bytes; computed if `None`.
    pub md5: Option<Md5Hash>,
    /// kbit/s.
    pub bitrate: u32,
    /// Hz.
    pub frequency: u32,
    /// Playing time.
    pub seconds: u32,
    /// What it is; music is shared by 100, the rest by 10300.
    pub media: Media,
}

impl SharedFile {
    /// A file of which only name and place are known.
    #[must_use]
    pub fn new(name: impl Into<Bytes>, file: FileId) -> Self {
        Self {
            name: name.into(),
            file,
            size: None,
            md5: None,
            bitrate: 128,
            frequency: 44_100,
            seconds: 0,
            media: Media::Mp3,
        }
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Media {
    /// Music, as all files of the first servers.
    #[default]
    Mp3,
    /// Other sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A program.
    Application,
    /// A picture.
    Image,
    /// Text.
    Text,
}

impl Media {
    /// The word for it on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Image => "image",
            Self::Text => "text",
        }
    }
}

/// What a number of a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Which number.
    pub of: Attribute,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub number: u64,
}

/// How words beyond ASCII are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Charset {
    /// As today's programs write names.
    #[default]
    Utf8,
    /// As Windows' programs of the time did; in UTF-8 where it lacks a character.
    Cp1252,
}

/// What to search for: words, and what the files must be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// Words that a name must have.
    pub words: Keywords,
    /// Words that it must not have.
    pub without: Keywords,
    /// How the words are written. Servers compare bytes: names are found that are written so.
    pub charset: Charset,
    /// The most hits; the server's own limit (100 as a rule) if 0.
    pub max: u32,
    /// What the files' numbers, and the holder's link, must be.
    pub bounds: Vec<Bound>,
    /// What it is; music if `None`.
    pub media: Option<Media>,
    /// Any sort of file.
    pub any_media: bool,
    /// Only what the server itself knows, nothing of linked servers.
    pub local: bool,
}

impl From<Keywords> for Query {
    fn from(words: Keywords) -> Self {
        Self { words, max: 100, ..Self::default() }
    }
}

/// Who has a file, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The user.
    pub nick: Bytes,
    /// The user's name for it, exactly.
    pub name: Bytes,
}

/// A file to get.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Holders, the best first: the next is tried where one fails, and of a large file of known size others give ranges
    /// meanwhile.
    pub sources: Vec<Source>,
    /// Bytes. It should be known: the answer of a holder gives it in digits without an end, and a file that begins
    /// with digits cannot be told from them. Ranges of several holders need it, too.
    pub size: Option<u64>,
    /// What to call it below the download folder; made of the first holder's name if `None`.
    pub to: Option<RelPath>,
}

impl Wanted {
    /// A file of one holder.
    #[must_use]
    pub fn new(nick: impl Into<Bytes>, name: impl Into<Bytes>) -> Self {
        let source = Source { nick: nick.into(), name: name.into() };
        Self { sources: alloc::vec![source], size: None, to: None }
    }

    /// The same, of this size.
    #[must_use]
    pub const fn sized(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// The same, with another holder.
    #[must_use]
    pub fn or(mut self, nick: impl Into<Bytes>, name: impl Into<Bytes>) -> Self {
        self.sources.push(Source { nick: nick.into(), name: name.into() });
        self
    }
}

impl From<&Hit> for Wanted {
    fn from(hit: &Hit) -> Self {
        Self::new(hit.nick.clone(), hit.name.clone()).sized(hit.size)
    }
}

/// What the application may ask of a [`Client`](crate::Client).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Log in; finishes when a server has let us in, or each has been tried once. Afterwards the client stays logged
    /// in until [`Command::Leave`], at whichever server it can reach.
    Join(Bootstrap),
    /// Log out; transfers go on.
    Leave,
    /// Share a file; finishes when the server was told. The file must not change while it is shared.
    Share(Box<SharedFile>),
    /// Share a file no longer.
    Unshare(Bytes),
    /// Search. Answers: [`Event::Hit`].
    Search(Box<Query>),
    /// Who else has a file of this MD5 and size (215). Answers: [`Event::Hit`].
    Holders {
        /// As the server has it: 32 hex digits.
        md5: Bytes,
        /// Bytes.
        size: u64,
    },
    /// Get a file into the download folder, going on where an earlier attempt stopped. Answers: [`Event::Progress`],
    /// then [`Event::Saved`].
    Download(Box<Wanted>),
    /// Get a file as a stream of [`Event::Chunk`]s in order; nothing goes to the disk.
    Fetch(Box<Wanted>),
    /// The files of a user, as the server knows them. Answers: [`Event::Hit`].
    Browse(Bytes),
    /// The files of a user, asked of the user's own client. Answers: [`Event::Hit`].
    BrowseDirect(Bytes),
    /// What the server knows of a user. Answers: [`Event::Whois`].
    Whois(Bytes),
    /// Whether a user's client answers; finishes when it does.
    Ping(Bytes),
    /// A private message.
    Message {
        /// Whom to.
        to: Bytes,
        /// What it says.
        text: Bytes,
    },
    /// Enter a channel.
    Enter(Bytes),
    /// Leave a channel.
    Part(Bytes),
    /// Say something in a channel.
    Say {
        /// Where.
        channel: Bytes,
        /// What.
        text: Bytes,
    },
    /// Tell a channel what one does.
    Emote {
        /// Where.
        channel: Bytes,
        /// What.
        text: Bytes,
    },
    /// Give a channel another topic.
    SetTopic {
        /// Where.
        channel: Bytes,
        /// The topic.
        text: Bytes,
    },
    /// The channels. Answers: [`Event::Channel`].
    Channels,
    /// Say a message of the protocol that no other command says, of an operator as a rule: 610 kills, 612 bans. It finishes
    /// when that was said; what the server has to say to it comes as [`Event::Notice`] or [`Event::Other`].
    Raw {
        /// The message's type. What the client says of itself (logins, shares, searches, transfers, lists) is refused.
        kind: u16,
        /// Its text, at most 2,048 bytes.
        text: Bytes,
    },
    /// Hear nothing of this user, show none of its files, give it none; kept over reconnects, and told to servers (322).
    Ignore(Bytes),
    /// And no longer.
    Unignore(Bytes),
    /// Tell when this user comes and goes; kept over reconnects.
    Watch(Bytes),
    /// And no longer.
    Unwatch(Bytes),
}
