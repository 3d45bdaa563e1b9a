//! What happened to a machine on tokio, played again without tokio: the same inputs leave the same effects.

use crate::kit::{Echo, Gate, Served, file, local, pattern, soon};
use bytes::Bytes;
use p2p_core::{
    Cx, DigestKind, Digester, Duration, Input, IoError, Job, JobDone, Machine, OpInput, SocketId, Span,
};
use p2p_sim::Recorder;
use p2p_transport_tokio::{Options, spawn};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn streams_replay() {
    let mut running = spawn(Recorder::new(Echo::at(local()), 100_000), Options::default());
    let Some(Served::At(at)) = soon("the address", running.news.next()).await else { panic!("it listens") };
    for salt in 0..20 {
        let sent = pattern(salt, 60_000);
        let (mut from, mut to) = TcpStream::connect(at).await.unwrap().into_split();
        let mut back = Vec::new();
        let send = async {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let ((), read) = soon("the echo", async { tokio::join!(send, from.read_to_end(&mut back)) }).await;
        read.unwrap();
        assert!(back == sent);
    }
    let (trace, echo) = running.stop().await.into_parts();
    assert!(!trace.is_cut() && trace.steps().len() > 60);
    let again = trace.replay(Echo::at(local())).unwrap();
    assert_eq!(format!("{again:?}"), format!("{echo:?}"));
    // A machine that begins otherwise is found out.
    let other = Echo::at(SocketAddr::from(([127, 0, 0, 1], 9)));
    assert_eq!(trace.replay(other).unwrap_err().step, 0);
}

/// Writes what its dice say to a disk, tells itself of it by datagrams, and keeps a running digest.
#[derive(Debug, Default)]
struct Diary {
    socket: Option<(SocketId, SocketAddr)>,
    written: u64,
    heard: u64,
    digest: Option<Box<Digester>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the disk failed: {0}")]
struct Lost(IoError);

impl Machine for Diary {
    type Command = ();
    type Event = String;
    type Error = Lost;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                self.digest = Some(Box::new(Digester::new(DigestKind::Sha1)));
                cx.bind(local());
            }
            Input::Bound(socket, Ok(at)) => {
                self.socket = Some((socket, at));
                cx.set_timer((), Duration::from_millis(1));
            }
            Input::Timer(()) => {
                let len = 1 + cx.rng().below(5000) as usize;
                let mut page = vec![0; len];
                cx.rng().fill(&mut page);
                page.extend_from_slice(&cx.unix_now().as_nanos().to_be_bytes());
                let span = Span { file: file("diary"), offset: self.written, len: page.len() as u64 };
                self.written += page.len() as u64;
                cx.run(Job::Write { spans: vec![span], data: vec![page.into()], digest: self.digest.take() });
            }
            Input::Job(_, JobDone::Written { result: Ok(()), digest }) => {
                self.digest = digest;
                if let Some((socket, at)) = self.socket {
                    cx.send_to(socket, at, Bytes::from(self.written.to_be_bytes().to_vec()));
                }
            }
            Input::Datagram(_, datagram) => {
                self.heard += 1;
                cx.tell(format!("page {} {:?} at {:?}", self.heard, datagram.data, cx.now()));
                let pause = Duration::from_millis(cx.rng().below(3));
                cx.set_timer((), pause);
            }
            Input::Op(op, OpInput::Ask(())) => {
                let lost = Lost(IoError::Other);
                cx.finish(op, if self.heard > 0 { Ok(()) } else { Err(lost) });
            }
            Input::Stop => cx.halt(),
            _ => {}
        }
    }
}

#[tokio::test]
async fn dice_clocks_disks_and_datagrams_replay() {
    let gate = Gate::shut();
    gate.open();
    let options = Options::default().with_storage(gate);
    let mut running = spawn(Recorder::new(Diary::default(), 100_000), options);
    for _ in 0..40 {
        soon("a page", running.news.next()).await.unwrap();
    }
    running.node.run(()).await.unwrap();
    let (trace, diary) = running.stop().await.into_parts();
    assert!(diary.written > 40 && trace.steps().len() >= 120);
    let again = trace.replay(Diary::default()).unwrap();
    assert_eq!((again.written, again.heard), (diary.written, diary.heard));
    let digest = |diary: Diary| diary.digest.map(|digest| digest.finish());
    assert_eq!(digest(again), digest(diary));
}
