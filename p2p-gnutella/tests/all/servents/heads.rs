//! What there is of a file, asked of leaves by way of their ultrapeers.

use super::oob::{datagram, said_by, sent, vendor};
use super::victim::{LISTENS, Stranger, Victim, guid};
use p2p_core::hash::{Hasher as _, Sha1};
use p2p_core::{Input, OpInput};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Command, Config, Event, Mode, Timer};
use p2p_gnutella::transfer::{self, Locator, SourceError, Wanted};
use p2p_gnutella::wire::vendor::{HeadCode, HeadPing, HeadPong, HeadReport};
use p2p_gnutella::wire::{Frame, Header, Kind, Message, VendorMessage};
use p2p_gnutella::{Guid, Urn};
use std::net::SocketAddr;

fn urn() -> Urn {
    Urn::Sha1(Sha1::digest(&[0; 10]))
}

fn peer(number: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, number], 5_000))
}

fn ping(of: Option<Guid>) -> Message {
    let ping = HeadPing::new(&urn(), HeadPing::ALTERNATES);
    said_by(&VendorMessage::HeadPing(match of {
        Some(leaf) => ping.through(leaf),
        None => ping,
    }))
}

fn pong(alternates: u16) -> Message {
    let alternates = (0..alternates).map(|n| SocketAddr::from(([192, 0, 2, n as u8], n))).collect();
    let report = HeadReport { code: HeadCode::COMPLETE, vendor: None, queue: Some(0), alternates };
    said_by(&VendorMessage::HeadPong(HeadPong::new(&report)))
}

const fn of(number: u32) -> Header {
    let mut bytes = [1; 16];
    bytes[0] = number as u8;
    Header::neighbour(Guid(bytes), Kind::VENDOR)
}

/// The questions that somebody heard since.
fn asked(victim: &Victim, who: &Stranger, from: usize) -> Vec<Frame> {
    let is_ping = |frame: &Frame| {
        matches!(Message::parse(frame.header.kind, &frame.payload), Ok(Message::Vendor(said))
            if matches!(said.read(), Ok(VendorMessage::HeadPing(_))))
    };
    victim.heard(who, from).into_iter().filter(is_ping).collect()
}

#[test]
fn a_question_for_a_leaf_is_handed_on_once_and_its_answer_back_once() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    victim.share("the same file");
    let mut leaf = victim.link(1, Role::Leaf, false);
    let mut other = victim.link(2, Role::Leaf, false);
    let (from, at) = (victim.sent.len(), victim.datagrams.len());
    datagram(&mut victim, peer(1), of(1), &ping(Some(Guid([1; 16]))));
    datagram(&mut victim, peer(2), of(1), &ping(Some(Guid([1; 16]))));
    let heard = asked(&victim, &leaf, from);
    assert_eq!((heard.len(), heard[0].header), (1, of(1)), "by the link, as it came");
    assert_eq!(heard[0].payload, ping(Some(Guid([1; 16]))).to_bytes());
    assert!(asked(&victim, &other, from).is_empty());
    assert_eq!(victim.datagrams.len(), at, "it is not answered on the way");
    // Another leaf's word for it is none; nor is a second answer.
    victim.say(&mut other, of(1), &pong(0));
    assert_eq!(victim.datagrams.len(), at);
    for _ in 0..5 {
        victim.say(&mut leaf, of(1), &pong(2));
    }
    let told = sent(&victim, at);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0, told[0].1, told[0].2.to_bytes()), (peer(1), of(1), pong(2).to_bytes()));
    // Nobody is called that.
    datagram(&mut victim, peer(3), of(3), &ping(Some(Guid([77; 16]))));
    assert_eq!(victim.datagrams.len(), at + 1);
    // What is for this servent, named or not, it answers itself.
    let own = victim.servent().guid();
    for (number, name) in [(4, Some(own)), (5, None)] {
        let at = victim.datagrams.len();
        datagram(&mut victim, peer(number), of(number.into()), &ping(name));
        let VendorMessage::HeadPong(pong) = vendor(&sent(&victim, at)[0].2) else { panic!() };
        assert_eq!(pong.report().unwrap().code.file(), HeadCode::COMPLETE);
    }
}

#[test]
fn an_answer_comes_in_time_and_is_no_longer_than_a_question_could_be() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    let mut leaf = victim.link(1, Role::Leaf, false);
    let at = victim.datagrams.len();
    datagram(&mut victim, peer(1), of(1), &ping(Some(Guid([1; 16]))));
    victim.say(&mut leaf, of(1), &pong(200));
    datagram(&mut victim, peer(2), of(2), &ping(Some(Guid([1; 16]))));
    victim.wait(31);
    victim.say(&mut leaf, of(2), &pong(1));
    assert_eq!(victim.datagrams.len(), at);
    for number in 0..2_000u32 {
        let mut header = of(1);
        header.guid = guid(number);
        let from = SocketAddr::from(([198, 18, (number >> 8) as u8, number as u8], 5_000));
        datagram(&mut victim, from, header, &ping(Some(Guid([1; 16]))));
        if number % 150 == 0 {
            victim.wait(1);
        }
    }
    assert_eq!(victim.servent().load().offers, Config::default().limits.offers);
}

/// More sources than are asked at once for the file: the others say by datagrams what they have, and who else.
#[test]
fn sources_that_wait_their_turn_are_asked_what_they_have() {
    let mut config = Config::new(Mode::Ultrapeer);
    config.transfers.limits.givers = 2;
    config.reached_at = Some(LISTENS.parse().unwrap());
    let mut victim = Victim::new(config);
    let Urn::Sha1(sha1) = urn() else { panic!() };
    let mut wanted = Wanted::new(sha1);
    let proxy = SocketAddr::from(([203, 0, 113, 50], 6_346));
    wanted.sources = (1..=4).map(|number| Locator::at(peer(number))).collect();
    wanted.sources.push(Locator::pushed(Guid([5; 16]), vec![proxy]));
    let from = victim.datagrams.len();
    let op = p2p_core::OpId::from_raw(5);
    let fetch = Command::Transfer(transfer::Command::Download(wanted));
    victim.give(Input::Op(op, OpInput::Ask(fetch)));
    assert_eq!(victim.connects, 2);
    let ask = HeadPing::new(&urn(), HeadPing::ALTERNATES);
    let asked = sent(&victim, from);
    let told: Vec<_> = asked.iter().map(|(to, _, message)| (*to, vendor(message))).collect();
    let by_proxy = VendorMessage::HeadPing(ask.clone().through(Guid([5; 16])));
    let ask = VendorMessage::HeadPing(ask);
    assert_eq!(told, [(peer(3), ask.clone()), (peer(4), ask), (proxy, by_proxy)]);
    let tend = |victim: &mut Victim| {
        victim.wait(4);
        let from = victim.datagrams.len();
        let timers: Vec<_> = victim.timers.iter().copied().collect();
        let due = |timer: &Timer| matches!(timer, Timer::Transfer(transfer::Timer::Download(_)));
        victim.give(Input::Timer(timers.into_iter().find(due).unwrap()));
        sent(victim, from).into_iter().map(|(to, ..)| to).collect::<Vec<_>>()
    };
    let sources = |victim: &Victim| victim.servent().load().transfers.sources;
    let lost = |victim: &Victim| {
        let lost = victim.told.iter().filter_map(|event| match event {
            Event::Transfer(transfer::Event::SourceLost { source, why, .. }) => {
                Some((source.addr, why.clone()))
            }
            _ => None,
        });
        lost.collect::<Vec<_>>()
    };
    // Of another address, and of another name, it is the word of nobody who was asked.
    datagram(&mut victim, peer(4), asked[0].1, &pong(1));
    datagram(&mut victim, peer(3), asked[1].1, &pong(1));
    datagram(&mut victim, peer(3), of(1), &pong(1));
    assert_eq!((sources(&victim), tend(&mut victim)), (5, vec![]), "each is asked once");
    // One has it, and says who else; who that is is asked in turn. A second answer is none.
    let at = victim.datagrams.len();
    datagram(&mut victim, peer(3), asked[0].1, &pong(2));
    datagram(&mut victim, peer(3), asked[0].1, &pong(3));
    assert_eq!(sources(&victim), 6, "nobody has port 0");
    let late = sent(&victim, at).remove(0);
    assert_eq!(late.0, SocketAddr::from(([192, 0, 2, 1], 1)));
    // One has it not: it is no source. What another says of its leaf is believed only if it says that there is something.
    let report = HeadReport { code: HeadCode::NOT_FOUND, vendor: None, queue: None, alternates: Vec::new() };
    let nothing = said_by(&VendorMessage::HeadPong(HeadPong::new(&report)));
    datagram(&mut victim, peer(4), asked[1].1, &nothing);
    datagram(&mut victim, proxy, asked[2].1, &nothing);
    assert_eq!(lost(&victim), [(Some(peer(4)), SourceError::Status(404))]);
    // What is late is no answer. Nobody is asked again who answered; those are that were dialled in vain.
    victim.wait(31);
    datagram(&mut victim, late.0, late.1, &nothing);
    assert_eq!(lost(&victim).len(), 1);
    victim.wait(300);
    assert_eq!(tend(&mut victim), [peer(1), peer(2), late.0]);
}

#[test]
fn a_neighbour_asks_in_the_same_way_and_a_leaf_answers() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    let mut leaf = victim.link(1, Role::Leaf, false);
    let mut near = victim.link(2, Role::Ultrapeer, false);
    let from = victim.sent.len();
    victim.say(&mut near, of(1), &ping(Some(Guid([1; 16]))));
    assert_eq!(asked(&victim, &leaf, from).len(), 1);
    victim.say(&mut leaf, of(1), &pong(1));
    let heard = victim.heard(&near, from);
    assert!(heard.iter().any(|frame| frame.header == of(1) && frame.payload == pong(1).to_bytes()));
    // As the leaf.
    let mut victim = Victim::new(Config::new(Mode::Leaf));
    victim.share("a file");
    let mut up = victim.dial(1, Role::Ultrapeer);
    let from = victim.sent.len();
    let name = victim.servent().guid();
    victim.say(&mut up, of(9), &ping(Some(name)));
    let answer = victim.heard(&up, from).remove(0);
    assert_eq!(answer.header, of(9));
    let Ok(message) = Message::parse(answer.header.kind, &answer.payload) else { panic!() };
    let VendorMessage::HeadPong(pong) = vendor(&message) else { panic!() };
    assert_eq!(pong.report().unwrap().code.file(), HeadCode::COMPLETE);
}
