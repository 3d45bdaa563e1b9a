//! What users on two linked servers do with each other: the real machines, in the simulator.

use super::world::{SPAN, World, config, file, nicks};
use bytes::Bytes;
use p2p_core::{Duration, Keywords, Rng};
use p2p_napster::client::{Chat, Command, Error, Event, Query, SharedFile, SourceError, Wanted};
use p2p_napster::server::{Banned, ServerCommand, ServerEvent};
use p2p_napster::wire::Level;
use p2p_sim::{Disk, NodeIx};

const NAME: &str = "C:\\music\\Some Band - The Song.mp3";

fn song(len: usize) -> Bytes {
    let mut song = vec![0; len];
    Rng::fast_from(len as u64).fill(&mut song);
    song.into()
}

fn text(bytes: &'static str) -> Bytes {
    Bytes::from_static(bytes.as_bytes())
}

/// Time for what was said to get around.
fn pass(world: &mut World) {
    world.sim.run_for(Duration::from_secs(5));
}

#[test]
fn both_know_of_everybody() {
    let mut world = World::pair(1);
    let ann = world.client("ann", 0);
    let bob = world.client("bob", 1);
    pass(&mut world);
    world.assert_alike();
    assert_eq!(world.who(1), nicks(&[("ann", 0), ("bob", 1)]));
    world.share(bob, NAME);
    pass(&mut world);
    let told = world.done(ann, Command::Whois(text("BOB")));
    let whois =
        told.into_iter().find_map(|event| if let Event::Whois(whois) = event { Some(whois) } else { None });
    let whois = whois.unwrap();
    assert_eq!((&whois.nick[..], whois.shared, whois.online), (&b"bob"[..], 1, true));
    assert_eq!(world.server(0).counts().linked_files, 1);
    // Who goes is gone on both.
    world.done(bob, Command::Leave);
    pass(&mut world);
    assert_eq!(world.who(0), nicks(&[("ann", 0)]));
    world.assert_alike();
    assert_eq!(world.server(0).counts().linked_files, 0);
    // And the nick is free for anybody on either.
    world.client("bob", 0);
    pass(&mut world);
    assert_eq!(world.who(1), nicks(&[("ann", 0), ("bob", 0)]));
}

#[test]
fn a_nick_is_taken_on_both() {
    let mut world = World::pair(2);
    world.client("ann", 0);
    pass(&mut world);
    let other = world.add_client("Ann", Some(6699), Disk::new(Default::default()));
    let join = p2p_napster::client::Bootstrap::servers([std::net::SocketAddr::from(([10, 200, 0, 2], 8888))]);
    assert!(matches!(world.failed(other, Command::Join(join)), Error::Refused(_)));
    assert_eq!(world.who(1), nicks(&[("ann", 0)]));
}

#[test]
fn searches_go_on_where_the_own_server_has_too_few() {
    let mut world = World::pair(3);
    let (ann, bob, eve) = (world.client("ann", 0), world.client("bob", 1), world.client("eve", 0));
    for n in 0..6 {
        world.share(bob, &format!("C:\\Band - Common {n}.mp3"));
    }
    for n in 0..3 {
        world.share(eve, &format!("C:\\Band - Common here {n}.mp3"));
    }
    pass(&mut world);
    let by = |hits: &[p2p_napster::client::Hit], nick: &str| {
        hits.iter().filter(|hit| hit.nick == nick.as_bytes()).count()
    };
    // Enough here: nobody else is asked.
    let ask = |max: u32| {
        let mut query = Query::from(Keywords::new("band common"));
        query.max = max;
        query
    };
    let asked = world.server(1).counts().searches;
    let hits = world.search_for(ann, ask(3));
    assert_eq!((hits.len(), by(&hits, "eve")), (3, 3));
    assert_eq!(world.server(1).counts().searches, asked);
    // Too few: the rest comes from there, and no more than was asked for.
    let hits = world.search_for(ann, ask(5));
    assert_eq!((by(&hits, "eve"), by(&hits, "bob")), (3, 2));
    let hits = world.search_for(ann, ask(100));
    assert_eq!((by(&hits, "eve"), by(&hits, "bob")), (3, 6));
    assert!(
        hits.iter().filter(|hit| hit.nick == "bob").all(|hit| hit.address.is_some() && hit.size == 5_000_000)
    );
    assert_eq!(world.server(1).counts().searches, asked + 2);
    // Nothing anywhere ends too, and so does what is for this server only.
    assert!(world.search(ann, "nothing such").is_empty());
    let mut local = ask(100);
    local.local = true;
    assert_eq!(world.search_for(ann, local).len(), 3);
    // Bob finds eve's, not his own.
    let hits = world.search(bob, "band common");
    assert_eq!((hits.len(), by(&hits, "eve")), (3, 3));
}

#[test]
fn a_search_ends_though_the_other_server_says_nothing() {
    let mut world = World::pair(4);
    let ann = world.client("ann", 0);
    let servers = [world.servers[0], world.servers[1]];
    world.sim.partition(&[&[servers[1]]]);
    let before = world.sim.now();
    assert!(world.search(ann, "something").is_empty());
    let took = world.sim.now().since(before);
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(12), "{took:?}");
}

/// Who has the song on one server gives it to who wants it on the other.
fn from_one_to_another(seed: u64, holder_port: Option<u16>, asker_port: Option<u16>, at: (usize, usize)) {
    let mut world = World::pair(seed);
    let song = song(400_000);
    let disk = Disk::new(Default::default()).with_file(file(NAME), song.clone());
    let holder = world.client_with("holder", at.0, holder_port, disk);
    world.done(holder, Command::Share(Box::new(SharedFile::new(NAME.as_bytes().to_vec(), file(NAME)))));
    let asker = world.client_with("asker", at.1, asker_port, Disk::new(Default::default()));
    pass(&mut world);
    let hits = world.search(asker, "band song");
    assert_eq!(hits.len(), 1);
    let told = world.done(asker, Command::Download(Box::new(Wanted::from(&hits[0]))));
    let saved =
        told.iter().find_map(|event| if let Event::Saved { file, .. } = event { Some(file) } else { None });
    assert!(world.sim.disk(asker).content(saved.unwrap()) == Some(song), "the bytes differ");
}

#[test]
fn a_file_goes_from_a_server_to_the_other() {
    from_one_to_another(5, Some(6699), Some(6699), (0, 1));
    from_one_to_another(6, Some(6699), None, (1, 0));
}

#[test]
fn who_cannot_be_dialled_pushes_over_the_link() {
    from_one_to_another(7, None, Some(6699), (0, 1));
    from_one_to_another(8, None, Some(6699), (1, 0));
}

#[test]
fn what_nobody_shares_is_refused_over_the_link() {
    let mut world = World::pair(9);
    world.client("bob", 1);
    let ann = world.client("ann", 0);
    pass(&mut world);
    let wanted = Wanted::new(&b"bob"[..], &b"C:\\not shared.mp3"[..]);
    let error = world.failed(ann, Command::Download(Box::new(wanted)));
    assert!(matches!(error, Error::Source(SourceError::Offline | SourceError::Refused)), "{error:?}");
}

#[test]
fn lists_are_shown_by_either_way() {
    let mut world = World::pair(10);
    let (ann, bob) = (world.client("ann", 0), world.client("bob", 1));
    for n in 0..20 {
        world.share(bob, &format!("C:\\Band - Song {n}.mp3"));
    }
    pass(&mut world);
    let count =
        |events: Vec<Event>| events.into_iter().filter(|event| matches!(event, Event::Hit(_))).count();
    let told = world.done(ann, Command::Browse(text("bob")));
    assert_eq!(count(told), 20);
    let told = world.done(ann, Command::BrowseDirect(text("bob")));
    assert_eq!(count(told), 20);
    // Who shares nothing says so, and so does the server for who is nowhere.
    for nick in ["ann", "nobody"] {
        let error = world.failed(bob, Command::BrowseDirect(text(nick)));
        assert!(matches!(error, Error::Source(SourceError::Refused)), "{nick}: {error:?}");
    }
}

#[test]
fn messages_pings_and_hotlists_cross() {
    let mut world = World::pair(11);
    let ann = world.client("ann", 0);
    world.done(ann, Command::Watch(text("bob")));
    let bob = world.client("bob", 1);
    pass(&mut world);
    assert!(world.told(ann).iter().any(|event| matches!(event, Event::SignedOn(nick) if nick == "bob")));
    world.done(ann, Command::Message { to: text("bob"), text: text("hello there") });
    pass(&mut world);
    let heard = |events: Vec<Event>, by: &str, what: &str| {
        events
            .iter()
            .any(|event| matches!(event, Event::Message { from, text } if from == by && text == what))
    };
    assert!(heard(world.told(bob), "ann", "hello there"));
    world.done(bob, Command::Ping(text("ann")));
    world.done(bob, Command::Leave);
    pass(&mut world);
    assert!(world.told(ann).iter().any(|event| matches!(event, Event::SignedOff(nick) if nick == "bob")));
}

fn chat(world: &mut World, node: NodeIx) -> Vec<Chat> {
    let told = world.told(node).into_iter();
    told.filter_map(|event| if let Event::Chat(chat) = event { Some(chat) } else { None }).collect()
}

#[test]
fn a_channel_has_members_on_both() {
    let mut world = World::pair(12);
    let (ann, bob, eve) = (world.client("ann", 0), world.client("bob", 1), world.client("eve", 1));
    let enter = || Command::Enter(text("#talk"));
    world.done(ann, enter());
    pass(&mut world);
    world.done(bob, enter());
    world.done(eve, enter());
    pass(&mut world);
    let all = ["ann", "bob", "eve"].map(String::from).into();
    assert_eq!(world.members(0, "#talk"), all);
    assert_eq!(world.members(1, "#talk"), all);
    let came = chat(&mut world, ann);
    assert!(came.iter().any(|chat| matches!(chat, Chat::Member { nick, came: true, .. } if nick == "eve")));
    chat(&mut world, bob);
    // Each hears it once.
    world.done(eve, Command::Say { channel: text("#talk"), text: text("hi all") });
    pass(&mut world);
    for node in [ann, bob, eve] {
        let said = chat(&mut world, node);
        let count = said.iter().filter(
            |chat| matches!(chat, Chat::Said { nick, text, .. } if nick == "eve" && text == "hi all"),
        );
        assert_eq!(count.count(), 1, "{said:?}");
    }
    world.done(eve, Command::Part(text("#talk")));
    world.done(bob, Command::Leave);
    pass(&mut world);
    let parted: Vec<_> =
        chat(&mut world, ann).into_iter().filter(|chat| matches!(chat, Chat::Parted { .. })).collect();
    assert_eq!(parted.len(), 2, "{parted:?}");
    assert_eq!(world.members(0, "#talk"), ["ann"].map(String::from).into());
    assert_eq!(world.members(1, "#talk"), ["ann"].map(String::from).into());
}

#[test]
fn a_user_is_killed_by_the_other_server() {
    let mut world = World::pair(13);
    world.client("ann", 0);
    let bob = world.client("bob", 1);
    pass(&mut world);
    world.order(0, ServerCommand::Kill { nick: (*b"bob").into(), reason: (*b"enough").into() });
    pass(&mut world);
    assert!(world.told(bob).iter().any(|event| matches!(event, Event::LoggedOut(_))));
}

/// Nicks and networks that a server has banned, and muzzled, by whom.
fn sentences(world: &mut World, server: usize) -> [Vec<(String, String)>; 2] {
    world.take_news(server);
    world.order(server, ServerCommand::Bans);
    let told = world.take_news(server).into_iter().find_map(|event| match event {
        ServerEvent::Bans(bans, muzzles) => Some([bans, muzzles]),
        _ => None,
    });
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    told.unwrap().map(|all| all.iter().map(|(who, ban)| (shown(&who.text()), shown(&ban.by))).collect())
}

#[test]
fn what_the_application_bans_is_banned_on_both_at_once() {
    let mut configs = vec![config(0, &[(1, true)], 6), config(1, &[(0, false)], 6)];
    for config in &mut configs {
        config.links = config.links.drain(..).map(|link| link.trust(Level::Admin)).collect();
    }
    let mut world = World::new(16, configs);
    assert!(world.wait_linked(SPAN), "no link");
    world.client("ann", 0);
    let bob = world.client("bob", 1);
    pass(&mut world);
    let (reason, during): (Box<[u8]>, _) = ((*b"spam and more").into(), Some(Duration::from_secs(3600)));
    world.order(0, ServerCommand::Ban { who: Banned::parse(b"bob"), reason: reason.clone(), during });
    world.order(0, ServerCommand::Muzzle { who: Banned::parse(b"eve"), reason, during: None });
    pass(&mut world);
    assert!(world.told(bob).iter().any(|event| matches!(event, Event::LoggedOut(_))));
    assert_eq!(world.who(1), nicks(&[("ann", 0)]));
    let by = |who: &str, server: &str| vec![(who.to_owned(), server.to_owned())];
    assert_eq!(sentences(&mut world, 0), [by("bob", "alpha"), by("eve", "alpha")]);
    assert_eq!(sentences(&mut world, 1), [by("bob", "alpha"), by("eve", "alpha")]);
    // And so it is lifted, by either.
    world.order(1, ServerCommand::Unban(Banned::parse(b"bob")));
    world.order(0, ServerCommand::Unmuzzle(Banned::parse(b"eve")));
    pass(&mut world);
    for server in [0, 1] {
        assert_eq!(sentences(&mut world, server), [vec![], vec![]]);
    }
}

#[test]
fn levels_that_are_not_trusted_are_not_had() {
    // An administrator of alpha is a moderator on beta, for that is how far beta trusts it.
    let mut world = World::pair(14);
    let (nick, password) = ((*b"root").into(), text("secret"));
    world.order(0, ServerCommand::Register { nick, password, level: Level::Admin });
    world.client("root", 0);
    let bob = world.client("bob", 1);
    pass(&mut world);
    let told = world.done(bob, Command::Whois(text("root")));
    let level = told
        .into_iter()
        .find_map(|event| if let Event::Whois(whois) = event { Some(whois.level) } else { None });
    assert_eq!(level.as_deref(), Some(&b"Moderator"[..]));
}

#[test]
fn three_in_a_row_are_one_network() {
    let configs =
        vec![config(0, &[(1, true)], 6), config(1, &[(0, false), (2, true)], 0), config(2, &[(1, false)], 9)];
    let mut world = World::new(15, configs);
    let (ann, eve) = (world.client("ann", 0), world.client("eve", 2));
    world.client("bob", 1);
    assert!(world.sim.wait(SPAN, |_| false) || world.who(0).len() == 3, "{:?}", world.who(0));
    world.assert_alike();
    world.share(eve, NAME);
    pass(&mut world);
    assert_eq!(world.search(ann, "band song").len(), 1);
    assert_eq!(world.done(ann, Command::Browse(text("eve"))).len(), 1);
    world.done(ann, Command::Message { to: text("eve"), text: text("hi") });
    pass(&mut world);
    assert!(world.told(eve).iter().any(|event| matches!(event, Event::Message { .. })));
    for node in [ann, eve] {
        world.done(node, Command::Enter(text("#far")));
    }
    pass(&mut world);
    world.done(eve, Command::Say { channel: text("#far"), text: text("hear me") });
    pass(&mut world);
    assert!(
        chat(&mut world, ann).iter().any(|chat| matches!(chat, Chat::Said { nick, .. } if nick == "eve"))
    );
    // The one in the middle is gone: the ends know nobody any more.
    let middle = world.servers[1];
    world.sim.kill(middle);
    pass(&mut world);
    assert_eq!((world.who(0), world.who(2)), (nicks(&[("ann", 0)]), nicks(&[("eve", 2)])));
    world.restart(1);
    world.sim.run_for(super::world::LONG);
    assert_eq!(world.who(0), nicks(&[("ann", 0), ("bob", 1), ("eve", 2)]));
    world.assert_alike();
}
