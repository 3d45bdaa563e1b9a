//! The groups of fields that several messages share.

use bytes::BytesMut;
use core::fmt;
use core::net::Ipv4Addr;

use crate::wire::codec::record::Record;
use crate::wire::frame::{FROM_CLIENT_MAX, HEAD_LEN, put_frame};
use crate::wire::text::{Fault, Fields, Malformed, Number, Writer};

/// What a user says of the own line, 0 to 10; a higher number is kept as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Speed(pub u8);

impl Speed {
    /// The line in words, as clients of the time show it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self.0 {
            1 => "14.4k",
            2 => "28.8k",
            3 => "33.6k",
            4 => "57.6k",
            5 => "ISDN 64k",
            6 => "ISDN 128k",
            7 => "cable",
            8 => "DSL",
            9 => "T1",
            10 => "T3+",
            _ => "unknown",
        }
    }
}

impl Number for Speed {
    fn from_u64(number: u64) -> Option<Self> {
        number.try_into().ok().map(Self)
    }
    fn to_u64(self) -> u64 {
        self.0.into()
    }
}

/// An IPv4 address as the protocol has it: the four octets read as a little-endian number, in decimal. 127.0.0.1 is
/// 16777343.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireAddr(pub u32);

impl From<Ipv4Addr> for WireAddr {
    fn from(addr: Ipv4Addr) -> Self {
        Self(u32::from_le_bytes(addr.octets()))
    }
}

impl From<WireAddr> for Ipv4Addr {
    fn from(addr: WireAddr) -> Self {
        addr.0.to_le_bytes().into()
    }
}

impl Number for WireAddr {
    fn from_u64(number: u64) -> Option<Self> {
        number.try_into().ok().map(Self)
    }
    fn to_u64(self) -> u64 {
        self.0.into()
    }
}

impl fmt::Display for WireAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from(*self).fmt(f)
    }
}

/// What a user may do, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// May do less than others.
    Leech,
    /// Everybody.
    #[default]
    User,
    /// May muzzle and kill users.
    Moderator,
    /// May ban, too.
    Admin,
    /// May do all.
    Elite,
}

impl Level {
    /// All levels, from least to most.
    pub const ALL: [Self; 5] = [Self::Leech, Self::User, Self::Moderator, Self::Admin, Self::Elite];

    /// The word for it on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leech => "Leech",
            Self::User => "User",
            Self::Moderator => "Moderator",
            Self::Admin => "Admin",
            Self::Elite => "Elite",
        }
    }

    /// The level of that name, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Record<'_> for Level {
    fn read(from: &mut Fields<'_>) -> Result<Self, Malformed> {
        let field = from.require()?;
        Self::from_name(field.bytes).ok_or(Malformed { at: field.at, fault: Fault::Word })
    }
    fn write(&self, to: &mut Writer<'_>) {
        to.word(self.name().as_bytes());
    }
}

/// The fields of a login (2) and of a registration (6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Login<'a> {
    /// The nick.
    pub nick: &'a [u8],
    /// The password, in clear.
    pub password: &'a [u8],
    /// The data port; 0 means that nobody can connect to this user.
    pub port: u16,
    /// The client's name and version.
    pub client: &'a [u8],
    /// The line.
    pub speed: Speed,
    /// The mail address of a registration; some clients put a build number here.
    pub email: Option<&'a [u8]>,
    /// A field that nobody reads.
    pub unused: Option<&'a [u8]>,
    /// The zlib level that is asked for, 1 to 9: both directions are compressed once the login is acknowledged.
    pub zlib: Option<u8>,
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("nick", &self.nick)
            .field("password", &"...")
            .field("port", &self.port)
            .field("client", &self.client)
            .field("speed", &self.speed)
            .field("email", &self.email)
            .field("zlib", &self.zlib)
            .finish_non_exhaustive()
    }
}

impl<'a> Record<'a> for Login<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            nick: from.require()?.bytes,
            password: from.require()?.bytes,
            port: from.number()?,
            client: from.require()?.bytes,
            speed: from.number()?,
            email: from.next()?.map(|field| field.bytes),
            unused: from.next()?.map(|field| field.bytes),
            zlib: from.next()?.map(|field| field.number()).transpose()?,
        })
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.word(self.nick).word(self.password).number(self.port).quoted(self.client).number(self.speed);
        // A later field needs those before it.
        let email = self.email.or_else(|| (self.unused.is_some() || self.zlib.is_some()).then_some(b"0"));
        let unused = self.unused.or_else(|| self.zlib.is_some().then_some(b"0"));
        email.into_iter().chain(unused).for_each(|field| {
            to.word(field);
        });
        if let Some(level) = self.zlib {
            to.number(level);
        }
    }
}

/// A shared file as its holder describes it (100): `"name" md5 size bitrate frequency seconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedFile<'a> {
    /// The full name with its folders, in the form of the holder's system.
    pub name: &'a [u8],
    /// What the client says of the beginning's MD5: 32 hex digits, maybe with `-` and a length behind, or any word.
    pub md5: &'a [u8],
    /// The length in bytes.
    pub size: u64,
    /// The bit rate in kbit/s.
    pub bitrate: u32,
    /// The sampling frequency in Hz.
    pub frequency: u32,
    /// The playing time in seconds.
    pub seconds: u32,
}

impl<'a> SharedFile<'a> {
    /// The digest as bytes, if the field begins with 32 hex digits that are not all zero. How much of the file it covers
    /// differs from client to client, so it finds candidates and verifies nothing.
    #[must_use]
    pub fn digest(&self) -> Option<[u8; 16]> {
        let hex = self.md5.first_chunk::<32>()?;
        if self.md5.get(32).is_some_and(|next| *next != b'-') {
            return None;
        }
        let mut digest = [0; 16];
        for (byte, digits) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            for digit in digits {
                *byte = *byte << 4 | char::from(*digit).to_digit(16)? as u8;
            }
        }
        digest.iter().any(|byte| *byte != 0).then_some(digest)
    }

    /// Reads the six fields, as a line of a list has them.
    ///
    /// # Errors
    /// If a field is missing, has no end, or is no number.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(&mut Fields::new(line))
    }

    /// Appends the six fields.
    pub fn encode(&self, to: &mut Writer<'_>) {
        self.write(to);
    }

    fn read_behind_name(name: &'a [u8], from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            name,
            md5: from.require()?.bytes,
            size: from.number()?,
            bitrate: from.number()?,
            frequency: from.number()?,
            seconds: from.number()?,
        })
    }
}

impl<'a> Record<'a> for SharedFile<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Self::read_behind_name(from.require()?.bytes, from)
    }
    fn write(&self, to: &mut Writer<'_>) {
        to.quoted(self.name).word(self.md5).number(self.size).number(self.bitrate);
        to.number(self.frequency).number(self.seconds);
    }
}

/// The files of one folder (870): the folder, then the five fields of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareDirectory<'a> {
    /// The folder, with or without a separator at its end: a server puts `\` between if there is none.
    pub dir: &'a [u8],
    /// The fields of the files, known to be well-formed.
    files: &'a [u8],
}

impl<'a> ShareDirectory<'a> {
    /// The files, named within the folder.
    pub fn files(&self) -> impl Iterator<Item = SharedFile<'a>> + use<'a> {
        let mut from = Fields::new(self.files);
        core::iter::from_fn(move || read_next(&mut from).ok().flatten())
    }
}

fn read_next<'a>(from: &mut Fields<'a>) -> Result<Option<SharedFile<'a>>, Malformed> {
    let Some(name) = from.next()? else { return Ok(None) };
    SharedFile::read_behind_name(name.bytes, from).map(Some)
}

impl<'a> Record<'a> for ShareDirectory<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        let dir = from.require()?.bytes;
        let files = from.clone().rest();
        while read_next(from)?.is_some() {}
        Ok(Self { dir, files })
    }
    fn write(&self, to: &mut Writer<'_>) {
        to.quoted(self.dir);
        self.files().for_each(|file| file.write(to));
    }
}

/// Appends as many messages 870 as the files of a folder need, none longer than a server takes; how many files were left
/// out because one alone is too long.
pub fn put_directory<'f>(
    out: &mut BytesMut,
    dir: &[u8],
    files: impl IntoIterator<Item = SharedFile<'f>>,
) -> usize {
    const SHARE_DIRECTORY: u16 = 870;
    let (mut line, mut body, mut skipped) = (BytesMut::new(), BytesMut::new(), 0);
    let max = usize::from(FROM_CLIENT_MAX);
    let mut flush = |body: &mut BytesMut| {
        if !body.is_empty() {
            put_frame(out, SHARE_DIRECTORY, |to| {
                to.quoted(dir).rest(body);
            });
            body.clear();
        }
    };
    for file in files {
        line.clear();
        file.write(&mut Writer::new(&mut line));
        if dir.len() + 3 + line.len() > max {
            skipped += 1;
            continue;
        }
        if dir.len() + HEAD_LEN + body.len() + line.len() > max {
            flush(&mut body);
        }
        if !body.is_empty() {
            body.extend_from_slice(b" ");
        }
        body.extend_from_slice(&line);
    }
    flush(&mut body);
    skipped
}

/// A search's hit (201).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// The file.
    pub file: SharedFile<'a>,
    /// Who has it.
    pub nick: &'a [u8],
    /// The holder's address.
    pub addr: WireAddr,
    /// The holder's line.
    pub speed: Speed,
    /// A rank that few servers send.
    pub weight: Option<u32>,
}

impl<'a> Record<'a> for Hit<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            file: SharedFile::read(from)?,
            nick: from.require()?.bytes,
            addr: from.number()?,
            speed: from.number()?,
            weight: from.next()?.map(|field| field.number()).transpose()?,
        })
    }
    fn write(&self, to: &mut Writer<'_>) {
        self.file.write(to);
        to.word(self.nick).number(self.addr).number(self.speed);
        if let Some(weight) = self.weight {
            to.number(weight);
        }
    }
}

/// Whom to connect to and for which file (204, 501): `nick ip port "file" md5 speed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The other user.
    pub nick: &'a [u8],
    /// The other's address. It is what another user or a hostile server chose: check it before connecting.
    pub addr: WireAddr,
    /// The other's data port; 0 means that nobody can connect there.
    pub port: u16,
    /// The file's full name.
    pub file: &'a [u8],
    /// The file's MD5 field.
    pub md5: &'a [u8],
    /// The other's line.
    pub speed: Speed,
}

impl<'a> Record<'a> for Offer<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            nick: from.require()?.bytes,
            addr: from.number()?,
            port: from.number()?,
            file: from.require()?.bytes,
            md5: from.require()?.bytes,
            speed: from.number()?,
        })
    }
    fn write(&self, to: &mut Writer<'_>) {
        to.word(self.nick).number(self.addr).number(self.port).quoted(self.file).word(self.md5);
        to.number(self.speed);
    }
}

/// A holder of a file that was asked for by digest (216): `nick ip port "file" md5 size speed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeMatch<'a> {
    /// The holder.
    pub nick: &'a [u8],
    /// The holder's address.
    pub addr: WireAddr,
    /// The holder's data port.
    pub port: u16,
    /// The file's full name.
    pub file: &'a [u8],
    /// The file's MD5 field.
    pub md5: &'a [u8],
    /// The length in bytes.
    pub size: u64,
    /// The holder's line.
    pub speed: Speed,
}

impl<'a> Record<'a> for ResumeMatch<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            nick: from.require()?.bytes,
            addr: from.number()?,
            port: from.number()?,
            file: from.require()?.bytes,
            md5: from.require()?.bytes,
            size: from.number()?,
            speed: from.number()?,
        })
    }
    fn write(&self, to: &mut Writer<'_>) {
        to.word(self.nick).number(self.addr).number(self.port).quoted(self.file).word(self.md5);
        to.number(self.size).number(self.speed);
    }
}

/// A user in a channel (406, 407, 408, 825): `channel nick files speed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The channel.
    pub channel: &'a [u8],
    /// The user.
    pub nick: &'a [u8],
    /// How many files the user shares.
    pub files: u32,
    /// The user's line.
    pub speed: Speed,
}

impl<'a> Record<'a> for Member<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            channel: from.require()?.bytes,
            nick: from.require()?.bytes,
            files: from.number()?,
            speed: from.number()?,
        })
    }
    fn write(&self, to: &mut Writer<'_>) {
        to.word(self.channel).word(self.nick).number(self.files).number(self.speed);
    }
}

/// Who a user is (604).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whois<'a> {
    /// The user.
    pub nick: &'a [u8],
    /// The user's level, as a word that servers may choose.
    pub level: &'a [u8],
    /// Seconds since the login.
    pub online_seconds: u64,
    /// The channels, each with a space behind it; a lone space if there are none.
    pub channels: &'a [u8],
    /// `Active`, or what else the server says.
    pub status: &'a [u8],
    /// How many files are shared.
    pub files: u32,
    /// Downloads at the moment.
    pub downloads: u32,
    /// Uploads at the moment.
    pub uploads: u32,
    /// The line.
    pub speed: Speed,
    /// The client's name and version.
    pub client: &'a [u8],
    /// What only moderators are shown, as it came; see [`private`](Self::private).
    pub more: &'a [u8],
}

/// What only moderators are shown of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhoisPrivate<'a> {
    /// All downloads and uploads so far, where the server says so.
    pub totals: Option<(u64, u64)>,
    /// The address, as dotted text.
    pub addr: &'a [u8],
    /// The port of the connection to the server.
    pub port: u16,
    /// The data port.
    pub data_port: u16,
    /// The mail address.
    pub email: &'a [u8],
}

impl<'a> Whois<'a> {
    /// The fields behind the tenth, of which there are four or six.
    #[must_use]
    pub fn private(&self) -> Option<WhoisPrivate<'a>> {
        let mut count = Fields::new(self.more);
        let fields = core::iter::from_fn(|| count.next().ok().flatten()).count();
        let mut from = Fields::new(self.more);
        let totals = match fields {
            4 => None,
            6.. => Some((from.number().ok()?, from.number().ok()?)),
            _ => return None,
        };
        Some(WhoisPrivate {
            totals,
            addr: from.require().ok()?.bytes,
            port: from.number().ok()?,
            data_port: from.number().ok()?,
            email: from.require().ok()?.bytes,
        })
    }
}

impl<'a> Record<'a> for Whois<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            nick: from.require()?.bytes,
            level: from.require()?.bytes,
            online_seconds: from.number()?,
            channels: from.require()?.bytes,
            status: from.require()?.bytes,
            files: from.number()?,
            downloads: from.number()?,
            uploads: from.number()?,
            speed: from.number()?,
            client: from.require()?.bytes,
            more: from.rest(),
        })
    }
    fn write(&self, to: &mut Writer<'_>) {
        to.word(self.nick).quoted(self.level).number(self.online_seconds);
        to.quoted(self.channels).quoted(self.status).number(self.files);
        to.number(self.downloads).number(self.uploads).number(self.speed).quoted(self.client);
        to.rest(self.more);
    }
}
