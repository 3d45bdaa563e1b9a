//! Simulated groups of End System Multicast: real [`Esm`](p2p_esm::Esm) machines in virtual time, measured against the
//! papers' figures.

mod audience;
mod churn;
mod crowd;
mod delays;
mod load;
mod orphans;
mod overlay;
mod scarce;
mod stress;

pub use audience::{Audience, Given, Setting};
pub use churn::{Churn, Going, churn};
pub use crowd::{Crowd, crowd};
pub use delays::Delays;
pub use load::{Load, load};
pub use orphans::{Orphans, orphans};
pub use overlay::{Overlay, overlay};
pub use scarce::{Access, ClassGiven, GNUTELLA, Scarce, scarce};
pub use stress::{Stress, stress};

/// Bytes of the heads of UDP and IPv4.
const HEADS: u64 = 28;
