//! Simulated groups of End System Multicast: real [`Esm`](p2p_esm::Esm) machines in virtual time, measured against the
//! papers' figures.

mod audience;
mod churn;
mod delays;
mod orphans;
mod overlay;

pub use audience::{Audience, Given, Setting};
pub use churn::{Churn, churn};
pub use delays::Delays;
pub use orphans::{Orphans, orphans};
pub use overlay::{Overlay, overlay};
