//! Leaf guided queries (`leaf_guided_queries`, 2003): hits by UDP pass no ultrapeer, so a leaf tells its ultrapeers how many
//! it has of a search of its own, when they ask and when it has some more.

use super::Servent;
use super::links::LinkId;
use crate::Guid;
use crate::handshake::Role;
use crate::wire::{Header, Message, VendorMessage};

/// So many hits more are told.
const STEP: usize = 10;

impl Servent {
    /// A search of this leaf has more hits than its ultrapeers know of.
    pub(super) fn tell_found(&mut self, guid: Guid) {
        let Some((_, own)) = self.searches.of(&guid).filter(|_| self.role == Role::Leaf) else { return };
        let Some(found) = own.more_found(STEP) else { return };
        for id in self.links.ids() {
            self.tell_status(id, guid, found);
        }
    }

    /// An ultrapeer asks how many hits a search of this leaf has.
    pub(super) fn status_asked(&mut self, id: LinkId, guid: Guid) {
        // It is over: no more are wanted.
        let found = self.searches.of(&guid).map_or(usize::MAX, |(_, own)| own.found());
        self.tell_status(id, guid, found);
    }

    fn tell_status(&mut self, id: LinkId, guid: Guid, found: usize) {
        let knows =
            self.links.get(id).is_some_and(|link| link.speaks_vendor && link.peer_role == Role::Ultrapeer);
        if knows {
            let said = VendorMessage::QueryStatus(u16::try_from(found).unwrap_or(u16::MAX));
            self.say_of(id, guid, &said);
        }
    }

    /// Asks a leaf how many hits it has, before the next neighbour is asked for it.
    pub(super) fn ask_status(&mut self, leaf: LinkId, guid: Guid) {
        if self.links.get(leaf).is_some_and(|link| link.speaks_vendor) {
            self.say_of(leaf, guid, &VendorMessage::QueryStatusRequest);
        }
    }

    /// Says something of a query to a neighbour.
    fn say_of(&mut self, id: LinkId, guid: Guid, said: &VendorMessage) {
        let message = Message::Vendor(said.to_vendor());
        self.send(id, &Header::neighbour(guid, message.kind()), &message.to_bytes());
    }
}
