//! Queries by UDP to one ultrapeer after the other (GUESS 0.2, with the additions of gtk-gnutella of 2011): who asks, and who
//! is asked.
//!
//! ```text
//!  who asks                                        an ultrapeer
//!     ping (QK, SCP)  ────────────────────────────►
//!     ◄──────────────  pong (GUE, QK: a key for this address, IPP: others)
//!     query (QK: the key, SCP)  ──────────────────►  its files, its leaves
//!     ◄──────────────  pong, named as the query (GUE, IPP: others)
//!     ◄──────────────  hits, or offers of hits of its leaves (out of band)
//! ```
//!
//! Who asks sends to no address more than a ping before a pong has come from it, asks nobody twice, and not faster than the
//! proposal allows. Who is asked sends a key, which is no longer than other pongs, and all else to who shows that he got it.

mod answer;
pub(super) mod ask;

/// GUESS 0.2 as pongs tell it, in half-bytes.
const VERSION: u8 = 0x02;
/// How long keys are (query keys, section 2.x.1).
const KEY_BYTES: core::ops::RangeInclusive<usize> = 4..=16;
