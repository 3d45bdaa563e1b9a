#![doc = include_str!("../README.md")]
//!
//! # The primitives
//!
//! | primitive | here |
//! | --- | --- |
//! | [`Join`](p2p_core::Join) | [`Bootstrap`]: trackers and peers used for every torrent |
//! | [`Publish`](p2p_core::Publish) | a [`Torrent`] of which all is here: it is seeded and announced (`Reach::Overlay`) |
//! | [`Fetch`](p2p_core::Fetch) | a [`Torrent`]: verified [`Chunk`](p2p_core::Chunk)s in order, read back from storage |
//! | [`Search`](p2p_core::Search) | none: BitTorrent finds the peers of a torrent, not the torrent |
//!
//! Generic code names the primitives that it needs, and a client has these three:
//!
//! ```
//! fn share<M: p2p_core::Join + p2p_core::Publish + p2p_core::Fetch>() {}
//! share::<p2p_bittorrent::Client>();
//! ```
//!
//! Asking for a search does not compile, with ``error[E0277]: `Client` has no search of its own``:
//!
//! ```compile_fail,E0277
//! fn find<M: p2p_core::Search>() {}
//! find::<p2p_bittorrent::Client>();
//! ```
//!
//! Where a program chooses its systems while it runs, a node of a client is a `p2p_core::System`: `join` takes trackers'
//! URLs and peers' addresses as text, `publish` and `fetch` take a torrent file, `search` says that there is none.
//!
//! To download without a reader, give [`Command::Download`]: its operation reports [`Progress`] and ends when what is
//! wanted is verified. All that can be asked is in [`Command`], all that is told in [`Event`].
//!
//! # What a torrent goes through
//!
//! ```text
//!              ┌──────────┐ all files looked at, doubtful pieces digested
//!   Add ──────►│ Checking ├───────────────┐
//!              └──────────┘               ▼
//!              ┌──────────┐  go on   ┌─────────┐ everything wanted verified ┌─────────┐
//!              │ Paused   │◄────────►│ Down-   ├───────────────────────────►│ Seeding │
//!              └──────────┘  pause   │ loading │                            └─────────┘
//!              ┌──────────┐  go on   │         │
//!              │ Failed   │◄────────►│         │  (disk full, read error: the reason is told)
//!              └──────────┘          └─────────┘
//! ```
//!
//! # What speaks what
//!
//! | module | role | source |
//! | --- | --- | --- |
//! | [`bencode`], [`metainfo`], [`magnet`] | documents, and links to them | BEP 3, 9, 12, 27, 47, 53 |
//! | [`peer`] | the wire between peers: handshake, messages, fast extension, extension handshake | BEP 3, 6, 10 |
//! | [`picker`] | which block of whom: rarest first, end game, priorities, deadlines | Cohen 2003, Legout 2006 |
//! | [`choke`] | whom to upload to: tit for tat, optimistic unchoke, anti-snubbing, seed mode | the same |
//! | [`rate`] | rates, and how many requests to keep waiting | |
//! | [`tracker`] | trackers as client (HTTP, UDP, tiers, scrape) and as server ([`tracker::Tracker`], a machine of its own) | BEP 3, 7, 12, 15, 23, 24, 41, 48 |
//!
//! Not here yet: DHT, peer exchange, metadata exchange, uTP, encryption, web seeds, local discovery, version 2. A peer's
//! carrier, the registry of extensions and the sources of peers are where they will come in.
//!
//! # Limits and security
//!
//! Every collection that a stranger can make grow has a number in [`Limits`], with the reason for its default beside
//! it. Names in a torrent become paths only through [`RelPath`](p2p_core::RelPath). Pieces are uploaded only once
//! verified. A piece that fails is traced to the peer that lied, block by block. Resume data is believed only as far
//! as size and time of every file agree with it. SHA-1 is what version 1 has: collisions can be made by whoever makes
//! the torrent, not by a peer.
//!
//! # Features
//!
//! | feature | default | gives |
//! | --- | --- | --- |
//! | `node` | yes | the async handle of `p2p-core` (`Node`, `Operation`, `System`); without it the crate is `no_std` + `alloc` |
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bencode;
mod candidates;
mod check;
pub mod choke;
mod client;
pub mod compact;
mod config;
pub mod creator;
mod drop_reason;
mod error;
mod event;
mod info_hash;
pub mod magnet;
pub mod metainfo;
mod offers;
pub mod peer;
pub mod picker;
mod primitives;
pub mod rate;
mod reader;
mod resume;
mod store;
mod super_seed;
mod suspects;
#[cfg(feature = "node")]
mod system;
mod torrent;
pub mod tracker;

pub use candidates::PeerSource;
pub use client::{Client, Load, Timer, TorrentKey};
pub use config::{Config, Limits};
pub use creator::Creator;
pub use drop_reason::DropReason;
pub use error::Error;
pub use event::{Bootstrap, Command, Event, PeerStatus, Progress, State, Status, Torrent};
pub use info_hash::{IdError, InfoHash, PeerId};
pub use magnet::{Magnet, MagnetError};
pub use metainfo::Metainfo;
#[cfg(feature = "node")]
pub use system::BootstrapError;
