//! The tokenizer: one pass, an explicit stack of open containers, no recursion.

use super::{Limits, Mode, Node};
use alloc::vec::Vec;

/// Why a document was refused, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Error {
    /// Where, counted from the first byte of the document.
    pub at: usize,
    /// Why.
    pub what: What,
}

/// Why a document was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum What {
    /// It ends within a value.
    #[error("the document ends early")]
    Truncated,
    /// A byte that begins no value and ends no container.
    #[error("no value begins so")]
    Unexpected,
    /// An integer that is empty, `-0`, has leading zeros, or has something else than digits in it.
    #[error("malformed integer")]
    Integer,
    /// An integer past 64 bits.
    #[error("integer past 64 bits")]
    Overflow,
    /// The length of a string is malformed, has leading zeros, or leads past the end.
    #[error("malformed length, or longer than the document")]
    Length,
    /// The key of a dictionary is not a string.
    #[error("key is not a string")]
    Key,
    /// A key is not after the one before it.
    #[error("keys are not sorted")]
    Order,
    /// A key is there twice.
    #[error("duplicate key")]
    Duplicate,
    /// A dictionary ends after a key.
    #[error("key without a value")]
    NoValue,
    /// Bytes follow the document.
    #[error("trailing bytes")]
    Trailing,
    /// More bytes than [`Limits::bytes`].
    #[error("document too long")]
    TooLong,
    /// Nested deeper than [`Limits::depth`].
    #[error("nested too deep")]
    TooDeep,
    /// More values and keys than [`Limits::tokens`].
    #[error("too many values")]
    TooMany,
}

/// An open list or dictionary.
struct Open {
    node: usize,
    within: Within,
}

#[derive(Clone, Copy)]
enum Within {
    List,
    /// A key is due; the node of the one before.
    Key(Option<usize>),
    /// The value of the key in this node is due.
    Value(usize),
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    mode: Mode,
    nodes: Vec<Node>,
    open: Vec<Open>,
}

/// The nodes of the first value of `bytes`, and how many bytes it takes.
pub(super) fn parse(bytes: &[u8], limits: &Limits, mode: Mode) -> Result<(Vec<Node>, usize), Error> {
    // Nodes hold 32-bit offsets.
    let most = limits.bytes.min(u32::MAX as usize);
    let within = bytes.get(..most).unwrap_or(bytes);
    let mut nodes = Vec::new();
    nodes.reserve_exact(likely(within).min(limits.tokens as usize));
    let mut parser = Parser { bytes: within, at: 0, limits: *limits, mode, nodes, open: Vec::new() };
    match parser.run() {
        Ok(()) => Ok((parser.nodes, parser.at)),
        // It did not end early, it was cut.
        Err(What::Truncated | What::Length) if within.len() < bytes.len() => {
            Err(Error { at: most, what: What::TooLong })
        }
        Err(what) => Err(Error { at: parser.at, what }),
    }
}

/// No fewer than the tokens of `bytes`, so that the table is allotted once and never doubled: every token has one
/// byte of these four, and at least two bytes.
fn likely(bytes: &[u8]) -> usize {
    let marks = bytes.iter().filter(|byte| matches!(byte, b':' | b'i' | b'l' | b'd')).count();
    marks.min(bytes.len().div_ceil(2))
}

impl Parser<'_> {
    fn peek(&self) -> Result<u8, What> {
        self.bytes.get(self.at).copied().ok_or(What::Truncated)
    }

    fn run(&mut self) -> Result<(), What> {
        loop {
            let byte = self.peek()?;
            if byte == b'e' && !self.open.is_empty() {
                self.close()?;
            } else if let Some(Open { within: Within::Key(before), .. }) = self.open.last() {
                let before = *before;
                self.key(byte, before)?;
                continue;
            } else {
                self.value(byte)?;
            }
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    fn close(&mut self) -> Result<(), What> {
        if let Some(Open { within: Within::Value(_), .. }) = self.open.last() {
            return Err(What::NoValue);
        }
        self.at += 1;
        let (end, next) = (self.at as u32, self.nodes.len() as u32);
        if let Some(node) = self.open.pop().and_then(|open| self.nodes.get_mut(open.node)) {
            node.end = end;
            node.next = next;
        }
        Ok(())
    }

    /// Reads a key; its value is due next.
    fn key(&mut self, byte: u8, before: Option<usize>) -> Result<(), What> {
        if !byte.is_ascii_digit() {
            return Err(What::Key);
        }
        let start = self.at;
        let end = self.string_end()?;
        let node = self.push(start, end)?;
        if self.mode == Mode::Strict
            && let Some(before) = before
        {
            match self.text(before).cmp(self.text(node)) {
                core::cmp::Ordering::Less => {}
                core::cmp::Ordering::Equal => return Err(What::Duplicate),
                core::cmp::Ordering::Greater => return Err(What::Order),
            }
        }
        self.at = end;
        if let Some(open) = self.open.last_mut() {
            open.within = Within::Value(node);
        }
        Ok(())
    }

    /// Reads a string or an integer, or opens a container.
    fn value(&mut self, byte: u8) -> Result<(), What> {
        let start = self.at;
        let within = match byte {
            b'0'..=b'9' => {
                let end = self.string_end()?;
                self.push(start, end)?;
                self.at = end;
                None
            }
            b'i' => {
                let end = self.integer_end()?;
                self.push(start, end)?;
                self.at = end;
                None
            }
            b'l' => Some(Within::List),
            b'd' => Some(Within::Key(None)),
            _ => return Err(What::Unexpected),
        };
        if let Some(Open { within, .. }) = self.open.last_mut()
            && let Within::Value(key) = *within
        {
            *within = Within::Key(Some(key));
        }
        if let Some(within) = within {
            if self.open.len() >= self.limits.depth as usize {
                return Err(What::TooDeep);
            }
            let node = self.push(start, start)?;
            self.open.push(Open { node, within });
            self.at += 1;
        }
        Ok(())
    }

    fn push(&mut self, start: usize, end: usize) -> Result<usize, What> {
        let index = self.nodes.len();
        if index >= self.limits.tokens as usize {
            return Err(What::TooMany);
        }
        self.nodes.push(Node { start: start as u32, end: end as u32, next: index as u32 + 1 });
        Ok(index)
    }

    fn text(&self, node: usize) -> &[u8] {
        self.nodes.get(node).map_or(&[], |node| super::value::string(self.bytes, node))
    }

    /// The end of the string that begins here.
    fn string_end(&self) -> Result<usize, What> {
        let (len, colon) = self.digits(self.at, What::Length)?;
        if self.bytes.get(colon) != Some(&b':') {
            return Err(if colon < self.bytes.len() { What::Length } else { What::Truncated });
        }
        let len = usize::try_from(len).map_err(|_| What::Length)?;
        let end = (colon + 1).checked_add(len).ok_or(What::Length)?;
        if end > self.bytes.len() { Err(What::Length) } else { Ok(end) }
    }

    /// The end of the integer that begins here.
    fn integer_end(&self) -> Result<usize, What> {
        let mut first = self.at + 1;
        let minus = self.bytes.get(first) == Some(&b'-');
        if minus {
            first += 1;
        }
        let (magnitude, end) = self.digits(first, What::Integer)?;
        match self.bytes.get(end) {
            Some(b'e') => {}
            Some(_) => return Err(What::Integer),
            None => return Err(What::Truncated),
        }
        if minus && magnitude == 0 {
            return Err(What::Integer);
        }
        if magnitude > i64::MAX as u64 + u64::from(minus) {
            return Err(What::Overflow);
        }
        Ok(end + 1)
    }

    /// The decimal number from `from` on, without leading zeros, and where it ends. Stops at the 21st digit.
    fn digits(&self, from: usize, malformed: What) -> Result<(u64, usize), What> {
        let mut number = 0u64;
        let mut at = from;
        let too_large = if malformed == What::Integer { What::Overflow } else { malformed };
        while let Some(digit) = self.bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            if at > from && number == 0 {
                return Err(malformed);
            }
            let digit = u64::from(digit - b'0');
            number = number.checked_mul(10).and_then(|n| n.checked_add(digit)).ok_or(too_large)?;
            at += 1;
        }
        if at == from {
            return Err(if at < self.bytes.len() { malformed } else { What::Truncated });
        }
        Ok((number, at))
    }
}
