//! How streams are made and secured: [`Connector`], and the [`Stream`] that it makes.

use crate::error::io_error;
use p2p_core::{IoError, Security, Target};
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
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
    /// tried one after the other.
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

/// Dials by TCP.
///
/// # Errors
/// If the name cannot be resolved, or no address of it answers: the last error.
pub async fn dial_tcp(to: Target) -> Result<(Stream, SocketAddr), IoError> {
    match to {
        Target::Addr(addr) => connect(addr).await,
        Target::Name { host, port } => {
            let mut last = IoError::Unresolved;
            for addr in resolve(&host, port).await? {
                match connect(addr).await {
                    Ok(opened) => return Ok(opened),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
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
