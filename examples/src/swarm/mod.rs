//! Simulated swarms: thousands of real [`Client`](p2p_bittorrent::Client) machines and a real tracker in virtual time,
//! measured against what no swarm can beat.
//!
//! What is the same in every scenario: at most 50 neighbours, of which the tracker names up to 30 at the start; 4 upload
//! slots and an optimistic one (in S4 as many as pay); blocks of 16 KiB; delays of 10 to 100 ms each way; an uplink is shared in turns of a
//! block, small messages pass between them.

mod figures;
mod member;
mod run;
mod scenario;

pub use figures::{Figures, GroupFigures};
pub use member::{Member, Peer};
pub use run::run;
pub use scenario::{Access, Conduct, Group, Promised, Scenario};
