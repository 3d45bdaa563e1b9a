//! Tables of words: what neighbours may have, and what they are told of this side.

use super::event::Parting;
use super::links::LinkId;
use super::{Mode, Servent, Timer};
use crate::Guid;
use crate::handshake::Role;
use crate::qrp::{Progress, Table, update};
use crate::wire::{Header, Kind, Message, Route, bye_code};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use p2p_core::Cx;

/// Bits of the table that an ultrapeer tells: the most that gtk-gnutella takes.
const ULTRAPEER_BITS: u8 = 17;

/// Tables that neighbours know, for which what they are told of the newest is kept.
const KNOWN: usize = 4;

/// What neighbours are told of a table: most know the same, so it is made once for all of those.
#[derive(Debug, Default)]
pub(super) struct Updates {
    of: Option<Arc<Table>>,
    made: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    known: Option<Arc<Table>>,
    entry_bits: u8,
    messages: Vec<Bytes>,
}

fn is_same(one: Option<&Arc<Table>>, other: Option<&Arc<Table>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

impl Updates {
    fn messages(&mut self, known: Option<&Arc<Table>>, table: &Arc<Table>, entry_bits: u8) -> Vec<Bytes> {
        if !is_same(self.of.as_ref(), Some(table)) {
            *self = Self { of: Some(table.clone()), made: Vec::new() };
        }
        let is_made = |made: &&Made| made.entry_bits == entry_bits && is_same(made.known.as_ref(), known);
        if let Some(made) = self.made.iter().find(is_made) {
            return made.messages.clone();
        }
        let parts = update(known.map(|known| &**known), table, entry_bits);
        let messages: Vec<Bytes> = parts.into_iter().map(|part| Message::Route(part).to_bytes()).collect();
        self.made.truncate(KNOWN - 1);
        self.made.insert(0, Made { known: known.cloned(), entry_bits, messages: messages.clone() });
        messages
    }
}

impl Servent {
    /// A part of a neighbour's table.
    pub(super) fn route(&mut self, id: LinkId, route: &Route, cx: &mut Cx<'_, Self>) {
        let Some(link) = self.links.get_mut(id) else { return };
        // A table that is begun anew costs its size whatever its sender pays for it.
        if matches!(route, Route::Reset { .. }) && !link.resets.take(cx.now(), 60) {
            let why = Parting::Misbehaved("it begins its table anew too often");
            return self.say_bye(id, bye_code::ROUTE_SEQUENCE, "Too many QRP resets", why, cx);
        }
        let is_leaf = link.peer_role == Role::Leaf;
        let Some(taken) = self.links.take_route(id, route) else { return };
        match taken {
            Ok(Progress::Complete) if is_leaf => self.tables_changed(cx),
            Ok(_) => {}
            Err(why) => {
                let sentence = why.to_string();
                let why = Parting::Garbled(why.to_string());
                self.say_bye(id, bye_code::ROUTE_SEQUENCE, &sentence, why, cx);
            }
        }
    }

    /// What this side may have, or may lead to, changed: neighbours are told within a while.
    pub(super) fn tables_changed(&mut self, cx: &mut Cx<'_, Self>) {
        if self.config.mode == Mode::Flat {
            return;
        }
        self.tables_stale = true;
        if !self.tables_set {
            self.tables_set = true;
            cx.set_timer(Timer::Tables, self.config.tables_every);
        }
    }

    pub(super) fn tables_due(&mut self, _cx: &mut Cx<'_, Self>) {
        self.tables_set = false;
        if !core::mem::take(&mut self.tables_stale) {
            return;
        }
        let table = self.own_table();
        for id in self.links.ids() {
            self.tell_table(id, &table);
        }
    }

    /// The table that a new neighbour is told. An ultrapeer's is what the others know: what changed since is told to all at
    /// once.
    pub(super) fn known_table(&mut self) -> Arc<Table> {
        match self.updates.of.clone().filter(|_| self.role == Role::Ultrapeer) {
            Some(table) => table,
            None => self.own_table(),
        }
    }

    /// The table that this side tells: its own, and that of an ultrapeer has its leaves' in it.
    fn own_table(&mut self) -> Arc<Table> {
        let (own, _) = self.transfers.library_mut().table();
        if self.role == Role::Leaf {
            return own;
        }
        let mut all = Table::open(ULTRAPEER_BITS);
        for link in self.links.iter().filter(|link| link.peer_role == Role::Leaf) {
            if let Some(table) = link.receiver.table() {
                all.union(table);
            }
        }
        all.union(&own);
        all.pack();
        Arc::new(all)
    }

    /// Tells a neighbour what it does not know of the table.
    pub(super) fn tell_table(&mut self, id: LinkId, table: &Arc<Table>) {
        let Some(link) = self.links.get_mut(id).filter(|link| link.takes_tables) else { return };
        let (told, entry_bits) = (link.told.replace(table.clone()), link.entry_bits);
        for message in self.updates.messages(told.as_ref(), table, entry_bits) {
            self.send(id, &Header::neighbour(Guid::ZERO, Kind::ROUTE), &message);
        }
    }
}
