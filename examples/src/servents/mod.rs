//! Networks of Gnutella servents in virtual time, beside the figures that are known of such networks.

mod churn;
mod flood;
mod graph;
mod tiers;

pub use churn::{Churn, Course, Searched, gnutella_sessions};
pub use flood::{Flood, flood_by_machines};
pub use graph::{Graph, GraphError, Holders};
pub use tiers::{Tiers, TiersRun, tiers};
