//! What a client tells: [`Event`] and what is in it.
//!
//! Nicks, names and texts are bytes of any charset. Show them through [`shown`](crate::wire::text::shown).

use super::error::Error;
use alloc::boxed::Box;
use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddr};
use p2p_core::{Chunk, FileId};

/// A file that a server knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hit {
    /// Its name, as its holder says.
    pub name: Bytes,
    /// What stood for its MD5: 32 hex digits, over a beginning whose length depends on the holder's program, or no
    /// digest at all. It says what may be the same file and proves nothing.
    pub md5: Bytes,
    /// Bytes; old servers count modulo 2^32.
    pub size: u64,
    /// kbit/s.
    pub bitrate: u32,
    /// Hz.
    pub frequency: u32,
    /// Playing time.
    pub seconds: u32,
    /// Who has it.
    pub nick: Bytes,
    /// Where that user is, if it was said.
    pub address: Option<Ipv4Addr>,
    /// The user's link, 0 to 10.
    pub speed: u8,
}

/// What a client tells.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// News: the data port is open here.
    Listening(SocketAddr),
    /// News: the data port is closed; files go out by dialling only.
    NotListening(Error),
    /// News: a server has let us in. What is shared is told to it now, once.
    LoggedIn {
        /// Its address.
        server: SocketAddr,
    },
    /// News: no longer logged in. Unless it was asked for, the next server is tried after a while.
    LoggedOut(Error),
    /// News: a line of the message of the day. Often empty.
    Motd(Bytes),
    /// News: the server says something: an error of something asked before, or just a word. It names no cause.
    Notice(Bytes),
    /// News: how much the server has.
    Stats {
        /// Users.
        users: u64,
        /// Files.
        files: u64,
        /// GB.
        gigabytes: u64,
    },
    /// News: a private message.
    Message {
        /// Who wrote it.
        from: Bytes,
        /// What it says.
        text: Bytes,
    },
    /// News: something happened in a channel that was entered.
    Chat(Chat),
    /// News: a watched user is there.
    SignedOn(Bytes),
    /// News: a watched user is gone.
    SignedOff(Bytes),
    /// News: this user could not reach the data port, which a firewall closes, or a router.
    Unreachable {
        /// Who.
        nick: Bytes,
    },
    /// News: the server says something for which there is no other event: lists for operators, acknowledgements.
    Other {
        /// The message's type.
        kind: u16,
        /// Its text.
        text: Bytes,
    },
    /// News: the server wants this of the client. Nothing was done: these are orders that a hostile server can use.
    Suggested(Suggestion),
    /// News: an upload began.
    Uploading {
        /// Which one: they are numbered from 1 on.
        upload: u64,
        /// To whom.
        nick: Bytes,
        /// What.
        name: Bytes,
        /// From which byte on.
        offset: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// News: how an upload comes along, every [`report_every`](super::Config::report_every) while it does.
    UploadProgress {
        /// Which one.
        upload: u64,
        /// To whom.
        nick: Bytes,
        /// What.
        name: Bytes,
        /// Up to which byte it was given to the stream.
        have: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// News: an upload ended.
    Uploaded {
        /// Which one.
        upload: u64,
        /// To whom.
        nick: Bytes,
        /// What.
        name: Bytes,
        /// Bytes given to the stream.
        sent: u64,
        /// Whether that was all.
        complete: bool,
    },
    /// Answer: a file.
    Hit(Box<Hit>),
    /// Answer: what the server knows of a user.
    Whois(Box<Whois>),
    /// Answer: a channel.
    Channel {
        /// Its name.
        name: Bytes,
        /// Users in it.
        users: u64,
        /// Its topic.
        topic: Bytes,
    },
    /// Answer: how a file comes along.
    Progress(Progress),
    /// Answer: the file is complete, on the device, and has this name now.
    Saved {
        /// Where it is.
        file: FileId,
        /// Bytes.
        len: u64,
    },
    /// Answer: the next part of a file.
    Chunk(Chunk),
}

/// How a file comes along.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that are here.
    pub have: u64,
    /// Bytes of the file, if that is known.
    pub size: Option<u64>,
    /// The holder.
    pub nick: Bytes,
    /// What is happening.
    pub state: State,
}

/// What is happening with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// What is here of an earlier attempt is looked at.
    Checking,
    /// The holder was asked.
    Asking,
    /// So many are before us in the holder's queue.
    Queued(u64),
    /// The holder is to dial.
    Pushed,
    /// Bytes come.
    Receiving,
    /// This happened to a holder; the next is tried, or the same once more.
    Trying(super::error::SourceError),
}

/// What a server knows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Whois {
    /// The user.
    pub nick: Bytes,
    /// Leech, User, Moderator, Admin or Elite, or another word of the server's.
    pub level: Bytes,
    /// Since how many seconds; for a user who is gone, when it was last there (Unix time).
    pub seconds: u64,
    /// Channels, apart by spaces.
    pub channels: Bytes,
    /// `Active` as a rule; empty for a user who is gone.
    pub status: Bytes,
    /// Files shared.
    pub shared: u64,
    /// Downloads under way.
    pub downloads: u64,
    /// Uploads under way.
    pub uploads: u64,
    /// The link, 0 to 10.
    pub speed: u8,
    /// The program.
    pub client: Bytes,
    /// Whether the user is there.
    pub online: bool,
}

/// Something that happened in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chat {
    /// We are in.
    Entered(Bytes),
    /// We are out.
    Left(Bytes),
    /// Somebody is there, or came in.
    Member {
        /// The channel.
        channel: Bytes,
        /// Who.
        nick: Bytes,
        /// Files shared.
        shared: u64,
        /// Whether it is news, and not the list of those who were there.
        came: bool,
    },
    /// Somebody left.
    Parted {
        /// The channel.
        channel: Bytes,
        /// Who.
        nick: Bytes,
    },
    /// The topic.
    Topic {
        /// The channel.
        channel: Bytes,
        /// What it says.
        text: Bytes,
    },
    /// Somebody said something; our own words come back too.
    Said {
        /// The channel.
        channel: Bytes,
        /// Who.
        nick: Bytes,
        /// What.
        text: Bytes,
        /// Whether it tells what `nick` does.
        emote: bool,
    },
}

/// What a server may want of a client that only the application may do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suggestion {
    /// Fetch and run a new program (5). Never do that.
    Upgrade(Bytes),
    /// Use another data port (613).
    Port(u16),
    /// Go to another server (821).
    Server(Bytes),
    /// Go to another server that a metaserver names (822).
    Metaserver(Bytes),
    /// Dial an address and send it something (900). Never do that.
    Dial(Bytes),
    /// Listen on a port and send something (901). Never do that.
    Listen(Bytes),
}
