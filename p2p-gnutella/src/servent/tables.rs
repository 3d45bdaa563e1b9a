//! Tables of words: what neighbours may have, and what they are told of this side.

use super::event::Parting;
use super::links::LinkId;
use super::{Mode, Servent, Timer};
use crate::handshake::Role;
use crate::qrp::{Progress, Table, update};
use crate::wire::{Message, Route, bye_code};
use alloc::string::ToString;
use alloc::sync::Arc;
use p2p_core::Cx;

/// Bits of the table that an ultrapeer tells: the most that gtk-gnutella takes.
const ULTRAPEER_BITS: u8 = 17;

impl Servent {
    /// A part of a neighbour's table.
    pub(super) fn route(&mut self, id: LinkId, route: &Route, cx: &mut Cx<'_, Self>) {
        let Some(link) = self.links.get_mut(id) else { return };
        // A table that is begun anew costs its size whatever its sender pays for it.
        if matches!(route, Route::Reset { .. }) && !link.resets.take(cx.now(), 60) {
            let why = Parting::Misbehaved("it begins its table anew too often");
            return self.say_bye(id, bye_code::ROUTE_SEQUENCE, "Too many QRP resets", why, cx);
        }
        match link.receiver.take(route) {
            Ok(Progress::Complete) if link.peer_role == Role::Leaf => self.tables_changed(cx),
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

    /// The table that this side tells: its own, and that of an ultrapeer has its leaves' in it.
    pub(super) fn own_table(&mut self) -> Arc<Table> {
        let (own, _) = self.transfers.library_mut().table();
        if self.role == Role::Leaf {
            return own;
        }
        let mut all = own.resized(ULTRAPEER_BITS);
        for link in self.links.iter().filter(|link| link.peer_role == Role::Leaf) {
            if let Some(table) = link.receiver.table() {
                all.union(table);
            }
        }
        Arc::new(all)
    }

    /// Tells a neighbour what it does not know of the table.
    pub(super) fn tell_table(&mut self, id: LinkId, table: &Arc<Table>) {
        let Some(link) = self.links.get_mut(id).filter(|link| link.takes_tables) else { return };
        let entry_bits = if link.bit_patches { 1 } else { 4 };
        let told = link.told.replace(table.clone());
        for message in update(told.as_deref(), table, entry_bits) {
            self.say(id, &Message::Route(message));
        }
    }
}
