//! A user's connection, as plain as clients of the time had it.

use crate::workload;
use p2p_examples::Failure;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How long an answer may take. opennap takes minutes to answer the thousands that log in at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// A search that finds nothing.
pub(crate) const MISS: &str = "FILENAME CONTAINS \"qxqxqx\" MAX_RESULTS 1";

pub(crate) struct Client {
    stream: TcpStream,
    /// What was read and not looked at.
    input: Vec<u8>,
    /// Bytes that came, in all.
    pub(crate) received: u64,
}

/// An address of its own for each user: servers limit how many come from one.
fn address(user: u64) -> Ipv4Addr {
    Ipv4Addr::from(0x7f01_0001 + user as u32)
}

/// Waits until a server listens there.
pub(crate) async fn ready(server: SocketAddrV4) -> Result<(), Failure> {
    for _ in 0..100 {
        if TcpStream::connect(server).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Failure::new(format_args!("nobody listens at {server}")))
}

impl Client {
    pub(crate) async fn connect(server: SocketAddrV4, user: u64) -> Result<Self, Failure> {
        let failed = |why| Failure::new(format_args!("connecting user {user}: {why}"));
        let socket = TcpSocket::new_v4().map_err(failed)?;
        socket.bind(SocketAddrV4::new(address(user), 0).into()).map_err(failed)?;
        let stream = socket.connect(server.into()).await.map_err(failed)?;
        Ok(Self { stream, input: Vec::new(), received: 0 })
    }

    /// Connects and logs in. The acknowledgement has come when this returns.
    pub(crate) async fn login(server: SocketAddrV4, user: u64) -> Result<Self, Failure> {
        let mut client = Self::connect(server, user).await?;
        client.say(2, workload::login(user).as_bytes()).await?;
        client.until(3).await?;
        Ok(client)
    }

    /// Registers the nick, and is logged in then.
    pub(crate) async fn register(server: SocketAddrV4, user: u64) -> Result<Self, Failure> {
        let mut client = Self::connect(server, user).await?;
        client.say(6, format!("{} user{user}@example.org", workload::login(user)).as_bytes()).await?;
        client.until(3).await?;
        Ok(client)
    }

    pub(crate) async fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(data).await.map_err(Failure::new)
    }

    pub(crate) async fn say(&mut self, kind: u16, text: &[u8]) -> Result<(), Failure> {
        let mut message = Vec::with_capacity(4 + text.len());
        workload::put(&mut message, kind, text);
        self.write(&message).await
    }

    /// Reads up to a message of this type; how many search results (201) came before it.
    pub(crate) async fn until(&mut self, kind: u16) -> Result<usize, Failure> {
        let read = async {
            let mut results = 0;
            loop {
                while let Some(came) = take(&mut self.input) {
                    if came == kind {
                        return Ok(results);
                    }
                    results += usize::from(came == 201);
                    if came == 0 {
                        return Err(Failure::new("the server refused a login"));
                    }
                }
                self.read().await?;
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .unwrap_or_else(|_| Err(Failure::new(format_args!("no message {kind} within {PATIENCE:?}"))))
    }

    async fn read(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.input).await.map_err(Failure::new)? {
            0 => Err(Failure::new("the server closed a connection")),
            n => {
                self.received += n as u64;
                Ok(())
            }
        }
    }

    /// Reads so many bytes of something that is no message.
    pub(crate) async fn skip(&mut self, bytes: usize) -> Result<(), Failure> {
        while self.input.len() < bytes {
            self.read().await?;
        }
        self.input.drain(..bytes);
        Ok(())
    }

    /// Asks, and waits for the end of the answer; the results.
    pub(crate) async fn search(&mut self, query: &str) -> Result<usize, Failure> {
        self.say(200, query.as_bytes()).await?;
        self.until(202).await
    }

    /// Waits until the server has done all that it was told: it answers in order, and this finds nothing.
    pub(crate) async fn settle(&mut self) -> Result<(), Failure> {
        self.search(MISS).await.map(drop)
    }
}

/// The type of the next message that is there, which is taken.
pub(crate) fn take(input: &mut Vec<u8>) -> Option<u16> {
    let head = input.first_chunk::<4>()?;
    let len = 4 + usize::from(u16::from_le_bytes([head[0], head[1]]));
    let kind = u16::from_le_bytes([head[2], head[3]]);
    if input.len() < len {
        return None;
    }
    input.drain(..len);
    Some(kind)
}
