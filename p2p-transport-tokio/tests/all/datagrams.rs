//! Datagrams: sent, received with hop limit and interface, to groups, and dropped with a count.

use crate::kit::{Hand, Never, local, soon};
use p2p_core::{Cx, Datagram, Group, Input, IoError, Machine, OpId, OpInput, SocketId};
use p2p_transport_tokio::{Options, interface_at, spawn};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;

async fn bind(hand: &mut Hand, at: SocketAddr) -> (SocketId, SocketAddr) {
    let socket = hand.make(move |cx| cx.bind(at)).await;
    let bound = bound(hand, socket).await.unwrap();
    (socket, bound)
}

async fn bound(hand: &mut Hand, socket: SocketId) -> Result<SocketAddr, IoError> {
    hand.until(|heard| match heard {
        Input::Bound(id, at) if id == socket => Some(at),
        _ => None,
    })
    .await
}

async fn received(hand: &mut Hand) -> (SocketId, Datagram) {
    hand.until(|heard| match heard {
        Input::Datagram(id, datagram) => Some((id, datagram)),
        _ => None,
    })
    .await
}

/// The index of the loopback interface, as the system tells it with a datagram that came by it.
async fn loopback_index() -> Option<u32> {
    let mut hand = Hand::new(Options::default());
    let (socket, at) = bind(&mut hand, local()).await;
    hand.make(move |cx| cx.send_to(socket, at, &b"me"[..])).await;
    received(&mut hand).await.1.interface
}

#[tokio::test]
async fn datagrams_cross_whole_and_with_their_source() {
    let mut hand = Hand::new(Options::default());
    let (a, from) = bind(&mut hand, local()).await;
    let (b, to) = bind(&mut hand, local()).await;
    for len in [0, 1, 1400, 20_000] {
        hand.make(move |cx| cx.send_to(a, to, vec![7; len])).await;
        let (socket, datagram) = received(&mut hand).await;
        assert_eq!((socket, datagram.peer, datagram.data.len()), (b, from, len));
    }
    hand.make(move |cx| cx.unbind(b)).await;
    // Nobody is there any more: the error that comes back must not end the sender.
    hand.make(move |cx| cx.send_to(a, to, &b"gone"[..])).await;
    hand.settle().await;
    hand.make(move |cx| cx.send_to(a, from, &b"myself"[..])).await;
    assert_eq!(received(&mut hand).await.1.data, "myself");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn received_datagrams_tell_hop_limit_and_interface() {
    let mut hand = Hand::new(Options::default());
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let mut families = vec![local()];
    if UdpSocket::bind(v6).is_ok() {
        families.push(v6);
    } else {
        eprintln!("skipped for IPv6: this machine has none");
    }
    for at in families {
        let (socket, at) = bind(&mut hand, at).await;
        for ttl in [1, 17, 255] {
            hand.make(move |cx| {
                let datagram = Datagram { ttl: Some(ttl), ..Datagram::new(at, &b"x"[..]) };
                cx.send_datagram(socket, datagram);
            })
            .await;
            let (_, datagram) = received(&mut hand).await;
            assert_eq!(datagram.ttl, Some(ttl), "{at}");
            let index = datagram.interface.unwrap();
            // It can be sent by the interface that it came by.
            hand.make(move |cx| {
                let datagram = Datagram { interface: Some(index), ..Datagram::new(at, &b"y"[..]) };
                cx.send_datagram(socket, datagram);
            })
            .await;
            let (_, datagram) = received(&mut hand).await;
            assert_eq!((datagram.interface, &datagram.data[..]), (Some(index), &b"y"[..]), "{at}");
        }
    }
}

#[tokio::test]
async fn binding_fails_with_a_typed_error() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = bind(&mut hand, local()).await;
    let again = hand.make(move |cx| cx.bind(at)).await;
    assert_eq!(bound(&mut hand, again).await, Err(IoError::InUse));
    let elsewhere = SocketAddr::from(([203, 0, 113, 7], 0));
    let socket = hand.make(move |cx| cx.bind(elsewhere)).await;
    assert_eq!(bound(&mut hand, socket).await, Err(IoError::NotFound));
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted() {
    let mut options = Options::default();
    options.datagrams = 10;
    let mut hand = Hand::new(options);
    let (a, _) = bind(&mut hand, local()).await;
    let (_, to) = bind(&mut hand, local()).await;
    // One turn's worth: ten wait, the others are dropped.
    hand.make(move |cx| (0..25u8).for_each(|n| cx.send_to(a, to, vec![n]))).await;
    for n in 0..10 {
        assert_eq!(received(&mut hand).await.1.data[..], [n]);
    }
    assert_eq!(hand.running.counts.datagrams_dropped.load(Ordering::Relaxed), 15);
    // Too large for any datagram: refused by the system, and counted as well.
    hand.make(move |cx| {
        cx.send_to(a, to, vec![0; 70_000]);
        cx.send_to(a, to, &b"next"[..]);
    })
    .await;
    assert_eq!(received(&mut hand).await.1.data, "next");
    assert_eq!(hand.running.counts.datagrams_dropped.load(Ordering::Relaxed), 16);
    assert!(hand.rest().is_empty());
}

#[tokio::test]
async fn a_flood_of_datagrams_leaves_turns_to_others() {
    let mut hand = Hand::new(Options::default());
    let (_, at) = bind(&mut hand, local()).await;
    let flood = std::thread::spawn(move || {
        let socket = UdpSocket::bind(local()).unwrap();
        for n in 0..20_000u32 {
            // A full buffer drops some: that is what datagrams do.
            let _ = socket.send_to(&n.to_be_bytes(), at);
        }
    });
    for _ in 0..50 {
        soon("a turn", hand.make(|_| ())).await;
    }
    flood.join().unwrap();
    hand.settle().await;
    let heard = hand.rest();
    let numbers: Vec<u32> = heard
        .iter()
        .filter_map(|heard| match heard {
            Input::Datagram(_, datagram) => Some(u32::from_be_bytes(datagram.data[..].try_into().unwrap())),
            _ => None,
        })
        .collect();
    assert!(!numbers.is_empty() && numbers.is_sorted(), "in order, whatever was dropped");
}

/// An administratively scoped group (RFC 2365) that nobody else uses.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 74, 11);

fn group(addr: impl Into<IpAddr>, interface: u32, ttl: u8, looped: bool) -> Group {
    Group { addr: addr.into(), interface: Some(interface), ttl: Some(ttl), looped }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_group_is_joined_heard_and_left() {
    let Some(index) = loopback_index().await else { panic!("Linux tells the interface") };
    let mut hand = Hand::new(Options::default());
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let (inside, at) = bind(&mut hand, any).await;
    let (sender, _) = bind(&mut hand, local()).await;
    let to = SocketAddr::from((GROUP, at.port()));
    let say = |what: &'static [u8], ttl| {
        move |cx: &mut Cx<'_, crate::kit::Puppet>| {
            let datagram = Datagram { interface: Some(index), ttl, ..Datagram::new(to, what) };
            cx.send_datagram(sender, datagram);
        }
    };
    hand.make(move |cx| {
        cx.join_group(inside, group(GROUP, index, 1, true));
        cx.join_group(sender, group(GROUP, index, 3, true));
    })
    .await;
    if hand.running.counts.groups_refused.load(Ordering::Relaxed) > 0 {
        eprintln!("skipped: the system lets nobody join a group on the loopback interface");
        return;
    }
    hand.make(say(b"hello, group", None)).await;
    let (socket, datagram) = received(&mut hand).await;
    assert_eq!((socket, &datagram.data[..]), (inside, &b"hello, group"[..]));
    assert_eq!(datagram.ttl, Some(3), "the hop limit of the sender's group");
    hand.make(say(b"far", Some(9))).await;
    assert_eq!(received(&mut hand).await.1.ttl, Some(9), "the hop limit of this datagram");
    hand.make(move |cx| cx.leave_group(inside, group(GROUP, index, 1, true))).await;
    hand.make(say(b"nobody hears", None)).await;
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, at.port()));
    hand.make(move |cx| cx.send_to(sender, own, &b"after"[..])).await;
    assert_eq!(received(&mut hand).await.1.data, "after", "who left a group hears it no more");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_group_that_another_socket_joined_is_not_heard() {
    let Some(index) = loopback_index().await else { panic!("Linux tells the interface") };
    // Two sockets at one port of two addresses, so that each could be given what comes for the group.
    let mut hand = Hand::new(Options::default());
    let (_outside, at) = bind(&mut hand, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await;
    let (member, _) = bind(&mut hand, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await;
    let (sender, _) = bind(&mut hand, local()).await;
    hand.make(move |cx| {
        cx.join_group(member, group(GROUP, index, 1, true));
        cx.join_group(sender, group(GROUP, index, 1, true));
    })
    .await;
    let to = SocketAddr::from((GROUP, at.port()));
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, at.port()));
    hand.make(move |cx| {
        cx.send_datagram(sender, Datagram { interface: Some(index), ..Datagram::new(to, &b"group"[..]) });
        cx.send_to(sender, own, &b"mine"[..]);
    })
    .await;
    assert_eq!(received(&mut hand).await.1.data, "mine");
}

#[tokio::test]
async fn a_group_that_is_none_is_refused_and_counted() {
    let mut hand = Hand::new(Options::default());
    let (socket, _) = bind(&mut hand, local()).await;
    hand.make(move |cx| {
        cx.join_group(socket, group([192, 0, 2, 1], 0, 1, true));
        cx.leave_group(socket, group(GROUP, 0, 1, true));
    })
    .await;
    assert_eq!(hand.running.counts.groups_refused.load(Ordering::Relaxed), 1);
}

/// The route that the system has for groups leads elsewhere, if it has one at all.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_goes_to_a_group_goes_where_the_group_was_joined() {
    let index = interface_at(Ipv4Addr::LOCALHOST.into()).unwrap();
    assert_eq!(Some(index), loopback_index().await);
    let mut hand = Hand::new(Options::default());
    let (_, at) = bind(&mut hand, SocketAddr::from((GROUP, 0))).await;
    let (sender, from) = bind(&mut hand, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await;
    let inside = hand.make(move |cx| cx.bind(at)).await;
    assert_eq!(bound(&mut hand, inside).await, Ok(at), "several sockets share a group's address");
    hand.make(move |cx| {
        cx.join_group(inside, group(GROUP, index, 1, true));
        cx.join_group(sender, group(Ipv4Addr::new(239, 255, 74, 12), index, 1, true));
        cx.send_to(sender, at, &b"here"[..]);
    })
    .await;
    if hand.running.counts.groups_refused.load(Ordering::Relaxed) > 0 {
        eprintln!("skipped: the system lets nobody join a group on the loopback interface");
        return;
    }
    let (socket, datagram) = received(&mut hand).await;
    assert_eq!((socket, &datagram.data[..]), (inside, &b"here"[..]));
    assert_eq!((datagram.ttl, datagram.interface, datagram.peer.port()), (Some(1), Some(index), from.port()));
}

#[test]
fn nobody_has_this_address() {
    // An address for documentation (RFC 5737).
    let error = interface_at(Ipv4Addr::new(203, 0, 113, 7).into()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

/// Datagrams of many lengths to several receivers, sent at once: each gets its own, in their order and whole, however the
/// system carries them.
#[tokio::test]
async fn a_burst_to_several_arrives_in_order() {
    let mut hand = Hand::new(Options::default());
    let (from, _) = bind(&mut hand, local()).await;
    let mut to = Vec::new();
    for _ in 0..3 {
        to.push(bind(&mut hand, local()).await);
    }
    let receivers: Vec<_> = to.iter().map(|(_, at)| *at).collect();
    // Runs of one length, a shorter one at the end of some, and empty ones.
    let lens = [1_326; 40].into_iter().chain([700, 1_326, 1_326, 12, 0, 0, 12, 1_327]).collect::<Vec<_>>();
    let expected: Vec<_> = lens.iter().zip(0_u8..).map(|(len, n)| vec![n; *len]).collect();
    let sent = expected.clone();
    hand.make(move |cx| {
        for data in &sent {
            receivers.iter().for_each(|at| cx.send_to(from, *at, data.clone()));
        }
    })
    .await;
    let mut got = vec![Vec::new(); to.len()];
    while got.iter().map(Vec::len).sum::<usize>() < expected.len() * to.len() {
        let (socket, datagram) = received(&mut hand).await;
        let at = to.iter().position(|(id, _)| *id == socket).unwrap();
        got[at].push(datagram.data.to_vec());
    }
    for got in got {
        assert!(got == expected, "{:?}", got.iter().map(Vec::len).collect::<Vec<_>>());
    }
    assert_eq!(hand.running.counts.datagrams_dropped.load(Ordering::Relaxed), 0);
}

/// Gives ten answers for each datagram, unless it was told that they are not read.
#[derive(Default)]
struct Herald {
    socket: Option<SocketId>,
    at: Option<SocketAddr>,
    to: Option<OpId>,
    full: bool,
}

impl Machine for Herald {
    /// Sends itself so many datagrams, and answers from then on.
    type Command = u8;
    type Event = u8;
    type Error = Never;
    type Timer = ();

    fn handle(&mut self, input: Input<Self>, cx: &mut Cx<'_, Self>) {
        match input {
            Input::Start => self.socket = Some(cx.bind(local())),
            Input::Bound(_, bound) => self.at = bound.ok(),
            Input::Op(op, OpInput::Ask(datagrams)) => {
                self.to = Some(op);
                if let (Some(socket), Some(at)) = (self.socket, self.at) {
                    (0..datagrams).for_each(|n| cx.send_to(socket, at, vec![n]));
                }
            }
            Input::Datagram(_, datagram) => {
                if let Some(op) = self.to.filter(|_| !self.full) {
                    (0..10).for_each(|_| cx.answer(op, datagram.data[0]));
                }
            }
            Input::Op(_, OpInput::Full) => self.full = true,
            Input::Op(op, OpInput::Ready) => {
                self.to = None;
                cx.finish(op, Ok(()));
            }
            Input::Stop => cx.halt(),
            _ => {}
        }
    }
}

/// Sixty datagrams come in at once: the machine hears that nobody reads before it has answered all of them.
#[tokio::test]
async fn full_is_heard_between_datagrams_of_one_turn() {
    let mut options = Options::default();
    (options.desk.answers, options.desk.answers_hard) = (32, 64);
    let running = spawn(Herald::default(), options);
    let mut answers = running.node.ask(60);
    let mut heard = Vec::new();
    while let Some(n) = soon("an answer", answers.try_next()).await.expect("not too many of them") {
        heard.push(n);
    }
    assert_eq!(heard.len(), 40, "{heard:?}");
    running.stop().await;
}
