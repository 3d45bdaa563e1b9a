//! What is shared, as messages of the network for servents and as a page for people.

use super::http::PACKETS;
use super::{Context, Transfers};
use crate::library::SharedFile;
use crate::wire::{Frame, Header, HitBuilder, HitFlags, Kind, Message, NO_ADDRESS, VendorCode, put_content};
use crate::{Guid, Urn};
use alloc::string::{String, ToString};
use bytes::{Bytes, BytesMut};
use core::fmt::Write as _;
use core::net::{SocketAddr, SocketAddrV4};
use p2p_core::ConnId;
use p2p_core::http::{Request, Response};

/// Bytes of records in a hit: longer ones are dropped by some.
const HIT_MAX: usize = 4 << 10;
/// Who made this servent, in hits.
const VENDOR: VendorCode = VendorCode(*b"P2PR");

impl Transfers {
    pub(super) fn serve_listing(
        &mut self,
        conn: ConnId,
        request: &Request,
        peer: SocketAddr,
        cx: &mut Context<'_>,
    ) {
        let head_only = request.method == "HEAD";
        let every = self.config.limits.browse_every.as_secs().max(1);
        if !self.browsers.take(cx.now(), &peer.ip(), every) {
            let answer =
                Response::new(429, "Cannot Browse Too Often").header("Retry-After", every.to_string());
            return self.reply(conn, answer, &Bytes::new(), head_only, cx);
        }
        let packets = request.headers.get("accept").is_some_and(|types| types.contains(PACKETS));
        let (of, body) =
            if packets { (PACKETS, self.packets()) } else { ("text/html; charset=utf-8", self.page()) };
        self.reply(conn, Response::new(200, "OK").header("Content-Type", of), &body, head_only, cx);
    }

    fn listed(&self) -> impl Iterator<Item = &SharedFile> {
        self.library.files().take(self.config.limits.browse)
    }

    /// Hits, one behind the other, as if somebody had searched for everything.
    fn packets(&self) -> Bytes {
        let mut out = BytesMut::new();
        let mut files = self.listed().peekable();
        while files.peek().is_some() {
            let addr = match self.config.address {
                Some(SocketAddr::V4(addr)) => addr,
                _ => SocketAddrV4::new(NO_ADDRESS, super::http::PORT),
            };
            let mut hit = HitBuilder::new(addr, 0);
            while hit.bytes_len() < HIT_MAX
                && let Some(file) = files.next_if(|_| hit.len() < 255)
            {
                let urn = file.urn();
                hit.record(file.number, file.size, file.name().as_bytes(), |to| put_content(&urn, true, to));
            }
            let busy = self.slots.served() >= self.config.limits.uploads.uploads;
            let flags = HitFlags::new(self.config.address.is_none(), busy, false);
            let hit = hit.finish(VENDOR, flags, self.config.servent, |_| {});
            let header = Header { guid: Guid::ZERO, kind: Kind::QUERY_HIT, ttl: 1, hops: 0 };
            Frame { header, payload: Message::QueryHit(hit).to_bytes() }.encode(&mut out);
        }
        out.freeze()
    }

    fn page(&self) -> Bytes {
        let mut page = String::from(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Shared files</title></head><body>\n<ul>\n",
        );
        for file in self.listed() {
            let (urn, size) = (Urn::Sha1(file.sha1), file.size);
            // Writing to a string does not fail.
            let _ = write!(page, "<li><a href=\"/uri-res/N2R?{urn}\">");
            escape(file.name(), &mut page);
            let _ = writeln!(page, "</a> {size} bytes</li>");
        }
        page.push_str("</ul>\n</body></html>\n");
        page.into_bytes().into()
    }
}

/// Text that means nothing in HTML.
fn escape(text: &str, to: &mut String) {
    for c in text.chars() {
        match c {
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '&' => to.push_str("&amp;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            c if c.is_control() => to.push(' '),
            c => to.push(c),
        }
    }
}
