//! Who gets a query: pure decisions about one neighbour at a time.

use crate::handshake::Role;
use crate::qrp::{Table, Wanted};

/// What of a neighbour decides whether it gets a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facing<'a> {
    /// What it is.
    pub(crate) role: Role,
    /// Its table, once it sent one whole.
    pub(crate) table: Option<&'a Table>,
    /// Queries of so many hops and more it does not want.
    pub(crate) hops_flow: u8,
    /// Whether it wants to be asked for its newest files.
    pub(crate) whats_new: bool,
}

/// Whether a neighbour gets a query with this TTL and these hops, as they are sent to it.
///
/// - A leaf gets, whatever the TTL, what its table may match; one without a table gets nothing.
/// - Who says that it tells its newest files is asked for those, whatever its table.
/// - An ultrapeer gets all that may go on from it; on the last hop what its table may match, or all if it sent none.
pub(crate) fn gets(neighbour: Facing<'_>, ttl: u8, hops: u8, wanted: &Wanted) -> bool {
    if hops >= neighbour.hops_flow {
        return false;
    }
    if wanted.is_newest() {
        return neighbour.whats_new && (neighbour.role == Role::Leaf || ttl > 0);
    }
    match (neighbour.role, neighbour.table) {
        (Role::Leaf, table) => table.is_some_and(|table| table.may_match(wanted)),
        (Role::Ultrapeer, _) if ttl == 0 => false,
        (Role::Ultrapeer, Some(table)) if ttl == 1 => table.may_match(wanted),
        (Role::Ultrapeer, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qrp::Cut;

    #[test]
    fn tables_count_for_leaves_and_on_the_last_hop() {
        let mut table = Table::new(16);
        table.insert_name("blue train", Cut::NONE);
        let facing = |role, known: bool| Facing {
            role,
            table: known.then_some(&table),
            hops_flow: u8::MAX,
            whats_new: false,
        };
        let (train, giant) = (Wanted::of_text("train"), Wanted::of_text("giant"));
        for ttl in 0..4 {
            assert!(gets(facing(Role::Leaf, true), ttl, 2, &train), "even without a TTL");
            assert!(!gets(facing(Role::Leaf, true), ttl, 2, &giant));
            assert!(!gets(facing(Role::Leaf, false), ttl, 2, &train), "nothing is known of it");
            assert_eq!(gets(facing(Role::Ultrapeer, true), ttl, 2, &train), ttl > 0);
            assert_eq!(gets(facing(Role::Ultrapeer, true), ttl, 2, &giant), ttl > 1);
            assert_eq!(gets(facing(Role::Ultrapeer, false), ttl, 2, &giant), ttl > 0);
        }
        let none = Facing { hops_flow: 0, ..facing(Role::Leaf, true) };
        assert!(!gets(none, 1, 0, &train), "it wants no queries at all");
        assert!(gets(Facing { hops_flow: 3, ..none }, 1, 2, &train));
    }
}
