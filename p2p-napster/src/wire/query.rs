//! The clauses of a search (200), in any order and repeated.
//!
//! ```text
//! FILENAME CONTAINS "some words"     FILENAME EXCLUDES "some words"     MAX_RESULTS n
//! LINESPEED cmp n   BITRATE cmp "n"   FREQ cmp "n"   SIZE cmp n   DURATION cmp n
//! TYPE t            WMA-FILE          LOCAL_ONLY
//! ```
//!
//! `cmp` is `"AT LEAST"`, `"AT BEST"` (at most) or `"EQUAL TO"`; numbers come with and without quotes; the words of the
//! grammar are read in any case.

use alloc::vec::Vec;

use super::codec::record::Record;
use super::text::{Fault, Field, Fields, Malformed, Writer, is_separator};

/// The most clauses of one query; the longest message that a client may send has room for a few more.
pub const CLAUSES_MAX: usize = 128;

/// A search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    /// The clauses in their order.
    pub clauses: Vec<Clause<'a>>,
    /// Whether a space follows the last clause, as one client writes it.
    pub space_behind: bool,
}

/// One clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clause<'a> {
    /// The name has all these words; one that begins with `-` must not be in it.
    Contains(&'a [u8]),
    /// The name has none of these words.
    Excludes(&'a [u8]),
    /// No more hits than this; 0 leaves it to the server.
    MaxResults(Value),
    /// A bound of a number.
    Bound {
        /// Which number.
        of: Attribute,
        /// How it is compared.
        comparison: Comparison,
        /// With what.
        value: Value,
    },
    /// The sort of file: `mp3`, `audio`, `video`, `application`, `image`, `text`, or `any`.
    Type {
        /// The word.
        name: &'a [u8],
        /// Whether it stands in quotes.
        quoted: bool,
    },
    /// WMA files.
    Wma,
    /// Only files of users of this server.
    LocalOnly,
}

/// A number of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The number.
    pub number: u64,
    /// Whether it stands in quotes.
    pub quoted: bool,
}

/// What can be bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// The holder's line, 0 to 10.
    LineSpeed,
    /// The bit rate in kbit/s.
    Bitrate,
    /// The sampling frequency in Hz.
    Frequency,
    /// The length in bytes.
    Size,
    /// The playing time in seconds.
    Duration,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Not less.
    AtLeast,
    /// Not more.
    AtBest,
    /// The same.
    EqualTo,
}

impl Attribute {
    const ALL: [Self; 5] = [Self::LineSpeed, Self::Bitrate, Self::Frequency, Self::Size, Self::Duration];

    const fn word(self) -> &'static str {
        match self {
            Self::LineSpeed => "LINESPEED",
            Self::Bitrate => "BITRATE",
            Self::Frequency => "FREQ",
            Self::Size => "SIZE",
            Self::Duration => "DURATION",
        }
    }

    /// Whether clients of the time put the number in quotes.
    const fn is_quoted(self) -> bool {
        matches!(self, Self::Bitrate | Self::Frequency)
    }
}

impl Comparison {
    const ALL: [Self; 3] = [Self::AtLeast, Self::AtBest, Self::EqualTo];

    const fn words(self) -> &'static str {
        match self {
            Self::AtLeast => "AT LEAST",
            Self::AtBest => "AT BEST",
            Self::EqualTo => "EQUAL TO",
        }
    }
}

impl<'a> Clause<'a> {
    /// A limit of the hits.
    #[must_use]
    pub const fn max_results(number: u64) -> Self {
        Self::MaxResults(Value { number, quoted: false })
    }

    /// A bound, written as clients of the time do.
    #[must_use]
    pub const fn bound(of: Attribute, comparison: Comparison, number: u64) -> Self {
        Self::Bound { of, comparison, value: Value { number, quoted: of.is_quoted() } }
    }

    /// A sort of file.
    #[must_use]
    pub const fn media(name: &'a [u8]) -> Self {
        Self::Type { name, quoted: false }
    }

    fn read(word: Field<'a>, from: &mut Fields<'a>) -> Result<Self, Malformed> {
        let is = |name: &str| word.bytes.eq_ignore_ascii_case(name.as_bytes());
        if is("FILENAME") {
            let verb = from.require()?;
            let text = from.require()?.bytes;
            return if verb.bytes.eq_ignore_ascii_case(b"CONTAINS") {
                Ok(Self::Contains(text))
            } else if verb.bytes.eq_ignore_ascii_case(b"EXCLUDES") {
                Ok(Self::Excludes(text))
            } else {
                Err(Malformed { at: verb.at, fault: Fault::Word })
            };
        }
        if is("MAX_RESULTS") {
            return Ok(Self::MaxResults(Value::read(from)?));
        }
        if is("TYPE") {
            let field = from.require()?;
            return Ok(Self::Type { name: field.bytes, quoted: field.quoted });
        }
        if is("WMA-FILE") {
            return Ok(Self::Wma);
        }
        if is("LOCAL_ONLY") {
            return Ok(Self::LocalOnly);
        }
        let unknown = Malformed { at: word.at, fault: Fault::Word };
        let of = Attribute::ALL.into_iter().find(|attribute| is(attribute.word())).ok_or(unknown)?;
        let field = from.require()?;
        let comparison = Comparison::ALL
            .into_iter()
            .find(|comparison| field.bytes.eq_ignore_ascii_case(comparison.words().as_bytes()))
            .ok_or(Malformed { at: field.at, fault: Fault::Word })?;
        Ok(Self::Bound { of, comparison, value: Value::read(from)? })
    }

    fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::Contains(text) => to.word(b"FILENAME").word(b"CONTAINS").quoted(text),
            Self::Excludes(text) => to.word(b"FILENAME").word(b"EXCLUDES").quoted(text),
            Self::MaxResults(value) => value.write(to.word(b"MAX_RESULTS")),
            Self::Bound { of, comparison, value } => {
                value.write(to.word(of.word().as_bytes()).quoted(comparison.words().as_bytes()))
            }
            Self::Type { name, quoted: true } => to.word(b"TYPE").quoted(name),
            Self::Type { name, quoted: false } => to.word(b"TYPE").word(name),
            Self::Wma => to.word(b"WMA-FILE"),
            Self::LocalOnly => to.word(b"LOCAL_ONLY"),
        };
    }
}

impl Value {
    fn read(from: &mut Fields<'_>) -> Result<Self, Malformed> {
        let field = from.require()?;
        Ok(Self { number: field.number()?, quoted: field.quoted })
    }

    fn write<'w, 'b>(&self, to: &'w mut Writer<'b>) -> &'w mut Writer<'b> {
        if self.quoted { to.quoted_number(self.number) } else { to.number(self.number) }
    }
}

impl<'a> Query<'a> {
    /// Files whose name has all these words.
    #[must_use]
    pub fn containing(words: &'a [u8], max_results: u64) -> Self {
        Self {
            clauses: alloc::vec![Clause::Contains(words), Clause::max_results(max_results)],
            space_behind: false,
        }
    }

    /// Reads the clauses of a body, also of a search of a linked server.
    ///
    /// # Errors
    /// If a word is none of the grammar, a number is none, a quote is not closed, or there are too many clauses.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(&mut Fields::new(body))
    }

    /// Appends the clauses as text.
    pub fn encode(&self, to: &mut Writer<'_>) {
        self.write(to);
    }

    /// The pieces of text that a name must contain, between spaces. What a word is, the index decides.
    pub fn included(&self) -> impl Iterator<Item = &'a [u8]> {
        self.contained().filter(|piece| piece.first() != Some(&b'-'))
    }

    /// The pieces of text that a name must not contain.
    pub fn excluded(&self) -> impl Iterator<Item = &'a [u8]> {
        let minus = self.contained().filter_map(|piece| piece.strip_prefix(b"-"));
        let named = self.clauses.iter().filter_map(|clause| match clause {
            Clause::Excludes(text) => Some(*text),
            _ => None,
        });
        minus.chain(named.flat_map(pieces)).filter(|piece| !piece.is_empty())
    }

    /// The lowest limit of the hits that is not 0.
    #[must_use]
    pub fn max_results(&self) -> Option<u64> {
        self.clauses
            .iter()
            .filter_map(|clause| match clause {
                Clause::MaxResults(value) if value.number > 0 => Some(value.number),
                _ => None,
            })
            .min()
    }

    fn contained(&self) -> impl Iterator<Item = &'a [u8]> {
        let texts = self.clauses.iter().filter_map(|clause| match clause {
            Clause::Contains(text) => Some(*text),
            _ => None,
        });
        texts.flat_map(pieces)
    }
}

fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| is_separator(*byte)).filter(|piece| !piece.is_empty())
}

impl<'a> Record<'a> for Query<'a> {
    fn read(from: &mut Fields<'a>) -> Result<Self, Malformed> {
        let mut query = Self::default();
        loop {
            let behind = from.at();
            let Some(word) = from.next()? else {
                query.space_behind = from.at() > behind && !query.clauses.is_empty();
                return Ok(query);
            };
            if query.clauses.len() == CLAUSES_MAX {
                return Err(Malformed { at: word.at, fault: Fault::TooMany });
            }
            query.clauses.push(Clause::read(word, from)?);
        }
    }

    fn write(&self, to: &mut Writer<'_>) {
        self.clauses.iter().for_each(|clause| clause.write(to));
        if self.space_behind {
            to.raw(b" ");
        }
    }
}
