//! Who becomes an ultrapeer (ultrapeers 1.0, section "Ultrapeer election").

use crate::handshake::Role;
use p2p_core::Duration;

/// What decides whether a servent becomes an ultrapeer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) role: Role,
    /// How long it runs, or since it was not needed.
    pub(super) uptime: Duration,
    /// How long an ultrapeer has to.
    pub(super) uptime_wanted: Duration,
    /// Whether somebody outside has reached it.
    pub(super) reachable: bool,
    /// Its uplink in kB/s.
    pub(super) uplink_kilobytes: u32,
    pub(super) leaves: usize,
    pub(super) ultrapeers: usize,
    /// How long it is an ultrapeer, or a leaf.
    pub(super) since: Duration,
    /// How long it has no ultrapeer.
    pub(super) alone: Duration,
    /// What sets it apart from others that are in the same place.
    pub(super) lot: u8,
}

/// kB/s that leading queries takes (ultrapeers 1.0: 15 down, 10 up).
const UPLINK: u32 = 15;
/// An ultrapeer that nobody needed for so long goes back, and at most a quarter of it later: two that need each other only
/// are not to go back at once.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How long whoever finds no ultrapeer looks for one before it becomes one itself.
const SEARCHES: Duration = Duration::from_secs(10);
/// How much longer at most, by lot and by what it can do: who is first is who the others link to.
const DRAWN: Duration = Duration::from_secs(10);

/// How long a servent goes without an ultrapeer before it becomes one.
fn alone_max(standing: &Standing) -> Duration {
    let lot = DRAWN * u32::from(standing.lot) / 256;
    SEARCHES + lot + DRAWN * UPLINK / standing.uplink_kilobytes.max(UPLINK)
}

/// What a servent had better be. Where there are ultrapeers it takes some uptime to become one; where there is none, the
/// first that can be.
pub(super) fn elected(standing: Standing) -> Role {
    let able = standing.reachable && standing.uplink_kilobytes >= UPLINK;
    let needed = if standing.ultrapeers > 0 {
        standing.uptime >= standing.uptime_wanted
    } else {
        standing.alone >= alone_max(&standing)
    };
    let patience = PATIENCE + PATIENCE * u32::from(standing.lot) / 1_024;
    match standing.role {
        Role::Leaf if able && needed => Role::Ultrapeer,
        // With no ultrapeer beside it, it would be one again at once.
        Role::Ultrapeer if standing.leaves == 0 && standing.ultrapeers > 0 && standing.since > patience => {
            Role::Leaf
        }
        role => role,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_everything_to_become_one_and_leaves_to_stay_one() {
        let hours = |hours: u64| Duration::from_secs(3_600 * hours);
        let leaf = Standing {
            role: Role::Leaf,
            uptime: hours(2),
            uptime_wanted: hours(1),
            reachable: true,
            uplink_kilobytes: 64,
            leaves: 0,
            ultrapeers: 3,
            since: hours(2),
            alone: Duration::ZERO,
            lot: 0,
        };
        assert_eq!(elected(leaf), Role::Ultrapeer);
        for lacking in [
            Standing { uptime: Duration::from_secs(60), ..leaf },
            Standing { reachable: false, ..leaf },
            Standing { uplink_kilobytes: 4, ..leaf },
            Standing { ultrapeers: 0, ..leaf },
        ] {
            assert_eq!(elected(lacking), Role::Leaf, "{lacking:?}");
        }
        let ultrapeer = Standing { role: Role::Ultrapeer, ..leaf };
        assert_eq!(elected(ultrapeer), Role::Leaf, "nobody came");
        assert_eq!(elected(Standing { leaves: 1, ..ultrapeer }), Role::Ultrapeer);
        assert_eq!(elected(Standing { since: Duration::from_secs(60), ..ultrapeer }), Role::Ultrapeer);
        assert_eq!(elected(Standing { ultrapeers: 0, ..ultrapeer }), Role::Ultrapeer, "it is the network");
        let (soon, later) = (Duration::from_secs(3_601), Duration::from_secs(4_600));
        let drawn = Standing { lot: 255, ..ultrapeer };
        assert_eq!(elected(Standing { since: soon, ..drawn }), Role::Ultrapeer, "others go first");
        assert_eq!(elected(Standing { since: later, ..drawn }), Role::Leaf);
    }

    #[test]
    fn who_finds_no_ultrapeer_becomes_one_the_most_able_first() {
        let seconds = Duration::from_secs;
        let alone = Standing {
            role: Role::Leaf,
            uptime: seconds(60),
            uptime_wanted: seconds(3_600),
            reachable: true,
            uplink_kilobytes: 1_500,
            leaves: 0,
            ultrapeers: 0,
            since: seconds(60),
            alone: seconds(11),
            lot: 0,
        };
        assert_eq!(elected(alone), Role::Ultrapeer);
        for other in [
            Standing { alone: seconds(9), ..alone },
            Standing { ultrapeers: 1, ..alone },
            Standing { reachable: false, ..alone },
            Standing { uplink_kilobytes: 14, ..alone },
            // Those that wait for a better one.
            Standing { uplink_kilobytes: 15, ..alone },
            Standing { lot: 128, ..alone },
        ] {
            assert_eq!(elected(other), Role::Leaf, "{other:?}");
        }
        for last in [Standing { uplink_kilobytes: 15, ..alone }, Standing { lot: 255, ..alone }] {
            assert_eq!(elected(Standing { alone: seconds(31), ..last }), Role::Ultrapeer, "{last:?}");
        }
    }
}
