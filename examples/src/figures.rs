//! Figures over HTTP (feature `metrics`): pages asked for one at a time, in Prometheus' text format 0.0.4 or as JSON.

use crate::json::Line;
use std::fmt::Write;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Requests at once; more wait to be accepted.
const AT_ONCE: usize = 16;
/// How long a request may take, however slowly it drips.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request.
const HEAD: usize = 4096;

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    kind: &'static str,
    text: String,
}

impl Page {
    /// Figures for Prometheus.
    #[must_use]
    pub fn metrics(text: Text) -> Self {
        Self { kind: "text/plain; version=0.0.4; charset=utf-8", text: text.0 }
    }

    /// A JSON object.
    #[must_use]
    pub fn json(line: Line) -> Self {
        Self { kind: "application/json", text: line.finish() + "\n" }
    }
}

/// Figures in Prometheus' text format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// A figure that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.figure(name, "gauge", help, value);
    }

    /// A figure that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.figure(name, "counter", help, value);
    }

    fn figure(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
}

/// Serves pages from here on; the address. `page` makes the one of a path (without its query), if there is one.
///
/// # Errors
/// If the address cannot be had.
pub async fn serve<F, P>(at: SocketAddr, page: F) -> io::Result<SocketAddr>
where
    F: Fn(String) -> P + Clone + Send + 'static,
    P: Future<Output = Option<Page>> + Send + 'static,
{
    let listener = TcpListener::bind(at).await?;
    let at = listener.local_addr()?;
    tokio::spawn(accept(listener, page));
    Ok(at)
}

async fn accept<F, P>(listener: TcpListener, page: F)
where
    F: Fn(String) -> P + Clone + Send + 'static,
    P: Future<Output = Option<Page>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others will close.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let page = page.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, answer(stream, page)).await;
            drop(permit);
        });
    }
}

async fn answer<F, P>(mut stream: TcpStream, page: F) -> io::Result<()>
where
    F: Fn(String) -> P,
    P: Future<Output = Option<Page>>,
{
    let mut head = Vec::with_capacity(HEAD);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let found = match path(&head) {
        Some(path) => page(path).await,
        None => None,
    };
    let (status, page) = match found {
        Some(page) => ("200 OK", page),
        None => (
            "404 Not Found",
            Page { kind: "text/plain; charset=utf-8", text: "there is no such page\n".into() },
        ),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        page.kind,
        page.text.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(page.text.as_bytes()).await?;
    stream.shutdown().await
}

/// The path that is asked for, without its query.
fn path(head: &[u8]) -> Option<String> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let target = line.strip_prefix(b"GET ")?.split(|byte| *byte == b' ').next()?;
    let path = target.split(|byte| *byte == b'?').next()?;
    String::from_utf8(path.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(path(b"GET /metrics HTTP/1.1\r\n\r\n").as_deref(), Some("/metrics"));
        assert_eq!(path(b"GET /metrics?x=1 HTTP/1.0\r\nA: b\r\n\r\n").as_deref(), Some("/metrics"));
        assert_eq!(path(b"POST /metrics HTTP/1.1\r\n\r\n"), None);
        assert_eq!(path(b"GET /\xff HTTP/1.1\r\n\r\n"), None);
    }
}
