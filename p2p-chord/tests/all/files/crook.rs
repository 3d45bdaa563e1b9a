//! Who speaks HTTP, but not as it should: a holder that cheats, a guest that annoys.

use p2p_core::{Bytes, ConnId, Cx, Duration, Input, Machine, OpInput, StreamInput};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vice {
    None,
    /// One byte of each part is another one.
    Lies,
    /// It breaks off in the middle of the first part.
    Short,
    /// It says that the file has one byte more.
    Size,
    /// It sends a byte now and then.
    Loris,
    /// It never says anything.
    Mute,
    /// It has too much to do, always.
    Busy,
    Lacks,
    Junk,
    /// It sends more than was asked for.
    Endless,
    /// It sends another part than was asked for.
    Other,
}

/// A crook's command: dial, say this, and tell what was heard.
#[derive(Clone, Debug)]
pub(crate) struct Say(pub(crate) SocketAddr, pub(crate) Bytes);

/// What was heard on the stream that was dialled first, second, and so on; and whether it is over.
#[derive(Clone, Debug)]
pub(crate) struct Heard(pub(crate) usize, pub(crate) Bytes, pub(crate) bool);

pub(crate) struct Crook {
    pub(crate) vice: Vice,
    content: Bytes,
    heard: BTreeMap<ConnId, Vec<u8>>,
    dialled: Vec<(ConnId, Bytes)>,
    slow: Vec<ConnId>,
}

impl Crook {
    pub(crate) fn new(vice: Vice, content: Bytes) -> Self {
        Self { vice, content, heard: BTreeMap::new(), dialled: Vec::new(), slow: Vec::new() }
    }

    fn answer(&mut self, conn: ConnId, cx: &mut Cx<'_, Self>) {
        let heard = self.heard.entry(conn).or_default();
        let Some(end) = heard.windows(4).position(|end| end == b"\r\n\r\n") else { return };
        let head = String::from_utf8(heard.drain(..end + 4).collect()).unwrap();
        let range = head.lines().find_map(|line| line.strip_prefix("Range: bytes=")).unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse::<usize>().unwrap() + 1);
        let mut body = self.content[from..to].to_vec();
        let mut size = self.content.len();
        let mut said = (from, to - 1);
        match self.vice {
            Vice::Mute => return,
            Vice::Busy => {
                cx.send(conn, &b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"[..]);
                return cx.close(conn);
            }
            Vice::Lacks => return cx.send(conn, &b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"[..]),
            Vice::Junk => return cx.send(conn, &b"SSH-2.0-OpenSSH_9.9\r\n\r\n\r\n"[..]),
            Vice::Lies => {
                let at = body.len() / 2;
                body[at] ^= 0x20;
            }
            Vice::Size => size += 1,
            Vice::Endless => body.extend([7; 5_000]),
            Vice::Other => said = (from + 1, to),
            Vice::None | Vice::Short | Vice::Loris => {}
        }
        let len = to - from;
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {len}\r\nContent-Range: bytes {}-{}/{size}\r\n\r\n",
            said.0, said.1
        );
        cx.send(conn, head.into_bytes());
        match self.vice {
            Vice::Short => {
                body.truncate(len / 2);
                cx.send(conn, body);
                cx.close(conn);
            }
            Vice::Loris => {
                self.slow.push(conn);
                cx.set_timer((), Duration::from_secs(1));
            }
            _ => cx.send(conn, body),
        }
    }
}

impl Machine for Crook {
    type Command = Say;
    type Event = Heard;
    type Error = Infallible;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => {
                cx.listen(SocketAddr::from(([0, 0, 0, 0], 80)));
            }
            Input::Op(op, OpInput::Ask(Say(to, text))) => {
                let conn = cx.connect(to);
                self.dialled.push((conn, text));
                cx.finish(op, Ok(()));
            }
            Input::Stream(conn, StreamInput::Open { listener: None, .. }) => {
                let text = self.dialled.iter().find(|(of, _)| *of == conn).unwrap().1.clone();
                cx.send(conn, text);
            }
            Input::Stream(conn, StreamInput::Data(data)) => {
                self.heard.entry(conn).or_default().extend_from_slice(&data);
                match self.dialled.iter().position(|(of, _)| *of == conn) {
                    Some(number) => cx.tell(Heard(number, data, false)),
                    None => self.answer(conn, cx),
                }
            }
            Input::Stream(conn, StreamInput::Closed(_)) => {
                self.slow.retain(|slow| *slow != conn);
                if let Some(number) = self.dialled.iter().position(|(of, _)| *of == conn) {
                    cx.tell(Heard(number, Bytes::new(), true));
                }
            }
            Input::Timer(()) => {
                for conn in &self.slow {
                    cx.send(*conn, &b"x"[..]);
                }
                if !self.slow.is_empty() {
                    cx.set_timer((), Duration::from_secs(1));
                }
            }
            Input::Stop => cx.halt(),
            _ => {}
        }
    }
}
