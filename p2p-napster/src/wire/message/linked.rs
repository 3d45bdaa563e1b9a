//! What linked servers send to each other: users, counts, searches, and clients' messages with their origin.
//!
//! Two lines in clear, [`Linked::Hello`] and [`Linked::Proof`], are followed by one zlib stream each way.

use super::{Level, SharedFile, Speed, WireAddr};
use crate::wire::codec::record::Record;
use crate::wire::text::{Fault, Fields, Malformed, Writer};

messages! {
    /// A message of a linked server. Every other type is a client's message behind a colon and its origin: [`split_origin`]
    /// takes that off, and [`ToServer`](super::ToServer) reads what is left.
    Linked<'a> {
        /// A user of the sender's side.
        2 User(user: LinkedUser<'a> as record);
        /// A user asks what another shares.
        211 Browse {
            /// Who asks.
            origin: &'a [u8] as origin,
            /// Whose files.
            nick: &'a [u8] as word,
            /// How many at most.
            max: Option<u32> as optional_number,
        };
        /// A user has another level.
        606 SetLevel {
            /// The server or operator who said so.
            origin: &'a [u8] as origin,
            /// The user.
            nick: &'a [u8] as word,
            /// The level.
            level: Level as record,
        };
        /// A user asks for a file of another.
        607 UploadRequest {
            /// Who asks.
            origin: &'a [u8] as origin,
            /// The holder.
            nick: &'a [u8] as word,
            /// The full name.
            file: &'a [u8] as quoted,
            /// The line of who asks.
            speed: Option<Speed> as optional_number,
        };
        /// A user went.
        10000 Quit(nick: &'a [u8] as word);
        /// The first line of a link.
        10010 Hello {
            /// The sender's name.
            server: &'a [u8] as word,
            /// 16 hex digits, drawn anew for each link.
            nonce: &'a [u8] as word,
            /// The zlib level that the sender wants; the lower of both is used.
            level: u8 as number,
        };
        /// The second line: that the sender knows the password.
        10011 Proof(proof: &'a [u8] as secret_rest);
        /// What a user shares now.
        10012 ShareCount {
            /// The user.
            nick: &'a [u8] as word,
            /// How many files.
            files: u32 as number,
            /// Their size in kB.
            kilobytes: u64 as number,
        };
        /// An account that all servers are to know.
        10014 Registration {
            /// The server where it is registered.
            origin: &'a [u8] as origin,
            /// The nick.
            nick: &'a [u8] as word,
            /// The password's hash.
            hash: &'a [u8] as secret,
            /// The mail address.
            email: &'a [u8] as word,
            /// The level.
            level: Level as record,
            /// When it was made, in seconds since 1970.
            created: u64 as number,
        };
        /// A search of a user of the sender's side.
        10015 Search {
            /// The user.
            nick: &'a [u8] as word,
            /// A name for the search, eight letters.
            id: &'a [u8] as word,
            /// The clauses, as in message 200.
            query: &'a [u8] as rest,
        };
        /// A hit of such a search.
        10016 SearchHit {
            /// The search.
            id: &'a [u8] as word,
            /// Who has the file.
            nick: &'a [u8] as word,
            /// The file.
            file: SharedFile<'a> as record,
        };
        /// No more hits of a search.
        10017 SearchEnd(id: &'a [u8] as word);
        /// A message for one user of the receiver's side.
        10018 Encapsulated {
            /// The server that sends it.
            origin: &'a [u8] as origin,
            /// The user.
            nick: &'a [u8] as word,
            /// The message with its head, in binary: see [`encapsulated`].
            frame: &'a [u8] as rest,
        };
        /// A link somewhere in the network.
        10019 LinkMap {
            /// A server.
            server: &'a [u8] as word,
            /// Its port.
            port: u16 as number,
            /// The other server.
            peer: &'a [u8] as word,
            /// Its port.
            peer_port: u16 as number,
            /// How far away.
            hops: u32 as number,
        };
        /// A server is not linked any more.
        10020 ServerQuit(text: &'a [u8] as rest);
        /// The sender's clock.
        10023 Clock {
            /// The sender.
            origin: &'a [u8] as origin,
            /// Seconds since 1970.
            time: u64 as number,
        };
        /// All that the sender knew at the beginning is told.
        10262 SyncEnd;
        /// All that the receiver knew at the beginning has come.
        10263 SyncEndAck;
    }
}

/// The fields of a user on a linked server: `nick password port "client" speed email since ip server port`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LinkedUser<'a> {
    /// The nick.
    pub nick: &'a [u8],
    /// Where opennap-ng sends the password in clear. Write a placeholder, and keep nothing of it.
    pub password: &'a [u8],
    /// The data port.
    pub port: u16,
    /// The client's name and version.
    pub client: &'a [u8],
    /// The line.
    pub speed: Speed,
    /// Whether the line stands in quotes, as the user's own client wrote it.
    pub speed_quoted: bool,
    /// The mail address, or `unknown`.
    pub email: &'a [u8],
    /// Since when the user is online, in seconds since 1970.
    pub since: u64,
    /// The user's address.
    pub addr: WireAddr,
    /// The user's server.
    pub server: &'a [u8],
    /// The port of the user's connection to it.
    pub server_port: u16,
}

/// The password is left out.
impl core::fmt::Debug for LinkedUser<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LinkedUser")
            .field("nick", &self.nick)
            .field("port", &self.port)
            .field("client", &self.client)
            .field("speed", &self.speed)
            .field("since", &self.since)
            .field("addr", &self.addr)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl<'a> Record<'a> for LinkedUser<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        let (nick, password) = (from.require()?.bytes, from.require()?.bytes);
        let (port, client) = (from.number()?, from.require()?.bytes);
        let speed = from.require()?;
        Ok(Self {
            nick,
            password,
            port,
            client,
            speed: speed.number()?,
            speed_quoted: speed.quoted,
            email: from.require()?.bytes,
            since: from.number()?,
            addr: from.number()?,
            server: from.require()?.bytes,
            server_port: from.number()?,
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(self.nick).word(self.password).number(self.port).quoted(self.client);
        if self.speed_quoted {
            to.quoted_number(self.speed);
        } else {
            to.number(self.speed);
        }
        to.word(self.email).number(self.since).number(self.addr).word(self.server).number(self.server_port);
    }
}

/// Takes the colon, the origin and one separator off a body: the origin, and what it sends.
///
/// # Errors
/// If the body does not begin with a colon and a name.
pub fn split_origin(body: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut fields = Fields::new(body);
    let origin = crate::wire::codec::origin::read(&mut fields)?;
    Ok((origin, fields.rest()))
}

/// The type and the body of an encapsulated message.
///
/// # Errors
/// If it is shorter than its head says. Bytes behind it are ignored.
pub fn encapsulated(frame: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let missing = Malformed { at: frame.len(), fault: Fault::Missing };
    let (head, body) = frame.split_first_chunk::<4>().ok_or(missing)?;
    let len = usize::from(u16::from_le_bytes([head[0], head[1]]));
    Ok((u16::from_le_bytes([head[2], head[3]]), body.get(..len).ok_or(missing)?))
}
