//! [`Phrases`]: what stands between quotation marks in a search. A name must have these words next to each other, in this order.
//!
//! On the wire they are words like others: tables and other servents know no phrases, so hits of others are looked at again.

use crate::qrp::{canonical, words};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The most phrases of a search that count.
const PHRASES_MAX: usize = 8;

/// The phrases of a search.
#[derive(Debug, Default)]
pub(crate) struct Phrases(Vec<String>);

impl Phrases {
    /// Those of a text. A mark that is not closed begins none, nor does one word need any.
    pub(crate) fn of(text: &str) -> Self {
        let marks = text.matches('"').count();
        let between = text.split('"').enumerate().filter(|(at, _)| at % 2 == 1 && *at < marks);
        let phrases = between.map(|(_, phrase)| canonical(phrase));
        let several = phrases.filter(|phrase| words(phrase).nth(1).is_some());
        Self(several.take(PHRASES_MAX).map(|phrase| format!(" {phrase} ")).collect())
    }

    /// Whether a name in its canonical form has all of them.
    pub(crate) fn are_in(&self, name: &str) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let name = format!(" {name} ");
        self.0.iter().all(|phrase| name.contains(phrase))
    }

    /// Whether a name as a stranger wrote it has all of them.
    pub(crate) fn are_in_bytes(&self, name: &[u8]) -> bool {
        self.0.is_empty() || self.are_in(&canonical(&String::from_utf8_lossy(name)))
    }
}
