//! Whom the last hop reaches: those whose tables may have it, and those of whom nothing is known.

use super::victim::{Stranger, Victim, guid, head, query};
use p2p_core::{Input, StreamInput};
use p2p_gnutella::handshake::Role;
use p2p_gnutella::qrp::{Table, update};
use p2p_gnutella::servent::{Config, Mode};
use p2p_gnutella::wire::{Header, Kind, Message, Route};

/// Whether a stranger is sent a query that another sends for its last hop but one.
fn gets(victim: &mut Victim, asker: &mut Stranger, other: &Stranger, words: &str, name: u32) -> bool {
    let from = victim.sent.len();
    victim.say(asker, head(guid(name), Kind::QUERY, 2, 1), &query(words));
    victim.heard(other, from).iter().any(|frame| frame.header.kind == Kind::QUERY)
}

fn tell(victim: &mut Victim, stranger: &mut Stranger, routes: impl IntoIterator<Item = Route>) {
    for route in routes {
        victim.say(stranger, Header::neighbour(guid(900), Kind::ROUTE), &Message::Route(route));
    }
}

#[test]
fn who_tells_no_table_gets_all_whoever_was_there_before() {
    let mut victim = Victim::new(Config::new(Mode::Ultrapeer));
    let mut asker = victim.link(1, Role::Ultrapeer, false);
    let mut first = victim.link(2, Role::Ultrapeer, false);
    assert!(gets(&mut victim, &mut asker, &first, "blue train", 1), "nothing is known of it");
    let (table, _) = Table::of_names(["giant steps"].into_iter(), 16);
    tell(&mut victim, &mut first, update(None, &table, 1));
    assert!(!gets(&mut victim, &mut asker, &first, "blue train", 2));
    assert!(gets(&mut victim, &mut asker, &first, "giant", 3));
    // It begins anew: till it has told the whole again it is asked for all.
    let reset = Route::Reset { slots: table.slots(), infinity: 2 };
    tell(&mut victim, &mut first, [reset]);
    assert!(gets(&mut victim, &mut asker, &first, "blue train", 4));
    tell(&mut victim, &mut first, update(None, &table, 1));
    assert!(!gets(&mut victim, &mut asker, &first, "blue train", 5));
    // Another takes its place.
    victim.give(Input::Stream(first.conn, StreamInput::Closed(Ok(()))));
    let second = victim.link(3, Role::Ultrapeer, false);
    assert!(gets(&mut victim, &mut asker, &second, "blue train", 6));
    assert!(victim.parted().len() == 1, "{:?}", victim.parted());
}
