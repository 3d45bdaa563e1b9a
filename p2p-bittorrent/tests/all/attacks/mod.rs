//! Strangers that break rules: each attack is a named test, with honest peers beside it that must still finish.

mod arbitrary;
mod arbitrary_servers;
mod attacker;
mod blocks;
mod floods;
mod greeting;
mod pieces;
mod requests;
mod rig;
mod scene;
mod wire;
