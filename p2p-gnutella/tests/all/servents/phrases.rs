//! Phrases: other servents find by words alone, and what they found is looked at again.

use super::victim::{Victim, head};
use p2p_gnutella::Guid;
use p2p_gnutella::handshake::Role;
use p2p_gnutella::servent::{Config, Event, Mode, Strategy, Wish};
use p2p_gnutella::wire::{HitBuilder, HitFlags, Kind, Message, VendorCode};

#[test]
fn of_hits_of_others_only_those_with_the_phrase_are_told() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    let mut a = victim.link(1, Role::Ultrapeer, false);
    let from = victim.sent.len();
    victim.search(Wish::words("\"blue train\" flac").by(Strategy::Flood(2)));
    let asked = victim.heard(&a, from).into_iter().find(|frame| frame.header.kind == Kind::QUERY).unwrap();
    assert!(asked.payload[2..].starts_with(b"\"blue train\" flac\0"), "as it was written");
    let mut hit = HitBuilder::new("192.0.2.8:7000".parse().unwrap(), 6);
    for (index, name) in
        ["Train Blue.flac", "Coltrane - Blue_Train.flac", "blue night train.flac"].iter().enumerate()
    {
        hit.record(index as u32, 2, name.as_bytes(), |_| {});
    }
    let flags = HitFlags::new(false, false, false);
    let hit = hit.finish(VendorCode(*b"TEST"), flags, Guid([8; 16]), |_| {});
    victim.say(&mut a, head(asked.header.guid, Kind::QUERY_HIT, 2, 0), &Message::QueryHit(hit));
    let told: Vec<_> = victim
        .told
        .iter()
        .filter_map(|event| match event {
            Event::Hit(hit) => Some(hit.name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [&b"Coltrane - Blue_Train.flac"[..]]);
}
