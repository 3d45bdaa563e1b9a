//! What the programs of the workspace share: arguments, tables, events as JSON lines, progress in place, clean stops.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod cost;
pub mod escape;
pub mod failure;
pub mod fetching;
#[cfg(feature = "metrics")]
pub mod figures;
pub mod groups;
pub mod json;
pub mod load;
pub mod loopback;
pub mod output;
pub mod program;
pub mod progress;
pub mod rings;
pub mod secret;
pub mod servents;
pub mod stop;
pub mod swarm;
pub mod table;
#[cfg(feature = "tls")]
pub mod trust;
pub mod units;

pub use failure::Failure;
pub use json::Line;
pub use output::Output;
pub use stop::Stop;
pub use table::Table;
