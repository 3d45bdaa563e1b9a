//! What stands behind the NUL of a query, between the NULs of a result, or at the end of other messages: [`Extensions`].

use super::{Families, read_lists};
use crate::Urn;
use crate::ggep::{Field, GgepError, MAGIC, Writer};
use crate::huge::Huge;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::net::{Ipv6Addr, SocketAddr};

/// Separates text extensions (HUGE, section 3).
pub const SEPARATOR: u8 = 0x1c;

/// Extensions as they came: GGEP blocks and texts, one behind the other (GGEP, appendix B). They are read as they are asked
/// for, and anything can be read: what is no extension is told as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions<'a>(pub &'a [u8]);

/// One extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension<'a> {
    /// A GGEP field.
    Ggep(Field<'a>),
    /// A text: [`Huge`] if it begins with `urn:`, LimeWire's XML if it begins with `<`, else of a servent's own.
    Text(&'a [u8]),
    /// The rest, which begins like a GGEP block and is none.
    Malformed(GgepError, &'a [u8]),
}

impl<'a> Extensions<'a> {
    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The extensions, in order.
    #[must_use]
    pub const fn iter(&self) -> Iter<'a> {
        Iter { rest: self.0, in_block: false }
    }

    /// The GGEP fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.iter().filter_map(|extension| match extension {
            Extension::Ggep(field) => Some(field),
            _ => None,
        })
    }

    /// The first GGEP field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field<'a>> {
        self.fields().find(|field| field.name == name.as_bytes())
    }

    /// The data of the first GGEP field of this name, if it can be decoded.
    #[must_use]
    pub fn data(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.field(name)?.data().ok()
    }

    /// Which addresses the sender of a query or a HEAD ping can make use of (`I6`).
    #[must_use]
    pub fn families(&self) -> Families {
        Families::of(self.data(crate::ggep::fields::name::IPV6_WANTED).as_deref())
    }

    /// Addresses in two lists of these names, IPv4 and IPv6, at most so many of each.
    #[must_use]
    pub fn addresses(&self, v4: &str, v6: &str, most: usize) -> Vec<SocketAddr> {
        read_lists(self.data(v4).as_deref(), self.data(v6).as_deref(), most)
    }

    /// The sender's IPv6 address (`6`), if it tells one.
    #[must_use]
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        let data = self.data(crate::ggep::fields::name::IPV6)?;
        let ip = Ipv6Addr::from_octets(*data.first_chunk()?);
        (!ip.is_unspecified() && !ip.is_multicast()).then_some(ip)
    }

    /// Whether there is a GGEP field of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// The same without the GGEP fields of these names: all others as they came in one block, then texts. What cannot be read
    /// is left out.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Bytes {
        self.rewritten(|field| !names.iter().any(|name| name.as_bytes() == field.name), |_| {})
    }

    /// The same with another GGEP field, behind those that there are; what cannot be read is left out.
    ///
    /// # Panics
    /// As [`Writer::put`].
    #[must_use]
    pub fn with(&self, name: &str, data: &[u8]) -> Bytes {
        self.rewritten(|_| true, |block| block.put(name, data))
    }

    fn rewritten(&self, keeps: impl Fn(&Field<'a>) -> bool, adds: impl FnOnce(&mut Writer<'_>)) -> Bytes {
        let mut rest = BytesMut::new();
        let mut block = Writer::new(&mut rest);
        self.fields().filter(keeps).for_each(|field| block.copy(&field));
        adds(&mut block);
        let mut any = false;
        for extension in self.iter() {
            let Extension::Text(text) = extension else { continue };
            if !rest.is_empty() {
                rest.put_u8(SEPARATOR);
            }
            rest.put_slice(text);
            any = true;
        }
        if any {
            rest.put_u8(0);
        }
        rest.freeze()
    }

    /// The texts that begin with `urn:`.
    pub fn huge(&self) -> impl Iterator<Item = Huge<'a>> + use<'a> {
        self.iter().filter_map(|extension| match extension {
            Extension::Text(text) => Huge::parse(text),
            _ => None,
        })
    }

    /// The names of files by content: those of HUGE, of `H`, and of `u`.
    pub fn urns(&self) -> impl Iterator<Item = Urn> + use<'a> {
        self.iter().filter_map(|extension| match extension {
            Extension::Text(text) => match Huge::parse(text)? {
                Huge::Urn(urn) => Some(urn),
                _ => None,
            },
            Extension::Ggep(field) => match field.name {
                b"H" => crate::ggep::fields::parse_h(&field.data().ok()?),
                b"u" => Urn::parse_name(&field.data().ok()?),
                _ => None,
            },
            Extension::Malformed(..) => None,
        })
    }

    /// LimeWire's XML, if there is any.
    #[must_use]
    pub fn xml(&self) -> Option<&'a [u8]> {
        self.iter().find_map(|extension| match extension {
            Extension::Text(text) if text.starts_with(b"<") || text.starts_with(b"{") => Some(text),
            _ => None,
        })
    }
}

impl<'a> IntoIterator for Extensions<'a> {
    type Item = Extension<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The extensions, in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    in_block: bool,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        if !self.in_block {
            while let Some((&(SEPARATOR | 0), rest)) = self.rest.split_first() {
                self.rest = rest;
            }
            match self.rest.split_first()? {
                (&MAGIC, rest) => {
                    self.rest = rest;
                    self.in_block = true;
                }
                _ => {
                    let end = self.rest.iter().position(|byte| matches!(*byte, SEPARATOR | 0));
                    let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                    self.rest = rest;
                    return Some(Extension::Text(text));
                }
            }
        }
        match Field::parse(self.rest) {
            Ok((field, used, last)) => {
                self.rest = self.rest.get(used..).unwrap_or_default();
                self.in_block = !last;
                Some(Extension::Ggep(field))
            }
            Err(error) => {
                // Nothing tells where the block would end.
                let rest = core::mem::take(&mut self.rest);
                self.in_block = false;
                Some(Extension::Malformed(error, rest))
            }
        }
    }
}
