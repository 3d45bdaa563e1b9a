//! The description of a tree: a few lines of XML, always the same ones.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

/// The name of the hash function.
const ALGORITHM: &str = "http://open-content.net/spec/digest/tiger";
const DOCTYPE: &str = "http://open-content.net/spec/thex/thex.dtd";
/// The longest description that is looked at.
const XML_MAX: usize = 4 << 10;

/// What a tree is of. Only leaves of 1,024 bytes and Tiger are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The file's size in bytes.
    pub size: u64,
    /// How many layers there are below the root, as it says.
    pub depth: u32,
    /// The id of the record that has the tree.
    pub uri: String,
}

/// The value of an attribute of the first element of this name. That is all of XML that is needed, for all servents write
/// the same lines; an attribute may be in either sort of quotes, and entities mean nothing.
fn attribute<'a>(xml: &'a str, element: &str, name: &str) -> Option<&'a str> {
    let opens = |rest: &str| {
        let rest = rest.strip_prefix('<')?.strip_prefix(element)?;
        rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').then_some(())
    };
    let start = xml.match_indices('<').find(|(at, _)| opens(&xml[*at..]).is_some())?.0;
    let tag = &xml[start..start + xml[start..].find('>')?];
    let at = tag.match_indices(name).find_map(|(at, _)| {
        let before = tag[..at].ends_with(|c: char| c.is_ascii_whitespace());
        let value = tag[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
        before.then_some(value)
    })?;
    let quote = at.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    at[1..].split_once(quote).map(|(value, _)| value.trim())
}

impl Description {
    /// Reads it; `None` if it is none, or of another hash or leaf.
    #[must_use]
    pub fn parse(xml: &[u8]) -> Option<Self> {
        let xml = str::from_utf8(xml).ok().filter(|xml| xml.len() <= XML_MAX)?;
        let leaf: u64 = attribute(xml, "file", "segmentsize")?.parse().ok()?;
        let known = leaf == super::LEAF_LEN && attribute(xml, "digest", "algorithm")? == ALGORITHM;
        known.then_some(())?;
        Some(Self {
            size: attribute(xml, "file", "size")?.parse().ok()?,
            depth: attribute(xml, "serializedtree", "depth")?.parse().ok()?,
            uri: attribute(xml, "serializedtree", "uri").unwrap_or_default().to_owned(),
        })
    }

    /// The lines.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let Self { size, depth, uri } = self;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <!DOCTYPE hashtree SYSTEM \"{DOCTYPE}\">\r\n\
             <hashtree>\r\n\
             <file size=\"{size}\" segmentsize=\"{}\"/>\r\n\
             <digest algorithm=\"{ALGORITHM}\" outputsize=\"24\"/>\r\n\
             <serializedtree depth=\"{depth}\" type=\"{}\" uri=\"{uri}\"/>\r\n\
             </hashtree>\r\n",
            super::LEAF_LEN,
            super::TREE_TYPE,
        )
    }
}
