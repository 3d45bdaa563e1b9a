//! Who takes part in a simulation: a member, or somebody in the LAN who means ill ([`Player`]).

use bytes::{Bytes, BytesMut};
use p2p_core::{Cx, Datagram, Duration, Effect, Group, Input, Machine, Own, Rng, SocketId};
use p2p_esm::lan::beacon::{self, Beacon, Sends};
use p2p_esm::symbol::{self, Symbol};
use p2p_esm::wire::MemberId;
use p2p_esm::{Command, Error, Esm, Event, GroupKey, Timer, lan, manifest};
use std::net::SocketAddr;

/// What is made up when this comes in.
pub(crate) type Forgery = fn(&Datagram, &mut Rng) -> Vec<Datagram>;

pub(crate) enum Player {
    Member(Box<Esm>),
    /// A member that sends on other symbols than it was sent, while it is told to.
    Liar(Box<Esm>, bool),
    /// A member to which others send forged datagrams, in any name, whenever a true one comes.
    Target(Box<Esm>, Option<Forgery>),
    Villain(Box<Villain>),
}

impl Player {
    pub(crate) fn member(&self) -> &Esm {
        match self {
            Self::Member(esm) | Self::Liar(esm, _) | Self::Target(esm, _) => esm,
            Self::Villain(_) => panic!("not a member"),
        }
    }
}

impl Machine for Player {
    type Command = Command;
    type Event = Event;
    type Error = Error;
    type Timer = Timer;

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let (esm, lies) = match self {
            Self::Member(esm) => (esm, false),
            Self::Liar(esm, lies) => (esm, *lies),
            Self::Target(esm, forgery) => {
                let forged: Vec<_> = match (&input, forgery) {
                    (Input::Datagram(socket, datagram), Some(forge)) => {
                        let forged = forge(datagram, cx.rng());
                        forged.into_iter().map(|forged| Input::Datagram(*socket, forged)).collect()
                    }
                    _ => Vec::new(),
                };
                Self::give(esm, false, input, cx);
                forged.into_iter().for_each(|forged| Self::give(esm, false, forged, cx));
                return;
            }
            Self::Villain(villain) => return villain.handle(input, cx),
        };
        Self::give(esm, lies, input, cx);
    }
}

impl Player {
    /// What comes in for a member, and what it sends.
    fn give(esm: &mut Esm, lies: bool, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        let Some(input) = input.narrow::<Esm>(Some, Some) else { return };
        let mut effects = Vec::new();
        cx.lend(&mut effects, |cx| esm.handle(input, cx));
        for mut effect in effects {
            if lies
                && let Effect::SendTo(_, datagram) = &mut effect
                && matches!(datagram.data.first(), Some(&(symbol::KIND | symbol::STAMPED)))
            {
                let mut forged = BytesMut::from(&datagram.data[..]);
                if let Some(last) = forged.last_mut() {
                    *last ^= 0x55;
                }
                datagram.data = forged.freeze();
            }
            let own = |own| match own {
                Own::Event(op, event) => Some(Effect::Event(op, event)),
                Own::Finish(op, result) => Some(Effect::Finish(op, result)),
                Own::Halt => Some(Effect::Halt),
            };
            if let Some(effect) = effect.lift(|timer| timer, own) {
                cx.push(effect);
            }
        }
    }
}

/// What somebody in the LAN does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Says that it sends every tree, and sends nothing.
    Boasts,
    /// The same, and sends symbols and manifests that nobody signed.
    Forges,
    /// What the others send, from farther away.
    FromAfar,
}

/// Goes before everybody by what it says of itself.
pub(crate) struct Villain {
    key: GroupKey,
    attack: Attack,
    socket: Option<SocketId>,
    ear: Option<SocketId>,
    heard: Vec<MemberId>,
    newest: u32,
    tag: [u8; 4],
    last: Option<Bytes>,
}

impl Villain {
    pub(crate) fn new(key: GroupKey, attack: Attack) -> Self {
        let (heard, tag) = (Vec::new(), key.tag());
        Self { key, attack, socket: None, ear: None, heard, newest: 0, tag, last: None }
    }

    fn group(&self) -> SocketAddr {
        lan::group_at(self.key, false)
    }

    fn cast(&self, data: Bytes, cx: &mut Cx<'_, Player>) {
        let Some(socket) = self.socket else { return };
        let ttl = if self.attack == Attack::FromAfar { 8 } else { 1 };
        let datagram = Datagram { ttl: Some(ttl), ..Datagram::new(self.group(), data) };
        cx.send_datagram(socket, datagram);
    }

    fn handle(&mut self, input: Input<Player>, cx: &mut Cx<'_, Player>) {
        match input {
            Input::Start => {
                self.socket = Some(cx.bind(SocketAddr::from(([0, 0, 0, 0], 4000))));
                let ear = cx.bind(self.group());
                let group = Group { addr: self.group().ip(), interface: None, ttl: Some(1), looped: false };
                cx.join_group(ear, group);
                self.ear = Some(ear);
                cx.set_timer(Timer::Lan, Duration::from_millis(50));
            }
            Input::Datagram(socket, datagram) if Some(socket) == self.ear => {
                self.last = Some(datagram.data.clone());
                match datagram.data.first() {
                    Some(&beacon::KIND) => {
                        if let Ok(beacon) = Beacon::decode(&datagram.data, self.tag)
                            && !self.heard.contains(&beacon.from)
                        {
                            self.heard.push(beacon.from);
                        }
                    }
                    Some(&symbol::KIND) => {
                        if let Ok(symbol) = Symbol::decode(&datagram.data, self.tag) {
                            self.newest = self.newest.max(symbol.generation);
                        }
                    }
                    _ => {}
                }
            }
            Input::Timer(Timer::Lan) => {
                cx.set_timer(Timer::Lan, Duration::from_millis(20));
                match self.attack {
                    Attack::FromAfar => {
                        if let Some(data) = self.last.take() {
                            self.cast(data, cx);
                        }
                        return;
                    }
                    Attack::Forges => {
                        for index in 0..6 {
                            for generation in self.newest..self.newest + 4 {
                                let body = Bytes::copy_from_slice(&cx.rng().bytes::<200>());
                                let mut wire = BytesMut::new();
                                Symbol { generation, index, body }.encode(self.tag, &mut wire);
                                self.cast(wire.freeze(), cx);
                            }
                        }
                        // As long as one of a generation, with the signature of nobody.
                        let mut wire = vec![manifest::KIND];
                        wire.extend(self.tag);
                        wire.extend(u64::from(self.newest).to_be_bytes());
                        wire.extend([0; 8]);
                        wire.extend([0, 1, 4]);
                        wire.extend([7; 6 * 12 + 64]);
                        self.cast(wire.into(), cx);
                    }
                    Attack::Boasts => {}
                }
                let newest = self.newest + 1_000;
                let sends = (0..6).map(|tree| Sends { tree, newest }).collect();
                let heard = self.heard.clone();
                let beacon = Beacon { from: MemberId(1), uplink: u32::MAX, willing: true, sends, heard };
                self.cast(beacon.encode(self.tag), cx);
            }
            Input::Op(op, p2p_core::OpInput::Ask(_)) => cx.finish(op, Err(Error::NotJoined)),
            Input::Stop => cx.halt(),
            _ => {}
        }
    }
}
