//! The words of a name or of a query, in the form in which all servents hash them.

use alloc::string::String;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters that a beginning of a word has at least.
const BEGINNING_MIN: usize = 4;

/// By how many of its last letters less a word is found too, as long as four are left. gtk-gnutella's tables have five less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut(pub u8);

impl Cut {
    /// Whole words only.
    pub const NONE: Self = Self(0);
    /// As gtk-gnutella: five.
    pub const MOST: Self = Self(5);
}

/// A text's words in lower case, with a space between two: letters and digits, without accents (NFKD with the marks left
/// out, but for those that make another letter in Japanese), composed again (NFC).
///
/// gtk-gnutella also parts a word where the script changes; that is not done here.
#[must_use]
pub fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let put = |out: &mut String, c: char| {
        if c.is_alphanumeric() || is_kana_mark(c) {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    };
    if text.is_ascii() {
        text.bytes().for_each(|byte| put(&mut out, char::from(byte.to_ascii_lowercase())));
    } else {
        // Lower case first, for it may bring marks of its own.
        let folded = text.chars().flat_map(char::to_lowercase).map(fold).nfkd();
        // What a compatible form stands for may be in upper case.
        let plain =
            folded.flat_map(char::to_lowercase).filter(|c| !is_combining_mark(*c) || is_kana_mark(*c));
        let mut spaced = String::with_capacity(text.len());
        plain.for_each(|c| put(&mut spaced, c));
        out.extend(spaced.nfc());
    }
    out.truncate(out.trim_end().len());
    out
}

/// The marks that make か a が, and は a ぱ.
const fn is_kana_mark(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309a}')
}

/// Two forms of one letter.
const fn fold(c: char) -> char {
    match c {
        'ς' => 'σ',
        other => other,
    }
}

/// The words of a [`canonical`] text.
pub fn words(canonical: &str) -> impl Iterator<Item = &str> {
    canonical.split(' ').filter(|word| !word.is_empty())
}

/// A word, and what is left of it without its last letters, as it stands in tables.
pub(super) fn beginnings(word: &str, Cut(most): Cut) -> impl Iterator<Item = &str> {
    let letters = word.chars().count();
    (0..=most.into()).filter(move |cut| *cut == 0 || letters >= BEGINNING_MIN + cut).map(move |cut| {
        let end = word.char_indices().nth(letters - cut).map_or(word.len(), |(at, _)| at);
        &word[..end]
    })
}

/// Whether a search for the words of `query` may find a file of this name: each is a word of it, or a beginning of one that
/// the table has. Both texts are [`canonical`]; a query without words finds nothing.
///
/// A search that finds by more finds files whose holder is not asked.
#[must_use]
pub fn finds(name: &str, query: &str, cut: Cut) -> bool {
    let is_of =
        |wanted: &str| words(name).any(|word| beginnings(word, cut).any(|beginning| beginning == wanted));
    words(query).next().is_some() && words(query).all(is_of)
}
