//! [`Search`]: what is looked for in the library, by strangers and by applications on this machine.

use super::SharedFile;
use crate::Urn;
use crate::ggep::fields::{media, name, number};
use crate::wire::Query;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// The most names by content of a query that are looked up.
const URNS_MAX: usize = 16;

/// What is looked for. All that it says must hold: every word, the media, the size, the ending, the pattern.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Search<'a> {
    /// Words, in any form; those between quotation marks next to each other, in this order.
    pub words: Cow<'a, str>,
    /// Names by content, any of which will do.
    pub urns: Vec<Urn>,
    /// Kinds of content as bits of [`media`](crate::ggep::fields::media), any of which will do; 0 for all.
    pub media: u64,
    /// Sizes in bytes.
    pub sizes: RangeInclusive<u64>,
    /// What the name ends in, without its dot, in any case.
    pub ending: Option<Cow<'a, str>>,
    /// The newest files first, in whatever words.
    pub newest: bool,
    /// What the name must match.
    #[cfg(feature = "pattern")]
    pub pattern: Option<&'a Pattern>,
    /// It comes from an application on this machine, which may look through everything.
    pub(super) is_local: bool,
}

impl<'a> Search<'a> {
    /// A search of an application on this machine: for these words, or for everything if there are none.
    #[must_use]
    pub fn local(words: &'a str) -> Self {
        Self { is_local: true, ..Self::new(Cow::Borrowed(words)) }
    }

    const fn new(words: Cow<'a, str>) -> Self {
        Self {
            words,
            urns: Vec::new(),
            media: 0,
            sizes: 0..=u64::MAX,
            ending: None,
            newest: false,
            #[cfg(feature = "pattern")]
            pattern: None,
            is_local: false,
        }
    }

    /// What a query of the network says: words, names by content, media (`M`), or that the newest are wanted.
    #[must_use]
    pub fn of_query(query: &'a Query) -> Self {
        let text = match str::from_utf8(&query.text) {
            Ok(text) => Cow::Borrowed(text),
            // Servents of before 2003 wrote Latin-1.
            Err(_) => Cow::Owned(query.text.iter().map(|byte| char::from(*byte)).collect::<String>()),
        };
        let extensions = query.extensions();
        let mut search = Self::new(if query.is_whats_new() { Cow::Borrowed("") } else { text });
        search.newest = query.is_whats_new();
        search.urns = extensions.urns().filter(|urn| urn.sha1().is_some()).take(URNS_MAX).collect();
        search.media = extensions.data(name::MEDIA).and_then(|data| number(&data)).unwrap_or_default();
        search
    }

    /// Whether a file is what is looked for, but for words and names by content.
    pub(super) fn admits(&self, file: &SharedFile) -> bool {
        let ending = || file.name().rsplit_once('.').map_or("", |(_, ending)| ending);
        let ends = self.ending.as_ref().is_none_or(|wanted| ending().eq_ignore_ascii_case(wanted));
        let is_of = self.media == 0 || media_of(file.name()) & self.media != 0;
        #[cfg(feature = "pattern")]
        let matches = self.pattern.is_none_or(|pattern| pattern.0.is_match(file.name()));
        #[cfg(not(feature = "pattern"))]
        let matches = true;
        ends && is_of && matches && self.sizes.contains(&file.size)
    }
}

const ENDINGS: [(u64, &[&str]); 6] = [
    (
        media::AUDIO,
        &["mp3", "ogg", "oga", "opus", "flac", "wav", "m4a", "aac", "wma", "aif", "aiff", "mid", "ape"],
    ),
    (media::VIDEO, &["avi", "mpg", "mpeg", "mp4", "m4v", "mkv", "mov", "wmv", "ogv", "webm", "flv", "divx"]),
    (
        media::DOCUMENT,
        &["txt", "pdf", "doc", "docx", "odt", "rtf", "htm", "html", "ps", "epub", "tex", "djvu"],
    ),
    (media::IMAGE, &["jpg", "jpeg", "png", "gif", "bmp", "svg", "tif", "tiff", "webp", "xcf"]),
    (media::WINDOWS, &["exe", "msi", "zip", "cab", "bat"]),
    (media::UNIX, &["deb", "rpm", "tgz", "gz", "xz", "bz2", "dmg", "tar", "zip", "sh"]),
];

/// The kinds of content that a name's ending stands for, as bits of [`media`](crate::ggep::fields::media).
#[must_use]
pub fn media_of(name: &str) -> u64 {
    let Some((_, ending)) = name.rsplit_once('.') else { return 0 };
    let of = ENDINGS.iter().filter(|(_, endings)| endings.iter().any(|is| is.eq_ignore_ascii_case(ending)));
    of.fold(0, |all, (media, _)| all | media)
}

/// A regular expression over names of files, for applications on this machine. Strangers have no way to send one.
#[cfg(feature = "pattern")]
#[derive(Debug, Clone)]
pub struct Pattern(regex::Regex);

/// Text is no regular expression, or one that would take too much memory.
#[cfg(feature = "pattern")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

#[cfg(feature = "pattern")]
impl Pattern {
    /// The most bytes that an expression takes once it is read.
    const SIZE_MAX: usize = 1 << 20;

    /// Reads an expression. Case does not count. It matches in time that grows with the name alone.
    ///
    /// # Errors
    /// If it is none, or takes more than 1 MiB.
    pub fn new(expression: &str) -> Result<Self, PatternError> {
        let mut builder = regex::RegexBuilder::new(expression);
        builder.case_insensitive(true).size_limit(Self::SIZE_MAX);
        builder.build().map(Self).map_err(|why| PatternError(alloc::format!("{why}")))
    }
}
