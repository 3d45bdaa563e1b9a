//! Simulated Chord rings: real [`Chord`](p2p_chord::Chord) machines in virtual time, measured against the papers' figures.

mod churn;
mod failures;
mod hops;
mod profile;
mod scale;
mod settled;
mod spread;
mod state;

pub use churn::{Churn, Course, Going};
pub use failures::{Failures, failures};
pub use hops::{Hops, hops};
pub use profile::Profile;
pub use scale::{Scale, scale};
pub use settled::Settled;
pub use spread::Spread;
pub use state::state;
