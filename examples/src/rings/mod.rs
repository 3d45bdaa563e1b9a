//! Simulated Chord rings: real [`Chord`](p2p_chord::Chord) machines in virtual time, measured against the papers' figures.

mod failures;
mod hops;
mod load;
mod profile;
mod settled;
mod spread;

pub use failures::{Failures, failures};
pub use hops::{Hops, hops};
pub use load::{Placement, load};
pub use profile::Profile;
pub use settled::Settled;
pub use spread::Spread;
