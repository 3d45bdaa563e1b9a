//! A tracker's answers over HTTP: connections that are kept alive, requests one behind the other, and no patience.

use super::{Refusal, Tracker, TrackerTimer, origin};
use crate::tracker::http::{self, Peers};
use crate::tracker::{AnnounceReply, Retry};
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::fmt::Write as _;
use core::net::SocketAddr;
use p2p_core::http::{BodyLen, MAX_HEAD, Request};
use p2p_core::{ConnId, Cx, Duration, StreamInput};

/// An HTTP client.
#[derive(Debug)]
pub(super) struct Connection {
    peer: SocketAddr,
    /// What came of requests that are not answered yet.
    inbox: BytesMut,
    /// It does not read our answers: no more of its requests are read.
    full: bool,
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// HTTP/1.1's custom.
    Keep,
    /// HTTP/1.0's, if asked for.
    KeepAsAsked,
    Close,
}

impl Tracker {
    pub(super) fn stream(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, input: StreamInput) {
        match input {
            StreamInput::Open { peer, .. } => self.open(cx, conn, peer),
            StreamInput::Data(data) => self.requests(cx, conn, &data),
            StreamInput::Full => self.set_full(cx, conn, true),
            StreamInput::Ready => {
                self.set_full(cx, conn, false);
                self.requests(cx, conn, &[]);
            }
            StreamInput::Closed(_) => {
                self.forget_connection(cx, conn);
            }
            StreamInput::Secured(_) => {}
        }
    }

    fn open(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, peer: SocketAddr) {
        let limits = &self.config.limits;
        let of_address = self.per_address.entry(origin(peer.ip())).or_default();
        if self.connections.len() >= limits.connections || *of_address >= limits.connections_per_address {
            if *of_address == 0 {
                self.per_address.remove(&origin(peer.ip()));
            }
            self.stats.throttled += 1;
            cx.abort(conn);
            return;
        }
        *of_address += 1;
        self.connections.insert(conn, Connection { peer, inbox: BytesMut::new(), full: false });
        cx.set_timer(TrackerTimer::Patience(conn), limits.patience);
    }

    fn forget_connection(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) -> bool {
        let Some(gone) = self.connections.remove(&conn) else { return false };
        let origin = origin(gone.peer.ip());
        if let Some(of_address) = self.per_address.get_mut(&origin) {
            *of_address -= 1;
            if *of_address == 0 {
                self.per_address.remove(&origin);
            }
        }
        cx.clear_timer(TrackerTimer::Patience(conn));
        true
    }

    /// A request, or the next one, did not come in time, or its answers were not read.
    pub(super) fn impatient(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId) {
        if self.forget_connection(cx, conn) {
            cx.abort(conn);
        }
    }

    fn set_full(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, full: bool) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.full = full;
            cx.pause(conn, full);
        }
    }

    /// Answers all requests that are complete.
    fn requests(&mut self, cx: &mut Cx<'_, Self>, conn: ConnId, data: &[u8]) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let was_empty = connection.inbox.is_empty();
        connection.inbox.extend_from_slice(data);
        // A head ends with a line end: whoever sends byte by byte does not make us read all from the start each time.
        if connection.full
            || (!was_empty && !data.is_empty() && !data.contains(&b'\n') && connection.inbox.len() < MAX_HEAD)
        {
            return;
        }
        let (peer, mut inbox) = (connection.peer, core::mem::take(&mut connection.inbox));
        let mut answered = false;
        let mut out = BytesMut::new();
        let mut after = After::Keep;
        while !inbox.is_empty() && after != After::Close {
            match Request::parse(&inbox) {
                Ok(None) => break,
                Ok(Some((request, used))) => {
                    let _ = inbox.split_to(used);
                    after = self.answer(cx, peer, &request, &mut out);
                }
                Err(_) => {
                    self.stats.malformed += 1;
                    after = After::Close;
                    put_failure(400, "not a request of HTTP", None, after, &mut out);
                }
            }
            answered = true;
        }
        cx.send(conn, out);
        if after == After::Close {
            self.forget_connection(cx, conn);
            cx.close(conn);
            return;
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            // What is kept is the beginning of one head: of the room for many, only so much.
            connection.inbox =
                if inbox.is_empty() { BytesMut::new() } else { BytesMut::from(inbox.as_ref()) };
        }
        if answered {
            cx.set_timer(TrackerTimer::Patience(conn), self.config.limits.patience);
        }
    }

    /// Answers one request.
    fn answer(
        &mut self,
        cx: &mut Cx<'_, Self>,
        client: SocketAddr,
        request: &Request,
        out: &mut BytesMut,
    ) -> After {
        let mut fail = |status, reason: &str, after| {
            self.stats.malformed += 1;
            put_failure(status, reason, None, after, out);
            after
        };
        // A body would have to be read to find the next request, and no client of a tracker sends one.
        if request.method != "GET" || request.body() != Ok(BodyLen::Sized(0)) {
            return fail(400, "only GET without a body is served", After::Close);
        }
        let after = match (request.keeps_alive(), request.minor) {
            (false, _) => After::Close,
            (true, 0) => After::KeepAsAsked,
            (true, _) => After::Keep,
        };
        let query = request.query().as_bytes();
        match request.path() {
            "/announce" => match http::parse_announce(query) {
                Ok(announce) => match self.announce(cx, client, &announce) {
                    Ok((counts, wish)) => {
                        let reply = AnnounceReply {
                            interval: Some(self.config.interval.as_secs()),
                            min_interval: Some(self.config.min_interval.as_secs()),
                            complete: Some(counts.complete),
                            incomplete: Some(counts.incomplete),
                            external_ip: Some(client.ip()),
                            ..AnnounceReply::default()
                        };
                        let mut body = BytesMut::with_capacity(256 + 6 * wish.most);
                        if announce.compact {
                            self.pick(cx, &wish);
                            let peers = Peers::Compact { v4: &self.picked_v4, v6: &self.picked_v6 };
                            http::encode_announce(&reply, peers, &mut body);
                        } else {
                            let mut full = Vec::with_capacity(wish.most);
                            self.store.pick(&wish, cx.rng(), |_, id, addr| full.push((id, addr)));
                            let peers = Peers::Full { peers: &full, no_peer_id: announce.no_peer_id };
                            http::encode_announce(&reply, peers, &mut body);
                        }
                        put(200, &body, after, out);
                    }
                    Err(refusal) => put_refusal(&refusal, after, out),
                },
                Err(error) => return fail(400, &alloc::format!("{error}"), after),
            },
            "/scrape" => match http::parse_scrape(query) {
                Ok(mut hashes) => {
                    hashes.sort_unstable();
                    hashes.dedup();
                    match self.scrape(cx.now(), client, &hashes) {
                        Ok(counts) => {
                            let known = |(_, counts): &(_, _)| *counts != crate::tracker::Scraped::default();
                            let counts: Vec<_> = hashes.into_iter().zip(counts).filter(known).collect();
                            let mut body = BytesMut::new();
                            http::encode_scrape(&counts, &mut body);
                            put(200, &body, after, out);
                        }
                        Err(refusal) => put_refusal(&refusal, after, out),
                    }
                }
                Err(error) => return fail(400, &alloc::format!("{error}"), after),
            },
            _ => return fail(404, "announce at /announce, scrape at /scrape", after),
        }
        after
    }
}

fn put_refusal(refusal: &Refusal, after: After, out: &mut BytesMut) {
    let retry = match refusal {
        Refusal::NotAllowed => None,
        Refusal::Throttled => Some(Retry::After(Duration::from_secs(120))),
    };
    // As with every tracker: the status is that of the exchange, the body says how it went.
    put_failure(200, refusal.text(), retry, after, out);
}

fn put_failure(status: u16, reason: &str, retry: Option<Retry>, after: After, out: &mut BytesMut) {
    let mut body = BytesMut::new();
    http::encode_failure(reason, retry, &mut body);
    put(status, &body, after, out);
}

/// Appends a whole response.
fn put(status: u16, body: &[u8], after: After, out: &mut BytesMut) {
    let reason = match status {
        200 => "OK",
        404 => "Not Found",
        _ => "Bad Request",
    };
    let connection = match after {
        After::Keep => "",
        After::KeepAsAsked => "Connection: keep-alive\r\n",
        After::Close => "Connection: close\r\n",
    };
    out.reserve(128 + body.len());
    let _ = write!(
        out,
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{connection}\r\n",
        body.len()
    );
    out.put_slice(body);
}
