//! What two users say on the data port, before and beside a file's bytes.
//!
//! ```text
//! who listens                              who dialled
//! 1                          ------------>
//!                            <------------  GET            then  nick "file" offset      a download
//! size, then the bytes       ------------>
//!                            <------------  SEND           then  nick "file" size        a push
//! offset                     ------------>
//!                            <------------  the bytes from there on
//!                            <------------  GETLIST                                      a direct browse
//! nick, lines, empty line    ------------>
//!                            <------------  SENDLIST nick, lines, empty line             the same as a push
//! ```
//!
//! The protocol has no ends: a verb is one segment and its arguments the next (real clients refuse both in one), numbers
//! end where the sender's segment does, and a size is followed by the file at once, which may begin with digits itself.
//! So what is read here says [`Read::Maybe`] where more digits would change it: wait a moment for them, not for ever.
//! Sizes are of the whole file, whatever the offset. Refusals are words in place of a number.

use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

use crate::wire::message::SharedFile;
use crate::wire::text::{Fields, Writer, decimal, put_decimal};

/// What a listener says at once.
pub const GREETING: u8 = b'1';

/// The most bytes of a request that are waited for: a name of 2,000 bytes, the longest a server passes on, and the rest.
pub const REQUEST_MAX: usize = 2300;

/// The longest line of a list of files.
pub const LINE_MAX: usize = 2300;

/// What the dialler wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// `GET`: the listener is to send a file.
    Download {
        /// Who dialled, as he says.
        nick: &'a [u8],
        /// The file's name, exactly as it was shared.
        file: &'a [u8],
        /// The first byte that is wanted.
        offset: u64,
    },
    /// `SEND`: the dialler will send a file that the listener asked for.
    Upload {
        /// Who dialled, as he says.
        nick: &'a [u8],
        /// The file's name; some clients leave out its folders.
        file: &'a [u8],
        /// The length of the whole file in bytes.
        size: u64,
    },
    /// `GETLIST`: the listener is to send the list of its files.
    GetList,
    /// `SENDLIST`: the dialler sends the list of its files. A [`ListReader`] takes it from the verb on.
    SendList,
}

/// How far a text without an end could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// More has to come.
    Incomplete,
    /// This, which took so many bytes; unless more of it follows, for what came ends in it.
    Maybe(T, usize),
    /// This, which took so many bytes; what follows is something else.
    Done(T, usize),
}

impl<T> Read<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Read<U> {
        match self {
            Self::Incomplete => Read::Incomplete,
            Self::Maybe(value, len) => Read::Maybe(f(value), len),
            Self::Done(value, len) => Read::Done(f(value), len),
        }
    }

    const fn shifted(self, by: usize) -> Self
    where
        T: Copy,
    {
        match self {
            Self::Incomplete => Self::Incomplete,
            Self::Maybe(value, len) => Self::Maybe(value, len + by),
            Self::Done(value, len) => Self::Done(value, len + by),
        }
    }
}

/// Why a data connection says nothing that can be understood; it is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The listener's first byte is no greeting.
    #[error("no greeting")]
    Greeting,
    /// None of the four verbs.
    #[error("an unknown verb")]
    Verb,
    /// The nick or the file's name cannot be read.
    #[error("arguments that cannot be read")]
    Arguments,
    /// An offset or a size that is no number in range.
    #[error("not a number in range")]
    Number,
    /// A request or a line longer than any can be.
    #[error("longer than {0} bytes")]
    TooLong(usize),
}

/// Reads what a dialler sends behind its connect.
///
/// A verb that shares its segment with the arguments is understood, too.
///
/// # Errors
/// If it cannot become a request, whatever follows.
pub fn read_request(bytes: &[u8]) -> Result<Read<Request<'_>>, TransferError> {
    let read = read_verb(bytes)?;
    if matches!(read, Read::Incomplete) && bytes.len() > REQUEST_MAX {
        return Err(TransferError::TooLong(REQUEST_MAX));
    }
    Ok(read)
}

fn read_verb(bytes: &[u8]) -> Result<Read<Request<'_>>, TransferError> {
    if let Some(arguments) = bytes.strip_prefix(b"GET") {
        return read_get(arguments).map(|read| read.shifted(3));
    }
    if let Some(arguments) = bytes.strip_prefix(b"SEND") {
        // `SENDLIST nick` is a list, `SENDLIST "file" 1` a file of a user named LIST.
        return match arguments.strip_prefix(b"LIST") {
            Some([b'\r' | b'\n', ..]) => Ok(Read::Done(Request::SendList, 0)),
            Some([b' ', next, ..]) if *next != b'"' => Ok(Read::Done(Request::SendList, 0)),
            Some([] | [b' ']) => Ok(Read::Incomplete),
            _ => {
                let upload = |(nick, file, size)| Request::Upload { nick, file, size };
                Ok(read_arguments(arguments)?.map(upload).shifted(4))
            }
        };
    }
    let could_be = |verb: &[u8]| verb.starts_with(bytes);
    if could_be(b"GET") || could_be(b"SEND") { Ok(Read::Incomplete) } else { Err(TransferError::Verb) }
}

fn read_get(arguments: &[u8]) -> Result<Read<Request<'_>>, TransferError> {
    match arguments.strip_prefix(b"LIST") {
        Some([]) => return Ok(Read::Maybe(Request::GetList, 4)),
        Some([b'\n', ..]) => return Ok(Read::Done(Request::GetList, 5)),
        Some([b'\r', b'\n', ..]) => return Ok(Read::Done(Request::GetList, 6)),
        _ => {}
    }
    let download = |(nick, file, offset)| Request::Download { nick, file, offset };
    Ok(read_arguments(arguments)?.map(download))
}

type Arguments<'a> = (&'a [u8], &'a [u8], u64);

/// `nick "file" number`, where any byte may be the last that came.
fn read_arguments(bytes: &[u8]) -> Result<Read<Arguments<'_>>, TransferError> {
    // A nick that is not followed by a separator may go on; and neither a nick nor a name may be empty.
    let fields = &mut Fields::new(bytes);
    let Ok(Some(nick)) = fields.next() else { return Ok(Read::Incomplete) };
    if fields.at() == bytes.len() {
        return Ok(Read::Incomplete);
    }
    // The quote of the name is not closed yet, or there is none at all.
    let Ok(Some(file)) = fields.next() else { return Ok(Read::Incomplete) };
    if nick.bytes.is_empty() || file.bytes.is_empty() || !file.quoted {
        return Err(TransferError::Arguments);
    }
    let rest = bytes.get(fields.at()..).unwrap_or_default();
    let digits = rest.trim_ascii_start();
    if digits.is_empty() {
        return Ok(Read::Incomplete);
    }
    let before = bytes.len() - digits.len();
    Ok(read_number(digits)?.map(|number| (nick.bytes, file.bytes, number)).shifted(before))
}

/// Digits; a number that begins with 0 is 0, for nobody writes another.
fn read_number(bytes: &[u8]) -> Result<Read<u64>, TransferError> {
    if bytes.first() == Some(&b'0') {
        return Ok(Read::Done(0, 1));
    }
    let len = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let number = bytes.get(..len).and_then(decimal).ok_or(TransferError::Number)?;
    Ok(if len == bytes.len() { Read::Maybe(number, len) } else { Read::Done(number, len) })
}

impl Request<'_> {
    /// The verb: a segment of its own.
    #[must_use]
    pub const fn verb(&self) -> &'static [u8] {
        match self {
            Self::Download { .. } => b"GET",
            Self::Upload { .. } => b"SEND",
            Self::GetList => b"GETLIST",
            Self::SendList => b"SENDLIST",
        }
    }

    /// Appends the arguments: a segment of its own, behind the verb's. A list has none.
    pub fn put_arguments(&self, out: &mut BytesMut) {
        if let Self::Download { nick, file, offset: number } | Self::Upload { nick, file, size: number } =
            self
        {
            Writer::new(out).word(nick).quoted(file).number(*number);
        }
    }
}

/// What a request for a file is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To `GET`: the size of the whole file, whose bytes follow. To `SEND`: the first byte that is wanted.
    Number(u64),
    /// No.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The listener could not read the request, does not know the file, or did not agree to it.
    #[error("the request is invalid")]
    InvalidRequest,
    /// The listener shares no such file.
    #[error("the file is not shared")]
    NotShared,
}

impl Refusal {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::InvalidRequest, Self::NotShared];

    /// The words.
    #[must_use]
    pub const fn text(self) -> &'static [u8] {
        match self {
            Self::InvalidRequest => b"INVALID REQUEST",
            Self::NotShared => b"FILE NOT SHARED",
        }
    }
}

/// Reads the answer to a request, from its first byte on.
///
/// `expected` is the size that the holder's server said, and decides where a size ends that is followed by a file of
/// digits.
///
/// # Errors
/// If it is neither a number nor one of the refusals.
pub fn read_reply(bytes: &[u8], expected: Option<u64>) -> Result<Read<Reply>, TransferError> {
    if bytes.is_empty() {
        return Ok(Read::Incomplete);
    }
    for refusal in Refusal::ALL {
        if bytes.starts_with(refusal.text()) {
            return Ok(Read::Done(Reply::Refused(refusal), refusal.text().len()));
        }
        if refusal.text().starts_with(bytes) {
            return Ok(Read::Incomplete);
        }
    }
    if let Some(expected) = expected {
        let mut digits = BytesMut::with_capacity(20);
        put_decimal(&mut digits, expected);
        if bytes.starts_with(&digits) {
            return Ok(Read::Done(Reply::Number(expected), digits.len()));
        }
    }
    Ok(read_number(bytes)?.map(Reply::Number))
}

/// Whether the listener greets: `None` as long as nothing has come.
///
/// # Errors
/// If it says something else.
pub fn read_greeting(bytes: &[u8]) -> Result<Option<()>, TransferError> {
    match bytes.first() {
        None => Ok(None),
        Some(&GREETING) => Ok(Some(())),
        Some(_) => Err(TransferError::Greeting),
    }
}

/// Appends the answer to a request.
pub fn put_reply(out: &mut BytesMut, reply: Reply) {
    match reply {
        Reply::Number(number) => put_decimal(out, number),
        Reply::Refused(refusal) => out.put_slice(refusal.text()),
    }
}

/// A part of a list of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListItem<'a> {
    /// Whose list it is, as the sender says.
    Nick(&'a [u8]),
    /// A file.
    File(SharedFile<'a>),
}

/// Reads a list of files in all its forms: `nick`, `SENDLIST nick`, or `SENDLIST` and then `nick`; then lines, then an
/// empty line.
#[derive(Clone, Debug, Default)]
pub struct ListReader {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    has_nick: bool,
    is_done: bool,
    skipped: u64,
}

impl ListReader {
    /// Begins a list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and gives each whole line to `take`; whether the list is at its end. Lines that cannot be
    /// read are skipped: one that shares a name with a quote must not hide the others. How many files there may be is for
    /// the caller to limit.
    ///
    /// # Errors
    /// If a line is longer than [`LINE_MAX`].
    pub fn push(
        &mut self,
        mut chunk: &[u8],
        mut take: impl FnMut(ListItem<'_>),
    ) -> Result<bool, TransferError> {
        while !self.is_done {
            let Some(len) = chunk.iter().position(|byte| *byte == b'\n') else {
                self.check_len(chunk.len())?;
                self.partial.extend_from_slice(chunk);
                break;
            };
            let (line, behind) = chunk.split_at(len);
            chunk = behind.get(1..).unwrap_or_default();
            self.check_len(len)?;
            if self.partial.is_empty() {
                self.line(line, &mut take);
            } else {
                let mut whole = core::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole, &mut take);
                whole.clear();
                self.partial = whole;
            }
        }
        Ok(self.is_done)
    }

    /// How many lines could not be read.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    const fn check_len(&self, more: usize) -> Result<(), TransferError> {
        if self.partial.len() + more > LINE_MAX {
            return Err(TransferError::TooLong(LINE_MAX));
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], take: &mut impl FnMut(ListItem<'_>)) {
        let line = line.trim_ascii();
        if !self.has_nick {
            let nick = match line.strip_prefix(b"SENDLIST") {
                Some([]) => return,
                Some([b' ', nick @ ..]) => nick.trim_ascii(),
                _ => line,
            };
            self.has_nick = true;
            take(ListItem::Nick(nick));
        } else if line.is_empty() {
            self.is_done = true;
        } else {
            // Half a line, torn by a line end in a name, must not pass for a file: every client quotes names.
            match SharedFile::parse(line).ok().filter(|_| line.starts_with(b"\"")) {
                Some(file) => take(ListItem::File(file)),
                None => self.skipped += 1,
            }
        }
    }
}

/// Appends the line that begins a list asked for with `GETLIST`.
pub fn put_list_nick(out: &mut BytesMut, nick: &[u8]) {
    put_line(out, nick);
}

/// Appends the line that begins a list which nobody could ask for: `SENDLIST nick`.
pub fn put_send_list(out: &mut BytesMut, nick: &[u8]) {
    out.put_slice(b"SENDLIST ");
    put_line(out, nick);
}

/// Appends the line of a file.
pub fn put_list_file(out: &mut BytesMut, file: &SharedFile<'_>) {
    let mut line = BytesMut::with_capacity(file.name.len() + file.md5.len() + 64);
    file.encode(&mut Writer::new(&mut line));
    put_line(out, &line);
}

/// Appends the line that ends a list.
pub fn put_list_end(out: &mut BytesMut) {
    out.put_u8(b'\n');
}

/// A line, without the line ends that a name may have.
fn put_line(out: &mut BytesMut, line: &[u8]) {
    out.extend(line.iter().filter(|byte| **byte != b'\n').copied());
    out.put_u8(b'\n');
}
