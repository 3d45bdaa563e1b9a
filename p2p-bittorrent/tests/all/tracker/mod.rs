//! Trackers in both roles: the client's announcer against scripted trackers, the server against scripted clients, and
//! both against each other in memory.

mod announcer;
mod bench;
mod both;
mod server;
