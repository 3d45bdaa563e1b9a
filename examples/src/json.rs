//! Events for other programs: one JSON object on one line, its keys in the order they were given.

use crate::escape::is_harmful;
use std::fmt::Write;

/// A JSON object on one line, begun with its `event`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
}

impl Line {
    /// An event with this name.
    #[must_use]
    pub fn new(event: &str) -> Self {
        Self { text: "{".into() }.text("event", event)
    }

    /// The same, with a text.
    #[must_use]
    pub fn text(mut self, key: &str, value: impl ToString) -> Self {
        self.key(key);
        string(&mut self.text, &value.to_string());
        self
    }

    /// The same, with texts.
    #[must_use]
    pub fn texts<T: ToString>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.key(key);
        self.text.push('[');
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            string(&mut self.text, &value.to_string());
        }
        self.text.push(']');
        self
    }

    /// The same, with a whole number.
    #[must_use]
    pub fn number(mut self, key: &str, value: impl Into<i128>) -> Self {
        self.key(key);
        let _ = write!(self.text, "{}", value.into());
        self
    }

    /// The same, with a yes or no.
    #[must_use]
    pub fn flag(mut self, key: &str, value: bool) -> Self {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    /// The same, with objects in a list. Each is a `Line` of its own, whose `event` is left out.
    #[must_use]
    pub fn lines(mut self, key: &str, values: impl IntoIterator<Item = Self>) -> Self {
        self.key(key);
        self.text.push('[');
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            self.text.push_str(&value.finish());
        }
        self.text.push(']');
        self
    }

    /// An object without a name, for [`lines`](Self::lines).
    #[must_use]
    pub fn part() -> Self {
        Self { text: "{".into() }
    }

    /// The line, without its end.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        string(&mut self.text, key);
        self.text.push(':');
    }
}

/// A JSON string (RFC 8259), in which also what could steer a terminal is escaped: such lines are looked at, too.
fn string(into: &mut String, value: &str) {
    into.push('"');
    for c in value.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            c if is_harmful(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(into, "\\u{unit:04x}");
                }
            }
            c => into.push(c),
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_written() {
        let line = Line::new("checked")
            .text("name", "a\"b\\c\n\u{202e}\u{e0001}é")
            .number("have", 3u32)
            .flag("all", false)
            .texts("hosts", ["x", "y"])
            .lines("files", [Line::part().number("len", 1u64)]);
        assert_eq!(
            line.finish(),
            r#"{"event":"checked","name":"a\"b\\c\u000a\u202e\udb40\udc01é","have":3,"all":false,"hosts":["x","y"],"files":[{"len":1}]}"#
        );
    }
}
