//! How streams are made and secured: [`Connector`], and the [`Stream`] that it makes.

use crate::error::io_error;
use p2p_core::{Duration, IoError, Security, Target};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A boxed future of a connector.
pub type Opening<T> = Pin<Box<dyn Future<Output = Result<T, IoError>> + Send>>;

/// Whatever can be read and written.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// An open stream: TCP, or what a connector made of it.
pub struct Stream(Io);

enum Io {
    Tcp(TcpStream),
    Other(Box<dyn Duplex>),
}

impl Stream {
    /// A stream of any kind.
    pub fn new(stream: impl Duplex + 'static) -> Self {
        Self(Io::Other(Box::new(stream)))
    }

    /// The TCP stream, if it is a plain one.
    #[must_use]
    pub const fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Io::Tcp(tcp) => Some(tcp),
            Io::Other(_) => None,
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self(Io::Tcp(tcp))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.tcp()).finish()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Io::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Io::Other(other) => Pin::new(other).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Io::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Io::Other(other) => Pin::new(other).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Io::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Io::Other(other) => Pin::new(other).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Io::Tcp(tcp) => tcp.is_write_vectored(),
            Io::Other(other) => other.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Io::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Other(other) => Pin::new(other).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Io::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Other(other) => Pin::new(other).poll_shutdown(cx),
        }
    }
}

/// How streams are dialled and secured. A proxy or another transport comes in through
/// [`dial`](Self::dial), TLS or Noise through [`secure`](Self::secure).
pub trait Connector: Send + Sync + 'static {
    /// Dials, and says whom it reached. The default is TCP; names are resolved by the system, and their addresses
    /// tried in turn, the next one beside the others when they take long ([`dial_tcp`]).
    fn dial(&self, to: Target) -> Opening<(Stream, SocketAddr)> {
        Box::pin(dial_tcp(to))
    }

    /// Secures a stream, as its client or its server. The default cannot.
    fn secure(&self, stream: Stream, security: Security) -> Opening<Stream> {
        Box::pin(async move {
            match security {
                Security::None => Ok(stream),
                _ => Err(IoError::Unsupported),
            }
        })
    }
}

/// TCP, and no way to secure it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Connector for Plain {}

/// How long an address is tried alone before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Dials by TCP. Of a name's addresses, the families take turns, and the first that answers is taken: the next one is
/// tried when the one before failed or has not answered for 250 ms (RFC 8305, without its preferences).
///
/// # Errors
/// If the name cannot be resolved, or no address of it answers: the last error.
pub async fn dial_tcp(to: Target) -> Result<(Stream, SocketAddr), IoError> {
    match to {
        Target::Addr(addr) => connect(addr).await,
        Target::Name { host, port } => first_of(resolve(&host, port).await?, connect).await,
    }
}

/// The first of the addresses that opens.
async fn first_of<T, F>(addrs: Vec<SocketAddr>, open: impl Fn(SocketAddr) -> F) -> Result<T, IoError>
where
    F: Future<Output = Result<T, IoError>> + Send,
{
    let mut left = in_turns(addrs).into_iter();
    let mut opening: Vec<Pin<Box<F>>> = Vec::new();
    let mut last = IoError::Unresolved;
    let mut wait = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let before = opening.len();
            let mut at = 0;
            while let Some(one) = opening.get_mut(at) {
                match one.as_mut().poll(cx) {
                    Poll::Ready(Ok(opened)) => return Poll::Ready(Ok(opened)),
                    Poll::Ready(Err(error)) => {
                        last = error;
                        drop(opening.swap_remove(at));
                    }
                    Poll::Pending => at += 1,
                }
            }
            if opening.len() == before && before > 0 && wait.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match left.next() {
                Some(addr) => {
                    opening.push(Box::pin(open(addr)));
                    wait.as_mut().reset(tokio::time::Instant::now() + HEAD_START);
                }
                None if opening.is_empty() => return Poll::Ready(Err(last)),
                None => return Poll::Pending,
            }
        }
    })
    .await
}

/// The addresses, one of each family after the other, beginning with the family of the first.
fn in_turns(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = addrs.into_iter().partition(|addr| addr.is_ipv6() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut turns = Vec::new();
    loop {
        let (a, b) = (one.next(), other.next());
        if a.is_none() && b.is_none() {
            return turns;
        }
        turns.extend(a.into_iter().chain(b));
    }
}

async fn connect(addr: SocketAddr) -> Result<(Stream, SocketAddr), IoError> {
    let tcp = TcpStream::connect(addr).await.map_err(|error| io_error(&error))?;
    // Small messages must not wait for each other; bulk is gathered into large writes anyway.
    tcp.set_nodelay(true).map_err(|error| io_error(&error))?;
    Ok((tcp.into(), addr))
}

/// The addresses of a name, at least one and at most 32.
pub(crate) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, IoError> {
    let found = tokio::net::lookup_host((host, port)).await.map_err(|_| IoError::Unresolved)?;
    let found: Vec<_> = found.take(32).collect();
    if found.is_empty() { Err(IoError::Unresolved) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_beginning_with_the_first() {
        let mixed = addrs(&["[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:4"]);
        assert_eq!(in_turns(mixed), addrs(&["[::1]:1", "127.0.0.1:4", "[::1]:2", "[::1]:3"]));
        let mixed = addrs(&["127.0.0.1:1", "[::1]:2", "[::1]:3"]);
        assert_eq!(in_turns(mixed.clone()), mixed);
        assert!(in_turns(Vec::new()).is_empty());
    }

    /// Port 1 never answers, port 2 refuses, others open.
    async fn open(addr: SocketAddr) -> Result<u16, IoError> {
        match addr.port() {
            1 => std::future::pending().await,
            2 => Err(IoError::Refused),
            port => Ok(port),
        }
    }

    async fn try_ports(ports: &[u16]) -> (Result<u16, IoError>, Vec<u16>) {
        let tried = Mutex::new(Vec::new());
        let addrs = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
        let found = first_of(addrs, |addr| {
            tried.lock().unwrap().push(addr.port());
            open(addr)
        });
        let found = found.await;
        (found, tried.into_inner().unwrap())
    }

    #[tokio::test]
    async fn the_first_that_opens_is_taken() {
        assert_eq!(try_ports(&[7, 8]).await, (Ok(7), vec![7]));
        assert_eq!(try_ports(&[2, 2, 9, 8]).await, (Ok(9), vec![2, 2, 9]));
        assert_eq!(try_ports(&[2, 2]).await, (Err(IoError::Refused), vec![2, 2]));
        assert_eq!(try_ports(&[]).await, (Err(IoError::Unresolved), vec![]));
    }

    #[tokio::test]
    async fn one_that_is_silent_does_not_hold_up_the_next() {
        assert_eq!(try_ports(&[1, 2, 5, 6]).await, (Ok(5), vec![1, 2, 5]));
    }
}
