//! Text that strangers chose, made safe to show: no control of the terminal, no text that runs backwards, no flood.

use std::fmt::{self, Write};

/// A stranger's text to be displayed: whatever could steer a terminal or hide what stands there is shown as
/// `\u{..}`, and what is longer than `most` characters is cut.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a> {
    text: &'a str,
    most: usize,
}

/// A name, of which 200 characters are shown.
#[must_use]
pub const fn name(text: &str) -> Escaped<'_> {
    text_of(text, 200)
}

/// A text, of which `most` characters are shown.
#[must_use]
pub const fn text_of(text: &str, most: usize) -> Escaped<'_> {
    Escaped { text, most }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, c) in self.text.chars().enumerate() {
            if count == self.most {
                return f.write_char('…');
            }
            if is_harmful(c) { write!(f, "{}", c.escape_unicode())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

/// Control characters, and Unicode's format characters and separators that are invisible or turn the direction of
/// writing (general categories Cc, Cf, Zl, Zp), but for the two joiners that scripts and emoji need.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_instead() {
        assert_eq!(name("a\x1b[2Jb\r\n\u{7f}\u{9b}c").to_string(), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{7f}\\u{9b}c");
        assert_eq!(name("photo\u{202e}gpj.exe").to_string(), "photo\\u{202e}gpj.exe");
        assert_eq!(name("日本語 é नमस्ते 👩\u{200d}🚀").to_string(), "日本語 é नमस्ते 👩\u{200d}🚀");
    }

    #[test]
    fn a_flood_is_cut() {
        let long = "x".repeat(1_000_000);
        assert_eq!(name(&long).to_string().chars().count(), 201);
    }
}
