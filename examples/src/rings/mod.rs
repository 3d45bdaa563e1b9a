//! Simulated Chord rings: real [`Chord`](p2p_chord::Chord) machines in virtual time, measured against the papers' figures.

mod churn;
mod failures;
mod handed;
mod hops;
mod load;
mod one_hop;
mod profile;
mod routers;
mod scale;
mod settled;
mod space;
mod spread;
mod state;
mod stretch;

pub use churn::{Churn, Course, Going};
pub use failures::{Failures, failures};
pub use handed::Handed;
pub use hops::{Hops, hops};
pub use load::{Placement, load};
pub use one_hop::{OneHop, one_hop};
pub use profile::Profile;
pub use routers::{Hostile, Lie, Router, Routers, routers};
pub use scale::{Scale, scale};
pub use settled::Settled;
pub use space::Space;
pub use spread::Spread;
pub use state::state;
pub use stretch::{Delays, Stretch, stretch};
