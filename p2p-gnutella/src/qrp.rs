//! Query routing (QRP 1.0, ultrapeer query routing 0.1): a servent tells its ultrapeers which words its files have, as a
//! table of bits, and is sent no query with another word.
//!
//! A table has a bit for each value of a [hash](WordHash) of a word. It may hold too much, never too little: whoever has a
//! file whose name holds all [`Wanted`] words is asked. So a leaf's table comes from its own file names, and an ultrapeer's
//! is the [union](Table::union) of its own and its leaves', and serves the last hop: what still has further to go is sent
//! on regardless.
//!
//! What stands in a table for a name: each of its [`words`], and the word without some of its last letters as long as four
//! are left, for servents that find by the beginnings of words. A local search must not find by less than that: [`finds`]
//! says what it may find by, with the [`Cut`] of its table.
//!
//! Tables travel as differences: [`update`] makes the messages, and [`Receiver`] takes them, a part at a time, in constant
//! memory.
//!
//! ```
//! use p2p_gnutella::qrp::{Cut, Receiver, Table, Wanted, update};
//!
//! let mut table = Table::new(16);
//! table.insert_name("John_Coltrane-Blue_Train.mp3", Cut::MOST);
//! let mut neighbour = Receiver::new(17);
//! for message in update(None, &table, 1) {
//!     neighbour.take(&message)?;
//! }
//! let known = neighbour.table().unwrap();
//! assert!(known.may_match(&Wanted::of_text("blue train")));
//! assert!(!known.may_match(&Wanted::of_text("blue giant")));
//! # Ok::<(), p2p_gnutella::qrp::RouteError>(())
//! ```

mod bits;
mod hash;
mod patch;
mod receiver;
mod runs;
mod table;
mod wanted;
mod words;

pub use hash::WordHash;
pub use patch::{INFINITY, PART_LEN, update};
pub use receiver::{Progress, Receiver, RouteError};
pub use table::{BITS_MAX, BITS_MIN, FILL_MAX, Table};
pub use wanted::{WANTED_MAX, Wanted};
pub use words::{Cut, canonical, finds, words};
