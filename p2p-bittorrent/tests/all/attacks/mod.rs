//! Strangers that break rules: each attack is a named test, with honest peers beside it that must still finish.

mod arbitrary;
mod arbitrary_servers;
mod attacker;
mod blocks;
mod broken_off;
mod disk;
mod floods;
mod greeting;
mod liars;
mod names;
mod pieces;
mod requests;
mod rig;
mod scene;
mod tracker_server;
mod trackers;
mod wire;
