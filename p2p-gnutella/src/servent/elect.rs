//! Who becomes an ultrapeer (ultrapeers 1.0, section "Ultrapeer election").

use crate::handshake::Role;
use p2p_core::Duration;

/// What decides whether a servent becomes an ultrapeer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) role: Role,
    /// How long it runs.
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
}

/// kB/s that leading queries takes (ultrapeers 1.0: 15 down, 10 up).
const UPLINK: u32 = 15;
/// An ultrapeer that nobody needed for so long goes back.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What a servent had better be.
pub(super) fn elected(standing: Standing) -> Role {
    let able = standing.reachable
        && standing.uplink_kilobytes >= UPLINK
        && standing.uptime >= standing.uptime_wanted
        && standing.ultrapeers > 0;
    match standing.role {
        Role::Leaf if able => Role::Ultrapeer,
        Role::Ultrapeer if standing.leaves == 0 && standing.since > PATIENCE => Role::Leaf,
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
    }
}
