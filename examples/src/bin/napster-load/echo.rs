//! A server that only answers: what questions and answers cost where nothing is looked for.
//!
//! Most of what a search costs a server that waits for the next one is the system's: to be woken, to read, to write, and
//! to wake who asked. How much that is depends on the machine and on what else it does, so it is measured beside.

use crate::client::Client;
use p2p_examples::Failure;
use p2p_examples::load::scheduled;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a question: about as many as a search has. The first four say how many bytes are to be answered.
const QUESTION: usize = 60;

/// The server, in a thread of its own that ends with the program.
pub(crate) struct Echo {
    pub(crate) addr: SocketAddrV4,
    /// What the system tells of its thread.
    thread: PathBuf,
}

impl Echo {
    pub(crate) fn start() -> Result<Self, Failure> {
        let (ready, started) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                let _ = runtime.block_on(serve(&ready));
            }
        });
        started.recv().map_err(|_| Failure::new("the server that only answers did not start"))
    }

    /// CPU time of its thread.
    pub(crate) fn cpu(&self) -> Duration {
        scheduled(&self.thread)
    }
}

async fn serve(ready: &mpsc::Sender<Echo>) -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    if let SocketAddr::V4(addr) = listener.local_addr()? {
        let thread = std::fs::read_link("/proc/thread-self")?;
        let _ = ready.send(Echo { addr, thread: PathBuf::from("/proc").join(thread).join("schedstat") });
    }
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut question, mut text) = ([0; QUESTION], Vec::new());
    loop {
        stream.read_exact(&mut question).await?;
        let len = question.first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
        text.resize(len as usize, 0);
        stream.write_all(&text).await?;
    }
}

/// A question that is answered with so many bytes.
pub(crate) fn question(answer: u32) -> [u8; QUESTION] {
    let mut question = [0; QUESTION];
    if let Some(len) = question.first_chunk_mut() {
        *len = answer.to_le_bytes();
    }
    question
}

/// Mean CPU microseconds of an answer of so many bytes, asked for by one user after the other.
pub(crate) async fn cost(echo: &Echo, users: &mut [Client], asks: usize, bytes: u32) -> Result<f64, Failure> {
    let before = echo.cpu();
    let count = users.len();
    for at in 0..asks {
        users[at % count].write(&question(bytes)).await?;
        users[at % count].skip(bytes as usize).await?;
    }
    Ok((echo.cpu() - before).as_secs_f64() * 1e6 / asks as f64)
}
