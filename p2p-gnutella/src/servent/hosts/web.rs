//! Web caches (GWebCache 2, and the host list of 1), on both sides: [`Talk`].
//!
//! A cache is asked `GET /gwc?get=1&net=gnutella&client=P2PR&version=0.1` and answers lines: `H|address:port|seconds` for a
//! servent, `U|url` for another cache, `I|…` for anything else. A servent tells of itself with `update=1&ip=address:port`,
//! which is believed of its own address only.

use crate::servent::Servent;
use crate::servent::Timer;
use crate::servent::door::Visitor;
use alloc::format;
use alloc::string::String;
use bytes::{Bytes, BytesMut};
use core::net::SocketAddr;
use p2p_core::http::{MAX_HEAD, Request, Response, Url};
use p2p_core::{ConnId, Cx};

/// Where a servent serves its own cache.
const PATH: &str = "/gwc";
/// Bytes of a request that tell whether it is for the cache: a method, a space, and [`PATH`] with what ends it.
pub(in crate::servent) const TOLD_BY: usize = "HEAD ".len() + PATH.len() + 1;
/// The longest answer of a cache that is read.
const ANSWER_MAX: usize = 16 << 10;
/// Servents that an answer tells.
const TOLD: usize = 20;

/// A conversation about web caches.
#[derive(Debug)]
pub(in crate::servent) struct Talk {
    /// The cache that is asked; `None` of who asks this one.
    asked: Option<Url>,
    heard: BytesMut,
}

impl Talk {
    /// Somebody asks.
    pub(in crate::servent) fn asked() -> Self {
        Self { asked: None, heard: BytesMut::new() }
    }

    pub(in crate::servent) const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// What is asked.
    pub(in crate::servent) fn request(&self) -> Bytes {
        let mut out = BytesMut::new();
        if let Some(url) = &self.asked {
            Request::get(&*url.path_and_query)
                .header("Host", url.authority())
                .header("User-Agent", concat!("p2p/", env!("CARGO_PKG_VERSION")))
                .header("Connection", "close")
                .encode(&mut out);
        }
        out.freeze()
    }
}

/// Whether a request whose first [`TOLD_BY`] bytes are here is for the cache, not for files.
pub(in crate::servent) fn is_for_cache(request: &[u8]) -> bool {
    let target = request.splitn(2, |byte| *byte == b' ').nth(1);
    let behind = target.and_then(|target| target.strip_prefix(PATH.as_bytes()));
    behind.is_some_and(|behind| behind.first().is_none_or(|byte| matches!(byte, b' ' | b'?')))
}

/// The servents that an answer tells, of version 1 or 2, and how many were none.
fn servents(body: &str) -> impl Iterator<Item = SocketAddr> {
    body.lines().filter_map(|line| {
        let line = line.trim();
        let place = match line.split_once('|') {
            Some(("H" | "h", rest)) => rest.split('|').next()?,
            Some(_) => return None,
            None => line,
        };
        place.parse().ok()
    })
}

impl Servent {
    /// Asks a web cache for servents, and tells it of this one if it can be reached.
    pub(in crate::servent) fn ask_web_cache(&mut self, url: &str, cx: &mut Cx<'_, Self>) {
        let Ok(mut url) = Url::parse(url) else { return };
        for (key, value) in [("get", "1"), ("net", "gnutella"), ("client", "P2PR"), ("version", "0.1")] {
            url.push_param(key, value.as_bytes());
        }
        let at = self.reached_at();
        if *at.ip() != crate::wire::NO_ADDRESS && !self.is_firewalled() {
            url.push_param("update", b"1");
            url.push_param("ip", format!("{at}").as_bytes());
        }
        self.dial_web(url.target(), Talk { asked: Some(url), heard: BytesMut::new() }, cx);
    }

    pub(in crate::servent) fn web_data(&mut self, conn: ConnId, data: Bytes, cx: &mut Cx<'_, Self>) {
        let Some(Visitor::Web(addr, talk)) = self.visitors.get_mut(&conn) else { return };
        let addr = *addr;
        let most = if talk.is_asking() { ANSWER_MAX } else { MAX_HEAD };
        if talk.heard.len() + data.len() > most {
            return self.dismiss(conn, cx);
        }
        talk.heard.extend_from_slice(&data);
        if talk.is_asking() {
            // The answer ends with its stream.
            return;
        }
        let answer = match Request::parse(&talk.heard) {
            Ok(None) => return,
            Ok(Some((request, _))) => self.serve_web(addr, &request, cx),
            Err(_) => Response::new(400, "Bad Request"),
        };
        let mut out = BytesMut::new();
        answer.encode(&mut out);
        out.extend_from_slice(&core::mem::take(&mut self.web_body));
        cx.send(conn, out.freeze());
        self.visitors.remove(&conn);
        cx.clear_timer(Timer::Door(conn));
        cx.close(conn);
    }

    /// Answers who asks this servent's cache.
    fn serve_web(&mut self, addr: SocketAddr, request: &Request, cx: &mut Cx<'_, Self>) -> Response {
        let param = |key: &str| request.param(key).and_then(|value| String::from_utf8(value).ok());
        let is_set = |key: &str| param(key).as_deref() == Some("1");
        if request.path() != PATH {
            return Response::new(404, "Not Found").header("Content-Length", "0");
        }
        let now = cx.now();
        let second = is_set("get") || is_set("update") || is_set("ping");
        let mut body = String::new();
        if is_set("ping") {
            body += "I|pong|p2p 0.1|gnutella\n";
        }
        if param("net").is_some_and(|net| net != "gnutella") {
            body += "I|net-not-supported\n";
        } else {
            let told = param("ip").and_then(|ip| ip.parse::<SocketAddr>().ok());
            if let Some(told) = told {
                let own = told.ip() == addr.ip();
                if own {
                    self.hosts.heard_of(told, true, now);
                }
                body += match (second, own) {
                    (true, true) => "I|update|OK\n",
                    (true, false) => "I|update|WARNING|Rejected IP\n",
                    (false, true) => "OK\n",
                    (false, false) => "WARNING: Rejected IP\n",
                };
            }
            if is_set("get") || is_set("hostfile") {
                let neighbours = self.links.iter().filter_map(|link| link.listens_at);
                let mut hosts: alloc::vec::Vec<_> = neighbours.collect();
                if !self.is_firewalled() {
                    hosts.push(self.reached_at().into());
                }
                hosts.extend(self.hosts.to_tell(TOLD, true, told));
                hosts.sort_unstable();
                hosts.dedup();
                for host in hosts.into_iter().filter(|host| Some(*host) != told).take(TOLD) {
                    body += &if second { format!("H|{host}|0\n") } else { format!("{host}\n") };
                }
            }
        }
        let len = format!("{}", body.len());
        self.web_body = body.into_bytes();
        Response::new(200, "OK")
            .header("Content-Type", "text/plain")
            .header("Content-Length", len)
            .header("Connection", "close")
    }

    /// A cache has answered, or not: its stream ended.
    pub(in crate::servent) fn web_told(&mut self, talk: Talk, cx: &mut Cx<'_, Self>) {
        let Ok(Some((head, used))) = Response::parse(&talk.heard) else { return };
        if head.status != 200 {
            return;
        }
        let body = String::from_utf8_lossy(talk.heard.get(used..).unwrap_or_default());
        for addr in servents(&body).take(TOLD) {
            self.hosts.heard_of(addr, true, cx.now());
        }
        self.fill(cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_both_versions_are_read() {
        let body =
            "I|pong|x|gnutella\r\nH|192.0.2.1:6346|17|x\nU|http://x.example/gwc|9\nH|rubbish\n192.0.2.2:5\n";
        let found: alloc::vec::Vec<_> = servents(body).map(|addr| format!("{addr}")).collect();
        assert_eq!(found, ["192.0.2.1:6346", "192.0.2.2:5"]);
    }
}
