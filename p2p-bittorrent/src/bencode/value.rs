//! [`Value`]: a cursor into a document that copies nothing.

use super::Node;
use core::fmt;
use core::ops::Range;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer.
    Int,
    /// A string of bytes.
    Bytes,
    /// A list.
    List,
    /// A dictionary.
    Dict,
}

/// A value in a [`Doc`](super::Doc).
#[derive(Clone, Copy)]
pub struct Value<'a> {
    bytes: &'a [u8],
    nodes: &'a [Node],
    index: u32,
}

/// The bytes of the string at `node`.
pub(super) fn string<'a>(bytes: &'a [u8], node: &Node) -> &'a [u8] {
    let text = bytes.get(node.start as usize..node.end as usize).unwrap_or_default();
    // A length has at most ten digits here, so this does not look at the content.
    text.iter().position(|&byte| byte == b':').and_then(|colon| text.get(colon + 1..)).unwrap_or_default()
}

impl<'a> Value<'a> {
    pub(super) const fn new(bytes: &'a [u8], nodes: &'a [Node], index: u32) -> Self {
        Self { bytes, nodes, index }
    }

    fn node(&self) -> Node {
        self.nodes.get(self.index as usize).copied().unwrap_or(Node { start: 0, end: 0, next: u32::MAX })
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.raw().first() {
            Some(b'i') => Kind::Int,
            Some(b'l') => Kind::List,
            Some(b'd') => Kind::Dict,
            _ => Kind::Bytes,
        }
    }

    /// Where its text lies in the document, in bytes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// Its text as it came: what an info-hash is taken of.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.bytes.get(self.span()).unwrap_or_default()
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        let digits = self.raw().strip_prefix(b"i")?.strip_suffix(b"e")?;
        core::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The integer, if it is one and not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_int().and_then(|int| int.try_into().ok())
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        (self.kind() == Kind::Bytes).then(|| string(self.bytes, &self.node()))
    }

    /// The string, if it is one and is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.as_bytes()?).ok()
    }

    /// What is in the list, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<Items<'a>> {
        (self.kind() == Kind::List).then(|| self.inside())
    }

    /// What is in the dictionary, if it is one.
    #[must_use]
    pub fn as_dict(&self) -> Option<Entries<'a>> {
        (self.kind() == Kind::Dict).then(|| Entries(self.inside()))
    }

    /// The value of `key`, the first one if there are several; `None` too if this is not a dictionary.
    ///
    /// Looks at one key after the other: to take many of a large dictionary, walk [`Value::as_dict`].
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Self> {
        let key = key.as_ref();
        self.as_dict()?.find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    fn inside(&self) -> Items<'a> {
        Items {
            bytes: self.bytes,
            nodes: self.nodes,
            next: self.index.saturating_add(1),
            end: self.node().next,
        }
    }
}

impl fmt::Debug for Value<'_> {
    /// The beginning of its text: a stranger's document is not to fill a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.raw();
        let head = raw.get(..64).unwrap_or(raw);
        write!(f, "\"{}{}\"", head.escape_ascii(), if head.len() < raw.len() { "..." } else { "" })
    }
}

/// The values of a list, in order.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    bytes: &'a [u8],
    nodes: &'a [Node],
    next: u32,
    end: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.next >= self.end {
            return None;
        }
        let value = Value::new(self.bytes, self.nodes, self.next);
        self.next = value.node().next;
        Some(value)
    }
}

/// The keys and values of a dictionary, in the order they came.
#[derive(Debug, Clone)]
pub struct Entries<'a>(Items<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.next()?;
        let value = self.0.next()?;
        Some((string(key.bytes, &key.node()), value))
    }
}
