//! A measuring aid: streams gigabytes over the loopback interface between two machines, each with a driver in a thread
//! of its own, and between two plain blocking sockets in the same run.
//!
//! ```text
//! cargo run --release -p p2p-transport-tokio --example bulk -- 4
//! ```
//!
//! The argument is how many GiB to stream (2 if there is none). CPU time is that of the whole process: both ends, in user
//! and kernel mode. Only the ratios say much; run it on a machine that does nothing else.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "it measures and prints"
)]

use bytes::Bytes;
use p2p_core::{ConnId, Cx, Input, Machine, OpId, OpInput, StreamInput};
use p2p_transport_tokio::{Options, spawn};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

/// Bytes of one part that is sent, and of one read or write of a plain socket.
const PART: usize = 128 * 1024;
/// Bytes handed to the driver at once, enough for it to say `Full`.
const BURST: u64 = 512 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("the stream broke")]
struct Broke;

/// Takes what comes, and sends it back if it echoes.
struct Sink {
    echo: bool,
}

impl Machine for Sink {
    type Command = ();
    type Event = SocketAddr;
    type Error = Broke;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                cx.listen(([127, 0, 0, 1], 0).into());
            }
            Input::Listener(_, Ok(at)) => cx.tell(at),
            Input::Stream(conn, StreamInput::Data(data)) if self.echo => cx.send(conn, data),
            Input::Stream(conn, StreamInput::Full) => cx.pause(conn, true),
            Input::Stream(conn, StreamInput::Ready) => cx.pause(conn, false),
            Input::Stream(_, StreamInput::Closed(_)) => cx.halt(),
            _ => {}
        }
    }
}

/// Sends so many bytes, and ends its operation when the other end has them, or has sent them back.
struct Source {
    part: Bytes,
    to: SocketAddr,
    left: u64,
    back: u64,
    asked: Option<OpId>,
}

impl Source {
    fn send(&mut self, conn: ConnId, cx: &mut Cx<'_, Self>) {
        let mut burst = BURST.min(self.left);
        self.left -= burst;
        while burst > 0 {
            let part = self.part.slice(..PART.min(burst as usize));
            burst -= part.len() as u64;
            cx.send(conn, part);
        }
        self.end(conn, cx);
    }

    fn end(&mut self, conn: ConnId, cx: &mut Cx<'_, Self>) {
        if let (0, 0, Some(op)) = (self.left, self.back, self.asked) {
            self.asked = None;
            cx.close(conn);
            cx.finish(op, Ok(()));
            cx.halt();
        }
    }
}

impl Machine for Source {
    type Command = ();
    type Event = ();
    type Error = Broke;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Op(op, OpInput::Ask(())) => {
                self.asked = Some(op);
                cx.connect(self.to);
            }
            Input::Stream(conn, StreamInput::Open { .. } | StreamInput::Ready) => self.send(conn, cx),
            Input::Stream(conn, StreamInput::Data(data)) => {
                self.back -= data.len() as u64;
                self.end(conn, cx);
            }
            Input::Stream(_, StreamInput::Closed(_)) => {
                if let Some(op) = self.asked.take() {
                    cx.finish(op, Err(Broke));
                }
            }
            _ => {}
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Streams between two machines.
fn machines(bytes: u64, echo: bool) {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let sink = thread::spawn(move || {
        runtime().block_on(async {
            let mut sink = spawn(Sink { echo }, Options::default());
            tell.send(sink.news.next().await.unwrap()).unwrap();
            sink.halted().await;
        });
    });
    let to = told.recv().unwrap();
    runtime().block_on(async {
        let back = if echo { bytes } else { 0 };
        let source = Source { part: vec![7; PART].into(), to, left: bytes, back, asked: None };
        let source = spawn(source, Options::default());
        source.node.run(()).await.unwrap();
        // What is queued is sent before the machine comes back.
        source.halted().await;
    });
    sink.join().unwrap();
}

/// Streams between two blocking sockets, with a thread for each direction.
fn plain(bytes: u64, echo: bool) {
    let door = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let to = door.local_addr().unwrap();
    let sink = thread::spawn(move || {
        let (mut tcp, _) = door.accept().unwrap();
        let mut buffer = vec![0; PART];
        loop {
            let n = tcp.read(&mut buffer).unwrap();
            if n == 0 {
                return;
            }
            if echo {
                tcp.write_all(&buffer[..n]).unwrap();
            }
        }
    });
    let mut tcp = TcpStream::connect(to).unwrap();
    let mut from = tcp.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let (mut buffer, mut back) = (vec![0; PART], if echo { bytes } else { 0 });
        while back > 0 {
            back -= from.read(&mut buffer).unwrap() as u64;
        }
    });
    let buffer = vec![7; PART];
    let mut left = bytes;
    while left > 0 {
        let n = PART.min(left as usize);
        tcp.write_all(&buffer[..n]).unwrap();
        left -= n as u64;
    }
    tcp.shutdown(std::net::Shutdown::Write).unwrap();
    reader.join().unwrap();
    sink.join().unwrap();
}

/// Seconds that this process has spent on processors.
#[cfg(unix)]
fn cpu() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[cfg(not(unix))]
fn cpu() -> f64 {
    f64::NAN
}

/// Runs it, prints a line, and returns speed and CPU time.
fn measure(name: &str, bytes: u64, run: impl FnOnce()) -> (f64, f64) {
    let (begun, before) = (Instant::now(), cpu());
    run();
    let (seconds, spent) = (begun.elapsed().as_secs_f64(), cpu() - before);
    let speed = bytes as f64 / f64::from(1 << 20) / seconds;
    println!("{name:<24} {seconds:>8.2} s {speed:>9.0} MiB/s {spent:>8.2} CPU s");
    (speed, spent)
}

fn main() {
    let gib: f64 = std::env::args().nth(1).map_or(2.0, |gib| gib.parse().expect("how many GiB to stream"));
    let bytes = (gib * f64::from(1 << 30)) as u64;
    println!("{gib} GiB over the loopback interface");
    for (name, echo) in [("to a sink", false), ("to an echo and back", true)] {
        let base = measure(&format!("{name}, plain"), bytes, || plain(bytes, echo));
        let driven = measure(&format!("{name}, driver"), bytes, || machines(bytes, echo));
        println!(
            "{:<24} speed {:.2}, CPU time {:.2}",
            "  driver / plain",
            driven.0 / base.0,
            driven.1 / base.1
        );
    }
}
