//! Holders of a file who each behave in their own way, and a server that knows them: what a download meets.

use super::rig::{Rig, number};
use p2p_core::{ConnId, Duration, IoError, Rng};
use p2p_napster::client::Wanted;
use std::net::Ipv4Addr;

pub(crate) const NAME: &str = "C:\\mp3\\Band - Song.mp3";

/// How a holder behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Manners {
    /// Sends the whole file, whatever the offset (TekNap).
    pub(crate) ignores_offset: bool,
    /// Answers with the size of what is left.
    pub(crate) counts_rest: bool,
    /// Ends each connection after so many bytes; giFT always loses the last block.
    pub(crate) stops_after: Option<usize>,
    /// Ends so many bytes before the end of the file.
    pub(crate) loses: usize,
    /// Breaks the connection in place of ending it.
    pub(crate) resets: bool,
    /// Is asked so often before it accepts (619).
    pub(crate) queue: u32,
    /// Refuses (609).
    pub(crate) refuses: bool,
    /// Cannot be dialled: brings the file itself.
    pub(crate) firewalled: bool,
    /// Accepts, and then says nothing.
    pub(crate) silent: bool,
}

#[derive(Debug)]
struct Sending {
    conn: ConnId,
    /// What was said of the request; `None` once it is answered.
    request: Option<Vec<u8>>,
    greeted: bool,
    offset: usize,
    sent: usize,
}

pub(crate) struct Holder {
    pub(crate) nick: String,
    pub(crate) ip: Ipv4Addr,
    pub(crate) file: Vec<u8>,
    pub(crate) manners: Manners,
    sending: Option<Sending>,
    /// Offsets that it was asked for.
    pub(crate) asked: Vec<usize>,
    /// Bytes of the file that it sent.
    pub(crate) gave: usize,
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} asked for {:?} gave {} {:?}", self.nick, self.asked, self.gave, self.manners)
    }
}

pub(crate) struct Crowd {
    pub(crate) holders: Vec<Holder>,
    /// Bytes of a write of a holder.
    pub(crate) chunk: usize,
    /// What was said to the server and is no business of holders.
    pub(crate) other: Vec<(u16, String)>,
}

impl Crowd {
    pub(crate) fn new(chunk: usize) -> Self {
        Self { holders: Vec::new(), chunk, other: Vec::new() }
    }

    pub(crate) fn with(mut self, file: &[u8], manners: Manners) -> Self {
        let n = self.holders.len() as u8;
        self.holders.push(Holder {
            nick: format!("holder{n}"),
            ip: Ipv4Addr::new(203, 0, 113, 10 + n),
            file: file.to_vec(),
            manners,
            sending: None,
            asked: Vec::new(),
            gave: 0,
        });
        self
    }

    /// All of them, and the size of the first one's file.
    pub(crate) fn wanted(&self) -> Wanted {
        let mut holders = self.holders.iter().map(|holder| holder.nick.clone().into_bytes());
        let first = Wanted::new(holders.next().unwrap(), NAME).sized(self.holders[0].file.len() as u64);
        holders.fold(first, |wanted, nick| wanted.or(nick, NAME))
    }

    /// The client is a new one: nobody is connected to it.
    pub(crate) fn part(&mut self) {
        self.holders.iter_mut().for_each(|holder| holder.sending = None);
    }

    /// Everybody does one thing, in an order that is drawn.
    pub(crate) fn step(&mut self, rig: &mut Rig, rng: &mut Rng) {
        self.server(rig);
        self.accept(rig);
        let mut order: Vec<usize> = (0..self.holders.len()).collect();
        rng.shuffle(&mut order);
        for index in order {
            self.send(index, rig);
        }
        rig.pass(Duration::from_millis(10 + rng.below(40)));
    }

    fn server(&mut self, rig: &mut Rig) {
        if rig.server.is_none() {
            return;
        }
        for (kind, text) in rig.said() {
            let (nick, file) = text.split_once(' ').unwrap_or((&text, ""));
            let holder = self.holders.iter_mut().find(|holder| holder.nick == nick);
            let (203 | 500, Some(holder)) = (kind, holder) else {
                self.other.push((kind, text));
                continue;
            };
            let (nick, ip) = (&holder.nick, number(holder.ip));
            let manners = &mut holder.manners;
            if manners.refuses {
                rig.says(609, format!("{nick} {file}"));
            } else if manners.queue > 0 {
                manners.queue -= 1;
                rig.says(620, format!("{nick} {file} {} 1", holder.file.len()));
            } else if manners.firewalled && kind == 203 {
                rig.says(204, format!("{nick} {ip} 0 {file} 00000000000000000000000000000000 7"));
            } else if manners.firewalled {
                let conn = rig.accept();
                holder.sending =
                    Some(Sending { conn, request: Some(Vec::new()), greeted: false, offset: 0, sent: 0 });
            } else {
                rig.says(204, format!("{nick} {ip} 6699 {file} 00000000000000000000000000000000 7"));
            }
        }
    }

    fn accept(&mut self, rig: &mut Rig) {
        for conn in rig.dialled() {
            let Some(std::net::SocketAddr::V4(to)) = rig.streams[&conn].to else { continue };
            let Some(holder) = self.holders.iter_mut().find(|holder| holder.ip == *to.ip()) else { continue };
            rig.opens(conn);
            holder.sending =
                Some(Sending { conn, request: Some(Vec::new()), greeted: false, offset: 0, sent: 0 });
        }
    }

    fn send(&mut self, index: usize, rig: &mut Rig) {
        let chunk = self.chunk;
        let holder = &mut self.holders[index];
        let Some(sending) = &mut holder.sending else { return };
        let (conn, manners) = (sending.conn, holder.manners);
        if rig.is_closed(conn) {
            holder.sending = None;
            return;
        }
        if manners.silent {
            return;
        }
        let Some(request) = &mut sending.request else {
            if rig.streams[&conn].paused {
                return;
            }
            let last = holder.file.len() - manners.loses.min(holder.file.len());
            let most = manners.stops_after.map_or(usize::MAX, |most| most - sending.sent.min(most));
            let from = sending.offset + sending.sent;
            let len = chunk.min(last.saturating_sub(from)).min(most);
            if len == 0 {
                let how = if manners.resets { Err(IoError::Reset) } else { Ok(()) };
                holder.sending = None;
                rig.closes(conn, how);
                return;
            }
            sending.sent += len;
            holder.gave += len;
            let data = holder.file[from..from + len].to_vec();
            rig.data(conn, data);
            return;
        };
        request.extend(rig.heard(conn));
        if manners.firewalled {
            // It dialled: the greeting is the client's, the verb and then the arguments are its own.
            match (&request[..], sending.greeted) {
                (b"1", false) => {
                    rig.data(conn, "SEND");
                    sending.greeted = true;
                }
                (b"1", true) => {
                    // Only the last part of the name, as MP3::Napster says it.
                    let base = NAME.rsplit('\\').next().unwrap();
                    rig.data(conn, format!("{} \"{base}\" {}", holder.nick, holder.file.len()));
                    rig.moment();
                    request.extend(rig.heard(conn));
                }
                _ => {}
            }
            if let Ok(offset) =
                std::str::from_utf8(&request[1.min(request.len())..]).unwrap().parse::<usize>()
            {
                holder.asked.push(offset);
                sending.offset = if manners.ignores_offset { 0 } else { offset };
                sending.request = None;
            }
            return;
        }
        if !sending.greeted {
            sending.greeted = true;
            rig.data(conn, "1");
            return;
        }
        let Some(text) = request.strip_prefix(b"GET").filter(|text| !text.is_empty()) else { return };
        let text = std::str::from_utf8(text).unwrap();
        let (who, offset) = text.rsplit_once(' ').unwrap();
        assert_eq!(who, format!("me \"{NAME}\""));
        let offset: usize = offset.parse().unwrap();
        holder.asked.push(offset);
        let size = if manners.counts_rest { holder.file.len() - offset } else { holder.file.len() };
        sending.offset = if manners.ignores_offset { 0 } else { offset };
        sending.request = None;
        rig.data(conn, size.to_string());
    }

    /// Goes on until an operation has ended. How many steps it took.
    pub(crate) fn run(&mut self, rig: &mut Rig, rng: &mut Rng, op: p2p_core::OpId) -> usize {
        for step in 0..200_000 {
            if rig.finished.contains_key(&op) {
                return step;
            }
            self.step(rig, rng);
        }
        panic!("it has not ended after {:?}: {:?}", rig.now, self.holders);
    }
}
