//! Searching by words, as every system of the first generation did: [`Keywords`].

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The most words of a search: people type five, and each one costs whoever answers.
pub const MAX_WORDS: usize = 32;
/// The longest word in bytes: real ones are shorter, longer ones are cut at a character.
pub const MAX_WORD: usize = 64;

/// The words of a search: in lower case, each once, in the order they were typed; at most 32 of at most 64 bytes.
///
/// ```
/// use p2p_core::keywords::Keywords;
///
/// let words = Keywords::from("Blue, BLUE train!");
/// assert_eq!(words.to_string(), "blue train");
/// assert!(words.matches("John_Coltrane-Blue_Train.mp3"));
/// assert!(!words.matches("Blue Trane"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Keywords(Vec<Box<str>>);

/// The words in a text: runs of letters and digits, in lower case, each cut to 64 bytes.
pub fn tokens(text: &str) -> impl Iterator<Item = Box<str>> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()).map(|run| {
        let mut word = String::with_capacity(run.len().min(MAX_WORD));
        for c in run.chars().flat_map(char::to_lowercase) {
            if word.len() + c.len_utf8() > MAX_WORD {
                break;
            }
            word.push(c);
        }
        word.into()
    })
}

impl Keywords {
    /// The words of a text; those past the 32nd different one are left out.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut words: Vec<Box<str>> = Vec::new();
        for word in tokens(text) {
            if words.len() == MAX_WORDS {
                break;
            }
            if !words.contains(&word) {
                words.push(word);
            }
        }
        Self(words)
    }

    /// Whether there are no words: such a search finds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The words, in the order they were typed.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|word| &**word)
    }

    /// Whether every word is a word of `name`; false without words, so that nobody asks for everything.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // A bit per word, so that the name is read once.
        let mut missing = u32::MAX.checked_shr(32 - self.0.len() as u32).unwrap_or(0);
        if missing == 0 {
            return false;
        }
        for token in tokens(name) {
            if let Some(at) = self.0.iter().position(|word| *word == token) {
                missing &= !(1 << at);
                if missing == 0 {
                    return true;
                }
            }
        }
        false
    }
}

impl From<&str> for Keywords {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Keywords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn words() {
        assert_eq!(Keywords::from("  Ünïted-STATES of_2001 ").to_string(), "ünïted states of 2001");
        assert!(Keywords::from(" -_-!").is_empty() && !Keywords::from("...").matches("anything"));
        assert!(Keywords::from("b a").matches("A/B.txt") && !Keywords::from("a").matches("ab"));
        assert!(!Keywords::from("a b").matches("a a"));
    }

    #[test]
    fn limits() {
        let many: String = (0..100).map(|i| format!("w{i} ")).collect();
        let words = Keywords::from(&*many);
        assert_eq!((words.len(), words.iter().last()), (MAX_WORDS, Some("w31")));
        assert!(words.matches(&many) && !words.matches(&many[4..]));
        let long = "é".repeat(1_000);
        assert_eq!(Keywords::from(&*long).to_string(), "é".repeat(32));
        assert!(Keywords::from(&*long).matches(&long));
    }

    proptest! {
        #[test]
        fn read_back_and_match_themselves(text in "\\PC{0,60}") {
            let words = Keywords::from(&*text);
            prop_assert_eq!(words.matches(&text), !words.is_empty());
            prop_assert!(words.iter().all(|word| !word.is_empty() && word.len() <= MAX_WORD));
        }
    }
}
