//! What a source is asked for next: what its file is like, the tree, or a range.

use super::super::download::Phase;
use super::super::http;
use super::super::source::Stage;
use super::super::{Context, Stream, Transfers};
use super::{Asked, Step};
use crate::Urn;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::BytesMut;
use p2p_core::http::{ByteRange, Request, percent_encode};
use p2p_core::{ConnId, Duration};

/// How long a source is left alone that has nothing of what is missing.
const NOTHING_FOR_US: Duration = Duration::from_secs(30);
/// The target rate: a range takes about so many seconds.
const RANGE_SECS: u64 = 4;

impl Transfers {
    /// Asks a source that waits for the next thing that is missing.
    pub(in crate::transfer) fn ask_giver(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(stream) = self.giver(conn).filter(|stream| stream.is_idle()) else { return };
        let (key, giver) = (stream.key, stream.giver);
        let Some(asked) = self.choose(conn, cx) else {
            // It has nothing for us, and its slot is another's.
            let at = cx.now() + NOTHING_FOR_US;
            return self.rest(key, giver, at, cx);
        };
        let Some(download) = self.downloads.get_mut(&key) else { return };
        if let Some(source) = download.source(giver) {
            source.stage = Stage::Connected(conn);
        }
        let urn = Urn::Sha1(download.sha1);
        let (have, has_tree, sha1) = (download.have(), download.tree.is_some(), download.sha1);
        let bad: Vec<String> = download.bad.iter().map(http::address_text).collect();
        let numbered = download.numbered.clone();
        let target = match &numbered {
            Some(name) => {
                let number = download.source(giver).and_then(|source| source.at.number).unwrap_or_default();
                let mut target = format!("/get/{number}/");
                percent_encode(name, &mut target);
                target
            }
            None => format!("/uri-res/{}?{urn}", if asked == Asked::Tree { "N2X" } else { "N2R" }),
        };
        let mut request = Request::get(target);
        if asked == Asked::Head {
            request.method = "HEAD".into();
        }
        let own = self.config.address;
        let features = self.features();
        let agent = self.config.agent.clone();
        let share = self.config.share_partial;
        let Some(stream) = self.giver(conn) else { return };
        let host = stream.peer.map_or_else(String::new, |peer| peer.to_string());
        let headers = &mut request.headers;
        headers.push("Host", host);
        headers.push("User-Agent", agent);
        if let Asked::Range(range) = &asked {
            headers.push("Range", ByteRange::FromTo(range.start, range.end.saturating_sub(1)).to_string());
            headers.push("X-Queue", "0.1");
            if let Some(id) = &stream.queued {
                headers.push("X-Queued", format!("ID={id}"));
            }
            headers.push("X-Features", features);
            headers.push("X-Downloaded", format!("{have}"));
        }
        let peer_ip = stream.peer.map(|peer| peer.ip());
        stream.began = cx.now();
        stream.heard = cx.now();
        stream.got = 0;
        let is_range = matches!(asked, Asked::Range(_));
        stream.step = Step::Answer(asked);
        if let Some(own) = own {
            headers.push("X-Node", own.to_string());
        }
        if is_range && numbered.is_none() {
            let mut told: Vec<String> = Vec::new();
            if let (Some(own), true) = (own, share && has_tree && have > 0) {
                told.push(http::address_text(&own));
            }
            let nobody = core::net::IpAddr::from([0, 0, 0, 0]);
            let ipv6 = peer_ip.is_some_and(|ip| ip.to_canonical().is_ipv6());
            told.extend(
                self.mesh.tell(&sha1, peer_ip.unwrap_or(nobody), 8, ipv6).iter().map(http::address_text),
            );
            if !told.is_empty() {
                headers.push("X-Alt", told.join(","));
            }
            if !bad.is_empty() {
                headers.push("X-NAlt", bad.join(","));
            }
        }
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes);
        cx.send(conn, bytes);
    }

    /// What a source is asked for next; `None` if it has nothing that is missing.
    pub(super) fn choose(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Option<Asked> {
        let Some(Stream::Giver(stream)) = self.streams.get(&conn) else { return None };
        let (key, giver, headed) = (stream.key, stream.giver, stream.headed);
        let limits = &self.config.limits;
        let (range_min, range_max) = (limits.range_min, limits.range_max);
        let download = self.downloads.get_mut(&key).filter(|download| download.phase == Phase::Fetching)?;
        if download.slices.is_none() {
            let knows = download.size.is_some() && (download.tth.is_some() || download.plain);
            if !knows && !headed {
                return Some(Asked::Head);
            }
            let gave = download.source(giver)?.gave_tree;
            if download.tth.is_some() && download.tree.is_none() && !download.plain && !gave {
                download.source(giver)?.gave_tree = true;
                return Some(Asked::Tree);
            }
            download.size?;
            if download.tree.is_none() {
                // Others that are there may have one.
                let others = self.streams.values().any(|stream| match stream {
                    Stream::Giver(other) => {
                        other.key == key
                            && other.giver != giver
                            && matches!(other.step, Step::Opening | Step::Answer(_) | Step::Tree { .. })
                    }
                    _ => false,
                });
                let download = self.downloads.get_mut(&key)?;
                let untried = download.sources.iter().any(|source| {
                    !source.gave_tree && matches!(source.stage, Stage::Connected(is) if is != conn)
                });
                if !download.plain && others && untried {
                    return None;
                }
                download.plain = true;
            }
            self.lay_out(key);
        }
        let download = self.downloads.get_mut(&key)?;
        // One source gives from the beginning on; of many, others who fetch may be some.
        let from = match &download.slices {
            Some(slices) if download.sources.len() > 1 => cx.rng().index(slices.count().max(1)),
            _ => 0,
        };
        let source = download.source(giver)?;
        if source.available.is_some() && !headed {
            // What it had when it was asked last is no more all that it has.
            return Some(Asked::Head);
        }
        let most = (source.rate * RANGE_SECS).clamp(range_min, range_max.max(range_min));
        let available = source.available.clone();
        let whole_only = source.whole_only;
        let slices = download.slices.as_mut()?;
        let claim = slices
            .claim(giver, most, available.as_deref(), if whole_only { 0 } else { from })
            .or_else(|| {
                // Everything is asked of somebody: a faster one takes over a half.
                slices.split(giver, range_min / 4, available.as_deref()).map(|(_, range)| range)
            })?;
        if whole_only && claim.start > 0 {
            slices.release(giver);
            return None;
        }
        Some(Asked::Range(claim))
    }
}
