//! The programs from outside: ours against ours on loopback, their events, their files, their exit codes.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "real processes are waited for in real time")]
#![allow(clippy::print_stdout, reason = "what was measured is shown by --nocapture")]

mod chord;
mod esm;
mod gnutella;
mod napster;
mod rig;
mod sim;
mod torrent;
