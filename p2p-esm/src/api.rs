//! What a member can be asked for, and what it tells: [`Command`], [`Event`].

use crate::group::GroupKey;
use crate::picture::Picture;
use crate::playout::Output;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use p2p_core::Duration;

/// What an application asks a member for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Be the source, of the group whose key is in [`Config::source`](crate::Config::source). Finishes when members can
    /// join.
    Broadcast,
    /// The next packets of the stream, each at most [`LARGEST_PACKET`](crate::LARGEST_PACKET) bytes. Of the source only.
    /// Finishes when they are on their way, which [`Config::pace`](crate::Config::pace) may delay.
    Send(Vec<Bytes>),
    /// The last packets of the stream, or none: it ends behind them. The source stays, for who misses some, until it is
    /// asked to leave.
    SendLast(Vec<Bytes>),
    /// Takes part in a group, by one of these members. Finishes when it has a place in every tree. Who has the group's
    /// secret key ([`Config::source`](crate::Config::source)) is its source: the same as [`Command::Broadcast`].
    Join {
        /// Which group.
        group: GroupKey,
        /// Members, or the source itself.
        by: Vec<SocketAddr>,
    },
    /// Gives the stream from here on: [`Event::Output`]s, until the stream ends or the operation is cancelled. Who takes
    /// them too slowly is waited for as long as what follows is history ([`Config::history`](crate::Config::history)).
    Watch,
    /// The same from another point on, as fast as it is taken until it is as far as the stream.
    WatchFrom(Point),
    /// How is it placed? Answers one [`Event::Picture`].
    Look,
    /// Leaves the group: goes on sending until its children have found other parents.
    Leave,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Point {
    /// With what comes next.
    #[default]
    Now,
    /// With what the source sent so long before the newest that is here, or the oldest that is here.
    Ago(Duration),
    /// With the oldest that is here.
    Oldest,
}

/// What a member tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Others reach it here. News.
    Listening(SocketAddr),
    /// What goes out next. Answers [`Command::Watch`].
    Output(Output),
    /// How it is placed. Answers [`Command::Look`].
    Picture(Box<Picture>),
    /// It has another parent in a tree, or none. News.
    Parent {
        /// Which tree.
        tree: u8,
        /// Where its parent is reached.
        parent: Option<SocketAddr>,
    },
    /// It sends a tree to the group of its LAN, or does no more. News.
    Forwards {
        /// Which tree.
        tree: u8,
        /// Whether it does.
        active: bool,
    },
}

/// The timers of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// What misses is given up.
    Playout,
    /// What misses is asked for.
    Repair,
    /// A question is overdue.
    Overdue,
    /// Places are looked after: silent parents, silent children, trees without a parent.
    Tick,
    /// The source closes what is open.
    Flush,
    /// The source may send more.
    Pace,
    /// The LAN is looked after: who is there, who feeds which tree.
    Lan,
}
