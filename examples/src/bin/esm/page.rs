//! The page of `esm watch --http`: it plays the stream, and shows the trees (feature `page`).
//!
//! | path | what |
//! | --- | --- |
//! | `/` and its parts | the page; the player is mpegts.js, whose licence is at `/mpegts.js.LICENSE` |
//! | `/stream.ts` | the stream, for the page and for players; `?from=-30s` begins in the past, as far as it is kept |
//! | `/picture` | how this member is placed now, as JSON |

use crate::picture;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_core::Stream;
use p2p_core::{Bytes, Node, OpError, Operation};
use p2p_esm::playout::Output;
use p2p_esm::{Command, Error, Esm, Event, Point};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// So long ago a stream begins for the page: the last picture that stands for itself is hardly older.
const BEGIN: Duration = Duration::from_millis(1_000);

/// Serves the page from here on; where.
pub(crate) async fn serve(at: SocketAddr, node: Node<Esm>) -> io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(at).await?;
    let at = listener.local_addr()?;
    let asset = |kind, bytes: &'static [u8]| {
        get(async move || {
            let policy = "default-src 'self'; media-src 'self' blob:";
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, policy)], bytes)
        })
    };
    let text = "text/plain; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    let routes = Router::new()
        .route("/", asset("text/html; charset=utf-8", include_bytes!("page/index.html")))
        .route("/page.css", asset("text/css; charset=utf-8", include_bytes!("page/page.css")))
        .route("/page.js", asset(script, include_bytes!("page/page.js")))
        .route("/mpegts.js", asset(script, include_bytes!("page/mpegts.js")))
        .route("/mpegts.js.LICENSE", asset(text, include_bytes!("page/mpegts.js.LICENSE")))
        .route("/stream.ts", get(stream))
        .route("/picture", get(look))
        .with_state(node);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(at)
}

async fn look(State(node): State<Node<Esm>>) -> Response {
    match picture::of(&node).await {
        Some(picture) => {
            ([(header::CONTENT_TYPE, "application/json")], picture::json(&picture)).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "takes part in nothing yet").into_response(),
    }
}

async fn stream(State(node): State<Node<Esm>>, RawQuery(query): RawQuery) -> Response {
    let from = query.as_deref().and_then(|query| query.strip_prefix("from="));
    let Ok(from) = from.map_or(Ok(Point::Ago(BEGIN)), str::parse) else {
        return (StatusCode::BAD_REQUEST, "from=-30s, from=oldest or from=now").into_response();
    };
    let head = [(header::CONTENT_TYPE, "video/mp2t"), (header::CACHE_CONTROL, "no-store")];
    (head, Body::from_stream(Packets(node.ask(Command::WatchFrom(from))))).into_response()
}

/// The packets that an operation gives. A reader that goes away cancels it; one that is slow is given all the same as
/// long as it is kept.
struct Packets(Operation<Esm, Event>);

impl Stream for Packets {
    type Item = Result<Bytes, OpError<Error>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return match Pin::new(&mut self.0).poll_next(cx) {
                Poll::Ready(Some(Ok(Event::Output(Output::Packet { data, .. })))) => {
                    Poll::Ready(Some(Ok(data)))
                }
                // A hole is for the player to bridge.
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(Some(Err(why))) => Poll::Ready(Some(Err(why))),
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            };
        }
    }
}
