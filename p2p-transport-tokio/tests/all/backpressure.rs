//! Backpressure in its four places, with the bytes and messages that wait counted.

use crate::kit::{Gate, Hand, Puppet, Wires, file, local, soon};
use bytes::Bytes;
use p2p_core::node::OpError;
use p2p_core::{ConnId, Cx, FileId, Input, IoError, Job, JobDone, Machine, OpId, OpInput, Span, StreamInput};
use p2p_transport_tokio::{Options, spawn};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CHUNK: usize = 16 * 1024;

/// Sends chunks read from a disk, two reads ahead, and stops at `Full`.
struct Source {
    file: FileId,
    to: SocketAddr,
    left: u64,
    conn: Option<ConnId>,
    reading: usize,
    full: bool,
    sent: u64,
    /// What had been sent when it was told so, first.
    sent_at_full: Option<u64>,
    told: Vec<&'static str>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Failed(IoError);

impl Source {
    fn new(file: FileId, to: SocketAddr, chunks: u64) -> Self {
        let (conn, sent_at_full) = (None, None);
        Self {
            file,
            to,
            left: chunks,
            conn,
            reading: 0,
            full: false,
            sent: 0,
            sent_at_full,
            told: Vec::new(),
        }
    }

    fn read(&mut self, cx: &mut Cx<'_, Self>) {
        while self.conn.is_some() && !self.full && self.reading < 2 && self.left > 0 {
            self.left -= 1;
            self.reading += 1;
            cx.run(Job::Read { spans: vec![Span { file: self.file.clone(), offset: 0, len: CHUNK as u64 }] });
        }
        if let (Some(conn), 0, 0) = (self.conn, self.reading, self.left) {
            cx.close(conn);
            self.conn = None;
            cx.tell(self.sent);
        }
    }
}

impl Machine for Source {
    type Command = ();
    type Event = u64;
    type Error = Failed;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                cx.connect(self.to);
            }
            Input::Stream(conn, StreamInput::Open { .. }) => self.conn = Some(conn),
            Input::Stream(_, StreamInput::Full) => {
                self.told.push("full");
                self.full = true;
                if self.sent_at_full.is_none() {
                    self.sent_at_full = Some(self.sent);
                    cx.tell(self.sent);
                }
            }
            Input::Stream(_, StreamInput::Ready) => {
                self.told.push("ready");
                self.full = false;
            }
            Input::Job(_, JobDone::Read(data)) => {
                self.reading -= 1;
                if let (Some(conn), Ok(data)) = (self.conn, data) {
                    self.sent += data.len() as u64;
                    cx.send(conn, data);
                }
            }
            Input::Op(op, OpInput::Ask(())) => cx.finish(op, Ok(())),
            Input::Stop => return cx.halt(),
            _ => {}
        }
        self.read(cx);
    }
}

#[tokio::test]
async fn a_slow_socket_stops_its_writer_at_the_high_mark() {
    const PIPE: usize = 4096;
    const CHUNKS: u64 = 500;
    let (wires, mut dialled) = Wires::new(PIPE);
    let mut options = Options::default().with_connector(wires);
    (options.high_mark, options.low_mark) = (256 * 1024, 128 * 1024);
    let mut source = spawn(Source::new(FileId::zeros(), local(), CHUNKS), options);
    let mut far = dialled.end().await;
    // Nobody reads: the mark is reached, and the two reads under way are all that comes on top.
    let full = soon("full", source.news.next()).await.unwrap();
    for _ in 0..50 {
        source.node.run(()).await.unwrap();
    }
    let mark = (256 * 1024 + PIPE) as u64;
    assert!(full >= 256 * 1024 && full <= mark + CHUNK as u64, "told after {full} bytes");
    let mut got = 0;
    let mut scratch = vec![0; 50_000];
    while got < CHUNKS as usize * CHUNK {
        let n = soon("more", far.read(&mut scratch)).await.unwrap();
        assert!(n > 0, "the end after {got}");
        got += n;
    }
    assert_eq!(soon("the end", far.read(&mut scratch)).await.unwrap(), 0);
    assert_eq!(soon("done", source.news.next()).await, Some(CHUNKS * CHUNK as u64));
    let source = source.stop().await;
    assert!(source.told.len() >= 4, "it was stopped again and again: {}", source.told.len());
    for (n, told) in source.told.iter().enumerate() {
        assert_eq!(*told, ["full", "ready"][n % 2], "in turns");
    }
}

#[tokio::test]
async fn nothing_is_queued_past_the_mark_while_nobody_reads_a_real_socket() {
    let door = TcpListener::bind(local()).await.unwrap();
    let to = door.local_addr().unwrap();
    // 16 GiB: no socket buffer swallows that.
    let mut source = spawn(Source::new(FileId::zeros(), to, 1 << 20), Options::default());
    let (tcp, _) = door.accept().await.unwrap();
    soon("full", source.news.next()).await.unwrap();
    for _ in 0..200 {
        source.node.run(()).await.unwrap();
    }
    // The peer goes with all unread, which ends what is queued as well.
    drop(tcp);
    let source = source.stop().await;
    assert!(source.sent >= 256 * 1024 && source.sent < 64 << 20, "{} bytes were sent", source.sent);
}

#[tokio::test]
async fn a_paused_reader_stops_the_writer_at_the_other_end() {
    const PIPE: usize = 4096;
    let (wires, mut dialled) = Wires::new(PIPE);
    let mut hand = Hand::new(Options::default().with_connector(wires));
    let conn = hand.make(|cx| cx.connect(local())).await;
    let mut far = dialled.end().await;
    assert_eq!(hand.opened().await, conn);
    hand.make(move |cx| cx.pause(conn, true)).await;
    // As much as the pipe holds goes in, and not a byte more.
    soon("the pipe takes its size", far.write_all(&[1; PIPE])).await.unwrap();
    hand.settle().await;
    let more = tokio::time::timeout(Duration::from_millis(20), far.write_all(&[2; 1])).await;
    assert!(more.is_err(), "the reader reads although it is paused");
    assert!(hand.rest().is_empty());
    hand.make(move |cx| cx.pause(conn, false)).await;
    assert_eq!(hand.bytes(conn, PIPE).await, [1; PIPE]);
}

/// What a teller tells when it is cancelled.
const CANCELLED: u32 = u32::MAX;

/// Answers each ask with so many numbers, one at each tick of a timer; a polite one stops at `Full`.
#[derive(Default)]
struct Teller {
    polite: bool,
    under_way: Option<(OpId, u32, u32)>,
    full: bool,
    fulls: u32,
    cancels: u32,
}

impl Machine for Teller {
    type Command = u32;
    type Event = u32;
    type Error = Failed;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Op(op, OpInput::Ask(n)) => {
                self.under_way = Some((op, 0, n));
                cx.set_timer((), Duration::ZERO);
            }
            Input::Op(_, OpInput::Full) => {
                self.fulls += 1;
                self.full = self.polite;
            }
            Input::Op(_, OpInput::Ready) => {
                self.full = false;
                cx.set_timer((), Duration::ZERO);
            }
            Input::Op(op, OpInput::Cancel) => {
                self.cancels += 1;
                self.under_way = None;
                cx.finish(op, Ok(()));
                cx.tell(CANCELLED);
            }
            Input::Timer(()) if !self.full => {
                let Some((op, at, n)) = &mut self.under_way else { return };
                if at == n {
                    cx.finish(*op, Ok(()));
                    self.under_way = None;
                    return;
                }
                cx.answer(*op, *at);
                *at += 1;
                // News counts what was said, so that the reader of the test knows without reading.
                cx.tell(*at);
                cx.set_timer((), Duration::ZERO);
            }
            Input::Stop => cx.halt(),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_slow_reader_stops_its_operation_and_loses_nothing() {
    const ANSWERS: u32 = 5000;
    let mut options = Options::default();
    options.desk.answers = 64;
    options.desk.answers_hard = 100;
    let mut teller = spawn(Teller { polite: true, ..Teller::default() }, options);
    let mut answers = teller.node.ask(ANSWERS);
    let (mut read, mut said) = (0, 0);
    while let Some(answer) = soon("an answer", answers.next()).await {
        assert_eq!(answer.unwrap(), read, "in order, none lost");
        read += 1;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        while let Some(n) = teller.news.try_next() {
            said = n;
        }
        assert!(said <= read + 64, "{said} said, {read} read");
    }
    assert_eq!(read, ANSWERS);
    let teller = teller.stop().await;
    assert!(teller.fulls > 10 && teller.cancels == 0);
}

#[tokio::test]
async fn who_does_not_stop_at_full_is_cut_off_as_lagged() {
    let mut options = Options::default();
    options.desk.answers = 8;
    options.desk.answers_hard = 32;
    let mut teller = spawn(Teller::default(), options);
    let mut answers = teller.node.ask(1_000_000);
    assert_eq!(soon("the first", answers.next()).await, Some(Ok(0)));
    // Nobody reads now. The machine is told to stop, does not, and is cancelled at the hard cap.
    while soon("a cancel", teller.news.next()).await != Some(CANCELLED) {}
    let mut last = soon("said before", answers.next()).await;
    let mut kept = 0;
    while let Some(Ok(_)) = last {
        kept += 1;
        last = soon("the end", answers.next()).await;
    }
    assert_eq!(last, Some(Err(OpError::Lagged)));
    assert!(kept <= 33, "{kept} were kept");
    let teller = teller.stop().await;
    assert_eq!((teller.fulls > 0, teller.cancels), (true, 1));
}

#[tokio::test]
async fn asks_wait_in_a_bounded_queue() {
    // 1,000 at once through a queue of 2: all wait their turn, none is lost, all are answered.
    let mut options = Options::default();
    options.desk.asks = 2;
    let hand = Hand::of(Puppet::default(), options);
    let asked: Vec<_> = (0..1000)
        .map(|_| {
            let node = hand.running.node.clone();
            let deed = crate::kit::Do::nothing();
            tokio::spawn(async move { node.run(deed).await })
        })
        .collect();
    for ask in asked {
        soon("an answer", ask).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_slow_disk_bounds_its_jobs_and_stops_nobody_else() {
    const LIMIT: usize = 16;
    const ASKED: usize = 2000;
    let gate = Gate::shut();
    let mut options = Options::default().with_storage(gate.clone());
    (options.jobs, options.workers) = (LIMIT, 3);
    let mut hand = Hand::new(options);
    hand.make(|cx| {
        for n in 0..ASKED {
            let span = Span { file: file("a"), offset: n as u64, len: 1 };
            cx.run(Job::Write { spans: vec![span], data: vec![Bytes::from_static(b"x")], digest: None });
        }
    })
    .await;
    for _ in 0..ASKED - LIMIT {
        match hand.next().await {
            Input::Job(_, JobDone::Written { result, .. }) => assert_eq!(result, Err(IoError::Limit)),
            other => panic!("{other:?}"),
        }
    }
    gate.wait_for(3).await;
    // The disk stands; streams go on.
    let (_, at) = hand.listen(local()).await;
    let mut tcp = tokio::net::TcpStream::connect(at).await.unwrap();
    let conn = hand.opened().await;
    tcp.write_all(b"hello").await.unwrap();
    assert_eq!(hand.bytes(conn, 5).await, b"hello");
    assert_eq!((gate.most(), gate.done()), (3, 0), "no more than the workers are at the disk");
    gate.open();
    for _ in 0..LIMIT {
        match hand.next().await {
            Input::Job(_, JobDone::Written { result, .. }) => assert_eq!(result, Ok(())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((gate.most(), gate.done()), (3, LIMIT));
    // There is room again.
    hand.make(|cx| cx.run(Job::Stat { file: file("a") })).await;
    match hand.next().await {
        Input::Job(_, JobDone::Stat(Ok(Some(stat)))) => assert_eq!(stat.len, LIMIT as u64),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_slow_disk_slows_who_reads_from_it_for_the_network() {
    let gate = Gate::shut();
    let door = TcpListener::bind(local()).await.unwrap();
    let to = door.local_addr().unwrap();
    let source = spawn(Source::new(file("a"), to, 40), Options::default().with_storage(gate.clone()));
    let (mut tcp, _) = door.accept().await.unwrap();
    // Two reads are under way, and no third is asked for while they are.
    gate.wait_for(2).await;
    assert_eq!(gate.most(), 2);
    gate.open();
    let mut got = Vec::new();
    soon("the end", tcp.read_to_end(&mut got)).await.unwrap();
    // There is no such file: all reads fail, and the machine is told each time.
    assert_eq!((got.len(), gate.done(), gate.most()), (0, 40, 2));
    assert_eq!(source.stop().await.sent, 0);
}
