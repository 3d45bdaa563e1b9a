//! Trackers in both roles: the client's announcer against scripted trackers, the server against scripted clients, and
//! both against each other in memory.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, unnameable_types)]

mod announcer;
mod bench;
mod both;
mod server;
