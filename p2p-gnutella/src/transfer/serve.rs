//! What is answered to a request.

use super::guest::Doing;
use super::http::{self, Asked};
use super::slots::Verdict;
use super::upload::Upload;
use super::{Ask, Context, Event, Timer, Transfers};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::ops::Range;
use p2p_core::hash::{Sha1Hash, Tth};
use p2p_core::http::{BodyLen, ByteRange, ContentRange, Request, Response, percent_encode};
use p2p_core::{ConnId, FileId};

/// Alternates that are told at once.
const TOLD_MAX: usize = 10;
/// Alternates of one request that are remembered.
const HEARD_MAX: usize = 8;

/// A file that can be asked for: shared, or fetched meanwhile.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) file: FileId,
    pub(super) sha1: Sha1Hash,
    pub(super) tth: Option<Tth>,
    pub(super) size: u64,
    pub(super) name: String,
    /// The parts that are here, if it is not the whole.
    pub(super) available: Option<Vec<Range<u64>>>,
}

impl Transfers {
    /// A file with this content, whole or in part.
    pub(super) fn content(&self, sha1: &Sha1Hash) -> Option<Content> {
        if let Some(shared) = self.library.by_sha1(sha1) {
            return Some(Content {
                file: shared.file.clone(),
                sha1: shared.sha1,
                tth: Some(shared.tth),
                size: shared.size,
                name: shared.name().to_owned(),
                available: None,
            });
        }
        let download = self.downloads.get(self.by_sha1.get(sha1)?)?;
        if self.config.share_partial { download.partial() } else { None }
    }

    pub(super) fn serve(&mut self, conn: ConnId, request: &Request, cx: &mut Context<'_>) {
        let none = Bytes::new();
        let Some(guest) = self.guest(conn) else { return };
        guest.keep = request.keeps_alive();
        let peer = guest.peer;
        let head_only = request.method == "HEAD";
        if !head_only && request.method != "GET" || request.body() != Ok(BodyLen::Sized(0)) {
            guest.keep = false;
            let answer = Response::new(405, "Method Not Allowed").header("Allow", "GET, HEAD");
            return self.reply(conn, answer, &none, head_only, cx);
        }
        // Whoever asks for something else than a file gives up its slot, and its place in the queue.
        match Asked::of(&request.target) {
            Asked::Content(urn) => match urn.sha1().and_then(|sha1| self.content(&sha1)) {
                Some(content) => self.serve_content(conn, request, content, peer, cx),
                None => self.not_found(conn, head_only, cx),
            },
            Asked::Numbered(number, name) => {
                let shared = self.library.by_number(number).filter(|shared| shared.name() == name);
                match shared.map(|shared| shared.sha1).and_then(|sha1| self.content(&sha1)) {
                    Some(content) => self.serve_content(conn, request, content, peer, cx),
                    None => self.not_found(conn, head_only, cx),
                }
            }
            Asked::Tree(urn) => match urn.sha1() {
                Some(sha1) => self.serve_tree(conn, sha1, head_only, cx),
                None => self.not_found(conn, head_only, cx),
            },
            Asked::Browse => self.serve_listing(conn, request, peer, cx),
            Asked::PushProxy(servent, number) => {
                let to = http::node(&request.headers).filter(|to| to.ip() == peer.ip());
                let Some(to) = to else {
                    // Else anybody could have a third one connected to.
                    return self.reply(conn, Response::new(400, "X-Node is not yours"), &none, head_only, cx);
                };
                if !self.pushers.take(cx.now(), &peer.ip(), 5) {
                    return self.reply(conn, Response::new(429, "Too many pushes"), &none, head_only, cx);
                }
                if let Some(guest) = self.guest(conn) {
                    guest.doing = Doing::Waiting { head_only };
                }
                cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
                self.ask_overlay(Ask::Forward { conn, servent, number, to });
            }
            Asked::Other => self.not_found(conn, head_only, cx),
        }
    }

    pub(super) fn not_found(&mut self, conn: ConnId, head_only: bool, cx: &mut Context<'_>) {
        self.reply(conn, Response::new(404, "Not Found"), &Bytes::new(), head_only, cx);
    }

    /// Whether a push was sent that was asked for with [`Ask::Forward`].
    pub fn proxied(&mut self, conn: ConnId, sent: bool, cx: &mut Context<'_>) {
        let Some(guest) = self.guest(conn) else { return };
        let Doing::Waiting { head_only } = guest.doing else { return };
        let answer = if sent { Response::new(202, "Push sent") } else { Response::new(410, "Not connected") };
        self.reply(conn, answer, &Bytes::new(), head_only, cx);
    }

    /// Remembers who else has a file, as far as a stranger can be believed.
    fn learn(&mut self, request: &Request, sha1: Sha1Hash, peer: SocketAddr) {
        let headers = &request.headers;
        let own = self.config.address;
        for addr in http::alternates(headers, "x-alt").into_iter().take(HEARD_MAX) {
            if Some(addr) != own {
                self.mesh.add(sha1, addr, false);
            }
        }
        for addr in http::alternates(headers, "x-nalt") {
            self.mesh.vote_against(&sha1, addr, peer.ip());
        }
        // Whoever asks has a part of it, and can be believed where it is if it is there.
        let has = headers.get("x-downloaded").and_then(|bytes| bytes.trim().parse::<u64>().ok());
        if let Some(node) = http::node(headers).filter(|node| node.ip() == peer.ip())
            && has.is_some_and(|bytes| bytes > 0)
        {
            self.mesh.add(sha1, node, true);
        }
    }

    fn serve_content(
        &mut self,
        conn: ConnId,
        request: &Request,
        content: Content,
        peer: SocketAddr,
        cx: &mut Context<'_>,
    ) {
        let none = Bytes::new();
        let head_only = request.method == "HEAD";
        let said =
            request.headers.get("x-gnutella-content-urn").and_then(|text| text.parse::<crate::Urn>().ok());
        if said.and_then(|urn| urn.sha1()).is_some_and(|sha1| sha1 != content.sha1) {
            return self.not_found(conn, head_only, cx);
        }
        self.learn(request, content.sha1, peer);
        if let Some(guest) = self.guest(conn) {
            // It says so once.
            guest.ipv6 |= http::speaks_ipv6(&request.headers);
        }
        let mut answer = self.about(conn, &content, peer);
        let asked = request.headers.get("range").and_then(ByteRange::parse);
        let Some(wanted) = asked.map_or(Some(0..content.size), |range| range.of(content.size)) else {
            answer
                .headers
                .push("Content-Range", ContentRange { part: None, total: Some(content.size) }.to_string());
            (answer.status, answer.reason) = (416, "Requested Range Not Satisfiable".into());
            return self.reply(conn, answer, &none, head_only, cx);
        };
        let part = match &content.available {
            None => Some(wanted),
            Some(ranges) => ranges
                .iter()
                .map(|range| range.start.max(wanted.start)..range.end.min(wanted.end))
                .find(|part| !part.is_empty()),
        };
        let Some(part) = part else {
            answer.headers.push("Retry-After", "30");
            (answer.status, answer.reason) = (416, "Requested Range Not Available Yet".into());
            return self.reply(conn, answer, &none, head_only, cx);
        };
        if !head_only && let Err(refusal) = self.slot(conn, request, peer, answer.clone(), cx) {
            // The place in the queue is kept as long as it may be asked for again.
            let within = self.config.limits.uploads.poll_max;
            let answer = refusal.header("Content-Length", "0");
            self.send_head(conn, answer, cx);
            return self.served(conn, within, cx);
        }
        if part != (0..content.size) {
            (answer.status, answer.reason) = (206, "Partial Content".into());
            answer.headers.push("Content-Range", ContentRange::new(part.clone(), content.size).to_string());
        }
        let len = part.end - part.start;
        self.send_head(conn, answer.header("Content-Length", format!("{len}")), cx);
        if head_only {
            return self.served(conn, self.config.limits.idle, cx);
        }
        cx.tell(Event::Uploading { peer, sha1: content.sha1, len });
        cx.set_timer(Timer::Stream(conn), self.config.limits.silence);
        if let Some(guest) = self.guest(conn) {
            guest.doing = Doing::Sending(Upload::new(content.file, content.sha1, part));
        }
        self.pump(conn, cx);
    }

    /// A slot for the stream; else what it is told.
    fn slot(
        &mut self,
        conn: ConnId,
        request: &Request,
        peer: SocketAddr,
        mut answer: Response,
        cx: &mut Context<'_>,
    ) -> Result<(), Response> {
        let headers = &request.headers;
        let can_wait = request.keeps_alive()
            && (headers.bytes("x-queue").is_some() || headers.bytes("x-queued").is_some());
        let limits = self.config.limits.uploads.clone();
        answer.status = 503;
        match self.slots.ask(conn, peer.ip(), can_wait, cx.now()) {
            Verdict::Serve => return Ok(()),
            Verdict::Wait { position, length } => {
                let (min, max) = (limits.poll_min.as_secs(), limits.poll_max.as_secs());
                let limit = limits.uploads;
                // Whoever knows PARQ (1.0 and later) knows this, too: a place is its stream's, and has no name. A name is what
                // `X-Queued` must have: gtk-gnutella 1.2.3 ends over one without.
                let place =
                    format!("position={position},length={length},limit={limit},pollMin={min},pollMax={max}");
                answer.headers.push("X-Queue", place);
                answer.headers.push("Retry-After", format!("{min}"));
                answer.reason = format!("Queued (slot {position})");
            }
            verdict => {
                if let Some(guest) = self.guest(conn) {
                    guest.keep = false;
                }
                answer.headers.push("Retry-After", "120");
                answer.reason = if verdict == Verdict::Hasty { "Too hasty" } else { "Busy" }.into();
            }
        }
        Err(answer)
    }

    /// The head of whatever is answered about a file.
    fn about(&mut self, conn: ConnId, content: &Content, peer: SocketAddr) -> Response {
        let mut answer = Response::new(200, "OK");
        let first = self.guest(conn).is_none_or(|guest| guest.answered == 0);
        let headers = &mut answer.headers;
        headers.push("Content-Type", "application/octet-stream");
        headers.push("Accept-Ranges", "bytes");
        if first {
            let urn = crate::Urn::Sha1(content.sha1);
            let mut name = String::new();
            percent_encode(content.name.as_bytes(), &mut name);
            headers.push("Content-Disposition", format!("inline; filename*=\"utf-8'en'{name}\""));
            headers.push("X-Gnutella-Content-URN", urn.to_string());
            if let Some(tth) = &content.tth {
                let root = crate::huge::tth_text(tth);
                headers.push("X-Thex-URI", format!("/uri-res/N2X?{urn};{root}"));
            }
        }
        if let Some(ranges) = &content.available {
            headers.push("X-Available-Ranges", http::ranges_text(ranges));
        }
        let ipv6 = self.guest(conn).is_some_and(|guest| guest.ipv6);
        let told = self.mesh.tell(&content.sha1, peer.ip(), TOLD_MAX, ipv6);
        if !told.is_empty() {
            let texts: Vec<String> = told.iter().map(http::address_text).collect();
            headers.push("X-Alt", texts.join(","));
        }
        answer
    }
}
